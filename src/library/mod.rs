//! The library (词表库): the wordlists in use, and every version that ever was.
//!
//! The current version is swapped whole while calls go on with the one they began with. Earlier ones are kept on disk
//! ([`versions`]), so that a decision can be asked again by the lists that made it. A folder of wordlists is watched
//! ([`watch`]).

mod recent;
pub mod versions;
pub mod watch;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
    thread,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id};

use crate::{
    embedded,
    problem::Problems,
    screen::{Answer, Engine, Firm},
    telemetry::{AnswerCounters, Metrics, texts},
    wordlist::Files,
};
use recent::Recent;
use versions::{KeepError, VersionError, Versions};

/// How a version is built while calls are served: on processors that nobody else wants just now. A lower priority
/// would not do: the scheduler lets it finish its slice of some milliseconds first.
const IDLE: ThreadSchedulePolicy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);

/// How long a renewal waits for idle processors: a build takes a third of it.
const PATIENCE: Duration = Duration::from_millis(400);

/// Has this thread, and those it makes, take only processors that nobody else wants just now. Where that cannot be had, others
/// wait a little.
pub(crate) fn gently() {
    let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, IDLE);
}

/// Where the lists in use come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// From inside the binary.
    Embedded,
    /// From a folder.
    Folder(PathBuf),
}

impl Source {
    /// Reads its files.
    ///
    /// # Errors
    /// The files that cannot be read.
    pub fn read(&self) -> Result<Files, Problems> {
        match self {
            Self::Embedded => Ok(embedded::files()),
            Self::Folder(folder) => embedded::read(folder),
        }
    }
}

/// One version of the lists, ready to screen.
#[derive(Debug)]
pub struct Version {
    engine: Engine,
    instruments: BTreeMap<String, String>,
    since: SystemTime,
    counters: OnceLock<Option<AnswerCounters>>,
}

impl Version {
    /// Builds and checks it.
    ///
    /// # Errors
    /// Every problem of the files.
    pub fn build(files: &Files, since: SystemTime) -> Result<Self, Problems> {
        let engine = Engine::build(files)?;
        let is_instrument = |path: &str| engine.lists().instruments().iter().any(|instrument| instrument.file == path);
        let texts = files.iter().filter(|(path, _)| is_instrument(path));
        let instruments = texts.map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
        Ok(Self { engine, instruments, since, counters: OnceLock::new() })
    }

    /// The same, on processors that no call wants, for a renewal; where there are none for a while, on those there are.
    /// `gentle` is held by who waits for idle processors, longer than anybody waits for it if need be: no more than one does.
    fn build_gently(files: &Arc<Files>, since: SystemTime, gentle: &Arc<()>) -> Result<Self, Problems> {
        if Arc::strong_count(gentle) > 1 {
            return Self::build(files, since);
        }
        let (send, receive) = mpsc::channel();
        let (theirs, held) = (Arc::clone(files), Arc::clone(gentle));
        thread::spawn(move || {
            gently();
            let _ = send.send(Self::build(&theirs, since)); // nobody may wait any more
            drop(held);
        });
        receive.recv_timeout(PATIENCE).unwrap_or_else(|_| Self::build(files, since))
    }

    /// The engine over it.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Screens a firm, and counts and tells the answer.
    pub fn screen(&self, firm: &Firm, metrics: &Metrics) -> Answer<'_> {
        let answer = self.engine.screen(firm);
        if let Some(counters) = self.counters(metrics) {
            counters.answered(&answer, &self.engine);
        }
        texts(firm, &answer);
        answer
    }

    /// The counters of its answers: made here where a library did not make them when it loaded it.
    fn counters(&self, metrics: &Metrics) -> Option<&AnswerCounters> {
        self.counters.get_or_init(|| AnswerCounters::new(metrics, &self.engine).ok()).as_ref()
    }

    /// Its lists hash.
    #[must_use]
    pub fn hash(&self) -> &str {
        self.engine.lists().hash()
    }

    /// The file of an instrument, as it stood in its folder.
    #[must_use]
    pub fn instrument_file(&self, path: &str) -> Option<&str> {
        self.instruments.get(path).map(String::as_str)
    }

    /// When it was loaded.
    #[must_use]
    pub fn since(&self) -> SystemTime {
        self.since
    }
}

/// Why the lists were not renewed. Those in use stay.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReloadError {
    /// They come from inside the binary.
    #[error("the lists come from inside the binary: there is no folder to read again")]
    NoFolder,
    /// They are bad.
    #[error("the new lists have problems:\n{0}")]
    Problems(#[from] Problems),
    /// They could not be kept, so that a decision by them could not be asked again.
    #[error(transparent)]
    Keep(#[from] KeepError),
}

/// What a reload came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// The version that served before.
    pub before: String,
    /// The version that serves now; the same where the folder has not changed.
    pub after: String,
}

/// See the module.
#[derive(Debug)]
pub struct Library {
    source: Source,
    versions: Option<Versions>,
    current: ArcSwap<Version>,
    recent: Recent,
    reloading: Mutex<Arc<()>>,
    metrics: OnceLock<Arc<Metrics>>,
}

impl Library {
    /// Opens it: reads and checks the lists, and keeps them in the data folder where there is one.
    ///
    /// # Errors
    /// [`ReloadError`] where the lists are bad or cannot be kept.
    pub fn open(source: Source, data: Option<&Path>) -> Result<Self, ReloadError> {
        let files = source.read()?;
        let version = Version::build(&files, SystemTime::now())?;
        let versions = data.map(Versions::open).transpose()?;
        if let Some(versions) = &versions {
            versions.keep(&files)?;
        }
        let current = ArcSwap::from_pointee(version);
        Ok(Self { source, versions, current, recent: Recent::default(), reloading: Mutex::default(), metrics: OnceLock::new() })
    }

    /// Counts the answers of every version in `metrics`: makes a version's counters, some milliseconds' work, when it is
    /// loaded, so that no call has to.
    pub fn count_in(&self, metrics: &Arc<Metrics>) {
        let _ = self.metrics.set(Arc::clone(metrics)); // said once
        self.counted(&self.current());
    }

    fn counted(&self, version: &Version) {
        if let Some(metrics) = self.metrics.get() {
            let _ = version.counters(metrics);
        }
    }

    /// The version in use now.
    #[must_use]
    pub fn current(&self) -> Arc<Version> {
        self.current.load_full()
    }

    /// The version with this hash, or the one in use now where it is empty. May read and build: not for a thread that
    /// must not wait, unless [`at_hand`](Self::at_hand) has it.
    ///
    /// # Errors
    /// [`VersionError`] where there is none.
    pub fn version(&self, hash: &str) -> Result<Arc<Version>, VersionError> {
        if let Some(version) = self.at_hand(hash) {
            return Ok(version);
        }
        versions::check_hash(hash)?;
        self.recent.get(hash, || {
            let files = self.files(hash)?;
            let damaged = |problems: Problems| VersionError::Unusable { hash: hash.to_owned(), problems };
            Version::build(&files, SystemTime::now()).inspect(|version| self.counted(version)).map_err(damaged)
        })
    }

    /// The version with this hash, where it needs no work.
    #[must_use]
    pub fn at_hand(&self, hash: &str) -> Option<Arc<Version>> {
        let current = self.current();
        (hash.is_empty() || hash == current.hash()).then_some(current)
    }

    /// The files of the version with this hash, or of the one in use now where it is empty.
    ///
    /// # Errors
    /// [`VersionError`] where they are not to be had.
    pub fn files(&self, hash: &str) -> Result<Files, VersionError> {
        let current = self.current();
        let hash = if hash.is_empty() { current.hash() } else { hash };
        versions::check_hash(hash)?;
        if let Some(versions) = &self.versions {
            match versions.read(hash) {
                Err(VersionError::Missing { .. }) => {}
                found => return found,
            }
        }
        let elsewhere = [Some(embedded::files()), self.source.read().ok()];
        let found = elsewhere.into_iter().flatten().find(|files| files.hash() == hash);
        found.ok_or_else(|| VersionError::Missing { hash: hash.to_owned() })
    }

    /// Reads the folder again, and serves by it from now on if it is good. One at a time. May take a while: not for a
    /// thread that must not wait.
    ///
    /// # Errors
    /// [`ReloadError`]; the version in use stays.
    pub fn reload(&self) -> Result<Reloaded, ReloadError> {
        let gentle = self.reloading.lock().unwrap_or_else(PoisonError::into_inner); // one reload at a time
        let before = self.current().hash().to_owned();
        if self.source == Source::Embedded {
            return Err(ReloadError::NoFolder);
        }
        let files = Arc::new(self.source.read()?);
        if files.hash() == before {
            return Ok(Reloaded { after: before.clone(), before });
        }
        let version = Version::build_gently(&files, SystemTime::now(), &gentle)?;
        if let Some(versions) = &self.versions {
            versions.keep(&files)?; // before it serves: what it decides must be there to be asked again
        }
        self.counted(&version);
        let after = version.hash().to_owned();
        self.current.store(Arc::new(version));
        Ok(Reloaded { before, after })
    }

    /// Where the lists in use come from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }
}
