//! The file, and the limits that it is read within: a page says how far it expands before it is expanded.

use std::{
    fs::File,
    io::{self, BufReader, Read},
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

/// Most bytes of a page, expanded: it is in memory as a whole. Those who write pages write of 1 MiB mostly, of 100 MB at most.
const MOST_PAGE: u64 = 128 << 20;
/// How much of a page's header has its sizes.
const SIZES: usize = 24;

/// How many bytes say, at the end of a file, where its footer is.
const LAST: u64 = 8;

/// A file whose pages are read within limits.
pub(super) struct Guarded {
    file: Arc<File>,
    size: u64,
    limits: Limits,
    /// Bytes that were read.
    read: Arc<AtomicU64>,
    /// What the pages expand to that were begun.
    expanded: AtomicU64,
}

impl Guarded {
    /// Reads a file; `read` counts what is read of it.
    pub(super) fn new(file: File, limits: Limits, read: Arc<AtomicU64>) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), size, limits, read, expanded: AtomicU64::new(0) })
    }

    /// Counts a page before it is read; its header begins at `start`.
    fn admit(&self, start: u64) -> Result<(), ParquetError> {
        let mut header = Vec::with_capacity(SIZES);
        self.at(start).take(SIZES as u64).read_to_end(&mut header)?;
        let [_, page, packed] = sizes(&header).ok_or_else(|| ParquetError::General("a page does not say its size".to_owned()))?;
        if page > MOST_PAGE {
            return Err(too_large(page));
        }
        let expanded = self.expanded.fetch_add(page, Ordering::Relaxed).saturating_add(page);
        self.check(expanded, packed).map_err(|error| ParquetError::External(Box::new(error)))
    }

    /// Checks what so many bytes of text, or of pages, come from: what was read and `more`.
    pub(super) fn check(&self, expanded: u64, more: u64) -> Result<(), TooLarge> {
        let read = self.read.load(Ordering::Relaxed).saturating_add(more);
        self.limits.check(expanded, read)
    }

    fn at(&self, at: u64) -> Section {
        Section::new(&self.file, at)
    }
}

impl Length for Guarded {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Guarded {
    type T = BufReader<Section>;

    /// Called for headers of pages, and for the last bytes of the file.
    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        if start.saturating_add(LAST) < self.size {
            self.admit(start)?;
        }
        Ok(BufReader::with_capacity(512, self.at(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.size) {
            return Err(ParquetError::EOF("it is cut off".to_owned()));
        }
        if length as u64 > MOST_PAGE {
            return Err(too_large(length as u64));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        self.read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(bytes.into())
    }
}

fn too_large(bytes: u64) -> ParquetError {
    ParquetError::General(format!("a page or footer of {bytes} bytes, of at most {MOST_PAGE}: write it in smaller ones"))
}

/// The first three fields of a page's header, in Thrift's compact protocol: its kind, its size expanded and as it lies there.
fn sizes(mut header: &[u8]) -> Option<[u64; 3]> {
    const NEXT_I32: u8 = 0x15; // the field behind the last one, of 32 bits
    let mut fields = [0; 3];
    for field in &mut fields {
        header = header.strip_prefix(&[NEXT_I32])?;
        let length = header.iter().take(5).position(|byte| byte & 0x80 == 0)? + 1;
        let (number, rest) = header.split_at(length);
        let zigzag = number.iter().rev().fold(0u64, |sum, byte| (sum << 7) | u64::from(byte & 0x7F));
        *field = (zigzag & 1 == 0).then_some(zigzag >> 1)?; // none is below zero
        header = rest;
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_its_sizes_first() {
        assert_eq!(sizes(&[0x15, 0, 0x15, 0x80, 0x80, 0x80, 0x80, 0x10, 0x15, 0x14, 0x2C]), Some([0, 1 << 31, 10]));
        assert_eq!(sizes(&[0x15, 4, 0x15, 1, 0x15, 2]), None); // -1
        for cut in [&[][..], &[0x15, 0], &[0x15, 0, 0x25, 2, 0x15, 2], &[0x15, 0, 0x15, 0x80, 0x80]] {
            assert_eq!(sizes(cut), None);
        }
    }
}
