//! Records (记录): the rows of a block, one after the other, without an allocation where there need be none.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};

use super::{
    blocks::{Block, Form, Unreadable, first_end, well_quoted},
    columns::{COLUMNS, Column, Keys, Picks},
    json,
    separators::Separators,
};
use crate::encoding::Encoding;

/// A row: what each column holds, empty where there is none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Row<'a>(pub(super) [&'a str; COLUMNS]);

impl<'a> Row<'a> {
    /// What a column holds, without white space around it.
    #[must_use]
    pub fn get(&self, column: Column) -> &'a str {
        trimmed(self.0[column as usize])
    }
}

/// A text without white space around it. Nearly all begin and end with a Chinese character, a letter or a digit, so that
/// nothing need be decoded: no character whose first byte is from E4 on is white space.
fn trimmed(text: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_graphic();
    match text.as_bytes() {
        [first, .., lead, _, last] if (plain(*first) || *first >= 0xE4) && (plain(*last) || *lead >= 0xE4) => text,
        _ => text.trim(),
    }
}

/// Why a row is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It has another number of fields than the header.
    Fields {
        /// How many it has.
        found: usize,
        /// How many the header has.
        expected: usize,
    },
    /// It is no text in the register's encoding.
    Bytes,
    /// It is no JSON object of texts.
    Json(String),
    /// Its line cannot be read.
    Unreadable(Unreadable),
}

/// A row that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault<'a> {
    /// Why.
    pub why: Why,
    /// The row as it stands there.
    pub text: Cow<'a, str>,
}

impl<'a> Fault<'a> {
    /// A line in which a quote opens that was not meant.
    fn open_quote(line: &'a str) -> Self {
        Self { why: Why::Unreadable(Unreadable::OpenQuote), text: Cow::Borrowed(line.trim_end()) }
    }
}

/// Takes the rows of a block: the number of each one's line, and the row or what is wrong with it.
pub type Visit<'v> = dyn FnMut(u64, Result<&Row<'_>, Fault<'_>>) + 'v;

/// How to read the records of a register.
#[derive(Debug, Clone)]
pub struct Records {
    pub(super) form: Form,
    pub(super) encoding: Encoding,
    pub(super) shape: Shape,
}

/// Where the columns are.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// In a table of so many columns.
    Table { width: usize, picks: Picks },
    /// In JSON objects.
    Objects(Keys),
}

impl Records {
    /// Visits every row of a block, in order. An empty line is no row.
    pub fn each(&self, block: &Block, visit: &mut Visit<'_>) {
        if let Some(text) = self.encoding.read(&block.bytes) {
            return self.each_of(&text, block.line, visit);
        }
        let (mut rest, mut line, table) = (&block.bytes[..], block.line, self.table());
        while !rest.is_empty() {
            let end = first_end(rest, self.form);
            let first_line = memchr(self.form.record, rest).map_or(rest.len(), |at| at + 1);
            let swallowed = first_line < end && table.as_ref().is_some_and(|table| table.swallows(&rest[..end]));
            let (record, after) = rest.split_at(if swallowed { first_line } else { end });
            match self.encoding.read(record) {
                Some(text) if swallowed => visit(line, Err(Fault::open_quote(&text))),
                Some(text) => self.each_of(&text, line, visit),
                None => visit(line, Err(Fault { why: Why::Bytes, text: self.encoding.read_lossily(record) })),
            }
            line += memchr_iter(self.form.record, record).count() as u64;
            rest = after;
        }
    }

    fn each_of(&self, text: &str, line: u64, visit: &mut Visit<'_>) {
        match (self.table(), &self.shape) {
            (Some(table), _) if self.form.quotes && memchr(b'"', text.as_bytes()).is_some() => table.quoted(text, line, visit),
            (Some(table), _) => table.plain(text, line, visit),
            (None, Shape::Objects(keys)) => objects(text, line, keys, visit),
            (None, Shape::Table { .. }) => {}
        }
    }

    fn table(&self) -> Option<Table> {
        let (Shape::Table { width, picks }, Some(field)) = (&self.shape, self.form.field) else { return None };
        Some(Table { form: self.form, field, width: *width, picks: picks.iter().collect() })
    }
}

/// A text's lines that are not empty, each with its number and without its end.
fn lines(text: &str, line: u64, record: u8) -> impl Iterator<Item = (u64, &str)> {
    let bytes = text.as_bytes();
    let mut begin = 0;
    let ends = memchr_iter(record, bytes).chain((bytes.last() != Some(&record)).then_some(bytes.len()));
    let lines = ends.map(move |end| {
        let line = &text[begin..end];
        begin = end + 1;
        line.strip_suffix('\r').unwrap_or(line)
    });
    (line..).zip(lines).filter(|(_, line)| !line.is_empty())
}

fn objects(text: &str, line: u64, keys: &Keys, visit: &mut Visit<'_>) {
    for (line, object) in lines(text, line, b'\n').filter(|(_, object)| !object.trim_ascii().is_empty()) {
        match json::fields(object, keys) {
            Ok(fields) => visit(line, Ok(&Row(fields.each_ref().map(AsRef::as_ref)))),
            Err(error) => visit(line, Err(Fault { why: Why::Json(error.to_string()), text: Cow::Borrowed(object) })),
        }
    }
}

struct Table {
    form: Form,
    field: u8,
    width: usize,
    /// Which column is to be taken from where.
    picks: Vec<(usize, usize)>,
}

impl Table {
    /// Rows in which nothing is quoted: one walk over all separators.
    fn plain(&self, text: &str, mut line: u64, visit: &mut Visit<'_>) {
        let bytes = text.as_bytes();
        let mut ends: Vec<usize> = Vec::with_capacity(self.width);
        let mut begin = 0;
        for at in Separators::of(bytes, self.field, self.form.record).chain(std::iter::once(bytes.len())) {
            if bytes.get(at) == Some(&self.field) {
                ends.push(at);
                continue;
            }
            let end = if bytes[begin..at].ends_with(b"\r") { at - 1 } else { at };
            if end > begin {
                ends.push(end);
                self.row(text, begin, &ends, line, visit);
            }
            ends.clear();
            begin = at + 1;
            line += 1;
        }
    }

    /// The row that begins at `begin` and whose fields end at `ends`.
    fn row(&self, text: &str, begin: usize, ends: &[usize], line: u64, visit: &mut Visit<'_>) {
        if ends.len() != self.width {
            let why = Why::Fields { found: ends.len(), expected: self.width };
            let text = Cow::Borrowed(&text[begin..ends.last().copied().unwrap_or(begin)]);
            return visit(line, Err(Fault { why, text }));
        }
        let mut row = Row::default();
        for &(column, at) in &self.picks {
            let from = at.checked_sub(1).map_or(begin, |before| ends[before] + 1);
            row.0[column] = &text[from..ends[at]];
        }
        visit(line, Ok(&row));
    }

    /// Rows in which something is quoted.
    fn quoted(&self, text: &str, mut line: u64, visit: &mut Visit<'_>) {
        let mut rest = text;
        while let Some((used, next)) = self.quoted_until_a_gap(rest, line, visit) {
            rest = &rest[used..];
            line = next;
        }
    }

    /// Visits rows up to one that has swallowed others: a quote that was not meant opens a field that ends lines later. Of
    /// those lines only the first is bad; gives how many bytes to step over, and the number of the line behind them.
    fn quoted_until_a_gap(&self, text: &str, mut line: u64, visit: &mut Visit<'_>) -> Option<(usize, u64)> {
        let mut reader = self.reader(text.as_bytes());
        let mut record = csv::StringRecord::new();
        let mut end = 0;
        while reader.read_record(&mut record).ok()? {
            let blank = text.as_bytes()[end..].iter().take_while(|byte| **byte == self.form.record).count(); // stepped over by the reader
            let begin = end + blank;
            end = usize::try_from(reader.position().byte()).unwrap_or(text.len());
            let whole = &text[begin..end];
            let first_line = memchr(self.form.record, whole.as_bytes()).map_or(whole.len(), |at| at + 1);
            let (number, fields) = (line + blank as u64, record.len());
            line = number + 1 + memchr_iter(self.form.record, &whole.as_bytes()[first_line..]).count() as u64;
            if matches!(whole, "\r\n" | "\r") {
                continue;
            }
            if first_line < whole.len() && (fields != self.width || !well_quoted(whole.as_bytes(), self.form)) {
                visit(number, Err(Fault::open_quote(&whole[..first_line])));
                return Some((begin + first_line, number + 1));
            }
            if fields == self.width {
                visit(number, Ok(&self.picked(&record)));
            } else {
                let why = Why::Fields { found: fields, expected: self.width };
                visit(number, Err(Fault { why, text: Cow::Borrowed(whole.trim_end()) }));
            }
        }
        None
    }

    /// Whether a record of several lines has swallowed some of them.
    fn swallows(&self, record: &[u8]) -> bool {
        let mut fields = csv::ByteRecord::new();
        let read = self.reader(record).read_byte_record(&mut fields);
        !matches!(read, Ok(true)) || fields.len() != self.width || !well_quoted(record, self.form)
    }

    fn reader<'t>(&self, text: &'t [u8]) -> csv::Reader<&'t [u8]> {
        let mut builder = csv::ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(self.field).terminator(csv::Terminator::Any(self.form.record));
        builder.from_reader(text)
    }

    fn picked<'r>(&self, record: &'r csv::StringRecord) -> Row<'r> {
        let mut row = Row::default();
        for &(column, at) in &self.picks {
            row.0[column] = record.get(at).unwrap_or_default();
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::columns::Said;

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
    }

    #[test]
    fn objects_are_read_line_by_line() {
        let lines = "{\"企业名称\":\"甲\",\"经营范围\":null,\"x\":[1,{}]}\n\n{\"name\":\"乙\",\"scope\":\"a\\nb\"}\n[]\n{\"name\":[]}\n";
        let read = read(&records(Form::JSONL, Encoding::Utf8), lines.as_bytes());
        assert_eq!(read[..2], ["2 甲|", "4 乙|a\nb"]);
        assert!(read[2].starts_with("5 ! Json") && read[3].starts_with("6 ! Json"), "{read:?}");
    }
}
