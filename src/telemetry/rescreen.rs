//! What is counted of re-screenings in the service (排查指标): rows by what became of them, what waits and what goes on.

use prometheus::{Gauge, IntGauge, Registry};

use super::{
    Metrics,
    labels::{Family, OperationEnd, Row},
    metrics::{gauge, registered},
};
use crate::operations::operation::Rows;

/// Metrics of re-screenings.
#[derive(Debug)]
pub(super) struct RescreenMetrics {
    rows: Family<Row>,
    ended: Family<OperationEnd>,
    queued: IntGauge,
    running: IntGauge,
    last: Gauge,
}

impl RescreenMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let last = Gauge::new("mingcha_rescreen_last_duration_seconds", "How long the last operation took from when it last began.")?;
        Ok(Self {
            rows: Family::new(registry, "mingcha_rescreen_rows_total", "Rows re-screened, by what became of them.", "outcome")?,
            ended: Family::new(registry, "mingcha_rescreen_operations_total", "Operations that ended, by how.", "outcome")?,
            queued: gauge(registry, "mingcha_rescreen_queued", "Operations that wait for their turn.")?,
            running: gauge(registry, "mingcha_rescreen_running", "Operations that go on.")?,
            last: registered(registry, last)?,
        })
    }
}

impl Metrics {
    /// Counts rows that were done since there were only `before`.
    pub fn rescreened(&self, before: Rows, now: Rows) {
        let more = [
            (Row::Read, before.read, now.read),
            (Row::Passed, before.passed, now.passed),
            (Row::Flagged, before.flagged, now.flagged),
            (Row::Rejected, before.rejected, now.rejected),
        ];
        for (row, before, now) in more {
            self.rescreen.rows.of(row).inc_by(now.saturating_sub(before));
        }
    }

    /// Says how many operations wait, and how many go on.
    pub fn operations(&self, queued: usize, running: usize) {
        self.rescreen.queued.set(i64::try_from(queued).unwrap_or(i64::MAX));
        self.rescreen.running.set(i64::try_from(running).unwrap_or(i64::MAX));
    }

    /// Counts an operation that ended, in how many seconds if it ever began.
    pub fn operation_ended(&self, how: OperationEnd, seconds: Option<f64>) {
        self.rescreen.ended.of(how).inc();
        if let Some(seconds) = seconds {
            self.rescreen.last.set(seconds);
        }
    }
}
