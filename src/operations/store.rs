//! The files (记录文件) of operations: one each, in the data folder.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::record::Record;

/// Keeps records of operations.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
}

impl Store {
    /// Opens that of a data folder, and reads what is there, the oldest first. What cannot be read is left where it is, and told.
    pub(super) fn open(data: &Path) -> io::Result<(Self, Vec<Record>)> {
        let folder = data.join("operations");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let mut records = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_none_or(|ending| ending != "json") {
                continue; // half written
            }
            match read(&path) {
                Ok(record) => records.push(record),
                Err(error) => tracing::error!(file = %path.display(), %error, "the record of an operation cannot be read"),
            }
        }
        records.sort_by_key(|record| record.number);
        Ok((Self { folder }, records))
    }

    /// Writes a record, in place of an earlier one: afterwards it is on the disk, whole.
    pub(super) fn write(&self, record: &Record) -> io::Result<()> {
        let path = self.path(record.number);
        let new = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec_pretty(record)?)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(&self.folder)?.sync_all()
    }

    /// Takes a record away.
    pub(super) fn remove(&self, number: u64) -> io::Result<()> {
        match fs::remove_file(self.path(number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => File::open(&self.folder)?.sync_all(),
        }
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:016x}.json"))
    }
}

fn read(path: &Path) -> io::Result<Record> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}
