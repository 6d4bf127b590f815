//! The sink (汇集): what a piece comes to, in memory, until it is written.

use std::sync::Arc;

use super::{
    columns::{Layout, REJECTS},
    count::Counts,
    judge::Judged,
    record::Watched,
};
use crate::sheet::{Cell, Csv, Format, Jsonl, SheetError, Table};

/// Where the rows of a piece go.
pub(super) struct Sink<'j> {
    pub(super) flagged: Rows,
    rejects: Csv<Vec<u8>>,
    pub(super) counts: Counts,
    pub(super) input: &'j Arc<str>,
    pub(super) watched: Vec<Watched>,
    failed: Result<(), SheetError>,
}

/// Longest piece of a rejected row that is shown, in characters.
const SHOWN: usize = 200;

impl<'j> Sink<'j> {
    /// Writes flagged firms into this memory.
    pub(super) fn new(layout: Layout, input: &'j Arc<str>, mut memory: Vec<u8>) -> Self {
        memory.clear();
        let rejects = Csv::resume(Vec::new(), layout.csv);
        Self { flagged: Rows::new(layout, memory), rejects, counts: Counts::default(), input, watched: Vec::new(), failed: Ok(()) }
    }

    /// What became of the piece.
    pub(super) fn finish(self) -> Result<Judged, SheetError> {
        self.failed?;
        let (flagged, rejects) = (self.flagged.finish()?, self.rejects.finish()?);
        Ok(Judged { flagged, rejects, counts: self.counts, watched: self.watched })
    }

    pub(super) fn reject(&mut self, line: u64, reason: &str, text: &str) {
        self.counts.rejected += 1;
        let shown: String = text.trim_end().chars().take(SHOWN).collect();
        let cells: [&str; REJECTS.len()] = [self.input.as_ref(), &line.to_string(), reason, &shown];
        let written = self.rejects.row(&cells.map(Cell::from));
        self.keep(written);
    }

    pub(super) fn keep(&mut self, written: Result<(), SheetError>) {
        if self.failed.is_ok() {
            self.failed = written;
        }
    }
}

/// The rows of flagged firms in memory, in the format of the output.
pub(super) enum Rows {
    Csv(Box<Csv<Vec<u8>>>),
    Jsonl(Jsonl<Vec<u8>>),
    /// Rows of a workbook or a Parquet file, which are written when all are there.
    Spool(Vec<u8>),
}

impl Rows {
    fn new(layout: Layout, memory: Vec<u8>) -> Self {
        match layout.format {
            Format::Csv => Self::Csv(Box::new(Csv::resume(memory, layout.csv))),
            Format::Jsonl => Self::Jsonl(Jsonl::new(memory, layout.columns)),
            Format::Xlsx | Format::Parquet => Self::Spool(memory),
        }
    }

    pub(super) fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), SheetError> {
        match self {
            Self::Csv(csv) => csv.row(cells),
            Self::Jsonl(jsonl) => jsonl.row(cells),
            Self::Spool(out) => super::spool::add(out, cells),
        }
    }

    fn finish(self) -> Result<Vec<u8>, SheetError> {
        match self {
            Self::Csv(csv) => csv.finish(),
            Self::Jsonl(jsonl) => Ok(jsonl.finish()),
            Self::Spool(out) => Ok(out),
        }
    }
}
