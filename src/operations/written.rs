//! What a finished operation wrote (结果文件), for whoever started it: the very files, or none.

use std::{
    fs::{File, Metadata},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
};

use serde::{Deserialize, Serialize};

use super::{
    Operations,
    folder::PathError,
    operation::Operation,
    record::{Asked, State},
    run::Folders,
};
use crate::rescreen::output::REJECTS_ENDING;

/// Most bytes of a piece.
const PIECE: u64 = 64 << 10;

/// A file that an operation writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The flagged firms.
    Output,
    /// The rows that were rejected.
    Rejects,
}

/// By what a file is known again: another that has its name is not it, nor is it what somebody changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    inode: u64,
    size: u64,
    /// When it was last changed, in seconds and nanoseconds.
    changed: (i64, i64),
}

/// The files of an operation that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    output: Known,
    rejects: Known,
}

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operation is not done.
    #[error("the operation is not done: it has no output")]
    NotDone,
    /// It is not there any more.
    #[error("the file is gone")]
    Gone,
    /// Another lies there, or it was changed.
    #[error("the file is not the one any more that the operation wrote")]
    Changed,
    /// It is not so long.
    #[error("the file ends at byte {0}")]
    Behind(u64),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

impl From<&Metadata> for Known {
    fn from(data: &Metadata) -> Self {
        Self { inode: data.ino(), size: data.len(), changed: (data.mtime(), data.mtime_nsec()) }
    }
}

/// A file that is being read.
#[derive(Debug)]
pub struct Reading {
    file: File,
    known: Known,
    left: u64,
}

impl Reading {
    /// Its size in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.known.size
    }

    /// The next bytes, at most 64 KiB; none at the end, where the file is what it was at the beginning. May block.
    ///
    /// # Errors
    /// [`ReadError::Changed`] where it was changed meanwhile, [`ReadError::Io`] where it cannot be read.
    pub fn next_piece(&mut self) -> Result<Vec<u8>, ReadError> {
        let mut piece = Vec::new();
        self.file.by_ref().take(self.left.min(PIECE)).read_to_end(&mut piece)?;
        if piece.is_empty() && (self.left > 0 || Known::from(&self.file.metadata()?) != self.known) {
            return Err(ReadError::Changed);
        }
        self.left -= piece.len() as u64;
        Ok(piece)
    }
}

impl Folders {
    /// A file of an output, as it lies there.
    fn open(&self, asked: &Asked, which: Which) -> Result<(File, Known), ReadError> {
        let name = match which {
            Which::Output => asked.output.clone(),
            Which::Rejects => format!("{}.{REJECTS_ENDING}", asked.output),
        };
        let path = self.outputs.file(&name).map_err(|error| match error {
            PathError::Io(error) => ReadError::Io(error),
            _ => ReadError::Gone,
        })?;
        let file = File::open(path)?;
        let known = Known::from(&file.metadata()?);
        Ok((file, known))
    }

    /// What an operation wrote that is done; none where it was taken away at once.
    pub(super) fn written(&self, asked: &Asked) -> Option<Written> {
        let known = |which| self.open(asked, which).ok().map(|(_, known)| known);
        Some(Written { output: known(Which::Output)?, rejects: known(Which::Rejects)? })
    }
}

impl Operations {
    /// Opens what an operation wrote, from a byte on. May block.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(&self, operation: &Operation, which: Which, offset: u64) -> Result<Reading, ReadError> {
        let record = operation.record();
        if record.state != State::Done {
            return Err(ReadError::NotDone);
        }
        let (mut file, known) = self.folders().open(&record.asked, which)?;
        let wrote = record.written.map(|written| if which == Which::Output { written.output } else { written.rejects });
        if wrote != Some(known) {
            return Err(ReadError::Changed);
        }
        let left = known.size.checked_sub(offset).ok_or(ReadError::Behind(known.size))?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Reading { file, known, left })
    }
}
