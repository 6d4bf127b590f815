//! Reading (读取): every record in its order, each checked against the one before.

use std::io::{BufRead, BufReader, Read};

use super::{
    Head, JournalError, Record,
    disk::Disk,
    line::{self, LONGEST},
    segment_first,
};

/// The names of the segments, in order.
///
/// # Errors
/// Where the folder cannot be read.
pub fn segments(disk: &dyn Disk) -> Result<Vec<String>, JournalError> {
    let names = disk.names().map_err(|error| JournalError::Io { file: String::new(), error })?;
    Ok(names.into_iter().filter(|name| segment_first(name).is_some()).collect())
}

/// What a walk through the journal comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The last whole record.
    pub head: Head,
    /// Its instant.
    pub at: jiff::Timestamp,
    /// What stands behind it in the last segment without a line end: never acknowledged.
    pub torn: Option<Torn>,
}

/// An unfinished last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// Its segment.
    pub segment: String,
    /// Where it begins, in bytes.
    pub at: u64,
    /// What there is of it.
    pub bytes: Vec<u8>,
}

/// Lines of a segment, with what is left at its end.
pub(super) struct Lines {
    segment: String,
    reader: BufReader<Box<dyn Read + Send>>,
    line: Vec<u8>,
    /// 1-based number of the line last read.
    pub(super) number: usize,
    offset: u64,
}

/// What there is next in a segment.
pub(super) enum Next<'a> {
    /// A line, without its line end.
    Line(&'a [u8]),
    /// Bytes without a line end.
    Torn(Torn),
    /// Nothing.
    End,
}

impl Lines {
    pub(super) fn open(disk: &dyn Disk, segment: &str) -> Result<Self, JournalError> {
        let file = disk.read(segment).map_err(|error| JournalError::Io { file: segment.to_owned(), error })?;
        Ok(Self { segment: segment.to_owned(), reader: BufReader::with_capacity(256 << 10, file), line: Vec::new(), number: 0, offset: 0 })
    }

    pub(super) fn next(&mut self) -> Result<Next<'_>, JournalError> {
        self.line.clear();
        let most = LONGEST as u64 + 1024;
        let read = (&mut self.reader).take(most).read_until(b'\n', &mut self.line);
        let read = read.map_err(|error| JournalError::Io { file: self.segment.clone(), error })?;
        self.number += 1;
        if read == 0 {
            return Ok(Next::End);
        }
        if self.line.last() != Some(&b'\n') {
            if read as u64 == most {
                return Err(self.damaged(format!("a line longer than {most} bytes")));
            }
            return Ok(Next::Torn(Torn { segment: self.segment.clone(), at: self.offset, bytes: self.line.clone() }));
        }
        self.offset += read as u64;
        Ok(Next::Line(&self.line[..read - 1]))
    }

    pub(super) fn damaged(&self, what: String) -> JournalError {
        JournalError::Damaged { file: self.segment.clone(), line: self.number, what }
    }
}

/// Calls `each` with every record from sequence `from` on; checks each hash, each link and the order on the way.
/// Segments that end before `from` are not opened.
///
/// # Errors
/// [`JournalError`] at the first thing that is wrong, or what `each` says.
pub fn walk<E: From<JournalError>>(disk: &dyn Disk, from: u64, mut each: impl FnMut(&Record<'_>) -> Result<(), E>) -> Result<End, E> {
    let segments = segments(disk)?;
    let begin = segments.iter().rposition(|name| segment_first(name).is_some_and(|first| first <= from)).unwrap_or(0);
    let mut end = End { head: Head::default(), at: jiff::Timestamp::UNIX_EPOCH, torn: None };
    let mut known = begin == 0; // whether the record before is known: the first has none, and those skipped were not read
    for (index, segment) in segments.iter().enumerate().skip(begin) {
        let mut lines = Lines::open(disk, segment)?;
        loop {
            let number = lines.number + 1;
            let line = match lines.next()? {
                Next::End => break,
                Next::Torn(torn) if index + 1 == segments.len() => {
                    end.torn = Some(torn);
                    break;
                }
                Next::Torn(_) => return Err(lines.damaged("the segment ends within a line".to_owned()).into()),
                Next::Line(line) => line,
            };
            let record = line::read(line).map_err(|what| JournalError::Damaged { file: segment.clone(), line: number, what })?;
            let before = known.then_some(end.head);
            follows(&record, before, segment).map_err(|what| JournalError::Damaged { file: segment.clone(), line: number, what })?;
            end.head = record.head();
            end.at = record.at;
            known = true;
            if record.sequence >= from {
                each(&record)?;
            }
        }
    }
    Ok(end)
}

/// What is wrong with a record's place, where the record before is known; else it begins its segment.
pub(super) fn follows(record: &Record<'_>, before: Option<Head>, segment: &str) -> Result<(), String> {
    let expected = before.map(|before| before.sequence + 1).or_else(|| segment_first(segment));
    if let Some(expected) = expected
        && record.sequence != expected
    {
        return Err(format!("record {} where {expected} should be: records were dropped or reordered", record.sequence));
    }
    match before {
        Some(before) if record.prev != before.hash => {
            Err(format!("record {} does not follow record {}: the chain was rewritten", record.sequence, before.sequence))
        }
        _ => Ok(()),
    }
}
