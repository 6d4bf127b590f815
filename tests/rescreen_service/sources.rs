//! What an operation goes by: registers, rosters, versions of the lists, the watch list; where these cannot be used, or not yet.

use std::time::Duration;

use mingcha::wire::{
    longrunning::CancelOperationRequest,
    v1::{
        RescreenOptions, RescreenRoster, RescreenState, StartRescreenRequest, WatchListServiceListRequest,
        watch_list_service_client::WatchListServiceClient,
    },
};
use tonic::Code;

use super::{Service, error, metadata, options, refused, response, state};
use crate::rescreen::{
    FIRMS,
    changes::{DRAFT, export},
    resume::register,
};

#[tokio::test]
async fn a_register_that_cannot_be_used_is_refused_at_once() {
    let service = Service::open(&[]).await;
    service.bureau.write("firms.tsv", FIRMS);
    let bad = [("columns.csv", "there are: 甲, 乙"), ("empty.csv", "it is empty"), ("cut.parquet", "Parquet"), ("packed.csv.gz", "")];
    for (input, bytes) in bad.iter().zip([&b"\xe7\x94\xb2,\xe4\xb9\x99\n1,2\n"[..], b"", b"PAR1PAR1", b"\x1f\x8b\x08\x00"]) {
        service.bureau.write(input.0, bytes);
    }
    let files = service.bureau.files();
    for (input, why) in bad {
        refused(service.start(input, "out.csv").await, Code::InvalidArgument, "inputs[0]");
        refused(service.start(input, "out.csv").await, Code::InvalidArgument, why);
    }
    let both = |columns: &str| StartRescreenRequest {
        inputs: vec!["firms.tsv".to_owned(), "columns.csv".to_owned()],
        output: "out.csv".to_owned(),
        options: Some(RescreenOptions { columns: columns.to_owned(), ..options() }),
    };
    refused(service.starts().start_rescreen(both("")).await, Code::InvalidArgument, "inputs[1]");
    assert!(service.records().is_empty() && service.bureau.files() == files);
    let name = service.starts().start_rescreen(both("name=#1")).await.expect("its columns are said").into_inner().name;
    assert_eq!(response(&service.ended(&name).await).read, 6);
}

#[tokio::test]
async fn a_register_that_cannot_be_used_any_more_fails_its_operation() {
    let service = Service::open(&[]).await;
    service.bureau.write("many.csv", register(60_000));
    service.bureau.write("firms.tsv", FIRMS);
    let running = service.start("many.csv", "many-out.csv").await.expect("it starts").name;
    let name = service.start("firms.tsv", "out.csv").await.expect("it starts").name;
    assert_eq!(state(&service.get(&name).await), RescreenState::Queued);
    service.bureau.write("firms.tsv", "甲\t乙\n1\t2\n");
    service.operations().cancel_operation(CancelOperationRequest { name: running }).await.expect("it is cancelled");
    let ended = service.ended(&name).await;
    let (code, message) = error(&ended);
    assert!(code == Code::InvalidArgument && message.starts_with("firms.tsv: "), "{code:?} {message}");
    assert_eq!(state(&ended), RescreenState::Failed);
}

#[tokio::test]
async fn rosters_have_a_limit() {
    let service = Service::open(&[]).await;
    service.bureau.write("firms.tsv", FIRMS);
    let start = async |rosters: &[&str], output: &str| {
        let roster = |name: &&str| RescreenRoster { path: (*name).to_owned(), meaning: "complaint".to_owned() };
        let options = RescreenOptions { rosters: rosters.iter().map(roster).collect(), ..options() };
        let request = StartRescreenRequest { inputs: vec!["firms.tsv".to_owned()], output: output.to_owned(), options: Some(options) };
        let name = service.starts().start_rescreen(request).await.expect("it starts").into_inner().name;
        service.ended(&name).await
    };
    let rows = |count: usize| (0..count).fold("企业名称\n".to_owned(), |text, row| text + "某" + &row.to_string() + "\n");
    service.bureau.write("half.csv", rows(250_000));
    service.bureau.write("more.csv", rows(250_001));
    assert_eq!(response(&start(&["half.csv", "half.csv"], "out.csv").await).read, 5, "together as many as they may have");
    let (code, message) = error(&start(&["half.csv", "more.csv"], "no.csv").await);
    assert!(code == Code::InvalidArgument && message.starts_with("more.csv: line 250002: "), "{code:?} {message}");
    assert!(message.ends_with("more than 500000 rows together"), "{message}");
    assert!(!service.bureau.path("no.csv").exists());
}

#[tokio::test]
async fn only_what_changed_since_a_version_that_the_service_keeps() {
    let service = Service::open(&[]).await;
    service.bureau.write("firms.tsv", FIRMS);
    let old = export(&service.bureau, "old");
    let new = export(&service.bureau, "new");
    std::fs::write(std::path::Path::new(&new).join("national/draft-2026.toml"), DRAFT).expect("written");
    let name = service.start("firms.tsv", "before.csv").await.expect("it starts").name;
    let before = metadata(&service.ended(&name).await).lists_hash;
    let mut service = service;
    service.server.signal("TERM");
    service.server.wait();
    let service = service.again(&["--wordlists", &new]).await;
    let ask = |since: &str, output: &str| StartRescreenRequest {
        inputs: vec!["firms.tsv".to_owned()],
        output: output.to_owned(),
        options: Some(RescreenOptions { since: since.to_owned(), ..options() }),
    };
    let name = service.starts().start_rescreen(ask(&before, "changed.csv")).await.expect("it starts").into_inner().name;
    let ended = service.ended(&name).await;
    let (said, now) = (response(&ended), metadata(&ended).lists_hash);
    assert!((said.read, said.passed, said.flagged) == (5, 4, 1) && now != before, "{said:?}");
    service.same_as_the_command_line("firms.tsv", "changed.csv", &["--from-lists", &old, "--to-lists", &new]);
    refused(service.starts().start_rescreen(ask(&now, "no.csv")).await, Code::InvalidArgument, "options.since");
    refused(service.starts().start_rescreen(ask(&"0".repeat(64), "no.csv")).await, Code::FailedPrecondition, "lists");
}

/// The index of the watch list cannot be made for want of room; then there is room again.
#[tokio::test(flavor = "multi_thread")]
async fn recording_waits_for_the_index_of_the_watch_list() {
    let service = Service::open(&[]).await;
    service.bureau.write("many.csv", register(3_000)); // enough that the index does not fit
    service.bureau.write("firms.tsv", FIRMS);
    let ask = |input: &str, output: &str| StartRescreenRequest {
        inputs: vec![input.to_owned()],
        output: output.to_owned(),
        options: Some(RescreenOptions { record: true, ..options() }),
    };
    let name = service.starts().start_rescreen(ask("many.csv", "many-out.csv")).await.expect("it starts").into_inner().name;
    assert!(response(&service.ended(&name).await).recorded > 900);
    let Service { bureau, data, server, .. } = service;
    assert_eq!(server.stop().code(), Some(0));
    std::fs::remove_dir_all(data.path().join("index.1")).expect("there is an index");
    let service = Service::without_room_over(bureau, data, 1).await;
    let name = service.starts().start_rescreen(ask("firms.tsv", "out.csv")).await.expect("it starts").into_inner().name;
    let begun = async {
        while !service.bureau.path("out.csv.checkpoint").exists() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), begun).await.expect("it begins");
    let mut watch_list = WatchListServiceClient::new(service.channel.clone());
    refused(watch_list.list(WatchListServiceListRequest::default()).await, Code::Unavailable, "INDEX_REBUILDING");
    tokio::time::sleep(Duration::from_secs(1)).await; // it tries, again and again
    assert_eq!(state(&service.get(&name).await), RescreenState::Running);
    service.server.has_room_again();
    let said = response(&service.ended(&name).await);
    assert_eq!((said.flagged, said.recorded, said.known), (3, 3, 0));
    watch_list.list(WatchListServiceListRequest::default()).await.expect("there is an index again");
}

#[tokio::test]
async fn one_for_which_no_thread_can_be_had_waits_for_it() {
    let service = Service::open(&[]).await;
    service.bureau.write("firms.tsv", FIRMS);
    service.server.may_grow_by(Some(1 << 19));
    let waits = service.start("firms.tsv", "waits.csv").await.expect("it is kept").name;
    service.until(&waits, |said| said.state() == RescreenState::Queued).await; // with one thread of two it has begun, and waits again
    service.server.may_grow_by(None);
    assert_eq!(response(&service.ended(&waits).await).flagged, 3); // nobody else starts or ends
}
