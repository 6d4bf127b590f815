//! Workbooks (XLSX, 工作簿), written row by row in little memory.
//!
//! A sheet holds 1 048 576 rows: where it is full, another of the same name with a number goes on. A cell holds 32 767
//! characters (UTF-16 units): a longer text is cut, and says so. The same rows give the same bytes.

use std::{
    borrow::Cow,
    fs::{self, File},
    ops::Range,
    path::{Path, PathBuf},
};

use rust_xlsxwriter::{Color, DocProperties, ExcelDateTime, Format, Worksheet, XlsxError};

use super::{Cell, Column, SheetError, Table};
use crate::day::Date;

/// Rows of a sheet, its header among them.
const MOST_ROWS: u32 = 1_048_576;
/// Longest text of a cell, in UTF-16 units.
const LONGEST_CELL: usize = 32_767;
/// What a text ends with that was cut.
const CUT: &str = "……（超出单元格上限，已截断）";

/// A workbook that is being written.
pub struct Workbook {
    book: rust_xlsxwriter::Workbook,
    path: PathBuf,
    styles: Styles,
    most_rows: u32,
    sheet: Option<Open>,
}

struct Styles {
    header: Format,
    plain: Format,
    mark: Format,
}

/// The sheet that takes rows.
struct Open {
    name: String,
    columns: &'static [Column],
    /// Which of those of the same name it is, from 1.
    part: u32,
    index: usize,
    row: u32,
}

impl Workbook {
    /// Begins a workbook. What is being written lies beside it until then; the file is there after
    /// [`finish`](Self::finish). `day` is the day it says that it was made.
    ///
    /// # Errors
    /// Where its folder cannot be written to.
    pub fn create(path: &Path, day: Date) -> Result<Self, SheetError> {
        let mut book = rust_xlsxwriter::Workbook::new();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        book.set_tempdir(folder)?;
        book.use_zip_large_file(true);
        let number = |part: i8| u8::try_from(part).unwrap_or(1);
        let made = ExcelDateTime::from_ymd(u16::try_from(day.year()).unwrap_or(1970), number(day.month()), number(day.day()))?;
        book.set_properties(&DocProperties::new().set_creation_datetime(&made));
        let styles = Styles {
            header: Format::new().set_bold().set_background_color(Color::RGB(0x00DD_EBF7)),
            plain: Format::new(),
            mark: Format::new().set_bold().set_font_color(Color::Red),
        };
        Ok(Self { book, path: path.to_owned(), styles, most_rows: MOST_ROWS, sheet: None })
    }

    /// Begins a sheet; the rows that follow are its rows. A name has at most 28 characters.
    ///
    /// # Errors
    /// Where the name is no sheet's, or stands twice.
    pub fn begin(&mut self, name: &str, columns: &'static [Column]) -> Result<(), SheetError> {
        self.begin_part(name.to_owned(), columns, 1)
    }

    fn begin_part(&mut self, name: String, columns: &'static [Column], part: u32) -> Result<(), SheetError> {
        let index = self.book.worksheets().len();
        let sheet = self.book.add_worksheet_with_constant_memory()?;
        sheet.set_name(if part == 1 { name.clone() } else { format!("{name}{part}") })?;
        sheet.set_freeze_panes(1, 0)?;
        for (at, column) in (0..).zip(columns) {
            sheet.set_column_width(at, column.width)?;
            sheet.write_string_with_format(0, at, column.title, &self.styles.header)?;
        }
        self.sheet = Some(Open { name, columns, part, index, row: 1 });
        Ok(())
    }

    /// Writes the file: beside its place, then into it.
    ///
    /// # Errors
    /// Where writing fails: nothing of it is left then.
    pub fn finish(self) -> Result<(), SheetError> {
        let (beside, path) = (super::beside(&self.path, "new"), self.path.clone());
        let written = self.write_to(&beside).and_then(|()| Ok(fs::rename(&beside, path)?));
        if written.is_err() {
            let _ = fs::remove_file(&beside); // the error says enough
        }
        written
    }

    /// Writes the file elsewhere: afterwards it is on the disk.
    ///
    /// # Errors
    /// Where writing fails: some of it may be left.
    pub fn write_to(mut self, path: &Path) -> Result<(), SheetError> {
        if self.sheet.is_none() {
            self.begin("空", &[])?; // a workbook without a sheet is none
        }
        self.book.save(path)?;
        Ok(File::open(path)?.sync_all()?)
    }
}

impl Table for Workbook {
    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), SheetError> {
        let Some(open) = self.sheet.take() else { return Err(XlsxError::UnknownWorksheetNameOrIndex("none is begun".to_owned()).into()) };
        if open.row >= self.most_rows {
            self.begin_part(open.name, open.columns, open.part + 1)?;
        } else {
            self.sheet = Some(open);
        }
        let Some(open) = &mut self.sheet else { return Ok(()) };
        let sheet = self.book.worksheet_from_index(open.index)?;
        for (at, cell) in (0..).zip(cells) {
            write(sheet, open.row, at, *cell, &self.styles)?;
        }
        open.row += 1;
        Ok(())
    }
}

fn write(sheet: &mut Worksheet, row: u32, column: u16, cell: Cell<'_>, styles: &Styles) -> Result<(), XlsxError> {
    let text = fitting(cell.text);
    let pieces = pieces(&text, cell.marks, styles);
    if !pieces.is_empty() {
        match sheet.write_rich_string(row, column, &pieces) {
            Err(XlsxError::MaxStringLengthExceeded) => {} // the marks themselves take too much room: without them
            other => return other.map(|_| ()),
        }
    }
    sheet.write_string(row, column, text).map(|_| ())
}

/// The text, or as much of it as a cell holds, with a mark that it was cut.
fn fitting(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST_CELL || text.encode_utf16().count() <= LONGEST_CELL {
        return Cow::Borrowed(text);
    }
    let most = LONGEST_CELL - CUT.encode_utf16().count();
    let mut units = 0;
    let kept = text.chars().take_while(|c| {
        units += c.len_utf16();
        units <= most
    });
    Cow::Owned(kept.chain(CUT.chars()).collect())
}

/// The text in stretches, marked and not. Nothing of the note that a text was cut is marked.
fn pieces<'a>(text: &'a str, marks: &[Range<usize>], styles: &'a Styles) -> Vec<(&'a Format, &'a str)> {
    let mut pieces = Vec::new();
    let end = if text.ends_with(CUT) { text.len() - CUT.len() } else { text.len() };
    let mut at = 0;
    for mark in marks {
        let (start, stop) = (mark.start.max(at), mark.end.min(end));
        let (Some(before), Some(marked)) = (text.get(at..start), text.get(start..stop)) else { continue };
        pieces.extend([(&styles.plain, before), (&styles.mark, marked)].into_iter().filter(|(_, piece)| !piece.is_empty()));
        at = stop;
    }
    if at > 0 && at < text.len() {
        pieces.push((&styles.plain, &text[at..]));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use calamine::{Reader, Xlsx};

    use super::*;

    const COLUMNS: &[Column] = &[Column::new("企业名称", "name", 30), Column::new("经营范围", "scope", 60)];

    /// Every sheet of a workbook: its name and its rows.
    fn read(path: &Path) -> Vec<(String, Vec<Vec<String>>)> {
        let mut book: Xlsx<_> = calamine::open_workbook(path).expect("a workbook");
        let sheets = book.worksheets();
        let rows =
            |range: &calamine::Range<calamine::Data>| range.rows().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        sheets.iter().map(|(name, range)| (name.clone(), rows(range))).collect()
    }

    fn written(path: &Path, most_rows: u32, rows: &[[Cell<'_>; 2]]) {
        let mut book = Workbook::create(path, jiff::civil::date(2026, 11, 1)).expect("begun");
        book.most_rows = most_rows;
        book.begin("命中企业", COLUMNS).expect("a sheet");
        for row in rows {
            book.row(row).expect("a row");
        }
        book.finish().expect("written");
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.xlsx");
        let marks = [6..12, 9..15, 15..18];
        let scope = Cell { text: "提供金融理财\u{1}<&>服务", marks: &marks };
        written(&path, MOST_ROWS, &[[Cell::from("=1+1"), scope], [Cell::from(""), Cell::from(" 012 ")]]);
        let expected = [["企业名称", "经营范围"], ["=1+1", "提供金融理财\u{1}<&>服务"], ["", " 012 "]];
        let [(name, rows)] = &read(&path)[..] else { panic!("one sheet") };
        assert_eq!(name, "命中企业");
        assert_eq!(rows, &expected.map(|row| row.map(str::to_owned).to_vec()).to_vec());
        let names: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("a file").file_name()).collect();
        assert_eq!(names, ["out.xlsx"]); // nothing is left beside it
    }

    #[test]
    fn one_that_cannot_be_put_in_its_place_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.xlsx");
        std::fs::create_dir(&path).expect("made"); // in its way
        let book = Workbook::create(&path, jiff::civil::date(2026, 11, 1)).expect("begun");
        assert!(book.finish().is_err());
        assert!(!folder.path().join("out.xlsx.new").exists());
    }

    #[test]
    fn a_full_sheet_is_followed_by_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.xlsx");
        let numbers: Vec<String> = (0..7).map(|number| number.to_string()).collect();
        written(&path, 4, &numbers.iter().map(|number| [Cell::from(number); 2]).collect::<Vec<_>>());
        let sheets = read(&path);
        let shape: Vec<(&str, usize)> = sheets.iter().map(|(name, rows)| (name.as_str(), rows.len())).collect();
        assert_eq!(shape, [("命中企业", 4), ("命中企业2", 4), ("命中企业3", 2)]);
        assert_eq!(sheets[2].1, [["企业名称", "经营范围"], ["6", "6"]]);
    }

    #[test]
    #[allow(clippy::single_range_in_vec_init)] // a list of one mark
    fn a_long_text_is_cut_and_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.xlsx");
        let (long, longest) = ("𠮷".repeat(20_000), "名".repeat(LONGEST_CELL));
        let marks = [0..4, 79_996..80_000];
        written(&path, MOST_ROWS, &[[Cell { text: &long, marks: &marks }, Cell { text: &longest, marks: &[3..9] }]]);
        let rows = &read(&path)[0].1;
        assert!(rows[1][0].ends_with(CUT) && rows[1][0].encode_utf16().count() <= LONGEST_CELL, "{}", rows[1][0].len());
        assert_eq!(rows[1][1], longest);
    }

    #[test]
    #[allow(clippy::single_range_in_vec_init)] // lists of one mark
    fn marks_become_stretches() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.xlsx");
        let styles = Workbook::create(&path, jiff::civil::date(2026, 11, 1)).expect("begun").styles;
        let stretches = |text, marks: &[Range<usize>]| -> Vec<(String, bool)> {
            let of = |(format, piece): (&Format, &str)| (piece.to_owned(), format == &styles.mark);
            pieces(text, marks, &styles).into_iter().map(of).collect()
        };
        let owned = |pieces: &[(&str, bool)]| pieces.iter().map(|(piece, marked)| ((*piece).to_owned(), *marked)).collect::<Vec<_>>();
        assert_eq!(stretches("甲金融理财乙", &[3..9, 6..15]), owned(&[("甲", false), ("金融", true), ("理财", true), ("乙", false)]));
        assert_eq!(stretches("金融", &[0..6]), owned(&[("金融", true)]));
        assert_eq!(stretches("金融", &[]), owned(&[]));
        assert_eq!(stretches("金融", &[1..4]), owned(&[])); // within characters: nothing, and no panic
    }

    #[test]
    fn the_same_rows_give_the_same_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str| {
            let path = folder.path().join(name);
            written(&path, MOST_ROWS, &[[Cell { text: "某地理财", marks: &[6..9, 9..12] }, Cell::from("金融")]]);
            std::fs::read(path).expect("written")
        };
        assert_eq!(write("a.xlsx"), write("b.xlsx"));
    }
}
