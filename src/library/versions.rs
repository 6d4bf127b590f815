//! Versions on disk (历史版本): `DATA/lists/HASH/` holds the files of one, as a wordlists folder does, so that
//! `mingcha --wordlists DATA/lists/HASH lists show ID` reads it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{embedded, problem::Problems, wordlist::Files};

/// A version could not be kept.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the lists cannot be kept in {}: {error}", path.display())]
pub struct KeepError {
    /// Where.
    path: PathBuf,
    /// Why.
    error: std::sync::Arc<io::Error>,
}

impl KeepError {
    fn at(path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| Self { path: path.to_owned(), error: std::sync::Arc::new(error) }
    }
}

/// Why a version is not to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// The hash is no hash.
    #[error("'{}' is no lists hash: 64 hexadecimal digits in lower case", .0.chars().take(80).collect::<String>())]
    NoHash(String),
    /// It was never kept here.
    #[error("the lists {hash} are not kept here")]
    Missing {
        /// Its hash.
        hash: String,
    },
    /// What is kept is not what was kept once.
    #[error("the lists kept in {folder} are damaged: they now have the hash {found}")]
    Damaged {
        /// Where.
        folder: String,
        /// The hash of what is there.
        found: String,
    },
    /// What is kept cannot be read.
    #[error("the lists kept in {folder} cannot be read: {problems}")]
    Unreadable {
        /// Where.
        folder: String,
        /// Why.
        problems: Problems,
    },
    /// This engine cannot use it: it was written for another.
    #[error("the lists {hash} cannot be used by this engine: {problems}")]
    Unusable {
        /// Its hash.
        hash: String,
        /// Why.
        problems: Problems,
    },
}

/// Whether a text can be a lists hash.
///
/// # Errors
/// [`VersionError::NoHash`] where it cannot.
pub fn check_hash(hash: &str) -> Result<(), VersionError> {
    let good = hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if good { Ok(()) } else { Err(VersionError::NoHash(hash.to_owned())) }
}

/// The folder of all versions.
#[derive(Debug)]
pub struct Versions(PathBuf);

impl Versions {
    /// The versions of a data folder; makes it where there is none.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn open(data: &Path) -> Result<Self, KeepError> {
        let folder = data.join("lists");
        make_folder(&folder).map_err(KeepError::at(&folder))?;
        Ok(Self(folder))
    }

    /// Keeps a version: afterwards it is on the disk. One that is kept already is checked, and kept anew where it is
    /// damaged.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn keep(&self, files: &Files) -> Result<(), KeepError> {
        let hash = files.hash();
        match self.read(&hash) {
            Ok(_) => return Ok(()),
            Err(VersionError::Missing { .. }) => {}
            Err(_) => self.set_aside(&hash)?,
        }
        let folder = self.0.join(&hash);
        let draft = self.draft(&hash);
        let written = write(&draft, files).and_then(|()| fs::rename(&draft, &folder)).and_then(|()| File::open(&self.0)?.sync_all());
        if written.is_err() {
            let _ = fs::remove_dir_all(&draft); // what is left of it is in nobody's way
            if self.read(&hash).is_ok() {
                return Ok(()); // another process was faster
            }
        }
        written.map_err(KeepError::at(&folder))
    }

    /// Reads a version.
    ///
    /// # Errors
    /// [`VersionError`] where it is not there, or not as it was.
    pub fn read(&self, hash: &str) -> Result<Files, VersionError> {
        check_hash(hash)?;
        let path = self.0.join(hash);
        if !path.exists() {
            return Err(VersionError::Missing { hash: hash.to_owned() });
        }
        let folder = path.display().to_string();
        let files = embedded::read(&path).map_err(|problems| VersionError::Unreadable { folder: folder.clone(), problems })?;
        let found = files.hash();
        if found == hash { Ok(files) } else { Err(VersionError::Damaged { folder, found }) }
    }

    /// A name that nobody else writes under.
    fn draft(&self, hash: &str) -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        self.0.join(format!(".{hash}.{}.{count}", process::id()))
    }

    /// A damaged version makes room for a good one; it is not thrown away.
    fn set_aside(&self, hash: &str) -> Result<(), KeepError> {
        let folder = self.0.join(hash);
        let aside = self.0.join(format!("{hash}.damaged.{}.{}", process::id(), jiff::Timestamp::now().as_millisecond()));
        fs::rename(&folder, aside).map_err(KeepError::at(&folder))
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn write(folder: &Path, files: &Files) -> io::Result<()> {
    let mut folders = vec![folder.to_owned()];
    make_folder(folder)?;
    for (path, text) in files.iter() {
        let path = folder.join(path);
        if let Some(parent) = path.parent().filter(|parent| !folders.iter().any(|known| known == parent)) {
            make_folder(parent)?;
            folders.push(parent.to_owned());
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
    }
    folders.iter().try_for_each(|folder| File::open(folder)?.sync_all())
}
