//! The office: what commands come to, that nothing acknowledged is lost, and that nobody needs to help.

mod crash;
mod damage;
mod decide;
mod faults;
mod joint;
mod live;
mod model;
mod people;
mod random;
mod reopening;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use mingcha::{
    auth::Identity,
    embedded,
    journal::{
        Hash,
        disk::Folder,
        verify::{Report, verify},
    },
    library::Version,
    office::{Acknowledged, History, Office, OfficeError, OpenError, Opened, Settings, Store, Submission, Until},
    watch::{command::Command, deadline::Deadlines, file::File, key::FirmId},
};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

/// The lists, with a calendar that has every year to come: the office goes by the clock.
pub(crate) fn version() -> Arc<Version> {
    static VERSION: OnceLock<Arc<Version>> = OnceLock::new();
    let build = || {
        let files = embedded::files();
        let mut calendar = files.iter().find(|(path, _)| *path == "calendar.tsv").expect("it is there").1.to_owned();
        calendar.extend((2027..2100).map(|year| format!("{year}\tyear\tnone\tnone\n")));
        let files = files.overlaid([("calendar.tsv".to_owned(), calendar)], &[]);
        Arc::new(Version::build(&files, SystemTime::now()).unwrap_or_else(|problems| panic!("{problems}")))
    };
    Arc::clone(VERSION.get_or_init(build))
}

fn settings(data: &Path) -> Settings {
    Settings { data: data.to_path_buf(), deadlines: Deadlines::default() }
}

/// What a request says: the same command is the same body.
fn submission(identity: &Arc<Identity>, request_id: &str, command: &Command) -> Submission {
    let body = Hash(Sha256::digest(format!("{command:?}")).into());
    let (identity, request_id, command) = (Arc::clone(identity), request_id.to_owned(), command.clone());
    Submission { identity, request_id, body, command, documents: None, version: version() }
}

/// An office over a folder.
struct Desk {
    data: PathBuf,
    runtime: Runtime,
    opened: Option<Opened>,
}

impl Desk {
    fn open(data: &Path) -> Self {
        Self::over(data, Office::open(&settings(data))).unwrap_or_else(|error| panic!("{error}"))
    }

    fn over(data: &Path, opened: Result<Opened, OpenError>) -> Result<Self, OpenError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        Ok(Self { data: data.to_path_buf(), runtime, opened: Some(opened?) })
    }

    fn office(&self) -> &Office {
        &self.opened.as_ref().expect("it is open").office
    }

    fn submit(&self, identity: &Arc<Identity>, request_id: &str, command: &Command) -> Result<Acknowledged, OfficeError> {
        patiently(|| self.submit_once(identity, request_id, command))
    }

    /// Without waiting for an index that is made again.
    fn submit_once(&self, identity: &Arc<Identity>, request_id: &str, command: &Command) -> Result<Acknowledged, OfficeError> {
        self.runtime.block_on(self.office().submit(submission(identity, request_id, command)))
    }

    fn does(&self, identity: &Arc<Identity>, command: &Command) -> Acknowledged {
        self.submit(identity, "", command).unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    fn settled(&self) -> Store {
        patiently(|| self.runtime.block_on(self.office().settled())).unwrap_or_else(|error| panic!("{error}"))
    }

    fn files(&self) -> Vec<File> {
        self.read(files)
    }

    /// Reads from the index; where that finds it damaged, says so and reads again, as the service does.
    fn read<T>(&self, read: impl Fn(&Store) -> Result<T, OfficeError>) -> T {
        loop {
            let store = self.settled();
            match read(&store) {
                Ok(read) => return read,
                Err(OfficeError::Store(error)) => self.office().doubt(store, error),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// A firm's history to its end.
    fn history(&self, firm: FirmId) -> History {
        self.read(|store| History::read(firm, Until::Now, store, &**self.office().journal()))
    }

    fn close(&mut self) {
        self.opened.take().expect("it is open").close();
    }

    /// Closes it, lets something happen to its folder, and opens it again.
    fn reopened(mut self, meanwhile: impl FnOnce(&Path)) -> Self {
        self.close();
        meanwhile(&self.data);
        Self::open(&self.data)
    }
}

/// Waits while the index is made again.
fn patiently<T>(ask: impl Fn() -> Result<T, OfficeError>) -> Result<T, OfficeError> {
    loop {
        match ask() {
            Err(OfficeError::Rebuilding) => std::thread::sleep(Duration::from_millis(2)),
            other => return other,
        }
    }
}

/// Every file of a store, by number.
fn files(store: &Store) -> Result<Vec<File>, OfficeError> {
    let numbers = 1..=store.numbers()?.firms;
    numbers.map(|number| Ok(store.file(FirmId(number))?.unwrap_or_else(|| panic!("F{number} is missing")))).collect()
}

/// The index's folder in use.
fn index(data: &Path) -> PathBuf {
    let names = std::fs::read_dir(data).expect("a folder").map(|entry| entry.expect("an entry").path());
    names.filter(|path| path.to_string_lossy().contains("/index.")).max().unwrap_or_else(|| data.join("index.1"))
}

fn verified(data: &Path) -> Report {
    let report = verify(&Folder::open(&data.join("journal")).expect("a folder"), &[]).expect("it can be read");
    assert_eq!((report.findings.as_slice(), &report.torn), (&[][..], &None));
    report
}
