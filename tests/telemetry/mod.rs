//! Telemetry with real servers, clients and collectors.

mod collector;
mod exposition;
mod harness;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    process::{Command, Output, Stdio},
    sync::Arc,
    time::{Duration, SystemTime},
};

use mingcha::{
    config::{LogFormat, Telemetry},
    grpc::StrictCodec,
    screen::{Engine, Firm},
    telemetry::{
        self, AnswerCounters, Metrics, TelemetryError,
        admin::{self, Readiness},
        labels::{Closed, Refused},
    },
    vocabulary::Field,
    wire::v1::{
        BatchScreenRequest, Cleared, ClearedReason, Decision, Hit, ScreenRequest, ScreenResponse,
        screening_service_client::ScreeningServiceClient,
    },
};
use tokio::sync::{oneshot, watch};
use tonic::{Code, Request, Status, metadata::MetadataMap, transport::Channel};

use self::{
    collector::Collector,
    exposition::{Samples, parse},
    harness::{CALLER, Running, eventually, run},
};
use crate::support::{engine, plain};

const NAME: &str = "南京明德金融理财有限公司";
const SCOPE: &str = "投资管理；保险柜销售；不含金融业务";
const SCREEN: &str = r#"grpc_service="mingcha.v1.ScreeningService",grpc_method="Screen""#;

fn request(name: &str) -> ScreenRequest {
    ScreenRequest { name: name.to_owned(), scope: SCOPE.to_owned(), date: "2026-11-01".to_owned(), ..ScreenRequest::default() }
}

fn quiet() -> Telemetry {
    Telemetry::default()
}

async fn screen(channel: &Channel, name: &str) -> Result<ScreenResponse, Status> {
    ScreeningServiceClient::new(channel.clone()).screen(request(name)).await.map(tonic::Response::into_inner)
}

/// Calls `Screen` with a header, and gives the head of the answer.
async fn headed(channel: &Channel, header: &'static str, value: &'static str) -> MetadataMap {
    let mut request = Request::new(request(NAME));
    request.metadata_mut().insert(header, value.parse().expect("a header's value"));
    let response = ScreeningServiceClient::new(channel.clone()).screen(request).await.expect("an answer");
    response.metadata().clone()
}

async fn no_such_method(channel: &Channel) -> Status {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.expect("a connection");
    let path = http::uri::PathAndQuery::from_static("/mingcha.v1.ScreeningService/Nope%E9%87%91%E8%9E%8D");
    let codec = StrictCodec::<ScreenRequest, ScreenResponse>::default();
    client.unary(Request::new(request(NAME)), path, codec).await.expect_err("there is no such method")
}

fn samples(metrics: &Metrics) -> Samples {
    parse(&metrics.text().expect("metrics"))
}

fn handled(samples: &Samples, method: &str, code: &str, kind: &str) -> f64 {
    samples[&format!(r#"grpc_server_handled_total{{grpc_code="{code}",{}grpc_type="{kind}"}}"#, sorted(method))]
}

/// Labels are written in the order of their names.
fn sorted(method: &str) -> String {
    let (service, method) = method.rsplit_once(',').expect("two labels");
    format!("{method},{service},").replace(",,", ",")
}

#[test]
fn calls_are_counted_by_code() {
    run(&quiet(), async |running: &Running| {
        let channel = running.channel().await;
        for _ in 0..3 {
            screen(&channel, NAME).await.expect("an answer");
        }
        assert_eq!(screen(&channel, "").await.expect_err("no name").code(), Code::InvalidArgument);
        assert_eq!(no_such_method(&channel).await.code(), Code::Unimplemented);

        let at = |code| {
            eventually(code, || {
                let samples = samples(&running.metrics);
                (samples[r"mingcha_calls_in_flight"] == 0.0).then_some(samples)
            })
        };
        let samples = at("the calls end").await;
        let labels = r#"grpc_method="Screen",grpc_service="mingcha.v1.ScreeningService",grpc_type="unary""#;
        assert!((samples[&format!("grpc_server_started_total{{{labels}}}")] - 4.0).abs() < 0.1);
        assert!((samples[&format!("grpc_server_handling_seconds_count{{{labels}}}")] - 4.0).abs() < 0.1);
        assert!((handled(&samples, SCREEN, "OK", "unary") - 3.0).abs() < 0.1);
        assert!((handled(&samples, SCREEN, "INVALID_ARGUMENT", "unary") - 1.0).abs() < 0.1);
        let unknown = r#"grpc_service="unknown",grpc_method="unknown""#;
        assert!((handled(&samples, unknown, "UNIMPLEMENTED", "unknown") - 1.0).abs() < 0.1);
        assert!(samples.keys().all(|sample| !sample.contains("Nope")), "a path became a label");
    });
}

#[test]
fn a_stream_that_its_client_leaves_is_cancelled() {
    run(&quiet(), async |running: &Running| {
        let channel = running.channel().await;
        let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
        let asked = tonic_health::pb::HealthCheckRequest::default();
        let mut watching = health.watch(asked).await.expect("a stream").into_inner();
        watching.message().await.expect("a message").expect("the first");
        assert!((samples(&running.metrics)["mingcha_calls_in_flight"] - 1.0).abs() < 0.1);
        drop(watching);
        let labels = r#"grpc_service="grpc.health.v1.Health",grpc_method="Watch""#;
        eventually("the call is cancelled", || {
            let samples = samples(&running.metrics);
            (handled(&samples, labels, "CANCELLED", "server_stream") > 0.5 && samples["mingcha_calls_in_flight"] < 0.5).then_some(())
        })
        .await;
    });
}

#[test]
fn request_ids_come_back() {
    run(&quiet(), async |running: &Running| {
        let channel = running.channel().await;
        let id = |head: &MetadataMap| head.get("x-request-id").expect("an id").to_str().expect("text").to_owned();
        assert_eq!(id(&headed(&channel, "x-request-id", "order-17/3").await), "order-17/3");
        let other = id(&headed(&channel, "x-request-id", "two words").await);
        assert_eq!(uuid::Uuid::parse_str(&other).expect("a UUID").get_version_num(), 7);
        let none = id(&headed(&channel, "x-other", "1").await);
        uuid::Uuid::parse_str(&none).expect("a UUID");
        assert_ne!(none, other);
        let refused = screen(&channel, "").await.expect_err("no name");
        uuid::Uuid::parse_str(&id(refused.metadata())).expect("errors have an id too");
    });
}

/// What the answers say that the metrics should say.
fn expected(responses: &[ScreenResponse]) -> BTreeMap<String, f64> {
    let mut expected = BTreeMap::new();
    let mut count = |sample: String| *expected.entry(sample).or_insert(0.0) += 1.0;
    for response in responses {
        let decision = response.decision().as_str_name().trim_start_matches("DECISION_").to_owned();
        count(format!(r#"mingcha_decisions_total{{decision="{decision}"}}"#));
        for hit in &response.hits {
            count(format!(r#"mingcha_hits_total{{term="{}"}}"#, hit.term));
        }
        for cleared in &response.cleared {
            let reason = cleared.reason().as_str_name().trim_start_matches("CLEARED_REASON_").to_lowercase();
            count(format!(r#"mingcha_cleared_total{{reason="{reason}"}}"#));
        }
    }
    expected
}

#[test]
fn answers_are_counted_as_they_were_given() {
    run(&quiet(), async |running: &Running| {
        let channel = running.channel().await;
        let names = [NAME, "南京明德餐饮有限公司", "上海融资担保有限公司", NAME];
        let mut responses = Vec::new();
        for name in names {
            responses.push(screen(&channel, name).await.expect("an answer"));
        }
        assert!(responses.iter().any(|response| response.decision() > Decision::Pass), "nothing was hit");
        let reasons: Vec<ClearedReason> = responses.iter().flat_map(|r| r.cleared.iter().map(Cleared::reason)).collect();
        assert!(reasons.contains(&ClearedReason::Mention) && reasons.contains(&ClearedReason::Excluded), "{reasons:?}");

        let samples = samples(&running.metrics);
        let counted = |prefix: &str| -> BTreeMap<String, f64> {
            samples.iter().filter(|(sample, value)| sample.starts_with(prefix) && **value > 0.0).map(|(s, v)| (s.clone(), *v)).collect()
        };
        let mut counted_all = counted("mingcha_decisions_total{");
        counted_all.extend(counted("mingcha_hits_total{"));
        counted_all.extend(counted("mingcha_cleared_total{"));
        assert_eq!(counted_all, expected(&responses));

        let first = &responses[0];
        let force = |hit: &Hit| hit.force;
        let strongest = first.hits.iter().map(force).max().expect("a hit");
        for hit in first.hits.iter().filter(|hit| force(hit) == strongest) {
            let field = hit.business_field().as_str_name().trim_start_matches("BUSINESS_FIELD_").to_lowercase().replace('_', "-");
            let decision = first.decision().as_str_name().trim_start_matches("DECISION_").to_owned();
            let sample = format!(r#"mingcha_decisions_by_field_total{{business_field="{field}",decision="{decision}"}}"#);
            assert!(samples[&sample] > 1.5, "{sample} is {}", samples[&sample]); // it was asked twice
        }
    });
}

#[test]
fn engines_count_together() {
    let metrics = Metrics::new().expect("metrics");
    let counters = [0, 1].map(|_| AnswerCounters::new(&metrics, engine()).expect("counters"));
    let firm = plain(Field::Name, NAME);
    let answer = engine().screen(&firm);
    for counters in &counters {
        counters.answered(&answer, engine());
    }
    let sample = format!(r#"mingcha_decisions_total{{decision="{}"}}"#, answer.decision.id());
    assert!((samples(&metrics)[&sample] - 2.0).abs() < 0.1);
}

/// What an admin port answers: its status, kind of content and body.
fn ask(address: SocketAddr, path: &str) -> (u16, String, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut response = agent.get(format!("http://{address}{path}")).call().expect("an answer");
    let kind = response.headers().get("content-type").map(|kind| kind.to_str().expect("text").to_owned()).unwrap_or_default();
    let body = response.body_mut().read_to_string().expect("a body");
    (response.status().as_u16(), kind, body)
}

async fn asked(address: SocketAddr, path: &'static str) -> (u16, String, String) {
    tokio::task::spawn_blocking(move || ask(address, path)).await.expect("a thread")
}

#[tokio::test]
async fn the_admin_port_shows_metrics_and_readiness() {
    let metrics = Metrics::new().expect("metrics");
    metrics.lists_serve(engine().lists().hash(), SystemTime::now());
    metrics.refused.of(Refused::Role).inc();
    metrics.closed.of(Closed::Silent).inc_by(2);
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (ready, heard) = watch::channel(Readiness::NotReady("the lists are being loaded".into()));
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(admin::serve(listener, metrics, heard, async { drop(stopped.await) }));

    let (status, _, body) = asked(address, "/readyz").await;
    assert_eq!((status, body.as_str()), (503, "not ready: the lists are being loaded\n"));
    ready.send(Readiness::Ready).expect("a listener");
    assert_eq!(asked(address, "/readyz").await.0, 200);
    assert_eq!(asked(address, "/livez").await.0, 200);
    assert_eq!(asked(address, "/").await.0, 404);

    let (status, kind, body) = asked(address, "/metrics").await;
    assert_eq!((status, kind.as_str()), (200, "text/plain; version=0.0.4; charset=utf-8"));
    let samples = parse(&body);
    assert!((samples[&format!(r#"mingcha_lists_info{{hash="{}"}}"#, engine().lists().hash())] - 1.0).abs() < 0.1);
    assert!(samples["mingcha_lists_loaded_timestamp_seconds"] > 1.7e9);
    assert!((samples[r#"mingcha_refused_total{reason="role"}"#] - 1.0).abs() < 0.1);
    assert!((samples[r#"mingcha_connections_closed_total{reason="silent"}"#] - 2.0).abs() < 0.1);
    assert!((samples[&format!(r#"mingcha_build_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION"))] - 1.0).abs() < 0.1);
    if cfg!(target_os = "linux") {
        assert!(samples["process_resident_memory_bytes"] > 0.0 && samples["process_open_fds"] > 0.0);
        assert!(samples["process_start_time_seconds"] > 1.7e9);
    }

    stop.send(()).expect("it serves");
    serving.await.expect("it stops");
}

#[test]
fn the_log_has_one_line_a_call_and_no_texts() {
    let config = Telemetry { log: "trace".to_owned(), ..quiet() };
    let (log, ()) = run(&config, async |running: &Running| {
        let channel = running.channel().await;
        headed(&channel, "x-request-id", "order-17").await;
        screen(&channel, "").await.expect_err("no name");
        let batch = BatchScreenRequest { requests: vec![request(NAME)], ..BatchScreenRequest::default() };
        ScreeningServiceClient::new(channel.clone()).batch_screen(batch).await.expect("an answer");
        no_such_method(&channel).await;
    });
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let calls: Vec<&serde_json::Value> = lines.iter().filter(|line| line["target"] == "mingcha::calls").collect();
    assert_eq!(calls.len(), 4, "{log}");
    let first = calls[0];
    assert_eq!(first["request_id"], "order-17");
    assert_eq!(first["method"], "mingcha.v1.ScreeningService/Screen");
    assert_eq!((&first["code"], &first["level"]), (&"OK".into(), &"INFO".into()));
    assert_eq!((&first["identity"], &first["peer"]), (&CALLER.into(), &"127.0.0.1".into()));
    assert!(first["duration_us"].is_u64());
    assert_eq!(calls[1]["code"], "INVALID_ARGUMENT");
    assert_eq!((&calls[3]["method"], &calls[3]["code"]), (&"unknown".into(), &"UNIMPLEMENTED".into()));
    for text in [NAME, SCOPE, "金融", "Nope", r"\u"] {
        assert!(!log.contains(text), "'{text}' is in the log:\n{log}");
    }
}

#[test]
fn texts_are_logged_where_they_are_switched_on() {
    let config = Telemetry { texts: true, ..quiet() };
    let (log, ()) = run(&config, async |running: &Running| {
        headed(&running.channel().await, "x-request-id", "order-17").await;
    });
    let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line of JSON"));
    let told = lines.filter(|line| line["target"] == "mingcha::texts").collect::<Vec<_>>();
    assert_eq!(told.len(), 1, "{log}");
    assert_eq!((&told[0]["name"], &told[0]["scope"]), (&NAME.into(), &SCOPE.into()));
    assert_eq!(told[0]["span"]["request_id"], "order-17", "{log}");
}

#[test]
fn a_server_fault_is_a_warning_for_people_too() {
    let config = Telemetry { log_format: LogFormat::Text, ..quiet() };
    let (log, ()) = run(&config, async |running: &Running| {
        let status = screen(&running.channel().await, harness::BROKEN).await.expect_err("it breaks");
        assert_eq!(status.code(), Code::Internal);
    });
    let line = log.lines().next().expect("a line");
    assert!(line.contains("WARN mingcha::calls: call") && line.contains(r#"code="INTERNAL""#), "{log}");
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The spans of one call that says it is in a trace, and of one that says nothing, written out.
fn traced(texts: bool, sample: f64) -> Vec<String> {
    let (_, spans) = run(&quiet(), async |_: &Running| {
        let collector = Collector::start().await;
        let config = Telemetry { otlp: Some(collector.endpoint()), texts, sample, ..quiet() };
        let mut running = Running::start(&config, &harness::Lines::default()).await;
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
    for said in ["mingcha.v1.ScreeningService/Screen", "rpc.system", "grpc", "request_id", CALLER, "service.name", "service.version"] {
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
    let log = log_of_child("telemetry::child_without_collector");
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("the collector takes no spans"), "{log}");
}

#[test]
fn a_silent_collector_holds_up_nothing() {
    run(&quiet(), async |_: &Running| {
        let silent = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let config = Telemetry { otlp: Some(format!("http://{}", silent.local_addr().expect("an address"))), ..quiet() };
        let mut running = Running::start(&config, &harness::Lines::default()).await;
        let channel = running.channel().await;
        for _ in 0..20 {
            screen(&channel, NAME).await.expect("calls go on");
        }
        tokio::time::timeout(Duration::from_secs(60), running.guard.shutdown()).await.expect("shutdown ends by itself");
        drop(silent);
    });
}

#[tokio::test]
async fn what_cannot_be_started_is_said() {
    let metrics = Metrics::new().expect("metrics");
    let refused = |config: Telemetry| {
        telemetry::prepare(&config, &metrics, std::io::sink(), false).map(drop).expect_err("it cannot be started").to_string()
    };
    let filter = refused(Telemetry { log: "mingcha=loud".to_owned(), ..quiet() });
    assert!(filter.starts_with("'mingcha=loud' is no filter of the log: "), "{filter}");
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

/// Run by [`panics_are_lines_without_texts`] in a process of its own: logs and the panic hook are global.
#[test]
#[ignore = "a child of another test"]
fn child() {
    let metrics = Metrics::new().expect("metrics");
    let guard = telemetry::start(&quiet(), &metrics).expect("logs");
    assert!(matches!(telemetry::start(&quiet(), &Metrics::new().expect("metrics")), Err(TelemetryError::Started)));
    let firm: Firm = plain(Field::Name, NAME);
    let engine: Arc<Engine> = Arc::new(Engine::build(&mingcha::embedded::files()).expect("lists"));
    telemetry::texts(&firm, &engine.screen(&firm));
    let name = firm.name;
    std::thread::Builder::new()
        .name("worker".to_owned())
        .spawn(move || panic!("no such firm: {name}"))
        .expect("a thread")
        .join()
        .expect_err("a panic");
    std::thread::spawn(|| panic!("a literal")).join().expect_err("a panic");
    drop(guard);
}

#[test]
fn panics_are_lines_without_texts() {
    let log = log_of_child("telemetry::child");
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let panics: Vec<&serde_json::Value> = lines.iter().filter(|line| line["target"] == "mingcha::panic").collect();
    assert_eq!(panics.len(), 2, "{log}");
    assert_eq!((&panics[0]["thread"], &panics[0]["level"]), (&"worker".into(), &"ERROR".into()));
    assert!(panics[0]["location"].as_str().is_some_and(|location| location.starts_with("tests/telemetry/mod.rs:")), "{log}");
    assert!(panics[0]["backtrace"].is_string() && panics[0].get("reason").is_none(), "{log}");
    assert_eq!(panics[1]["reason"], "a literal");
    assert!(!log.contains(NAME), "{log}");
}

/// What an ignored test logs in a process of its own.
fn log_of_child(test: &str) -> String {
    let Output { status, stderr, .. } = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
        .env("RUST_BACKTRACE", "1")
        .stdin(Stdio::null())
        .output()
        .expect("a child");
    let log = String::from_utf8(stderr).expect("text");
    assert!(status.success(), "{log}");
    log
}
