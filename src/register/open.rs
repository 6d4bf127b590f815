//! Opening a register: which format, which encoding, where the columns are.

use std::{
    fs::File,
    io::{self, Cursor, Read},
    path::Path,
    sync::{Arc, atomic::AtomicU64},
};

use super::{
    blocks::{Blocks, Form, Piece},
    columns::{ColumnsError, Keys, Said},
    expand::{Limits, TooLarge, expanded},
    header::{header, with_line_ends},
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

    /// The format that a text's first line speaks for that holds anything.
    fn detect(beginning: &[u8]) -> Self {
        let lines = beginning.split(|byte| matches!(byte, b'\r' | b'\n'));
        let line = lines.into_iter().find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
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
    /// It is a workbook as they were before 2007, or one with a password.
    #[error("it is a workbook of before 2007 (.xls), or has a password: save it as .xlsx, without")]
    OldWorkbook,
    /// It is a workbook or a Parquet file where these are not read.
    #[error("{0} is read from a file of its ending, not from a stream or a compressed file")]
    Stream(&'static str),
    /// Its lines end in two ways: the first by CR alone, this one by LF.
    #[error("its lines end in two ways: line 1 by a carriage return (CR) alone, line {0} by a line feed (LF)")]
    TwoEnds(usize),
    /// Its header cannot be read.
    #[error("its first line is no header: {0}")]
    Header(&'static str),
    /// Its columns cannot be told.
    #[error(transparent)]
    Columns(#[from] ColumnsError),
}

/// What a compound file (复合文档) begins with: workbooks of before 2007, and those that are encrypted.
const COMPOUND: &[u8] = b"\xD0\xCF\x11\xE0";

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
            _ if beginning.starts_with(COMPOUND) => return Err(OpenError::OldWorkbook),
            _ if beginning.starts_with(parquet::MAGIC) => return Err(PARQUET),
            _ => {}
        }
        let encoding = options.encoding.unwrap_or_else(|| Encoding::detect(&beginning));
        let mark = encoding.encode(MARK);
        if beginning.starts_with(&mark) {
            beginning.drain(..mark.len());
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
        let mut beginning = Vec::new();
        File::open(path)?.take(COMPOUND.len() as u64).read_to_end(&mut beginning)?;
        if beginning == COMPOUND {
            return Err(OpenError::OldWorkbook);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn open(bytes: impl Into<Vec<u8>>) -> Result<Register, OpenError> {
        Register::of_stream(Cursor::new(bytes.into()), None, None, &Options::default())
    }

    fn refused(bytes: impl Into<Vec<u8>>) -> String {
        open(bytes).err().expect("it is refused").to_string()
    }

    /// The lines of the first piece.
    fn first(bytes: impl Into<Vec<u8>>) -> (u64, Vec<u8>) {
        let mut register = open(bytes).unwrap_or_else(|error| panic!("{error}"));
        match register.pieces.next_piece().expect("memory") {
            Some(Piece::Block(block)) => (block.line, block.bytes.to_vec()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_end_by_what_stands_first_outside_of_quotes() {
        let cases = [
            ("企业名称,x\r\"甲\n\",1\r", "\"甲\n\",1\r"),
            ("企业名称,\"x\ny\"\r\"甲\n\",1\r", "\"甲\n\",1\r"),
            ("企业名称,\"x\ry\"\n\"甲\r\",1\r\n", "\"甲\r\",1\r\n"),
            ("企业名称,x\r\n\"甲\r\",1\r", "\"甲\r\",1\r"),
            ("企业名称,x\r\r\n甲,1\r\r\n", "甲,1\r\r\n"),
        ];
        for (text, rest) in cases {
            assert_eq!(first(text).1, rest.as_bytes(), "{text:?}");
        }
        for mixed in ["企业名称,x\r\"甲\",1\n", "企业名称,x\r\"甲\n\",1\r乙\n,2\r"] {
            assert!(refused(mixed).contains("its lines end in two ways: line 1 by a carriage return"), "{mixed:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_character_of_the_header() {
        let text = "\u{FEFF}\"企业名称,简称\",经营范围,名称\n甲,x,乙\n";
        for bytes in [text.as_bytes(), &Encoding::Gb18030.encode(text)] {
            let shape = open(bytes).unwrap_or_else(|error| panic!("{error}")).records.shape;
            assert!(matches!(shape, Shape::Table { width: 3, .. }), "{shape:?}");
        }
    }

    #[test]
    fn blank_lines_before_a_table_say_nothing_of_its_format() {
        for row in ["甲\tx\n", "甲,x\n"] {
            let header = row.replace('甲', "企业名称").replace('x', "经营范围");
            assert_eq!(first(format!("\n\r\n\n{header}{row}")), (5, row.as_bytes().to_vec()));
        }
        assert_eq!(first("\n\n{\"name\":\"甲\"}\n").1, "\n\n{\"name\":\"甲\"}\n".as_bytes());
    }

    #[test]
    fn what_is_no_header_is_told_with_what_may_help() {
        let cases = [
            ("甲,乙\n1,2\n", "Say --columns name=…"),
            ("企业名称;经营范围\n甲;x\n", "separated by ';'"),
            ("企业名称|经营范围\n甲|x\n", "separated by '|'"),
            ("sep=,\n企业名称,经营范围\n甲,x\n", "in line 2"),
            ("\n某市企业名单,,\n\n\"企业名称\",经营范围,x\n", "in line 4"),
            ("\n某市企业名单\n企业名称\t经营范围\n", "in line 3"),
        ];
        for (text, hint) in cases {
            assert!(refused(text).contains(hint), "{text}: {}", refused(text));
        }
        assert!(refused(format!("{}\n", "某,".repeat(5000))).len() < 4000);
    }

    #[test]
    fn an_old_workbook_is_told_as_such() {
        let bytes = [COMPOUND, &[0xA1, 0xB1, 0x1A, 0xE1], &[0; 600]].concat();
        assert!(refused(bytes.clone()).contains(".xls)"));
        let file = tempfile::Builder::new().suffix(".xlsx").tempfile().expect("a file");
        std::fs::write(file.path(), bytes).expect("written");
        assert!(matches!(Register::open(file.path(), &Options::default()), Err(OpenError::OldWorkbook)));
    }
}
