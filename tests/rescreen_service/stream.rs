//! `ScreenStream`: firms as they are pushed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream};
use mingcha::wire::v1::{
    Decision, ScreenRequest, ScreenStreamRequest, ScreenStreamResponse, screen_stream_response::Result as Outcome,
    screening_service_client::ScreeningServiceClient,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, transport::Channel};

use crate::server::Server;

fn firm(row: u64, name: &str) -> ScreenStreamRequest {
    let request = ScreenRequest { name: name.to_owned(), region: "320100".to_owned(), date: "2026-11-01".to_owned(), ..Default::default() };
    ScreenStreamRequest { row_id: format!("row-{row}"), request: Some(request), lists_hash: String::new() }
}

async fn client(server: &Server) -> ScreeningServiceClient<Channel> {
    ScreeningServiceClient::new(super::channel(&server.address).await)
}

fn decision(answer: &ScreenStreamResponse) -> Decision {
    match &answer.result {
        Some(Outcome::Screening(screening)) => screening.decision(),
        other => panic!("{other:?}"),
    }
}

fn error(answer: &ScreenStreamResponse) -> (Code, String) {
    match &answer.result {
        Some(Outcome::Error(status)) => (Code::from_i32(status.code), status.message.clone()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_firms_are_answered_in_order() {
    const FIRMS: u64 = 100_000;
    let server = Server::start(&[]);
    let name = |row: u64| if row.is_multiple_of(3) { "某地众诚银行" } else { "某地众诚日用品" };
    let sent = stream::iter((0..FIRMS).map(move |row| firm(row, &format!("{}{row}有限公司", name(row)))));
    let mut answers = client(&server).await.screen_stream(sent).await.expect("a stream").into_inner();
    let (mut count, mut hash) = (0, String::new());
    while let Some(answer) = answers.message().await.expect("an answer") {
        assert_eq!((answer.sequence, answer.row_id.as_str()), (count, format!("row-{count}").as_str()));
        assert_eq!(decision(&answer) == Decision::Pass, !count.is_multiple_of(3), "{answer:?}");
        let Some(Outcome::Screening(screening)) = answer.result else { panic!("screened") };
        assert!(hash.is_empty() || hash == screening.lists_hash);
        hash = screening.lists_hash;
        count += 1;
    }
    assert_eq!(count, FIRMS);
    assert_eq!(server.stop().code(), Some(0));
}

#[tokio::test]
async fn what_cannot_be_screened_is_answered_so_and_the_stream_goes_on() {
    let server = Server::start(&[]);
    let with = |change: fn(&mut ScreenStreamRequest)| {
        let mut request = firm(0, "某地众诚银行有限公司");
        change(&mut request);
        request
    };
    let sent = vec![
        firm(0, "某地众诚银行有限公司"),
        with(|request| request.request = None),
        with(|request| request.request.get_or_insert_default().scope = "x".repeat(70_000)),
        with(|request| request.request.get_or_insert_default().region = "乌有之乡".to_owned()),
        with(|request| request.lists_hash = "0".repeat(64)),
        with(|request| request.request.get_or_insert_default().lists_hash = "0".repeat(64)),
        with(|request| request.row_id = "x".repeat(300)),
        firm(7, "某地众诚日用品有限公司"),
    ];
    let mut client = client(&server).await;
    let answers = client.screen_stream(stream::iter(sent)).await.expect("a stream").into_inner();
    let answers: Vec<ScreenStreamResponse> = answers.map(|answer| answer.expect("an answer")).collect().await;
    assert_eq!(answers.iter().map(|answer| answer.sequence).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    assert!(decision(&answers[0]) != Decision::Pass && decision(&answers[7]) == Decision::Pass);
    let fields = ["request.name", "request.scope", "request.region", "lists_hash", "request.lists_hash", "row_id"];
    for (answer, field) in answers[1..7].iter().zip(fields) {
        let (code, message) = error(answer);
        assert!(code == Code::InvalidArgument && message.contains(field), "{field}: {message}");
    }
    let Some(Outcome::Error(status)) = &answers[1].result else { panic!("an error") };
    assert!(status.details.iter().any(|detail| detail.type_url.ends_with("google.rpc.BadRequest")), "{status:?}");
    // by other lists than there are the stream does not begin
    let unknown = with(|request| request.lists_hash = "0".repeat(64));
    let mut answers = client.screen_stream(stream::iter([unknown])).await.expect("a stream").into_inner();
    assert_eq!(answers.message().await.expect_err("there are none").code(), Code::FailedPrecondition);
}

/// Whoever does not read is not read from: neither side keeps what is on its way.
#[tokio::test]
async fn a_client_that_never_reads_costs_no_memory() {
    let server = Server::start(&[]);
    let mut client = client(&server).await;
    let sent = Arc::new(AtomicU64::new(0));
    let (counted, scope) = (Arc::clone(&sent), "融资担保；".repeat(400));
    let endless = stream::iter(0..).map(move |row| {
        counted.store(row, Ordering::Relaxed);
        let mut request = firm(row, "某地众诚银行有限公司");
        request.request.get_or_insert_default().scope.clone_from(&scope);
        request
    });
    let before = server.resident();
    let answers = client.screen_stream(endless).await.expect("a stream").into_inner();
    let mut last = u64::MAX;
    while last != sent.load(Ordering::Relaxed) {
        last = sent.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(500)).await; // until nothing is taken any more
    }
    assert!(last < 10_000, "{last} firms of some 6 KB were taken");
    assert!(server.peak() < before + (64 << 20), "{} bytes more", server.peak() - before);
    // others are served meanwhile, on a connection of their own: HTTP/2 stops the whole connection of one that does not read
    let screened =
        self::client(&server).await.screen(firm(0, "某地众诚银行有限公司").request.expect("a firm")).await.expect("screened").into_inner();
    assert_ne!(screened.decision(), Decision::Pass);
    drop(answers);
}

#[tokio::test]
async fn a_quiet_stream_is_ended_and_one_that_is_dropped_gives_its_place_back() {
    let server = Server::start(&["--limits-idle", "200ms", "--limits-subscriptions", "1"]);
    let mut client = client(&server).await;
    let (send, receive) = mpsc::channel(4);
    send.send(firm(0, "某地众诚银行有限公司")).await.expect("sent");
    let mut answers = client.screen_stream(ReceiverStream::new(receive)).await.expect("a stream").into_inner();
    assert_eq!(answers.message().await.expect("an answer").expect("one").sequence, 0);
    let full = client.screen_stream(stream::pending()).await.expect_err("one stream at a time");
    assert_eq!(full.code(), Code::ResourceExhausted);
    let ended = answers.message().await.expect_err("it is ended");
    assert!(ended.code() == Code::DeadlineExceeded && ended.message().contains("limits.idle"), "{ended:?}");
    let again = || async {
        loop {
            match client.clone().screen_stream(stream::pending()).await {
                Ok(answers) => return answers,
                Err(status) => assert_eq!(status.code(), Code::ResourceExhausted),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    drop(tokio::time::timeout(Duration::from_secs(60), again()).await.expect("the place is free again"));
    tokio::time::timeout(Duration::from_secs(60), again()).await.expect("and again, when the client went");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stops_says_so() {
    let server = Server::start(&[]);
    let mut client = client(&server).await;
    let (send, receive) = mpsc::channel(4);
    send.send(firm(0, "某地众诚银行有限公司")).await.expect("sent");
    let mut answers = client.screen_stream(ReceiverStream::new(receive)).await.expect("a stream").into_inner();
    answers.message().await.expect("an answer").expect("one");
    server.signal("TERM");
    assert_eq!(answers.message().await.expect_err("it is ended").code(), Code::Unavailable);
    assert_eq!(server.stopped().code(), Some(0));
}
