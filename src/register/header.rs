//! The header (表头) of a table: how its lines end, and which column is which.

use std::{io::Read, slice};

use memchr::memchr_iter;

use super::{
    OpenError,
    blocks::{Block, Blocks, Form, LONGEST_RECORD, Piece},
    columns::{ColumnsError, Hint, Picks, Said},
    quotes::first_outside,
    records::Shape,
};
use crate::encoding::Encoding;

/// How many lines are looked at for a header where the first is none.
const MOST_LINES: usize = 10;

/// The form with the line ends that a table has: LF, with a CR before it or not; or CR alone, as spreadsheets on a Mac wrote it.
/// The first of the two that stands outside of quotes tells. Before it, both ways to read agree which quotes open a field.
pub(super) fn with_line_ends(form: Form, beginning: &[u8]) -> Result<Form, OpenError> {
    let old = Form { record: b'\r', ..form };
    let blank = beginning.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let text = &beginning[blank..];
    let [first, feed] = [b'\r', b'\n'].map(|end| first_outside(text, end, old));
    if feed < first || text[first..feed].trim_ascii().is_empty() {
        return Ok(form);
    }
    let line = || 1 + memchr_iter(b'\r', &text[..feed]).count(); // or a little more, where one stands in quotes
    if feed == text.len() { Ok(old) } else { Err(OpenError::TwoEnds(line())) }
}

/// Reads the header; what follows it in its block is the first piece.
pub(super) fn header<R: Read>(blocks: &mut Blocks<R>, form: Form, encoding: Encoding, said: &Said) -> Result<(Shape, Piece), OpenError> {
    let block = match blocks.next_piece()? {
        None => return Err(OpenError::Empty),
        Some(Piece::Bad(..)) => return Err(OpenError::Header("it has no end")),
        Some(Piece::Block(block)) => block,
    };
    let blank = block.bytes.iter().take_while(|byte| **byte == b'\r' || **byte == form.record).count();
    let end = end_of_first(&block.bytes, blank, form);
    if end > LONGEST_RECORD {
        return Err(OpenError::Header("it is far too long"));
    }
    let text = encoding.read(&block.bytes[blank..end]).ok_or(OpenError::Header("it is no text in the register's encoding"))?;
    if text.trim().is_empty() {
        return Err(OpenError::Empty);
    }
    let headers = fields(&text, form).ok_or(OpenError::Header("it is no text"))?;
    let headers: Vec<&str> = headers.iter().collect();
    if headers.iter().all(|header| header.trim().is_empty()) {
        return Err(OpenError::Empty);
    }
    let picks = Picks::find(&headers, said).map_err(|error| match error {
        ColumnsError::NoName { found, .. } => ColumnsError::NoName { found, hint: hint(&block.bytes, form, encoding) },
        other => other,
    })?;
    let shape = Shape::Table { width: headers.len(), picks };
    let lines = memchr_iter(form.record, &block.bytes[..end]).count() as u64;
    Ok((shape, Piece::Block(Block { line: block.line + lines, bytes: block.bytes[end..].to_vec().into() })))
}

/// Where the first record ends that begins at `begin`, with what ends it.
fn end_of_first(bytes: &[u8], begin: usize, form: Form) -> usize {
    (begin + first_outside(&bytes[begin..], form.record, form) + 1).min(bytes.len())
}

/// The fields of the header.
fn fields(text: &str, form: Form) -> Option<csv::StringRecord> {
    let text = text.strip_suffix(char::from(form.record)).unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).quoting(form.quotes).delimiter(form.field.unwrap_or(b',')).terminator(csv::Terminator::Any(form.record));
    builder.from_reader(slice::from_ref(&form.record).chain(text.as_bytes())).into_records().next()?.ok()
}

/// What may help where the first line that holds anything is no header: a title stands above it, or others separate its fields.
fn hint(block: &[u8], form: Form, encoding: Encoding) -> Hint {
    let separators = [form.field.map_or(',', char::from), ',', ';', '\t', '|', '，', '；'];
    let lines = block.split(|byte| *byte == form.record).enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
    for (place, (line, bytes)) in lines.take(MOST_LINES).enumerate() {
        let text = encoding.read_lossily(bytes);
        let is_header = |separator: &&char| Picks::find(&text.split(**separator).collect::<Vec<_>>(), &Said::default()).is_ok();
        match separators.iter().find(is_header) {
            Some(separator) if place == 0 => return Hint::Separator(*separator),
            Some(_) => return Hint::Line(line + 1),
            None => {}
        }
    }
    Hint::Columns
}
