//! Reading (读取): every record in its order, each checked against the one before.

use std::io::{BufRead, BufReader, Read};

use super::{
    Head, JournalError, Record,
    disk::Disk,
    line::{self, LONGEST},
    segment_first, segment_name,
};

/// The names of the segments, in order.
///
/// # Errors
/// Where the folder cannot be read.
pub fn segments(disk: &dyn Disk) -> Result<Vec<String>, JournalError> {
    let names = disk.names().map_err(|error| JournalError::Io { file: String::new(), error })?;
    Ok(names.into_iter().filter(|name| segment_first(name).is_some()).collect())
}

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its sequence.
    pub sequence: u64,
    /// The first sequence of its segment, after which it is named.
    pub segment: u64,
    /// Where in it the line begins, in bytes.
    pub offset: u64,
}

/// The line of the record at a place, without its line end.
///
/// # Errors
/// Where it cannot be read, or no line ends there.
pub fn line_at(disk: &dyn Disk, place: Place) -> Result<Vec<u8>, JournalError> {
    let mut lines = Lines::at(disk, &segment_name(place.segment), place.offset)?;
    match lines.next()? {
        Next::Line(line) => Ok(line.to_vec()),
        Next::Torn(_) | Next::End => Err(lines.damaged(format!("there is no record {} at byte {}", place.sequence, place.offset))),
    }
}

/// Reads on from a record, as far as records are committed: what is behind is not read.
pub struct Tail {
    /// The sequence that is read next.
    next: u64,
    lines: Option<Lines>,
}

impl Tail {
    /// Before the record with sequence `from`; the first has 1.
    #[must_use]
    pub fn before(from: u64) -> Self {
        Self { next: from.max(1), lines: None }
    }

    /// The sequence that is read next.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.next
    }

    /// The next line, without its line end. None where it is behind `committed`.
    ///
    /// # Errors
    /// Where the journal lacks it.
    pub fn next_line(&mut self, disk: &dyn Disk, committed: u64) -> Result<Option<&[u8]>, JournalError> {
        if self.next > committed {
            return Ok(None);
        }
        if self.lines.is_none() {
            self.lines = Some(self.find(disk)?);
        }
        let ended = match &mut self.lines {
            Some(lines) => lines.at_end()?,
            None => true,
        };
        if ended {
            self.lines = Some(Lines::open(disk, &segment_name(self.next))?); // whatever comes next begins a segment
        }
        let Some(lines) = &mut self.lines else { return Ok(None) }; // there is one
        lines.read_line()?;
        if lines.line.pop() != Some(b'\n') {
            return Err(lines.damaged(format!("record {} is not whole", self.next)));
        }
        self.next += 1;
        Ok(Some(&lines.line))
    }

    /// The segment that the next record is in, or would be: each line is one record, the first names it.
    fn find(&self, disk: &dyn Disk) -> Result<Lines, JournalError> {
        let segments = segments(disk)?;
        let firsts = segments.iter().filter_map(|name| Some((segment_first(name)?, name)));
        let Some((first, name)) = firsts.take_while(|(first, _)| *first <= self.next).last() else {
            return Err(JournalError::Damaged { file: segment_name(self.next), line: 0, what: "the segment is missing".to_owned() });
        };
        let mut lines = Lines::open(disk, name)?;
        for _ in first..self.next {
            lines.read_line()?;
        }
        Ok(lines)
    }
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

/// Longest line that is read, in bytes.
const MOST: u64 = LONGEST as u64 + 1024;

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
        let file = disk.read(segment, 0).map_err(|error| JournalError::Io { file: segment.to_owned(), error })?;
        Ok(Self { segment: segment.to_owned(), reader: BufReader::with_capacity(256 << 10, file), line: Vec::new(), number: 0, offset: 0 })
    }

    fn at(disk: &dyn Disk, segment: &str, offset: u64) -> Result<Self, JournalError> {
        let file = disk.read(segment, offset).map_err(|error| JournalError::Io { file: segment.to_owned(), error })?;
        Ok(Self { segment: segment.to_owned(), reader: BufReader::with_capacity(16 << 10, file), line: Vec::new(), number: 0, offset })
    }

    /// Reads up to the next line end, or as far as there is something; says how many bytes.
    fn read_line(&mut self) -> Result<usize, JournalError> {
        self.line.clear();
        let read = (&mut self.reader).take(MOST).read_until(b'\n', &mut self.line);
        self.number += 1;
        read.map_err(|error| JournalError::Io { file: self.segment.clone(), error })
    }

    /// Whether nothing follows, for now.
    fn at_end(&mut self) -> Result<bool, JournalError> {
        let left = self.reader.fill_buf().map_err(|error| JournalError::Io { file: self.segment.clone(), error })?;
        Ok(left.is_empty())
    }

    pub(super) fn next(&mut self) -> Result<Next<'_>, JournalError> {
        let read = self.read_line()?;
        if read == 0 {
            return Ok(Next::End);
        }
        if self.line.last() != Some(&b'\n') {
            if read as u64 == MOST {
                return Err(self.damaged(format!("a line longer than {MOST} bytes")));
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
pub fn walk<E: From<JournalError>>(
    disk: &dyn Disk,
    from: u64,
    mut each: impl FnMut(&Record<'_>, Place) -> Result<(), E>,
) -> Result<End, E> {
    let segments = segments(disk)?;
    let begin = segments.iter().rposition(|name| segment_first(name).is_some_and(|first| first <= from)).unwrap_or(0);
    let mut end = End { head: Head::default(), at: jiff::Timestamp::UNIX_EPOCH, torn: None };
    let mut known = begin == 0; // whether the record before is known: the first has none, and those skipped were not read
    for (index, segment) in segments.iter().enumerate().skip(begin) {
        let mut lines = Lines::open(disk, segment)?;
        loop {
            let (number, offset) = (lines.number + 1, lines.offset);
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
                let segment = segment_first(segment).unwrap_or(0); // it was found by it
                each(&record, Place { sequence: record.sequence, segment, offset })?;
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
