//! The pages of a column (页), weighed before they are expanded and looked at before they are decoded: what the crate makes room
//! for by their word stays within a limit.

use std::{
    io::{self, BufReader, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flate2::bufread::MultiGzDecoder;
use parquet::{
    basic::{Compression, Encoding, Type},
    column::page::{Page, PageMetadata, PageReader},
    data_type::ByteArray,
    errors::{ParquetError, Result},
    file::{metadata::ColumnChunkMetaData, serialized_reader::SerializedPageReader},
};

use super::{
    file::Guarded,
    header::{Content, Header},
    lengths,
};

/// Most bytes of all pages together that are in memory, expanded, with what one is expanded from: those who write pages write
/// of 1 MiB mostly, and those of all columns that are asked for come to 50 MB where they write of whole row groups. The allocator
/// keeps for a second what the pages before them had: nearly twice as much is resident.
const MOST_OPEN: u64 = 72 << 20;
/// Encodings by their numbers, the last for all behind: a decoder stays, with its page, when the next one is encoded otherwise.
const DECODERS: usize = 16;
/// Room for the length of a value: two of four bytes each (of what it shares with the one before it, and of the rest), and as
/// much again while room is made for more.
const LENGTHS: u64 = 24;

/// What a column has in memory.
pub(super) struct Held {
    file: Arc<Guarded>,
    dictionary: AtomicU64,
    /// The last page of each decoder.
    last: [AtomicU64; DECODERS],
    /// Room for lengths, which decoders keep.
    lengths: AtomicU64,
    /// Pages before the last ones, and texts of their own, which may be in use.
    earlier: AtomicU64,
}

impl Held {
    pub(super) fn new(file: Arc<Guarded>) -> Self {
        let (dictionary, lengths, earlier) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        Self { file, dictionary, last: [const { AtomicU64::new(0) }; DECODERS], lengths, earlier }
    }

    /// Counts what is in memory from now on, and what is beside it for a moment.
    fn add(&self, bytes: u64, moment: u64) -> Result<()> {
        let open = self.file.open.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes).saturating_add(moment);
        if open > MOST_OPEN {
            let message = format!(
                "pages of {open} bytes at a time, of at most {MOST_OPEN}: write it in smaller pages or row groups (in DuckDB by ROW_GROUP_SIZE)"
            );
            return Err(ParquetError::General(message));
        }
        Ok(())
    }

    /// Counts a page of data, which takes the place of the last one of its decoder.
    fn add_page(&self, encoding: u64, takes: u64, lengths: u64, moment: u64) -> Result<()> {
        let decoder = if encoding == Encoding::PLAIN_DICTIONARY as u64 { Encoding::RLE_DICTIONARY as u64 } else { encoding };
        let last = &self.last[usize::try_from(decoder).unwrap_or(DECODERS).min(DECODERS - 1)];
        self.earlier.fetch_add(last.swap(takes, Ordering::Relaxed), Ordering::Relaxed);
        let more = lengths.saturating_sub(self.lengths.fetch_max(lengths, Ordering::Relaxed));
        self.add(takes.saturating_add(more), moment)
    }

    fn add_dictionary(&self, takes: u64, moment: u64) -> Result<()> {
        self.dictionary.fetch_add(takes, Ordering::Relaxed);
        self.add(takes, moment)
    }

    /// Counts a text that is in no page.
    pub(super) fn took(&self, bytes: u64) -> Result<()> {
        self.earlier.fetch_add(bytes, Ordering::Relaxed);
        self.add(bytes, 0)
    }

    /// No text is in use any more but those of the last pages.
    pub(super) fn settle(&self) {
        self.file.open.fetch_sub(self.earlier.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let rest = [&self.dictionary, &self.lengths, &self.earlier];
        let open = self.last.iter().chain(rest).map(|bytes| bytes.load(Ordering::Relaxed)).sum();
        self.file.open.fetch_sub(open, Ordering::Relaxed);
    }
}

/// Whether texts of a column may be no part of a page: what each shares with the one before it is written once.
pub(super) fn shares(chunk: &ColumnChunkMetaData) -> bool {
    chunk.encodings_mask().is_set(Encoding::DELTA_BYTE_ARRAY)
}

/// The pages of a column of a row group.
pub(super) struct Pages {
    inner: SerializedPageReader<Guarded>,
    held: Arc<Held>,
    /// Where the next one begins, and where the last one ends.
    next: u64,
    end: u64,
    packed: Compression,
    shares: bool,
    /// Whether it is said which rows have a value.
    levels: bool,
    /// Whether its values have one length: the crate mends pages that an earlier one of it wrote otherwise, in a copy.
    fixed: bool,
}

impl Pages {
    pub(super) fn open(held: Arc<Held>, chunk: &ColumnChunkMetaData, rows: usize) -> Result<Self> {
        let inner = SerializedPageReader::new(Arc::clone(&held.file), chunk, rows, None)?;
        let (next, length) = chunk.byte_range();
        Ok(Self {
            inner,
            held,
            next,
            end: next.saturating_add(length),
            packed: chunk.compression(),
            shares: shares(chunk),
            levels: chunk.column_descr().max_def_level() > 0,
            fixed: chunk.column_type() == Type::FIXED_LEN_BYTE_ARRAY,
        })
    }

    /// Counts a page before it is read.
    fn admit(&self, Header { page, packed, values, content, .. }: Header) -> Result<()> {
        // what is not compressed is as large as it lies there, whatever its header says
        let (size, moment) = if self.expands(content) { (page, packed) } else { (packed, 0) };
        let takes = if self.fixed { size.saturating_mul(2) } else { size };
        match content {
            Content::Dictionary => {
                self.held.add_dictionary(takes.saturating_add(values.saturating_mul(size_of::<ByteArray>() as u64)), moment)?;
            }
            Content::Data { encoding, .. } if encoding == Encoding::DELTA_BYTE_ARRAY as u64 => {
                if !self.shares {
                    return Err(ParquetError::General("a page in an encoding that its column does not have".to_owned()));
                }
                // with the last text and the next one, each as long as the page at most
                self.held.add_page(encoding, takes.saturating_mul(3), values.saturating_mul(LENGTHS), moment)?;
            }
            Content::Data { encoding, .. } => {
                let lengths = if encoding == Encoding::DELTA_LENGTH_BYTE_ARRAY as u64 { values.saturating_mul(LENGTHS) } else { 0 };
                self.held.add_page(encoding, takes, lengths, moment)?;
            }
        }
        self.held.file.expand(size, packed)
    }

    const fn expands(&self, content: Content) -> bool {
        !matches!(self.packed, Compression::UNCOMPRESSED) && !matches!(content, Content::Data { packed: false, .. })
    }

    /// Checks that a gzip expands to no more than the header says: the crate takes all that there is.
    fn check_gzip(&self, Header { length, page, packed, content, .. }: Header) -> Result<()> {
        let bare = if let Content::Data { bare, .. } = content { bare } else { 0 };
        if !matches!(self.packed, Compression::GZIP(_)) || !self.expands(content) || bare >= page {
            return Ok(());
        }
        let input = self.held.file.at(self.next + length + bare).take(packed.saturating_sub(bare));
        let expanded = MultiGzDecoder::new(BufReader::new(input)).take(page - bare + 1);
        if io::copy(&mut { expanded }, &mut io::sink())? > page - bare {
            return Err(ParquetError::General("a page expands to more than it says".to_owned()));
        }
        Ok(())
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        if self.next < self.end {
            let input = BufReader::with_capacity(512, self.held.file.at(self.next));
            let header = Header::read(input).map_err(|why| ParquetError::General(format!("the header of a page: {why}")))?;
            self.admit(header)?;
            self.check_gzip(header)?;
            self.next = self.next.saturating_add(header.length).saturating_add(header.packed);
        }
        let page = self.inner.get_next_page()?;
        if page.as_ref().is_some_and(|page| !lengths::are_as_many_as_values(page, self.levels)) {
            return Err(ParquetError::General("a page has more lengths than values".to_owned()));
        }
        Ok(page)
    }

    /// Asked for by those who pass over rows alone.
    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        Err(ParquetError::NYI("passing over pages".to_owned()))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        Err(ParquetError::NYI("passing over pages".to_owned()))
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::expand::Limits;

    #[test]
    fn what_stays_in_memory_is_counted_until_it_is_gone() {
        let file = tempfile::tempfile().expect("a file");
        let file = Arc::new(Guarded::new(file, Limits::default(), Arc::default()).expect("a file"));
        let open = || file.open.load(Ordering::Relaxed);
        let held = Held::new(Arc::clone(&file));
        let (plain, shared) = (Encoding::PLAIN as u64, Encoding::DELTA_BYTE_ARRAY as u64);
        held.add_page(plain, 100, 0, 5).expect("little");
        held.add_page(plain, 200, 0, 5).expect("little");
        assert_eq!(open(), 300); // texts of both are in use
        held.settle();
        held.add_page(shared, 1000, 50, 5).expect("little");
        held.took(7).expect("little");
        held.settle();
        held.add_page(shared, 3000, 40, 5).expect("little");
        held.settle();
        assert_eq!(open(), 200 + 3000 + 50); // the decoder of the plain ones keeps its page, that of the others its room
        held.add_dictionary(10_000, 0).expect("little");
        let other = Held::new(Arc::clone(&file));
        let most = MOST_OPEN - open();
        assert!(other.add_page(plain, most - 1, 0, 2).is_err(), "what it is expanded from is one too many");
        drop(other);
        assert_eq!(open(), 200 + 3000 + 50 + 10_000);
        drop(held);
        assert_eq!(open(), 0);
    }
}
