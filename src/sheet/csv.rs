//! CSV (RFC 4180): comma-separated values, lines ended by CR LF, cells quoted where they must be.

use std::io::Write;

use memchr::{memchr, memchr3};

use super::{Cell, Column, SheetError, Table, flushed};
use crate::encoding::Encoding;

/// How a CSV is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CsvOptions {
    /// Its encoding.
    pub encoding: Encoding,
    /// Whether a cell that begins with = + - @ TAB or CR stays as it is. A spreadsheet takes such a cell for a formula, and the
    /// text is an applicant's; an apostrophe before it makes it a text.
    pub raw: bool,
}

/// Writes a table as CSV.
pub struct Csv<W: Write> {
    out: W,
    options: CsvOptions,
    /// A row on its way.
    row: String,
}

impl<W: Write> Csv<W> {
    /// Begins a table: its byte order mark and its header.
    ///
    /// # Errors
    /// Where writing fails.
    pub fn begin(mut out: W, columns: &[Column], options: CsvOptions) -> Result<Self, SheetError> {
        out.write_all(options.encoding.mark())?;
        let mut table = Self::resume(out, options);
        table.write(columns.iter().map(|column| column.title))?;
        Ok(table)
    }

    /// Goes on with a table that was begun.
    pub const fn resume(out: W, options: CsvOptions) -> Self {
        Self { out, options, row: String::new() }
    }

    /// Ends the table, and gives back what it was written to.
    ///
    /// # Errors
    /// Where writing fails.
    pub fn finish(self) -> Result<W, SheetError> {
        Ok(flushed(self.out)?)
    }

    fn write<'c>(&mut self, cells: impl Iterator<Item = &'c str>) -> Result<(), SheetError> {
        self.row.clear();
        for (index, text) in cells.enumerate() {
            if index > 0 {
                self.row.push(',');
            }
            let guard = if self.options.raw || !is_formula(text) { "" } else { "'" };
            if is_plain(text.as_bytes()) {
                self.row.extend([guard, text]);
            } else {
                self.row.extend(["\"", guard, &text.replace('"', "\"\""), "\""]);
            }
        }
        self.row.push_str("\r\n");
        Ok(self.out.write_all(&self.options.encoding.encode(&self.row))?)
    }
}

impl<W: Write> Table for Csv<W> {
    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), SheetError> {
        self.write(cells.iter().map(|cell| cell.text))
    }
}

/// Whether a cell needs no quotes.
fn is_plain(text: &[u8]) -> bool {
    memchr3(b',', b'"', b'\n', text).is_none() && memchr(b'\r', text).is_none()
}

fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[Column::new("企业名称", "name", 10), Column::new("经营范围", "scope", 10)];

    fn written(rows: &[[&str; 2]], options: CsvOptions) -> Vec<u8> {
        let mut csv = Csv::begin(Vec::new(), COLUMNS, options).expect("memory");
        for row in rows {
            csv.row(&row.map(Cell::from)).expect("memory");
        }
        csv.finish().expect("memory")
    }

    #[test]
    fn cells_are_quoted_and_formulas_are_none() {
        let rows = [["=cmd|' /C calc'!A0", "a,\"b\"\r\nc"], ["-1", "\t+1"], ["南京=", ""], ["=\"", "\r"]];
        let bytes = written(&rows, CsvOptions::default());
        let expected =
            "\u{FEFF}企业名称,经营范围\r\n'=cmd|' /C calc'!A0,\"a,\"\"b\"\"\r\nc\"\r\n'-1,'\t+1\r\n南京=,\r\n\"'=\"\"\",\"'\r\"\r\n";
        assert_eq!(String::from_utf8(bytes).as_deref(), Ok(expected));
    }

    #[test]
    fn raw_gb18030_is_what_it_was() {
        let rows = [["=1", "𠮷"], ["", ""]];
        let bytes = written(&rows, CsvOptions { encoding: Encoding::Gb18030, raw: true });
        let (text, bad) = encoding_rs::GB18030.decode_without_bom_handling(&bytes);
        assert!(!bad);
        assert_eq!(text, "企业名称,经营范围\r\n=1,𠮷\r\n,\r\n");
    }
}
