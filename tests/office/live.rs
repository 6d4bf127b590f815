//! While it works: an index found damaged is made again under concurrent writes, and the clock may go back.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use mingcha::{
    day,
    journal::{
        Draft, SEGMENT,
        disk::{Disk, Folder},
        reader, recovery,
    },
    office::{Done, Office, OfficeError},
    storage::StoreError,
    watch::{command::Command, file::File, transition::ReferralAction},
};
use tokio::task::JoinSet;

use super::{
    Desk,
    people::{OFFICE, evidence, of, record, refer, registrar, screening},
    submission, verified,
};

/// Until it is taken.
async fn given(office: &Office, request_id: &str, command: &Command) -> (Arc<File>, Done) {
    loop {
        match office.submit(submission(&registrar(), request_id, command)).await {
            Ok(answer) => return (answer.file, answer.done),
            Err(OfficeError::Rebuilding) => tokio::time::sleep(Duration::from_millis(1)).await,
            Err(error) => panic!("{error}"),
        }
    }
}

async fn write(office: Office, writer: usize) {
    for number in 0..40 {
        let id = format!("{writer}-{number}");
        let (file, done) = given(&office, &id, &record(&screening(&format!("某地{id}公司")))).await;
        assert_eq!(done, Done::Recorded);
        given(&office, "", &Command::AddEvidence { firm: file.id, evidence: evidence() }).await;
        let (again, done) = given(&office, &id, &record(&screening(&format!("某地{id}公司")))).await;
        assert!(matches!(done, Done::Before(place) if place.segment == 1), "{done:?}");
        assert_eq!(again.id, file.id);
    }
}

#[test]
fn an_index_found_damaged_is_made_again_under_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut desk = Desk::open(folder.path());
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        writers.spawn_on(write(desk.office().clone(), writer), desk.runtime.handle());
    }
    let office = desk.office().clone();
    let made_again = desk.runtime.block_on(async {
        let mut made_again = 0;
        while !writers.is_empty() {
            let Ok(store) = office.settled().await else { continue };
            let before = Arc::downgrade(&store);
            (0..3).for_each(|_| office.doubt(Arc::clone(&store), StoreError("a test says so".to_owned())));
            drop(store);
            made_again += usize::from(before.upgrade().is_some());
            tokio::time::sleep(Duration::from_millis(20)).await;
            while writers.try_join_next().is_some() {}
        }
        made_again
    });
    drop(office);
    assert!(made_again > 2, "it was damaged only {made_again} times");
    let files = desk.files();
    assert_eq!(files.len(), 320);
    for file in &files {
        let history = desk.history(file.id);
        assert_eq!((history.file.as_deref(), history.entries.len()), (Some(file), 2));
    }
    desk.close();
    assert_eq!(verified(folder.path()).records, 640);
    assert_eq!(Desk::open(folder.path()).files(), files);
}

/// A journal whose records are of tomorrow: what follows is of tomorrow too, and so are its deadlines.
#[test]
fn where_the_clock_has_gone_back_records_and_deadlines_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut desk = Desk::open(&folder.path().join("now"));
    desk.does(&registrar(), &record(&screening("甲")));
    desk.close();
    let later = Timestamp::from_second(Timestamp::now().as_second()).expect("now") + SignedDuration::from_hours(24 * 40);
    let data = folder.path().join("later");
    let disk: Arc<dyn Disk> = Arc::new(Folder::open(&data.join("journal")).expect("a folder"));
    let (mut journal, _) = recovery::open(Arc::clone(&disk), SEGMENT).expect("it opens");
    let now = Folder::open(&folder.path().join("now/journal")).expect("a folder");
    reader::walk(&now, 0, |record, _| {
        let (actor, request_id, kind) = (record.actor.as_ref(), record.request_id.as_ref(), record.kind.as_ref());
        journal.stage(&Draft { actor, request_id, kind, payload: record.payload }, later).map(|_| ())
    })
    .expect("written");
    journal.commit().expect("written");
    drop(journal);
    let mut desk = Desk::open(&data);
    let file = desk.does(&of(OFFICE), &refer(1, ReferralAction::Receive)).file;
    assert_eq!(file.changed.at, later);
    let version = super::version();
    let due = version.engine().lists().calendar().after(day::of(later), 5).expect("a day");
    assert_eq!(file.referrals[0].due, Some(due));
    desk.close();
    verified(&data);
}
