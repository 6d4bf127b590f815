//! The watch list against what it could be at best, in one run.
//!
//! (1) Recorded screenings a second against bare appends of the same bytes, with as many writers and the same group commit;
//!     how far the index lags, and how fast it catches up.
//! (2) Many watch entries: the index made again from the journal, the start with a healthy index, reading it through, and then
//!     the slowest of a hundred of each kind of query.
//!
//! `MINGCHA_ENTRIES=1000000 cargo bench --bench watch` is the full form. `MINGCHA_REGISTER=firms.tsv` takes real firms. Needs
//! some 4 KiB of disk an entry in the folder for temporary files.

#![allow(clippy::expect_used, clippy::cast_precision_loss)] // a benchmark that cannot go on says why; counts are far below 2^52

mod register;

use std::{
    env, fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use jiff::Timestamp;
use mingcha::{
    auth::Identity,
    clock::today,
    day, embedded,
    journal::{Draft, Hash, SEGMENT, disk::Folder, reader, recovery},
    jurisdiction::Region,
    library::Version,
    office::{self, Office, Opened, Payload, Settings, Store, Submission},
    vocabulary::{BusinessField, Decision, EntityKind, Field, Force},
    watch::{
        Source,
        attribute::{Collection, DayOf, Dimension},
        command::Command,
        deadline::Deadlines,
        event::{Change, Event, Sent},
        file::{Reason, Screened},
        key::{FirmId, ReferralId},
        query::{Condition, Query},
        transition::EntryAction,
    },
    wire::{Bases, respond, understand, v1::ScreenRequest},
    wordlist::tables::BodyId,
};
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{mpsc, oneshot};

const WRITERS: usize = 64;
const SCREENINGS: usize = 20_000;
const TOGETHER: usize = 512;

fn main() {
    let version = Arc::new(Version::build(&embedded::files(), SystemTime::now()).expect("the lists inside the binary"));
    recording(&version);
    many_entries();
}

fn settings(folder: &Path) -> Settings {
    Settings { data: folder.to_path_buf(), deadlines: Deadlines::default() }
}

/// (1)
fn recording(version: &Arc<Version>) {
    let folder = tempfile::tempdir().expect("a folder");
    let firms: Arc<Vec<register::Firm>> = Arc::new(register::firms(SCREENINGS));
    let opened = Office::open(&settings(folder.path())).expect("an office");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (seconds, lag) = runtime.block_on(record_all(&opened.office, version, &firms));
    let catching_up = Instant::now();
    runtime.block_on(opened.office.settled()).expect("an index");
    let caught_up = catching_up.elapsed();
    let recorded = opened.office.head().sequence;
    opened.close();

    let disk = Folder::open(&folder.path().join("journal")).expect("a journal");
    let mut payloads: Vec<Box<RawValue>> = Vec::new();
    reader::walk(&disk, 1, |record, _| {
        payloads.push(record.payload.to_owned());
        Ok::<(), mingcha::journal::JournalError>(())
    })
    .expect("records");
    let bytes: usize = payloads.iter().map(|payload| payload.get().len()).sum();
    let bare = runtime.block_on(append_all(payloads));
    let (rate, best) = (recorded as f64 / seconds, recorded as f64 / bare);
    println!("recorded screenings: {rate:.0} a second, bare appends {best:.0}: ratio {:.2} (target 0.7)", rate / best);
    println!(
        "  {recorded} records of {} bytes, {WRITERS} writers; the index lagged up to {lag} records and had them all {} ms later",
        bytes / payloads_of(recorded),
        caught_up.as_millis()
    );
}

fn payloads_of(recorded: u64) -> usize {
    usize::try_from(recorded).expect("few").max(1)
}

/// Screens and records every firm; gives the seconds, and how far the index lagged at most.
async fn record_all(office: &Office, version: &Arc<Version>, firms: &Arc<Vec<register::Firm>>) -> (f64, u64) {
    let (next, begun) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (office, version, firms, next) = (office.clone(), Arc::clone(version), Arc::clone(firms), Arc::clone(&next));
            tokio::spawn(async move {
                let identity = Arc::new(Identity::anyone());
                let mut lag = 0;
                while let Some(firm) = firms.get(next.fetch_add(1, Ordering::Relaxed)) {
                    office.submit(submission(firm, &version, &identity)).await.expect("recorded");
                    lag = lag.max(office.lag());
                }
                lag
            })
        })
        .collect();
    let mut lag = 0;
    for writer in writers {
        lag = lag.max(writer.await.expect("a writer"));
    }
    (begun.elapsed().as_secs_f64(), lag)
}

fn submission(firm: &register::Firm, version: &Arc<Version>, identity: &Arc<Identity>) -> Submission {
    let engine = version.engine();
    let request = ScreenRequest { name: firm.name.clone(), scope: firm.scope.clone(), region: "320104".to_owned(), ..Default::default() };
    let understood = understand(request.clone(), engine, today()).expect("a firm");
    let answer = engine.screen(&understood.firm);
    let response = respond(&understood, &answer, engine, &mut Bases::shared());
    let documents = to_raw_value(&(request, response)).expect("JSON");
    let screening = office::screening(&understood.firm, None, &answer, engine, (Source::NameApproval, Vec::new()));
    Submission {
        identity: Arc::clone(identity),
        request_id: String::new(),
        body: Hash::default(),
        command: Command::Record(Box::new(screening)),
        documents: Some(documents),
        version: Arc::clone(version),
    }
}

/// Appends the same bytes, with the same writers and the same group commit, and nothing else; gives the seconds.
async fn append_all(payloads: Vec<Box<RawValue>>) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Arc::new(Folder::open(folder.path()).expect("a folder"));
    let (mut journal, _) = recovery::open(disk, SEGMENT).expect("a journal");
    let (send, mut take) = mpsc::channel::<(usize, oneshot::Sender<()>)>(1024);
    let payloads = Arc::new(payloads);
    let theirs = Arc::clone(&payloads);
    let appending = thread::spawn(move || {
        while let Some(first) = take.blocking_recv() {
            let mut waiting = Vec::new();
            let mut next = Some(first);
            while let Some((index, reply)) = next {
                let draft = Draft { actor: "anyone", request_id: "", kind: "screening", payload: &theirs[index] };
                journal.stage(&draft, Timestamp::now()).expect("staged");
                waiting.push(reply);
                next = if waiting.len() < TOGETHER { take.try_recv().ok() } else { None };
            }
            journal.commit().expect("committed");
            for reply in waiting {
                reply.send(()).expect("a writer waits");
            }
        }
    });
    let (next, begun) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (send, next, count) = (send.clone(), Arc::clone(&next), payloads.len());
            tokio::spawn(async move {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    let (reply, done) = oneshot::channel();
                    send.send((index, reply)).await.expect("a writer");
                    done.await.expect("committed");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("a writer");
    }
    let seconds = begun.elapsed().as_secs_f64();
    drop(send);
    appending.join().expect("it ends");
    seconds
}

/// (2)
fn many_entries() {
    let count: u32 = env::var("MINGCHA_ENTRIES").map_or(100_000, |text| text.parse().expect("a number of entries"));
    let folder = tempfile::tempdir().expect("a folder");
    let journal_bytes = invent(&folder.path().join("journal"), count);
    let before = resident();
    let (opened, seconds) = opened(folder.path(), count);
    println!(
        "index made again: {:.0} records a second (target 20 000), {count} entries; {} MiB more resident; {} bytes a record, journal {}",
        f64::from(count) / seconds,
        (resident().saturating_sub(before)) >> 20,
        size(folder.path(), "index") / u64::from(count),
        journal_bytes / u64::from(count)
    );
    opened.close();
    let (first, after_rebuild) = self::opened(folder.path(), count);
    first.close();
    let (opened, seconds) = self::opened(folder.path(), count);
    println!(
        "start with a healthy index: {:.0} ms (target 1 000); the first after it was made {:.0} ms",
        seconds * 1e3,
        after_rebuild * 1e3
    );
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let store = runtime.block_on(opened.office.settled()).expect("an index");
    let begun = Instant::now();
    store.read_through(&|| false).expect("a whole index");
    println!("the index read through, as after a kill before it is used: {:.1} s", begun.elapsed().as_secs_f64());
    queries(&store, count);
    drop(store);
    opened.close();
}

/// An office that has all its entries in the index, and how many seconds that took.
fn opened(folder: &Path, count: u32) -> (Opened, f64) {
    let begun = Instant::now();
    let opened = Office::open(&settings(folder)).expect("an office");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    loop {
        if let Ok(store) = runtime.block_on(opened.office.settled())
            && store.numbers().expect("numbers").firms == count
        {
            return (opened, begun.elapsed().as_secs_f64());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

const TERMS: [(&str, BusinessField); 8] = [
    ("支付", BusinessField::Payment),
    ("理财", BusinessField::WealthManagement),
    ("金融", BusinessField::Finance),
    ("投资管理", BusinessField::Investment),
    ("P2P", BusinessField::P2p),
    ("资产管理", BusinessField::AssetManagement),
    ("基金", BusinessField::Fund),
    ("典当", BusinessField::Pawn),
];

/// A place of some four hundred.
fn place(number: u32) -> Region {
    let (province, city, county) = (32 + number % 5, 1 + number / 5 % 8, 1 + number / 40 % 10);
    Region::parse(&format!("{province}{city:02}{county:02}")).expect("a code")
}

/// Writes a journal of so many firms; gives its bytes.
fn invent(folder: &Path, count: u32) -> u64 {
    let firms = register::firms(20_000);
    let (mut journal, _) = recovery::open(Arc::new(Folder::open(folder).expect("a folder")), SEGMENT).expect("a journal");
    let begun = Timestamp::now();
    for number in 1..=count {
        let name = format!("{}{number}", firms[number as usize % firms.len()].name);
        let payload = Payload::of(vec![change(number, name)], "", None, None);
        let payload = payload.write().expect("JSON");
        journal.stage(&Draft { actor: "nanjing", request_id: "", kind: "screening", payload: &payload }, begun).expect("staged");
        if journal.staged_bytes() > 4 << 20 {
            journal.commit().expect("committed");
        }
    }
    journal.commit().expect("committed");
    size(folder.parent().expect("a folder"), "journal")
}

fn change(number: u32, name: String) -> Change {
    let (term, business) = TERMS[(number as usize * 7 / 3) % TERMS.len()];
    let registered = place(number.wrapping_mul(2_654_435_761) >> 8);
    let lists_hash = "a".repeat(64);
    let screened = Screened { decision: Decision::Prohibited, lists_hash: lists_hash.clone(), day: today(), texts: "b".repeat(64) };
    let rules = ["cn-2016-21/access", "cn-737/ban", "jiangsu-2016/access"].map(str::to_owned).to_vec();
    let reason =
        Reason { term: term.to_owned(), field: Field::Name, text: term.to_owned(), business, force: Force::Prohibit, rules, lists_hash };
    let body = BodyId::parse(&format!("{}/finance-office", registered.city())).expect("a body");
    let due = day::parse(&format!("2026-11-{:02}", 1 + number % 28)).expect("a day");
    let sent = Sent { referral: ReferralId(number), body, why: "leads".to_owned(), fields: vec![business], due, after: None };
    let mut events = vec![
        Event::Seen { name, uscc: None, registered, kind: EntityKind::Enterprise },
        Event::Screened(screened),
        Event::Watched { source: Source::Rescreening, level: Decision::Prohibited, reasons: vec![reason], suspected: Vec::new() },
        Event::Sent(sent),
    ];
    if number.is_multiple_of(3) {
        events.push(Event::Stepped { action: EntryAction::Review, opinion: None });
    }
    Change { firm: FirmId(number), events }
}

fn queries(store: &Store, count: u32) {
    let one = |of: Dimension, value: String| Condition::OneOf(of, vec![value]);
    let term = |n: u32| TERMS[n as usize % TERMS.len()];
    let status = |n: u32| ["OPEN", "UNDER_REVIEW"][n as usize % 2].to_owned();
    let day = |n: u32| Some(day::parse(&format!("2026-11-{:02}", 2 + n % 20)).expect("a day"));
    measured(store, "status", 2.0, |n| vec![one(Dimension::Status, status(n))]);
    measured(store, "term", 2.0, |n| vec![one(Dimension::Term, term(n).0.to_owned())]);
    measured(store, "field", 2.0, |n| vec![one(Dimension::Field, term(n).1.id().to_owned())]);
    measured(store, "province", 2.0, |n| vec![one(Dimension::Region, place(n).province().to_string())]);
    measured(store, "county", 2.0, |n| vec![one(Dimension::Region, place(n).to_string())]);
    measured(store, "a status that none has", 2.0, |_| vec![one(Dimension::Status, "RELEASED".to_owned())]);
    measured(store, "due before a day", 2.0, |n| vec![Condition::Within(DayOf::Due, None, day(n))]);
    measured(store, "opened on a day that none was", 2.0, |n| vec![Condition::Within(DayOf::Opened, None, day(n))]);
    measured(store, "status × county × field", 2.0, |n| {
        vec![
            one(Dimension::Status, status(n)),
            one(Dimension::Region, place(n).to_string()),
            one(Dimension::Field, term(n / 2).1.id().to_owned()),
        ]
    });
    measured(store, "text in the name, common", 50.0, |n| vec![Condition::Name(["有限", "公司"][n as usize % 2].to_owned())]);
    measured(store, "text in the name, rare", 50.0, |n| vec![Condition::Name(format!("{}", count - n * 17))]);
    measured(store, "text in the name that none has", 50.0, |_| vec![Condition::Name("毫无此名".to_owned())]);
    measured(store, "county × due before a day", 50.0, |n| {
        vec![one(Dimension::Region, place(n).to_string()), Condition::Within(DayOf::Due, None, day(n))]
    });
    let mut times: Vec<f64> = (0..1000u32)
        .map(|n| {
            let begun = Instant::now();
            assert!(store.file(FirmId(1 + n.wrapping_mul(2_654_435_761) % count)).expect("a file").is_some());
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    say("get", 0.2, &mut times);
    let query = Query { collection: Collection::Entries, conditions: Vec::new(), oldest_first: true, after: None, most: 0 };
    let begun = Instant::now();
    let counts = store.count(&query, Dimension::Region, Some(Dimension::Term)).expect("counts");
    println!("count by region and term: {} pairs in {:.0} ms", counts.len(), begun.elapsed().as_secs_f64() * 1e3);
}

/// The first page of fifty, with its files, a hundred times.
fn measured(store: &Store, name: &str, target: f64, conditions: impl Fn(u32) -> Vec<Condition>) {
    let mut times: Vec<f64> = (0..100)
        .map(|n| {
            let query = Query { collection: Collection::Entries, conditions: conditions(n), oldest_first: false, after: None, most: 50 };
            let begun = Instant::now();
            let page = store.select(&query, &|| false).expect("a page");
            for number in &page.numbers {
                store.file(FirmId(*number)).expect("a file").expect("it is there");
            }
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    say(name, target, &mut times);
}

fn say(name: &str, target: f64, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    println!("{name}: median {:.2} ms, p99 {:.2} ms (target {target} ms)", at(50), at(99));
}

/// Resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
}

/// Bytes of the folders whose names begin so.
fn size(folder: &Path, prefix: &str) -> u64 {
    fn all(folder: &Path) -> u64 {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable"));
        entries.map(|entry| if entry.path().is_dir() { all(&entry.path()) } else { entry.metadata().map_or(0, |seen| seen.len()) }).sum()
    }
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").path());
    entries.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))).map(|path| all(&path)).sum()
}
