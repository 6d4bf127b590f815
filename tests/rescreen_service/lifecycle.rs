//! An operation from its start to its end.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use mingcha::wire::{
    longrunning::{CancelOperationRequest, DeleteOperationRequest, GetOperationRequest, ListOperationsRequest, WaitOperationRequest},
    v1::{
        Decision, EntityKind, RescreenEncoding, RescreenOptions, RescreenRoster, RescreenState, StartRescreenRequest,
        WatchListServiceListRequest, watch_list_service_client::WatchListServiceClient,
    },
};
use tonic::Code;

use super::{Service, error, metadata, options, refused, response, state};
use crate::{
    rescreen::{FIRMS, resume::register},
    server::Server,
};

#[tokio::test(flavor = "multi_thread")]
async fn it_writes_what_the_command_line_writes() {
    let service = Service::open(&[]).await;
    service.bureau.write("firms.csv", register(3_000));
    for output in ["flagged.csv", "flagged.jsonl", "flagged.xlsx", "flagged.parquet"] {
        let started = service.start("firms.csv", output).await.expect("it starts");
        assert!(started.name.starts_with("operations/") && !started.done && started.result.is_none(), "{started:?}");
        let ended = service.ended(&started.name).await;
        let (said, response) = (metadata(&ended), response(&ended));
        assert_eq!(said.state(), RescreenState::Done);
        assert_eq!((said.inputs, said.output.as_str()), (vec!["firms.csv".to_owned()], output));
        assert_eq!((response.read, response.passed + response.flagged + response.rejected), (3_003, 3_003));
        assert_eq!((said.read, said.flagged, said.rejected), (response.read, response.flagged, 3));
        assert_eq!((response.output.as_str(), response.rejects), (output, format!("{output}.rejects.csv")));
        assert!(response.warnings == 3_000 && said.identity == "anyone" && said.lists_hash == response.lists_hash, "{ended:?}");
        assert_eq!(said.read_bytes, service.bytes("firms.csv").len() as u64);
        assert_eq!(response.decisions.iter().map(|count| count.firms).sum::<u64>(), response.flagged);
        assert!(response.decisions.iter().all(|count| count.decision() != Decision::Unspecified));
        assert!(!said.create_time.is_empty() && !said.start_time.is_empty() && !said.end_time.is_empty());
        service.same_as_the_command_line("firms.csv", output, &[]);
    }
    let beside = |name: &&String| [".part", ".checkpoint", ".new"].iter().any(|ending| name.ends_with(ending));
    assert_eq!(service.bureau.files().iter().filter(beside).count(), 0);
    assert_eq!(service.server.stop().code(), Some(0));
}

#[tokio::test]
async fn its_options_are_those_of_the_command_line() {
    let service = Service::open(&[]).await;
    let (text, _, _) = encoding_rs::GB18030.encode(FIRMS);
    service.bureau.write("firms.tsv", text);
    service.bureau.write("licensed.csv", "企业名称,许可证编号,有效期至\n某地众诚支付有限公司,Z1,2030-01-01\n");
    let request = StartRescreenRequest {
        inputs: vec!["firms.tsv".to_owned()],
        output: "flagged.csv".to_owned(),
        options: Some(RescreenOptions {
            encoding: RescreenEncoding::Gb18030.into(),
            output_encoding: RescreenEncoding::Gb18030.into(),
            columns: "kind=企业类型".to_owned(),
            region: "江苏省南京市".to_owned(),
            entity_kind: EntityKind::IndividualBusiness.into(),
            raw: true,
            rosters: vec![RescreenRoster { path: "licensed.csv".to_owned(), meaning: "licensed:payment".to_owned() }],
            ..options()
        }),
    };
    let started = service.starts().start_rescreen(request).await.expect("it starts").into_inner();
    assert_eq!(response(&service.ended(&started.name).await).read, 5);
    let same = ["--encoding", "gb18030", "--out-encoding", "gb18030", "--columns", "kind=企业类型", "--region", "320100"];
    let more = ["--entity", "individual-business", "--raw", "--roster", "licensed.csv", "--as", "licensed:payment"];
    service.same_as_the_command_line("firms.tsv", "flagged.csv", &[&same[..], &more].concat());
}

#[tokio::test]
async fn what_is_flagged_is_recorded_once() {
    let service = Service::open(&[]).await;
    service.bureau.write("firms.tsv", FIRMS);
    for (output, recorded, known) in [("one.csv", 3, 0), ("two.csv", 0, 3)] {
        let request = StartRescreenRequest {
            inputs: vec!["firms.tsv".to_owned()],
            output: output.to_owned(),
            options: Some(RescreenOptions { record: true, ..options() }),
        };
        let started = service.starts().start_rescreen(request).await.expect("it starts").into_inner();
        let response = response(&service.ended(&started.name).await);
        assert_eq!((response.flagged, response.recorded, response.known), (3, recorded, known), "{response:?}");
    }
    let mut watch_list = WatchListServiceClient::new(service.channel.clone());
    let listed = watch_list.list(WatchListServiceListRequest::default()).await.expect("listed").into_inner();
    assert_eq!(listed.entries.len(), 3);
    service.same_as_the_command_line("firms.tsv", "one.csv", &[]);
}

#[tokio::test]
async fn one_that_is_cancelled_leaves_nothing() {
    let service = Service::open(&[]).await;
    service.bureau.write("firms.csv", register(60_000));
    let running = service.start("firms.csv", "running.csv").await.expect("it starts").name;
    let queued = service.start("firms.csv", "queued.csv").await.expect("it starts").name;
    service.until(&running, |said| said.state() == RescreenState::Running && said.checkpoint.is_some_and(|at| at.read > 0)).await;
    assert_eq!(state(&service.get(&queued).await), RescreenState::Queued);
    let mut operations = service.operations();
    for name in [&queued, &running] {
        refused(operations.delete_operation(DeleteOperationRequest { name: name.clone() }).await, Code::FailedPrecondition, "STATE");
        operations.cancel_operation(CancelOperationRequest { name: name.clone() }).await.expect("it is cancelled");
        let ended = service.ended(name).await;
        assert_eq!((state(&ended), error(&ended).0), (RescreenState::Cancelled, Code::Cancelled));
    }
    assert!(metadata(&service.get(&running).await).read > 0);
    assert_eq!(service.bureau.files(), ["firms.csv"]);
    // again changes nothing, and its name can be used again
    operations.cancel_operation(CancelOperationRequest { name: running.clone() }).await.expect("it is cancelled");
    service.bureau.write("few.tsv", FIRMS);
    let again = service.start("few.tsv", "running.csv").await.expect("it starts").name;
    assert_eq!(state(&service.ended(&again).await), RescreenState::Done);
    operations.delete_operation(DeleteOperationRequest { name: again.clone() }).await.expect("it is deleted");
    refused(operations.get_operation(GetOperationRequest { name: again }).await, Code::NotFound, "no operation");
    assert!(service.bureau.path("running.csv").exists(), "its output stays");
}

#[tokio::test]
async fn so_many_at_a_time_and_the_others_wait() {
    let service = Service::open(&["--rescreen-at-once", "2"]).await;
    service.bureau.write("firms.csv", register(30_000));
    let mut names = Vec::new();
    for number in 0..4 {
        names.push(service.start("firms.csv", &format!("{number}.csv")).await.expect("it starts").name);
    }
    refused(service.start("firms.csv", "3.csv").await, Code::AlreadyExists, "another operation writes");
    let mut times = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let ended = service.ended(name).await;
        assert_eq!(response(&ended).read, 30_030);
        let (said, time) = (metadata(&ended), |text: &str| text.parse::<Timestamp>().expect("a time"));
        times.push((time(&said.start_time), time(&said.end_time)));
        service.same_as_the_command_line("firms.csv", &format!("{number}.csv"), &[]);
    }
    assert!(times[1].0 < times[0].1, "the first two go on at the same time: {times:?}");
    for (begun, _) in &times {
        let others = times.iter().filter(|(other, ended)| other <= begun && begun < ended).count();
        assert!(others <= 2, "each begins beside one other at most: {times:?}");
    }
    assert!(times.is_sorted_by_key(|(begun, _)| *begun), "in their order: {times:?}");
}

#[tokio::test]
async fn lists_go_page_by_page_and_keep_no_more_than_they_may() {
    let service = Service::open(&["--rescreen-kept", "5"]).await;
    service.bureau.write("firms.tsv", FIRMS);
    let mut names = Vec::new();
    for number in 0..7 {
        let name = service.start("firms.tsv", &format!("{number}.csv")).await.expect("it starts").name;
        service.ended(&name).await;
        names.push(name);
    }
    let wanted: Vec<String> = names[2..].iter().rev().cloned().collect(); // the newest first
    let ask = |page_size, page_token: &str| ListOperationsRequest {
        name: "operations".to_owned(),
        page_size,
        page_token: page_token.to_owned(),
        ..ListOperationsRequest::default()
    };
    let mut operations = service.operations();
    let kept = async {
        while service.records().len() > 5 {
            tokio::time::sleep(Duration::from_millis(2)).await; // the last to go goes behind the word that it has ended
        }
    };
    tokio::time::timeout(Duration::from_secs(60), kept).await.expect("the oldest are forgotten");
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = operations.list_operations(ask(2, &token)).await.expect("a page").into_inner();
        assert!(page.operations.len() <= 2);
        seen.extend(page.operations.into_iter().map(|operation| operation.name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, wanted);
    assert_eq!(operations.list_operations(ask(0, "")).await.expect("a page").into_inner().operations.len(), 5);
    let bad = |change: fn(&mut ListOperationsRequest)| {
        let mut request = ask(0, "");
        change(&mut request);
        request
    };
    for (request, field) in [
        (bad(|request| request.page_size = -1), "page_size"),
        (bad(|request| request.page_size = 1001), "page_size"),
        (bad(|request| request.filter = "done".to_owned()), "filter"),
        (bad(|request| request.name = "projects/x".to_owned()), "name"),
        (bad(|request| request.page_token = "x".to_owned()), "page_token"),
    ] {
        refused(operations.list_operations(request).await, Code::InvalidArgument, field);
    }
    for name in ["operations/0000000000000000", "operations/x", ""] {
        refused(operations.get_operation(GetOperationRequest { name: name.to_owned() }).await, Code::NotFound, "no operation");
    }
    let service = service.again(&["--rescreen-kept", "5"]).await;
    let page = service.operations().list_operations(ask(0, "")).await.expect("a page").into_inner();
    assert_eq!(page.operations.iter().map(|operation| operation.name.clone()).collect::<Vec<_>>(), wanted);
    let written = |number: usize| service.bureau.path(&format!("{number}.csv")).exists();
    assert!((0..7).all(written), "the outputs of those that are forgotten stay");
    assert!(page.operations.iter().all(|operation| response(operation).flagged == 3));
    assert_eq!(page.operations.iter().map(|operation| &operation.name).collect::<BTreeSet<_>>().len(), 5);
    // one that may keep fewer forgets more when it starts
    let service = service.again(&["--rescreen-kept", "2"]).await;
    let page = service.operations().list_operations(ask(0, "")).await.expect("a page").into_inner();
    assert_eq!(page.operations.iter().map(|operation| operation.name.clone()).collect::<Vec<_>>(), wanted[..2]);
    assert_eq!(service.records().len(), 2);
}

#[tokio::test]
async fn whoever_waits_hears_at_the_latest_when_he_asked_to() {
    let service = Service::open(&[]).await;
    service.bureau.write("firms.csv", register(100_000));
    for output in ["one.csv", "two.csv"] {
        service.start("firms.csv", output).await.expect("it starts");
    }
    let name = service.start("firms.csv", "out.csv").await.expect("it starts").name;
    let wait = WaitOperationRequest { name: name.clone(), timeout: Some(prost_types::Duration { seconds: 0, nanos: 1_000_000 }) };
    assert!(!service.operations().wait_operation(wait).await.expect("it is there").into_inner().done);
    // with a deadline of the client's the answer comes before it
    let mut request = tonic::Request::new(WaitOperationRequest { name: name.clone(), timeout: None });
    request.set_timeout(Duration::from_millis(500));
    assert!(!service.operations().wait_operation(request).await.expect("before the deadline").into_inner().done);
    let bad = WaitOperationRequest { name, timeout: Some(prost_types::Duration { seconds: -1, nanos: 0 }) };
    refused(service.operations().wait_operation(bad).await, Code::InvalidArgument, "timeout");
}

#[tokio::test]
async fn a_service_without_folders_says_so() {
    let server = Server::start(&[]);
    let channel = super::channel(&server.address).await;
    let mut starts = mingcha::wire::v1::rescreen_service_client::RescreenServiceClient::new(channel.clone());
    refused(starts.start_rescreen(StartRescreenRequest::default()).await, Code::FailedPrecondition, "NO_REGISTERS");
    let mut operations = mingcha::wire::longrunning::operations_client::OperationsClient::new(channel);
    refused(operations.list_operations(ListOperationsRequest::default()).await, Code::FailedPrecondition, "NO_REGISTERS");
}

#[tokio::test]
async fn it_is_counted() {
    let probe = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let admin = probe.local_addr().expect("an address").to_string();
    drop(probe);
    let service = Service::open(&["--admin-listen", &admin]).await;
    service.bureau.write("firms.tsv", FIRMS);
    let name = service.start("firms.tsv", "out.csv").await.expect("it starts").name;
    service.ended(&name).await;
    let metrics = tokio::task::spawn_blocking(move || {
        ureq::get(&format!("http://{admin}/metrics")).call().expect("metrics").body_mut().read_to_string().expect("text")
    });
    let metrics = metrics.await.expect("read");
    for line in [
        "mingcha_rescreen_rows_total{outcome=\"read\"} 5",
        "mingcha_rescreen_rows_total{outcome=\"passed\"} 2",
        "mingcha_rescreen_rows_total{outcome=\"flagged\"} 3",
        "mingcha_rescreen_rows_total{outcome=\"rejected\"} 0",
        "mingcha_rescreen_operations_total{outcome=\"done\"} 1",
        "mingcha_rescreen_queued 0",
    ] {
        assert!(metrics.lines().any(|told| told == line), "{line} is missing");
    }
    assert!(metrics.contains("mingcha_rescreen_last_duration_seconds") && metrics.contains("mingcha_rescreen_running"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_follows_operations() {
    let service = Service::open(&[]).await;
    service.bureau.write("firms.tsv", FIRMS);
    service.bureau.write("columns.csv", "甲,乙\n1,2\n");
    let roster = RescreenRoster { path: "columns.csv".to_owned(), meaning: "complaint".to_owned() };
    let unusable = StartRescreenRequest {
        inputs: vec!["firms.tsv".to_owned()],
        output: "bad.csv".to_owned(),
        options: Some(RescreenOptions { rosters: vec![roster], ..options() }),
    };
    let url = format!("http://{}", service.server.address);
    let mingcha = |args: &[&str]| {
        let output = crate::rescreen::changes::mingcha(&[&["operations", "--server", &url], args].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let good = service.start("firms.tsv", "good.csv").await.expect("it starts").name;
    let bad = service.starts().start_rescreen(unusable).await.expect("it starts").into_inner().name;
    let (status, said, _) = mingcha(&["wait", &good]);
    assert!(status == Some(0) && said.contains("DONE") && said.contains("flagged    3"), "{said}");
    let (status, said, _) = mingcha(&["wait", bad.strip_prefix("operations/").expect("a name")]);
    assert!(status == Some(1) && said.contains("FAILED") && said.contains("error      columns.csv: "), "{said}");
    assert_eq!(mingcha(&["show", &bad]).0, Some(1));
    assert_eq!(mingcha(&["cancel", &good]).0, Some(0));
    let (status, said, _) = mingcha(&["list", "--limit", "1"]);
    assert!(status == Some(0) && said.lines().count() == 1 && said.starts_with(&bad), "{said}");
    let (_, said, _) = mingcha(&["list"]);
    assert!(said.lines().count() == 2 && said.contains("read 5, flagged 3, rejected 0  good.csv  anyone"), "{said}");
    let (status, _, said) = mingcha(&["show", "operations/0"]);
    assert!(status == Some(3) && said.contains("no operation"), "{said}");
}

/// The kernel's number of `SCHED_IDLE`.
const IDLE: u32 = 5;

#[tokio::test]
async fn runs_take_only_processors_that_nobody_wants() {
    let service = Service::open(&["--rescreen-gentle=true"]).await;
    service.bureau.write("firms.csv", register(60_000));
    let name = service.start("firms.csv", "out.csv").await.expect("it starts").name;
    let gentle = async {
        loop {
            let policies = service.server.policies("rescreening");
            if policies.len() > 1 && policies.iter().all(|policy| *policy == IDLE) {
                break; // the one that writes, and those that read and judge
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gentle).await.expect("it is gentle");
    service.operations().cancel_operation(CancelOperationRequest { name: name.clone() }).await.expect("it is cancelled");
    assert_eq!(state(&service.ended(&name).await), RescreenState::Cancelled);
}

#[tokio::test]
async fn an_output_for_which_there_is_no_room_fails_its_operation() {
    let service = Service::without_room(24).await;
    let scope = "金融、证券、".repeat(2_000);
    let rows: Vec<String> = (0..900).map(|number| format!("某地众诚理财{number}有限公司,{scope}")).collect();
    let register = format!("企业名称,经营范围\n{}\n", rows.join("\n"));
    assert!(register.len() > 24 << 20);
    service.bureau.write("firms.csv", register);
    let name = service.start("firms.csv", "out.csv").await.expect("it starts").name;
    let (code, message) = error(&service.ended(&name).await);
    assert!(code == Code::ResourceExhausted && message.starts_with("out.csv"), "{code:?} {message}");
    assert_eq!(service.bureau.files(), ["firms.csv"]);
}

#[tokio::test]
async fn what_lies_where_it_writes_is_not_touched() {
    let service = Service::open(&[]).await;
    service.bureau.write("firms.csv", register(60_000));
    let running = service.start("firms.csv", "running.csv").await.expect("it starts").name;
    let queued = service.start("firms.csv", "queued.csv").await.expect("it starts").name;
    service.until(&running, |said| said.checkpoint.is_some_and(|at| at.read > 0)).await;
    service.bureau.write("queued.csv.rejects.csv", "a person's"); // before it began
    service.bureau.write("running.csv", "a person's"); // while it goes on
    for (name, file) in [(&running, "running.csv"), (&queued, "queued.csv.rejects.csv")] {
        let (code, message) = error(&service.ended(name).await);
        assert!(code == Code::FailedPrecondition && message.starts_with(&format!("{file} is there already")), "{code:?} {message}");
        assert_eq!(service.bureau.read(file), "a person's");
    }
    assert_eq!(service.bureau.files(), ["firms.csv", "queued.csv.rejects.csv", "running.csv"]);
}

#[tokio::test]
async fn a_cancellation_that_cannot_be_written_is_not_acknowledged() {
    let service = Service::open(&[]).await;
    service.bureau.write("firms.csv", register(60_000));
    let running = service.start("firms.csv", "running.csv").await.expect("it starts").name;
    let queued = service.start("firms.csv", "queued.csv").await.expect("it starts").name;
    let number = queued.strip_prefix("operations/").expect("a name");
    let way = service.data.path().join(format!("operations/{number}.new"));
    std::fs::create_dir(&way).expect("made"); // in the way of its record
    let cancel = || CancelOperationRequest { name: queued.clone() };
    refused(service.operations().cancel_operation(cancel()).await, Code::Unavailable, "DISK_FAILED");
    assert_eq!(state(&service.get(&queued).await), RescreenState::Queued);
    std::fs::remove_dir(&way).expect("removed");
    service.operations().cancel_operation(cancel()).await.expect("it is cancelled");
    assert_eq!(state(&service.ended(&queued).await), RescreenState::Cancelled);
    service.operations().cancel_operation(CancelOperationRequest { name: running }).await.expect("it is cancelled");
}

#[tokio::test]
async fn a_workbook_for_which_there_is_no_room_leaves_nothing() {
    let service = Service::without_room(24).await;
    service.bureau.write("out.xlsx.new", "a person's");
    let scope = "金融、证券、".repeat(2_000);
    let rows: Vec<String> = (0..900).map(|number| format!("某地众诚理财{number}有限公司,{scope}")).collect();
    service.bureau.write("firms.csv", format!("企业名称,经营范围\n{}\n", rows.join("\n")));
    let name = service.start("firms.csv", "out.xlsx").await.expect("it starts").name;
    assert_eq!(error(&service.ended(&name).await).0, Code::ResourceExhausted);
    assert_eq!(service.bureau.files(), ["firms.csv", "out.xlsx.new"]);
    assert_eq!(service.bureau.read("out.xlsx.new"), "a person's");
}
