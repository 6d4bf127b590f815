//! Registers that are brought.

use std::{fs, time::Duration};

use futures_util::stream;
use mingcha::wire::v1::{
    RescreenOptions, RescreenState, UploadRescreenHeader, UploadRescreenRequest, rescreen_service_client::RescreenServiceClient,
    upload_rescreen_request::Part,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::{Service, options, refused, response, state};
use crate::rescreen::{FIRMS, resume::register};

fn header(input: &str, output: &str, size: u64) -> UploadRescreenRequest {
    let header = UploadRescreenHeader { input: input.to_owned(), output: output.to_owned(), options: Some(options()), size };
    UploadRescreenRequest { part: Some(Part::Header(header)) }
}

fn content(bytes: &[u8]) -> UploadRescreenRequest {
    UploadRescreenRequest { part: Some(Part::Content(bytes.to_owned())) }
}

/// A register in pieces, behind its header.
fn parts(text: &str, header: UploadRescreenRequest) -> Vec<UploadRescreenRequest> {
    std::iter::once(header).chain(text.as_bytes().chunks(64 << 10).map(content)).collect()
}

#[tokio::test]
async fn what_is_brought_is_rescreened_and_kept() {
    let service = Service::open(&[]).await;
    let text = register(3_000);
    fs::create_dir(service.bureau.path("below")).expect("made");
    let sent = stream::iter(parts(&text, header("below/firms.csv", "out.csv", text.len() as u64)));
    let started = service.starts().upload_rescreen(sent).await.expect("it starts").into_inner();
    assert_eq!(response(&service.ended(&started.name).await).read, 3_003);
    assert!(service.bytes("below/firms.csv") == text.as_bytes());
    service.same_as_the_command_line("below/firms.csv", "out.csv", &[]);
    assert_eq!(service.bureau.files(), ["below", "out.csv", "out.csv.rejects.csv"]);
    let again = stream::iter(parts(FIRMS, header("below/firms.csv", "other.csv", 0)));
    refused(service.starts().upload_rescreen(again).await, Code::AlreadyExists, "below/firms.csv");
    let again = stream::iter(parts(FIRMS, header("other.tsv", "out.csv", 0)));
    refused(service.starts().upload_rescreen(again).await, Code::AlreadyExists, "out.csv");
}

#[tokio::test]
async fn bad_uploads_are_refused_and_leave_nothing() {
    let service = Service::open(&["--rescreen-upload-bytes", "1KiB"]).await;
    let long = "x".repeat(2_000);
    let bad = |header: UploadRescreenRequest, field: fn(&mut RescreenOptions)| {
        let Some(Part::Header(mut header)) = header.part else { panic!("a header") };
        field(header.options.get_or_insert_default());
        UploadRescreenRequest { part: Some(Part::Header(header)) }
    };
    let firms = |name: &str| header(name, "out.csv", 0);
    for (sent, why) in [
        (vec![], "header"),
        (vec![content(b"x")], "header"),
        (vec![firms("firms.tsv"), firms("firms.tsv")], "header"),
        (vec![firms("firms.tsv"), UploadRescreenRequest { part: None }], "part"),
        (vec![firms("../firms.tsv")], "header.input"),
        (vec![firms("")], "header.input"),
        (vec![firms("none/firms.tsv")], "header.input"),
        (vec![header("firms.tsv", "../out.csv", 0)], "output"),
        (parts(FIRMS, header("firms.tsv", "out.csv", 7)), "header.size"),
        (parts(&long, firms("firms.tsv")), "content"),
        (vec![header("firms.tsv", "out.csv", 1025)], "content"),
        (vec![bad(firms("firms.tsv"), |options| options.date = "soon".to_owned())], "options.date"),
        (parts("甲,乙\n1,2\n", firms("firms.csv")), "there are: 甲, 乙"),
        (parts("甲,乙\n1,2\n", firms("firms.csv")), "[\"content\"]"),
        (parts("", firms("firms.csv")), "it is empty"),
        (parts(FIRMS, firms("firms.xlsx")), "content"),
    ] {
        refused(service.starts().upload_rescreen(stream::iter(sent)).await, Code::InvalidArgument, why);
        assert!(service.bureau.files().is_empty(), "{why}: {:?}", service.bureau.files());
    }
    assert!(service.records().is_empty());
}

/// Waits until the folder has as many files.
async fn until_files(service: &Service, count: usize) {
    let looking = async {
        while service.bureau.files().len() != count {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looking).await.expect("in time");
}

#[tokio::test]
async fn one_that_breaks_off_leaves_nothing() {
    let service = Service::open(&[]).await;
    let (send, receive) = mpsc::channel(4);
    let client = tokio::runtime::Runtime::new().expect("a runtime");
    let address = service.server.address.clone();
    client.spawn(async move {
        let mut starts = RescreenServiceClient::new(super::channel(&address).await);
        starts.upload_rescreen(ReceiverStream::new(receive)).await
    });
    send.send(header("firms.tsv", "out.csv", 0)).await.expect("sent");
    send.send(content(FIRMS.as_bytes())).await.expect("sent");
    until_files(&service, 1).await; // under a name that nobody can ask for
    let half = service.bureau.files().remove(0);
    assert!(half.starts_with('.'), "{half}");
    refused(service.start(&half, "out.csv").await, Code::InvalidArgument, "relative path");
    client.shutdown_background(); // the client goes away, with its connection
    until_files(&service, 0).await;
    assert!(service.records().is_empty());
}

#[tokio::test]
async fn one_that_the_service_dies_under_leaves_nothing() {
    let service = Service::open(&[]).await;
    let (send, receive) = mpsc::channel(4);
    let mut starts = service.starts();
    let call = tokio::spawn(async move { starts.upload_rescreen(ReceiverStream::new(receive)).await });
    send.send(header("firms.tsv", "out.csv", 0)).await.expect("sent");
    send.send(content(FIRMS.as_bytes())).await.expect("sent");
    until_files(&service, 1).await;
    service.server.signal("KILL");
    assert!(call.await.expect("it ends").is_err());
    let service = service.again(&[]).await;
    assert!(service.bureau.files().is_empty(), "{:?}", service.bureau.files());
    let started = service.starts().upload_rescreen(stream::iter(parts(FIRMS, header("firms.tsv", "out.csv", 0)))).await;
    let name = started.expect("it starts").into_inner().name;
    assert_eq!(state(&service.ended(&name).await), RescreenState::Done);
}

#[tokio::test]
async fn one_that_sends_nothing_is_given_up() {
    let service = Service::open(&["--limits-idle", "100ms"]).await;
    let (send, receive) = mpsc::channel(4);
    send.send(header("firms.tsv", "out.csv", 0)).await.expect("sent");
    let answer = service.starts().upload_rescreen(ReceiverStream::new(receive)).await;
    refused(answer, Code::DeadlineExceeded, "limits.idle");
    until_files(&service, 0).await;
}

#[tokio::test]
async fn one_for_which_there_is_no_room_is_told_so_and_leaves_nothing() {
    let service = Service::without_room(24).await;
    let text = "x".repeat(25 << 20);
    let sent = stream::iter(parts(&text, header("firms.csv", "out.csv", 0)));
    refused(service.starts().upload_rescreen(sent).await, Code::ResourceExhausted, "DISK_FULL");
    until_files(&service, 0).await;
    let started = service.starts().upload_rescreen(stream::iter(parts(FIRMS, header("firms.tsv", "out.csv", 0)))).await;
    let name = started.expect("it starts").into_inner().name;
    assert_eq!(state(&service.ended(&name).await), RescreenState::Done);
}

#[tokio::test]
async fn one_is_not_put_where_another_operation_will_write() {
    let service = Service::open(&[]).await;
    service.bureau.write("firms.csv", register(60_000));
    service.start("firms.csv", "running.csv").await.expect("it starts");
    let queued = service.start("firms.csv", "queued.csv").await.expect("it starts").name;
    let sent = stream::iter(parts("企业名称\n某公司\n", header("queued.csv.rejects.csv", "out.csv", 0)));
    refused(service.starts().upload_rescreen(sent).await, Code::AlreadyExists, "another operation writes");
    assert_eq!(state(&service.get(&queued).await), RescreenState::Queued);
    assert!(!service.bureau.path("queued.csv.rejects.csv").exists());
}
