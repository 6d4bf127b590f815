//! The archive (压缩包) that a workbook is: its parts by name, each expanded within limits, whatever it says of its size.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flate2::bufread::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::broken;
use crate::register::{
    OpenError,
    expand::{Counted, Limits},
    section::Section,
};

/// The parts of a workbook.
pub(super) struct Archive {
    file: Arc<File>,
    entries: BTreeMap<String, Entry>,
    limits: Limits,
    /// Bytes that were read of the file.
    read: Arc<AtomicU64>,
    /// Bytes that all parts expanded to.
    expanded: Arc<AtomicU64>,
}

struct Entry {
    start: u64,
    packed: u64,
    deflated: bool,
    crc: u32,
}

impl Archive {
    /// Opens an archive; `read` counts what is read of it.
    pub(super) fn open(path: &Path, limits: Limits, read: Arc<AtomicU64>) -> Result<Self, OpenError> {
        let file = Arc::new(File::open(path)?);
        let mut archive = ZipArchive::new(BufReader::new(&*file)).map_err(io::Error::from)?;
        let mut entries = BTreeMap::new();
        let (mut packed, mut size) = (0u64, 0u64);
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(io::Error::from)?;
            packed = packed.saturating_add(entry.compressed_size());
            size = size.saturating_add(entry.size());
            let deflated = match entry.compression() {
                CompressionMethod::Deflated => true,
                CompressionMethod::Stored if !entry.encrypted() => false,
                _ => continue, // none that a workbook has
            };
            let Some(start) = entry.data_start() else { continue };
            let kept = Entry { start, packed: entry.compressed_size(), deflated, crc: entry.crc32() };
            entries.insert(plain(&entry.name().map_err(io::Error::from)?), kept);
        }
        limits.check(size, packed)?; // by what it says itself: no need to begin
        Ok(Self { file, entries, limits, read, expanded: Arc::default() })
    }

    /// A part by its name, if it is there.
    pub(super) fn part(&self, name: &str) -> Option<Part> {
        let entry = self.entries.get(&plain(name))?;
        let packed = Counted::new(Section::new(&self.file, entry.start).take(entry.packed), Arc::clone(&self.read));
        let input: Box<dyn Read + Send> =
            if entry.deflated { Box::new(DeflateDecoder::new(BufReader::with_capacity(64 * 1024, packed))) } else { Box::new(packed) };
        let (read, expanded) = (Arc::clone(&self.read), Arc::clone(&self.expanded));
        Some(Part { input, crc: crc32fast::Hasher::new(), expected: entry.crc, limits: self.limits, read, expanded })
    }
}

/// A name as it is looked for: some who write workbooks mix up cases and slashes.
fn plain(name: &str) -> String {
    name.replace('\\', "/").to_ascii_lowercase()
}

/// A part that is expanded.
pub(super) struct Part {
    input: Box<dyn Read + Send>,
    crc: crc32fast::Hasher,
    expected: u32,
    limits: Limits,
    read: Arc<AtomicU64>,
    expanded: Arc<AtomicU64>,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.crc.update(&buffer[..read]);
        if read == 0 && !buffer.is_empty() && self.crc.clone().finalize() != self.expected {
            return Err(broken("a checksum in it is wrong"));
        }
        let expanded = self.expanded.fetch_add(read as u64, Ordering::Relaxed).saturating_add(read as u64);
        self.limits
            .check(expanded, self.read.load(Ordering::Relaxed))
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(read)
    }
}
