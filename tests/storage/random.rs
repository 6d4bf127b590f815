//! Random batches and queries: every store gives the same answers.

use mingcha::{
    day::Date,
    storage::{WatchStore, memory::Memory, sled::Sled},
    vocabulary::BusinessField,
    watch::{
        Disposition, ReferralState, Status,
        attribute::{Collection, DayOf, Dimension},
        file::File,
        key::{FirmId, ReferralId},
        query::{Condition, Query},
        referral::{Opinion, Step},
    },
};
use proptest::prelude::*;

use super::{
    book::{Book, all_pages, entry, named, reason, referral, region, request, stamp, uscc, watched},
    paging::BORDERS,
};

const NAMES: &[&str] = &["某地甲公司", "某地甲乙公司", "乙", "Ａ b", "ab理财"];
const PLACES: &[&str] = &["320100", "320102", "320000", "110105"];
const BODIES: &[&str] = &["320100/finance-office", "320000/finance-office", "110105/central-bank"];
const TERMS: &[(&str, BusinessField)] =
    &[("理财", BusinessField::WealthManagement), ("支付", BusinessField::Payment), ("银行", BusinessField::Banking)];

/// A change of one firm; each number is taken from its table.
#[derive(Debug, Clone)]
enum Deed {
    /// It is as it was, but for this.
    Name(usize),
    Code(u8),
    Place(usize),
    Operates(Vec<usize>),
    Unwatch,
    Watch {
        status: usize,
        terms: Vec<usize>,
        tag: bool,
    },
    Determine(usize, Option<i8>),
    Send {
        body: usize,
        due: Option<i8>,
    },
    Step(usize, usize),
    JoinTo(usize),
}

fn step() -> impl Strategy<Value = Deed> {
    let index = 0usize..8;
    prop_oneof![
        3 => index.clone().prop_map(Deed::Name),
        2 => (0u8..4).prop_map(Deed::Code),
        1 => index.clone().prop_map(Deed::Place),
        1 => prop::collection::vec(index.clone(), 0..3).prop_map(Deed::Operates),
        1 => Just(Deed::Unwatch),
        4 => (index.clone(), prop::collection::vec(index.clone(), 0..3), any::<bool>()).prop_map(|(status, terms, tag)| Deed::Watch { status, terms, tag }),
        2 => (index.clone(), prop::option::of(0i8..28)).prop_map(|(disposition, days)| Deed::Determine(disposition, days)),
        3 => (index.clone(), prop::option::of(0i8..28)).prop_map(|(body, due)| Deed::Send { body, due }),
        2 => (index.clone(), index.clone()).prop_map(|(which, state)| Deed::Step(which, state)),
        1 => index.prop_map(Deed::JoinTo),
    ]
}

fn pick<T>(table: &[T], index: usize) -> &T {
    &table[index % table.len()]
}

fn day(of_february: i8) -> Date {
    Date::constant(2026, 2, 1 + of_february)
}

/// The files that a step changes.
fn changed(book: &Book, number: u32, step: &Deed, next_referral: &mut u32) -> Vec<File> {
    let mut file = book.file(number).cloned().unwrap_or_else(|| watched(number, "某地甲公司"));
    if file.joined_to.is_some() {
        return Vec::new(); // nothing can change it
    }
    match step {
        Deed::Name(index) => (*pick(NAMES, *index)).clone_into(&mut file.name),
        Deed::Code(code) => file.uscc = Some(format!("C{code}")),
        Deed::Place(index) => file.registered = region(PLACES[index % PLACES.len()]),
        Deed::Operates(places) => file.operates = places.iter().map(|index| region(PLACES[index % PLACES.len()])).collect(),
        Deed::Unwatch => file.entry = None,
        Deed::Watch { status, terms, tag } => {
            let mut entry = entry();
            entry.status = *pick(Status::ALL, *status);
            entry.reasons = terms.iter().map(|index| pick(TERMS, *index)).map(|(term, field)| reason(term, *field)).collect();
            entry.tags = tag.then(|| "重点".to_owned()).into_iter().collect();
            file.entry = Some(entry);
        }
        Deed::Determine(index, deadline) => {
            let opinion = Opinion { disposition: *pick(Disposition::ALL, *index), deadline: deadline.map(day), text: String::new() };
            file.entry.get_or_insert_with(entry).determined = Some(opinion);
        }
        Deed::Send { body, due } => {
            *next_referral += 4_000; // over the borders too
            file.referrals.push(referral(*next_referral, BODIES[body % BODIES.len()]));
            file.referrals.last_mut().expect("just sent").due = due.map(day);
        }
        Deed::Step(which, state) => {
            let count = file.referrals.len().max(1);
            if let Some(referral) = file.referrals.get_mut(which % count) {
                let step = Step { state: *pick(ReferralState::ALL, *state), at: stamp(50).at, ..referral.steps[0].clone() };
                referral.steps.push(step);
            }
        }
        Deed::JoinTo(index) => {
            let other = *pick(BORDERS, *index);
            if let Some(mut other) = book.file(other).filter(|other| other.id.0 != number && other.joined_to.is_none()).cloned() {
                other.referrals.extend(file.referrals.iter().cloned());
                other.joined.push(file.id);
                file.joined_to = Some(other.id);
                return vec![file, other];
            }
        }
    }
    vec![file]
}

fn condition() -> impl Strategy<Value = Condition> {
    let value = prop::sample::select(vec![
        "",
        "OPEN",
        "RELEASED",
        "DETERMINED",
        "RECTIFY",
        "理财",
        "payment",
        "000000",
        "320000",
        "320100",
        "重点",
        "SENT",
        "CONCLUDED",
        "320100/finance-office",
        "absent",
    ]);
    let date = || prop::option::of((0i8..28).prop_map(day));
    let name = prop::sample::select(vec!["", "甲", "公司", "甲乙", "ab", "乙", "没有"]);
    prop_oneof![
        3 => (prop::sample::select(Dimension::ALL), prop::collection::vec(value.prop_map(str::to_owned), 0..3)).prop_map(|(of, values)| Condition::OneOf(of, values)),
        1 => (prop::sample::select(DayOf::ALL), date(), date()).prop_map(|(of, from, to)| Condition::Within(of, from, to)),
        1 => name.prop_map(|name| Condition::Name(name.to_owned())),
    ]
}

fn query() -> impl Strategy<Value = Query> {
    let after = prop::option::of(prop_oneof![prop::sample::select(BORDERS), 0u32..70_000]);
    (prop::sample::select(Collection::ALL), prop::collection::vec(condition(), 0..4), any::<bool>(), after, 1usize..6)
        .prop_map(|(collection, conditions, oldest_first, after, most)| Query { collection, conditions, oldest_first, after, most })
}

fn same_answers(
    memory: &dyn WatchStore,
    sled: &dyn WatchStore,
    queries: &[Query],
    pairs: &[(Dimension, Option<Dimension>)],
) -> Result<(), TestCaseError> {
    for query in queries {
        prop_assert_eq!(memory.select(query, &|| false), sled.select(query, &|| false), "{:?}", query);
        prop_assert_eq!(all_pages(memory, query, &|| false).0, all_pages(sled, query, &|| true).0, "{:?}", query);
        for (first, second) in pairs {
            prop_assert_eq!(
                memory.count(query, *first, *second),
                sled.count(query, *first, *second),
                "{:?} {:?} {:?}",
                query,
                first,
                second
            );
        }
    }
    for number in BORDERS {
        prop_assert_eq!(memory.file(FirmId(*number)), sled.file(FirmId(*number)));
        prop_assert_eq!(memory.records(FirmId(*number)), sled.records(FirmId(*number)));
    }
    let names = PLACES.iter().flat_map(|place| NAMES.iter().map(|name| named(place, name)));
    for key in names.chain((0..4).map(|code| uscc(&format!("C{code}")))) {
        prop_assert_eq!(memory.firm_by(&key), sled.firm_by(&key), "{:?}", key);
    }
    for referral in (0..80_000).step_by(4_000).map(ReferralId) {
        prop_assert_eq!(memory.firm_of(referral), sled.firm_of(referral), "{}", referral);
    }
    for id in 0..8 {
        let key = request("nanjing", &format!("r{id}"));
        prop_assert_eq!(memory.request(&key), sled.request(&key));
    }
    prop_assert_eq!((memory.head(), memory.numbers()), (sled.head(), sled.numbers()));
    prop_assert_eq!(sled.read_through(&|| false), Ok(()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn stores_give_the_same_answers(
        batches in prop::collection::vec(prop::collection::vec((0..BORDERS.len(), step(), prop::option::of(0u8..8)), 1..12), 1..5),
        queries in prop::collection::vec(query(), 1..12),
        pairs in prop::collection::vec((prop::sample::select(Dimension::ALL), prop::option::of(prop::sample::select(Dimension::ALL))), 1..4),
        reopened in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let (memory, mut sled) = (Memory::default(), Sled::open(folder.path()).expect("it opens"));
        let (mut book, mut next_referral) = (Book::default(), 0);
        for batch in &batches {
            for (index, step, id) in batch {
                let number = BORDERS[*index];
                let place = book.put(changed(&book, number, step, &mut next_referral));
                if let Some(id) = id {
                    book.answer("nanjing", &format!("r{id}"), number, place);
                }
            }
            let batch = book.batch();
            prop_assert_eq!((memory.apply(&batch), sled.apply(&batch)), (Ok(()), Ok(())));
            if reopened {
                drop(sled);
                sled = Sled::open(folder.path()).expect("it opens again");
            }
        }
        same_answers(&memory, &sled, &queries, &pairs)?;
    }
}
