//! What a collector receives, and what becomes of calls where none does.

use std::{net::Ipv4Addr, time::Duration};

use mingcha::{
    config::Telemetry,
    telemetry::{self, Metrics, TelemetryError},
};

use super::{
    NAME, SCOPE,
    collector::Collector,
    harness::{CALLER, Lines, Running, eventually, run},
    headed, log_of_child, quiet, samples, screen,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The spans of one call that says it is in a trace, and of one that says nothing, written out.
fn traced(texts: bool, sample: f64) -> Vec<String> {
    let (_, spans) = run(&quiet(), async |_: &Running| {
        let collector = Collector::start().await;
        let config = Telemetry { otlp: Some(collector.endpoint()), texts, sample, ..quiet() };
        let mut running = Running::start(&config, &Lines::default()).await;
        let channel = running.channel().await;
        headed(&channel, "traceparent", PARENT).await;
        screen(&channel, NAME).await.expect("an answer");
        eventually("the calls end", || (samples(&running.metrics)["mingcha_calls_in_flight"] == 0.0).then_some(())).await;
        running.guard.shutdown().await;
        collector.spans()
    });
    spans
}

#[test]
fn a_collector_receives_spans_in_the_callers_trace_without_texts() {
    let spans = traced(false, 1.0);
    assert_eq!(spans.len(), 2, "{spans:#?}");
    let (ours, own): (Vec<&String>, Vec<&String>) = spans.iter().partition(|span| span.contains(TRACE));
    assert_eq!((ours.len(), own.len()), (1, 1), "{spans:#?}");
    assert!(ours[0].contains("parent 00f067aa0ba902b7"), "{spans:#?}");
    for said in [
        "mingcha.v1.ScreeningService/Screen",
        "rpc.system",
        "grpc",
        "request_id",
        "rpc.grpc.status_code",
        CALLER,
        "service.name",
        "service.version",
    ] {
        assert!(ours[0].contains(said), "'{said}' is not in {}", ours[0]);
    }
    for text in [NAME, SCOPE] {
        assert!(spans.iter().all(|span| !span.contains(text)), "{spans:#?}");
    }
}

#[test]
fn the_caller_decides_what_is_traced_and_texts_are_told_where_switched_on() {
    let spans = traced(true, 0.0);
    assert_eq!(spans.len(), 1, "{spans:#?}");
    assert!(spans[0].contains(TRACE) && spans[0].contains(NAME) && spans[0].contains(SCOPE), "{spans:#?}");
}

/// Run by [`a_lost_collector_is_one_line`] in a process of its own: batches are sent from a thread of their own,
/// whose log is the global one.
#[test]
#[ignore = "a child of another test"]
fn child_without_collector() {
    let gone = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("a port");
    let config = Telemetry { otlp: Some(format!("http://{gone}")), ..quiet() };
    let metrics = Metrics::new().expect("metrics");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut guard = telemetry::start(&config, &metrics).expect("logs");
        for batch in 1..=3 {
            drop(tracing::info_span!(target: "mingcha::calls", "grpc.call"));
            let failed = || samples(&metrics)[r#"mingcha_spans_total{outcome="failed"}"#];
            eventually("a batch fails", || (failed() > f64::from(batch) - 0.5).then_some(())).await;
        }
        guard.shutdown().await;
    });
}

#[test]
fn a_lost_collector_is_one_line() {
    let log = log_of_child("telemetry::traces::child_without_collector");
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("the collector takes no spans"), "{log}");
}

#[test]
fn a_silent_collector_holds_up_nothing() {
    run(&quiet(), async |_: &Running| {
        let silent = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let config = Telemetry { otlp: Some(format!("http://{}", silent.local_addr().expect("an address"))), ..quiet() };
        let mut running = Running::start(&config, &Lines::default()).await;
        let channel = running.channel().await;
        for _ in 0..20 {
            screen(&channel, NAME).await.expect("calls go on");
        }
        tokio::time::timeout(Duration::from_secs(60), running.guard.shutdown()).await.expect("shutdown ends by itself");
        drop(silent);
    });
}

#[tokio::test]
async fn a_collector_must_have_an_address() {
    let start = |endpoint: &str| {
        let config = Telemetry { otlp: Some(endpoint.to_owned()), ..quiet() };
        let metrics = Metrics::new().expect("metrics");
        telemetry::prepare(&config, &metrics, std::io::sink(), false).map(drop)
    };
    for endpoint in ["no address at all", "https://127.0.0.1:4317"] {
        let error = start(endpoint).expect_err("no address");
        assert!(matches!(&error, TelemetryError::Collector(at, _) if at == endpoint), "{error}");
    }
}
