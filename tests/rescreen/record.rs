//! What is flagged goes on the watch list of a running service, once each.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use mingcha::{
    rescreen::Checkpoint,
    wire::v1::{EntityKind, WatchEntry, WatchSource},
};

use super::{
    Bureau, FIRMS,
    changes::{DRAFT, export, mingcha},
    held::{Held, fed, register, register_of, row},
    there, told,
};
use crate::server::Server;

/// A service with a data folder in the bureau's.
fn serve(bureau: &Bureau, more: &[&str]) -> Server {
    let data = bureau.path("data");
    Server::start(&[&["--data", plain(&data)], more].concat())
}

fn url(server: &Server) -> String {
    format!("http://{}", server.address)
}

fn plain(path: &Path) -> &str {
    path.to_str().expect("a plain name")
}

/// The lines of the journal: one a record.
fn journal(bureau: &Bureau) -> Vec<String> {
    let folder = bureau.path("data").join("journal");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).expect("a journal").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let lines = |file: &PathBuf| {
        let mut bytes = fs::read(file).expect("it is there");
        bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1)); // the end may be on its way
        String::from_utf8(bytes).expect("a text").lines().map(str::to_owned).collect::<Vec<_>>()
    };
    files.iter().flat_map(lines).collect()
}

/// How many firms were recorded, and how many were known, as it is printed.
fn recorded(said: &str) -> [u64; 2] {
    ["recorded", "known"].map(|what| {
        let line = said.lines().find_map(|line| line.strip_prefix(what)).unwrap_or_else(|| panic!("{what} is missing: {said}"));
        line.split_whitespace().next().and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{line}"))
    })
}

fn refused(output: &Output, status: i32, why: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(status) && why.iter().all(|why| said.contains(why)), "{}: {said}", output.status);
}

#[test]
fn what_is_flagged_is_recorded_once() {
    let bureau = Bureau::new();
    bureau.write("firms.tsv", FIRMS);
    let server = serve(&bureau, &[]);
    let url = url(&server);
    let record = ["--record", "--server", &url];
    let said = bureau.rescreen(&["firms.tsv"], "out.csv", &record);
    assert!(told(&said) == [5, 2, 3, 0] && recorded(&said) == [3, 0], "{said}");
    let records = journal(&bureau);
    assert_eq!(records.len(), 3);

    let listed = mingcha(&["watch", "--server", &url, "list", "--json"]);
    let listed = String::from_utf8(listed.stdout).expect("UTF-8");
    let mut entries: Vec<WatchEntry> = listed.lines().map(|line| serde_json::from_str(line).expect("an entry")).collect();
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    let seen = entries.iter().map(|entry| (entry.name.as_str(), entry.uscc.as_str(), entry.region.as_str(), entry.entity_kind()));
    let expected = [
        ("某地众诚个体担保店", "92320113580493701R", "320113", EntityKind::IndividualBusiness),
        ("某地众诚支付有限公司", "91320113580493701X", "110105", EntityKind::Enterprise), // its check digit is the register's matter
        ("某地众诚理财有限公司", "91320113580493701R", "320102", EntityKind::Enterprise),
    ];
    assert_eq!(seen.collect::<Vec<_>>(), expected);
    assert!(entries.iter().all(|entry| entry.sources == [i32::from(WatchSource::Rescreening)]), "{listed}");
    assert!(entries.iter().any(|entry| !entry.referrals.is_empty()), "{listed}");

    let again = bureau.rescreen(&["firms.tsv"], "again.csv", &record);
    assert!(told(&again) == [5, 2, 3, 0] && recorded(&again) == [0, 3], "{again}");
    let later = bureau.rescreen(&["firms.tsv"], "later.csv", &[&record[..], &["--date", "2026-11-02"]].concat());
    assert_eq!(recorded(&later), [0, 3], "{later}");
    assert_eq!(journal(&bureau), records);
    refused(&bureau.run(&["firms.tsv"], "no.csv", &[&record[..], &["--event", "establish"]].concat()), 2, &["--event existing"]);
}

#[test]
fn a_firm_that_stands_twice_is_recorded_with_both_its_scopes_and_then_no_more() {
    let bureau = Bureau::new();
    let row = "某地众诚理财有限公司\t91320113580493701R\t\t\t\t";
    let header = FIRMS.lines().next().expect("a header");
    bureau.write("firms.tsv", format!("{header}\n{row}日用百货\n{row}融资担保\n{row}日用百货\n"));
    let server = serve(&bureau, &[]);
    let url = url(&server);
    let said = bureau.rescreen(&["firms.tsv"], "out.csv", &["--record", "--server", &url]);
    assert!(told(&said) == [3, 0, 3, 0] && recorded(&said) == [2, 1], "{said}");
    let said = bureau.rescreen(&["firms.tsv"], "again.csv", &["--record", "--server", &url]);
    assert_eq!((recorded(&said), journal(&bureau).len()), ([0, 3], 2), "{said}");
}

#[test]
fn the_service_knows_the_licences_of_the_rosters() {
    let bureau = Bureau::new();
    let name = "某地众诚支付理财有限公司";
    bureau.write("firms.csv", format!("企业名称,省份,城市\n{name},江苏,南京\n"));
    bureau.write("licensed.csv", format!("企业名称,许可证编号,有效期至\n{name},Z1,2030-01-01\n"));
    let server = serve(&bureau, &[]);
    let url = url(&server);
    let roster = ["--record", "--server", &url, "--roster", "licensed.csv", "--as", "licensed:payment"];
    assert_eq!(recorded(&bureau.rescreen(&["firms.csv"], "out.csv", &roster)), [1, 0]);
    let listed = mingcha(&["watch", "--server", &url, "list", "--json"]).stdout;
    let entry: WatchEntry = serde_json::from_slice(&listed).expect("one entry");
    assert_eq!(entry.reasons.iter().map(|reason| reason.term.as_str()).collect::<Vec<_>>(), ["理财"]);
}

#[test]
fn a_service_with_other_lists_is_told_nothing() {
    let bureau = Bureau::new();
    bureau.write("firms.tsv", FIRMS);
    let lists = export(&bureau, "lists");
    fs::write(Path::new(&lists).join("national/draft-2026.toml"), DRAFT).expect("written");
    let server = serve(&bureau, &["--wordlists", &lists]);
    let url = url(&server);
    let hash = |more: &[&str]| {
        let checked = String::from_utf8(mingcha(&[&["lists", "check"], more].concat()).stdout).expect("UTF-8");
        checked.lines().find_map(|line| line.strip_prefix("lists hash ")).expect("a hash").to_owned()
    };
    let output = bureau.run(&["firms.tsv"], "out.csv", &["--record", "--server", &url]);
    refused(&output, 2, &[&hash(&[]), &hash(&["--wordlists", &lists])]);
    assert!(journal(&bureau).is_empty() && !there(&bureau.path("out.csv.checkpoint")));

    // with the same lists: what a change releases is in the output, and goes on no watch list
    let changes = ["--to-lists", &lists, "--record", "--server", &url];
    let caught = bureau.rescreen(&["firms.tsv"], "out.csv", &[&changes[..], &["--from-lists", &export(&bureau, "old")]].concat());
    assert!(caught.contains("flagged              1") && recorded(&caught) == [1, 0], "{caught}");
    server.stop();
    let server = serve(&bureau, &[]);
    let url = self::url(&server);
    let released = bureau.rescreen(&["firms.tsv"], "out.csv", &["--from-lists", &lists, "--record", "--server", &url]);
    assert!(released.contains("flagged              1") && recorded(&released) == [0, 0], "{released}");
    assert_eq!(journal(&bureau).len(), 1);
}

#[test]
fn a_folder_that_nobody_serves_does_too() {
    let bureau = Bureau::new();
    bureau.write("firms.tsv", FIRMS);
    let server = serve(&bureau, &[]);
    refused(&bureau.run(&["firms.tsv"], "out.csv", &["--record", "--data", "data"]), 3, &["in use"]);
    server.stop();
    assert_eq!(recorded(&bureau.rescreen(&["firms.tsv"], "out.csv", &["--record", "--data", "data"])), [3, 0]);
    assert_eq!(recorded(&bureau.rescreen(&["firms.tsv"], "out.csv", &["--record", "--data", "data"])), [0, 3]);
    assert_eq!(journal(&bureau).len(), 3);
    refused(&bureau.run(&["firms.tsv"], "no.csv", &["--record", "--server", "http://127.0.0.1:1"]), 3, &["cannot connect"]);
    refused(&bureau.run(&["firms.tsv"], "no.csv", &["--record", "--data", "nowhere"]), 2, &["--data: nowhere is no folder"]);
    assert!(!there(&bureau.path("no.csv.checkpoint")));
}

/// A run over standard input that has recorded something, and is not at its end.
fn under_way(bureau: &Bureau, url: &str, row: fn(usize) -> String, more: &[&str]) -> Held {
    let args = ["--record", "--server", url, "--checkpoint-every", "0"];
    let recorded = || Checkpoint::read(&bureau.path("out.csv.checkpoint")).is_some_and(|checkpoint| checkpoint.counts.recorded > 0);
    Held::begin(bureau.command(&["-"], "out.csv", &[&args[..], more].concat()), row).until(recorded)
}

/// Runs over a text to the end, and gives what was printed.
fn finished(bureau: &Bureau, out: &str, more: &[&str], text: &str) -> String {
    let output = fed(bureau.command(&["-"], out, more), text);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// That a run goes on to the bytes of one that records nothing, with every firm in the journal once.
fn goes_on(bureau: &Bureau, url: &str, rows: usize) {
    let text = register(rows);
    let whole = told(&finished(bureau, "whole.csv", &[], &text));
    let said = finished(bureau, "out.csv", &["--resume", "--record", "--server", url], &text);
    assert!(told(&said) == whole && recorded(&said) == [whole[2], 0], "{said}");
    assert!(bureau.read("out.csv") == bureau.read("whole.csv"), "the output differs");
    assert_eq!(journal(bureau).len() as u64, whole[2]);
}

#[test]
fn a_service_that_stops_midway_is_gone_on_with() {
    let bureau = Bureau::new();
    let server = serve(&bureau, &[]);
    let (url, address) = (url(&server), server.address.clone());
    let held = under_way(&bureau, &url, row, &[]);
    server.stop();
    let (output, rows) = held.ended();
    refused(&output, 3, &["not recorded", "stdin line ", "--resume goes on"]);
    assert!(!there(&bureau.path("out.csv")));
    let data = bureau.path("data");
    let resumed = ["--resume", "--record", "--server", &url];
    refused(&bureau.run(&["-"], "out.csv", &resumed), 3, &["cannot connect", "--resume goes on"]);
    refused(&bureau.run(&["-"], "out.csv", &["--resume"]), 2, &["an option changed"]);
    let _server = Server::at(&address, &["--data", plain(&data)]);
    goes_on(&bureau, &url, rows);
}

#[test]
fn a_run_that_is_killed_midway_records_nothing_twice() {
    let bureau = Bureau::new();
    let server = serve(&bureau, &[]);
    let (_, rows) = under_way(&bureau, &url(&server), row, &[]).signalled("-KILL").ended();
    goes_on(&bureau, &url(&server), rows);
}

/// Kills a run when so many more records are in the journal; it puts how far it is on the disk only when it begins. Gives how
/// many rows it was sent.
fn killed_after(bureau: &Bureau, url: &str, row: fn(usize) -> String, records: usize) -> usize {
    let before = journal(bureau).len();
    let args = ["--record", "--server", url, "--checkpoint-every", "3600"];
    let held = Held::begin(bureau.command(&["-"], "out.csv", &args), row);
    let (_, rows) = held.until(|| journal(bureau).len() >= before + records).signalled("-KILL").ended();
    let left = Checkpoint::read(&bureau.path("out.csv.checkpoint")).expect("it can be gone on with");
    assert_eq!(left.counts.recorded, 0, "nothing of what it recorded is in its checkpoint");
    rows
}

/// Every firm twice: a thousand, and these again.
fn twice(number: usize) -> String {
    row(number / 2_000 * 1_000 + number % 1_000)
}

/// A service that has some firms on its watch list.
fn knowing(bureau: &Bureau) -> Server {
    let server = serve(bureau, &[]);
    bureau.write("known.csv", register(300));
    bureau.rescreen(&["known.csv"], "known-out.csv", &["--record", "--server", &url(&server)]);
    server
}

#[test]
fn a_run_that_is_killed_counts_as_one_that_was_not() {
    let bureau = Bureau::new();
    let server = knowing(&bureau);
    let url = url(&server);
    let first = killed_after(&bureau, &url, twice, 200);
    // a second time, with what the first had recorded behind it, and some of that in a checkpoint
    let (_, second) = under_way(&bureau, &url, twice, &["--resume"]).signalled("-KILL").ended();
    let text = register_of(first.max(second).next_multiple_of(2_000), twice);
    let said = finished(&bureau, "out.csv", &["--resume", "--record", "--server", &url], &text);

    let whole = Bureau::new();
    let server = knowing(&whole);
    let expected = finished(&whole, "out.csv", &["--record", "--server", &self::url(&server)], &text);
    let [new, known] = recorded(&expected);
    assert!(new > 0 && known > new, "all are known the second time: {expected}");
    assert_eq!((told(&said), recorded(&said)), (told(&expected), [new, known]));
    assert_eq!(journal(&bureau).len(), journal(&whole).len());
}

#[test]
fn what_another_run_records_meanwhile_is_not_counted() {
    let bureau = Bureau::new();
    let server = serve(&bureau, &[]);
    let (url, address) = (url(&server), server.address.clone());
    let rows = killed_after(&bureau, &url, row, 200);
    server.stop(); // what was on its way is in the journal, or never will be
    let (own, text) = (journal(&bureau).len() as u64, register(rows + 1_000));
    let data = bureau.path("data");
    let _server = Server::at(&address, &["--data", plain(&data)]);
    let other = finished(&bureau, "other.csv", &["--record", "--server", &url], &text);
    let [rest, there] = recorded(&other);
    assert!(rest > 0 && there == own, "{own}: {other}");
    let said = finished(&bureau, "out.csv", &["--resume", "--record", "--server", &url], &text);
    assert_eq!(recorded(&said), [there, rest], "each is counted by the run that recorded it: {said}");
}

#[test]
fn a_service_that_is_busy_is_come_back_to() {
    let bureau = Bureau::new();
    let firms: Vec<String> = (0..40).map(|number| format!("某地众诚理财{number}有限公司")).collect();
    bureau.write("firms.csv", format!("企业名称\n{}\n", firms.join("\n")));
    let server = serve(&bureau, &["--limits-concurrency", "1"]); // of sixteen calls it refuses most
    let url = url(&server);
    let said = bureau.rescreen(&["firms.csv"], "out.csv", &["--record", "--server", &url]);
    assert_eq!((recorded(&said), journal(&bureau).len()), ([40, 0], 40), "{said}");
}
