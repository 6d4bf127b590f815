//! A run and the sum of its inputs, which comes when the test says so.

use std::{
    cell::{Cell, RefCell},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, atomic::AtomicU64},
};

use tempfile::TempDir;

use super::*;
use crate::{
    day, embedded,
    jurisdiction::Region,
    register::Options,
    rescreen::{
        Checkpoint, Counts, Defaults, Fingerprint, Layout, Rosters,
        columns::FLAGGED,
        output::{checkpoint_of, take_away},
        record::{Ledger, Tally, Watched},
        sum::Summing,
    },
    screen::Engine,
    sheet::{CsvOptions, Format},
    vocabulary::{EntityKind, Event},
};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::build(&embedded::files()).expect("the embedded lists are checked"));
static ROSTERS: LazyLock<Rosters> = LazyLock::new(Rosters::default);

const EVERY: Duration = Duration::from_secs(60);
const LAYOUT: Layout =
    Layout { format: Format::Csv, csv: CsvOptions { encoding: crate::encoding::Encoding::Utf8, raw: false }, columns: FLAGGED };

thread_local! {
    /// The summing up, which has a thread and does not come to it.
    static LATER: RefCell<Option<Box<dyn FnOnce() + Send>>> = const { RefCell::new(None) };
    /// The time that passed.
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Lets the summing up come to its end; says whether it had begun.
fn sums_up() -> bool {
    LATER.take().map(|summing| summing()).is_some()
}

/// A sum that waits for [`sums_up`].
fn sum(summing: Arc<Summing>) -> Sum {
    let mut sum = Sum::of(Some(summing));
    sum.spawn = |summing| {
        LATER.set(Some(summing));
        Ok(())
    };
    sum
}

fn seven() -> Sum {
    sum(Arc::new(|_: &AtomicBool| Ok(Some(7))))
}

fn clock() -> Instant {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    *BEGUN + PASSED.get()
}

/// A register of some pieces, and what is made of it.
struct Desk {
    folder: TempDir,
    stop: AtomicBool,
}

/// Does something when so many pieces are written, or when something is noted.
struct Follower<'f> {
    wrote: &'f dyn Fn(u64),
    noted: &'f dyn Fn(),
    kept: Vec<u64>,
    notes: Vec<String>,
}

impl Follow for Follower<'_> {
    fn begin(&mut self, _: Arc<AtomicU64>, _: Option<u64>, _: &Counts) {}
    fn tell(&mut self, _: &Counts, position: Position) {
        (self.wrote)(position.pieces);
    }
    fn kept(&mut self, _: &Counts, position: Position) {
        self.kept.push(position.pieces);
    }
    fn note(&mut self, what: &str) {
        self.notes.push(what.to_owned());
        (self.noted)();
    }
    fn end(&mut self) {}
}

fn follower<'f>(wrote: &'f dyn Fn(u64), noted: &'f dyn Fn()) -> Follower<'f> {
    Follower { wrote, noted, kept: Vec::new(), notes: Vec::new() }
}

/// Records the firms of one piece.
struct Once(bool);

impl Recorder for Once {
    fn record(&mut self, _: Vec<Watched>, _: &mut Ledger) -> Result<Tally, RescreenError> {
        if std::mem::replace(&mut self.0, false) { Ok(Tally::default()) } else { Err(RescreenError::Unrecorded("once".to_owned())) }
    }
}

fn judge() -> Judge<'static> {
    let day = day::parse("2026-11-01").expect("a day");
    let defaults = Defaults { day, event: Event::Existing, region: Region::NATION, kind: EntityKind::Enterprise };
    Judge::new(&ENGINE, None, &ROSTERS, defaults, LAYOUT)
}

impl Desk {
    fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().expect("a folder"), stop: AtomicBool::new(false) };
        let scope = "日用百货零售；建筑装饰工程设计、施工；".repeat(40);
        let row =
            |number: usize| format!("某地众诚{}{number}有限公司,{scope}\n", if number.is_multiple_of(50) { "理财" } else { "日用品" });
        fs::write(desk.path("firms.csv"), "企业名称,经营范围\n".to_owned() + &(0..500).map(row).collect::<String>()).expect("written");
        PASSED.set(Duration::ZERO);
        drop(LATER.take());
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn begun(&self, out: &str) -> Output {
        Output::begin(&self.path(out), Fingerprint::default(), LAYOUT).expect("it begins")
    }

    /// Runs over these inputs, and gives how that ended and how many rows the checkpoint covers.
    fn run(
        &self,
        (out, inputs): (&str, &[&str]),
        (workers, sum): (usize, Sum),
        (waits, follow): (bool, &mut Follower<'_>),
        recorded_once: bool,
    ) -> (Result<bool, RescreenError>, u64) {
        let mut source = Source::new(inputs.iter().map(|input| self.path(input)).collect(), Options::default());
        let mut output = self.begun(out);
        let mut once = Once(true);
        let recorder = recorded_once.then_some(&mut once as &mut dyn Recorder);
        let how = Run { stop: &self.stop, waits, checkpoint_every: EVERY, follow, recorder };
        let spare = Spare::default();
        let ended = run_by(workers, &mut source, &judge, Writer { output: &mut output, how, sum, spare: &spare, clock });
        if matches!(ended, Ok(true)) {
            let kept = output.kept();
            output
                .finish(day::parse("2026-11-01").expect("a day"), ENGINE.lists().divisions())
                .expect("it is put in its place")
                .1
                .end()
                .expect("it goes");
            return (ended, kept);
        }
        (ended, output.kept())
    }

    /// The checkpoint that is left.
    fn left(&self, out: &str) -> Checkpoint {
        Checkpoint::read(&checkpoint_of(&self.path(out))).expect("a checkpoint is left")
    }
}

const FIRMS: (&str, &[&str]) = ("out.csv", &["firms.csv"]);

#[test]
fn the_sum_begins_at_half_the_time_and_nobody_waits_for_it() {
    let desk = Desk::new();
    let wrote = |pieces| {
        match pieces {
            1 => PASSED.set(EVERY / 3), // it has not begun, or the next would find it
            2 => {
                assert!(LATER.with_borrow(Option::is_none), "before half the time");
                PASSED.set(EVERY / 2);
            }
            3 => {
                assert!(LATER.with_borrow(Option::is_some), "at half the time");
                PASSED.set(EVERY);
            }
            4 => assert!(sums_up() && desk.left("out.csv").position.is_beginning(), "a row was written without it"),
            _ => {}
        }
    };
    let mut follow = follower(&wrote, &|| {});
    let (ended, kept) = desk.run(FIRMS, (2, seven()), (true, &mut follow), false);
    assert!(ended.expect("it comes to its end"));
    assert!(kept > 0 && follow.kept == [4] && follow.notes.is_empty(), "{:?} {:?}", follow.kept, follow.notes);
}

#[test]
fn a_run_that_ends_needs_no_sum() {
    let desk = Desk::new();
    for (time, begun) in [(Duration::ZERO, false), (EVERY / 2, true), (EVERY, true)] {
        PASSED.set(Duration::ZERO);
        let wrote = |_| PASSED.set(time);
        let mut follow = follower(&wrote, &|| panic!("it waits"));
        assert!(desk.run(FIRMS, (2, seven()), (true, &mut follow), false).0.expect("it comes to its end"));
        assert!(LATER.take().is_some() == begun && follow.kept.is_empty(), "{time:?}");
    }
}

#[test]
fn a_sum_that_fails_costs_the_run_nothing_but_its_checkpoints() {
    let desk = Desk::new();
    for stopped in [false, true] {
        let failing = sum(Arc::new(|_: &AtomicBool| Err(RescreenError::Unrecorded("no sum".to_owned()))));
        let wrote = |pieces| {
            PASSED.set(EVERY);
            sums_up();
            desk.stop.store(stopped && pieces >= 3, Ordering::Relaxed);
        };
        PASSED.set(Duration::ZERO);
        let mut follow = follower(&wrote, &|| {});
        let (ended, kept) = desk.run(FIRMS, (0, failing), (true, &mut follow), false);
        assert_eq!((ended.expect("it goes on"), kept), (!stopped, 0));
        assert!(follow.kept.is_empty() && follow.notes.len() == 1, "{:?}", follow.notes);
        assert!(follow.notes[0].ends_with("no sum: this run can be gone on with from its last checkpoint only"), "{:?}", follow.notes);
        if stopped {
            let left = desk.left("out.csv");
            assert!(left.position.is_beginning() && left.whole.is_none(), "what cannot be gone on with is not written");
        }
    }
}

#[test]
fn a_run_that_is_stopped_waits_for_the_sum_where_it_is_to() {
    let desk = Desk::new();
    for (waits, time) in [(true, Duration::ZERO), (true, EVERY / 2), (false, Duration::ZERO), (false, EVERY / 2)] {
        let out = format!("out-{waits}-{}.csv", time.as_secs());
        PASSED.set(Duration::ZERO);
        desk.stop.store(false, Ordering::Relaxed);
        let wrote = |_| {
            PASSED.set(time);
            desk.stop.store(true, Ordering::Relaxed);
        };
        let noted = || assert!(sums_up() || time.is_zero());
        let (mut follow, mut sum) = (follower(&wrote, &noted), seven());
        if time.is_zero() {
            sum.spawn = |_| Err(io::Error::other("no thread")); // whoever waits sums up himself
        }
        let (ended, kept) = desk.run((&out, FIRMS.1), (0, sum), (waits, &mut follow), false);
        assert!(!ended.expect("it is stopped"), "{out}");
        let left = desk.left(&out);
        let expected = (waits, if waits { Some(7) } else { None }, usize::from(waits));
        assert_eq!((!left.position.is_beginning(), left.whole, follow.notes.len()), expected, "{out}");
        assert_eq!(left.counts.rows, kept, "{out}");
    }
}

#[test]
fn where_a_sum_is_known_a_run_that_is_stopped_leaves_all() {
    let desk = Desk::new();
    let wrote = |pieces| {
        PASSED.set(EVERY / 2);
        desk.stop.store(pieces >= 2 && sums_up(), Ordering::Relaxed);
    };
    let mut follow = follower(&wrote, &|| panic!("it waits"));
    let (ended, kept) = desk.run(FIRMS, (0, seven()), (false, &mut follow), false);
    assert!(!ended.expect("it is stopped") && kept > 0);
    assert_eq!((desk.left("out.csv").whole, desk.left("out.csv").position.pieces), (Some(7), 2));
}

#[test]
fn whoever_stops_a_run_that_failed_waits_no_more() {
    let desk = Desk::new();
    let noted = || desk.stop.store(true, Ordering::Relaxed);
    let mut follow = follower(&|_| {}, &noted);
    let (ended, kept) = desk.run(FIRMS, (2, seven()), (true, &mut follow), true);
    assert!(matches!(ended, Err(RescreenError::Unrecorded(_))) && kept == 0);
    assert!(desk.left("out.csv").position.is_beginning());
    let [why, waits] = &follow.notes[..] else { panic!("{:?}", follow.notes) };
    assert!(why.ends_with("once") && waits.contains("to their ends"), "it says why before it waits: {:?}", follow.notes);
}

#[test]
fn a_run_that_failed_says_why_and_not_what_came_of_it() {
    let desk = Desk::new();
    let wrote = |_| fs::remove_file(checkpoint_of(&desk.path("out.csv"))).expect("it is there");
    let (mut follow, mut sum) = (follower(&wrote, &|| {}), seven());
    sum.spawn = |_| Err(io::Error::other("no thread")); // whoever waits sums up himself
    let (ended, kept) = desk.run(FIRMS, (0, sum), (true, &mut follow), true);
    assert!(matches!(ended, Err(RescreenError::Unrecorded(_))) && kept == 0, "{ended:?}");
}

#[test]
fn where_what_stands_in_an_input_is_wrong_nobody_waits() {
    let desk = Desk::new();
    fs::write(desk.path("broken.csv"), "一,二\n三,四\n").expect("written");
    let mut follow = follower(&|_| {}, &|| panic!("it waits"));
    let (ended, _) = desk.run(("out.csv", &["firms.csv", "broken.csv"]), (0, seven()), (true, &mut follow), false);
    assert!(matches!(ended, Err(RescreenError::Input { .. })), "{ended:?}");
}

#[test]
fn a_run_whose_checkpoint_is_taken_away_puts_nothing_in_the_place_of_another() {
    let desk = Desk::new();
    let (out, day) = (desk.path("out.csv"), day::parse("2026-11-01").expect("a day"));
    let write = |output: &mut Output, flagged: &[u8]| {
        let judged = Judged { flagged: flagged.to_vec(), rejects: Vec::new(), counts: Counts::default(), watched: Vec::new() };
        output.write(&judged, Position::default()).expect("it is written");
    };
    let runs = [(); 2].map(|()| {
        let output = desk.begun("out.csv");
        fs::remove_file(checkpoint_of(&out)).expect("it is there"); // by a person
        output
    });
    let mut theirs = desk.begun("out.csv");
    write(&mut theirs, b"theirs\n");
    let [mut first, second] = runs;
    write(&mut first, &[b'x'; 1 << 14]); // longer than what is kept back
    second.discard();
    assert!(matches!(first.checkpoint(), Err(RescreenError::Lost(_))));
    assert!(matches!(first.finish(day, ENGINE.lists().divisions()), Err(RescreenError::Lost(_))));
    assert!(!out.exists());
    theirs.finish(day, ENGINE.lists().divisions()).expect("it is put in its place").1.end().expect("it goes");
    let [flagged, rejects] = written(&out);
    assert!(flagged.ends_with(b"theirs\n") && !flagged.contains(&b'x') && !rejects.is_empty());
    assert!(!checkpoint_of(&out).exists());
}

#[test]
fn of_a_run_that_is_taken_away_nothing_stays_and_of_others_everything() {
    let desk = Desk::new();
    let (out, day) = (desk.path("out.csv"), day::parse("2026-11-01").expect("a day"));
    for beside in [false, true] {
        let (_, claim) = desk.begun("out.csv").finish(day, ENGINE.lists().divisions()).expect("it is put in its place");
        if beside {
            fs::rename(&out, desk.path("out.csv.part")).expect("it is in its place");
            fs::write(&out, "a person's").expect("written");
        }
        let checkpoint = desk.left("out.csv");
        take_away(&out, claim, checkpoint).expect("it goes");
        assert_eq!(fs::read_to_string(&out).ok().as_deref(), beside.then_some("a person's"));
        assert_eq!(fs::read_dir(desk.folder.path()).expect("a folder").count(), 1 + usize::from(beside));
    }
}

/// The output and its rejects.
fn written(out: &Path) -> [Vec<u8>; 2] {
    [out.to_owned(), crate::sheet::beside(out, "rejects.csv")].map(|file| fs::read(file).expect("it is in its place"))
}

#[test]
fn without_threads_a_run_does_all_itself() {
    let desk = Desk::new();
    for (workers, out) in [(2, "many.csv"), (0, "none.csv")] {
        let mut follow = follower(&|_| {}, &|| {});
        assert!(desk.run((out, FIRMS.1), (workers, seven()), (false, &mut follow), false).0.expect("it comes to its end"));
    }
    assert!(written(&desk.path("many.csv")) == written(&desk.path("none.csv")));
    let mut follow = follower(&|_| {}, &|| {});
    let (ended, _) = desk.run(("out.csv", &["firms.csv", "gone.csv"]), (0, seven()), (false, &mut follow), false);
    assert!(matches!(ended, Err(RescreenError::Input { input, .. }) if input.ends_with("gone.csv")));
}
