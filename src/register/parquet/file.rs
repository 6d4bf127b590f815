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
    data_type::ByteArray,
    errors::ParquetError,
    file::reader::{ChunkReader, Length},
};

use crate::register::{
    expand::{Limits, TooLarge},
    section::Section,
};

/// Most bytes of all pages together that are in memory, expanded, with what one is expanded from: those who write pages write
/// of 1 MiB mostly, and those of all columns that are asked for come to 50 MB where they write of whole row groups.
const MOST_OPEN: u64 = 96 << 20;
/// Most bytes of a footer, which becomes several times as much.
const MOST_FOOTER: usize = 16 << 20;
/// How much of a page's header has its sizes, and those of a dictionary.
const SIZES: usize = 40;
/// The kind of a page that is a dictionary.
const DICTIONARY: u64 = 2;

/// A file whose pages are read within limits.
pub(super) struct Guarded {
    file: Arc<File>,
    size: u64,
    limits: Limits,
    /// Bytes that were read.
    read: Arc<AtomicU64>,
    /// What the pages expand to that were begun.
    expanded: AtomicU64,
    /// What the pages take that are in memory.
    open: AtomicU64,
}

/// A column of a row group in it, and which of its pages are in memory.
pub(super) struct Chunk {
    file: Arc<Guarded>,
    /// Whether its pages are expanded from others.
    packed: bool,
    dictionary: AtomicU64,
    last: AtomicU64,
    /// Pages before the last one whose texts may be in use.
    earlier: AtomicU64,
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

    fn at(&self, at: u64) -> Section {
        Section::new(&self.file, at)
    }

    fn bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
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

/// For the footer.
impl ChunkReader for Guarded {
    type T = BufReader<Section>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::with_capacity(512, self.at(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if length > MOST_FOOTER {
            return Err(ParquetError::General(format!(
                "a footer of {length} bytes, of at most {MOST_FOOTER}: write it in larger row groups"
            )));
        }
        self.bytes(start, length)
    }
}

impl Chunk {
    /// A column of a file, whose pages may be `packed`.
    pub(super) const fn new(file: Arc<Guarded>, packed: bool) -> Self {
        Self { file, packed, dictionary: AtomicU64::new(0), last: AtomicU64::new(0), earlier: AtomicU64::new(0) }
    }

    /// Counts a page before it is read; its header begins at `start`.
    fn admit(&self, start: u64) -> Result<(), ParquetError> {
        let mut header = Vec::with_capacity(SIZES);
        self.file.at(start).take(SIZES as u64).read_to_end(&mut header)?;
        let Sizes { kind, page, packed, values } =
            sizes(&header).ok_or_else(|| ParquetError::General("a page does not say its size".to_owned()))?;
        let takes = page.saturating_add(values.saturating_mul(size_of::<ByteArray>() as u64));
        if kind == DICTIONARY {
            self.dictionary.fetch_add(takes, Ordering::Relaxed);
        } else {
            self.earlier.fetch_add(self.last.swap(takes, Ordering::Relaxed), Ordering::Relaxed);
        }
        let open = self.file.open.fetch_add(takes, Ordering::Relaxed).saturating_add(takes);
        let open = open.saturating_add(if self.packed { packed } else { 0 });
        if open > MOST_OPEN {
            let message = format!("pages of {open} bytes at a time, of at most {MOST_OPEN}: write it in smaller pages or row groups");
            return Err(ParquetError::General(message));
        }
        let expanded = self.file.expanded.fetch_add(page, Ordering::Relaxed).saturating_add(page);
        self.file.check(expanded, packed).map_err(|error| ParquetError::External(Box::new(error)))
    }

    /// No text is in use any more but those of the last page.
    pub(super) fn settle(&self) {
        self.file.open.fetch_sub(self.earlier.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let open = [&self.dictionary, &self.last, &self.earlier].map(|pages| pages.load(Ordering::Relaxed));
        self.file.open.fetch_sub(open.iter().sum(), Ordering::Relaxed);
    }
}

impl Length for Chunk {
    fn len(&self) -> u64 {
        self.file.size
    }
}

impl ChunkReader for Chunk {
    type T = BufReader<Section>;

    /// Called for headers of pages.
    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        self.admit(start)?;
        Ok(BufReader::with_capacity(512, self.file.at(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if length as u64 > MOST_OPEN {
            return Err(ParquetError::General(format!("a page of {length} bytes, of at most {MOST_OPEN}: write it in smaller ones")));
        }
        self.file.bytes(start, length)
    }
}

/// What the header of a page says first.
#[derive(Debug, PartialEq, Eq)]
struct Sizes {
    kind: u64,
    /// Its size expanded.
    page: u64,
    /// Its size as it lies there.
    packed: u64,
    /// The values of a dictionary; of no other page.
    values: u64,
}

/// Reads the sizes of a page's header, in Thrift's compact protocol.
fn sizes(mut header: &[u8]) -> Option<Sizes> {
    /// The field behind the last one, of 32 bits.
    const NEXT_I32: u8 = 0x15;
    /// A field of fields, the third or the fourth behind the last one: the dictionary's, behind a checksum or none.
    const DICTIONARY_HEADER: [u8; 2] = [0x3C, 0x4C];
    let mut next = |before: &[u8]| {
        header = header.strip_prefix(before)?;
        let length = header.iter().take(5).position(|byte| byte & 0x80 == 0)? + 1;
        let (number, rest) = header.split_at(length);
        header = rest;
        let zigzag = number.iter().rev().fold(0u64, |sum, byte| (sum << 7) | u64::from(byte & 0x7F));
        Some((zigzag, rest.first().copied()))
    };
    let not_below_zero = |zigzag: u64| (zigzag & 1 == 0).then_some(zigzag >> 1);
    let (kind, page) = (not_below_zero(next(&[NEXT_I32])?.0)?, not_below_zero(next(&[NEXT_I32])?.0)?);
    let (packed, mut behind) = next(&[NEXT_I32])?;
    let packed = not_below_zero(packed)?;
    if kind != DICTIONARY {
        return Some(Sizes { kind, page, packed, values: 0 });
    }
    if behind == Some(NEXT_I32) {
        behind = next(&[NEXT_I32])?.1; // its checksum
    }
    let field = behind.filter(|field| DICTIONARY_HEADER.contains(field))?;
    Some(Sizes { kind, page, packed, values: not_below_zero(next(&[field, NEXT_I32])?.0)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_its_sizes_first() {
        let page = |kind, page, packed, values| Some(Sizes { kind, page, packed, values });
        assert_eq!(sizes(&[0x15, 0, 0x15, 0x80, 0x80, 0x80, 0x80, 0x10, 0x15, 0x14, 0x2C]), page(0, 1 << 31, 10, 0));
        assert_eq!(sizes(&[0x15, 4, 0x15, 20, 0x15, 22, 0x4C, 0x15, 8, 0x15, 0]), page(2, 10, 11, 4));
        assert_eq!(sizes(&[0x15, 4, 0x15, 20, 0x15, 22, 0x15, 0x81, 1, 0x3C, 0x15, 8]), page(2, 10, 11, 4)); // with a checksum
        assert_eq!(sizes(&[0x15, 4, 0x15, 1, 0x15, 2]), None); // -1
        for cut in [&[][..], &[0x15, 0], &[0x15, 0, 0x25, 2, 0x15, 2], &[0x15, 0, 0x15, 0x80, 0x80], &[0x15, 4, 0x15, 20, 0x15, 22]] {
            assert_eq!(sizes(cut), None);
        }
    }
}
