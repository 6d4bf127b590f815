//! Blocks (数据块): a stream of bytes cut where records end, so that many can read them at once.
//!
//! What is cut by bytes may be in GB18030: no byte of its longer characters is a line break, a quote, a comma or a tab.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memchr2};

use super::{
    buffer::Buffer,
    quotes::{Candidate, Span, Spans, last_end, looked_at},
};

/// Size of a block, in bytes, where records are no longer.
pub(super) const BLOCK: usize = 256 * 1024;
/// Longest record, in bytes. Longer than any that a limit lets through, however it is written.
pub const LONGEST_RECORD: usize = 1024 * 1024;

/// Most lines that are none in one piece: each piece is handed from one thread to others, which costs more than such a line does.
const MOST_BAD: usize = 1024;

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
    /// The lines at these numbers cannot be read, each for this reason.
    Bad(Vec<(u64, Unreadable)>),
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
    /// A quote opens in it with which its record does not end within [`LONGEST_RECORD`].
    OpenQuote,
}

/// Cuts a stream.
pub struct Blocks<R> {
    input: R,
    form: Form,
    /// Size of a block, and of the longest record.
    sizes: (usize, usize),
    pending: Buffer,
    /// Where a record that has no end was met: what all lines from there on are.
    spans: Option<Spans>,
    line: u64,
    ended: bool,
}

impl<R: Read> Blocks<R> {
    /// Cuts a stream whose first byte stands in line `line`.
    pub fn new(input: R, form: Form, line: u64) -> Self {
        Self { input, form, sizes: (BLOCK, LONGEST_RECORD), pending: Buffer::new(), spans: None, line, ended: false }
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// Where reading fails.
    pub fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        let (block, longest) = self.sizes;
        let mut most = block;
        loop {
            if let Some(piece) = self.next_of_spans()? {
                return Ok(Some(piece));
            }
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
            if self.ended || self.pending.len() >= longest {
                self.survey()?;
                most = block;
            } else {
                most = longest;
            }
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
        looked_at(rest.len());
        let mut bytes = std::mem::replace(&mut self.pending, rest);
        bytes.truncate(end);
        self.block(bytes)
    }

    fn block(&mut self, bytes: Buffer) -> Piece {
        let line = self.line;
        self.line += line_count(&bytes, self.form);
        Piece::Block(Block { line, bytes })
    }

    /// Looks where the records of all lines end that begin within the longest record from here.
    fn survey(&mut self) -> io::Result<()> {
        let (_, longest) = self.sizes;
        self.fill(2 * longest)?;
        let known = if self.ended { self.pending.len() } else { longest };
        let fits = |record: &Candidate| record.begin < known && !record.open && record.end - record.begin <= longest;
        self.spans = Some(Spans::of(&self.pending, self.form, fits));
        Ok(())
    }

    /// The next piece of what was surveyed, if there is any left: records, or lines that are none.
    fn next_of_spans(&mut self) -> io::Result<Option<Piece>> {
        let (block, longest) = self.sizes;
        let mut bad = Vec::new();
        while let Some(spans) = self.spans.as_mut().filter(|spans| bad.is_empty() || !spans.is_at_records()) {
            let at = spans.at();
            let span = if self.ended || at < longest { spans.next(&self.pending, block) } else { None };
            let Some(Span { range, whole }) = span else {
                self.spans = None;
                self.pending.cut_off(at);
                looked_at(self.pending.len());
                break;
            };
            if whole {
                let mut bytes = self.pending.another();
                bytes.extend(&self.pending[range]);
                return Ok(Some(self.block(bytes)));
            }
            let has_end = self.pending[range.clone()].last() == Some(&self.form.record);
            let fits = (has_end || self.ended) && range.len() <= longest;
            bad.push((self.line, if fits { Unreadable::OpenQuote } else { Unreadable::TooLong }));
            self.line += 1;
            if !has_end {
                self.spans = None;
                self.skip_line()?;
            }
            if bad.len() == MOST_BAD {
                break;
            }
        }
        Ok(Some(bad).filter(|bad| !bad.is_empty()).map(Piece::Bad))
    }

    /// Steps over what is left of a line whose beginning is all that there is.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            self.pending.truncate(0);
            self.fill(self.sizes.0)?;
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
pub(super) fn line_count(bytes: &[u8], form: Form) -> u64 {
    memchr_iter(form.record, bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::register::quotes::{LOOKED_AT, first_outside};

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
        assert_eq!(pieces(text, Form::CSV), [block(1, b"a,b\n"), Piece::Bad(vec![(2, Unreadable::OpenQuote)]), block(3, b"e,f\n")]);
        let mut text = text.to_vec();
        text.extend(b"g,h\n".repeat(LONGEST_RECORD / 2));
        assert_eq!(pieces(&text, Form::CSV)[1], Piece::Bad(vec![(2, Unreadable::OpenQuote)]));
        assert_eq!(pieces(b"\"a", Form::CSV), [Piece::Bad(vec![(1, Unreadable::OpenQuote)])]);
        assert_eq!(pieces(b"\"c,d\ne", Form::TSV), [block(1, b"\"c,d\ne")]);
    }

    #[test]
    fn a_line_that_is_far_too_long_costs_itself_alone() {
        let mut text = b"a\tb\n".to_vec();
        text.extend(vec![b'x'; 5 * LONGEST_RECORD]);
        text.extend(b"\nc\td");
        assert_eq!(pieces(&text, Form::TSV), [block(1, b"a\tb\n"), Piece::Bad(vec![(2, Unreadable::TooLong)]), block(3, b"c\td")]);
        assert_eq!(pieces(&vec![b'x'; 2 * LONGEST_RECORD], Form::TSV), [Piece::Bad(vec![(1, Unreadable::TooLong)])]);
        assert_eq!(pieces(b"", Form::TSV), []);
    }

    /// Texts in which quotes were not meant, so that lines are to be looked at from each line anew.
    const UNMEANT: [&str; 6] = ["a\"b,\"c\n", "x\na\"b,\"c\n", "\"\n", "\"\n,\"\"\n", "a,\"b\nx\n,\"\"\"c\"\n", "\"\"\"\n\n"];

    #[test]
    fn quotes_that_were_not_meant_cost_no_more_than_others() {
        let (block, longest) = (1024, 4096);
        for (line, end) in UNMEANT.iter().flat_map(|line| ["", "\"\n", "x,\"\"\n", "\"", "a\"b,\"c\nx\"\n"].map(|end| (line, end))) {
            let text = line.repeat(20 * longest / line.len()) + end;
            LOOKED_AT.set(0);
            let mut blocks = Blocks::new(text.as_bytes(), Form::CSV, 1);
            blocks.sizes = (block, longest);
            while blocks.next_piece().expect("memory").is_some() {}
            assert!(LOOKED_AT.get() < 10 * text.len(), "{line:?} {end:?}: {} of {}", LOOKED_AT.get(), text.len());
        }
    }

    #[test]
    fn lines_that_are_none_come_together() {
        let pieces = pieces("a\"b,\"c\n".repeat(20 * MOST_BAD).as_bytes(), Form::CSV);
        assert_eq!(pieces.len(), 20);
        assert!(pieces.iter().all(|piece| matches!(piece, Piece::Bad(lines) if lines.len() == MOST_BAD)));
    }

    proptest! {
        /// Whatever the sizes, the lines that are none are those whose record has no end within the longest.
        #[test]
        fn a_line_is_bad_where_its_record_has_no_end(text in "([\"\",\na]|a\"a,\"a\n|a,a\n){0,60}", block in 1..20_usize, more in 0..20_usize) {
            let (bytes, longest) = (text.as_bytes(), block + more);
            let (mut expected, mut at, mut line) = (Vec::new(), 0, 1);
            while at < bytes.len() {
                let rest = &bytes[at..];
                let line_end = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
                let end = (first_outside(rest, b'\n', Form::CSV) + 1).min(rest.len());
                let open = last_end(&rest[..end], Form::CSV).1;
                if !open && end <= longest {
                    expected.push((line, Ok(rest[..end].to_vec())));
                    (at, line) = (at + end, line + line_count(&rest[..end], Form::CSV));
                } else {
                    expected.push((line, Err(if line_end > longest { Unreadable::TooLong } else { Unreadable::OpenQuote })));
                    (at, line) = (at + line_end, line + 1);
                }
            }
            let mut blocks = Blocks::new(bytes, Form::CSV, 1);
            blocks.sizes = (block, longest);
            let mut found = Vec::new();
            while let Some(piece) = blocks.next_piece().expect("memory") {
                match piece {
                    Piece::Bad(lines) => found.extend(lines.into_iter().map(|(line, why)| (line, Err(why)))),
                    Piece::Block(Block { mut line, bytes }) => {
                        let mut rest = &bytes[..];
                        while !rest.is_empty() {
                            let (record, after) = rest.split_at((first_outside(rest, b'\n', Form::CSV) + 1).min(rest.len()));
                            found.push((line, Ok(record.to_vec())));
                            line += line_count(record, Form::CSV);
                            rest = after;
                        }
                    }
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
