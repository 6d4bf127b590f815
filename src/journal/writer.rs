//! Writing (写入): records are staged, then committed together with one fsync.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Draft, Head, JournalError,
    disk::{Appending, Disk},
    line,
    reader::{End, Place},
    segment_first, segment_name,
};

/// A segment that has grown to this many bytes is usually followed by another.
pub const SEGMENT: u64 = 64 << 20;

/// The journal, open for writing. One at a time a folder: the caller holds its lock.
#[derive(Debug)]
pub struct Journal {
    disk: Arc<dyn Disk>,
    /// The last record that is on the disk.
    committed: Head,
    /// The last record that is staged.
    staged: Head,
    /// Instant of the last record that is staged.
    at: Timestamp,
    buffer: Vec<u8>,
    /// Where in the buffer each staged record begins.
    starts: Vec<usize>,
    segment: Option<Segment>,
    segment_bytes: u64,
    poisoned: bool,
}

#[derive(Debug)]
struct Segment {
    name: String,
    file: Box<dyn Appending>,
    length: u64,
}

impl Journal {
    /// A journal that goes on behind `end`.
    pub(super) fn at(disk: Arc<dyn Disk>, end: &End, segment: Option<String>, segment_bytes: u64) -> Result<Self, JournalError> {
        let segment = segment.map(|name| Segment::open(&*disk, name)).transpose()?;
        let (head, at) = (end.head, end.at);
        Ok(Self {
            disk,
            committed: head,
            staged: head,
            at,
            buffer: Vec::new(),
            starts: Vec::new(),
            segment,
            segment_bytes,
            poisoned: false,
        })
    }

    /// The last record that is on the disk.
    #[must_use]
    pub fn head(&self) -> Head {
        self.committed
    }

    /// The sequence and the instant that a record staged now would have. Instants have milliseconds, and where the clock
    /// has gone back, a record takes the instant of the one before.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> (u64, Timestamp) {
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now); // it is in range: it came from there
        (self.staged.sequence + 1, now.max(self.at))
    }

    /// Adds a record to those that the next [`commit`](Self::commit) writes, and says where the journal will end with
    /// it, and its instant: those that [`next`](Self::next) says.
    ///
    /// # Errors
    /// [`JournalError::TooLong`], [`JournalError::Poisoned`]; nothing is staged then.
    pub fn stage(&mut self, draft: &Draft<'_>, now: Timestamp) -> Result<(Head, Timestamp), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        let (_, at) = self.next(now);
        let start = self.buffer.len();
        self.staged = line::write(&mut self.buffer, draft, self.staged, at)?;
        self.at = at;
        self.starts.push(start);
        Ok((self.staged, at))
    }

    /// How many bytes are staged.
    #[must_use]
    pub fn staged_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Writes what is staged and returns where each record lies when all are on the disk. Only then may they be
    /// acknowledged.
    ///
    /// # Errors
    /// Where writing or fsync fails; what the disk holds is then not known, and the journal takes nothing more.
    pub fn commit(&mut self) -> Result<Vec<Place>, JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        if self.buffer.is_empty() {
            return Ok(Vec::new());
        }
        self.poisoned = true; // until it is known that all is well
        let (segment, base) = self.write_out()?;
        self.poisoned = false;
        let sequences = self.committed.sequence + 1..;
        let places = sequences
            .zip(self.starts.drain(..))
            .map(|(sequence, start)| Place { sequence, segment, offset: base + start as u64 })
            .collect();
        self.buffer.clear();
        self.committed = self.staged;
        Ok(places)
    }

    /// Says in which segment, from which byte on.
    fn write_out(&mut self) -> Result<(u64, u64), JournalError> {
        if self.segment.as_ref().is_none_or(|segment| segment.length >= self.segment_bytes) {
            let name = segment_name(self.committed.sequence + 1);
            self.segment = Some(Segment::open(&*self.disk, name)?);
        }
        let Some(segment) = &mut self.segment else { return Err(JournalError::Poisoned) }; // there is one: it was just made
        let io = |error| JournalError::Io { file: segment.name.clone(), error };
        segment.file.append(&self.buffer).and_then(|()| segment.file.sync()).map_err(io)?;
        if segment.length == 0 {
            self.disk.sync_names().map_err(io)?;
        }
        let base = segment.length;
        segment.length += self.buffer.len() as u64;
        Ok((segment_first(&segment.name).unwrap_or(0), base))
    }
}

impl Segment {
    fn open(disk: &dyn Disk, name: String) -> Result<Self, JournalError> {
        let io = |error| JournalError::Io { file: name.clone(), error };
        let file = disk.append_to(&name).map_err(io)?;
        let length = file.length().map_err(io)?;
        Ok(Self { name, file, length })
    }
}
