//! Workbooks of every kind, against what they hold and against another reader.

use std::io::Write;

use calamine::Reader;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::*;

/// Writes a workbook of these parts.
fn archive(path: &Path, parts: &[(&str, &str)]) {
    let mut archive = ZipWriter::new(std::fs::File::create(path).expect("a file"));
    for (number, (name, text)) in parts.iter().enumerate() {
        let method = if number % 2 == 0 { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        archive.start_file(*name, SimpleFileOptions::default().compression_method(method)).expect("a part");
        archive.write_all(text.as_bytes()).expect("written");
    }
    archive.finish().expect("written");
}

/// The rows of a workbook: cells with | between.
fn rows(path: &Path) -> io::Result<Vec<String>> {
    let mut cells = Cells::open(path, Limits::default(), &Arc::default()).map_err(|error| io::Error::other(error.to_string()))?;
    let mut text = String::new();
    cells.read_to_string(&mut text)?;
    Ok(text.split_terminator('\u{1E}').map(|row| row.replace('\u{1F}', "|")).collect())
}

const RELATIONS: &str = "<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'>\
    <Relationship Id='rId1' Type='http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet' Target='worksheets/sheet1.xml'/>\
    <Relationship Id='rId2' Type='http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings' Target='/xl/sharedStrings.xml'/>\
    <Relationship Id='rId3' Type='http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles' Target='styles.xml'/>\
    </Relationships>";
const BOOK: &str = "<workbook xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main' \
    xmlns:r='http://schemas.openxmlformats.org/officeDocument/2006/relationships'><workbookPr/>\
    <sheets><sheet name='甲' sheetId='1' r:id='rId1'/></sheets></workbook>";
const STYLES: &str = "<styleSheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'>\
    <numFmts count='1'><numFmt numFmtId='164' formatCode='yyyy&quot;年&quot;m&quot;月&quot;d&quot;日&quot;'/></numFmts>\
    <cellStyleXfs><xf numFmtId='14'/></cellStyleXfs>\
    <cellXfs><xf numFmtId='0'/><xf numFmtId='14'/><xf numFmtId='164'/></cellXfs></styleSheet>";
const STRINGS: &str = "<sst xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'>\n<si><t>企业名称</t></si><si>\n  <r><rPr/><t>某地</t></r>\
    <r><t xml:space='preserve'>&lt;理&#x8D22;&gt;</t></r><rPh sb='0' eb='1'><t>ムッ</t></rPh></si><si/><si><t>a_x0041__x_b</t></si></sst>";
const SHEET: &str = "<worksheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'><sheetData>\
    <row r='1'><c r='A1' t='s'><v>0</v></c><c r='B1' t='inlineStr'><is><t>成立日期</t></is></c><c r='C1' t='str'><f>1&lt;2</f><v>丙</v></c></row>\
    <row r='3'><c r='A3' t='s'><v>1</v></c><c r='B3' s='1'><v>40834</v></c><c r='C3' t='b'><v>1</v></c></row>\
    <row><c t='s'><v>3</v></c><c s='2'><v>40834.5</v></c><c><v>3.20113000012345E14</v></c></row>\
    <row r='5'><c r='C5' t='e'><v>#N/A</v></c></row><row r='6'/>\
    <row r='7'><c r='A7' t='s'><v>2</v></c><c r='C7' t='str'><v>x&amp;y</v></c></row></sheetData></worksheet>";

fn parts() -> Vec<(&'static str, &'static str)> {
    vec![
        ("xl/workbook.xml", BOOK),
        ("xl/_rels/workbook.xml.rels", RELATIONS),
        ("xl/Styles.xml", STYLES),
        ("xl/sharedStrings.xml", STRINGS),
        ("xl\\worksheets\\sheet1.xml", SHEET),
    ]
}

#[test]
fn cells_of_every_kind_become_texts() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.xlsx");
    archive(&path, &parts());
    let expected = ["企业名称|成立日期|丙", "", "某地<理财>|2011-10-18|true", "aA_x_b|2011-10-18|320113000012345", "", "", "||x&y"];
    assert_eq!(rows(&path).expect("a workbook"), expected);
}

#[test]
fn another_reader_reads_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.xlsx");
    let mut book = rust_xlsxwriter::Workbook::new();
    for sheet in 0..2 {
        let sheet = if sheet == 0 { book.add_worksheet_with_low_memory().expect("a sheet") } else { book.add_worksheet() };
        for row in 0..3000_u32 {
            let texts =
                [format!("某地{}有限公司", row / 2), "日用<&>".repeat(row as usize % 40), String::new(), format!("_x{row:04}_\u{2}")];
            for (column, text) in (0..).zip(if row == 0 { ["甲", "乙", "丙", "丁"].map(str::to_owned) } else { texts }) {
                sheet.write_string(row, column, text).expect("a cell");
            }
        }
    }
    book.save(&path).expect("written");
    let mut other: calamine::Xlsx<_> = calamine::open_workbook(&path).expect("a workbook");
    let mut expected: Vec<String> = Vec::new();
    for (number, (_, range)) in other.worksheets().iter().enumerate() {
        let rows = range.rows().map(|row| row.iter().map(ToString::to_string).collect::<Vec<_>>().join("|"));
        expected.extend(rows.enumerate().map(|(row, text)| if number > 0 && row == 0 { String::new() } else { text }));
    }
    let rows = rows(&path).expect("a workbook");
    assert_eq!(rows.len(), expected.len());
    for (row, expected) in rows.iter().zip(&expected) {
        assert_eq!(row, expected);
    }
}

#[test]
fn what_is_broken_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.xlsx");
    let long = format!("<sst><si><t>{}</t></si></sst>", "长".repeat(1 << 20));
    let cases: [(usize, &str, &str); 6] = [
        (4, "<worksheet><sheetData><row><c t='s'><v>9</v></c></row></sheetData></worksheet>", "not there"),
        (4, "<worksheet><sheetData><row><c t='s'><v>x</v></c></row></sheetData></worksheet>", "points to no text"),
        (4, "<worksheet><sheetData><row><c t='s'><v>0</v></c>", "cut off"),
        (4, "<worksheet><sheetData><row><c r='ZZZ1'><v>0</v></c></row></sheetData></worksheet>", "beyond the last column"),
        (4, "<worksheet><sheetData><row></c></row></sheetData></worksheet>", "broken"),
        (3, &long, "far too long"),
    ];
    for (part, text, why) in cases {
        let mut parts = parts();
        parts[part].1 = text;
        archive(&path, &parts);
        let error = rows(&path).unwrap_err().to_string();
        assert!(error.contains(why), "{why}: {error}");
    }
    archive(&path, &parts());
    let mut bytes = std::fs::read(&path).expect("there");
    let text = "企业名称".as_bytes(); // stored as it is
    let at = bytes.windows(text.len()).position(|found| found == text).expect("it is there");
    bytes[at + 5] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let error = rows(&path).unwrap_err().to_string();
    assert!(error.contains("checksum"), "{error}");
}
