//! Tables (表格) that a clerk opens in a spreadsheet, or a database reads: XLSX, CSV, JSON lines, Parquet. Every cell is a text.
//!
//! [`Sheet::create`] writes a file of one table, in the format that its name's ending says ([`Format::of`]). Whoever
//! writes several tables, or into memory, takes [`Workbook`], [`Csv`], [`Jsonl`] or [`Parquet`] by itself. The texts in the cells were
//! chosen by applicants: none of them may become a formula ([`csv`](self::Csv)) or break the file.

mod csv;
mod jsonl;
mod parquet;
mod workbook;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    ops::Range,
    path::{Path, PathBuf},
};

pub use csv::{Csv, CsvOptions};
pub use jsonl::Jsonl;
pub use parquet::Parquet;
pub use workbook::Workbook;

use crate::day::Date;

/// Stands between the values of a cell that holds several ([`Column::list`]).
pub const SEPARATOR: &str = "；";

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its header, in Chinese.
    pub title: &'static str,
    /// Its key in JSON.
    pub key: &'static str,
    /// Its width in a workbook, in characters.
    pub width: u8,
    /// Whether a cell holds several values with [`SEPARATOR`] between: an array in JSON.
    pub list: bool,
}

impl Column {
    /// A column of single values.
    #[must_use]
    pub const fn new(title: &'static str, key: &'static str, width: u8) -> Self {
        Self { title, key, width, list: false }
    }

    /// A column of several values a cell.
    #[must_use]
    pub const fn list(title: &'static str, key: &'static str, width: u8) -> Self {
        Self { title, key, width, list: true }
    }
}

/// A cell: a text, and which stretches of it to mark where the format can (hits in red).
#[derive(Debug, Clone, Copy, Default)]
pub struct Cell<'a> {
    /// The text.
    pub text: &'a str,
    /// The stretches, in bytes, in order, on character boundaries; those that overlap are marked once.
    pub marks: &'a [Range<usize>],
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self { text, marks: &[] }
    }
}

impl<'a> From<&'a String> for Cell<'a> {
    fn from(text: &'a String) -> Self {
        Self::from(text.as_str())
    }
}

/// A table could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// The file's name does not say in which format.
    #[error("'{0}' ends in none of .xlsx, .csv, .jsonl, .parquet")]
    Ending(String),
    /// Writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Writing a workbook failed.
    #[error("the workbook cannot be written: {0}")]
    Workbook(#[from] rust_xlsxwriter::XlsxError),
}

impl From<::parquet::errors::ParquetError> for SheetError {
    fn from(error: ::parquet::errors::ParquetError) -> Self {
        Self::Io(io::Error::other(error))
    }
}

impl From<serde_json::Error> for SheetError {
    fn from(error: serde_json::Error) -> Self {
        Self::Io(error.into())
    }
}

/// The formats there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A workbook.
    Xlsx,
    /// Comma-separated values.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// Columns apart from each other.
    Parquet,
}

impl Format {
    /// The format that a file's ending says.
    ///
    /// # Errors
    /// [`SheetError::Ending`] where it says none.
    pub fn of(path: &Path) -> Result<Self, SheetError> {
        let ending = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
        match ending.as_deref().and_then(std::ffi::OsStr::to_str) {
            Some("xlsx") => Ok(Self::Xlsx),
            Some("csv") => Ok(Self::Csv),
            Some("jsonl" | "ndjson") => Ok(Self::Jsonl),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(SheetError::Ending(path.display().to_string())),
        }
    }
}

/// Takes the rows of a table.
pub trait Table {
    /// Writes a row: a cell for every column.
    ///
    /// # Errors
    /// Where writing fails.
    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), SheetError>;
}

/// A file of one table.
pub enum Sheet {
    /// A workbook.
    Xlsx(Box<Workbook>),
    /// Comma-separated values.
    Csv(Box<Csv<BufWriter<File>>>),
    /// JSON lines.
    Jsonl(Jsonl<BufWriter<File>>),
    /// Parquet.
    Parquet(Box<Parquet<BufWriter<File>>>),
}

impl Sheet {
    /// Begins a file in the format of its ending. `name` is the sheet's in a workbook, `day` the day it says that it was
    /// made.
    ///
    /// # Errors
    /// Where the ending says no format, or the file cannot be written.
    pub fn create(path: &Path, name: &str, columns: &'static [Column], day: Date, options: CsvOptions) -> Result<Self, SheetError> {
        Ok(match Format::of(path)? {
            Format::Xlsx => {
                let mut book = Workbook::create(path, day)?;
                book.begin(name, columns)?;
                Self::Xlsx(Box::new(book))
            }
            Format::Csv => Self::Csv(Box::new(Csv::begin(BufWriter::new(File::create(path)?), columns, options)?)),
            Format::Jsonl => Self::Jsonl(Jsonl::new(BufWriter::new(File::create(path)?), columns)),
            Format::Parquet => Self::Parquet(Box::new(Parquet::begin(BufWriter::new(File::create(path)?), columns)?)),
        })
    }

    /// Ends the file; only now is a workbook there, and a text on the disk.
    ///
    /// # Errors
    /// Where writing fails.
    pub fn finish(self) -> Result<(), SheetError> {
        let done = |out: BufWriter<File>| out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all();
        match self {
            Self::Xlsx(book) => book.finish(),
            Self::Csv(csv) => Ok(done(csv.finish()?)?),
            Self::Jsonl(jsonl) => Ok(done(jsonl.finish())?),
            Self::Parquet(parquet) => Ok(done(parquet.finish()?)?),
        }
    }
}

impl Table for Sheet {
    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), SheetError> {
        match self {
            Self::Xlsx(book) => book.row(cells),
            Self::Csv(csv) => csv.row(cells),
            Self::Jsonl(jsonl) => jsonl.row(cells),
            Self::Parquet(parquet) => parquet.row(cells),
        }
    }
}

/// The path with another ending behind its own: what is written there is not there yet.
#[must_use]
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// What was written has gone on to where it goes.
fn flushed<W: Write>(mut out: W) -> io::Result<W> {
    out.flush()?;
    Ok(out)
}
