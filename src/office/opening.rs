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
    time::Duration,
};

use arc_swap::ArcSwapOption;
use tokio::sync::{mpsc, watch};

use super::{
    Asked, Office, WAITING,
    indexing::{Indexer, Shelves},
    recent::Recent,
    writer::Writer,
};
use crate::{
    journal::{
        JournalError, SEGMENT,
        disk::{Disk, Folder},
        recovery,
    },
    watch::deadline::Deadlines,
};

/// How many batches wait for the index before the writer waits too.
const BATCHES: usize = 64;

/// How often, every 20 ms, a folder that is in use is tried: whoever had it may just be going, and a process that it
/// starts holds the lock too for a moment.
const LETTING_GO: usize = 25;

/// How long opening waits for the index.
const PATIENCE: Duration = Duration::from_secs(2);

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
    /// Closes it, and waits until all that was given to it is on the disk. May block.
    pub fn close(self) {
        let _ = self.office.jobs.blocking_send(Asked::Stop); // fails only where the writer has died
        self.stopping.store(true, Ordering::Relaxed);
        let ended: Vec<_> = self.threads.into_iter().map(JoinHandle::join).collect();
        if ended.iter().all(Result::is_ok) {
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
    let mut tries = 0..LETTING_GO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if tries.next().is_some() => thread::sleep(Duration::from_millis(20)),
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(data.to_path_buf())),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
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
        let running = settings.data.join("running");
        let unclean = running.exists();
        owned(&running).and_then(|marker| marker.sync_all()).map_err(|error| OpenError::Io(running.clone(), error))?;
        File::open(&settings.data).and_then(|data| data.sync_all()).map_err(|error| OpenError::Io(settings.data.clone(), error))?;

        let shelf = Arc::new(ArcSwapOption::empty());
        let (acknowledged, heads) = watch::channel(head);
        let (indexed, reached) = watch::channel(0);
        let (jobs, taken) = mpsc::channel(WAITING);
        let (indexing, work) = std_mpsc::sync_channel(BATCHES);
        let (stopping, doubts) = (Arc::new(AtomicBool::new(false)), indexing.clone());
        let writer = Writer {
            journal,
            recent: Recent::over(Arc::clone(&shelf)),
            numbers: None,
            deadlines: settings.deadlines,
            acknowledged,
            indexed: reached.clone(),
            indexing: indexing.clone(),
        };
        let indexer = Indexer {
            shelves: Shelves::of(&settings.data),
            disk: Arc::clone(&disk),
            shelf: Arc::clone(&shelf),
            indexed,
            acknowledged: heads.clone(),
            work,
            stopping: Arc::clone(&stopping),
        };
        let (ready, brought_up) = std_mpsc::channel();
        let threads = vec![thread::spawn(move || writer.run(taken)), thread::spawn(move || indexer.run(head, unclean, ready, doubts))];
        let _ = brought_up.recv_timeout(PATIENCE); // an index that is made again may take longer: the rest need not wait
        let office =
            Self { jobs, shelf, disk, data: settings.data.as_path().into(), acknowledged: heads, indexed: reached, doubts: indexing };
        Ok(Opened { office, threads, stopping, running, _lock: lock })
    }
}
