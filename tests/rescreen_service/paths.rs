//! Files are named in the folder, and nowhere else; bad requests say every field that is wrong.

use std::{fs, os::unix::fs::symlink, process::Command};

use mingcha::wire::v1::{Event, RescreenOptions, RescreenRoster, RescreenState, StartRescreenRequest};
use tonic::Code;

use super::{Service, options, refused, state};
use crate::rescreen::FIRMS;

#[tokio::test]
async fn nothing_outside_of_the_folder_is_read_or_written() {
    let service = Service::open(&[]).await;
    let outside = tempfile::tempdir().expect("a folder");
    let secret = outside.path().join("secret.tsv");
    fs::write(&secret, FIRMS).expect("written");
    let at = |name: &str| service.bureau.path(name);
    service.bureau.write("firms.tsv", FIRMS);
    fs::create_dir(at("below")).expect("made");
    symlink(&secret, at("leaves.tsv")).expect("linked");
    symlink(outside.path(), at("away")).expect("linked");
    symlink("../firms.tsv", at("below/stays.tsv")).expect("linked");
    symlink(outside.path().join("new.csv"), at("planted.csv")).expect("linked");
    symlink(outside.path().join("new.csv"), at("beside.csv.part")).expect("linked");
    assert!(Command::new("mkfifo").arg(at("pipe.tsv")).status().expect("there is mkfifo").success());
    let secret = secret.to_str().expect("a plain name");
    let inputs = [
        (secret, "relative path"),
        ("../secret.tsv", "relative path"),
        ("below/../firms.tsv", "relative path"),
        ("", "is missing"),
        ("leaves.tsv", "leads out"),
        ("away/secret.tsv", "leads out"),
        ("pipe.tsv", "no regular file"),
        ("below", "no regular file"),
        ("none.tsv", "no such file"),
    ];
    for (input, why) in inputs {
        refused(service.start(input, "out.csv").await, Code::InvalidArgument, why);
        let roster = RescreenRoster { path: input.to_owned(), meaning: "complaint".to_owned() };
        let request = StartRescreenRequest {
            inputs: vec!["firms.tsv".to_owned()],
            output: "out.csv".to_owned(),
            options: Some(RescreenOptions { rosters: vec![roster], ..options() }),
        };
        refused(service.starts().start_rescreen(request).await, Code::InvalidArgument, "options.rosters[0].path");
    }
    let outputs = [
        ("/tmp/out.csv", Code::InvalidArgument, "relative path"),
        ("../out.csv", Code::InvalidArgument, "relative path"),
        (".out.csv", Code::InvalidArgument, "relative path"),
        ("away/out.csv", Code::InvalidArgument, "leads out"),
        ("none/out.csv", Code::InvalidArgument, "folder is not there"),
        ("out.txt", Code::InvalidArgument, "ends in none of"),
        ("planted.csv", Code::AlreadyExists, "planted.csv"),
        ("beside.csv", Code::AlreadyExists, "beside.csv.part"),
        ("firms.tsv", Code::InvalidArgument, "ends in none of"),
    ];
    for (output, code, why) in outputs {
        refused(service.start("firms.tsv", output).await, code, why);
    }
    assert!(service.records().is_empty());
    assert!(!outside.path().join("new.csv").exists());
    let name = service.start("below/stays.tsv", "below/out.csv").await.expect("it starts").name;
    assert_eq!(state(&service.ended(&name).await), RescreenState::Done);
    service.same_as_the_command_line("below/stays.tsv", "below/out.csv", &[]);
    refused(service.start("firms.tsv", "below/out.csv").await, Code::AlreadyExists, "below/out.csv");
}

#[tokio::test]
async fn outputs_can_have_a_folder_of_their_own() {
    let outputs = tempfile::tempdir().expect("a folder");
    let service = Service::open(&["--rescreen-output", outputs.path().to_str().expect("a plain name")]).await;
    service.bureau.write("firms.tsv", FIRMS);
    let name = service.start("firms.tsv", "out.csv").await.expect("it starts").name;
    assert_eq!(state(&service.ended(&name).await), RescreenState::Done);
    assert_eq!(service.bureau.files(), ["firms.tsv"]);
    let own = service.bureau.path("own.csv");
    service.bureau.rescreen(&["firms.tsv"], "own.csv", &[]);
    assert!(fs::read(outputs.path().join("out.csv")).expect("written") == fs::read(own).expect("written"));
}

#[tokio::test]
async fn every_bad_field_is_named() {
    let service = Service::open(&[]).await;
    service.bureau.write("firms.tsv", FIRMS);
    let ask = |change: fn(&mut StartRescreenRequest, &mut RescreenOptions)| {
        let mut options = options();
        let mut request = StartRescreenRequest { inputs: vec!["firms.tsv".to_owned()], output: "out.csv".to_owned(), options: None };
        change(&mut request, &mut options);
        StartRescreenRequest { options: Some(options), ..request }
    };
    let roster = |meaning: &str| RescreenRoster { path: "firms.tsv".to_owned(), meaning: meaning.to_owned() };
    let mut bad_roster = ask(|_, _| {});
    bad_roster.options.get_or_insert_default().rosters = vec![roster("complaint"), roster("friends")];
    for (request, field) in [
        (ask(|request, _| request.inputs.clear()), "inputs"),
        (ask(|request, _| request.inputs = vec!["firms.tsv".to_owned(); 101]), "inputs"),
        (ask(|request, _| request.output.clear()), "output"),
        (ask(|_, options| options.encoding = 9), "options.encoding"),
        (ask(|_, options| options.output_encoding = -1), "options.output_encoding"),
        (ask(|_, options| options.columns = "name".to_owned()), "options.columns"),
        (ask(|_, options| options.region = "乌有之乡".to_owned()), "options.region"),
        (ask(|_, options| options.entity_kind = 99), "options.entity_kind"),
        (ask(|_, options| options.event = 99), "options.event"),
        (ask(|_, options| options.date = "soon".to_owned()), "options.date"),
        (ask(|_, options| options.lists_hash = "x".to_owned()), "options.lists_hash"),
        (ask(|_, options| options.since = "x".to_owned()), "options.since"),
        (bad_roster, "options.rosters[1].meaning"),
    ] {
        refused(service.starts().start_rescreen(request).await, Code::InvalidArgument, field);
    }
    let both = ask(|request, options| {
        request.output.clear();
        options.event = Event::Establish.into();
        options.record = true;
    });
    refused(service.starts().start_rescreen(both.clone()).await, Code::InvalidArgument, "\"output\"");
    refused(service.starts().start_rescreen(both).await, Code::InvalidArgument, "options.record");
    let unknown = ask(|_, options| options.lists_hash = "0".repeat(64));
    refused(service.starts().start_rescreen(unknown).await, Code::FailedPrecondition, "lists");
    assert!(service.records().is_empty());
}
