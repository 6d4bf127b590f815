//! Parquet (列式存储): the rows of a file whose columns lie apart, as records of text.
//!
//! Row groups are read in their order, a page of each column at a time, and only the columns that are asked for: what is in
//! memory is a page of each (and its dictionary), and those of a batch, whatever the file's size; together within a limit. A row
//! is numbered by its place in the file, from 1.

mod column;
mod file;
mod footer;
mod header;
mod lengths;
mod pages;
mod shape;
mod thrift;
mod unbroken;

use std::{
    fs::File,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parquet::{data_type::ByteArray, errors::ParquetError, file::metadata::ParquetMetaData, schema::types::SchemaDescriptor};

use self::{
    column::Column,
    file::Guarded,
    unbroken::{broken, unbroken},
};
use super::{
    OpenError,
    blocks::{BLOCK, Block, Form, LONGEST_RECORD, Piece, Unreadable},
    columns::{ColumnsError, Picks, Said},
    expand::{Limits, TooLarge},
    open::Pieces,
};

/// What a Parquet file begins and ends with.
pub(super) const MAGIC: &[u8] = b"PAR1";
/// Most rows that are taken out of their columns at once.
const BATCH: u64 = 1024;
/// Most bytes of them, by what the row group says of itself: so much of earlier pages may be in memory.
const BATCH_BYTES: u64 = 8 << 20;

/// What a footer takes that leaves as much room for pages.
const FREE_FOOTER: u64 = 16 << 20;

impl From<ParquetError> for OpenError {
    fn from(error: ParquetError) -> Self {
        let ParquetError::External(inner) = error else { return std::io::Error::other(error).into() };
        match inner.downcast::<std::io::Error>() {
            Ok(io) => (*io).into(),
            Err(inner) => inner.downcast_ref::<TooLarge>().copied().map_or_else(|| std::io::Error::other(inner).into(), Self::TooLarge),
        }
    }
}

/// The rows of a Parquet file.
pub(super) struct Rows {
    file: Arc<Guarded>,
    metadata: ParquetMetaData,
    /// The columns that are read, by their place among those of the file.
    columns: Vec<usize>,
    /// How many row groups were begun.
    begun: usize,
    group: Group,
    /// The number of the next row.
    line: u64,
    /// Bytes of text that were handed out: one value of a column's dictionary may stand in any number of rows.
    expanded: u64,
}

/// A row group, and the batch of it whose rows are handed out.
#[derive(Default)]
struct Group {
    columns: Vec<Column>,
    /// Rows that were not taken out yet.
    left: usize,
    /// How many are taken out at once.
    most: usize,
    batch: Vec<Vec<Option<ByteArray>>>,
    /// How many rows of the batch were handed out, of how many.
    at: usize,
    rows: usize,
}

impl Rows {
    /// Opens a file and finds its columns; gives how many fields a row has, and where they are in it.
    pub(super) fn open(path: &Path, said: &Said, limits: Limits, read: &Arc<AtomicU64>) -> Result<(Self, usize, Picks), OpenError> {
        let file = Arc::new(Guarded::new(File::open(path)?, limits, Arc::clone(read))?);
        let (metadata, takes) = unbroken(|| Ok(footer::read(&file)?))?;
        file.open.fetch_add(takes.saturating_sub(FREE_FOOTER), Ordering::Relaxed);
        let (columns, picks) = columns(metadata.file_metadata().schema_descr(), said)?;
        let width = columns.len() + 1; // an empty one behind them: a row in which all are empty is a row still
        Ok((Self { file, metadata, columns, begun: 0, group: Group::default(), line: 1, expanded: 0 }, width, picks))
    }

    /// Whether there is a row to hand out, in the batch or behind it.
    fn advance(&mut self) -> Result<bool, OpenError> {
        while self.group.at == self.group.rows {
            if self.group.left > 0 {
                self.group.next_batch()?;
            } else if self.begun < self.metadata.num_row_groups() {
                self.group = Group::begin(&self.file, &self.metadata, self.begun, &self.columns)?;
                self.begun += 1;
            } else {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn piece(&mut self) -> Result<Option<Piece>, OpenError> {
        let (line, mut bytes) = (self.line, Vec::new());
        while bytes.len() < BLOCK && self.advance()? {
            if self.group.row_length() > LONGEST_RECORD {
                if bytes.is_empty() {
                    self.group.at += 1;
                    self.line += 1;
                    return Ok(Some(Piece::Bad(vec![(line, Unreadable::TooLong)])));
                }
                break;
            }
            self.group.write_row(&mut bytes);
            self.line += 1;
        }
        self.expanded += bytes.len() as u64;
        self.file.check(self.expanded, 0)?;
        Ok((!bytes.is_empty()).then_some(Piece::Block(Block { line, bytes: bytes.into() })))
    }
}

impl Pieces for Rows {
    fn next_piece(&mut self) -> Result<Option<Piece>, OpenError> {
        unbroken(|| self.piece())
    }
}

impl Group {
    fn begin(file: &Arc<Guarded>, metadata: &ParquetMetaData, number: usize, numbers: &[usize]) -> Result<Self, OpenError> {
        let group = metadata.row_group(number);
        let left = usize::try_from(group.num_rows()).map_err(|_| broken("a row group has fewer rows than none"))?;
        let columns: Vec<Column> =
            numbers.iter().map(|column| Column::open(file, group.column(*column), left)).collect::<Result<_, _>>()?;
        let bytes: i64 = numbers.iter().map(|column| group.column(*column).uncompressed_size().max(0)).fold(0, i64::saturating_add);
        let most = (BATCH_BYTES / bytes.unsigned_abs().div_ceil(group.num_rows().unsigned_abs().max(1)).max(1)).clamp(1, BATCH);
        let batch = columns.iter().map(|_| Vec::new()).collect();
        Ok(Self { columns, left, most: usize::try_from(most).unwrap_or(1), batch, at: 0, rows: 0 })
    }

    fn next_batch(&mut self) -> Result<(), OpenError> {
        let rows = self.left.min(self.most);
        for (column, texts) in self.columns.iter_mut().zip(&mut self.batch) {
            column.read(rows, texts)?;
            if texts.len() != rows {
                return Err(broken("a column has fewer values than its row group has rows"));
            }
        }
        (self.at, self.rows, self.left) = (0, rows, self.left - rows);
        Ok(())
    }

    fn row_length(&self) -> usize {
        self.batch.iter().map(|texts| texts[self.at].as_ref().map_or(0, ByteArray::len)).sum()
    }

    fn write_row(&mut self, out: &mut Vec<u8>) {
        for texts in &self.batch {
            let text = texts[self.at].as_ref().map_or(&[][..], ByteArray::data);
            Form::CELLS.write_cell(text, out);
            out.extend(Form::CELLS.field);
        }
        out.push(Form::CELLS.record);
        self.at += 1;
    }
}

/// The columns that are read, and where each is in a row of them alone.
fn columns(schema: &SchemaDescriptor, said: &Said) -> Result<(Vec<usize>, Picks), OpenError> {
    let roots = schema.root_schema().get_fields();
    let headers: Vec<&str> = roots.iter().map(|root| root.name()).collect();
    let (picked, picks) = Picks::find(&headers, said)?.alone();
    let leaf = |root: usize| {
        let leaf = (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == root);
        leaf.filter(|leaf| column::is_text(&schema.column(*leaf))).ok_or_else(|| ColumnsError::NoText(headers[root].to_owned()))
    };
    Ok((picked.into_iter().map(leaf).collect::<Result<_, _>>()?, picks))
}
