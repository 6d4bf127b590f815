//! Operations outlive the service, however it ends.

use mingcha::wire::v1::{RescreenOptions, RescreenState, StartRescreenRequest};

use super::{Service, error, metadata, options, response, state};
use crate::rescreen::resume::register;

/// Rows enough that a run can be caught in its middle.
const ROWS: usize = 60_000;

async fn interrupted(output: &str, signal: &str) {
    let service = Service::open(&[]).await;
    service.bureau.write("firms.csv", register(ROWS));
    let running = service.start("firms.csv", output).await.expect("it starts").name;
    let queued = service.start("firms.csv", "queued.csv").await.expect("it starts").name;
    service.until(&running, |said| said.checkpoint.is_some_and(|at| at.read > 0)).await;
    service.server.signal(signal);
    let mut service = service;
    service.server.wait();
    assert!(!service.bureau.path(output).exists(), "it was done before it could be interrupted");
    assert!(service.bureau.path(&format!("{output}.checkpoint")).exists());
    let service = service.again(&[]).await;
    for name in [&running, &queued] {
        assert_eq!(response(&service.ended(name).await).read, ROWS as u64 + 60);
    }
    for output in [output, "queued.csv"] {
        service.same_as_the_command_line("firms.csv", output, &[]);
    }
    let left = service.bureau.files();
    assert_eq!(left.len(), 5, "the register, two outputs and their rejects: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_killed_goes_on_to_the_same_bytes() {
    interrupted("out.csv", "KILL").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_stopped_goes_on_to_the_same_bytes() {
    interrupted("out.xlsx", "TERM").await;
}

async fn recording(signal: &str, more: &[&str]) {
    let service = Service::open(more).await;
    service.bureau.write("firms.csv", register(9_000));
    let request = StartRescreenRequest {
        inputs: vec!["firms.csv".to_owned()],
        output: "out.csv".to_owned(),
        options: Some(RescreenOptions { record: true, ..options() }),
    };
    let name = service.starts().start_rescreen(request).await.expect("it starts").into_inner().name;
    service.until(&name, |said| said.recorded > 0).await;
    service.server.signal(signal);
    let mut service = service;
    service.server.wait();
    assert!(!service.bureau.path("out.csv").exists(), "it was done before it could be interrupted");
    let service = service.again(&[]).await;
    let response = response(&service.ended(&name).await);
    assert_eq!((response.recorded, response.known), (response.flagged, 0), "as where nothing had stopped it");
    service.same_as_the_command_line("firms.csv", "out.csv", &[]);
    let journal = std::fs::read_dir(service.data.path().join("journal")).expect("a journal");
    let lines = journal.map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("a text").lines().count());
    assert_eq!(lines.sum::<usize>() as u64, response.flagged);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_records_and_was_stopped_records_each_once() {
    recording("TERM", &[]).await;
}

/// With its last checkpoint at its beginning: all that it recorded was recorded behind it.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_records_and_was_killed_counts_what_it_had_recorded() {
    recording("KILL", &["--rescreen-checkpoint-every", "1h"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_that_changed_meanwhile_is_not_gone_on_with() {
    let service = Service::open(&[]).await;
    service.bureau.write("firms.csv", register(ROWS));
    let name = service.start("firms.csv", "out.csv").await.expect("it starts").name;
    service.until(&name, |said| said.checkpoint.is_some_and(|at| at.read > 0)).await;
    service.server.signal("KILL");
    let mut service = service;
    service.server.wait();
    let text = service.bureau.read("firms.csv");
    service.bureau.write("firms.csv", text.replacen("某地众诚", "某市众诚", 1)); // as long as before
    let service = service.again(&[]).await;
    let ended = service.ended(&name).await;
    assert_eq!(state(&ended), RescreenState::Failed);
    let (code, message) = error(&ended);
    assert!(code == tonic::Code::FailedPrecondition && message.contains("the inputs changed"), "{message}");
    assert!(metadata(&ended).read > 0, "it says how far it was");
    assert_eq!(service.bureau.files(), ["firms.csv"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ends_the_service_again_and_again_is_not_tried_for_ever() {
    let rarely = ["--rescreen-checkpoint-every", "1h"];
    let mut service = Service::open(&[]).await.again(&rarely).await;
    service.bureau.write("firms.csv", register(ROWS));
    let name = service.start("firms.csv", "out.csv").await.expect("it starts").name;
    for _ in 0..3 {
        service.until(&name, |said| said.read > 0).await; // its record says that it goes on
        service.server.signal("KILL");
        service.server.wait();
        service = service.again(&rarely).await;
    }
    let (code, message) = error(&service.get(&name).await);
    assert!(code == tonic::Code::Internal && message.contains("three times"), "{code:?} {message}");
    assert!(service.bureau.path("out.csv.part").exists(), "what it wrote stays");
}
