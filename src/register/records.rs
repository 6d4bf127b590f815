//! Records (记录): the rows of a block, one after the other, without an allocation where there need be none.

use std::{
    borrow::Cow,
    io::{Chain, Read},
    slice,
};

use memchr::{memchr, memchr_iter};

use super::{
    blocks::{Block, Form, Unreadable, line_count},
    columns::{COLUMNS, Column, Keys, Picks},
    json,
    quotes::{Candidate, Spans, last_end, looked_at, well_quoted},
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
        let (bytes, mut line) = (&block.bytes[..], block.line);
        let width = if let Shape::Table { width, .. } = self.shape { width } else { 0 };
        let mut spans = spans(bytes, self.form, width);
        while let Some(span) = spans.next(bytes, 1) {
            let record = &bytes[span.range];
            match self.encoding.read(record) {
                Some(text) if span.whole => self.each_of(&text, line, visit),
                Some(text) => visit(line, Err(Fault::open_quote(&text))),
                None => visit(line, Err(Fault { why: Why::Bytes, text: self.encoding.read_lossily(record) })),
            }
            line += line_count(record, self.form);
        }
    }

    fn each_of(&self, text: &str, line: u64, visit: &mut Visit<'_>) {
        match (self.table(), &self.shape) {
            (Some(table), _) if table.quotes(text) => table.quoted(text, line, visit),
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

/// The records of a table. One that has swallowed others is none: a quote that was not meant opens a field that ends lines later, or
/// nowhere. Of those lines only the first is bad.
fn spans(bytes: &[u8], form: Form, width: usize) -> Spans {
    let one_line = |record: &Candidate| record.end <= record.line_end;
    Spans::of(bytes, form, |record| !record.open && (one_line(record) || (record.well && record.fields == width)))
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

    /// Whether something may be quoted in a text.
    fn quotes(&self, text: &str) -> bool {
        self.form.quotes && memchr(b'"', text.as_bytes()).is_some()
    }

    /// Rows in which something is quoted. Nearly always no record has swallowed another, and one walk is enough.
    fn quoted(&self, text: &str, line: u64, visit: &mut Visit<'_>) {
        let Some((gap, mut line)) = self.rows(text, line, false, visit) else { return };
        let text = &text[gap..];
        let mut spans = spans(text.as_bytes(), self.form, self.width);
        while let Some(span) = spans.next(text.as_bytes(), usize::MAX) {
            let part = &text[span.range];
            if !span.whole {
                visit(line, Err(Fault::open_quote(part)));
            } else if self.quotes(part) {
                self.rows(part, line, true, visit);
            } else {
                self.plain(part, line, visit);
            }
            line += line_count(part.as_bytes(), self.form);
        }
    }

    /// Visits rows, and where it is not known that they are whole, only up to one that is not; gives where this begins, and the
    /// number of its line.
    fn rows(&self, text: &str, mut line: u64, whole: bool, visit: &mut Visit<'_>) -> Option<(usize, u64)> {
        let mut reader = self.reader(text.as_bytes());
        let mut fields = csv::StringRecord::new();
        let mut end = 0;
        while reader.read_record(&mut fields).ok()? {
            let blank = text.as_bytes()[end..].iter().take_while(|byte| **byte == self.form.record).count(); // stepped over by the reader
            let begin = end + blank;
            end = usize::try_from(reader.position().byte()).map_or(text.len(), |read| read.saturating_sub(1));
            looked_at(end - begin);
            let record = &text[begin..end];
            let number = line + blank as u64;
            if !whole && !self.is_whole(record.as_bytes(), fields.len(), end == text.len()) {
                return Some((begin, number));
            }
            line = number + line_count(record.as_bytes(), self.form);
            if matches!(record, "\r\n" | "\r") {
                continue;
            }
            if fields.len() == self.width {
                visit(number, Ok(&self.picked(&fields)));
            } else {
                let why = Why::Fields { found: fields.len(), expected: self.width };
                visit(number, Err(Fault { why, text: Cow::Borrowed(record.trim_end()) }));
            }
        }
        None
    }

    /// Whether a record has swallowed no other, as [`spans`] says it.
    fn is_whole(&self, record: &[u8], fields: usize, last: bool) -> bool {
        let one_line = memchr(self.form.record, record).is_none_or(|end| end + 1 == record.len());
        if one_line { !last || !last_end(record, self.form).1 } else { fields == self.width && well_quoted(record, self.form) }
    }

    /// A reader of a text behind the end of a record: it would step over a byte order mark before all else, but here it is a
    /// character like others, wherever the text was cut.
    fn reader<'t>(&'t self, text: &'t [u8]) -> csv::Reader<Chain<&'t [u8], &'t [u8]>> {
        let mut builder = csv::ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(self.field).terminator(csv::Terminator::Any(self.form.record));
        builder.from_reader(slice::from_ref(&self.form.record).chain(text))
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
mod tests;
