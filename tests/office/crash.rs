//! Killed at any moment, under concurrent writes, with the index harmed between runs: nothing acknowledged is lost, nothing
//! is half-applied, the chain verifies, and the next start needs nobody. `MINGCHA_KILLS=300` is the full campaign.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command as Process, Stdio},
    sync::Arc,
    time::Duration,
};

use mingcha::{
    auth::Identity,
    office::{Done, Office, OfficeError},
    watch::{command::Command, file::File, key::FirmId, transition::ReferralAction},
};
use tokio::runtime::Runtime;

use super::{
    Desk, index,
    people::{BANK, OFFICE, evidence, of, record, refer, registrar, screening_for_two},
    settings, submission, verified,
};

/// Says to this binary, started again as one test, which folder it is to work on.
const DATA: &str = "MINGCHA_TEST_DATA";
/// How many write at once.
const WRITERS: usize = 6;

/// This binary, to be started as one test over a folder.
pub(super) fn again(test: &str, data: &Path) -> Process {
    let mut process = Process::new(env::current_exe().expect("this binary"));
    process.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(DATA, data);
    process
}

/// The folder to work on, where this binary was started again.
pub(super) fn data() -> Option<PathBuf> {
    env::var_os(DATA).map(PathBuf::from)
}

/// Does nothing but where it was started to be killed: writes, and says what was acknowledged, one line each.
#[test]
fn writes_until_it_is_killed() {
    let Some(data) = data() else { return };
    let run = fs::read_to_string(data.with_extension("run")).expect("a number");
    super::version(); // takes a while
    println!("\nready");
    let opened = Office::open(&settings(&data)).unwrap_or_else(|error| panic!("{error}"));
    let runtime = Runtime::new().expect("a runtime");
    let writers: Vec<_> = (0..WRITERS).map(|writer| runtime.spawn(write(opened.office.clone(), format!("{run}-{writer}")))).collect();
    for writer in writers {
        runtime.block_on(writer).expect("a writer ended");
    }
}

/// One record, and what follows it, over and over.
async fn write(office: Office, writer: String) {
    for number in 0.. {
        let name = format!("某地{writer}之{number}理财公司");
        let file = acknowledged(&office, &registrar(), &format!("{writer}-{number}"), &record(&screening_for_two(&name))).await;
        let [first, second] = [0, 1].map(|place| file.referrals[place].id.0);
        acknowledged(&office, &of(OFFICE), &format!("{writer}-{number}-a"), &refer(first, ReferralAction::Receive)).await;
        acknowledged(&office, &of(BANK), "", &refer(second, ReferralAction::Receive)).await;
        acknowledged(&office, &registrar(), "", &Command::AddEvidence { firm: file.id, evidence: evidence() }).await;
    }
}

async fn acknowledged(office: &Office, identity: &Arc<Identity>, request_id: &str, command: &Command) -> Arc<File> {
    let answer = loop {
        match office.submit(submission(identity, request_id, command)).await {
            Ok(answer) => break answer,
            // the index was harmed before the start, and that is only now found: it is made again
            Err(OfficeError::Rebuilding) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => panic!("{command:?}: {error}"),
        }
    };
    // one write: a line is there whole, or not at all, or it is the last
    let line = format!("acknowledged {} {} {} {request_id}\n", answer.head, answer.file.changed.sequence, answer.file.id);
    std::io::stdout().write_all(line.as_bytes()).expect("said");
    answer.file
}

/// What was acknowledged: the firm's number and the request's id, by the sequence of the record.
type Acknowledged = BTreeMap<u64, (FirmId, String)>;

/// Starts a writer and kills it after a while; what it was told is what it said.
fn killed(data: &Path, after: Duration) -> Acknowledged {
    let mut child =
        again("office::crash::writes_until_it_is_killed", data).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "ready"), "it does not start");
    let reader = std::thread::spawn(move || lines.filter_map(|line| read(&line)).collect());
    std::thread::sleep(after);
    child.kill().expect("killed");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), None, "it ended by itself: {}", String::from_utf8_lossy(&output.stderr));
    reader.join().expect("read")
}

/// A line that was written whole: the last may not be.
fn read(line: &str) -> Option<(u64, (FirmId, String))> {
    let mut words = line.strip_prefix("acknowledged ")?.split(' ');
    let (_head, sequence, firm) = (words.next()?, words.next()?, words.next()?);
    let request = words.next()?;
    Some((sequence.parse().ok()?, (firm.parse().ok()?, request.to_owned())))
}

/// A number that looks random, the same for the same run: a failure can be repeated as far as time allows.
fn random(run: u64, below: u64) -> u64 {
    let mixed = (run + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 33) % below
}

/// Harms the index, in most runs not at all.
fn harm(data: &Path, run: u64) {
    let index = index(data);
    let db = index.join("db");
    match random(run ^ 0x5555, 8) {
        0 => drop(fs::remove_dir_all(&index)), // there may be none
        1 => {
            let length = fs::metadata(&db).map_or(0, |db| db.len());
            let cut = fs::File::options().write(true).open(&db).and_then(|file| file.set_len(length * random(run, 100) / 100));
            drop(cut); // there may be none
        }
        2 => drop(fs::write(&db, vec![0x5a; 70_000])),
        3 => {
            use std::os::unix::fs::FileExt;
            let length = fs::metadata(&db).map_or(0, |db| db.len());
            let garbage =
                fs::File::options().write(true).open(&db).and_then(|file| file.write_all_at(&[0xa5; 512], length * random(run, 100) / 100));
            drop(garbage);
        }
        _ => {}
    }
}

/// Opens the folder after a kill, and compares.
fn compare(data: &Path, told: &Acknowledged) {
    let mut desk = Desk::open(data);
    let head = desk.office().head().sequence;
    assert!(told.last_key_value().is_none_or(|(last, _)| *last <= head), "the journal ends at {head}");
    let files = desk.files();
    for file in &files {
        let history = desk.history(file.id);
        assert_eq!(history.file.as_deref(), Some(file), "the index has something else than the journal");
        assert_eq!(file.referrals.len(), 2, "a record is there in part");
    }
    for (sequence, (firm, request)) in told {
        let file = &files[firm.0 as usize - 1];
        assert!(file.changed.sequence >= *sequence, "record {sequence} of {firm} is lost");
        if !request.is_empty() && !request.ends_with("-a") {
            let answer = desk.submit(&registrar(), request, &record(&screening_for_two(&file.name))).expect("answered");
            assert!(matches!(answer.done, Done::Before(place) if place.sequence <= *sequence), "{request} is forgotten: {:?}", answer.done);
        }
    }
    desk.close();
    verified(data);
}

#[test]
fn a_service_killed_at_any_moment_loses_nothing() {
    if data().is_some() {
        return;
    }
    let kills: u64 = env::var("MINGCHA_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(30);
    let folder = tempfile::tempdir().expect("a folder");
    let (mut data, mut told, mut all) = (folder.path().join("0"), Acknowledged::new(), 0);
    for run in 0..kills {
        if run % 30 == 0 {
            data = folder.path().join(run.to_string()); // begun anew, so that comparing does not take ever longer
            told.clear();
        }
        fs::write(data.with_extension("run"), run.to_string()).expect("written");
        let new = killed(&data, Duration::from_millis(random(run, 300)));
        all += new.len();
        told.extend(new);
        if run % 3 == 2 {
            compare(&data, &told);
        }
        harm(&data, run);
    }
    assert!(all as u64 > kills, "only {all} records were acknowledged");
    println!("{all} records were acknowledged in {kills} runs");
}
