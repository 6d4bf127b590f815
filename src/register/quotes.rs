//! Quotes (引号) of a table: a field may stand in them, with separators and line breaks inside, so that they decide where records end.
//!
//! A quote that was not meant opens a field that ends lines later, or nowhere. [`Spans`] tells where all records end that could begin
//! with some line, in one walk: to look from each line anew would take the square of the time.

use std::{num::NonZeroUsize, ops::Range};

use memchr::{memchr, memchr_iter, memchr2, memrchr, memrchr3};

use super::blocks::Form;

#[cfg(test)]
thread_local! {
    /// How many bytes this thread has looked at or moved.
    pub(super) static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Counts, in tests, bytes that are looked at or moved.
#[cfg(test)]
pub(super) fn looked_at(bytes: usize) {
    LOOKED_AT.set(LOOKED_AT.get() + bytes);
}

#[cfg(not(test))]
pub(super) const fn looked_at(_: usize) {}

/// Where the last whole record ends, 0 where none does; and whether a quote is open at the end.
pub(super) fn last_end(bytes: &[u8], form: Form) -> (usize, bool) {
    looked_at(bytes.len());
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

/// Where a byte stands first outside of quotes; the end of the bytes, where it does not.
pub(super) fn first_outside(bytes: &[u8], wanted: u8, form: Form) -> usize {
    let quote = if form.quotes { b'"' } else { wanted };
    let mut at = 0;
    while let Some(found) = memchr2(wanted, quote, &bytes[at..]).map(|found| at + found) {
        looked_at(found + 1 - at);
        if bytes[found] == wanted {
            return found;
        }
        at = found + 1;
        if opens(bytes, found, form) {
            let Some(after) = closing(bytes, at) else { break };
            at = after;
        }
    }
    bytes.len()
}

/// Whether a quote opens a field: it is its first character. Any other is a character like others.
fn opens(bytes: &[u8], quote: usize, form: Form) -> bool {
    quote.checked_sub(1).is_none_or(|before| bytes[before] == form.record || Some(bytes[before]) == form.field)
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

/// Whether a field may end before this byte.
fn ends_field(next: Option<u8>, form: Form) -> bool {
    next.is_none_or(|next| next == form.record || next == b'\r' || Some(next) == form.field)
}

/// Whether every quote that closes a field of a record is its last character, and none is open.
pub(super) fn well_quoted(record: &[u8], form: Form) -> bool {
    let mut at = 0;
    while let Some(quote) = memchr(b'"', &record[at..]).map(|found| at + found) {
        at = quote + 1;
        if opens(record, quote, form) {
            match closing(record, at) {
                Some(after) if ends_field(record.get(after).copied(), form) => at = after,
                _ => return false,
            }
        }
    }
    true
}

/// A record that would begin with some line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    /// Where it begins.
    pub begin: usize,
    /// Where its first line ends.
    pub line_end: usize,
    /// Where it ends.
    pub end: usize,
    /// How many fields it has.
    pub fields: usize,
    /// Whether it is well quoted.
    pub well: bool,
    /// Whether a quote is open where it ends, which is the end of all.
    pub open: bool,
}

/// Whole records, or one line that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    /// Where they stand.
    pub range: Range<usize>,
    /// Whether they are whole records.
    pub whole: bool,
}

/// A text as whole records and lines that are none, one after the other.
#[derive(Debug)]
pub(super) struct Spans {
    /// Of each line, the last one first: where the record ends that begins with it, if it is one.
    ends: Vec<Option<NonZeroUsize>>,
    at: usize,
    record: u8,
}

impl Spans {
    /// Of bytes that begin with a line; `fits` tells which of the records that could be are taken for such.
    ///
    /// One walk from behind keeps how a record goes on from there outside of quotes, and how within.
    pub(super) fn of(bytes: &[u8], form: Form, fits: impl Fn(&Candidate) -> bool) -> Self {
        looked_at(bytes.len());
        let (field, quote) = (form.field.unwrap_or(form.record), if form.quotes { b'"' } else { form.record });
        let last = Candidate { begin: 0, line_end: bytes.len(), end: bytes.len(), fields: 1, well: true, open: false };
        let (mut outside, mut inside) = (last, Candidate { well: false, open: true, ..last });
        let (mut ends, mut line_end, mut to) = (Vec::new(), bytes.len(), bytes.len());
        let end_of = |begin, line_end, candidate| {
            let candidate = Candidate { begin, line_end, ..candidate };
            if fits(&candidate) { NonZeroUsize::new(candidate.end) } else { None }
        };
        while let Some(at) = memrchr3(form.record, field, quote, &bytes[..to]) {
            to = at;
            if bytes[at] == form.record {
                if at + 1 < bytes.len() {
                    ends.push(end_of(at + 1, line_end, outside));
                }
                line_end = at + 1;
                outside = Candidate { end: line_end, ..last };
            } else if bytes[at] == field {
                outside.fields += 1;
            } else {
                to = bytes[..at].iter().rposition(|byte| *byte != b'"').map_or(0, |before| before + 1);
                let closed = Candidate { well: outside.well && ends_field(bytes.get(at + 1).copied(), form), ..outside };
                let pairs = (at + 1 - to).is_multiple_of(2); // two quotes within a field stand for one
                outside = match (opens(bytes, to, form), pairs) {
                    (false, _) => outside,
                    (true, true) => closed,
                    (true, false) => inside,
                };
                inside = if pairs { inside } else { closed };
            }
        }
        if !bytes.is_empty() {
            ends.push(end_of(0, line_end, outside));
        }
        Self { ends, at: 0, record: form.record }
    }

    /// Where the next one begins.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Whether the next one is records.
    pub(super) fn is_at_records(&self) -> bool {
        self.ends.last().is_some_and(Option::is_some)
    }

    /// The next one of these bytes: records until they have `most` bytes, or a line.
    pub(super) fn next(&mut self, bytes: &[u8], most: usize) -> Option<Span> {
        let begin = self.at;
        while self.at - begin < most
            && let Some(end) = self.ends.last().copied().flatten()
        {
            let lines = memchr_iter(self.record, &bytes[self.at..end.get() - 1]).count() + 1;
            self.ends.truncate(self.ends.len().saturating_sub(lines));
            self.at = end.get();
        }
        let whole = self.at > begin;
        if !whole {
            self.ends.pop()?;
            self.at += memchr(self.record, &bytes[begin..]).map_or(bytes.len() - begin, |end| end + 1);
        }
        Some(Span { range: begin..self.at, whole })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Where the first record ends.
    fn first_end(bytes: &[u8], form: Form) -> usize {
        (first_outside(bytes, form.record, form) + 1).min(bytes.len())
    }

    #[test]
    fn records_end_one_by_one() {
        let text = b"\"a\n\",1\nb\"\n\",2\n";
        assert_eq!(first_end(text, Form::CSV), 7);
        assert_eq!(first_end(&text[7..], Form::CSV), 3); // a quote within a field opens nothing
        assert_eq!(first_end(text, Form::TSV), 3);
    }

    #[test]
    fn many_quotes_in_a_line_are_looked_at_once() {
        let line = b"5\"".repeat(1000);
        LOOKED_AT.set(0);
        assert_eq!((first_outside(&line, b'\n', Form::CSV), LOOKED_AT.get()), (line.len(), line.len()));
    }

    proptest! {
        /// All lines in one walk give what a look from each line gives.
        #[test]
        fn records_end_where_they_end_from_their_line_on(text in "[\"\",,\n\n\ra]{0,40}", csv in any::<bool>()) {
            let (bytes, form) = (text.as_bytes(), if csv { Form::CSV } else { Form::TSV });
            let begins: Vec<usize> = (0..bytes.len()).filter(|at| *at == 0 || bytes[at - 1] == form.record).collect();
            let seen = std::cell::RefCell::new(Vec::new());
            let mut spans = Spans::of(bytes, form, |record| {
                seen.borrow_mut().push(*record);
                !record.open
            });
            let seen: Vec<Candidate> = seen.into_inner().into_iter().rev().collect();
            prop_assert_eq!(seen.iter().map(|record| record.begin).collect::<Vec<_>>(), begins);
            for record in &seen {
                let rest = &bytes[record.begin..];
                let end = first_end(rest, form);
                let mut fields = csv::ByteRecord::new();
                let mut builder = csv::ReaderBuilder::new();
                builder.has_headers(false).flexible(true).quoting(form.quotes).delimiter(form.field.expect("a table"));
                let mut reader = builder.terminator(csv::Terminator::Any(form.record)).from_reader(&rest[..end]);
                let read = reader.read_byte_record(&mut fields).expect("memory");
                prop_assert_eq!(record.end, record.begin + end);
                prop_assert_eq!(record.line_end, record.begin + memchr(form.record, rest).map_or(rest.len(), |at| at + 1));
                prop_assert_eq!(record.open, last_end(&rest[..end], form).1);
                prop_assert!(!read || record.fields == fields.len(), "{:?} {:?}", record, fields);
                prop_assert_eq!(record.well, !form.quotes || well_quoted(&rest[..end], form));
            }
            let mut at = 0;
            while let Some(span) = spans.next(bytes, 1) {
                let record = seen.iter().find(|record| record.begin == at).expect("a line begins here");
                prop_assert_eq!(&span, &Span { range: at..if record.open { record.line_end } else { record.end }, whole: !record.open });
                at = span.range.end;
            }
            prop_assert_eq!(at, bytes.len());
        }
    }
}
