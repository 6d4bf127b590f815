//! Operations outlive the service, however it ends.
//!
//! How fast a run is, nobody knows. So each test begins with a register of some rows, and again with four times as many where all was
//! done before the service could be ended in its midst.

use std::time::Duration;

use mingcha::wire::{
    longrunning::GetOperationRequest,
    v1::{RescreenMetadata, RescreenOptions, RescreenState, StartRescreenRequest},
};

use super::{Service, error, metadata, options, response, state};
use crate::rescreen::{
    FIRMS,
    held::{Held, fed, row},
    resume::register,
    told,
};

/// How long an output is in the middle of a run.
const MIDDLE: usize = 3 << 20;

/// How a service ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// Killed when a file is so long.
    Killed(usize),
    /// By SIGTERM, when an operation is under way.
    Stopped,
}

/// So many rows, the output of which is longer than [`MIDDLE`]; then more each time.
fn more_and_more() -> impl Iterator<Item = usize> {
    std::iter::successors(Some(30_000), |rows| Some(rows * 4))
}

impl Service {
    /// Ends the service while an operation goes on that is so far; says whether that was before it had its output.
    async fn ends(&mut self, end: End, (name, output): (&str, &str), far: impl Fn(&RescreenMetadata) -> bool) -> bool {
        if let End::Killed(bytes) = end {
            self.server.dies_writing(bytes);
        }
        let looking = async {
            loop {
                let asked = GetOperationRequest { name: name.to_owned() };
                match self.operations().get_operation(asked).await.map(tonic::Response::into_inner) {
                    Ok(operation) if operation.done || (end == End::Stopped && far(&metadata(&operation))) => break,
                    Ok(_) => tokio::time::sleep(Duration::from_millis(2)).await,
                    Err(_) => break, // it was killed
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(120), looking).await.expect("it comes to it in time");
        self.server.signal("TERM");
        self.server.wait();
        !self.bureau.path(output).exists()
    }
}

/// A service that has ended in the midst of an operation, which has a checkpoint of what it wrote; and the operation.
async fn interrupted_behind_a_checkpoint() -> (Service, String) {
    for rows in more_and_more() {
        let mut service = Service::open(&[]).await;
        service.bureau.write("firms.csv", register(rows));
        let name = service.start("firms.csv", "out.csv").await.expect("it starts").name;
        if service.ends(End::Stopped, (&name, "out.csv"), has_checkpoint).await {
            return (service, name);
        }
    }
    unreachable!("there is no end of rows");
}

fn has_checkpoint(said: &RescreenMetadata) -> bool {
    said.checkpoint.as_ref().is_some_and(|at| at.read > 0)
}

async fn interrupted(output: &str, end: End) {
    for rows in more_and_more() {
        let mut service = Service::open(&[]).await;
        service.bureau.write("firms.csv", register(rows));
        service.bureau.write("few.tsv", FIRMS);
        let running = service.start("firms.csv", output).await.expect("it starts").name;
        let queued = service.start("few.tsv", "queued.csv").await.expect("it starts").name;
        if !service.ends(end, (&running, output), has_checkpoint).await {
            continue;
        }
        assert!(service.bureau.path(&format!("{output}.checkpoint")).exists());
        let service = service.again(&[]).await;
        for (name, read) in [(&running, rows + rows / 1000), (&queued, 5)] {
            assert_eq!(response(&service.ended(name).await).read, read as u64);
        }
        service.same_as_the_command_line("firms.csv", output, &[]);
        service.same_as_the_command_line("few.tsv", "queued.csv", &[]);
        let left = service.bureau.files();
        assert_eq!(left.len(), 6, "two registers, two outputs and their rejects: {left:?}");
        return;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_killed_goes_on_to_the_same_bytes() {
    interrupted("out.csv", End::Killed(MIDDLE)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_stopped_goes_on_to_the_same_bytes() {
    interrupted("out.xlsx", End::Stopped).await;
}

/// The lines of the journal: one a record.
fn recorded(service: &Service) -> u64 {
    let journal = std::fs::read_dir(service.data.path().join("journal")).expect("a journal");
    let lines = |file: std::path::PathBuf| std::fs::read(file).expect("it is there").split(|byte| *byte == b'\n').count() - 1;
    journal.map(|file| lines(file.expect("a file").path()) as u64).sum()
}

async fn recording(end: End, more: &[&str]) {
    for rows in more_and_more() {
        let mut service = Service::open(more).await;
        service.bureau.write("firms.csv", register(rows));
        let request = StartRescreenRequest {
            inputs: vec!["firms.csv".to_owned()],
            output: "out.csv".to_owned(),
            options: Some(RescreenOptions { record: true, ..options() }),
        };
        let name = service.starts().start_rescreen(request).await.expect("it starts").into_inner().name;
        if !service.ends(end, (&name, "out.csv"), |said| said.recorded > 0).await {
            continue;
        }
        assert!(recorded(&service) > 0);
        let service = service.again(&[]).await;
        let response = response(&service.ended(&name).await);
        assert_eq!((response.recorded, response.known), (response.flagged, 0), "as where nothing had stopped it");
        service.same_as_the_command_line("firms.csv", "out.csv", &[]);
        assert_eq!(recorded(&service), response.flagged);
        return;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_records_and_was_stopped_records_each_once() {
    recording(End::Stopped, &[]).await;
}

/// With its last checkpoint at its beginning: all that it recorded was recorded behind it.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_records_and_was_killed_counts_what_it_had_recorded() {
    recording(End::Killed(1 << 20), &["--rescreen-checkpoint-every", "1h"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_that_changed_meanwhile_is_not_gone_on_with() {
    let (service, name) = interrupted_behind_a_checkpoint().await;
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
async fn one_whose_output_another_run_has_taken_meanwhile_takes_nothing_away() {
    let (service, name) = interrupted_behind_a_checkpoint().await;
    let part = service.bureau.path("out.csv.part");
    let held = Held::begin(service.bureau.command(&["-"], "out.csv", &["--restart"]), row);
    let held = held.waiting_until(|| std::fs::metadata(&part).is_ok_and(|data| data.len() == 0));
    let service = service.again(&[]).await;
    let (code, message) = error(&service.ended(&name).await);
    assert!(code == tonic::Code::FailedPrecondition && message.starts_with("another run is writing out.csv"), "{code:?} {message}");
    let (output, rows) = held.until(|| part.metadata().is_ok_and(|data| data.len() > 0)).closed();
    let whole = fed(service.bureau.command(&["-"], "whole.csv", &[]), &register(rows));
    assert!(output.status.success() && whole.status.success(), "{output:?}");
    assert_eq!(told(&String::from_utf8_lossy(&output.stdout)), told(&String::from_utf8_lossy(&whole.stdout)));
    assert!(service.bytes("out.csv") == service.bytes("whole.csv"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_as_its_own_is_not_taken_away() {
    let (mut service, name) = interrupted_behind_a_checkpoint().await;
    let record =
        std::fs::read_dir(service.data.path().join("operations")).expect("a folder").next().expect("a record").expect("a file").path();
    let waits = std::fs::read(&record).expect("it is there");
    let left = service.bureau.read("out.csv.checkpoint");
    let checkpoint: serde_json::Value = serde_json::from_str(&left).expect("it is JSON");
    let mark = checkpoint["ledger"]["run"].as_str().expect("a run has a mark");
    let persons = left.replace(mark, "0123456789abcdef0123456789abcdef");
    let finished = persons.replace("\"finished\": false", "\"finished\": true");
    assert!(persons != left && finished != persons);
    let text = service.bureau.read("firms.csv");
    service.bureau.write("firms.csv", text.replacen("某地众诚", "某市众诚", 1)); // it would not be gone on with
    for theirs in [Some(persons), Some(finished), Some("{".to_owned()), None] {
        match &theirs {
            Some(theirs) => drop(service.bureau.write("out.csv.checkpoint", theirs)),
            None => std::fs::remove_file(service.bureau.path("out.csv.checkpoint")).expect("it is there"),
        }
        let before = (service.bureau.files(), service.bytes("out.csv.part"));
        service = service.again(&[]).await;
        let (code, message) = error(&service.ended(&name).await);
        assert!(code == tonic::Code::FailedPrecondition && message.contains("is not of this run"), "{theirs:?}: {code:?} {message}");
        assert!((service.bureau.files(), service.bytes("out.csv.part")) == before, "{theirs:?}");
        assert!(theirs.is_none_or(|theirs| service.bureau.read("out.csv.checkpoint") == theirs));
        service.server.signal("TERM");
        service.server.wait();
        std::fs::write(&record, &waits).expect("written"); // it has not ended
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ends_the_service_again_and_again_is_not_tried_for_ever() {
    let rarely = ["--rescreen-checkpoint-every", "1h"];
    'more: for rows in more_and_more() {
        let mut service = Service::open(&rarely).await;
        service.bureau.write("firms.csv", register(rows));
        let name = service.start("firms.csv", "out.csv").await.expect("it starts").name;
        for _ in 0..3 {
            if !service.ends(End::Killed(MIDDLE), (&name, "out.csv"), |_| true).await {
                continue 'more;
            }
            service = service.again(&rarely).await; // its record says that it went on
        }
        let (code, message) = error(&service.get(&name).await);
        assert!(code == tonic::Code::Internal && message.contains("three times"), "{code:?} {message}");
        assert!(service.bureau.path("out.csv.part").exists(), "what it wrote stays");
        return;
    }
}
