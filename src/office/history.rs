//! A firm's history (一户一档): every record that speaks of it, and its file as of any of them.

use std::sync::Arc;

use jiff::Timestamp;

use super::{OfficeError, Payload, Store};
use crate::{
    journal::{
        Head, JournalError,
        disk::Disk,
        line,
        reader::{Place, line_at},
    },
    storage::StoreError,
    watch::{event::Recorded, file::File, key::FirmId},
};

/// A record that speaks of a firm.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its sequence and hash.
    pub head: Head,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// The caller's id for the request.
    pub request_id: String,
    /// What kind of record it is.
    pub kind: String,
    /// What it says.
    pub payload: Payload,
}

impl Entry {
    /// Reads a line of the journal.
    ///
    /// # Errors
    /// Where it is no record of the watch list, or was changed.
    pub fn read(line: &[u8]) -> Result<Self, JournalError> {
        let damaged = |what: String| JournalError::Damaged { file: "of the watch list".to_owned(), line: 0, what };
        let record = line::read(line).map_err(damaged)?;
        let payload = Payload::read(record.payload).map_err(|error| damaged(format!("record {}: {error}", record.sequence)))?;
        Ok(Self {
            head: record.head(),
            at: record.at,
            actor: record.actor.into_owned(),
            request_id: record.request_id.into_owned(),
            kind: record.kind.into_owned(),
            payload,
        })
    }
}

/// How far back a history is looked at.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// To its end.
    Now,
    /// Up to the record with this sequence.
    Sequence(u64),
    /// Up to this instant.
    Instant(Timestamp),
}

/// A firm's history.
#[derive(Debug, Clone)]
pub struct History {
    /// Its file after the last record. None where there was none yet.
    pub file: Option<Arc<File>>,
    /// Its records, and those of the files that were joined to it, in order.
    pub entries: Vec<Entry>,
}

impl History {
    /// Reads the records of a firm, as of some time.
    ///
    /// # Errors
    /// [`OfficeError`] where the journal or the index cannot be read.
    pub fn read(firm: FirmId, until: Until, store: &Store, disk: &dyn Disk) -> Result<Self, OfficeError> {
        let Some(now) = store.file(firm)? else { return Ok(Self { file: None, entries: Vec::new() }) };
        let mut places: Vec<Place> = store.records(firm)?;
        for joined in &now.joined {
            places.extend(store.records(*joined)?);
        }
        places.sort_unstable();
        places.dedup();
        let mut history = Self { file: None, entries: Vec::with_capacity(places.len()) };
        for place in places {
            let entry = Entry::read(&line_at(disk, place)?)?;
            if entry.head.sequence != place.sequence {
                return Err(StoreError(format!("record {} is not where it should be", place.sequence)).into());
            }
            let beyond = match until {
                Until::Now => false,
                Until::Sequence(last) => entry.head.sequence > last,
                Until::Instant(last) => entry.at > last,
            };
            if beyond {
                break;
            }
            history.add(firm, entry);
        }
        Ok(history)
    }

    fn add(&mut self, firm: FirmId, entry: Entry) {
        let recorded = Recorded { sequence: entry.head.sequence, at: entry.at, by: &entry.actor };
        for change in entry.payload.changes.iter().filter(|change| change.firm == firm) {
            let before = self.file.take().map(Arc::unwrap_or_clone);
            self.file = File::after(before, change, recorded).map(Arc::new);
        }
        self.entries.push(entry);
    }
}
