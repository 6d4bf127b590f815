//! Long-running operations (长时任务): re-screenings that the service carries out, one after another or a few at a time.
//!
//! QUEUED → RUNNING → DONE, FAILED or CANCELLED. Each has a file in the data folder ([`store`]), written before anybody is told:
//! what was asked for is done, also where the service is killed meanwhile. A run that was interrupted is QUEUED again, and
//! goes on from the checkpoint beside its output. Files are named in configured folders only ([`folder`]). Nothing here knows
//! gRPC; the functions that write to the disk may block.

pub mod folder;
pub mod operation;
pub mod record;
mod run;
mod settle;
mod start;
mod store;
pub mod written;

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use jiff::Timestamp;
use tokio::{runtime::Handle, sync::watch, time::sleep};

use self::{
    operation::{Live, Operation},
    record::{Failure, FailureKind, Record, State},
    run::Runner,
    store::Store,
};
use crate::{
    library::{Library, gently},
    screen::ENGINE_VERSION,
    telemetry::Metrics,
};

pub use run::{BadPath, Folders, Recording};
pub use start::StartError;

/// What the keeping of operations is configured with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many go on at a time.
    pub at_once: usize,
    /// How many that have ended are kept.
    pub kept: usize,
    /// How often to put on the disk how far a run is.
    pub checkpoint_every: Duration,
    /// Whether runs take only processors that nobody else wants.
    pub gentle: bool,
}

/// Why an operation is not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// It goes on.
    #[error("it has not ended: cancel it first")]
    GoesOn,
    /// Its file cannot be removed.
    #[error("its record cannot be removed: {0}")]
    Keep(io::Error),
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Operations(Arc<Inner>);

struct Inner {
    store: Store,
    runner: Runner,
    settings: Settings,
    book: Mutex<Book>,
    /// Held while one is started: two must not be given one place.
    starting: Mutex<()>,
    stopping: AtomicBool,
    /// Whether those that wait will be had begin after a pause.
    pausing: AtomicBool,
    /// How many go on.
    running: watch::Sender<usize>,
    runtime: Handle,
}

/// How long one waits for which no thread could be had.
const PAUSE: Duration = Duration::from_secs(2);

/// All operations.
#[derive(Default)]
struct Book {
    all: BTreeMap<u64, Arc<Operation>>,
    queue: VecDeque<Arc<Operation>>,
    running: usize,
    last: u64,
}

impl std::fmt::Debug for Operations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operations").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl Operations {
    /// Opens those of a data folder, and goes on with those that had not ended. May block; call it in the runtime.
    ///
    /// # Errors
    /// Where the data folder cannot be read or written.
    pub fn open(
        data: &Path,
        folders: Folders,
        settings: Settings,
        library: Arc<Library>,
        recording: Box<dyn Recording>,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        let (store, records) = Store::open(data)?;
        folders.registers.sweep()?;
        let runner = Runner { library, folders, checkpoint_every: settings.checkpoint_every, recording, metrics };
        let mut book = Book::default();
        for record in records {
            book.last = record.number;
            let record = if record.state.is_ended() { record } else { Self::interrupted(&store, &runner, record) };
            let live = Live { rows: (&record.counts).into(), ..Live::default() };
            let live = match runner.folders.checkpoint(&record).filter(|_| !record.state.is_ended()) {
                None => live,
                Some(left) => Live { rows: (&left.counts).into(), checkpoint: Some((left.position, left.counts.rows)), ..live },
            };
            let place = runner.folders.outputs.real(&record.asked.output).filter(|_| !record.state.is_ended());
            let operation = Arc::new(Operation::new(record, live, place));
            if operation.state() == State::Queued {
                book.queue.push_back(Arc::clone(&operation));
            }
            book.all.insert(operation.record().number, operation);
        }
        let (running, _) = watch::channel(0);
        let (book, starting, runtime) = (Mutex::new(book), Mutex::default(), Handle::current());
        let (stopping, pausing) = (AtomicBool::new(false), AtomicBool::new(false));
        let operations = Self(Arc::new(Inner { store, runner, settings, book, starting, stopping, pausing, running, runtime }));
        operations.prune();
        operations.dispatch();
        Ok(operations)
    }

    /// The record of one that was interrupted: it waits again; one that was to be cancelled, is.
    fn interrupted(store: &Store, runner: &Runner, record: Record) -> Record {
        let record = if record.cancelled {
            runner.folders.discard(&record);
            record.to(State::Cancelled, Timestamp::now())
        } else if record.state == State::Running {
            let rows = runner.folders.checkpoint(&record).map_or(0, |left| left.counts.rows + u64::from(left.finished));
            record.ended_the_service(rows, Timestamp::now())
        } else {
            return Record { engine: ENGINE_VERSION.to_owned(), ..record };
        };
        if let Err(error) = store.write(&record) {
            tracing::error!(operation = record.name(), %error, "the record of an operation cannot be written");
        }
        record
    }

    /// The folders in which callers name files.
    #[must_use]
    pub fn folders(&self) -> &Folders {
        &self.0.runner.folders
    }

    /// The operation with a number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<Arc<Operation>> {
        self.book().all.get(&number).cloned()
    }

    /// Some operations that `seen` admits, the newest first, from before `before` on; and the number of the last where there
    /// are more.
    #[must_use]
    pub fn list(&self, before: Option<u64>, most: usize, seen: impl Fn(&Record) -> bool) -> (Vec<Arc<Operation>>, Option<u64>) {
        let book = self.book();
        let all = book.all.range(..before.unwrap_or(u64::MAX)).rev().map(|(_, operation)| operation);
        let mut page: Vec<_> = all.filter(|operation| seen(&operation.record())).take(most + 1).cloned().collect();
        let more = page.len() > most;
        page.truncate(most);
        let last = page.last().map(|operation| operation.record().number).filter(|_| more);
        (page, last)
    }

    /// Cancels an operation: at once where it waits, soon where it goes on; one that has ended stays as it is. May block.
    ///
    /// # Errors
    /// Where that cannot be written down.
    pub fn cancel(&self, operation: &Arc<Operation>) -> io::Result<()> {
        let _one = self.0.starting.lock().unwrap_or_else(PoisonError::into_inner); // nobody else writes its record now
        let waiting = {
            let mut book = self.book();
            let place = book.queue.iter().position(|waiting| Arc::ptr_eq(waiting, operation));
            place.inspect(|place| drop(book.queue.remove(*place)))
        };
        if operation.state().is_ended() {
            return Ok(());
        }
        let record = Record { cancelled: true, updated: Timestamp::now(), ..(*operation.record()).clone() };
        if let Err(error) = self.0.store.write(&record) {
            if let Some(place) = waiting {
                let mut book = self.book();
                let place = place.min(book.queue.len()); // others may have begun
                book.queue.insert(place, Arc::clone(operation)); // it waits as before
                drop(book);
                self.dispatch(); // its turn may have come meanwhile
            }
            return Err(error);
        }
        operation.set(record.clone());
        operation.stop.store(true, Ordering::Relaxed);
        if waiting.is_some() {
            self.folders().discard(&record);
            self.end(operation, record.to(State::Cancelled, Timestamp::now()));
            self.prune();
        }
        self.count();
        Ok(())
    }

    /// Forgets an operation that has ended; its output stays. May block.
    ///
    /// # Errors
    /// [`DeleteError`]: it stays.
    pub fn delete(&self, operation: &Operation) -> Result<(), DeleteError> {
        if !operation.state().is_ended() {
            return Err(DeleteError::GoesOn);
        }
        let number = operation.record().number;
        self.0.store.remove(number).map_err(DeleteError::Keep)?;
        self.book().all.remove(&number);
        Ok(())
    }

    /// Has every run stop at its next piece, and starts none any more: they go on when the service starts again.
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
        for operation in self.book().all.values().filter(|operation| operation.state() == State::Running) {
            operation.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Waits until no run goes on.
    pub async fn quiet(&self) {
        let _ = self.0.running.subscribe().wait_for(|running| *running == 0).await; // the sender is ours
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what waits and what goes on.
    fn count(&self) {
        let book = self.book();
        self.0.runner.metrics.operations(book.queue.len(), book.running);
        self.0.running.send_replace(book.running);
    }

    /// Has those begin for which there is room.
    fn dispatch(&self) {
        while let Some(operation) = self.next() {
            let (operations, waiting) = (self.clone(), Arc::clone(&operation));
            let begun = thread::Builder::new().name("rescreen".to_owned()).spawn(move || operations.run(&operation));
            if let Err(error) = begun {
                tracing::error!(%error, "no thread can be had for an operation");
                self.back_into_the_queue(waiting);
                break;
            }
        }
        self.count();
    }

    /// Has one wait again that could not begin: it is the first to begin when another ends or starts, or after a pause.
    fn back_into_the_queue(&self, operation: Arc<Operation>) {
        {
            let mut book = self.book();
            book.running -= 1;
            operation.set(operation.record().to(State::Queued, Timestamp::now()));
            book.queue.push_front(operation);
        }
        self.dispatch_later();
    }

    /// Has those begin after a pause for which there is room then; once, however often this is asked for meanwhile.
    fn dispatch_later(&self) {
        if self.0.pausing.swap(true, Ordering::Relaxed) {
            return;
        }
        let operations = self.clone();
        self.0.runtime.spawn(async move {
            sleep(PAUSE).await;
            operations.0.pausing.store(false, Ordering::Relaxed);
            operations.dispatch();
        });
    }

    /// Has one wait again whose thread could not have another; not where it is to be cancelled.
    fn waits_again(&self, operation: &Arc<Operation>) -> bool {
        let _one = self.0.starting.lock().unwrap_or_else(PoisonError::into_inner); // it may be cancelled meanwhile
        if operation.record().cancelled {
            return false;
        }
        self.keep(&operation.record().to(State::Queued, Timestamp::now()));
        self.back_into_the_queue(Arc::clone(operation));
        self.count();
        true
    }

    fn next(&self) -> Option<Arc<Operation>> {
        let mut book = self.book();
        if book.running >= self.0.settings.at_once || self.0.stopping.load(Ordering::Relaxed) {
            return None;
        }
        let operation = book.queue.pop_front()?;
        book.running += 1;
        operation.set(operation.record().to(State::Running, Timestamp::now()));
        Some(operation)
    }

    /// Carries one out, from its beginning to its end, and has the next begin.
    fn run(&self, operation: &Arc<Operation>) {
        {
            let _one = self.0.starting.lock().unwrap_or_else(PoisonError::into_inner); // it may be cancelled meanwhile
            self.keep(&operation.record());
        }
        let (inner, theirs) = (Arc::clone(&self.0), Arc::clone(operation));
        // a thread of its own: what has become gentle stays so, and what is said at the end must not wait
        let carried = thread::Builder::new().name("rescreening".to_owned()).spawn(move || {
            if inner.settings.gentle {
                gently();
            }
            inner.runner.carry_out(&theirs, &Self(Arc::clone(&inner)))
        });
        let internal = || Failure { kind: FailureKind::Internal, message: "the operation failed by a mistake in the service".to_owned() };
        let outcome = match carried {
            Ok(carried) => carried.join().unwrap_or_else(|_| Err(internal())),
            Err(error) => {
                tracing::error!(%error, "no thread can be had for an operation");
                if self.waits_again(operation) {
                    return;
                }
                Err(internal())
            }
        };
        self.settle(operation, outcome);
        self.book().running -= 1;
        self.dispatch();
        self.prune();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::{
        library::{Source, Version},
        operations::folder::Folder,
        rescreen::record::Recorder,
    };

    struct Nobody;

    impl Recording for Nobody {
        fn recorder(&self, _: &str, _: &Arc<Version>, _: &Arc<AtomicBool>) -> Result<Box<dyn Recorder + Send>, String> {
            Err("nobody records".to_owned())
        }
    }

    #[tokio::test]
    async fn however_many_wait_for_a_thread_one_looks_again() {
        let data = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(data.path()).expect("it is there");
        let folders = Folders { registers: folder.clone(), outputs: folder };
        let settings = Settings { at_once: 1, kept: 1, checkpoint_every: PAUSE, gentle: false };
        let library = Arc::new(Library::open(Source::Embedded, None).expect("the embedded lists are checked"));
        let metrics = Metrics::new().expect("metrics");
        let operations = Operations::open(data.path(), folders, settings, library, Box::new(Nobody), metrics).expect("it opens");
        for _ in 0..3 {
            operations.dispatch_later();
        }
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 1);
    }
}
