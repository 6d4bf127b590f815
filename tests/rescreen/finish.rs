//! An output that was being put in its place when all ended: it is gone on with at every step.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};

use mingcha::{
    jurisdiction::Region,
    register::Options,
    rescreen::{
        Checkpoint, Claim, Counts, Order, RescreenError,
        order::{Ended, Follow, Found, Hands, Judging},
        output::{beside_of, checkpoint_of, made_of},
        source::Position,
    },
    sheet::CsvOptions,
    vocabulary::{EntityKind, Event},
};

use super::{Bureau, resume::register};
use crate::support::engine;

/// Does something when a run is about to begin, or has written something.
struct Then<'f> {
    begins: &'f dyn Fn(),
    wrote: &'f dyn Fn(),
}

const NOBODY: Then<'static> = Then { begins: &|| {}, wrote: &|| {} };

impl Follow for Then<'_> {
    fn begins(&mut self) -> Result<(), RescreenError> {
        (self.begins)();
        Ok(())
    }
    fn begin(&mut self, _: Arc<AtomicU64>, _: Option<u64>, _: &Counts) {}
    fn tell(&mut self, _: &Counts, _: Position) {
        (self.wrote)();
    }
    fn end(&mut self) {}
}

fn order(bureau: &Bureau, out: &str) -> Order {
    Order {
        inputs: vec![bureau.path("firms.csv")],
        out: bureau.path(out),
        reading: Options::default(),
        writing: CsvOptions::default(),
        region: Region::NATION,
        kind: EntityKind::Enterprise,
        event: Event::Existing,
        rosters: Vec::new(),
        recorded: None,
        roster_rows: usize::MAX,
        replaces: true,
        within: None,
    }
}

/// The checkpoint that an order left.
fn left(order: &Order) -> Option<Checkpoint> {
    Checkpoint::read(&checkpoint_of(&order.out))
}

/// Carries the order out, or goes on with it.
fn carried_out(order: &Order) -> Result<Ended, RescreenError> {
    followed(order, NOBODY)
}

fn followed(order: &Order, mut follow: Then<'_>) -> Result<Ended, RescreenError> {
    let stop = AtomicBool::new(false);
    let hands = Hands { stop: &stop, waits: true, checkpoint_every: Duration::ZERO, follow: &mut follow, recorder: None };
    let found = match Claim::take(&order.out)? {
        Some(claim) => Found::Begun(claim, Box::new(left(order).expect("a checkpoint"))),
        None => Found::Nothing,
    };
    order.carry_out(Judging { engine: engine(), delta: None, day: jiff::civil::date(2026, 11, 1) }, found, hands)
}

fn renamed(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

#[test]
fn it_is_gone_on_with_at_every_step() {
    let bureau = Bureau::new();
    bureau.write("firms.csv", register(600));
    for out in ["out.csv", "out.jsonl", "out.xlsx", "out.parquet"] {
        let (order, at) = (order(&bureau, out), |ending: &str| bureau.path(&format!("{out}{ending}")));
        let spooled = [".xlsx", ".parquet"].iter().any(|ending| out.ends_with(ending));
        let out_or_made = || if spooled { made_of(&at(""), &left(&order).expect("a checkpoint")) } else { at("") };
        let in_the_way = || drop(fs::create_dir(out_or_made())); // of its finish; it may be there
        followed(&order, Then { wrote: &in_the_way, ..NOBODY }).expect_err("it cannot be put in its place");
        fs::remove_dir(out_or_made()).expect("removed");
        assert!(left(&order).expect("a checkpoint").finished, "{out}");
        let spool = fs::read(at(".part")).expect("it is beside");
        let Ok(Ended::Done { counts, .. }) = carried_out(&order) else { panic!("{out} is not gone on with") };
        let done = [at(""), at(".rejects.csv")].map(|file| fs::read(file).expect("it is in its place"));
        let steps: [&dyn Fn(); 5] = [
            &|| renamed(&at(""), &if spooled { out_or_made() } else { at(".part") }), // nothing was put in its place yet
            &|| renamed(&at(".rejects.csv"), &at(".rejects.csv.part")),
            &|| {}, // all but the tidying up
            &|| {
                fs::write(at(".part"), if spooled { &spool } else { &done[0] }).expect("written");
                fs::remove_file(at("")).expect("removed");
            },
            &|| {
                fs::write(at(".part"), if spooled { &spool } else { &done[0] }).expect("written"); // half made
                fs::write(out_or_made(), b"half").expect("written");
            },
        ];
        for (step, undo) in steps.iter().enumerate() {
            undo();
            match carried_out(&order) {
                Ok(Ended::Done { counts: again, .. }) => assert_eq!(again, counts, "{out} {step}"),
                other => panic!("{out} {step}: {other:?}"),
            }
            for (file, done) in [at(""), at(".rejects.csv")].iter().zip(&done) {
                assert!(fs::read(file).expect("it is in its place") == *done, "{out} {step}: {} differs", file.display());
            }
            let left = beside_of(&at("")).iter().filter(|file| file.exists()).count();
            assert_eq!(left, 3, "{out} {step}: the output, its rejects, the checkpoint");
            assert!(!spooled || !out_or_made().exists(), "{out} {step}");
        }
        fs::remove_file(at(".checkpoint")).expect("removed");
    }
}

#[test]
fn what_is_put_there_at_the_last_moment_is_not_touched() {
    let bureau = Bureau::new();
    bureau.write("firms.csv", register(60));
    for theirs in ["out.xlsx.part", "out.xlsx.rejects.csv.part"] {
        let order = Order { replaces: false, ..order(&bureau, "out.xlsx") };
        let put = || drop(bureau.write(theirs, "a person's")); // it has looked, and has made nothing yet
        match followed(&order, Then { begins: &put, ..NOBODY }) {
            Err(RescreenError::InTheWay(file)) => assert_eq!(file, bureau.path(theirs)),
            other => panic!("{theirs}: {other:?}"),
        }
        assert_eq!((bureau.read(theirs).as_str(), bureau.files()), ("a person's", vec!["firms.csv".to_owned(), theirs.to_owned()]));
        fs::remove_file(bureau.path(theirs)).expect("it is there");
    }
}

#[test]
fn what_has_the_name_of_something_half_made_is_not_touched() {
    let bureau = Bureau::new();
    bureau.write("firms.csv", register(600));
    for replaces in [true, false] {
        let order = Order { replaces, ..order(&bureau, &format!("out-{replaces}.xlsx")) };
        let theirs = format!("out-{replaces}.xlsx.new");
        let put = || drop(bureau.write(&theirs, "a person's"));
        assert!(matches!(followed(&order, Then { wrote: &put, ..NOBODY }), Ok(Ended::Done { .. })));
        assert!(bureau.read(&theirs) == "a person's" && order.out.exists());
    }
}
