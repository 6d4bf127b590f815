//! Logs (日志): lines to a writer, JSON or text for people, from a thread of their own: a slow reader costs lines,
//! never time of a call.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::Write,
    panic::PanicHookInfo,
    thread,
};

use tracing::{Level, Metadata, Subscriber};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, filter_fn},
    fmt,
    layer::Filter,
    registry::LookupSpan,
};

use super::TelemetryError;
use crate::config::{LogFormat, Telemetry};

/// The target of events that hold names and scopes.
pub(super) const TEXTS: &str = "mingcha::texts";
/// Most lines that wait to be written; more are dropped.
const WAITING: usize = 16 * 1024;

/// A writer that never waits, and what keeps it going.
pub(super) fn writer(out: impl Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().buffered_lines_limit(WAITING).lossy(true).thread_name("log").finish(out)
}

/// Writes what the configuration wants to see. Only where it allows texts, may a line hold one.
pub(super) fn layer<S>(config: &Telemetry, out: NonBlocking, colour: bool) -> Result<Box<dyn Layer<S> + Send + Sync>, TelemetryError>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    let filter = filter(config)?;
    let lines = fmt::layer().with_writer(out).with_ansi(colour);
    Ok(match config.log_format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).with_filter(filter).boxed(),
        LogFormat::Text => lines.with_filter(filter).boxed(),
    })
}

fn filter<S>(config: &Telemetry) -> Result<impl Filter<S> + Send + Sync + use<S>, TelemetryError> {
    let refused = |error: &dyn std::fmt::Display| TelemetryError::Filter(config.log.clone(), error.to_string());
    let mut wanted = EnvFilter::try_new(&config.log).map_err(|error| refused(&error))?;
    if config.texts {
        // who switches texts on wants to see them
        wanted = wanted.add_directive(format!("{TEXTS}=debug").parse().map_err(|error| refused(&error))?);
    }
    let texts = config.texts;
    Ok(wanted.and(filter_fn(move |metadata| in_logs(metadata, texts))))
}

/// Whether the log may hold this, whatever its filter says: nothing of what sends traces, which would fill it, and
/// where `texts` is off no text, nor what other crates say in detail, which may quote one.
fn in_logs(metadata: &Metadata<'_>, texts: bool) -> bool {
    let target = metadata.target();
    if target.starts_with("opentelemetry") {
        return false;
    }
    texts || (ours(target) && target != TEXTS) || (!ours(target) && *metadata.level() <= Level::INFO)
}

/// Whether a trace may hold this.
pub(super) fn in_traces(metadata: &Metadata<'_>, texts: bool) -> bool {
    let target = metadata.target();
    if target == TEXTS { texts } else { ours(target) && *metadata.level() <= Level::INFO }
}

fn ours(target: &str) -> bool {
    target == "mingcha" || target.starts_with("mingcha::")
}

/// Makes panics lines of the log.
pub(super) fn report_panics(texts: bool) {
    std::panic::set_hook(Box::new(move |panic| report(panic, texts)));
}

fn report(panic: &PanicHookInfo<'_>, texts: bool) {
    let location = panic.location().map(ToString::to_string);
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    let current = thread::current();
    tracing::error!(target: "mingcha::panic", reason = reason(panic, texts), location, thread = current.name(), backtrace, "panic");
}

/// A message that was put together may quote a request, a literal cannot.
fn reason<'p>(panic: &'p PanicHookInfo<'_>, texts: bool) -> Option<&'p str> {
    let literal = panic.payload().downcast_ref::<&'static str>().copied();
    literal.or_else(|| panic.payload().downcast_ref::<String>().filter(|_| texts).map(String::as_str))
}
