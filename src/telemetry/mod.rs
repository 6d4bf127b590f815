//! Telemetry (观测): what the service tells of itself, and never of the texts of a request unless switched on.
//!
//! [`start`] begins logs and traces; [`Metrics`] counts; [`CallsLayer`] sees every call; [`AnswerCounters`] counts
//! answers; [`admin::serve`] shows the metrics; [`texts`] is the one place where names and scopes are told.

pub mod admin;
mod answers;
mod call;
mod calls;
pub mod labels;
mod logs;
mod methods;
mod metrics;
mod office;
mod rescreen;
mod traces;
mod uncalled;

use std::{
    io::{self, BufWriter, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use opentelemetry_sdk::trace::SdkTracerProvider;
use prometheus::{
    IntCounter,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use tracing::Dispatch;
use tracing_appender::non_blocking::{ErrorCounter, WorkerGuard};
use tracing_subscriber::{Registry, layer::SubscriberExt};

pub use answers::AnswerCounters;
pub use call::{REQUEST_ID, RequestId};
pub use calls::{CallBody, CallFuture, Calls, CallsLayer};
pub use methods::code_name;
pub use metrics::{Held, Metrics};
pub use uncalled::{Uncalled, seen};

use crate::{
    config::Telemetry,
    library::{Library, ReloadError, Reloaded},
    screen::{Answer, Firm},
};

/// How long the last spans have to be sent.
const LAST_SPANS: Duration = Duration::from_secs(5);

/// What keeps telemetry from starting.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Two metrics of one name, or a label that a metric lacks.
    #[error("a metric cannot be made or written: {0}")]
    Metric(#[from] prometheus::Error),
    /// A descriptor set inside the binary cannot be read.
    #[error("the descriptors of the services cannot be read: {0}")]
    Descriptors(#[from] prost_reflect::DescriptorError),
    /// The log's filter; what is wrong with it.
    #[error("'{0}' is no filter of the log: {1}; a level such as info, or target=level, separated by commas")]
    Filter(String, String),
    /// The collector's address; what is wrong with it.
    #[error("traces cannot be sent to '{0}': {1}")]
    Collector(String, String),
    /// Traces are sent from the runtime, and there is none.
    #[error("traces need a runtime to be sent from")]
    NoRuntime,
    /// There is a log already.
    #[error("logs were started already")]
    Started,
}

/// Keeps logs and traces going. Keep it in `main`: dropped, it writes the last lines of the log.
#[derive(Debug)]
pub struct Guard {
    traces: Option<SdkTracerProvider>,
    _logs: WorkerGuard,
}

impl Guard {
    /// Sends the last spans, for at most five seconds. Lines of the log are written until the guard is dropped.
    pub async fn shutdown(&mut self) {
        if let Some(traces) = self.traces.take() {
            let sent = tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(LAST_SPANS)).await;
            if !matches!(sent, Ok(Ok(()))) {
                tracing::warn!(target: "mingcha::traces", "the last spans could not be sent");
            }
        }
    }
}

/// Begins logs, to stderr and of panics too, and traces where they are configured. Once in a process, in a runtime.
///
/// # Errors
/// [`TelemetryError`] where the filter or the collector's address is none, or logs were started already.
pub fn start(config: &Telemetry, metrics: &Arc<Metrics>) -> Result<Guard, TelemetryError> {
    let colour = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
    let (dispatch, guard) = prepare(config, metrics, BufWriter::new(io::stderr()), colour)?;
    tracing::dispatcher::set_global_default(dispatch).map_err(|_| TelemetryError::Started)?;
    logs::report_panics(config.texts);
    Ok(guard)
}

/// Logs to `out` and traces, for whoever sets the dispatch: [`start`] does for the whole process.
///
/// # Errors
/// As [`start`].
pub fn prepare(
    config: &Telemetry,
    metrics: &Arc<Metrics>,
    out: impl Write + Send + 'static,
    colour: bool,
) -> Result<(Dispatch, Guard), TelemetryError> {
    let (writer, logs) = logs::writer(out);
    metrics.register(Dropped::new(writer.error_counter())?)?;
    let lines = logs::layer(config, writer, colour)?;
    let traces = config.otlp.as_deref().map(|endpoint| traces::provider(endpoint, config.sample, metrics)).transpose()?;
    let spans = traces.as_ref().map(|provider| traces::layer(provider, config.texts));
    Ok((Dispatch::new(Registry::default().with(spans).with(lines)), Guard { traces, _logs: logs }))
}

/// Counts and tells what a reload of the lists came to.
pub fn reloaded(reloaded: &Result<Reloaded, ReloadError>, library: &Library, metrics: &Metrics) {
    metrics.reloaded(reloaded, library);
    match reloaded {
        Ok(reloaded) => tracing::info!(before = reloaded.before, after = reloaded.after, "lists reloaded"),
        Err(ReloadError::NoFolder) => {} // nothing to read again
        Err(error) => tracing::error!(%error, "lists refused: the old ones go on serving"),
    }
}

/// Tells the texts of a firm and what became of them, where texts are switched on; costs nothing where they are not.
/// Call it inside the call's span, so that the line has its request id.
pub fn texts(firm: &Firm, answer: &Answer<'_>) {
    let Firm { name, scope, advertisement, .. } = firm;
    tracing::debug!(target: logs::TEXTS, name, scope, advertisement, decision = answer.decision.id(), "screened");
}

/// Tells how many lines of the log were dropped.
struct Dropped {
    lines: ErrorCounter,
    /// How many of them are counted.
    told: AtomicUsize,
    counter: IntCounter,
}

impl Dropped {
    fn new(lines: ErrorCounter) -> prometheus::Result<Self> {
        let counter = IntCounter::new("mingcha_log_lines_dropped_total", "Lines of the log dropped, because no one read them.")?;
        Ok(Self { lines, told: AtomicUsize::new(0), counter })
    }
}

impl Collector for Dropped {
    fn desc(&self) -> Vec<&Desc> {
        self.counter.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let lines = self.lines.dropped_lines();
        let told = self.told.fetch_max(lines, Ordering::Relaxed);
        self.counter.inc_by(lines.saturating_sub(told) as u64);
        self.counter.collect()
    }
}
