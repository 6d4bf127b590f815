use proptest::prelude::*;

use super::*;
use crate::register::{columns::Said, quotes::LOOKED_AT};

fn records(form: Form, encoding: Encoding) -> Records {
    let shape = if form == Form::JSONL {
        Shape::Objects(Keys::known(&Said::default()).expect("keys"))
    } else {
        Shape::Table { width: 3, picks: Picks::find(&["企业名称", "注册号", "经营范围"], &Said::default()).expect("a name") }
    };
    Records { form, encoding, shape }
}

/// Each row as `LINE NAME|SCOPE`, or as `LINE !` with what is wrong.
fn read(records: &Records, bytes: &[u8]) -> Vec<String> {
    let mut read = Vec::new();
    records.each(&Block { line: 2, bytes: bytes.to_vec().into() }, &mut |line, row| {
        read.push(match row {
            Ok(row) => format!("{line} {}|{}", row.get(Column::Name), row.get(Column::Scope)),
            Err(fault) => format!("{line} ! {:?}", fault.why),
        });
    });
    read
}

#[test]
fn tables_are_read_row_by_row() {
    let tsv = "甲\t1\t\"日用\n\n乙\t2\t百货\r\n丙\t3\n丁\t\t";
    let fields = "Fields { found: 2, expected: 3 }".to_owned();
    let expected = ["2 甲|\"日用".to_owned(), "4 乙|百货".to_owned(), format!("5 ! {fields}"), "6 丁|".to_owned()];
    assert_eq!(read(&records(Form::TSV, Encoding::Utf8), tsv.as_bytes()), expected);
    assert_eq!(read(&records(Form::CSV, Encoding::Utf8), tsv.replace('\t', ",").replace('"', "").as_bytes())[1..], expected[1..]);
}

#[test]
fn quotes_hold_fields_together() {
    let csv = "\"甲,\"\"一\"\"\",1,\"日用\n百货\"\r\n\r\n乙,2,5\"管\n";
    assert_eq!(read(&records(Form::CSV, Encoding::Utf8), csv.as_bytes()), ["2 甲,\"一\"|日用\n百货", "5 乙|5\"管"]);
}

#[test]
fn a_quote_that_was_not_meant_costs_one_line() {
    for begun in ["甲,1,\"日用", "甲,\"1,日用", "\"甲,1,日用"] {
        let csv = format!("{begun}\n乙,2,百货\n丙,3,\"五金\"\n丁,4,建材\n");
        let read = read(&records(Form::CSV, Encoding::Utf8), csv.as_bytes());
        assert_eq!(read, ["2 ! Unreadable(OpenQuote)", "3 乙|百货", "4 丙|五金", "5 丁|建材"]);
    }
}

#[test]
fn bad_bytes_cost_their_row_alone() {
    let records = records(Form::CSV, Encoding::Gb18030);
    let mut gbk = encoding_rs::GB18030.encode("甲,1,\"日用\n百货\"\n").0.into_owned();
    gbk.extend(b"\xFF\xFF,2,\n");
    gbk.extend_from_slice(&encoding_rs::GB18030.encode("丙,3,五金\n").0);
    assert_eq!(read(&records, &gbk), ["2 甲|日用\n百货", "4 ! Bytes", "5 丙|五金"]);
}

#[test]
fn bad_bytes_behind_a_quote_that_was_not_meant_cost_their_rows_alone() {
    let csv = |bad: &[u8]| {
        let around = ["甲,\"1,日用\n某地众诚理财有限公司,2,理财\n", ",3,\n丁,4,\"建材\"\n戊,5,\"五金\n百货\"\n"];
        [around[0].as_bytes(), bad, around[1].as_bytes()].concat()
    };
    let expected = ["2 ! Unreadable(OpenQuote)", "3 某地众诚理财有限公司|理财", "4 ! Bytes", "5 丁|建材", "6 戊|五金\n百货"];
    assert_eq!(read(&records(Form::CSV, Encoding::Utf8), &csv(b"\xFF\xFF")), expected);
    // of a well quoted record the number of fields tells that lines are missing
    let csv = b"a,\"1\nb,2,x\nc\",2,\"\xFF\nd\",3,y\n";
    assert_eq!(read(&records(Form::CSV, Encoding::Utf8), csv), ["2 ! Unreadable(OpenQuote)", "3 b|x", "4 ! Bytes", "5 d\"|y"]);
}

#[test]
fn blank_lines_are_no_rows_wherever_they_stand() {
    for end in ["\n", "\r\n"] {
        let csv = "\n甲,\"1\",x\n\n\n乙,2\n\n丙,3,z\n\n丁,\"4,z\n\n戊,5,\"y\"\n\n己,\"6\n\n7\",y\n庚\n\n".replace('\n', end);
        let bad = "! Fields { found: 2, expected: 3 }";
        let expected = ["3 甲|x".to_owned(), format!("6 乙 {bad}"), "8 丙|z".to_owned(), "10 丁 ! Unreadable(OpenQuote)".to_owned()];
        let mut told = Vec::new();
        records(Form::CSV, Encoding::Utf8).each(&Block { line: 2, bytes: csv.as_bytes().to_vec().into() }, &mut |line, row| {
            told.push(match row {
                Ok(row) => format!("{line} {}|{}", row.get(Column::Name), row.get(Column::Scope)),
                Err(fault) => format!("{line} {} ! {:?}", fault.text.split(',').next().expect("a text"), fault.why),
            });
        });
        assert_eq!(told[..4], expected);
        assert_eq!(told[4..], ["12 戊|y", "14 己|y", "17 庚 ! Fields { found: 1, expected: 3 }"]);
    }
}

#[test]
fn what_a_last_quote_swallows_is_read_though_the_last_line_has_no_end() {
    let csv = "甲,\"1,x\n乙,2,\"y\n丙,3,z";
    assert_eq!(
        read(&records(Form::CSV, Encoding::Utf8), csv.as_bytes()),
        ["2 ! Unreadable(OpenQuote)", "3 ! Unreadable(OpenQuote)", "4 丙|z"]
    );
    let cut = "甲,\"1,x\n乙,2,\"y\n"; // what follows may close the quote or not
    assert_eq!(read(&records(Form::CSV, Encoding::Utf8), cut.as_bytes()), ["2 ! Unreadable(OpenQuote)", "3 ! Unreadable(OpenQuote)"]);
}

#[test]
fn objects_are_read_line_by_line() {
    let lines = "{\"企业名称\":\"甲\",\"经营范围\":null,\"x\":[1,{}]}\n\n{\"name\":\"乙\",\"scope\":\"a\\nb\"}\n[]\n{\"name\":[]}\n";
    let read = read(&records(Form::JSONL, Encoding::Utf8), lines.as_bytes());
    assert_eq!(read[..2], ["2 甲|", "4 乙|a\nb"]);
    assert!(read[2].starts_with("5 ! Json") && read[3].starts_with("6 ! Json"), "{read:?}");
}

#[test]
fn quotes_that_were_not_meant_cost_no_more_than_others() {
    for line in ["a\"b,\"c\n", "x\na\"b,\"c\n", "a,\"b\nx\n,\"\"\"c\"\n", "甲,1,\"x\"\n乙,\"1,\"\"\n"] {
        for end in [&b"\"\n"[..], b"x,\"\"\n", b"\"", b"\xFF\n"] {
            let text = [line.repeat(500).as_bytes(), end].concat();
            LOOKED_AT.set(0);
            read(&records(Form::CSV, Encoding::Utf8), &text);
            assert!(LOOKED_AT.get() < 10 * text.len(), "{line:?} {end:?}: {} of {}", LOOKED_AT.get(), text.len());
        }
    }
}

#[test]
fn a_byte_order_mark_is_a_character_wherever_the_text_was_cut() {
    let records = records(Form::CSV, Encoding::Utf8);
    let csv = "\u{FEFF}\"甲\",1,x\n\u{FEFF}乙,\"1\",y\n丙,\"1,z\n\u{FEFF}\n丁,\"2\",z\n戊,\"1,z\n\u{FEFF}\n";
    let fields = "! Fields { found: 1, expected: 3 }";
    let expected = [
        "2 \u{FEFF}\"甲\"|x".to_owned(),
        "3 \u{FEFF}乙|y".to_owned(),
        "4 ! Unreadable(OpenQuote)".to_owned(),
        format!("5 {fields}"),
        "6 丁|z".to_owned(),
        "7 ! Unreadable(OpenQuote)".to_owned(),
        format!("8 {fields}"),
    ];
    assert_eq!(read(&records, csv.as_bytes()), expected);
    let bad = read(&records, &[csv.as_bytes(), b"\xFF\n"].concat());
    assert_eq!((&bad[..7], bad[7].as_str()), (&expected[..], "9 ! Bytes"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]
    /// What a row is depends neither on bad bytes elsewhere nor on where a block ends.
    #[test]
    fn a_row_is_the_same_however_it_is_read(text in "([\"\",,\n\n\ra\u{FEFF}]|a,b,c\n|\"a\",\"b\nc\",d\n|a,\"b,c\n){0,25}", mac in any::<bool>()) {
        let form = if mac { Form { record: b'\r', ..Form::CSV } } else { Form::CSV };
        let records = records(form, Encoding::Utf8);
        let bytes = text.as_bytes();
        let whole = read(&records, bytes);
        let read_from = |line: u64, bytes: &[u8]| {
            let first = read(&records, bytes).into_iter().map(|row| row.split_once(' ').map(|(line, row)| (line.parse::<u64>().expect("a number"), row.to_owned())).expect("a row"));
            first.map(|(number, row)| format!("{} {row}", number + line)).collect::<Vec<_>>()
        };
        let mut spans = spans(bytes, form, 3);
        let mut cut = 0;
        while let Some(span) = spans.next(bytes, 1) {
            let (before, after) = bytes.split_at(cut);
            let line = line_count(before, form);
            prop_assert_eq!(&[read(&records, before), read_from(line, after)].concat(), &whole, "cut at {}", cut);
            if cut == 0 || before.ends_with(&[form.record]) {
                let bad = [before, b"\xFF", &[form.record], after].concat();
                let rows = [read(&records, before), vec![format!("{} ! Bytes", line + 2)], read_from(line + 1, after)].concat();
                prop_assert_eq!(read(&records, &bad), rows, "bad at {}", cut);
            }
            cut = span.range.end;
        }
    }
}
