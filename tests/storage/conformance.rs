//! What is taken in is there, under every key, and listed by every value.

use mingcha::{
    day,
    storage::WatchStore,
    vocabulary::{BusinessField, Decision},
    watch::{
        Disposition, ReferralState, Source, Status,
        attribute::{Collection, DayOf, Dimension},
        file::File,
        key::{FirmId, ReferralId},
        query::{Condition, Count, Query},
        referral::Opinion,
    },
};

use super::{
    book::{Book, all_pages, entries, named, one_of, reason, referral, region, request, stamp, uscc, watched},
    on_each,
};

const NOBODY: [u32; 0] = [];

fn listed(store: &dyn WatchStore, query: &Query) -> Vec<u32> {
    let (numbers, pages) = all_pages(store, query, &|| false);
    assert_eq!(pages, 1);
    numbers
}

fn counted(store: &dyn WatchStore, query: &Query, first: Dimension, second: Option<Dimension>) -> Vec<(String, String, u64)> {
    let counts = store.count(query, first, second).expect("counts");
    counts.into_iter().map(|Count { first, second, count }| (first, second, count)).collect()
}

#[test]
fn an_empty_store_knows_nothing() {
    on_each(|store| {
        assert_eq!(store.head().expect("a head").sequence, 0);
        assert_eq!(store.file(FirmId(1)), Ok(None));
        assert_eq!(store.firm_of(ReferralId(1)), Ok(None));
        assert_eq!(store.firm_by(&uscc("91320100X")), Ok(None));
        assert_eq!(store.request(&request("a", "1")), Ok(None));
        assert_eq!(store.records(FirmId(1)), Ok(Vec::new()));
        assert_eq!(listed(store, &entries(&[])), NOBODY);
        assert_eq!(counted(store, &entries(&[]), Dimension::Status, None), []);
        assert_eq!((store.read_through(&|| false), store.flush()), (Ok(()), Ok(())));
    });
}

#[test]
fn files_records_requests_and_referrals_are_found() {
    on_each(|store| {
        let mut book = Book::default();
        let first = book.put([File { referrals: vec![referral(1, "320100/finance-office")], ..watched(1, "甲") }]);
        let second = book.put([watched(2, "乙")]);
        let (key, answered) = book.answer("nanjing", "a-1", 2, second);
        book.give(store);
        let third = book.put([File { kind: mingcha::vocabulary::EntityKind::IndividualBusiness, ..watched(1, "甲") }]);
        book.give(store);
        assert_eq!(store.file(FirmId(1)).expect("read").as_ref(), book.file(1));
        assert_eq!(store.file(FirmId(2)).expect("read").as_ref(), book.file(2));
        assert_eq!(store.records(FirmId(1)), Ok(vec![first, third]));
        assert_eq!(store.records(FirmId(2)), Ok(vec![second]));
        assert_eq!(store.firm_of(ReferralId(1)), Ok(Some(FirmId(1))));
        assert_eq!(store.request(&key), Ok(Some(answered)));
        for other in [request("nanjing", "a-2"), request("nanjin", "ga-1"), request("wuxi", "a-1")] {
            assert_eq!(store.request(&other), Ok(None), "ids are per identity");
        }
    });
}

#[test]
fn a_firm_is_found_by_its_keys_of_now() {
    on_each(|store| {
        let mut book = Book::default();
        book.put([watched(1, "某地 ＡＢＣ公司")]);
        book.give(store);
        assert_eq!(store.firm_by(&named("320100", "某地abc公司")), Ok(Some(FirmId(1))));
        assert_eq!(store.firm_by(&named("320200", "某地abc公司")), Ok(None), "of another place");
        let renamed = File { uscc: Some("91320100A".to_owned()), registered: region("320200"), ..watched(1, "新名") };
        book.put([renamed.clone()]);
        book.give(store);
        assert_eq!(store.firm_by(&named("320100", "某地abc公司")), Ok(None), "it has left that name");
        assert_eq!(store.firm_by(&named("320200", "新名")), Ok(Some(FirmId(1))));
        assert_eq!(store.firm_by(&uscc("91320100A")), Ok(Some(FirmId(1))));
        let other = File { uscc: Some("91320100B".to_owned()), registered: region("320200"), ..watched(2, "新名") };
        book.put([other.clone()]);
        book.give(store);
        assert_eq!(store.firm_by(&named("320200", "新名")), Ok(Some(FirmId(2))), "of several the last");
        book.put([renamed]); // a change that leaves the name alone does not bring it back
        book.put([File { name: "又一名".to_owned(), ..other }]);
        book.give(store);
        assert_eq!(store.firm_by(&named("320200", "新名")), Ok(Some(FirmId(1))), "who bore it before bears it still");
        assert_eq!(store.firm_by(&uscc("91320100A")), Ok(Some(FirmId(1))));
    });
}

#[test]
fn a_name_that_is_left_within_one_batch_finds_nobody() {
    on_each(|store| {
        let mut book = Book::default();
        book.put([watched(1, "旧名")]);
        book.put([watched(1, "新名")]);
        book.give(store);
        assert_eq!(store.firm_by(&named("320100", "旧名")), Ok(None));
        assert_eq!(store.firm_by(&named("320100", "新名")), Ok(Some(FirmId(1))));
        assert_eq!(listed(store, &entries(&[Condition::Name("旧名".to_owned())])), NOBODY);
        assert_eq!(listed(store, &entries(&[Condition::Name("新名".to_owned())])), [1]);
    });
}

#[test]
fn a_joined_file_is_found_where_it_goes_on() {
    on_each(|store| {
        let mut book = Book::default();
        let alone = File { referrals: vec![referral(1, "320100/finance-office")], ..watched(1, "甲") };
        let coded = File { uscc: Some("91320100B".to_owned()), ..watched(2, "乙") };
        book.put([alone.clone()]);
        book.put([coded.clone()]);
        book.give(store);
        let joined = File { joined_to: Some(FirmId(2)), ..alone.clone() };
        book.put([joined, File { referrals: alone.referrals, joined: vec![FirmId(1)], ..coded }]);
        book.give(store);
        assert_eq!(store.firm_by(&named("320100", "甲")), Ok(Some(FirmId(2))));
        assert_eq!(store.firm_of(ReferralId(1)), Ok(Some(FirmId(2))));
        assert_eq!(store.file(FirmId(1)).expect("read").and_then(|file| file.joined_to), Some(FirmId(2)));
        assert_eq!(listed(store, &entries(&[])), [2]);
        let referrals = |name: &str| {
            let conditions = vec![Condition::Name(name.to_owned())];
            listed(store, &Query { collection: Collection::Referrals, conditions, ..entries(&[]) })
        };
        assert_eq!((referrals("乙"), referrals("甲")), (vec![1], vec![]), "a referral is listed by the name of the firm it is of now");
    });
}

/// Three files that differ in everything that is listed, and what finds them.
fn three(book: &mut Book) {
    let mut first = watched(1, "某地甲理财有限公司");
    first.operates = vec![region("320200")];
    first.referrals = vec![referral(1, "320100/finance-office"), referral(2, "320000/finance-office")];
    let mut second = watched(2, "某地乙支付有限公司");
    second.registered = region("110105");
    let entry = second.entry.as_mut().expect("it has one");
    entry.status = Status::Determined;
    entry.level = Decision::Attention;
    entry.sources = [Source::Complaint, Source::Roster].into();
    entry.reasons = vec![reason("支付", BusinessField::Payment), reason("理财", BusinessField::WealthManagement)];
    entry.determined = Some(Opinion { disposition: Disposition::Rectify, deadline: day::parse("2026-03-01").ok(), text: String::new() });
    entry.tags = ["重点".to_owned(), "a b".to_owned()].into();
    entry.opened = stamp(20);
    second.referrals = vec![referral(3, "110105/finance-office")];
    second.referrals[0].due = None;
    let unwatched = File { entry: None, ..watched(3, "某地丙理财有限公司") };
    book.put([first]);
    book.put([second]);
    book.put([unwatched]);
}

#[test]
fn every_condition_finds_what_meets_it() {
    let within = |of, from: &str, to: &str| Condition::Within(of, day::parse(from).ok(), day::parse(to).ok());
    let conditions: Vec<(Condition, &[u32])> = vec![
        (one_of(Dimension::All, &[""]), &[1, 2]),
        (one_of(Dimension::Status, &["OPEN"]), &[1]),
        (one_of(Dimension::Status, &["OPEN", "DETERMINED"]), &[1, 2]),
        (one_of(Dimension::Status, &[]), &[]),
        (one_of(Dimension::Status, &["OPE"]), &[]),
        (one_of(Dimension::Disposition, &["RECTIFY"]), &[2]),
        (one_of(Dimension::Level, &["ATTENTION"]), &[2]),
        (one_of(Dimension::Term, &["理财"]), &[1, 2]),
        (one_of(Dimension::Field, &["payment"]), &[2]),
        (one_of(Dimension::Region, &["320000"]), &[1]),
        (one_of(Dimension::Region, &["320200"]), &[1]),
        (one_of(Dimension::Region, &["110000"]), &[2]),
        (one_of(Dimension::Region, &["000000"]), &[1, 2]),
        (one_of(Dimension::Source, &["ROSTER"]), &[2]),
        (one_of(Dimension::Tag, &["a b"]), &[2]),
        (one_of(Dimension::Tag, &["a"]), &[]),
        (one_of(Dimension::Body, &["320100/finance-office"]), &[]),
        (within(DayOf::Opened, "2026-01-01", "2026-01-02"), &[1]),
        (within(DayOf::Opened, "2026-01-02", ""), &[2]),
        (within(DayOf::Opened, "", ""), &[1, 2]),
        (within(DayOf::Opened, "2026-01-03", "2026-01-02"), &[]),
        (within(DayOf::Due, "", "2026-01-10"), &[1]),
        (within(DayOf::Due, "", "2026-01-09"), &[]),
        (within(DayOf::Due, "2026-03-01", "2026-03-01"), &[2]),
        (within(DayOf::Changed, "2026-01-01", "2026-12-31"), &[1, 2]),
        (Condition::Name("理财".to_owned()), &[1]),
        (Condition::Name("某地".to_owned()), &[1, 2]),
        (Condition::Name(String::new()), &[1, 2]),
        (Condition::Name("司某".to_owned()), &[]),
    ];
    on_each(|store| {
        let mut book = Book::default();
        three(&mut book);
        book.give(store);
        for (condition, expected) in &conditions {
            assert_eq!(listed(store, &entries(std::slice::from_ref(condition))), *expected, "{condition:?}");
            for (other, also) in &conditions {
                let both: Vec<u32> = expected.iter().copied().filter(|number| also.contains(number)).collect();
                let query = Query { oldest_first: false, ..entries(&[condition.clone(), other.clone()]) };
                assert_eq!(listed(store, &query), both.into_iter().rev().collect::<Vec<_>>(), "{condition:?}, {other:?}");
            }
        }
    });
}

#[test]
fn referrals_are_listed_by_what_they_have() {
    let conditions: Vec<(Condition, &[u32])> = vec![
        (one_of(Dimension::Body, &["320000/finance-office"]), &[2]),
        (one_of(Dimension::State, &["SENT"]), &[1, 2, 3]),
        (one_of(Dimension::State, &["CONCLUDED"]), &[]),
        (one_of(Dimension::Region, &["320200"]), &[1, 2]),
        (one_of(Dimension::Field, &["wealth-management"]), &[1, 2, 3]),
        (one_of(Dimension::Status, &["OPEN"]), &[]),
        (Condition::Within(DayOf::Due, None, day::parse("2026-01-10").ok()), &[1, 2]),
        (Condition::Name("支付".to_owned()), &[3]),
        (Condition::Name("理财".to_owned()), &[1, 2]),
    ];
    on_each(|store| {
        let mut book = Book::default();
        three(&mut book);
        book.give(store);
        let query = |condition: &Condition| Query { collection: Collection::Referrals, ..entries(std::slice::from_ref(condition)) };
        for (condition, expected) in &conditions {
            assert_eq!(listed(store, &query(condition)), *expected, "{condition:?}");
        }
        let mut file = book.file(1).cloned().expect("it is there");
        let received = mingcha::watch::referral::Step { state: ReferralState::Received, ..file.referrals[0].steps[0].clone() };
        file.referrals[0].steps.push(received);
        file.name = "某地甲改名".to_owned();
        book.put([file]);
        book.give(store);
        assert_eq!(listed(store, &query(&one_of(Dimension::State, &["SENT"]))), [2, 3]);
        assert_eq!(listed(store, &query(&one_of(Dimension::State, &["RECEIVED"]))), [1]);
        assert_eq!(listed(store, &query(&Condition::Name("理财".to_owned()))), NOBODY);
        assert_eq!(listed(store, &query(&Condition::Name("改名".to_owned()))), [1, 2]);
    });
}

#[test]
fn values_are_counted_alone_and_in_pairs() {
    let text = |(first, second, count): (&str, &str, u64)| (first.to_owned(), second.to_owned(), count);
    on_each(|store| {
        let mut book = Book::default();
        three(&mut book);
        book.give(store);
        let of = |first, second| counted(store, &entries(&[]), first, second);
        assert_eq!(of(Dimension::Status, None), [("DETERMINED", "", 1), ("OPEN", "", 1)].map(text));
        assert_eq!(of(Dimension::Term, None), [("支付", "", 1), ("理财", "", 2)].map(text).as_slice(), "sorted by bytes");
        let pairs = [("DETERMINED", "支付", 1), ("DETERMINED", "理财", 1), ("OPEN", "理财", 1)];
        assert_eq!(of(Dimension::Status, Some(Dimension::Term)), pairs.map(text));
        assert_eq!(of(Dimension::All, None), [("", "", 2)].map(text));
        assert_eq!(of(Dimension::Status, Some(Dimension::Disposition)), [("DETERMINED", "RECTIFY", 1)].map(text));
        assert_eq!(of(Dimension::Body, None), []);
        let in_jiangsu = entries(&[one_of(Dimension::Region, &["320000"])]);
        assert_eq!(counted(store, &in_jiangsu, Dimension::Status, None), [("OPEN", "", 1)].map(text));
        let named = entries(&[Condition::Name("理财".to_owned())]);
        assert_eq!(counted(store, &named, Dimension::Term, None), [("理财", "", 1)].map(text));
        let referrals = Query { collection: Collection::Referrals, ..entries(&[]) };
        assert_eq!(counted(store, &referrals, Dimension::State, Some(Dimension::Field)), [("SENT", "wealth-management", 3)].map(text));
    });
}

#[test]
fn what_changes_is_listed_by_what_it_is_now() {
    on_each(|store| {
        let mut book = Book::default();
        three(&mut book);
        book.give(store);
        let mut file = book.file(2).cloned().expect("it is there");
        let entry = file.entry.as_mut().expect("it has one");
        entry.status = Status::Released;
        entry.tags = ["重点".to_owned()].into();
        entry.determined = None;
        file.registered = region("320500");
        book.put([file]);
        book.give(store);
        for (condition, expected) in [
            (one_of(Dimension::Status, &["DETERMINED"]), vec![]),
            (one_of(Dimension::Status, &["RELEASED"]), vec![2]),
            (one_of(Dimension::Tag, &["a b"]), vec![]),
            (one_of(Dimension::Region, &["110000"]), vec![]),
            (one_of(Dimension::Region, &["320000"]), vec![1, 2]),
            (Condition::Within(DayOf::Due, None, None), vec![1]),
        ] {
            assert_eq!(listed(store, &entries(std::slice::from_ref(&condition))), expected, "{condition:?}");
        }
    });
}
