//! Every format in and out gives the same firms.

use std::{io::Write, process::Stdio};

use serde_json::Value;

use super::{Bureau, FIRMS, rows, told};

const LOOKED_AT: [&str; 7] = ["行号", "企业名称", "结论代码", "命中字样", "行政区划代码", "主体类型", "提示"];

fn flagged(bureau: &Bureau, input: &str, more: &[&str]) -> Vec<Vec<String>> {
    let said = bureau.rescreen(&[input], "out.csv", more);
    assert_eq!(told(&said)[0], 5, "{input}: {said}");
    rows(&bureau.read("out.csv"), &LOOKED_AT)
}

#[test]
fn what_is_flagged_stands_with_its_place_and_reason() {
    let bureau = Bureau::new();
    bureau.write("firms.tsv", FIRMS);
    let said = bureau.rescreen(&["firms.tsv"], "out.csv", &["--region", "南京"]);
    let [read, passed, flagged, rejected] = told(&said);
    assert_eq!((read, passed + flagged, rejected), (5, 5, 0), "{said}");
    let rows = rows(&bureau.read("out.csv"), &LOOKED_AT);
    assert_eq!(rows.len() as u64, flagged);
    assert_eq!(rows[0][..5], ["2", "某地众诚理财有限公司", "PROHIBITED", "理财；金融", "320102"], "{rows:?}");
    assert!(rows.iter().any(|row| row[1] == "某地众诚支付有限公司" && row[4] == "110105" && row[6].contains("校验位")), "{rows:?}");
    assert!(rows.iter().all(|row| row[1] != "某地众诚家具有限公司" && row[1] != "某地众诚日用品有限公司"));
    for warning in ["1  firms without a code", "1  firms with an old", "firms with a wrong check digit"] {
        assert!(said.contains(warning), "{warning}: {said}");
    }
    assert_eq!(bureau.files(), ["firms.tsv", "out.csv", "out.csv.rejects.csv"]);
}

#[test]
fn all_formats_of_a_register_say_the_same() {
    let bureau = Bureau::new();
    bureau.write("firms.tsv", FIRMS);
    let expected = flagged(&bureau, "firms.tsv", &[]);
    let csv = FIRMS.replace('\t', ",");
    bureau.write("plain.csv", &csv);
    bureau.write("bom.csv", format!("\u{FEFF}{}", csv.replace('\n', "\r\n")));
    let quote = |line: &str| line.split(',').map(|field| format!("\"{field}\"")).collect::<Vec<_>>().join(",") + "\n";
    bureau.write("quoted.csv", csv.lines().map(quote).collect::<String>());
    bureau.write("gbk.csv", encoding_rs::GB18030.encode(&csv).0);
    bureau.write("gbk.tsv", encoding_rs::GB18030.encode(FIRMS).0);
    bureau.write("noname", FIRMS);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(csv.as_bytes()).expect("memory");
    bureau.write("firms.csv.gz", gzip.finish().expect("memory"));
    bureau.write("firms.tsv.zst", ruzstd::encoding::compress_to_vec(FIRMS.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest));
    for input in ["plain.csv", "bom.csv", "quoted.csv", "gbk.csv", "gbk.tsv", "noname", "firms.csv.gz", "firms.tsv.zst"] {
        assert_eq!(flagged(&bureau, input, &[]), expected, "{input}");
    }
    assert_eq!(flagged(&bureau, "gbk.csv", &["--encoding", "gbk"]), expected);
    let english = FIRMS.replacen("企业名称", "A", 1).replacen("经营范围", "B", 1);
    bureau.write("unknown.tsv", english);
    assert_eq!(flagged(&bureau, "unknown.tsv", &["--columns", "name=A,scope=#6"]), expected);
    assert_eq!(bureau.run(&["unknown.tsv"], "out.csv", &[]).status.code(), Some(2));
}

#[test]
fn json_lines_and_workbooks_are_registers_too() {
    let bureau = Bureau::new();
    bureau.write("firms.tsv", FIRMS);
    let expected: Vec<_> = flagged(&bureau, "firms.tsv", &[]).into_iter().map(|row| row[1..].to_vec()).collect();
    let table: Vec<Vec<&str>> = FIRMS.lines().map(|line| line.split('\t').collect()).collect();
    let object = |row: &Vec<&str>| {
        let object: serde_json::Map<_, _> = table[0].iter().zip(row).map(|(key, text)| ((*key).to_owned(), Value::from(*text))).collect();
        serde_json::to_string(&object).expect("JSON") + "\n"
    };
    bureau.write("firms.jsonl", table[1..].iter().map(object).collect::<String>());
    let mut book = rust_xlsxwriter::Workbook::new();
    book.add_worksheet().set_name("说明").expect("a name");
    let sheet = book.add_worksheet();
    for (at, row) in (0..).zip(&table) {
        for (column, text) in (0..).zip(row) {
            sheet.write_string(at, column, *text).expect("a cell");
        }
    }
    book.save(bureau.path("firms.xlsx")).expect("written");
    for input in ["firms.jsonl", "firms.xlsx"] {
        let rows: Vec<_> = flagged(&bureau, input, &[]).into_iter().map(|row| row[1..].to_vec()).collect();
        assert_eq!(rows, expected, "{input}");
    }
}

#[test]
fn several_inputs_and_standard_input() {
    let bureau = Bureau::new();
    bureau.write("a.tsv", FIRMS);
    let mut child = bureau.command(&["a.tsv", "-"], "out.csv", &[]).stdin(Stdio::piped()).spawn().expect("mingcha runs");
    child.stdin.take().expect("piped").write_all(FIRMS.replace('\t', ",").as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(told(&said)[0], 10, "{said}");
    let sources: Vec<_> = rows(&bureau.read("out.csv"), &["来源文件"]).into_iter().flatten().collect();
    assert_eq!(sources.first().map(String::as_str), Some("a.tsv"));
    assert_eq!(sources.iter().filter(|source| *source == "stdin").count() * 2, sources.len());
}

#[test]
fn the_outputs_say_the_same() {
    let bureau = Bureau::new();
    bureau.write("firms.tsv", FIRMS);
    bureau.rescreen(&["firms.tsv"], "out.csv", &[]);
    bureau.rescreen(&["firms.tsv"], "out.jsonl", &[]);
    bureau.rescreen(&["firms.tsv"], "out.xlsx", &[]);
    bureau.rescreen(&["firms.tsv"], "gbk.csv", &["--out-encoding", "gb18030"]);
    let csv = rows(&bureau.read("out.csv"), &["企业名称", "结论代码", "经营范围"]);
    let objects: Vec<Value> = bureau.read("out.jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |object: &Value| ["name", "decision", "scope"].map(|key| object[key].as_str().expect("a text").to_owned()).to_vec();
    assert_eq!(objects.iter().map(of).collect::<Vec<_>>(), csv);
    assert_eq!(objects[0]["terms"], serde_json::json!(["理财", "金融"]));
    let gbk = std::fs::read(bureau.path("gbk.csv")).expect("written");
    let (text, bad) = encoding_rs::GB18030.decode_without_bom_handling(&gbk);
    assert!(!bad);
    assert_eq!(rows(&text, &["企业名称", "结论代码", "经营范围"]), csv);
    let mut book: calamine::Xlsx<_> = calamine::open_workbook(bureau.path("out.xlsx")).expect("a workbook");
    let sheets = calamine::Reader::worksheets(&mut book);
    assert_eq!(sheets.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["命中企业", "统计"]);
    let names: Vec<String> = sheets[0].1.rows().skip(1).map(|row| row[2].to_string()).collect();
    assert_eq!(names, csv.iter().map(|row| row[0].clone()).collect::<Vec<_>>());
    let counted = |of: &str, what: &str| {
        let row = sheets[1].1.rows().find(|row| row[0] == calamine::Data::String(of.to_owned()) && row[1].to_string().ends_with(what));
        row.map(|row| row[2].to_string()).unwrap_or_default()
    };
    assert_eq!((counted("合计", "读入"), counted("字样", "理财")), ("5".to_owned(), "1".to_owned()));
    assert_eq!(counted("地区", "江苏省南京市"), "2");
    assert!(!bureau.files().iter().any(|name| name.contains(".part")));
}

#[test]
fn our_own_workbook_can_be_screened_again() {
    let bureau = Bureau::new();
    bureau.write("firms.tsv", FIRMS);
    let flagged = told(&bureau.rescreen(&["firms.tsv"], "out.xlsx", &[]))[2];
    let again = told(&bureau.rescreen(&["out.xlsx"], "again.csv", &[]));
    assert_eq!(again, [flagged, 0, flagged, 0]); // and the sheet of counts is no register
}
