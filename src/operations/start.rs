//! Starting (受理): an operation has its place to itself, and is on the disk before anybody is told.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, atomic::Ordering},
};

use jiff::Timestamp;
use tempfile::NamedTempFile;

use super::{
    BadPath, Operations,
    operation::{Beginning, Live, Operation},
    record::{Asked, Record},
};
use crate::rescreen::{
    RescreenError,
    output::{beside_of, checkpoint_of, sync_folder},
};

/// Most operations that wait.
const MOST_WAITING: usize = 100;

/// Why an operation is not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Paths that are not accepted, or lead to no register.
    #[error("paths are not accepted")]
    Paths(Vec<BadPath>),
    /// Another operation writes there, by this name or another.
    #[error("another operation writes '{0}'")]
    Taken(String),
    /// Too many wait.
    #[error("{MOST_WAITING} operations wait: come again when some of them are done")]
    Full,
    /// The service stops.
    #[error("the service is stopping")]
    Stopping,
    /// It cannot be kept.
    #[error("the operation cannot be kept: {0}")]
    Keep(io::Error),
}

impl Operations {
    /// Starts an operation: afterwards it is on the disk. May block.
    ///
    /// # Errors
    /// [`StartError`]: there is none then.
    pub fn start(&self, owner: &str, asked: Asked) -> Result<Arc<Operation>, StartError> {
        self.start_over(owner, asked, None)
    }

    /// Starts an operation over a register that was brought, which takes its place: that of its first input. May block.
    ///
    /// # Errors
    /// [`StartError`]: there is none then, and nothing of the register.
    pub fn bring(&self, owner: &str, asked: Asked, register: NamedTempFile) -> Result<Arc<Operation>, StartError> {
        self.start_over(owner, asked, Some(register))
    }

    fn start_over(&self, owner: &str, asked: Asked, brought: Option<NamedTempFile>) -> Result<Arc<Operation>, StartError> {
        let folders = self.folders();
        let out = folders.outputs.real(&asked.output); // links are looked at before anybody has to wait for it
        folders.have_headers(&asked, brought.as_ref().map(NamedTempFile::path)).map_err(StartError::Paths)?;
        let input = brought.as_ref().and_then(|_| folders.registers.real(asked.inputs.first()?));
        let _one = self.0.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.stopping.load(Ordering::Relaxed) {
            return Err(StartError::Stopping);
        }
        self.has_room(&asked, out.as_deref(), input.as_deref())?;
        let place = brought.map(|register| self.put_in_place(register, &asked)).transpose()?;
        self.started(owner, asked, out).inspect_err(|_| {
            let _ = place.map(std::fs::remove_file); // it is ours
        })
    }

    /// That one more may wait, and nobody else writes where it writes, or where its register goes.
    fn has_room(&self, asked: &Asked, out: Option<&Path>, input: Option<&Path>) -> Result<(), StartError> {
        let theirs = out.map(beside_of).unwrap_or_default();
        let book = self.book();
        if book.queue.len() >= MOST_WAITING {
            return Err(StartError::Full);
        }
        let unfinished = book.all.values().filter(|operation| !operation.state().is_ended());
        for place in unfinished.filter_map(|operation| operation.place.as_deref()).flat_map(beside_of) {
            if theirs.contains(&place) {
                return Err(StartError::Taken(asked.output.clone()));
            }
            if input == Some(&place) {
                return Err(StartError::Taken(asked.inputs.concat()));
            }
        }
        Ok(())
    }

    /// Puts a register in its place that was brought: afterwards it is on the disk.
    fn put_in_place(&self, register: NamedTempFile, asked: &Asked) -> Result<PathBuf, StartError> {
        let place = self.folders().place(asked).map_err(StartError::Paths)?;
        register.persist_noclobber(&place).map_err(|failed| StartError::Keep(failed.error))?;
        sync_folder(&place).map_err(StartError::Keep)?;
        Ok(place)
    }

    /// Writes one down, and has it wait for its turn.
    fn started(&self, owner: &str, asked: Asked, place: Option<PathBuf>) -> Result<Arc<Operation>, StartError> {
        self.folders().new_order(&asked).map_err(StartError::Paths)?;
        let now = Timestamp::now();
        let number = {
            let mut book = self.book();
            book.last = u64::try_from(now.as_microsecond()).unwrap_or(0).max(book.last + 1);
            book.last
        };
        let record = Record::new(number, owner.to_owned(), asked, now);
        self.0.store.write(&record).map_err(StartError::Keep)?;
        let operation = Arc::new(Operation::new(record, Live::default(), place));
        {
            let mut book = self.book();
            book.all.insert(number, Arc::clone(&operation));
            book.queue.push_back(Arc::clone(&operation));
        }
        self.dispatch();
        Ok(operation)
    }
}

impl Beginning for Operations {
    /// What an earlier run left, it takes away; then nothing may lie there.
    fn begins(&self, operation: &Operation) -> Result<(), RescreenError> {
        let _one = self.0.starting.lock().unwrap_or_else(PoisonError::into_inner); // it may be cancelled meanwhile
        if operation.record().begun {
            self.folders().discard(&operation.record());
            self.note(operation, None)?;
        }
        self.folders().is_free(&operation.record().asked)
    }

    fn begun(&self, operation: &Operation, mark: &str) -> Result<(), RescreenError> {
        let checkpoint = checkpoint_of(&self.folders().outputs.root().join(&operation.record().asked.output));
        let on_the_disk = || File::open(&checkpoint)?.sync_all().and_then(|()| sync_folder(&checkpoint));
        on_the_disk().map_err(RescreenError::writing(&checkpoint))?; // by it the files are known as its own
        let _one = self.0.starting.lock().unwrap_or_else(PoisonError::into_inner);
        self.note(operation, Some(mark))
    }
}

impl Operations {
    /// Notes whether what lies where an operation writes is its own. A kill between the making of its files and this leaves files
    /// that are in its way, which is told: none is taken away that may be another's.
    fn note(&self, operation: &Operation, mark: Option<&str>) -> Result<(), RescreenError> {
        let record = operation.record();
        let (begun, mark) = (mark.is_some(), mark.unwrap_or_default().to_owned());
        let noted = Record { begun, mark, updated: Timestamp::now(), ..(*record).clone() };
        self.0.store.write(&noted).map_err(RescreenError::writing(Path::new(&record.asked.output)))?;
        operation.set(noted);
        Ok(())
    }
}
