//! The office (登记与移送): where commands become records. It joins the pure state machines of [`watch`](crate::watch) to
//! the [`journal`](crate::journal), the [index](crate::storage), and the clock.
//!
//! One writer decides and records ([`writer`]): commands that wait are written together, with one fsync, and only then
//! acknowledged. What they come to is handed to the index by another thread ([`indexing`]), which may lag behind; a
//! reader first waits until the index has what was acknowledged before it asked ([`Office::settled`]). Where the index
//! is missing, damaged, of another version or of another journal, it is made again, and nobody needs to help.

mod anchoring;
mod history;
mod indexing;
mod opening;
mod payload;
mod recent;
mod screening;
mod writer;

use std::{
    path::Path,
    sync::{Arc, mpsc as std_mpsc},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot, watch};

pub use anchoring::Anchors;
pub use history::{Entry as HistoryEntry, History, Until};
pub use opening::{OpenError, Opened, Settings, lock};
pub use payload::Payload;
pub use screening::screening;

use writer::Work;

use crate::{
    auth::Identity,
    journal::{Hash, Head, JournalError, disk::Disk, reader::Place},
    library::Version,
    storage::{StoreError, WatchStore},
    watch::{command::Command, decide::Refused, file::File, key::FirmKey},
};

/// Most commands that wait to be decided; more wait outside.
const WAITING: usize = 1024;
/// How long a reader waits for the index before it gives up.
const PATIENCE: Duration = Duration::from_secs(5);

fn file_by(store: &Store, key: &FirmKey) -> Result<Option<File>, StoreError> {
    store.firm_by(key)?.map_or(Ok(None), |firm| store.file(firm))
}

/// A command, with who gives it.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Who.
    pub identity: Arc<Identity>,
    /// The caller's id for the request; empty: it will not be remembered.
    pub request_id: String,
    /// SHA-256 of the request: the same id with another body is refused.
    pub body: Hash,
    /// What is to be done.
    pub command: Command,
    /// What is kept with it: for a screening, the request and the answer.
    pub documents: Option<Box<RawValue>>,
    /// The lists in use, for their calendar.
    pub version: Arc<Version>,
}

/// A command that was carried out, and is on the disk.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    /// How far the journal went with it.
    pub head: Head,
    /// The file that it was about, after it.
    pub file: Arc<File>,
    /// What it did.
    pub done: Done,
}

/// What a command did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It was recorded.
    Recorded,
    /// There was nothing to record: all of it was known.
    Nothing,
    /// The same request was recorded before, here.
    Before(Place),
}

/// Why a command was not carried out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OfficeError {
    /// It may not, or cannot, be done.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The id was used for another request.
    #[error("the request_id was used for another request, record {0}")]
    RequestIdUsed(u64),
    /// The journal takes nothing.
    #[error("{0}")]
    Journal(Arc<JournalError>),
    /// The index is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index is being made again from the journal.
    #[error("the index is being made again from the journal")]
    Rebuilding,
    /// The index did not reach what was acknowledged in time.
    #[error("the index lags behind the journal")]
    Lagging,
    /// The service stops.
    #[error("the service is stopping")]
    Stopping,
}

impl From<JournalError> for OfficeError {
    fn from(error: JournalError) -> Self {
        Self::Journal(Arc::new(error))
    }
}

/// What the writer is given to do.
enum Asked {
    /// To carry a command out.
    Do(Job),
    /// To stop, when what was asked before is done.
    Stop,
}

/// A submission with the way back.
struct Job {
    submission: Submission,
    reply: oneshot::Sender<Result<Acknowledged, OfficeError>>,
}

/// The index in use; none while it is made again.
type Shelf = Arc<ArcSwapOption<Box<dyn WatchStore>>>;
/// A store that is in use.
pub type Store = Arc<Box<dyn WatchStore>>;

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Office {
    jobs: mpsc::Sender<Asked>,
    shelf: Shelf,
    disk: Arc<dyn Disk>,
    data: Arc<Path>,
    /// The last record that was acknowledged.
    acknowledged: watch::Receiver<Head>,
    /// The last record that the index has.
    indexed: watch::Receiver<u64>,
    /// Where to say that the index is damaged.
    doubts: std_mpsc::SyncSender<Work>,
}

impl Office {
    /// Carries a command out, and returns when it is on the disk. Where the caller goes away meanwhile, it may be
    /// carried out all the same.
    ///
    /// # Errors
    /// [`OfficeError`]: nothing was changed.
    pub async fn submit(&self, submission: Submission) -> Result<Acknowledged, OfficeError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Asked::Do(Job { submission, reply })).await.map_err(|_| OfficeError::Stopping)?;
        answer.await.map_err(|_| OfficeError::Stopping)?
    }

    /// The index, once it has all that was acknowledged before this was called.
    ///
    /// # Errors
    /// [`OfficeError::Rebuilding`], [`OfficeError::Lagging`].
    pub async fn settled(&self) -> Result<Store, OfficeError> {
        let wanted = self.head().sequence;
        let mut indexed = self.indexed.clone();
        let reached = tokio::time::timeout(PATIENCE, indexed.wait_for(|indexed| *indexed >= wanted)).await;
        let store = self.shelf.load_full().ok_or(OfficeError::Rebuilding)?;
        match reached {
            Ok(Ok(_)) => Ok(store),
            Ok(Err(_)) => Err(OfficeError::Stopping),
            Err(_) => Err(OfficeError::Lagging),
        }
    }

    /// The file of the firm that is found by the first of these keys, as far as the index has come: without waiting, and without a
    /// word where there is none.
    #[must_use]
    pub fn glance(&self, keys: &[FirmKey]) -> Option<File> {
        let store = self.shelf.load_full()?;
        let found = keys.iter().find_map(|key| file_by(&store, key).transpose());
        let file = found?.map_err(|error| self.doubt(Arc::clone(&store), error)).ok()?;
        let other = keys.iter().any(|key| matches!(key, FirmKey::Uscc(code) if file.uscc.as_ref().is_some_and(|own| own != code)));
        (!other).then_some(file)
    }

    /// Says that a store was found damaged while it answered: it is made again from the journal, whoever asks next hears
    /// [`OfficeError::Rebuilding`] until then.
    pub fn doubt(&self, store: Store, error: StoreError) {
        let _ = self.doubts.try_send(Work::Doubt(store, error)); // where there is no room, the next who finds it says so
    }

    /// How far the journal goes: the last record that was acknowledged.
    #[must_use]
    pub fn head(&self) -> Head {
        *self.acknowledged.borrow()
    }

    /// Hears of every record that is acknowledged.
    #[must_use]
    pub fn heads(&self) -> watch::Receiver<Head> {
        self.acknowledged.clone()
    }

    /// How many records the index lags behind.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.head().sequence.saturating_sub(*self.indexed.borrow())
    }

    /// Whether the index is being made again.
    #[must_use]
    pub fn is_rebuilding(&self) -> bool {
        self.shelf.load().is_none()
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where the journal lies.
    #[must_use]
    pub fn journal(&self) -> &Arc<dyn Disk> {
        &self.disk
    }
}
