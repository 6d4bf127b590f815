//! Opening a register: which format, which encoding, where the columns are.

use std::{
    fs::File,
    io::{self, Cursor, Read},
    path::Path,
    sync::{Arc, atomic::AtomicU64},
};

use memchr::memchr2;

use super::{
    blocks::{Block, Blocks, Form, LONGEST_RECORD, Piece, first_end},
    columns::{ColumnsError, Keys, Picks, Said},
    expand::{Limits, TooLarge, expanded},
    parquet,
    records::{Records, Shape},
    workbook,
};
use crate::encoding::{Encoding, MARK};

/// How much of a register is looked at to tell its encoding.
const BEGINNING: u64 = 256 * 1024;

/// The formats of registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Comma-separated values.
    Csv,
    /// Tab-separated values, without quoting.
    Tsv,
    /// One JSON object a line.
    Jsonl,
    /// A workbook; its first sheet that has rows.
    Xlsx,
    /// A file of Parquet.
    Parquet,
}

impl Kind {
    /// The format that a file's name says, without `.gz`, `.zst`.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let name = [".gz", ".zst", ".zstd"].iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "xlsx" | "xlsm" => Some(Self::Xlsx),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// The format that a text's first line speaks for.
    fn detect(beginning: &[u8]) -> Self {
        let line = &beginning[..memchr2(b'\r', b'\n', beginning).unwrap_or(beginning.len())];
        if line.trim_ascii_start().starts_with(b"{") {
            Self::Jsonl
        } else if line.contains(&b'\t') {
            Self::Tsv
        } else {
            Self::Csv
        }
    }
}

/// What is said about a register; what is not is found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Its format.
    pub kind: Option<Kind>,
    /// Its encoding.
    pub encoding: Option<Encoding>,
    /// Its columns.
    pub columns: Said,
    /// How far it may expand, where it is compressed.
    pub limits: Limits,
}

/// A register cannot be opened, or not be read on.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Reading failed.
    #[error(transparent)]
    Io(io::Error),
    /// It expands too far.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is in UTF-16.
    #[error("it is in UTF-16: save it as CSV UTF-8")]
    Utf16,
    /// It is a workbook or a Parquet file where these are not read.
    #[error("{0} is read from a file of its ending, not from a stream or a compressed file")]
    Stream(&'static str),
    /// Its header cannot be read.
    #[error("its first line is no header: {0}")]
    Header(&'static str),
    /// Its columns cannot be told.
    #[error(transparent)]
    Columns(#[from] ColumnsError),
}

const WORKBOOK: OpenError = OpenError::Stream("a workbook");
const PARQUET: OpenError = OpenError::Stream("a Parquet file");

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        let too_large = error.get_ref().and_then(|inner| inner.downcast_ref::<TooLarge>()).copied();
        too_large.map_or(Self::Io(error), Self::TooLarge)
    }
}

/// The pieces of a register, one after the other.
pub trait Pieces: Send {
    /// The next piece; none at the end.
    ///
    /// # Errors
    /// Where reading fails.
    fn next_piece(&mut self) -> Result<Option<Piece>, OpenError>;
}

impl<R: Read + Send> Pieces for Blocks<R> {
    fn next_piece(&mut self) -> Result<Option<Piece>, OpenError> {
        Ok(Blocks::next_piece(self)?)
    }
}

/// An open register.
pub struct Register {
    /// Its pieces.
    pub pieces: Box<dyn Pieces>,
    /// How to read their records.
    pub records: Records,
    /// Its size in bytes, as it lies there; none for a stream.
    pub size: Option<u64>,
    /// How many of these bytes were read.
    pub read: Arc<AtomicU64>,
}

impl Register {
    /// Opens a register; `-` is standard input.
    ///
    /// # Errors
    /// [`OpenError`] where it cannot be read, or its columns cannot be told.
    pub fn open(path: &Path, options: &Options) -> Result<Self, OpenError> {
        if path == Path::new("-") {
            return Self::of_stream(io::stdin(), None, None, options);
        }
        let file = File::open(path)?;
        let size = file.metadata()?.is_file().then(|| file.metadata().map(|data| data.len())).transpose()?;
        match options.kind.or_else(|| Kind::of(path)) {
            Some(Kind::Xlsx) => Self::of_workbook(path, size, options),
            Some(Kind::Parquet) => Self::of_parquet(path, size, options),
            kind => Self::of_stream(file, size, kind, options),
        }
    }

    /// Opens a stream of text, compressed or not.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn of_stream(
        input: impl Read + Send + 'static,
        size: Option<u64>,
        kind: Option<Kind>,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let read = Arc::new(AtomicU64::new(0));
        let mut input = expanded(input, &read, options.limits)?;
        let mut beginning = Vec::new();
        input.by_ref().take(BEGINNING).read_to_end(&mut beginning)?;
        match beginning[..] {
            [] => return Err(OpenError::Empty),
            [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] => return Err(OpenError::Utf16),
            [b'P', b'K', 3, 4, ..] => return Err(WORKBOOK),
            _ if beginning.starts_with(parquet::MAGIC) => return Err(PARQUET),
            _ => {}
        }
        let encoding = options.encoding.unwrap_or_else(|| Encoding::detect(&beginning));
        if beginning.starts_with(MARK) && encoding == Encoding::Utf8 {
            beginning.drain(..MARK.len());
        }
        let form = match options.kind.or(kind).unwrap_or_else(|| Kind::detect(&beginning)) {
            Kind::Csv => with_line_ends(Form::CSV, &beginning)?,
            Kind::Tsv => with_line_ends(Form::TSV, &beginning)?,
            Kind::Jsonl => Form::JSONL,
            Kind::Xlsx => return Err(WORKBOOK),
            Kind::Parquet => return Err(PARQUET),
        };
        let blocks = Blocks::new(Cursor::new(beginning).chain(input), form, 1);
        Self::with_header(blocks, form, encoding, size, read, options)
    }

    fn of_workbook(path: &Path, size: Option<u64>, options: &Options) -> Result<Self, OpenError> {
        let read = Arc::new(AtomicU64::new(0));
        let blocks = Blocks::new(workbook::Cells::open(path, options.limits, &read)?, Form::CELLS, 1);
        Self::with_header(blocks, Form::CELLS, Encoding::Utf8, size, read, options)
    }

    fn of_parquet(path: &Path, size: Option<u64>, options: &Options) -> Result<Self, OpenError> {
        let read = Arc::new(AtomicU64::new(0));
        let (rows, width, picks) = parquet::Rows::open(path, &options.columns, options.limits, &read)?;
        let records = Records { form: Form::CELLS, encoding: Encoding::Utf8, shape: Shape::Table { width, picks } };
        Ok(Self { pieces: Box::new(rows), records, size, read })
    }

    fn with_header<R: Read + Send + 'static>(
        mut blocks: Blocks<R>,
        form: Form,
        encoding: Encoding,
        size: Option<u64>,
        read: Arc<AtomicU64>,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let (shape, first) = if form == Form::JSONL {
            (Shape::Objects(Keys::known(&options.columns)?), None)
        } else {
            let (shape, rest) = header(&mut blocks, form, encoding, &options.columns)?;
            (shape, Some(rest))
        };
        let pieces = Box::new(Begun { first, blocks });
        Ok(Self { pieces, records: Records { form, encoding, shape }, size, read })
    }
}

/// The form with the line ends that a table has: LF, with a CR before it or not; or CR alone, as spreadsheets on a Mac wrote it.
fn with_line_ends(form: Form, beginning: &[u8]) -> Result<Form, OpenError> {
    let old = Form { record: b'\r', ..form };
    let blank = beginning.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let (header, rest) = beginning[blank..].split_at(first_end(&beginning[blank..], form));
    let text = header.trim_ascii_end();
    match (first_end(text, old) < text.len(), rest) {
        (false, _) => Ok(form),
        (true, []) => Ok(old), // no LF ends anything before
        (true, _) => Err(OpenError::Header("a carriage return (CR) stands in it, and a line feed (LF) ends it")),
    }
}

/// Reads the header; what follows it in its block is the first piece.
fn header<R: Read>(blocks: &mut Blocks<R>, form: Form, encoding: Encoding, said: &Said) -> Result<(Shape, Piece), OpenError> {
    let block = match blocks.next_piece()? {
        None => return Err(OpenError::Empty),
        Some(Piece::Bad(..)) => return Err(OpenError::Header("it has no end")),
        Some(Piece::Block(block)) => block,
    };
    let blank = block.bytes.iter().take_while(|byte| **byte == b'\r' || **byte == form.record).count();
    let end = blank + first_end(&block.bytes[blank..], form);
    if end > LONGEST_RECORD {
        return Err(OpenError::Header("it is far too long"));
    }
    let text = encoding.read(&block.bytes[blank..end]).ok_or(OpenError::Header("it is no text in the register's encoding"))?;
    if text.trim().is_empty() {
        return Err(OpenError::Empty);
    }
    let headers = fields(&text, form).ok_or(OpenError::Header("it is no text"))?;
    let headers: Vec<&str> = headers.iter().collect();
    if headers.iter().all(|header| header.trim().is_empty()) {
        return Err(OpenError::Empty);
    }
    let shape = Shape::Table { width: headers.len(), picks: Picks::find(&headers, said)? };
    let lines = memchr::memchr_iter(form.record, &block.bytes[..end]).count() as u64;
    Ok((shape, Piece::Block(Block { line: block.line + lines, bytes: block.bytes[end..].to_vec().into() })))
}

fn fields(text: &str, form: Form) -> Option<csv::StringRecord> {
    let text = text.strip_suffix(char::from(form.record)).unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).quoting(form.quotes).delimiter(form.field.unwrap_or(b',')).terminator(csv::Terminator::Any(form.record));
    builder.from_reader(text.as_bytes()).into_records().next()?.ok()
}

/// The pieces behind the header.
struct Begun<R> {
    first: Option<Piece>,
    blocks: Blocks<R>,
}

impl<R: Read + Send> Pieces for Begun<R> {
    fn next_piece(&mut self) -> Result<Option<Piece>, OpenError> {
        let rest = self.first.take().filter(|piece| !matches!(piece, Piece::Block(block) if block.bytes.is_empty()));
        rest.map_or_else(|| Ok(self.blocks.next_piece()?), |piece| Ok(Some(piece)))
    }
}
