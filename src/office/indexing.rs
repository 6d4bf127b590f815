//! Indexing (编制索引): takes what was recorded into the index, and makes the index again where it must be.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use rustc_hash::FxHashMap;
use tokio::sync::watch;

use super::{
    Payload, Shelf, Store,
    writer::{Work, numbers_after},
};
use crate::{
    journal::{
        Head, JournalError, Record,
        disk::Disk,
        line,
        reader::{self, Place, Tail},
    },
    storage::{Answered, Batch, FileChange, Numbers, StoreError, WatchStore, sled::Sled},
    watch::{
        event::Recorded,
        file::File,
        key::{FirmId, RequestKey},
    },
};

/// How often it is tried to make an index that could not be made.
const AGAIN: Duration = Duration::from_secs(15);
/// How many records are taken in together where the index is made again.
const TOGETHER: usize = 4096;

/// Why the index cannot be brought up to the journal.
#[derive(Debug, thiserror::Error)]
pub(super) enum CatchUpError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("record {0} cannot be read as one of the watch list: {1}")]
    Payload(u64, serde_json::Error),
    #[error("the service stops")]
    Stopping,
}

/// Where the index lies: folders `index.1`, `index.2` …; the last is in use. A new one is made beside the old, which
/// readers may still hold.
#[derive(Debug)]
pub(super) struct Shelves(PathBuf);

impl Shelves {
    pub(super) fn of(data: &Path) -> Self {
        Self(data.to_path_buf())
    }

    fn numbers(&self) -> Vec<u64> {
        let entries = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let number = |name: &str| name.strip_prefix("index.")?.parse().ok();
        let mut numbers: Vec<u64> = entries.filter_map(|entry| number(entry.file_name().to_str()?)).collect();
        numbers.sort_unstable();
        numbers
    }

    fn folder(&self, number: u64) -> PathBuf {
        self.0.join(format!("index.{number}"))
    }

    /// The one in use; the first where there is none.
    pub(super) fn current(&self) -> PathBuf {
        self.folder(self.numbers().last().copied().unwrap_or(1))
    }

    /// One that there is not yet.
    fn next(&self) -> PathBuf {
        self.folder(self.numbers().last().map_or(1, |last| last + 1))
    }

    /// Deletes all but the last.
    pub(super) fn clear(&self) {
        let numbers = self.numbers();
        for number in numbers.iter().rev().skip(1) {
            let _ = std::fs::remove_dir_all(self.folder(*number)); // it is tried again at the next start
        }
    }
}

/// The thread that keeps the index.
pub(super) struct Indexer {
    pub(super) shelves: Shelves,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) shelf: Shelf,
    pub(super) indexed: watch::Sender<u64>,
    pub(super) acknowledged: watch::Receiver<Head>,
    pub(super) work: mpsc::Receiver<Work>,
    /// Said when the service stops.
    pub(super) stopping: Arc<AtomicBool>,
}

impl Indexer {
    /// Brings the index up to the journal, drops `ready`, and works until the writer has stopped; then sees to it
    /// that the index is on the disk. After an unclean stop the index is read through before it is used, else meanwhile.
    pub(super) fn run(self, journal: Head, unclean: bool, ready: mpsc::Sender<()>, doubts: mpsc::SyncSender<Work>) {
        self.bring_up(journal, unclean);
        drop(ready);
        match self.shelf.load_full() {
            Some(store) if !unclean => read_through(store, doubts, Arc::clone(&self.stopping)),
            _ => drop(doubts),
        }
        let mut going_on = true;
        while going_on {
            let work = match self.work.recv_timeout(AGAIN) {
                Ok(work) => work,
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    if self.shelf.load().is_none() {
                        self.bring_up(*self.acknowledged.borrow(), true); // the disk may be well again
                    }
                    continue;
                }
            };
            match work {
                Work::Take(batch) => {
                    let batch = self.with_more(batch, &mut going_on);
                    self.take(&batch);
                }
                Work::Doubt(store, error) => self.doubt(&store, &error),
                Work::Stop => going_on = false,
            }
        }
        if let Some(store) = self.shelf.load_full()
            && let Err(error) = store.flush()
        {
            tracing::warn!(%error, "the index could not be flushed; it will be brought up to the journal at the next start");
        }
    }

    /// A batch with those that wait behind it: the more there is at once, the less each costs.
    fn with_more(&self, mut batch: Batch, going_on: &mut bool) -> Batch {
        while *going_on && batch.records.len() < TOGETHER {
            match self.work.try_recv() {
                Ok(Work::Take(more)) => batch.append(more),
                Ok(Work::Doubt(store, error)) => self.doubt(&store, &error),
                Ok(Work::Stop) => *going_on = false,
                Err(_) => break,
            }
        }
        batch
    }

    fn take(&self, batch: &Batch) {
        let Some(store) = self.shelf.load_full() else { return };
        let taken = store.head().and_then(|head| if batch.head.sequence > head.sequence { store.apply(batch) } else { Ok(()) });
        match taken {
            Ok(()) => {
                self.indexed.send_if_modified(|indexed| {
                    let further = batch.head.sequence > *indexed;
                    *indexed = batch.head.sequence.max(*indexed);
                    further
                });
            }
            Err(error) => self.doubt(&store, &error),
        }
    }

    /// Puts the index on the shelf as it lies there, brought up to the journal; made again where it cannot be used.
    fn bring_up(&self, journal: Head, unclean: bool) {
        match usable(&self.shelves, &*self.disk, journal, unclean, &self.stopping) {
            Ok(Some(store)) => self.put(store, journal),
            Ok(None) => self.make_again("it is of another journal"),
            Err(CatchUpError::Store(error)) => self.make_again(&error.to_string()),
            Err(CatchUpError::Stopping) => {}
            Err(error) => {
                tracing::error!(%error, "the index cannot be brought up to the journal now: the watch list is closed; it is tried again and again");
            }
        }
    }

    fn put(&self, store: Store, head: Head) {
        self.shelves.clear();
        self.shelf.store(Some(store));
        self.indexed.send_replace(head.sequence);
    }

    /// Makes the index again where it is this one that is damaged.
    fn doubt(&self, store: &Store, error: &StoreError) {
        if self.shelf.load_full().is_some_and(|used| Arc::ptr_eq(&used, store)) {
            self.make_again(&error.to_string());
        }
    }

    /// Makes the index again; until then there is none, and nothing is recorded.
    fn make_again(&self, why: &str) {
        tracing::warn!(why, "the index cannot be used: it is made again from the journal");
        self.shelf.store(None);
        let until = self.acknowledged.borrow().sequence; // what is behind is not certain; it is handed over when it is
        match rebuilt(&self.shelves, &*self.disk, until, &self.stopping) {
            Ok((store, head)) => {
                self.put(store, head);
                tracing::info!(sequence = head.sequence, "the index is made again");
            }
            Err(error) => {
                tracing::error!(%error, "the index cannot be made again now: the watch list is closed; it is tried again and again");
            }
        }
    }
}

/// Reads the index through while it is used: damage that nobody asks for is found too.
fn read_through(store: Store, doubts: mpsc::SyncSender<Work>, stopping: Arc<AtomicBool>) {
    thread::spawn(move || match store.read_through(&|| stopping.load(Ordering::Relaxed)) {
        Ok(()) => tracing::debug!("the index was read through"),
        Err(error) => drop(doubts.send(Work::Doubt(store, error))), // fails only where the service goes down
    });
}

/// The index as it lies there, brought up to the journal. None where it is of another journal.
fn usable(shelves: &Shelves, disk: &dyn Disk, journal: Head, unclean: bool, stopping: &AtomicBool) -> Result<Option<Store>, CatchUpError> {
    let store: Box<dyn WatchStore> = Box::new(Sled::open(&shelves.current())?);
    if unclean {
        tracing::info!("the last stop was not clean: the index is read through before it is used");
        store.read_through(&|| stopping.load(Ordering::Relaxed))?;
    }
    if !is_of(&*store, disk, journal)? {
        return Ok(None);
    }
    catch_up(&*store, disk, journal.sequence, stopping)?;
    Ok(Some(Arc::new(store)))
}

/// Makes the index again, in a folder of its own.
fn rebuilt(shelves: &Shelves, disk: &dyn Disk, until: u64, stopping: &AtomicBool) -> Result<(Store, Head), CatchUpError> {
    let folder = shelves.next();
    let made = made_in(&folder, disk, until, stopping);
    // where the service stops, the next start goes on with it
    if made.as_ref().is_err_and(|error| !matches!(error, CatchUpError::Stopping)) {
        let _ = std::fs::remove_dir_all(&folder); // on a full disk, each start would leave one more behind
    }
    made
}

fn made_in(folder: &Path, disk: &dyn Disk, until: u64, stopping: &AtomicBool) -> Result<(Store, Head), CatchUpError> {
    let store: Box<dyn WatchStore> = Box::new(Sled::open(folder)?);
    let head = catch_up(&*store, disk, until, stopping)?;
    store.flush()?;
    Ok((Arc::new(store), head))
}

/// Whether the index is of this journal: the last record that it has is there.
fn is_of(store: &dyn WatchStore, disk: &dyn Disk, journal: Head) -> Result<bool, CatchUpError> {
    let head = store.head()?;
    if head.sequence == 0 || head.sequence > journal.sequence {
        return Ok(head.sequence == 0);
    }
    let mut tail = Tail::before(head.sequence);
    let line = tail.next_line(disk, journal.sequence)?.unwrap_or_default();
    Ok(line::read(line).is_ok_and(|record| record.head() == head))
}

/// Takes in every record that the index does not have, up to that with the sequence `until`. One thread reads and folds,
/// another writes.
fn catch_up(store: &dyn WatchStore, disk: &dyn Disk, until: u64, stopping: &AtomicBool) -> Result<Head, CatchUpError> {
    let (head, numbers) = (store.head()?, store.numbers()?);
    let (send, batches) = mpsc::sync_channel::<Batch>(1);
    thread::scope(|scope| {
        let writing = scope.spawn(move || batches.iter().try_for_each(|batch| store.apply(&batch)));
        let mut folding = Folding {
            store,
            head,
            numbers,
            files: [FxHashMap::default(), FxHashMap::default(), FxHashMap::default()],
            batch: Batch::default(),
            send,
        };
        let walked = reader::walk(disk, head.sequence + 1, |record, place| {
            if record.sequence > until {
                return Ok(());
            }
            if stopping.load(Ordering::Relaxed) {
                return Err(CatchUpError::Stopping);
            }
            folding.fold(record, place)?;
            if folding.batch.records.len() >= TOGETHER { folding.hand_over() } else { Ok(()) }
        });
        let done = walked.and_then(|_| folding.hand_over());
        let head = folding.head;
        drop(folding);
        let written = writing.join().unwrap_or_else(|_| Err(StoreError("the thread that writes it died".to_owned())));
        written?; // why, where folding could not hand over any more
        done.map(|()| head)
    })
}

/// Records that are folded into files, to be taken in together.
struct Folding<'s> {
    store: &'s dyn WatchStore,
    head: Head,
    numbers: Numbers,
    /// Files as they are in this batch, and in the two before, which may still be on their way to the store.
    files: [FxHashMap<FirmId, Arc<File>>; 3],
    batch: Batch,
    send: mpsc::SyncSender<Batch>,
}

impl Folding<'_> {
    fn fold(&mut self, record: &Record<'_>, place: Place) -> Result<(), CatchUpError> {
        let payload = Payload::read(record.payload).map_err(|error| CatchUpError::Payload(record.sequence, error))?;
        let recorded = Recorded { sequence: record.sequence, at: record.at, by: &record.actor };
        let mut last = None;
        for change in &payload.changes {
            let before = self.file(change.firm)?;
            let Some(after) = File::after(before.as_deref().cloned(), change, recorded) else { continue };
            self.numbers = numbers_after(self.numbers, &after);
            let after = Arc::new(after);
            self.files[0].insert(after.id, Arc::clone(&after));
            self.batch.records.push((after.id, place));
            last = Some(after.id);
            self.batch.changes.push(FileChange { before, after });
        }
        if let (Some(firm), Some(body), false) = (last, payload.body_hash(), record.request_id.is_empty()) {
            let key = RequestKey { identity: record.actor.to_string(), id: record.request_id.to_string() };
            self.batch.requests.push((key, Answered { firm, body, place }));
        }
        self.head = record.head();
        Ok(())
    }

    fn file(&self, firm: FirmId) -> Result<Option<Arc<File>>, StoreError> {
        if firm.0 > self.numbers.firms {
            return Ok(None); // it is opened just now
        }
        match self.files.iter().find_map(|files| files.get(&firm)) {
            Some(file) => Ok(Some(Arc::clone(file))),
            None => Ok(self.store.file(firm)?.map(Arc::new)),
        }
    }

    /// Gives what was folded to the thread that writes. When it has room for it, the batch before the last is written.
    fn hand_over(&mut self) -> Result<(), CatchUpError> {
        let batch = Batch { head: self.head, numbers: self.numbers, ..std::mem::take(&mut self.batch) };
        self.send.send(batch).map_err(|_| StoreError("the index cannot be written".to_owned()))?;
        self.files.rotate_right(1);
        self.files[0] = FxHashMap::default();
        Ok(())
    }
}
