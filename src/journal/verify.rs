//! Verification (校验): finds and names what was changed, reordered, dropped, cut off or rewritten.

use std::fmt;

use super::{
    Head, JournalError,
    disk::Disk,
    line,
    reader::{self, Lines, Next, Torn, follows},
};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// How many good records there are.
    pub records: u64,
    /// How many segments.
    pub segments: usize,
    /// The last good record.
    pub head: Head,
    /// Everything that is wrong. Empty: nothing.
    pub findings: Vec<Finding>,
    /// An unfinished last line; it was never acknowledged, and opening the journal sets it aside.
    pub torn: Option<Torn>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The segment; empty where it is of the journal as a whole.
    pub segment: String,
    /// 1-based line; 0 where it is of the segment as a whole.
    pub line: usize,
    /// What.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.segment.as_str(), self.line) {
            ("", _) => write!(f, "{}", self.what),
            (segment, 0) => write!(f, "{segment}: {}", self.what),
            (segment, line) => write!(f, "{segment}:{line}: {}", self.what),
        }
    }
}

/// Reads all of the journal, and looks for `known` heads in it: those that callers were given, or anchors.
///
/// # Errors
/// [`JournalError::Io`] where it cannot be read. What is wrong with its records is in the report.
pub fn verify(disk: &dyn Disk, known: &[Head]) -> Result<Report, JournalError> {
    let mut checker = Checker { report: Report::default(), before: None, unread: false, known, met: vec![false; known.len()] };
    let segments = reader::segments(disk)?;
    checker.report.segments = segments.len();
    for (index, segment) in segments.iter().enumerate() {
        checker.segment(disk, segment, index + 1 == segments.len())?;
    }
    checker.unmet();
    Ok(checker.report)
}

struct Checker<'a> {
    report: Report,
    /// The record before, where there was a good one.
    before: Option<Head>,
    /// That record could not be read: what the next one says of its hash is believed.
    unread: bool,
    known: &'a [Head],
    met: Vec<bool>,
}

impl Checker<'_> {
    fn segment(&mut self, disk: &dyn Disk, segment: &str, last: bool) -> Result<(), JournalError> {
        let mut lines = Lines::open(disk, segment)?;
        loop {
            let number = lines.number + 1;
            match lines.next() {
                Ok(Next::End) => return Ok(()),
                Ok(Next::Torn(torn)) if last => {
                    self.report.torn = Some(torn);
                    return Ok(());
                }
                Ok(Next::Torn(_)) => {
                    self.find(segment, number, "the segment ends within a line".to_owned());
                    return Ok(());
                }
                Ok(Next::Line(line)) => self.line(segment, number, line),
                Err(JournalError::Damaged { what, .. }) => {
                    self.find(segment, number, what);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn line(&mut self, segment: &str, number: usize, line: &[u8]) {
        let record = match line::read(line) {
            Ok(record) => record,
            Err(what) => {
                self.before = self.before.map(|before| Head { sequence: before.sequence + 1, ..before }); // it had this place
                self.unread = true;
                return self.find(segment, number, what);
            }
        };
        let unread = std::mem::take(&mut self.unread);
        let before = self
            .before
            .map(|before| Head { hash: if unread { record.prev } else { before.hash }, ..before })
            .or(if self.report.records == 0 { Some(Head::default()) } else { None });
        if let Err(what) = follows(&record, before, segment) {
            self.find(segment, number, what);
        }
        let head = record.head();
        for (known, met) in self.known.iter().zip(&mut self.met) {
            if known.sequence == head.sequence {
                *met = *met || known.hash == head.hash;
            }
        }
        self.report.records += 1;
        self.report.head = head;
        self.before = Some(head);
    }

    /// Heads that were given out and are not there.
    fn unmet(&mut self) {
        let missing: Vec<Head> =
            self.known.iter().zip(&self.met).filter(|(known, met)| !**met && known.sequence > 0).map(|(known, _)| *known).collect();
        for head in missing {
            let what = if head.sequence > self.report.head.sequence {
                format!(
                    "record {} was acknowledged and the journal ends at {}: its tail was cut off",
                    head.sequence, self.report.head.sequence
                )
            } else {
                format!("record {} was acknowledged with hash {} and is another now: the chain was rewritten", head.sequence, head.hash)
            };
            self.find("", 0, what);
        }
    }

    fn find(&mut self, segment: &str, line: usize, what: String) {
        self.report.findings.push(Finding { segment: segment.to_owned(), line, what });
    }
}
