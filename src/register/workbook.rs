//! Workbooks (XLSX): the rows of the first sheet that has any, as a stream of cells.
//!
//! A workbook keeps each text once, in a table that all cells point into; that table is read into memory, at about the size of
//! all its texts. The rows are streamed.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read, Seek},
    mem,
    path::Path,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use calamine::{DataRef, Reader, Xlsx, XlsxCellReader, XlsxError};

use super::{
    OpenError,
    blocks::Form,
    expand::{Limits, TooLarge},
};

/// Checks how far a workbook says that it expands.
pub(super) fn check(path: &Path, limits: Limits) -> Result<(), OpenError> {
    let mut archive = zip::ZipArchive::new(io::BufReader::new(File::open(path)?)).map_err(io::Error::from)?;
    let (mut packed, mut size) = (0u64, 0u64);
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(io::Error::from)?;
        packed = packed.saturating_add(entry.compressed_size());
        size = size.saturating_add(entry.size());
    }
    let fair = packed.saturating_mul(limits.ratio).max(limits.free);
    if size > limits.bytes.min(fair) { Err(TooLarge(limits).into()) } else { Ok(()) }
}

/// The rows of a workbook as text: cells and rows end as [`Form::CELLS`] says, and rows are numbered as in the sheet.
///
/// calamine lends its cells from the workbook, so a thread of its own keeps both and hands over what it has read.
pub(super) struct Cells {
    from: Receiver<Result<Vec<u8>, XlsxError>>,
    piece: Cursor<Vec<u8>>,
}

/// How many bytes are handed over at once.
const PIECE: usize = 64 * 1024;
/// Rows of a sheet.
const MOST_ROWS: u32 = 1_048_576;

impl Cells {
    /// Begins to read a workbook.
    pub(super) fn open(file: impl Read + Seek + Send + 'static) -> Self {
        let (to, from) = sync_channel(2);
        thread::spawn(move || {
            let mut writer = Writer { to: &to, out: Vec::with_capacity(2 * PIECE), header: Vec::new() };
            if let Err(Stop::Broken(error)) = writer.book(file) {
                let _ = to.send(Err(error)); // nobody may be reading any more
            }
        });
        Self { from, piece: Cursor::default() }
    }
}

impl Read for Cells {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.fill_buf()?.is_empty() {
            match self.from.recv() {
                Ok(piece) => self.piece = Cursor::new(piece.map_err(io::Error::other)?),
                Err(_) => return Ok(0), // all is read
            }
        }
        self.piece.read(buffer)
    }
}

/// Why no more is read.
enum Stop {
    /// Nobody wants more.
    Gone,
    /// The workbook is broken.
    Broken(XlsxError),
}

impl From<XlsxError> for Stop {
    fn from(error: XlsxError) -> Self {
        Self::Broken(error)
    }
}

struct Writer<'t> {
    to: &'t SyncSender<Result<Vec<u8>, XlsxError>>,
    out: Vec<u8>,
    header: Vec<String>,
}

impl Writer<'_> {
    /// The first sheet with rows, and every other that has the same header: a register of more rows than a sheet holds.
    fn book(&mut self, file: impl Read + Seek) -> Result<(), Stop> {
        let mut book = Xlsx::new(BufReader::new(file))?;
        for sheet in book.sheet_names() {
            match book.worksheet_cells_reader(&sheet) {
                Err(XlsxError::NotAWorksheet(_)) => {} // a chart
                cells => self.sheet(Rows { cells: cells?, held: None, ended: false })?,
            }
        }
        self.send()
    }

    fn sheet<R: Read + Seek>(&mut self, mut rows: Rows<'_, R>) -> Result<(), Stop> {
        let goes_on = !self.header.is_empty();
        let (mut row, mut line) = (Vec::new(), 0);
        while let Some(number) = rows.next_row(&mut row)? {
            for _ in line..number.min(MOST_ROWS) {
                self.out.push(Form::CELLS.record);
            }
            line = number + 1;
            if goes_on && number == 0 {
                if row != self.header {
                    return Ok(());
                }
                row.clear();
            } else if self.header.is_empty() {
                self.header.clone_from(&row);
            }
            self.row(&mut row)?;
        }
        Ok(())
    }

    /// Writes a row, as wide as the header at least.
    fn row(&mut self, row: &mut Vec<String>) -> Result<(), Stop> {
        if !row.is_empty() {
            row.resize(row.len().max(self.header.len()), String::new());
        }
        for (at, cell) in row.iter().enumerate() {
            if at > 0 {
                self.out.extend(Form::CELLS.field);
            }
            self.out.extend(cell.bytes().map(|byte| if matches!(byte, 0x1E | 0x1F) { b' ' } else { byte }));
        }
        self.out.push(Form::CELLS.record);
        if self.out.len() >= PIECE { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<(), Stop> {
        self.to.send(Ok(mem::take(&mut self.out))).map_err(|_| Stop::Gone)
    }
}

/// The rows of a sheet.
struct Rows<'b, R: Read + Seek> {
    cells: XlsxCellReader<'b, R>,
    /// The first cell of the row that comes next: its row, its column, its text.
    held: Option<(u32, u32, String)>,
    ended: bool,
}

impl<R: Read + Seek> Rows<'_, R> {
    /// Reads a row that has cells, without the empty ones at its end; gives its number, from 0.
    fn next_row(&mut self, row: &mut Vec<String>) -> Result<Option<u32>, XlsxError> {
        row.clear();
        let mut number = None;
        while let Some((at, column, text)) = self.next_cell()? {
            if *number.get_or_insert(at) != at {
                self.held = Some((at, column, text));
                break;
            }
            if !text.is_empty() {
                row.resize(row.len().max(column as usize), String::new());
                row.push(text);
            }
        }
        Ok(number)
    }

    fn next_cell(&mut self) -> Result<Option<(u32, u32, String)>, XlsxError> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        if self.ended {
            return Ok(None); // calamine takes it ill to be asked again
        }
        let of = |cell: calamine::Cell<DataRef<'_>>| (cell.get_position().0, cell.get_position().1, text(cell.get_value()));
        let cell = self.cells.next_cell()?.map(of);
        self.ended = cell.is_none();
        Ok(cell)
    }
}

/// A cell as a text: days as YYYY-MM-DD.
fn text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Empty | DataRef::Error(_) => String::new(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        DataRef::Bool(value) => value.to_string(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::DateTime(time) => {
            let (year, month, day, ..) = time.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02}")
        }
    }
}
