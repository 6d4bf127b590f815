//! What is counted of the office (办公指标): how far the journal goes, how far the index lags, what is overdue.

use std::{sync::Arc, time::Duration};

use prometheus::{IntGauge, Registry};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Metrics, metrics::gauge};
use crate::{
    clock::today,
    office::Office,
    watch::{
        attribute::{Collection, DayOf, Dimension},
        query::{Condition, Query},
    },
};

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(15);

/// Gauges of the office.
#[derive(Debug)]
pub(super) struct OfficeGauges {
    sequence: IntGauge,
    lag: IntGauge,
    rebuilding: IntGauge,
    overdue: IntGauge,
}

impl OfficeGauges {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let of = |name, help| gauge(registry, name, help);
        Ok(Self {
            sequence: of("mingcha_journal_sequence", "Sequence of the last record that was acknowledged.")?,
            lag: of("mingcha_index_lag_records", "How many records the index lags behind the journal.")?,
            rebuilding: of("mingcha_index_rebuilding", "1 while the index is made again: the watch list is closed.")?,
            overdue: of("mingcha_referrals_overdue", "Referrals whose next step was due before today.")?,
        })
    }

    async fn look(&self, office: &Office) {
        self.sequence.set(i64::try_from(office.head().sequence).unwrap_or(i64::MAX));
        self.lag.set(i64::try_from(office.lag()).unwrap_or(i64::MAX));
        self.rebuilding.set(i64::from(office.is_rebuilding()));
        let Ok(store) = office.settled().await else { return };
        let late = Condition::Within(DayOf::Due, None, today().yesterday().ok());
        let query = Query { collection: Collection::Referrals, conditions: vec![late], oldest_first: true, after: None, most: 0 };
        let counted = tokio::task::spawn_blocking(move || store.count(&query, Dimension::All, None)).await;
        if let Ok(Ok(counts)) = counted {
            self.overdue.set(counts.iter().map(|count| i64::try_from(count.count).unwrap_or(i64::MAX)).sum());
        }
    }
}

impl Metrics {
    /// Looks at the office every so often, until `stop`.
    pub async fn look_at(self: Arc<Self>, office: Office, stop: CancellationToken) {
        let looking = async {
            loop {
                self.office.look(&office).await;
                sleep(EVERY).await;
            }
        };
        stop.run_until_cancelled(looking).await;
    }
}
