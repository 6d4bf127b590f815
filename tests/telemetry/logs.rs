//! What the log says, and what it never says.

use std::sync::Arc;

use mingcha::{
    config::{LogFormat, Telemetry},
    screen::{Engine, Firm},
    telemetry::{self, Metrics, TelemetryError},
    vocabulary::Field,
    wire::v1::{BatchScreenRequest, screening_service_client::ScreeningServiceClient},
};
use tonic::Code;

use super::{
    NAME, SCOPE,
    harness::{BROKEN, CALLER, Running, run},
    headed, log_of_child, no_such_method, quiet, request, screen,
};
use crate::support::plain;

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
        let status = screen(&running.channel().await, BROKEN).await.expect_err("it breaks");
        assert_eq!(status.code(), Code::Internal);
    });
    let line = log.lines().next().expect("a line");
    assert!(line.contains("WARN mingcha::calls: call") && line.contains(r#"code="INTERNAL""#), "{log}");
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
    let log = log_of_child("telemetry::logs::child");
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let panics: Vec<&serde_json::Value> = lines.iter().filter(|line| line["target"] == "mingcha::panic").collect();
    assert_eq!(panics.len(), 2, "{log}");
    assert_eq!((&panics[0]["thread"], &panics[0]["level"]), (&"worker".into(), &"ERROR".into()));
    assert!(panics[0]["location"].as_str().is_some_and(|location| location.starts_with("tests/telemetry/logs.rs:")), "{log}");
    assert!(panics[0]["backtrace"].is_string() && panics[0].get("reason").is_none(), "{log}");
    assert_eq!(panics[1]["reason"], "a literal");
    assert!(!log.contains(NAME), "{log}");
}
