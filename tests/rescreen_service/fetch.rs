//! What an operation wrote, for clients that do not share the folder.

use std::{fs, os::unix::fs::FileExt};

use mingcha::wire::{
    longrunning::DeleteOperationRequest,
    v1::{ReadOutputRequest, ReadOutputResponse, RescreenFile},
};
use tonic::{Code, Status};

use super::{Service, refused};
use crate::rescreen::{FIRMS, changes, resume::register};

fn ask(name: &str, file: RescreenFile, offset: u64) -> ReadOutputRequest {
    ReadOutputRequest { name: name.to_owned(), file: file.into(), offset }
}

/// All that is sent: the size that is said, and the bytes.
async fn read(service: &Service, request: ReadOutputRequest) -> Result<(u64, Vec<u8>), Status> {
    let mut pieces = service.starts().read_output(request).await?.into_inner();
    let first = pieces.message().await?.expect("one at least");
    let (size, mut bytes) = (first.size, first.content);
    while let Some(piece) = pieces.message().await? {
        assert!(piece.size == 0 && (1..=64 << 10).contains(&piece.content.len()), "{} bytes", piece.content.len());
        bytes.extend(piece.content);
    }
    Ok((size, bytes))
}

async fn done(service: &Service, input: &str, output: &str) -> String {
    let name = service.start(input, output).await.expect("it starts").name;
    assert_eq!(super::state(&service.ended(&name).await), super::RescreenState::Done);
    name
}

#[tokio::test]
async fn what_is_sent_is_what_was_written() {
    let service = Service::open(&[]).await;
    service.bureau.write("firms.csv", register(3_000));
    let name = done(&service, "firms.csv", "out.csv").await;
    let (output, rejects) = (service.bytes("out.csv"), service.bytes("out.csv.rejects.csv"));
    let long = output.len() as u64;
    assert!(long > 3 * (64 << 10) && !rejects.is_empty());
    for (file, bytes) in [(RescreenFile::Unspecified, &output), (RescreenFile::Output, &output), (RescreenFile::Rejects, &rejects)] {
        assert!(read(&service, ask(&name, file, 0)).await.expect("it is read") == (bytes.len() as u64, bytes.clone()), "{file:?}");
    }
    for from in [1, 64 << 10, long - 1, long] {
        let (size, rest) = read(&service, ask(&name, RescreenFile::Output, from)).await.expect("it is read");
        assert!(size == long && rest == output[usize::try_from(from).expect("few")..], "{from}");
    }
    for behind in [long + 1, u64::MAX] {
        refused(read(&service, ask(&name, RescreenFile::Output, behind)).await, Code::OutOfRange, &format!("ends at byte {long}"));
    }
    let unknown = ReadOutputRequest { file: 9, ..ask(&name, RescreenFile::Output, 0) };
    refused(read(&service, unknown).await, Code::InvalidArgument, "file");
    let nobody = ask("operations/0000000000000000", RescreenFile::Output, 0);
    refused(read(&service, nobody).await, Code::NotFound, "no operation");

    // after a restart too, and over HTTP
    let mut service = service;
    service.server.signal("TERM");
    service.server.wait();
    let service = service.again(&[]).await;
    let url = format!("http://{}/v1/{name}:readOutput?file=RESCREEN_FILE_REJECTS", service.server.address);
    let said = tokio::task::spawn_blocking(move || ureq::get(&url).call().expect("it answers").body_mut().read_to_string());
    let said = said.await.expect("it is asked").expect("text");
    let mut line: serde_json::Value = serde_json::from_str(said.lines().next().expect("a line")).expect("JSON");
    let piece: ReadOutputResponse = serde_json::from_value(line["result"].take()).expect("a message");
    assert!(piece.size == rejects.len() as u64 && piece.content == rejects, "{said}");
}

#[tokio::test]
async fn what_is_not_there_or_not_its_own_is_not_sent() {
    let service = Service::open(&[]).await;
    service.bureau.write("firms.tsv", FIRMS);
    service.bureau.write("many.csv", register(60_000));
    let output = |name: &str| ask(name, RescreenFile::Output, 0);
    let [gone, changed, replaced, linked] = ["gone.csv", "changed.csv", "replaced.csv", "linked.csv"];
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("secret.csv"), "secret").expect("written");
    let at = |name: &str| service.bureau.path(name);
    for (file, code, why) in [
        (gone, Code::NotFound, "OUTPUT_GONE"),
        (changed, Code::FailedPrecondition, "OUTPUT_CHANGED"),
        (replaced, Code::FailedPrecondition, "OUTPUT_CHANGED"),
        (linked, Code::NotFound, "OUTPUT_GONE"),
    ] {
        let name = done(&service, "firms.tsv", file).await;
        read(&service, output(&name)).await.expect("it is read");
        match file {
            "changed.csv" => fs::write(at(file), "a clerk's").expect("written"),
            _ => fs::remove_file(at(file)).expect("it is there"),
        }
        if file == "replaced.csv" {
            fs::remove_file(at("replaced.csv.rejects.csv")).expect("it is there");
            let other = done(&service, "firms.tsv", file).await; // the same bytes, of another operation
            read(&service, output(&other)).await.expect("it is read");
        } else if file == "linked.csv" {
            std::os::unix::fs::symlink(outside.path().join("secret.csv"), at(file)).expect("linked");
        }
        refused(read(&service, output(&name)).await, code, why);
        let rejects = read(&service, ask(&name, RescreenFile::Rejects, 0)).await;
        assert_eq!(rejects.is_ok(), file != "replaced.csv", "the other file is another matter: {rejects:?}");
    }
    let goes_on = service.start("many.csv", "out.csv").await.expect("it starts").name;
    refused(read(&service, output(&goes_on)).await, Code::FailedPrecondition, "STATE");
    let forgotten = done(&service, "firms.tsv", "forgotten.csv");
    let cancel = mingcha::wire::longrunning::CancelOperationRequest { name: goes_on.clone() };
    let cancelled = service.operations().cancel_operation(cancel).await;
    cancelled.expect("it is cancelled");
    service.ended(&goes_on).await;
    refused(read(&service, output(&goes_on)).await, Code::FailedPrecondition, "STATE");
    let forgotten = forgotten.await;
    service.operations().delete_operation(DeleteOperationRequest { name: forgotten.clone() }).await.expect("it is deleted");
    refused(read(&service, output(&forgotten)).await, Code::NotFound, "no operation");
}

#[tokio::test]
async fn what_is_changed_while_it_is_sent_is_not_sent_to_its_end() {
    let service = Service::open(&[]).await;
    let scope = "金融、证券、".repeat(2_000);
    let rows: Vec<String> = (0..300).map(|number| format!("某地众诚理财{number}有限公司,{scope}")).collect();
    service.bureau.write("firms.csv", format!("企业名称,经营范围\n{}\n", rows.join("\n")));
    for (output, longer) in [("edited.csv", 0), ("cut.csv", -(1 << 20)), ("longer.csv", 1)] {
        let name = done(&service, "firms.csv", output).await;
        let long = service.bytes(output).len() as u64;
        assert!(long > 8 << 20, "more than lies between the two ends: {long}");
        let mut pieces = service.starts().read_output(ask(&name, RescreenFile::Output, 0)).await.expect("it is read").into_inner();
        assert_eq!(pieces.message().await.expect("sent").expect("one at least").size, long);
        let file = fs::File::options().write(true).open(service.bureau.path(output)).expect("it is there");
        file.write_all_at(b"x", long - 2).expect("changed");
        file.set_len(long.saturating_add_signed(longer)).expect("changed");
        let failed = loop {
            match pieces.message().await {
                Ok(piece) => assert!(piece.is_some(), "{output}: it ends as if nothing had happened"),
                Err(failed) => break Err::<(), _>(failed),
            }
        };
        refused(failed, Code::FailedPrecondition, "OUTPUT_CHANGED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_fetches_it() {
    let service = Service::open(&[]).await;
    service.bureau.write("firms.csv", register(3_000));
    let name = done(&service, "firms.csv", "out.xlsx").await;
    let (folder, url) = (tempfile::tempdir().expect("a folder"), format!("http://{}", service.server.address));
    let fetch = |to: &str, more: &[&str]| {
        let to = folder.path().join(to);
        let args = ["operations", "--server", &url, "fetch", &name, "--out", to.to_str().expect("a plain name")];
        changes::mingcha(&[&args[..], more].concat())
    };
    assert!(fetch("flagged.xlsx", &[]).status.success() && fetch("rejects.csv", &["--rejects"]).status.success());
    for (here, there) in [("flagged.xlsx", "out.xlsx"), ("rejects.csv", "out.xlsx.rejects.csv")] {
        assert!(fs::read(folder.path().join(here)).expect("fetched") == service.bytes(there), "{here}");
    }
    fs::write(folder.path().join("mine.csv"), "a person's").expect("written");
    let refused = fetch("mine.csv", &[]);
    assert!(refused.status.code() == Some(3) && String::from_utf8_lossy(&refused.stderr).contains("cannot write"), "{refused:?}");
    assert_eq!(fs::read_to_string(folder.path().join("mine.csv")).expect("it is there"), "a person's");
    fs::remove_file(service.bureau.path("out.xlsx")).expect("it is there");
    let gone = fetch("gone.xlsx", &[]);
    assert!(gone.status.code() == Some(3) && String::from_utf8_lossy(&gone.stderr).contains("the file is gone"), "{gone:?}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 3, "nothing half fetched is left");
}
