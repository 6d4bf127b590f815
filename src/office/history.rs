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

/// A page ends behind the record that brings it to so many bytes: an answer may have 32 MiB.
const ENOUGH: usize = 8 << 20;

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
        let places = places(firm, &now, store)?;
        let mut history = Self { file: None, entries: Vec::with_capacity(places.len()) };
        for place in places {
            let entry = entry_at(place, disk)?;
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

    /// The same, of the records only those `behind` a sequence, at most so many; and whether there are more. As of now no other
    /// record is read.
    ///
    /// # Errors
    /// [`OfficeError`] where the journal or the index cannot be read.
    pub fn page(
        firm: FirmId,
        until: Until,
        (behind, most): (u64, usize),
        store: &Store,
        disk: &dyn Disk,
    ) -> Result<(Self, bool), OfficeError> {
        let history = if let (Until::Now, Some(now)) = (until, store.file(firm)?) {
            let places = places(firm, &now, store)?;
            let shown = places.into_iter().filter(|place| place.sequence > behind).take(most + 1);
            let mut history = Self { file: Some(Arc::new(now)), entries: Vec::new() };
            let mut bytes = 0;
            for place in shown {
                if bytes > ENOUGH {
                    return Ok((history, true));
                }
                let line = line_at(disk, place)?;
                bytes += line.len();
                history.entries.push(entry_in(&line, place)?);
            }
            history
        } else {
            let mut history = Self::read(firm, until, store, disk)?;
            history.entries.retain(|entry| entry.head.sequence > behind);
            history
        };
        let more = history.entries.len() > most;
        Ok((Self { entries: history.entries.into_iter().take(most).collect(), ..history }, more))
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

/// Where the records lie that speak of a firm, and of those that were joined to it, in order.
fn places(firm: FirmId, file: &File, store: &Store) -> Result<Vec<Place>, StoreError> {
    let mut places: Vec<Place> = store.records(firm)?;
    for joined in &file.joined {
        places.extend(store.records(*joined)?);
    }
    places.sort_unstable();
    places.dedup();
    Ok(places)
}

fn entry_at(place: Place, disk: &dyn Disk) -> Result<Entry, OfficeError> {
    entry_in(&line_at(disk, place)?, place)
}

fn entry_in(line: &[u8], place: Place) -> Result<Entry, OfficeError> {
    let entry = Entry::read(line)?;
    if entry.head.sequence == place.sequence {
        return Ok(entry);
    }
    Err(StoreError(format!("record {} is not where it should be", place.sequence)).into())
}
