//! Counting answers (答复计数). It is done for every firm, beside some microseconds of screening, so nothing is
//! looked up by name here: every counter is at hand, by number.

use prometheus::{IntCounter, IntCounterVec};

use super::{
    TelemetryError,
    labels::{ClearedReason, Family},
    metrics::Metrics,
};
use crate::{
    screen::{Answer, Engine},
    set::{Member, Set},
    vocabulary::{BusinessField, Decision},
};

/// The counters of the answers of one engine: keep them beside it. Those of the engine before and after go on
/// counting in the same metrics, term by term.
#[derive(Debug)]
pub struct AnswerCounters {
    decisions: Family<Decision>,
    cleared: Family<ClearedReason>,
    /// By decision and field of business; none for PASS.
    fields: Vec<Vec<IntCounter>>,
    /// By number of the term.
    hits: Vec<IntCounter>,
}

impl AnswerCounters {
    /// Counters for the answers of `engine`. Its terms are metrics from now on: build them for engines that
    /// serve, not for drafts.
    ///
    /// # Errors
    /// [`TelemetryError`] where a metric cannot be made: a bug, not a circumstance.
    pub fn new(metrics: &Metrics, engine: &Engine) -> Result<Self, TelemetryError> {
        let hits = engine.lists().terms().iter().map(|term| metrics.hits.get_metric_with_label_values(&[&term.text]));
        let fields = Decision::ALL.iter().map(|decision| of_decision(&metrics.fields, *decision));
        Ok(Self {
            decisions: metrics.decisions.clone(),
            cleared: metrics.cleared.clone(),
            fields: fields.collect::<Result<_, _>>()?,
            hits: hits.collect::<Result<_, _>>()?,
        })
    }

    /// Counts an answer of the engine that these counters were built for.
    pub fn answered(&self, answer: &Answer<'_>, engine: &Engine) {
        self.decisions.of(answer.decision).inc();
        for cleared in &answer.cleared {
            self.cleared.of(ClearedReason::from(&cleared.reason)).inc();
        }
        for hit in &answer.hits {
            if let Some(counter) = self.hits.get(hit.occurrence.term.0 as usize) {
                counter.inc();
            }
        }
        let counters = &self.fields[answer.decision.place() as usize];
        for field in strongest(answer, engine).iter().filter_map(|field| counters.get(field.place() as usize)) {
            field.inc();
        }
    }
}

/// The fields of business of the hits that led to the decision.
fn strongest(answer: &Answer<'_>, engine: &Engine) -> Set<BusinessField> {
    let hits = answer.hits.iter().filter(|hit| engine.decision(hit) == answer.decision);
    hits.map(|hit| engine.lists().term(hit.occurrence.term).field).collect()
}

fn of_decision(fields: &IntCounterVec, decision: Decision) -> prometheus::Result<Vec<IntCounter>> {
    if decision == Decision::Pass {
        return Ok(Vec::new());
    }
    BusinessField::ALL.iter().map(|field| fields.get_metric_with_label_values(&[decision.id(), field.id()])).collect()
}
