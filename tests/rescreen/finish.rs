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
        Counts, Order, RescreenError,
        order::{Ended, Follow, Hands, Judging},
        output::beside_of,
        source::Position,
    },
    sheet::CsvOptions,
    vocabulary::{EntityKind, Event},
};

use super::{Bureau, resume::register};
use crate::support::engine;

struct Nobody;

impl Follow for Nobody {
    fn begin(&mut self, _: Arc<AtomicU64>, _: Option<u64>, _: &Counts) {}
    fn tell(&mut self, _: &Counts, _: Position) {}
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

/// Carries the order out, or goes on with it.
fn carried_out(order: &Order) -> Result<Ended, RescreenError> {
    let stop = AtomicBool::new(false);
    let hands = Hands { stop: &stop, checkpoint_every: Duration::from_secs(60), follow: &mut Nobody, recorder: None };
    order.carry_out(Judging { engine: engine(), delta: None, day: jiff::civil::date(2026, 11, 1) }, order.earlier(), hands)
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
        fs::create_dir(at(if spooled { ".new" } else { "" })).expect("made"); // in the way of its finish
        carried_out(&order).expect_err("it cannot be put in its place");
        fs::remove_dir(at(if spooled { ".new" } else { "" })).expect("removed");
        assert!(order.earlier().expect("a checkpoint").finished, "{out}");
        let spool = fs::read(at(".part")).expect("it is beside");
        let Ok(Ended::Done(counts)) = carried_out(&order) else { panic!("{out} is not gone on with") };
        let done = [at(""), at(".rejects.csv")].map(|file| fs::read(file).expect("it is in its place"));
        let steps: [&dyn Fn(); 5] = [
            &|| renamed(&at(""), &at(if spooled { ".new" } else { ".part" })), // nothing was put in its place yet
            &|| renamed(&at(".rejects.csv"), &at(".rejects.csv.part")),
            &|| {}, // all but the tidying up
            &|| {
                fs::write(at(".part"), if spooled { &spool } else { &done[0] }).expect("written");
                fs::remove_file(at("")).expect("removed");
            },
            &|| {
                fs::write(at(".part"), if spooled { &spool } else { &done[0] }).expect("written"); // half made
                fs::write(at(if spooled { ".new" } else { "" }), b"half").expect("written");
            },
        ];
        for (step, undo) in steps.iter().enumerate() {
            undo();
            match carried_out(&order) {
                Ok(Ended::Done(again)) => assert_eq!(again, counts, "{out} {step}"),
                other => panic!("{out} {step}: {other:?}"),
            }
            for (file, done) in [at(""), at(".rejects.csv")].iter().zip(&done) {
                assert!(fs::read(file).expect("it is in its place") == *done, "{out} {step}: {} differs", file.display());
            }
            let left = beside_of(&at("")).iter().filter(|file| file.exists()).count();
            assert_eq!(left, 3, "{out} {step}: the output, its rejects, the checkpoint");
        }
        fs::remove_file(at(".checkpoint")).expect("removed");
    }
}
