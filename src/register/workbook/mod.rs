//! Workbooks (XLSX): the rows of the first sheet that has any, as a stream of cells.
//!
//! A workbook is an archive of parts in XML ([`archive`]). It keeps each text once, in a table that all cells point into; that
//! table lies on the disk while the sheets are read ([`strings`]). No part is ever in memory as a whole.

mod archive;
mod book;
mod sheet;
mod strings;
mod xml;

use std::{
    io::{self, BufRead, Cursor, Read},
    mem,
    path::Path,
    sync::{
        Arc,
        atomic::AtomicU64,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use self::{archive::Archive, book::Book, sheet::Rows, strings::Strings};
use super::{OpenError, blocks::Form, expand::Limits};

/// The rows of a workbook as text: cells and rows end as [`Form::CELLS`] says, and rows are numbered as in the sheet.
///
/// A thread of its own expands and reads them.
pub(super) struct Cells {
    from: Receiver<io::Result<Vec<u8>>>,
    piece: Cursor<Vec<u8>>,
}

/// How many bytes are handed over at once.
const PIECE: usize = 64 * 1024;
/// Rows of a sheet.
const MOST_ROWS: u32 = 1_048_576;

impl Cells {
    /// Begins to read a workbook; `read` counts what is read of its file.
    pub(super) fn open(path: &Path, limits: Limits, read: &Arc<AtomicU64>) -> Result<Self, OpenError> {
        let archive = Archive::open(path, limits, Arc::clone(read))?;
        let (to, from) = sync_channel(2);
        thread::spawn(move || {
            let mut writer = Writer { to: &to, out: Vec::with_capacity(2 * PIECE), header: Vec::new() };
            if let Err(Stop::Broken(error)) = writer.book(&archive) {
                let _ = to.send(Err(error)); // nobody may be reading any more
            }
        });
        Ok(Self { from, piece: Cursor::default() })
    }
}

impl Read for Cells {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.fill_buf()?.is_empty() {
            match self.from.recv() {
                Ok(piece) => self.piece = Cursor::new(piece?),
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
    Broken(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

struct Writer<'t> {
    to: &'t SyncSender<io::Result<Vec<u8>>>,
    out: Vec<u8>,
    header: Vec<String>,
}

impl Writer<'_> {
    /// The first sheet with rows, and every other that has the same header: a register of more rows than a sheet holds.
    fn book(&mut self, archive: &Archive) -> Result<(), Stop> {
        let book = Book::open(archive)?;
        let mut strings = Strings::new(book.strings.as_deref().and_then(|part| archive.part(part)))?;
        for part in book.sheets.iter().filter_map(|sheet| archive.part(sheet)) {
            self.sheet(Rows::new(part, &mut strings, &book.days))?;
        }
        strings.finish()?;
        self.send()
    }

    fn sheet(&mut self, mut rows: Rows<'_>) -> Result<(), Stop> {
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
            Form::CELLS.write_cell(cell.as_bytes(), &mut self.out);
        }
        self.out.push(Form::CELLS.record);
        if self.out.len() >= PIECE { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<(), Stop> {
        self.to.send(Ok(mem::take(&mut self.out))).map_err(|_| Stop::Gone)
    }
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the workbook is broken: {why}"))
}

#[cfg(test)]
mod tests;
