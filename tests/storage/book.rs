//! Files made up, and the batches that they come to.

use std::{collections::BTreeMap, sync::Arc};

use mingcha::{
    day,
    journal::{Hash, Head, reader::Place},
    jurisdiction::Region,
    storage::{Answered, Batch, FileChange, Numbers, WatchStore},
    vocabulary::{BusinessField, Decision, EntityKind, Field, Force},
    watch::{
        ReferralState, Source, Status,
        attribute::{Collection, Dimension},
        file::{Entry, File, Reason, Stamp},
        key::{FirmId, FirmKey, ReferralId, RequestKey, comparable},
        query::{Condition, Query},
        referral::{Referral, Step},
    },
    wordlist::tables::BodyId,
};

pub(super) fn region(code: &str) -> Region {
    Region::parse(code).expect("a code")
}

pub(super) fn stamp(sequence: u64) -> Stamp {
    let hours = i64::try_from(sequence).expect("small") * 7; // several records a day, and midnight in UTC+8 among them
    Stamp { sequence, at: "2026-01-01T00:00:00Z".parse::<jiff::Timestamp>().expect("an instant") + jiff::SignedDuration::from_hours(hours) }
}

/// A file with a watch entry, and nothing else.
pub(super) fn watched(number: u32, name: &str) -> File {
    File {
        id: FirmId(number),
        name: name.to_owned(),
        uscc: None,
        registered: region("320100"),
        kind: EntityKind::Enterprise,
        operates: Vec::new(),
        former: Vec::new(),
        screened: None,
        overruled: Vec::new(),
        entry: Some(entry()),
        referrals: Vec::new(),
        joined_to: None,
        joined: Vec::new(),
        opened: stamp(1),
        changed: stamp(1),
    }
}

pub(super) fn entry() -> Entry {
    Entry {
        opened: stamp(1),
        round: 1,
        status: Status::Open,
        level: Decision::Restricted,
        sources: [Source::NameApproval].into(),
        reasons: vec![reason("理财", BusinessField::WealthManagement)],
        suspected: [].into(),
        determined: None,
        disagreement: false,
        revoked: None,
        tags: [].into(),
        notes: Vec::new(),
        evidence: Vec::new(),
    }
}

pub(super) fn reason(term: &str, business: BusinessField) -> Reason {
    let (text, rules) = (term.to_owned(), vec!["list/rule".to_owned()]);
    Reason { term: term.to_owned(), field: Field::Name, text, business, force: Force::Restrict, rules, lists_hash: String::new() }
}

pub(super) fn body(text: &str) -> BodyId {
    BodyId::parse(text).expect("a body")
}

pub(super) fn referral(number: u32, to: &str) -> Referral {
    let sent = Step { state: ReferralState::Sent, sequence: 1, at: stamp(1).at, by: "nanjing".to_owned(), note: String::new() };
    Referral {
        id: ReferralId(number),
        round: 1,
        body: body(to),
        why: String::new(),
        fields: vec![BusinessField::WealthManagement],
        due: day::parse("2026-01-10").ok(),
        steps: vec![sent],
        opinion: None,
        after: None,
        next: None,
    }
}

/// Keeps what the stores should know, and makes their batches.
#[derive(Default)]
pub(super) struct Book {
    files: BTreeMap<FirmId, Arc<File>>,
    batch: Batch,
    sequence: u64,
}

impl Book {
    pub(super) fn file(&self, number: u32) -> Option<&File> {
        self.files.get(&FirmId(number)).map(|file| &**file)
    }

    /// Puts the files of one record into the batch.
    pub(super) fn put(&mut self, files: impl IntoIterator<Item = File>) -> Place {
        self.sequence += 1;
        let place = Place { sequence: self.sequence, segment: 1, offset: self.sequence * 100 };
        self.batch.head = Head { sequence: self.sequence, hash: Hash([u8::try_from(self.sequence % 251).expect("small"); 32]) };
        for mut file in files {
            file.changed = stamp(self.sequence);
            let after = Arc::new(file);
            let before = self.files.insert(after.id, Arc::clone(&after));
            let Numbers { firms, referrals } = self.batch.numbers;
            let referrals = after.referrals.iter().map(|referral| referral.id.0).fold(referrals, u32::max);
            self.batch.numbers = Numbers { firms: firms.max(after.id.0), referrals };
            self.batch.records.push((after.id, place));
            self.batch.changes.push(FileChange { before, after });
        }
        place
    }

    /// Says that a request was answered by the last record.
    pub(super) fn answer(&mut self, identity: &str, id: &str, firm: u32, place: Place) -> (RequestKey, Answered) {
        let request = (request(identity, id), Answered { firm: FirmId(firm), body: Hash([7; 32]), place });
        self.batch.requests.push(request.clone());
        request
    }

    /// The batch so far; another is begun.
    pub(super) fn batch(&mut self) -> Batch {
        let next = Batch { head: self.batch.head, numbers: self.batch.numbers, ..Batch::default() };
        std::mem::replace(&mut self.batch, next)
    }

    pub(super) fn give(&mut self, store: &dyn WatchStore) {
        let batch = self.batch();
        store.apply(&batch).expect("it is taken");
        assert_eq!((store.head(), store.numbers()), (Ok(batch.head), Ok(batch.numbers)));
    }
}

pub(super) fn request(identity: &str, id: &str) -> RequestKey {
    RequestKey { identity: identity.to_owned(), id: id.to_owned() }
}

pub(super) fn named(place: &str, name: &str) -> FirmKey {
    FirmKey::Name(region(place), comparable(name))
}

pub(super) fn uscc(code: &str) -> FirmKey {
    FirmKey::Uscc(code.to_owned())
}

pub(super) fn entries(conditions: &[Condition]) -> Query {
    Query { collection: Collection::Entries, conditions: conditions.to_vec(), oldest_first: true, after: None, most: 100_000 }
}

pub(super) fn one_of(of: Dimension, values: &[&str]) -> Condition {
    Condition::OneOf(of, values.iter().map(|value| (*value).to_owned()).collect())
}

/// Every page of a query, one behind the other, and how many there were.
pub(super) fn all_pages(store: &dyn WatchStore, query: &Query, give_up: &dyn Fn() -> bool) -> (Vec<u32>, usize) {
    let (mut query, mut numbers, mut pages) = (query.clone(), Vec::new(), 0);
    loop {
        let page = store.select(&query, give_up).expect("a page");
        pages += 1;
        assert!(pages < 1_000, "it does not end");
        assert!(page.numbers.len() <= query.most);
        assert!(!page.partial || page.next.is_some(), "a partial page without a way on");
        assert!(page.partial || page.next.is_none() || page.numbers.len() == query.most, "a short page that is not the last");
        numbers.extend(page.numbers);
        if page.next.is_none() {
            return (numbers, pages);
        }
        assert_ne!(page.next, query.after, "the next page is the same");
        query.after = page.next;
    }
}
