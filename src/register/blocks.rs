//! Blocks (数据块): a stream of bytes cut where records end, so that many can read them at once.
//!
//! What is cut by bytes may be in GB18030: no byte of its longer characters is a line break, a quote, a comma or a tab.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memchr2, memrchr};

use super::buffer::Buffer;

/// Size of a block, in bytes, where records are no longer.
pub(super) const BLOCK: usize = 256 * 1024;
/// Longest record, in bytes. Longer than any that a limit lets through, however it is written.
pub const LONGEST_RECORD: usize = 1024 * 1024;

/// How records follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// What stands between fields; none where a record is one JSON object.
    pub field: Option<u8>,
    /// What ends a record.
    pub record: u8,
    /// Whether a field may stand in quotes, with separators and line breaks inside.
    pub quotes: bool,
}

impl Form {
    /// Comma-separated values (RFC 4180).
    pub const CSV: Self = Self { field: Some(b','), record: b'\n', quotes: true };
    /// Tab-separated values, without any quoting.
    pub const TSV: Self = Self { field: Some(b'\t'), record: b'\n', quotes: false };
    /// One JSON object a line.
    pub const JSONL: Self = Self { field: None, record: b'\n', quotes: false };
    /// Cells of a workbook, with separators that occur in no text: unit and record separators.
    pub const CELLS: Self = Self { field: Some(0x1F), record: 0x1E, quotes: false };

    /// Writes a cell of [`CELLS`](Self::CELLS): a separator in it, which no text should have, becomes a space.
    pub(super) fn write_cell(self, mut cell: &[u8], out: &mut Vec<u8>) {
        while let Some(at) = memchr2(self.record, self.field.unwrap_or(self.record), cell) {
            out.extend_from_slice(&cell[..at]);
            out.push(b' ');
            cell = &cell[at + 1..];
        }
        out.extend_from_slice(cell);
    }
}

/// A piece of a register.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Whole records.
    Block(Block),
    /// The line at this number cannot be read, for this reason.
    Bad(u64, Unreadable),
}

/// Whole records.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    /// The number of the first one's line, from 1.
    pub line: u64,
    /// Their bytes.
    pub bytes: Buffer,
}

/// Why a line cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is longer than [`LONGEST_RECORD`].
    TooLong,
    /// A quote opens in it that nothing closes within [`LONGEST_RECORD`].
    OpenQuote,
}

/// Cuts a stream.
pub struct Blocks<R> {
    input: R,
    form: Form,
    pending: Buffer,
    line: u64,
    ended: bool,
}

impl<R: Read> Blocks<R> {
    /// Cuts a stream whose first byte stands in line `line`.
    pub fn new(input: R, form: Form, line: u64) -> Self {
        Self { input, form, pending: Buffer::new(), line, ended: false }
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// Where reading fails.
    pub fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        let mut most = BLOCK;
        loop {
            self.fill(most)?;
            if self.pending.is_empty() {
                return Ok(None);
            }
            let (end, open) = last_end(&self.pending, self.form);
            if self.ended && !open {
                return Ok(Some(self.take(self.pending.len())));
            }
            if end > 0 {
                return Ok(Some(self.take(end)));
            }
            if self.ended || self.pending.len() >= LONGEST_RECORD {
                return self.bad(open).map(Some);
            }
            most = LONGEST_RECORD;
        }
    }

    fn fill(&mut self, most: usize) -> io::Result<()> {
        while !self.ended && self.pending.len() < most {
            match self.input.read(self.pending.room(most)) {
                Ok(0) => self.ended = true,
                Ok(read) => self.pending.take_in(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The first `end` bytes as a block.
    fn take(&mut self, end: usize) -> Piece {
        let mut rest = self.pending.another();
        rest.extend(&self.pending[end..]);
        let mut bytes = std::mem::replace(&mut self.pending, rest);
        bytes.truncate(end);
        let line = self.line;
        self.line += lines(&bytes, self.form);
        Piece::Block(Block { line, bytes })
    }

    /// Steps over the first line, whose record has no end.
    fn bad(&mut self, open: bool) -> io::Result<Piece> {
        let line = self.line;
        self.line += 1;
        let broken = memchr(self.form.record, &self.pending);
        match broken {
            Some(at) => self.pending.cut_off(at + 1),
            None => self.skip_line()?,
        }
        let reason = if open && (broken.is_some() || self.ended) { Unreadable::OpenQuote } else { Unreadable::TooLong };
        Ok(Piece::Bad(line, reason))
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            self.pending.truncate(0);
            self.fill(BLOCK)?;
            if let Some(at) = memchr(self.form.record, &self.pending) {
                self.pending.cut_off(at + 1);
                return Ok(());
            }
            if self.ended {
                self.pending.truncate(0);
                return Ok(());
            }
        }
    }
}

/// How many lines the bytes end.
fn lines(bytes: &[u8], form: Form) -> u64 {
    memchr_iter(form.record, bytes).count() as u64
}

/// Where the last whole record ends, 0 where none does; and whether a quote is open at the end.
fn last_end(bytes: &[u8], form: Form) -> (usize, bool) {
    if !form.quotes {
        return (memrchr(form.record, bytes).map_or(0, |at| at + 1), false);
    }
    let (mut at, mut end) = (0, 0);
    loop {
        let quote = memchr(b'"', &bytes[at..]).map_or(bytes.len(), |found| at + found);
        end = memrchr(form.record, &bytes[at..quote]).map_or(end, |found| at + found + 1);
        if quote == bytes.len() {
            return (end, false);
        }
        at = quote + 1;
        if opens(bytes, quote, form) {
            match closing(bytes, at) {
                Some(after) => at = after,
                None => return (end, true),
            }
        }
    }
}

/// Where the first record ends.
pub(super) fn first_end(bytes: &[u8], form: Form) -> usize {
    let mut at = 0;
    loop {
        let end = memchr(form.record, &bytes[at..]).map_or(bytes.len(), |found| at + found + 1);
        let Some(quote) = memchr(b'"', &bytes[at..end]).filter(|_| form.quotes).map(|found| at + found) else { return end };
        at = quote + 1;
        if opens(bytes, quote, form) {
            let Some(after) = closing(bytes, at) else { return bytes.len() };
            at = after;
        }
    }
}

/// Whether a quote opens a field: it is its first character. Any other is a character like others.
fn opens(bytes: &[u8], quote: usize, form: Form) -> bool {
    quote.checked_sub(1).is_none_or(|before| bytes[before] == form.record || Some(bytes[before]) == form.field)
}

/// Whether every quote that closes a field of a record is its last character.
pub(super) fn well_quoted(record: &[u8], form: Form) -> bool {
    let mut at = 0;
    while let Some(quote) = memchr(b'"', &record[at..]).map(|found| at + found) {
        at = quote + 1;
        if opens(record, quote, form) {
            let Some(after) = closing(record, at) else { return false };
            let next = record.get(after).copied();
            if next.is_some_and(|next| next != form.record && next != b'\r' && Some(next) != form.field) {
                return false;
            }
            at = after;
        }
    }
    true
}

/// What follows the quote that closes a field.
fn closing(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let quote = at + memchr(b'"', &bytes[at..])?;
        if bytes.get(quote + 1) != Some(&b'"') {
            return Some(quote + 1);
        }
        at = quote + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &[u8], form: Form) -> Vec<Piece> {
        let mut blocks = Blocks::new(text, form, 1);
        std::iter::from_fn(|| blocks.next_piece().expect("memory")).collect()
    }

    fn block(line: u64, bytes: &[u8]) -> Piece {
        Piece::Block(Block { line, bytes: bytes.to_vec().into() })
    }

    #[test]
    fn nothing_is_lost_or_cut_within_a_record() {
        let record = "\"某地,\"\"一\"\"\n有限公司\",5\" 管,x\n".as_bytes();
        let text = record.repeat(3 * BLOCK / record.len());
        let pieces = pieces(&text, Form::CSV);
        assert!(pieces.len() >= 3);
        let mut line = 1;
        for piece in &pieces {
            let Piece::Block(block) = piece else { panic!("{piece:?}") };
            assert_eq!((block.line, block.bytes.len() % record.len()), (line, 0));
            line += block.bytes.len() as u64 / record.len() as u64 * 2;
        }
        assert_eq!(
            pieces.iter().map(|piece| if let Piece::Block(block) = piece { block.bytes.len() } else { 0 }).sum::<usize>(),
            text.len()
        );
    }

    #[test]
    fn a_quote_that_nothing_closes_costs_one_line() {
        let text = b"a,b\n\"c,d\ne,f\n";
        assert_eq!(pieces(text, Form::CSV), [block(1, b"a,b\n"), Piece::Bad(2, Unreadable::OpenQuote), block(3, b"e,f\n")]);
        let mut text = text.to_vec();
        text.extend(b"g,h\n".repeat(LONGEST_RECORD / 2));
        assert_eq!(pieces(&text, Form::CSV)[1], Piece::Bad(2, Unreadable::OpenQuote));
        assert_eq!(pieces(b"\"a", Form::CSV), [Piece::Bad(1, Unreadable::OpenQuote)]);
        assert_eq!(pieces(b"\"c,d\ne", Form::TSV), [block(1, b"\"c,d\ne")]);
    }

    #[test]
    fn a_line_that_is_far_too_long_costs_itself_alone() {
        let mut text = b"a\tb\n".to_vec();
        text.extend(vec![b'x'; 5 * LONGEST_RECORD]);
        text.extend(b"\nc\td");
        assert_eq!(pieces(&text, Form::TSV), [block(1, b"a\tb\n"), Piece::Bad(2, Unreadable::TooLong), block(3, b"c\td")]);
        assert_eq!(pieces(&vec![b'x'; 2 * LONGEST_RECORD], Form::TSV), [Piece::Bad(1, Unreadable::TooLong)]);
        assert_eq!(pieces(b"", Form::TSV), []);
    }

    #[test]
    fn records_end_one_by_one() {
        let text = b"\"a\n\",1\nb\"\n\",2\n";
        assert_eq!(first_end(text, Form::CSV), 7);
        assert_eq!(first_end(&text[7..], Form::CSV), 3); // a quote within a field opens nothing
        assert_eq!(first_end(text, Form::TSV), 3);
    }
}
