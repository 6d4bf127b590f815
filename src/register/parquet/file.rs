//! The file, and the limits that it is read within.

use std::{
    fs::File,
    io::{self, BufReader},
    os::unix::fs::FileExt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use parquet::{
    errors::ParquetError,
    file::reader::{ChunkReader, Length},
};

use crate::register::{
    expand::{Limits, TooLarge},
    section::Section,
};

/// A file whose pages are read within limits.
pub(super) struct Guarded {
    file: Arc<File>,
    size: u64,
    limits: Limits,
    /// Bytes that were read.
    read: Arc<AtomicU64>,
    /// What the pages expand to that were begun.
    expanded: AtomicU64,
    /// What is in memory of it.
    pub(super) open: AtomicU64,
}

impl Guarded {
    /// Reads a file; `read` counts what is read of it.
    pub(super) fn new(file: File, limits: Limits, read: Arc<AtomicU64>) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), size, limits, read, expanded: AtomicU64::new(0), open: AtomicU64::new(0) })
    }

    /// Checks what so many bytes of text, or of pages, come from: what was read and `more`.
    pub(super) fn check(&self, expanded: u64, more: u64) -> Result<(), TooLarge> {
        let read = self.read.load(Ordering::Relaxed).saturating_add(more);
        self.limits.check(expanded, read)
    }

    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Counts what a page expands to, and what it expands from.
    pub(super) fn expand(&self, page: u64, packed: u64) -> Result<(), ParquetError> {
        let expanded = self.expanded.fetch_add(page, Ordering::Relaxed).saturating_add(page);
        self.check(expanded, packed).map_err(|error| ParquetError::External(Box::new(error)))
    }

    pub(super) fn at(&self, at: u64) -> Section {
        Section::new(&self.file, at)
    }

    pub(super) fn bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.size) {
            return Err(ParquetError::EOF("it is cut off".to_owned()));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        self.read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(bytes.into())
    }
}

impl Length for Guarded {
    fn len(&self) -> u64 {
        self.size
    }
}

/// For pages, which were weighed.
impl ChunkReader for Guarded {
    type T = BufReader<Section>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::with_capacity(512, self.at(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.bytes(start, length)
    }
}
