//! The spool (暂存): rows of a format that cannot be gone on with once it was cut off. They lie beside the output as JSON, a row
//! a line, until all are there; then the output is written as a whole.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter},
    path::Path,
};

use super::{
    Counts,
    columns::{COUNTS, Layout},
};
use crate::{
    day::Date,
    jurisdiction::{Divisions, Region},
    sheet::{Cell, Format, Parquet, SheetError, Table, Workbook},
    vocabulary::Decision,
};

/// Whether rows of this format are spooled.
pub(super) const fn is_used(format: Format) -> bool {
    matches!(format, Format::Xlsx | Format::Parquet)
}

/// Adds a row.
pub(super) fn add(out: &mut Vec<u8>, cells: &[Cell<'_>]) -> Result<(), SheetError> {
    let cell = |cell: &Cell<'_>| (cell.text.to_owned(), cell.marks.iter().map(|mark| (mark.start, mark.end)).collect());
    let cells: Vec<(String, Vec<(usize, usize)>)> = cells.iter().map(cell).collect();
    serde_json::to_writer(&mut *out, &cells)?;
    out.push(b'\n');
    Ok(())
}

/// Rows that are all there, and what becomes of them.
pub(super) struct Spool<'p> {
    /// Where they lie.
    pub(super) part: &'p Path,
    /// Where the output is made.
    pub(super) place: &'p Path,
    /// Its format and its columns.
    pub(super) layout: Layout,
}

impl Spool<'_> {
    /// Writes the output: afterwards it is on the disk.
    pub(super) fn convert(&self, day: Date, counts: &Counts, divisions: &Divisions) -> Result<(), SheetError> {
        match self.layout.format {
            Format::Parquet => self.parquet(),
            _ => self.workbook(day, counts, divisions),
        }
    }

    fn workbook(&self, day: Date, counts: &Counts, divisions: &Divisions) -> Result<(), SheetError> {
        let mut book = Workbook::create(self.place, day)?;
        book.begin("命中企业", self.layout.columns)?;
        self.copy_to(&mut book)?;
        book.begin("统计", COUNTS)?;
        for [of, what, firms] in counted(counts, divisions) {
            book.row(&[Cell::from(&of), Cell::from(&what), Cell::from(&firms)])?;
        }
        book.write_to(self.place)
    }

    fn parquet(&self) -> Result<(), SheetError> {
        let mut table = Parquet::begin(BufWriter::new(File::create(self.place)?), self.layout.columns)?;
        self.copy_to(&mut table)?;
        Ok(table.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?)
    }

    fn copy_to(&self, table: &mut impl Table) -> Result<(), SheetError> {
        for line in BufReader::new(File::open(self.part)?).lines() {
            let cells: Vec<(String, Vec<(usize, usize)>)> = serde_json::from_str(&line?)?;
            let marks: Vec<Vec<_>> = cells.iter().map(|(_, marks)| marks.iter().map(|(start, end)| *start..*end).collect()).collect();
            let cells: Vec<Cell<'_>> = cells.iter().zip(&marks).map(|((text, _), marks)| Cell { text, marks }).collect();
            table.row(&cells)?;
        }
        Ok(())
    }
}

/// The counts as rows of a table.
fn counted(counts: &Counts, divisions: &Divisions) -> Vec<[String; 3]> {
    let row = |of: &str, what: String, firms: u64| [of.to_owned(), what, firms.to_string()];
    let mut rows = vec![
        row("合计", "读入".to_owned(), counts.rows),
        row("合计", "通过".to_owned(), counts.passed),
        row("合计", "命中".to_owned(), counts.flagged),
        row("合计", "未处理".to_owned(), counts.rejected),
    ];
    let decision = |id: &String| Decision::from_id(id).map_or_else(|| id.clone(), |decision| decision.chinese().to_owned());
    rows.extend(counts.decisions.iter().map(|(id, firms)| row("结论", decision(id), *firms)));
    let mut terms: Vec<_> = counts.terms.iter().collect();
    terms.sort_by_key(|(_, firms)| std::cmp::Reverse(**firms));
    rows.extend(terms.iter().map(|(term, firms)| row("字样", (*term).clone(), **firms)));
    rows.extend(counts.fields.iter().map(|(field, firms)| row("业态", field.clone(), *firms)));
    rows.extend(counts.changes.iter().map(|(change, firms)| row("变化", change.clone(), *firms)));
    let code = |key: &str| Region::parse(key.rsplit(' ').next().unwrap_or(key)).ok();
    let place = |key: &String| code(key).and_then(|region| divisions.full_name(region)).unwrap_or_default();
    rows.extend(counts.regions.iter().map(|(code, firms)| row("地区", format!("{code} {}", place(code)), *firms)));
    rows
}
