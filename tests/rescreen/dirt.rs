//! Registers as they are: what is bad costs itself alone, is counted and told.

use std::{io::Write, path::Path, time::Instant};

use super::{Bureau, FIRMS, MEMORY, rows, told};

const REJECTS: [&str; 3] = ["行号", "原因", "原文"];

#[test]
fn bad_rows_are_told_and_stop_nothing() {
    let bureau = Bureau::new();
    let long_scope = format!("某地众诚理财有限公司,,{}\n", "日".repeat(20_000));
    let lines: [&[u8]; 12] = [
        "企业名称,注册号,经营范围\n".as_bytes(),
        "某地众诚理财有限公司,,\"日用\n百货,\"\"金融\"\"\"\n".as_bytes(),
        "某地众诚理财有限公司,1\n".as_bytes(),
        b"\xB1\xA3\xFF\xFF,1,\n",
        " ,1,理财\n".as_bytes(),
        b"\n",
        "=某地理财,1,5\"管\n".as_bytes(),
        long_scope.as_bytes(),
        "某地众诚理财有限公司,,日用\n".as_bytes(),
        "某地众诚理财有限公司,,日用\n".as_bytes(),
        "某地众诚日用品有限公司,\"未完,\n".as_bytes(),
        "某地众诚支付有限公司,1,".as_bytes(),
    ];
    bureau.write("dirt.csv", lines.concat());
    let said = bureau.rescreen(&["dirt.csv"], "out.csv", &[]);
    assert_eq!(told(&said), [10, 0, 6, 4], "{said}");
    let rejects = rows(&bureau.read("out.csv.rejects.csv"), &REJECTS);
    let expected = [("4", "字段数为2，表头为3"), ("5", "编码有误"), ("6", "企业名称为空"), ("12", "引号未闭合")];
    assert_eq!(rejects.iter().map(|row| (row[0].as_str(), row[1].as_str())).collect::<Vec<_>>(), expected);
    let flagged = rows(&bureau.read("out.csv"), &["行号", "企业名称", "经营范围"]);
    assert_eq!(flagged.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), ["2", "8", "9", "10", "11", "13"]);
    assert_eq!(flagged[0][2], "日用\n百货,\"金融\"");
    assert_eq!(flagged[1][1], "'=某地理财");
    assert_eq!(flagged[2][2].chars().count(), 20_000);
}

#[test]
fn gbk_with_broken_bytes_loses_only_them() {
    let bureau = Bureau::new();
    let mut gbk = encoding_rs::GB18030.encode(FIRMS).0.into_owned();
    gbk.extend(b"\xD6\xD0\xFF\xFF\t\t\t\t\t\n\x80\t\t\t\t\t\xFF\n");
    gbk.extend_from_slice(&encoding_rs::GB18030.encode("某地众诚理财有限公司\t\t\t\t\t\n").0);
    bureau.write("gbk.tsv", gbk);
    let said = bureau.rescreen(&["gbk.tsv"], "out.jsonl", &[]);
    let [read, passed, flagged, rejected] = told(&said);
    assert_eq!((read, passed + flagged, rejected), (8, 6, 2), "{said}");
    assert!(bureau.read("out.jsonl").lines().last().expect("a row").contains("\"line\":\"9\""));
}

#[test]
fn bad_bytes_behind_a_quote_that_was_not_meant_hide_no_firm() {
    let bureau = Bureau::new();
    let gbk = |text: &str| encoding_rs::GB18030.encode(text).0.into_owned();
    let before = gbk("企业名称,注册号,经营范围\n甲,\"1,日用\n某地众诚理财有限公司,2,理财\n");
    bureau.write("gbk.csv", [before, b"\xFF\xFF,3,\n".to_vec(), gbk("丁,4,\"建材\"\n")].concat());
    assert_eq!(told(&bureau.rescreen(&["gbk.csv"], "out.csv", &[])), [4, 1, 1, 2]);
    assert_eq!(rows(&bureau.read("out.csv"), &["行号", "企业名称"]), [["3", "某地众诚理财有限公司"]]);
    let rejects = rows(&bureau.read("out.csv.rejects.csv"), &REJECTS);
    assert_eq!(rejects.iter().map(|row| [&row[0], &row[1]]).collect::<Vec<_>>(), [["2", "引号未闭合"], ["4", "编码有误"]]);
}

#[test]
fn a_first_line_that_is_longer_than_what_is_looked_at_hides_no_firm() {
    let bureau = Bureau::new();
    for (note, encoding) in
        (0..3).flat_map(|more| ["utf-8", "gb18030"].map(|encoding| ("x".repeat(more) + &"日用百货".repeat(40_000), encoding)))
    {
        let text = format!("{{\"name\":\"某地众诚日用品有限公司\",\"note\":\"{note}\"}}\n{{\"name\":\"某地众诚理财有限公司\"}}\n");
        bureau.write("long.jsonl", if encoding == "utf-8" { text.into_bytes() } else { encoding_rs::GB18030.encode(&text).0.into_owned() });
        assert_eq!(told(&bureau.rescreen(&["long.jsonl"], "out.csv", &[])), [2, 1, 1, 0], "{encoding}");
    }
}

#[test]
fn lines_may_end_as_on_an_old_mac() {
    let bureau = Bureau::new();
    let lines = "\r企业名称,注册号,经营范围\r\r某地众诚理财有限公司,1,\"日用\n百货,\r五金\"\r\"某地众诚日用品有限公司\",2\r某地众诚支付有限公司,3,\r";
    bureau.write("mac.csv", lines);
    bureau.write("gbk.csv", encoding_rs::GB18030.encode(lines).0);
    bureau.write("noname", FIRMS.replace('\n', "\r"));
    for input in ["mac.csv", "gbk.csv"] {
        let said = bureau.rescreen(&[input], "out.csv", &[]);
        assert_eq!(told(&said), [3, 0, 2, 1], "{input}: {said}");
        assert_eq!(rows(&bureau.read("out.csv"), &["行号", "经营范围"]), [["4", "日用\n百货,\r五金"], ["7", ""]], "{input}");
        assert_eq!(rows(&bureau.read("out.csv.rejects.csv"), &REJECTS)[0][..2], ["6", "字段数为2，表头为3"], "{input}");
    }
    bureau.write("firms.tsv", FIRMS);
    let expected = told(&bureau.rescreen(&["firms.tsv"], "out.csv", &[]));
    assert_eq!(told(&bureau.rescreen(&["noname"], "old.csv", &[])), expected);
    assert_eq!(rows(&bureau.read("old.csv"), &["行号", "提示"]), rows(&bureau.read("out.csv"), &["行号", "提示"]));
    for ends in ["\r\n", "\r\r\n"] {
        bureau.write("firms.tsv", FIRMS.replace('\n', ends));
        assert_eq!(told(&bureau.rescreen(&["firms.tsv"], "out.csv", &[])), expected, "{ends:?}");
    }
    bureau.write("mixed.csv", "企业名称,注册号\r甲,1\r乙,2\n丙,3\r");
    let output = bureau.run(&["mixed.csv"], "mixed-out.csv", &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(2)
            && said.contains("its lines end in two ways: line 1 by a carriage return (CR) alone, line 3 by a line feed"),
        "{said}"
    );
}

#[test]
fn a_compressed_register_that_is_cut_off_is_no_whole_one() {
    let bureau = Bureau::new();
    let text = super::resume::register(2_000);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).expect("memory");
    let zstd = ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    for (name, packed) in [("firms.csv.gz", gzip.finish().expect("memory")), ("firms.csv.zst", zstd)] {
        bureau.write(name, &packed[..packed.len() - 100]);
        let output = bureau.run(&[name], "out.csv", &["--restart"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(3) && said.contains(name), "{said}");
        assert!(!super::there(&bureau.path("out.csv")), "{name}");
    }
}

/// Whether to take the full form: `MINGCHA_DIRT=full`.
fn full() -> bool {
    std::env::var("MINGCHA_DIRT").is_ok_and(|form| form == "full")
}

#[test]
fn a_line_of_64_megabytes_is_one_bad_row() {
    let bureau = Bureau::new();
    let mut file = std::fs::File::create(bureau.path("long.tsv")).expect("a file");
    file.write_all(FIRMS.as_bytes()).expect("written");
    for _ in 0..if full() { 1024 } else { 64 } {
        file.write_all(&vec![b'x'; 1 << 20]).expect("written");
    }
    file.write_all("\n某地众诚理财有限公司\t\t\t\t\t\n".as_bytes()).expect("written");
    let begun = Instant::now();
    let (said, memory) = bureau.measured(&["long.tsv"], "out.csv", &[]);
    println!("{} bytes: {:.1} s, {memory} MB", file.metadata().expect("there").len(), begun.elapsed().as_secs_f64());
    assert!(memory < MEMORY, "{memory} MB");
    assert_eq!((told(&said)[0], told(&said)[3]), (7, 1), "{said}");
    assert_eq!(rows(&bureau.read("out.csv.rejects.csv"), &REJECTS)[0][..2], ["7", "行过长"]);
    assert_eq!(rows(&bureau.read("out.csv"), &["行号"]).last().map(|row| row[0].clone()).as_deref(), Some("8"));
}

/// A text as a frame of zstd that compresses nothing and says that it refers to 2^`window` bytes behind it.
fn frame(text: &[u8], window: u8) -> Vec<u8> {
    const BLOCK: usize = 128 << 10;
    let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0, (window - 10) << 3];
    for block in text.chunks(BLOCK) {
        frame.extend_from_slice(&u32::try_from(block.len() << 3).expect("few").to_le_bytes()[..3]);
        frame.extend_from_slice(block);
    }
    frame.extend_from_slice(&[1, 0, 0]); // the last block, an empty one
    frame
}

#[test]
fn a_compressed_text_takes_no_more_memory_than_its_window() {
    let bureau = Bureau::new();
    let row = format!("某地众诚理财有限公司\t\t\t\t\t{}\n", "日用百货零售；".repeat(40));
    let rows = (128 << 20) / row.len();
    let text = [FIRMS, &row.repeat(rows)].concat();
    for (name, window) in [("level19.tsv.zst", 23), ("long.tsv.zst", 27)] {
        bureau.write(name, frame(text.as_bytes(), window));
    }
    let (said, memory) = bureau.measured(&["level19.tsv.zst"], "out.csv", &[]);
    println!("{} bytes: {memory} MB", text.len());
    assert_eq!(told(&said)[..2], [rows as u64 + 5, 2], "{said}");
    assert!(memory < MEMORY, "{memory} MB");
    let (output, memory) = bureau.weighed(&["long.tsv.zst"], "long.csv", &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(3) && said.contains("a window of 128 MiB, of at most 8") && said.contains("without --long"),
        "{said}"
    );
    assert!(memory < MEMORY, "{memory} MB");
}

/// Writes a workbook of so many firms, one of a thousand flagged, whose texts stand in its table of texts.
fn write_workbook(path: &Path, firms: u32) {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet_with_low_memory().expect("a sheet");
    let scope = "日用百货零售；建筑装饰工程设计、施工；企业管理咨询；".repeat(3);
    for (column, title) in (0..).zip(["企业名称", "经营范围", "省份"]) {
        sheet.write_string(0, column, title).expect("a cell");
    }
    for firm in 1..=firms {
        let word = if firm % 1000 == 0 { "理财" } else { "日用品" };
        for (column, text) in (0..).zip([format!("某地众诚{word}{firm}有限公司"), format!("{scope}{firm}"), "江苏".to_owned()]) {
            sheet.write_string(firm, column, text).expect("a cell");
        }
    }
    book.save(path).expect("written");
}

#[test]
fn a_workbook_is_read_without_its_texts_in_memory() {
    let bureau = Bureau::new();
    let firms = if full() { 1_048_575 } else { 120_000 };
    write_workbook(&bureau.path("firms.xlsx"), firms);
    let begun = Instant::now();
    let (said, memory) = bureau.measured(&["firms.xlsx"], "out.csv", &[]);
    println!("{firms} firms: {:.1} s, {memory} MB", begun.elapsed().as_secs_f64());
    assert_eq!(told(&said), [u64::from(firms), u64::from(firms - firms / 1000), u64::from(firms / 1000), 0], "{said}");
    let last = rows(&bureau.read("out.csv"), &["行号", "行政区划代码"]).pop();
    assert_eq!(last, Some(vec![(firms / 1000 * 1000 + 1).to_string(), "320000".to_owned()]));
    assert!(memory < MEMORY, "{memory} MB");
}

#[test]
fn what_is_no_register_is_refused() {
    let bureau = Bureau::new();
    for (most, why) in [("17179869183", "none.csv"), ("17179869184", "--most-expanded")] {
        let output = bureau.run(&["none.csv"], "out.csv", &["--most-expanded", most]); // GiB, of which the bytes are counted
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(why) && said.contains("--most-expanded") == (why == "--most-expanded"), "{most}: {said}");
    }
    bureau.write("empty.csv", "");
    bureau.write("blank.csv", "\n\n");
    bureau.write("nameless.csv", "甲,乙\n1,2\n");
    bureau.write("utf16.csv", b"\xFF\xFE\x01\x4F");
    bureau.write("broken.xlsx", "no workbook");
    let cases = [("empty.csv", "empty"), ("blank.csv", "empty"), ("nameless.csv", "甲, 乙"), ("utf16.csv", "UTF-16")];
    for (input, why) in cases {
        let output = bureau.run(&[input], "out.csv", &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{input}: {said}");
        assert!(said.contains(why) && said.contains(input), "{input}: {said}");
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(super::FIRMS.as_bytes()).expect("memory");
    bureau.write("packed.tsv.gz", packed.finish().expect("memory"));
    let output = bureau.run(&["packed.tsv.gz"], "out.csv", &["--most-expanded", "0"]);
    assert!(output.status.code() == Some(2) && String::from_utf8_lossy(&output.stderr).contains("expands"), "{output:?}");
    for (input, status) in [("broken.xlsx", 3), ("missing.csv", 3)] {
        assert_eq!(bureau.run(&[input], "out.csv", &[]).status.code(), Some(status), "{input}");
    }
    assert_eq!(bureau.run(&["empty.csv"], "out.txt", &[]).status.code(), Some(3));
    assert!(!bureau.files().iter().any(|name| name.starts_with("out")), "{:?}", bureau.files()); // nothing was begun
}

/// Writes an archive with the parts of a workbook; the part of this number expands to a hundred times what it says.
fn write_bomb(path: &Path, part: usize) {
    const RELATIONS: &str = "<Relationships><Relationship Id='r1' Type='/worksheet' Target='sheet.xml'/>\
        <Relationship Id='r2' Type='/sharedStrings' Target='texts.xml'/></Relationships>";
    const BOOK: &str = "<workbook><sheets><sheet r:id='r1'/></sheets></workbook>";
    const TEXTS: &str = "<sst><si><t>企业名称</t></si>";
    const SHEET: &str = "<worksheet><sheetData><row><c t='s'><v>0</v></c></row><row><c t='s'><v>1</v></c></row>";
    let parts = [("xl/_rels/workbook.xml.rels", RELATIONS), ("xl/workbook.xml", BOOK), ("xl/texts.xml", TEXTS), ("xl/sheet.xml", SHEET)];
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).expect("a file"));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (number, (name, text)) in parts.iter().enumerate() {
        archive.start_file(*name, options).expect("a part");
        let asks_for_all = if part == 2 { text.replace("<v>1<", "<v>99999999<") } else { text.replace("<v>1<", "<v>0<") };
        archive.write_all(asks_for_all.as_bytes()).expect("written");
        for _ in 0..if number == part { 100 } else { 0 } {
            archive.write_all(&vec![b' '; 1 << 20]).expect("written");
            archive.write_all(if number == 2 { b"<si/>" } else { b"<row/>" }).expect("written");
        }
    }
    archive.finish().expect("written");
    let mut bytes = std::fs::read(path).expect("there");
    for at in 0..bytes.len() - 28 {
        if bytes[at..at + 4] == *b"PK\x01\x02" {
            let says = u32::from_le_bytes(bytes[at + 24..at + 28].try_into().expect("four"));
            bytes[at + 24..at + 28].copy_from_slice(&(says / 100).to_le_bytes());
        }
    }
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn a_workbook_that_expands_too_far_is_refused() {
    let bureau = Bureau::new();
    let mut archive = zip::ZipWriter::new(std::fs::File::create(bureau.path("says.xlsx")).expect("a file"));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    archive.start_file("xl/sharedStrings.xml", options).expect("an entry");
    for _ in 0..66 {
        archive.write_all(&vec![b'<'; 1 << 20]).expect("written");
    }
    archive.finish().expect("written");
    write_bomb(&bureau.path("texts.xlsx"), 2);
    write_bomb(&bureau.path("rows.xlsx"), 3);
    for bomb in ["says.xlsx", "texts.xlsx", "rows.xlsx"] {
        let output = bureau.run(&[bomb], "out.csv", &["--restart"]);
        assert!(String::from_utf8_lossy(&output.stderr).contains("expands"), "{bomb}: {output:?}");
        assert_eq!(output.status.code(), Some(2), "{bomb}");
    }
}
