//! An operation (任务) in memory: its record, how far it is, the word to stop.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::record::{Record, State};
use crate::rescreen::{Counts, RescreenError, order::Follow, source::Position};

/// How many rows became what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rows {
    /// All of them.
    pub read: u64,
    /// Firms with nothing that counts.
    pub passed: u64,
    /// Firms that were flagged.
    pub flagged: u64,
    /// Rows that are none.
    pub rejected: u64,
    /// Firms of whose code something is to be said.
    pub warnings: u64,
    /// Firms that were recorded.
    pub recorded: u64,
    /// Firms that were on the watch list.
    pub known: u64,
}

impl From<&Counts> for Rows {
    fn from(counts: &Counts) -> Self {
        Self {
            read: counts.rows,
            passed: counts.passed,
            flagged: counts.flagged,
            rejected: counts.rejected,
            warnings: counts.codes.iter().sum(),
            recorded: counts.recorded,
            known: counts.known,
        }
    }
}

/// How far an operation is.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// What became of the rows so far.
    pub rows: Rows,
    /// From where it would go on, and how many rows became something until there.
    pub checkpoint: Option<(Position, u64)>,
    /// The size of the inputs in bytes.
    pub size: u64,
    /// How many of these were read.
    pub read: Arc<AtomicU64>,
    /// When this was told; none where it is as the record says.
    pub at: Option<Timestamp>,
}

/// An operation. What others look at while it goes on is swapped, never locked: a run has processors only when nobody
/// else wants them, and would hold up whoever waits for it.
#[derive(Debug)]
pub struct Operation {
    record: ArcSwap<Record>,
    live: ArcSwap<Live>,
    /// Where its output is, whatever links lead there; none where that cannot be told any more.
    pub(super) place: Option<PathBuf>,
    pub(super) stop: Arc<AtomicBool>,
    ended: CancellationToken,
}

impl Operation {
    pub(super) fn new(record: Record, live: Live, place: Option<PathBuf>) -> Self {
        let ended = CancellationToken::new();
        if record.state.is_ended() {
            ended.cancel();
        }
        let (record, live) = (ArcSwap::from_pointee(record), ArcSwap::from_pointee(live));
        Self { record, live, place, stop: Arc::default(), ended }
    }

    /// Its record.
    #[must_use]
    pub fn record(&self) -> Arc<Record> {
        self.record.load_full()
    }

    /// How far it is.
    #[must_use]
    pub fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// Waits until it has ended.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Swaps its record, and says so where it has ended.
    pub(super) fn set(&self, record: Record) {
        let ended = record.state.is_ended();
        self.record.store(Arc::new(record));
        if ended {
            self.ended.cancel();
        }
    }

    pub(super) fn set_live(&self, live: Live) {
        self.live.store(Arc::new(live));
    }

    pub(super) fn state(&self) -> State {
        self.record.load().state
    }
}

/// Whoever notes that a run begins to write.
pub(super) trait Beginning {
    /// Nothing of it is written: is anything in its way?
    fn begins(&self, operation: &Operation) -> Result<(), RescreenError>;
    /// Its files are made, by the run with this mark: from now on what has it is its own.
    fn begun(&self, operation: &Operation, mark: &str) -> Result<(), RescreenError>;
}

/// Follows a run for those who ask for its operation. `more` hears of rows as they are done.
pub(super) struct Following<'o, F: FnMut(Rows, Rows)> {
    pub(super) beginning: &'o dyn Beginning,
    pub(super) operation: &'o Operation,
    pub(super) live: Live,
    pub(super) more: F,
}

impl<F: FnMut(Rows, Rows)> Follow for Following<'_, F> {
    fn begins(&mut self) -> Result<(), RescreenError> {
        self.beginning.begins(self.operation)
    }

    fn begun(&mut self, mark: &str) -> Result<(), RescreenError> {
        self.beginning.begun(self.operation, mark)
    }

    fn begin(&mut self, read: Arc<AtomicU64>, size: Option<u64>, counts: &Counts) {
        self.live = Live { rows: counts.into(), size: size.unwrap_or(0), read, ..self.live.clone() };
        self.publish();
    }

    fn tell(&mut self, counts: &Counts, _: Position) {
        let rows = Rows::from(counts);
        (self.more)(self.live.rows, rows);
        self.live.rows = rows;
        self.publish();
    }

    fn kept(&mut self, counts: &Counts, position: Position) {
        self.live.checkpoint = Some((position, counts.rows));
        self.publish();
    }

    fn note(&mut self, what: &str) {
        tracing::warn!(operation = self.operation.record().name(), "{what}");
    }

    fn end(&mut self) {}
}

impl<F: FnMut(Rows, Rows)> Following<'_, F> {
    fn publish(&mut self) {
        self.live.at = Some(Timestamp::now());
        self.operation.set_live(self.live.clone());
    }
}

impl Live {
    /// How many bytes of the inputs were read.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}
