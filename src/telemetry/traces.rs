//! Traces (链路追踪): spans sent by OTLP over gRPC, in batches, from a thread of their own. A collector that does not
//! answer costs spans, never time of a call.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::HeaderMap;
use opentelemetry::{
    Context, KeyValue,
    propagation::{Extractor, TextMapPropagator},
    trace::{TraceContextExt, TracerProvider},
};
use opentelemetry_otlp::{SpanExporter as Otlp, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    propagation::TraceContextPropagator,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter},
};
use tracing::Subscriber;
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use super::{TelemetryError, labels::Sent, logs, metrics::Metrics};
use crate::screen::ENGINE_VERSION;

/// What this service is called in traces.
const SERVICE: &str = "mingcha";
/// How long the collector has to take a batch.
const EXPORT: Duration = Duration::from_secs(5);
/// How long spans wait for more of them.
const GATHER: Duration = Duration::from_secs(1);
/// Most spans that wait; more are dropped.
const WAITING: usize = 4096;

/// Sends spans to `endpoint`. `sample` is the share of calls that are traced where the caller does not say.
pub(super) fn provider(endpoint: &str, sample: f64, metrics: &Arc<Metrics>) -> Result<SdkTracerProvider, TelemetryError> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(TelemetryError::NoRuntime);
    }
    let refused = |error: opentelemetry_otlp::ExporterBuildError| TelemetryError::Collector(endpoint.to_owned(), error.to_string());
    let exporter = Otlp::builder().with_tonic().with_endpoint(endpoint).with_timeout(EXPORT).build().map_err(refused)?;
    let exporter = Watched { exporter, metrics: Arc::clone(metrics), lost: AtomicBool::new(false) };
    let batches = BatchConfigBuilder::default().with_scheduled_delay(GATHER).with_max_queue_size(WAITING).build();
    let resource = Resource::builder_empty().with_service_name(SERVICE).with_attribute(KeyValue::new("service.version", ENGINE_VERSION));
    Ok(SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(sample))))
        .with_resource(resource.build())
        .build())
}

/// Makes spans of this crate, and of no other, traces.
pub(super) fn layer<S>(provider: &SdkTracerProvider, texts: bool) -> impl Layer<S> + Send + Sync + use<S>
where
    S: Subscriber + for<'s> LookupSpan<'s> + Send + Sync,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(SERVICE))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
        .with_filter(filter_fn(move |metadata| logs::in_traces(metadata, texts)))
}

/// The span that the caller says it is in, by W3C `traceparent` and `tracestate`.
pub(super) fn parent(headers: &HeaderMap) -> Option<Context> {
    headers.get("traceparent")?;
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
    context.span().span_context().is_valid().then_some(context)
}

struct Headers<'h>(&'h HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// An exporter that counts, and that tells the log when the collector is lost and when it is back: not each time.
#[derive(Debug)]
struct Watched<E> {
    exporter: E,
    metrics: Arc<Metrics>,
    lost: AtomicBool,
}

impl<E> Watched<E> {
    fn note(&self, spans: u64, result: &OTelSdkResult) {
        let outcome = if result.is_ok() { Sent::Exported } else { Sent::Failed };
        self.metrics.spans.of(outcome).inc_by(spans);
        let was_lost = self.lost.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(error) if !was_lost => tracing::warn!(target: "mingcha::traces", %error, "the collector takes no spans; they are lost"),
            Ok(()) if was_lost => tracing::info!(target: "mingcha::traces", "the collector takes spans again"),
            _ => {}
        }
    }
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        let result = self.exporter.export(batch).await;
        self.note(spans, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
