//! Telemetry with real servers, clients and collectors.

mod collector;
mod exposition;
mod harness;
mod logs;
mod traces;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    process::{Command, Output, Stdio},
    time::SystemTime,
};

use mingcha::{
    auth::Refusal,
    config::Telemetry,
    grpc::StrictCodec,
    server::connection::Closed,
    telemetry::{
        AnswerCounters, Metrics,
        admin::{self, Readiness},
    },
    vocabulary::Field,
    wire::v1::{Cleared, ClearedReason, Decision, Hit, ScreenRequest, ScreenResponse, screening_service_client::ScreeningServiceClient},
};
use tokio::sync::{oneshot, watch};
use tonic::{Code, Request, Status, metadata::MetadataMap, transport::Channel};

use self::{
    exposition::{Samples, parse},
    harness::{Running, eventually, run},
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
    metrics.refused.of(Refusal::RoleMissing).inc();
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
    assert!((samples[r#"mingcha_refused_total{reason="ROLE_MISSING"}"#] - 1.0).abs() < 0.1);
    assert!((samples[r#"mingcha_connections_closed_total{reason="silent"}"#] - 2.0).abs() < 0.1);
    assert!((samples[&format!(r#"mingcha_build_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION"))] - 1.0).abs() < 0.1);
    if cfg!(target_os = "linux") {
        assert!(samples["process_resident_memory_bytes"] > 0.0 && samples["process_open_fds"] > 0.0);
        assert!(samples["process_start_time_seconds"] > 1.7e9);
    }

    stop.send(()).expect("it serves");
    serving.await.expect("it stops");
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
