//! Metrics (指标): everything that is counted, in one registry that its owner holds; there are no globals.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus::{Encoder, Gauge, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder, core::Collector};

use super::{
    TelemetryError,
    labels::{ClearedReason, Family, Reload, Sent, Shed},
    methods::Methods,
    office::OfficeGauges,
    rescreen::RescreenMetrics,
    uncalled::Uncalled,
};
use crate::{
    auth::Refusal,
    library::{Library, ReloadError, Reloaded},
    screen::ENGINE_VERSION,
    server::connection::Closed,
    vocabulary::{BusinessField, Decision},
};

/// All metrics of the service.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub(super) methods: Methods,
    pub(super) decisions: Family<Decision>,
    pub(super) fields: IntCounterVec,
    pub(super) hits: IntCounterVec,
    pub(super) cleared: Family<ClearedReason>,
    pub(super) spans: Family<Sent>,
    pub(super) calls_in_flight: IntGauge,
    lists_info: IntGaugeVec,
    lists_loaded: Gauge,
    /// How reloads went.
    pub reloads: Family<Reload>,
    /// 0 where a canary of lists that were looked at did not hit, until good ones are; else 1. Lists refused for other
    /// reasons change nothing here.
    pub canary_ok: IntGauge,
    /// Calls shed.
    pub shed: Family<Shed>,
    /// Answers over HTTP that were no calls.
    pub uncalled: Family<Uncalled>,
    /// Calls refused to their callers.
    pub refused: Family<Refusal>,
    /// Connections open.
    pub connections: IntGauge,
    /// Connections that the service ended.
    pub closed: Family<Closed>,
    /// Work that waits for a worker.
    pub queue_depth: IntGauge,
    pub(super) office: OfficeGauges,
    pub(super) rescreen: RescreenMetrics,
}

impl Metrics {
    /// All of them, at zero.
    ///
    /// # Errors
    /// [`TelemetryError`] where two have one name, or a descriptor set cannot be read: a bug, not a circumstance.
    pub fn new() -> Result<Arc<Self>, TelemetryError> {
        let registry = Registry::new();
        process(&registry)?;
        build_info(&registry)?;
        Ok(Arc::new(Self::on(registry)?))
    }

    fn on(registry: Registry) -> Result<Self, TelemetryError> {
        let r = &registry;
        Ok(Self {
            methods: Methods::new(r)?,
            decisions: Family::new(r, "mingcha_decisions_total", "Firms screened, by decision.", "decision")?,
            fields: fields(r)?,
            hits: hits(r)?,
            cleared: Family::new(r, "mingcha_cleared_total", "Occurrences found that do not count, by reason.", "reason")?,
            spans: Family::new(r, "mingcha_spans_total", "Spans sent to the collector, by what became of them.", "outcome")?,
            calls_in_flight: gauge(r, "mingcha_calls_in_flight", "Calls being served, streams among them.")?,
            lists_info: lists_info(r)?,
            lists_loaded: lists_loaded(r)?,
            reloads: Family::new(r, "mingcha_lists_reloads_total", "Reloads of the lists, by outcome.", "outcome")?,
            canary_ok: gauge(
                r,
                "mingcha_canary_ok",
                "0 from when a text that must hit did not by new lists, which were refused, until good ones are read.",
            )?,
            shed: Family::new(r, "mingcha_shed_total", "Calls shed, by reason.", "reason")?,
            uncalled: Family::new(r, "mingcha_http_uncalled_total", "Answers over HTTP that were no calls, by what they were.", "answer")?,
            refused: Family::new(r, "mingcha_refused_total", "Calls refused to their callers, by reason.", "reason")?,
            connections: gauge(r, "mingcha_connections", "Connections open.")?,
            closed: Family::new(r, "mingcha_connections_closed_total", "Connections that the service ended, by reason.", "reason")?,
            office: OfficeGauges::new(r)?,
            rescreen: RescreenMetrics::new(r)?,
            queue_depth: gauge(r, "mingcha_worker_queue_depth", "Work that waits for a worker.")?,
            registry,
        })
    }

    /// Says which lists serve, and since when.
    pub fn lists_serve(&self, hash: &str, since: SystemTime) {
        self.lists_info.reset();
        self.lists_info.with_label_values(&[hash]).set(1);
        self.lists_loaded.set(since.duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64()));
    }

    /// Counts what a reload of the lists came to. Where there is no folder to read again, there was none.
    pub(super) fn reloaded(&self, reloaded: &Result<Reloaded, ReloadError>, library: &Library) {
        let outcome = match reloaded {
            Ok(Reloaded { before, after }) if before == after => Reload::Unchanged,
            Ok(_) => Reload::Loaded,
            Err(ReloadError::NoFolder) => return,
            Err(ReloadError::Problems(_)) => Reload::Refused,
            Err(ReloadError::Keep(_)) => Reload::Failed,
        };
        self.reloads.of(outcome).inc();
        match reloaded {
            Ok(_) => self.canary_ok.set(1),
            Err(ReloadError::Problems(problems)) if problems.list().iter().any(|problem| problem.canary) => self.canary_ok.set(0),
            Err(_) => {} // whether its canaries hit is not known
        }
        self.current_of(library);
    }

    /// Says which lists a library serves by, and counts the answers of each version of them here from now on.
    pub fn lists_of(self: &Arc<Self>, library: &Library) {
        library.count_in(self);
        self.current_of(library);
    }

    fn current_of(&self, library: &Library) {
        let version = library.current();
        self.lists_serve(version.hash(), version.since());
    }

    /// Takes in a metric that another part keeps.
    pub(super) fn register(&self, collector: impl Collector + 'static) -> prometheus::Result<()> {
        self.registry.register(Box::new(collector))
    }

    /// All of them as Prometheus reads them: text format 0.0.4.
    ///
    /// # Errors
    /// [`TelemetryError`] where a metric cannot be written.
    pub fn text(&self) -> Result<String, TelemetryError> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Counts one up for as long as it lives.
#[derive(Debug)]
pub struct Held(IntGauge);

impl Held {
    /// One more of what `gauge` counts.
    #[must_use]
    pub fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Registers a metric.
pub(super) fn registered<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> prometheus::Result<C> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

pub(super) fn gauge(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntGauge> {
    registered(registry, IntGauge::new(name, help)?)
}

fn hits(registry: &Registry) -> prometheus::Result<IntCounterVec> {
    let hits = Opts::new("mingcha_hits_total", "Occurrences that count, by term as the lists spell it.");
    registered(registry, IntCounterVec::new(hits, &["term"])?)
}

fn lists_info(registry: &Registry) -> prometheus::Result<IntGaugeVec> {
    let info = Opts::new("mingcha_lists_info", "The lists that serve, by their hash.");
    registered(registry, IntGaugeVec::new(info, &["hash"])?)
}

fn lists_loaded(registry: &Registry) -> prometheus::Result<Gauge> {
    let help = "When the lists that serve were loaded, in seconds since 1970.";
    registered(registry, Gauge::new("mingcha_lists_loaded_timestamp_seconds", help)?)
}

/// Decisions by the fields of business of their strongest hits. A PASS has none.
fn fields(registry: &Registry) -> prometheus::Result<IntCounterVec> {
    let help = "Firms screened, by decision and by each field of business of the hits that led to it.";
    let fields = IntCounterVec::new(Opts::new("mingcha_decisions_by_field_total", help), &["decision", "business_field"])?;
    for decision in Decision::ALL.iter().filter(|decision| **decision != Decision::Pass) {
        for field in BusinessField::ALL {
            fields.get_metric_with_label_values(&[decision.id(), field.id()])?;
        }
    }
    registered(registry, fields)
}

fn build_info(registry: &Registry) -> prometheus::Result<()> {
    let info = IntGaugeVec::new(Opts::new("mingcha_build_info", "The version that runs."), &["version"])?;
    info.get_metric_with_label_values(&[ENGINE_VERSION])?.set(1);
    registered(registry, info).map(drop)
}

/// Memory, open files, start time and the like; only Linux tells them.
#[cfg(target_os = "linux")]
fn process(registry: &Registry) -> prometheus::Result<()> {
    registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
}

#[cfg(not(target_os = "linux"))]
fn process(_: &Registry) -> prometheus::Result<()> {
    Ok(())
}
