//! The journal: nothing acknowledged is lost, nothing changed goes unseen.

pub(crate) mod faults;
mod tampering;

use std::{io::Write, os::unix::fs::PermissionsExt, path::Path, process::Command, sync::Arc};

use jiff::Timestamp;
use mingcha::journal::{
    Draft, Head, Journal, JournalError,
    disk::{Disk, Folder},
    reader::{self, End},
    recovery::{self, Opened},
};
use serde_json::value::RawValue;

/// Small, so that a test has several.
const SEGMENT: u64 = 2_000;

fn noon() -> Timestamp {
    "2026-11-24T04:00:00.123Z".parse().expect("an instant")
}

fn folder(path: &Path) -> Arc<dyn Disk> {
    Arc::new(Folder::open(path).expect("a folder"))
}

fn open(disk: &Arc<dyn Disk>) -> (Journal, Opened) {
    recovery::open(Arc::clone(disk), SEGMENT).unwrap_or_else(|error| panic!("{error}"))
}

fn stage(journal: &mut Journal, number: u64) -> Result<Head, JournalError> {
    let payload =
        RawValue::from_string(format!(r#"{{"number":{number},"name":"某地,\"hash\":\"理财","x":"{}"}}"#, "长".repeat(20))).expect("JSON");
    let draft = Draft { actor: "nanjing", request_id: &format!("r-{number}"), kind: "screening", payload: &payload };
    journal.stage(&draft, noon()).map(|(head, _)| head)
}

/// Writes records of these numbers in commits of three.
fn write(disk: &Arc<dyn Disk>, numbers: std::ops::Range<u64>) -> Vec<Head> {
    let (mut journal, _) = open(disk);
    let mut heads = Vec::new();
    for number in numbers {
        heads.push(stage(&mut journal, number).expect("staged"));
        if number % 3 == 0 {
            journal.commit().expect("committed");
        }
    }
    journal.commit().expect("committed");
    assert_eq!(journal.head(), *heads.last().expect("some"));
    heads
}

/// Every record's number, checked on the way.
fn numbers(disk: &dyn Disk, from: u64) -> Result<(Vec<u64>, End), JournalError> {
    #[derive(serde::Deserialize)]
    struct Payload {
        number: u64,
    }
    let mut numbers = Vec::new();
    let end = reader::walk(disk, from, |record, _| {
        assert_eq!((record.actor.as_ref(), record.kind.as_ref(), record.at), ("nanjing", "screening", noon()));
        let payload: Payload = serde_json::from_str(record.payload.get()).expect("as written");
        assert_eq!(record.request_id, format!("r-{}", payload.number));
        numbers.push(payload.number);
        Ok::<(), JournalError>(())
    })?;
    Ok((numbers, end))
}

#[test]
fn what_is_written_is_read_over_segments_and_openings() {
    let path = tempfile::tempdir().expect("a folder");
    let disk = folder(path.path());
    assert_eq!(open(&disk).0.head(), Head::default());
    let mut heads = write(&disk, 0..25);
    heads.extend(write(&disk, 25..40));
    let segments = reader::segments(&*disk).expect("read");
    assert!(segments.len() > 3, "{segments:?}");
    let (all, end) = numbers(&*disk, 0).expect("good");
    assert_eq!(all, (0..40).collect::<Vec<_>>());
    assert_eq!((end.head, end.head.sequence, end.torn), (heads[39], 40, None));
    for from in [1, 2, 17, 40, 41] {
        assert_eq!(numbers(&*disk, from).expect("good").0, (from - 1..40).collect::<Vec<_>>(), "from {from}");
    }
    for name in segments {
        let mode = std::fs::metadata(path.path().join(name)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

/// Anyone can check a record with `sha256sum`, as the documents say.
#[test]
fn sha256sum_checks_a_record() {
    let path = tempfile::tempdir().expect("a folder");
    let disk = folder(path.path());
    let heads = write(&disk, 0..3);
    let script = r#"sed -n 2p "$1" | sed 's/\(.*\),"hash":.*/\1/' | tr -d '\n' | sha256sum | cut -d' ' -f1"#;
    let segment = path.path().join("00000000000000000001.jsonl");
    let output = Command::new("sh").args(["-c", script, "sh"]).arg(segment).output().expect("a shell");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), heads[1].hash.to_string());
}

/// Cut anywhere within the last line, the journal opens by itself, keeps what it cut off, and goes on.
#[test]
fn an_unfinished_line_is_set_aside() {
    let whole = tempfile::tempdir().expect("a folder");
    write(&folder(whole.path()), 0..4);
    let content = std::fs::read(whole.path().join("00000000000000000001.jsonl")).expect("read");
    let last = content[..content.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("several lines") + 1;
    for cut in last..content.len() {
        let path = tempfile::tempdir().expect("a folder");
        std::fs::write(path.path().join("00000000000000000001.jsonl"), &content[..cut]).expect("written");
        let disk = folder(path.path());
        let (journal, opened) = open(&disk);
        assert_eq!(journal.head().sequence, 3, "cut at {cut}");
        match opened.set_aside {
            None => assert_eq!(cut, last),
            Some((torn, name)) => {
                assert_eq!(torn.bytes, &content[last..cut]);
                assert_eq!(std::fs::read(path.path().join(name)).expect("kept"), &content[last..cut]);
            }
        }
        drop(journal);
        write(&disk, 7..9);
        assert_eq!(numbers(&*disk, 0).expect("good").0, [0, 1, 2, 7, 8]);
    }
}

#[test]
fn a_segment_that_was_only_begun_is_gone_on_with() {
    for begun in [&b""[..], b"{\"seq\":26,"] {
        let path = tempfile::tempdir().expect("a folder");
        let disk = folder(path.path());
        let head = *write(&disk, 0..25).last().expect("some");
        let name = format!("{:020}.jsonl", head.sequence + 1);
        std::fs::File::create(path.path().join(name)).and_then(|mut file| file.write_all(begun)).expect("written");
        let (journal, opened) = open(&disk);
        assert_eq!((journal.head(), opened.set_aside.is_some()), (head, !begun.is_empty()));
        drop(journal);
        write(&disk, 25..30);
        assert_eq!(numbers(&*disk, 0).expect("good").0, (0..30).collect::<Vec<_>>());
    }
}

#[test]
fn instants_never_go_back() {
    let path = tempfile::tempdir().expect("a folder");
    let disk = folder(path.path());
    let payload = RawValue::from_string("{}".to_owned()).expect("JSON");
    let draft = Draft { actor: "a", request_id: "", kind: "k", payload: &payload };
    let earlier = noon() - jiff::SignedDuration::from_hours(1);
    let (mut journal, _) = open(&disk);
    assert_eq!(journal.stage(&draft, noon()).expect("staged").1, noon());
    assert_eq!(journal.stage(&draft, earlier).expect("staged").1, noon());
    journal.commit().expect("committed");
    let (mut journal, _) = open(&disk);
    assert_eq!(journal.stage(&draft, earlier).expect("staged").1, noon(), "also after opening again");
}
