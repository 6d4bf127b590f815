//! Whatever anyone does to the files is found and named.

use std::{fs, path::Path, process::Command};

use mingcha::journal::{
    Head,
    anchor::{self, Signer},
    verify::{Report, verify},
};

use super::{folder, noon, write};

fn report(path: &Path, known: &[Head]) -> Report {
    verify(&*folder(path), known).expect("it can be read")
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).expect("text").lines().map(ToOwned::to_owned).collect()
}

fn put(path: &Path, lines: &[String]) {
    fs::write(path, lines.join("\n") + "\n").expect("written");
}

/// A way to do harm: its name, what it does to the lines of the first segment, what must be said.
type Harm = (&'static str, fn(&mut Vec<String>), &'static str);

const HARMS: &[Harm] = &[
    ("a letter is changed", |lines| lines[2] = lines[2].replace("nanjing", "nanjinG"), "was changed"),
    ("two records change places", |lines| lines.swap(1, 2), "dropped or reordered"),
    ("a record is dropped", |lines| drop(lines.remove(2)), "dropped or reordered"),
    ("a record stands twice", |lines| lines.insert(2, lines[2].clone()), "dropped or reordered"),
    ("a line is no record", |lines| "nothing".clone_into(&mut lines[2]), "not a record"),
    ("a line is empty", |lines| lines.insert(2, String::new()), "not a record"),
    ("the first record is dropped", |lines| drop(lines.remove(0)), "dropped or reordered"),
];

#[test]
fn every_harm_is_named() {
    for (harm, does, said) in HARMS {
        let path = tempfile::tempdir().expect("a folder");
        write(&folder(path.path()), 0..12);
        assert_eq!(report(path.path(), &[]).findings, []);
        let segment = path.path().join("00000000000000000001.jsonl");
        let mut changed = lines(&segment);
        let whole = changed.len();
        does(&mut changed);
        put(&segment, &changed);
        let findings = report(path.path(), &[]).findings;
        assert!(findings.iter().any(|finding| finding.what.contains(said) && finding.line > 0), "{harm}: {findings:?}");
        let in_its_place = ["was changed", "not a record"].contains(said) && changed.len() == whole;
        assert!(!in_its_place || findings.len() == 1, "the records behind it are good: {findings:?}");
    }
}

#[test]
fn a_cut_tail_and_a_rewritten_chain_are_known_by_their_heads() {
    let path = tempfile::tempdir().expect("a folder");
    let heads = write(&folder(path.path()), 0..5);
    let segment = path.path().join("00000000000000000001.jsonl");
    let known = [heads[1], heads[4]];
    assert_eq!(report(path.path(), &known).findings, []);
    put(&segment, &lines(&segment)[..4]);
    assert_eq!(report(path.path(), &[]).findings, [], "by itself the chain is whole");
    let findings = report(path.path(), &known).findings;
    assert!(findings[0].what.contains("tail was cut off"), "{findings:?}");

    fs::remove_file(&segment).expect("removed");
    write(&folder(path.path()), 100..105);
    assert_eq!(report(path.path(), &[]).findings, []);
    let findings = report(path.path(), &known).findings;
    assert_eq!(findings.len(), 2);
    assert!(findings.iter().all(|finding| finding.what.contains("rewritten")), "{findings:?}");
}

/// The command line says the same, with its exit status.
#[test]
fn the_command_line_verifies() {
    let path = tempfile::tempdir().expect("a folder");
    let heads = write(&folder(path.path()), 0..5);
    let mingcha = |heads: &[Head]| {
        let heads: Vec<String> = heads.iter().flat_map(|head| ["--head".to_owned(), head.to_string()]).collect();
        let output = Command::new(env!("CARGO_BIN_EXE_mingcha"))
            .args(["journal", "verify"])
            .arg(path.path())
            .args(heads)
            .output()
            .expect("it starts");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (status, said) = mingcha(&[heads[2], heads[4]]);
    assert!(status == Some(0) && said.contains("5 records in") && said.contains(&heads[4].to_string()), "{said}");
    let segment = path.path().join("00000000000000000001.jsonl");
    put(&segment, &lines(&segment)[..4]);
    assert_eq!(mingcha(&[]).0, Some(0));
    let (status, said) = mingcha(&[heads[4]]);
    assert!(status == Some(1) && said.contains("tail was cut off") && said.contains("NOT AS IT WAS"), "{said}");
}

#[test]
fn a_missing_segment_is_found() {
    let path = tempfile::tempdir().expect("a folder");
    let disk = folder(path.path());
    write(&disk, 0..25);
    let segments = mingcha::journal::reader::segments(&*disk).expect("read");
    fs::remove_file(path.path().join(&segments[1])).expect("removed");
    assert!(report(path.path(), &[]).findings.iter().any(|finding| finding.segment == segments[2] && finding.what.contains("dropped")));
}

#[test]
fn a_torn_tail_is_reported_and_no_finding() {
    let path = tempfile::tempdir().expect("a folder");
    write(&folder(path.path()), 0..3);
    let segment = path.path().join("00000000000000000001.jsonl");
    let mut content = fs::read(&segment).expect("read");
    content.extend_from_slice(b"{\"seq\":4,\"at");
    fs::write(&segment, content).expect("written");
    let report = report(path.path(), &[]);
    assert_eq!((report.findings, report.records), (vec![], 3));
    assert_eq!(report.torn.expect("it is seen").bytes, b"{\"seq\":4,\"at");
}

#[test]
fn anchors_are_signed_and_cannot_be_forged() {
    let (path, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let head = *write(&folder(path.path()), 0..3).last().expect("some");
    let signer = Signer::open(other.path()).expect("a key");
    let line = signer.line(head, noon());
    assert_eq!(anchor::read(&line, &signer.public()), Ok(head));
    assert_eq!(Signer::open(other.path()).expect("the same key").public(), signer.public());
    assert_eq!(fs::read_to_string(other.path().join("anchor.pub")).expect("it is there"), signer.public());
    let forged = line.replacen(&format!("{}:", head.sequence), "2:", 1);
    assert!(anchor::read(&forged, &signer.public()).expect_err("forged").contains("signature"));
    let stranger = Signer::open(path.path()).expect("a key");
    assert!(anchor::read(&line, &stranger.public()).is_err());
    for bad in ["", "nonsense", "1:2 3 4", &line[..line.len() - 3]] {
        assert!(anchor::read(bad, &signer.public()).is_err(), "{bad}");
    }
}
