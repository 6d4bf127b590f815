//! Opening a data folder (启用数据目录): its lock, its journal, its index. Nobody needs to help, whatever came before.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc as std_mpsc,
    },
    thread::{self, JoinHandle},
};

use arc_swap::ArcSwapOption;
use tokio::sync::{mpsc, watch};

use super::{
    Office, Store, WAITING,
    indexing::{self, CatchUpError, Indexer, Shelves},
    recent::Recent,
    writer::{Work, Writer},
};
use crate::{
    journal::{
        JournalError, SEGMENT,
        disk::{Disk, Folder},
        recovery,
    },
    storage::{WatchStore, sled::Sled},
    watch::deadline::Deadlines,
};

/// How many batches wait for the index before the writer waits too.
const BATCHES: usize = 64;

/// What an office needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data folder.
    pub data: PathBuf,
    /// How long a step of a referral may take.
    pub deadlines: Deadlines,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
    /// It cannot be read or written.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The index cannot be made from it.
    #[error("the index cannot be made: {0}")]
    Index(String),
}

impl From<CatchUpError> for OpenError {
    fn from(error: CatchUpError) -> Self {
        match error {
            CatchUpError::Journal(error) => Self::Journal(error),
            error => Self::Index(error.to_string()),
        }
    }
}

/// An office that works, and its threads.
#[derive(Debug)]
pub struct Opened {
    /// The office.
    pub office: Office,
    threads: Vec<JoinHandle<()>>,
    stopping: Arc<AtomicBool>,
    running: PathBuf,
    _lock: File,
}

impl Opened {
    /// Waits until all that was given to it is on the disk. Every [`Office`] must have been dropped.
    pub fn close(self) {
        drop(self.office);
        self.stopping.store(true, Ordering::Relaxed);
        let joined: Vec<_> = self.threads.into_iter().map(JoinHandle::join).collect(); // all of them, whatever becomes of one
        if joined.iter().all(Result::is_ok) {
            let _ = std::fs::remove_file(&self.running); // else the index is read through at the next start
        }
    }
}

/// Holds a data folder for this process alone, for as long as the file lives.
///
/// # Errors
/// [`OpenError::InUse`], [`OpenError::Io`].
pub fn lock(data: &Path) -> Result<File, OpenError> {
    let io = |error| OpenError::Io(data.to_path_buf(), error);
    Folder::open(data).map_err(io)?;
    let file = owned(&data.join("lock")).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(data.to_path_buf())),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

/// A file for the owner only, made where there is none.
fn owned(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
}

impl Office {
    /// Opens a data folder.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(settings: &Settings) -> Result<Opened, OpenError> {
        let data = settings.data.as_path();
        let lock = lock(data)?;
        let disk: Arc<dyn Disk> =
            Arc::new(Folder::open(&data.join("journal")).map_err(|error| OpenError::Io(data.join("journal"), error))?);
        Self::over(disk, settings, lock)
    }

    /// The same, over a journal on another disk: for tests that break it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn over(disk: Arc<dyn Disk>, settings: &Settings, lock: File) -> Result<Opened, OpenError> {
        let (journal, found) = recovery::open(Arc::clone(&disk), SEGMENT)?;
        if let Some((torn, kept)) = found.set_aside {
            tracing::warn!(
                segment = torn.segment,
                bytes = torn.bytes.len(),
                kept,
                "an unfinished last line, never acknowledged, was set aside"
            );
        }
        let head = journal.head();
        let shelves = Shelves::of(&settings.data);
        let store = brought_up(&shelves, &*disk, head)?;
        let numbers = store.numbers().map_err(|error| OpenError::Index(error.to_string()))?;
        let running = settings.data.join("running");
        let unclean = running.exists();
        owned(&running).map_err(|error| OpenError::Io(running.clone(), error))?;

        let shelf = Arc::new(ArcSwapOption::new(Some(store)));
        let (acknowledged, heads) = watch::channel(head);
        let (indexed, reached) = watch::channel(head.sequence);
        let (jobs, taken) = mpsc::channel(WAITING);
        let (indexing, work) = std_mpsc::sync_channel(BATCHES);
        let stopping = Arc::new(AtomicBool::new(false));
        if unclean {
            read_through(&shelf, indexing.clone(), Arc::clone(&stopping));
        }
        let recent = Recent::over(Arc::clone(&shelf));
        let deadlines = settings.deadlines;
        let doubts = indexing.clone();
        let writer = Writer { journal, recent, numbers, deadlines, acknowledged, indexed: reached.clone(), indexing };
        let indexer = Indexer { shelves, disk: Arc::clone(&disk), shelf: Arc::clone(&shelf), indexed, acknowledged: heads.clone(), work };
        let threads = vec![thread::spawn(move || writer.run(taken)), thread::spawn(move || indexer.run())];
        let office = Self { jobs, shelf, disk, acknowledged: heads, indexed: reached, doubts };
        Ok(Opened { office, threads, stopping, running, _lock: lock })
    }
}

/// The index as it lies there, brought up to the journal; made again where it cannot be used.
fn brought_up(shelves: &Shelves, disk: &dyn Disk, head: crate::journal::Head) -> Result<Store, OpenError> {
    match usable(shelves, disk, head) {
        Ok(Some(store)) => {
            shelves.clear();
            return Ok(store);
        }
        Ok(None) => tracing::warn!("the index is not of this journal: it is made again"),
        Err(CatchUpError::Store(error)) => tracing::warn!(%error, "the index cannot be used: it is made again from the journal"),
        Err(error) => return Err(error.into()),
    }
    Ok(indexing::rebuilt(shelves, disk, head.sequence)?.0)
}

fn usable(shelves: &Shelves, disk: &dyn Disk, head: crate::journal::Head) -> Result<Option<Store>, CatchUpError> {
    let store: Box<dyn WatchStore> = Box::new(Sled::open(&shelves.current())?);
    if !indexing::is_of(&*store, disk, head)? {
        return Ok(None);
    }
    indexing::catch_up(&*store, disk, head.sequence)?;
    Ok(Some(Arc::new(store)))
}

/// After an unclean stop the index is read through while it is used: damage that nobody asks for is found too.
fn read_through(shelf: &super::Shelf, indexing: std_mpsc::SyncSender<Work>, stopping: Arc<AtomicBool>) {
    tracing::info!("the last stop was not clean: the index is read through");
    let Some(store) = shelf.load_full() else { return };
    thread::spawn(move || match store.read_through(&|| stopping.load(Ordering::Relaxed)) {
        Ok(()) => tracing::info!("the index is whole"),
        Err(error) => drop(indexing.send(Work::Doubt(Arc::clone(&store), error))), // fails only where the service goes down
    });
}
