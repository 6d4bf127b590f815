//! Operations outlive the service, however it ends.

use mingcha::wire::v1::{RescreenMetadata, RescreenOptions, RescreenState, StartRescreenRequest};

use super::{Service, error, metadata, options, response, state};
use crate::rescreen::{FIRMS, resume::register};

/// Rows of which the output is longer than [`MIDDLE`].
const ROWS: usize = 30_000;
/// Rows enough that a run is not at its end before a signal comes.
const MANY: usize = 120_000;
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

impl Service {
    /// Has the service end while an operation goes on, which is so far.
    async fn ends(&mut self, end: End, name: &str, far: impl Fn(&RescreenMetadata) -> bool) {
        match end {
            End::Killed(bytes) => self.server.dies_writing(bytes),
            End::Stopped => {
                self.until(name, far).await;
                self.server.signal("TERM");
            }
        }
        self.server.wait();
    }
}

async fn interrupted(output: &str, rows: usize, end: End) {
    let mut service = Service::open(&[]).await;
    service.bureau.write("firms.csv", register(rows));
    service.bureau.write("few.tsv", FIRMS);
    let running = service.start("firms.csv", output).await.expect("it starts").name;
    let queued = service.start("few.tsv", "queued.csv").await.expect("it starts").name;
    service.ends(end, &running, |said| said.checkpoint.as_ref().is_some_and(|at| at.read > 0)).await;
    assert!(!service.bureau.path(output).exists(), "it was done before it could be interrupted");
    assert!(service.bureau.path(&format!("{output}.checkpoint")).exists());
    let service = service.again(&[]).await;
    for (name, read) in [(&running, rows + rows / 1000), (&queued, 5)] {
        assert_eq!(response(&service.ended(name).await).read, read as u64);
    }
    service.same_as_the_command_line("firms.csv", output, &[]);
    service.same_as_the_command_line("few.tsv", "queued.csv", &[]);
    let left = service.bureau.files();
    assert_eq!(left.len(), 6, "two registers, two outputs and their rejects: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_killed_goes_on_to_the_same_bytes() {
    interrupted("out.csv", ROWS, End::Killed(MIDDLE)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_stopped_goes_on_to_the_same_bytes() {
    interrupted("out.xlsx", MANY, End::Stopped).await;
}

/// The lines of the journal: one a record.
fn recorded(service: &Service) -> u64 {
    let journal = std::fs::read_dir(service.data.path().join("journal")).expect("a journal");
    let lines = |file: std::path::PathBuf| std::fs::read(file).expect("it is there").split(|byte| *byte == b'\n').count() - 1;
    journal.map(|file| lines(file.expect("a file").path()) as u64).sum()
}

async fn recording(rows: usize, end: End, more: &[&str]) {
    let mut service = Service::open(more).await;
    service.bureau.write("firms.csv", register(rows));
    let request = StartRescreenRequest {
        inputs: vec!["firms.csv".to_owned()],
        output: "out.csv".to_owned(),
        options: Some(RescreenOptions { record: true, ..options() }),
    };
    let name = service.starts().start_rescreen(request).await.expect("it starts").into_inner().name;
    service.ends(end, &name, |said| said.recorded > 0).await;
    let before = recorded(&service);
    assert!(before > 0 && !service.bureau.path("out.csv").exists(), "it was not in its middle: {before} recorded");
    let service = service.again(&[]).await;
    let response = response(&service.ended(&name).await);
    assert_eq!((response.recorded, response.known), (response.flagged, 0), "as where nothing had stopped it");
    service.same_as_the_command_line("firms.csv", "out.csv", &[]);
    assert_eq!(recorded(&service), response.flagged);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_records_and_was_stopped_records_each_once() {
    recording(18_000, End::Stopped, &[]).await;
}

/// With its last checkpoint at its beginning: all that it recorded was recorded behind it.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_records_and_was_killed_counts_what_it_had_recorded() {
    recording(9_000, End::Killed(1 << 20), &["--rescreen-checkpoint-every", "1h"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_that_changed_meanwhile_is_not_gone_on_with() {
    let mut service = Service::open(&[]).await;
    service.bureau.write("firms.csv", register(ROWS));
    let name = service.start("firms.csv", "out.csv").await.expect("it starts").name;
    service.ends(End::Killed(MIDDLE), &name, |_| true).await;
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
        service.ends(End::Killed(MIDDLE), &name, |_| true).await; // its record says that it goes on
        service = service.again(&rarely).await;
    }
    let (code, message) = error(&service.get(&name).await);
    assert!(code == tonic::Code::Internal && message.contains("three times"), "{code:?} {message}");
    assert!(service.bureau.path("out.csv.part").exists(), "what it wrote stays");
}
