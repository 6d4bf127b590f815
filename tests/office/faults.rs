//! A disk that fails at each of its operations in turn: nothing acknowledged is lost, and nothing else is claimed.

use std::{path::Path, sync::Arc};

use mingcha::{
    journal::{disk::Disk, verify::verify},
    office::{Done, Office, OfficeError, OpenError, lock},
    watch::key::FirmId,
};
use tokio::task::JoinSet;

use crate::journal::faults::Failing;

use super::{
    Desk,
    people::{record, registrar, screening},
    settings, submission,
};

fn open(disk: &Failing, data: &Path) -> Result<Desk, OpenError> {
    Desk::over(data, Office::over(Arc::new(disk.clone()), &settings(data), lock(data)?))
}

fn name(number: usize) -> String {
    format!("某地{number}理财公司")
}

/// Gives commands, some of them at once, until the disk fails. Says which were acknowledged, and whether it failed.
fn record_until_it_fails(desk: &Desk, numbers: std::ops::Range<usize>) -> (Vec<usize>, bool) {
    let (mut acknowledged, mut failed) = (Vec::new(), false);
    let numbers: Vec<usize> = numbers.collect();
    for together in numbers.chunks(3) {
        let mut given = JoinSet::new();
        for number in together.iter().copied() {
            let submission = submission(&registrar(), &format!("r-{number}"), &record(&screening(&name(number))));
            let office = desk.office().clone();
            given.spawn_on(async move { (number, office.submit(submission).await) }, desk.runtime.handle());
        }
        for (number, outcome) in desk.runtime.block_on(given.join_all()) {
            match outcome {
                Ok(answer) => {
                    assert!(!failed, "it goes on as if nothing had been");
                    acknowledged.push((answer.file.id, number));
                }
                Err(OfficeError::Journal(_)) => failed = true,
                Err(other) => panic!("{other}"),
            }
        }
    }
    acknowledged.sort_unstable();
    (acknowledged.into_iter().map(|(_, number)| number).collect(), failed)
}

fn names(desk: &Desk) -> Vec<String> {
    desk.files().into_iter().map(|file| file.name).collect()
}

/// After a failure nothing is taken, not even what was asked for before; and what is shown was acknowledged.
fn claims_nothing(desk: &Desk, acknowledged: &[usize]) {
    for number in [0, 1, 29, 99] {
        let again = desk.submit(&registrar(), &format!("r-{number}"), &record(&screening(&name(number))));
        assert!(matches!(again, Err(OfficeError::Journal(_))), "{again:?}");
    }
    assert_eq!(names(desk), acknowledged.iter().copied().map(name).collect::<Vec<_>>());
    assert_eq!(desk.office().head().sequence, acknowledged.len() as u64);
}

/// What was acknowledged is there after the power went; what was not is there once or not at all, and can be asked again.
fn goes_on(disk: &Failing, data: &Path, acknowledged: &[usize]) {
    let mut desk = open(disk, data).unwrap_or_else(|error| panic!("{error}"));
    let found = names(&desk);
    assert!(found.len() >= acknowledged.len() && found.len() <= acknowledged.len() + 3, "{} of {}", found.len(), acknowledged.len());
    assert_eq!(found[..acknowledged.len()], acknowledged.iter().copied().map(name).collect::<Vec<_>>());
    for number in 0..30 {
        let answer = desk.submit(&registrar(), &format!("r-{number}"), &record(&screening(&name(number)))).expect("recorded");
        assert_eq!(matches!(answer.done, Done::Before(_)), found.contains(&name(number)), "{number}");
    }
    let mut all = names(&desk);
    assert_eq!(all.len(), 30, "each once");
    all.sort_unstable();
    let mut expected: Vec<String> = (0..30).map(name).collect();
    expected.sort_unstable();
    assert_eq!(all, expected);
    desk.close();
    let disk: &dyn Disk = disk;
    assert_eq!(verify(disk, &[]).expect("read").findings, []);
}

#[test]
fn whatever_fails_nothing_is_lost_and_nothing_claimed() {
    for (part, share) in [(0, 0), (2, 2), (4, 4), (3, 1)] {
        for left in 0.. {
            println!("{part} {share}: fails after {left}"); // shown where the test fails
            let folder = tempfile::tempdir().expect("a folder");
            let disk = Failing::after(left, part);
            let mut acknowledged = Vec::new();
            let mut failed = true;
            if let Ok(mut desk) = open(&disk, folder.path()) {
                (acknowledged, failed) = record_until_it_fails(&desk, 0..30);
                if failed {
                    claims_nothing(&desk, &acknowledged);
                }
                desk.close();
            }
            disk.power_cut(share);
            goes_on(&disk, folder.path(), &acknowledged);
            if !failed {
                assert!(left >= 20, "the disk never failed");
                break;
            }
        }
    }
}

/// A request that could not be recorded is not remembered as answered: with the disk well again it is carried out.
#[test]
fn a_request_that_failed_can_be_asked_again_and_differently() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Failing::after(4, 0); // the first record is written: a file, its bytes, two fsyncs
    let mut desk = open(&disk, folder.path()).expect("it opens");
    let mut first = None;
    for number in 0.. {
        let outcome = desk.submit(&registrar(), &format!("r-{number}"), &record(&screening(&name(number))));
        if outcome.is_err() {
            first = Some(number);
            break;
        }
    }
    let failed = first.expect("it failed");
    assert_eq!(failed, 1);
    desk.close();
    disk.power_cut(0);
    let mut desk = open(&disk, folder.path()).expect("it opens again");
    let other = desk.submit(&registrar(), &format!("r-{failed}"), &record(&screening("另一家")));
    assert_eq!(other.expect("recorded").file.id, FirmId(u32::try_from(failed).expect("few") + 1));
    desk.close();
}
