//! Random commands through a real office: it comes to what the model says, and so does every other way to its index.

use std::{path::Path, sync::Arc};

use mingcha::{
    auth::Identity,
    office::Done,
    vocabulary::{BusinessField, Decision, Event as Asked, Field},
    watch::{
        Disposition, Source, Status,
        attribute::{Collection, Dimension},
        command::{Command, Screening, Update},
        file::File,
        key::{FirmId, comparable},
        query::{Condition, Query},
        referral::Referral,
        transition::{EntryAction, ReferralAction},
    },
};
use proptest::prelude::*;
use tokio::task::JoinSet;

use super::{
    Desk, index,
    model::{Came, Firm, Model, Sent, Watched},
    people::{
        BANK, NANJING, OFFICE, PROVINCE, body, conclude, evidence, firm, identity, inform, of, opinion, reason, record, redirect, refer,
        region, registrar, screened, screening_for_two, stranger, told, update,
    },
    submission, verified,
};

const NAMES: &[&str] = &["某地甲理财公司", "某地甲理财 公司", "某地乙公司", "ＡＢ公司"];
const CODES: &[Option<&str>] = &[None, None, Some("91A"), Some("91B")];
const PLACES: &[&str] = &[NANJING, "320102", "110105"];
const BODIES: &[&str] = &[OFFICE, BANK, PROVINCE];
const DECISIONS: &[Decision] = &[Decision::Pass, Decision::Attention, Decision::Restricted, Decision::Restricted, Decision::Prohibited];

/// What is asked for; each number is taken from its table, or is a firm's or referral's.
#[derive(Debug, Clone)]
enum Asks {
    Record { firm: [usize; 3], decision: usize, word: u8, rule: u8, texts: u8, event: usize, again: bool, operates: Option<usize> },
    Open { firm: [usize; 3], complaint: bool, informant: bool, to: usize },
    Link { firm: u32, code: bool },
    Overrule { firm: u32, term: bool },
    Update { firm: u32, tags: bool, note: bool, operates: Option<usize>, step: Option<(usize, usize)> },
    Revoke { firm: u32 },
    Evidence { firm: u32 },
    Refer { referral: u32, action: usize, disposition: usize, to: usize },
}

fn asks() -> impl Strategy<Value = Asks> {
    let which = || [0usize..8, 0..8, 0..8];
    let (number, referral) = (|| 1u32..6, || 1u32..9);
    let records = (which(), 0usize..8, 0u8..3, 0u8..2, 0u8..3, 0usize..4, any::<bool>(), prop::option::of(0usize..3));
    prop_oneof![
        6 => records.prop_map(|(firm, decision, word, rule, texts, event, again, operates)| Asks::Record { firm, decision, word, rule, texts, event, again, operates }),
        2 => (which(), any::<bool>(), any::<bool>(), 0usize..3).prop_map(|(firm, complaint, informant, to)| Asks::Open { firm, complaint, informant, to }),
        2 => (number(), any::<bool>()).prop_map(|(firm, code)| Asks::Link { firm, code }),
        1 => (number(), any::<bool>()).prop_map(|(firm, term)| Asks::Overrule { firm, term }),
        4 => (number(), any::<bool>(), any::<bool>(), prop::option::of(0usize..3), prop::option::of((0usize..4, 0usize..5)))
            .prop_map(|(firm, tags, note, operates, step)| Asks::Update { firm, tags, note, operates, step }),
        1 => number().prop_map(|firm| Asks::Revoke { firm }),
        1 => number().prop_map(|firm| Asks::Evidence { firm }),
        8 => (referral(), 0usize..6, 0usize..2, 0usize..3).prop_map(|(referral, action, disposition, to)| Asks::Refer { referral, action, disposition, to }),
    ]
}

fn pick<T: Copy>(table: &[T], index: usize) -> T {
    table[index % table.len()]
}

fn wanted([name, code, place]: [usize; 3]) -> mingcha::watch::command::Firm {
    firm(pick(NAMES, name), pick(CODES, code), pick(PLACES, place / 3)) // most of them are of Nanjing
}

fn command(asks: &Asks) -> Command {
    match *asks {
        Asks::Record { firm, decision, word, rule, texts, event, again, operates } => {
            let mut asked = screening_for_two("");
            asked.firm = wanted(firm);
            asked.event = pick(Asked::ALL, event);
            asked.source = if again { Source::Rescreening } else { Source::NameApproval };
            asked.screened = screened(pick(DECISIONS, decision), &format!("texts {texts}"));
            asked.operates = operates.map(|index| region(pick(PLACES, index))).into_iter().collect();
            asked.reasons.truncate(usize::from(word.min(2)));
            if rule == 1 {
                asked.reasons.push(reason("理财", BusinessField::WealthManagement, "list/other"));
            }
            if asked.screened.decision == Decision::Pass {
                asked.reasons.clear();
            }
            asked.inform.push(inform(PROVINCE, &[BusinessField::Payment, BusinessField::WealthManagement]));
            record(&Screening { ..asked })
        }
        Asks::Open { firm, complaint, informant, to } => {
            let source = if complaint { Source::Complaint } else { Source::Roster };
            told(wanted(firm), source, if informant { "张三" } else { "" }, &[pick(BODIES, to)])
        }
        Asks::Link { firm, code } => Command::Link { firm: FirmId(firm), uscc: if code { "91A" } else { "91B" }.to_owned() },
        Asks::Overrule { firm, term } => {
            let term = if term { "理财" } else { "支付" }.to_owned();
            Command::Overrule { firm: FirmId(firm), term, field: Field::Name, reason: "缘由".to_owned() }
        }
        Asks::Update { firm, tags, note, operates, step } => Command::Update(Box::new(Update {
            tags: tags.then(|| vec!["重点".to_owned()]),
            note: note.then(|| "注".to_owned()),
            operates: operates.map(|index| vec![region(pick(PLACES, index))]),
            step: step.map(|(action, disposition)| {
                let action = pick(EntryAction::ALL, action);
                (action, (action == EntryAction::Determine).then(|| opinion(pick(Disposition::ALL, disposition))))
            }),
            ..update(firm)
        })),
        Asks::Revoke { firm } => Command::Revoke { firm: FirmId(firm), day: mingcha::day::FIRST, reason: "缘由".to_owned() },
        Asks::Evidence { firm } => Command::AddEvidence { firm: FirmId(firm), evidence: evidence() },
        Asks::Refer { referral, action, disposition, to } => match pick(ReferralAction::ALL, action) {
            ReferralAction::Conclude => conclude(referral, pick(Disposition::ALL, disposition)),
            ReferralAction::Redirect => redirect(referral, pick(BODIES, to)),
            action => refer(referral, action),
        },
    }
}

fn people() -> Vec<Arc<Identity>> {
    let clerk = identity("clerk", &[mingcha::auth::Role::Auditor], NANJING, None);
    vec![registrar(), of(OFFICE), of(OFFICE), of(BANK), of(PROVINCE), stranger(), clerk]
}

/// Who asks: for a referral mostly the body that it is sent to, where the model knows it.
fn who(asks: &Asks, index: usize, model: &Model) -> Arc<Identity> {
    if let (Asks::Refer { referral, .. }, true) = (asks, !index.is_multiple_of(4))
        && let Some(sent) = model.firms.iter().find_map(|firm| firm.referrals.get(referral))
    {
        return of(&sent.body.to_string());
    }
    Arc::clone(&people()[index % people().len()])
}

/// A file as the model has it.
fn shape(file: &File) -> Firm {
    let watched = file.entry.as_ref().map(|entry| Watched {
        round: entry.round,
        status: entry.status,
        level: entry.level,
        sources: entry.sources.clone(),
        terms: entry
            .reasons
            .iter()
            .map(|known| ((known.term.clone(), known.field), (known.business, known.rules.iter().cloned().collect())))
            .collect(),
        suspected: entry.suspected.clone(),
        determined: entry.determined.as_ref().map(|opinion| opinion.disposition),
        disagreement: entry.disagreement,
        revoked: entry.revoked.is_some(),
        tags: entry.tags.clone(),
        notes: entry.notes.len(),
        evidence: entry.evidence.len(),
    });
    let sent = |referral: &Referral| Sent {
        body: referral.body,
        round: referral.round,
        state: referral.state(),
        opinion: referral.opinion.as_ref().map(|opinion| opinion.disposition),
        after: referral.after.map(|id| id.0),
        next: referral.next.map(|id| id.0),
        fields: referral.fields.clone(),
    };
    Firm {
        name: file.name.clone(),
        code: file.uscc.clone(),
        place: Some(file.registered),
        operates: file.operates.iter().copied().collect(),
        former: file.former.iter().copied().collect(),
        goes_on_in: file.joined_to.map(|firm| firm.0),
        overruled: file.overruled.len(),
        watched,
        referrals: file.referrals.iter().map(|referral| (referral.id.0, sent(referral))).collect(),
        last: file.screened.as_ref().map(|last| (last.texts.clone(), last.lists_hash.clone(), last.decision)),
        named: 0,
    }
}

/// Gives the office some commands at once, and the model one after the other.
fn submit(desk: &Desk, model: &mut Model, together: &[(Asks, usize, Option<u8>)]) -> Result<(), TestCaseError> {
    let mut given = JoinSet::new();
    let mut expected = Vec::new();
    for (place, (asks, index, id)) in together.iter().enumerate() {
        let (identity, command) = (who(asks, *index, model), command(asks));
        let request_id = id.map_or_else(String::new, |id| format!("r-{id}"));
        expected.push(model.submit(&identity, &request_id, &command));
        let (office, submission) = (desk.office().clone(), submission(&identity, &request_id, &command));
        given.spawn_on(async move { (place, office.submit(submission).await) }, desk.runtime.handle());
    }
    let mut outcomes = desk.runtime.block_on(given.join_all());
    outcomes.sort_by_key(|(place, _)| *place);
    for ((_, outcome), (expected, asks)) in outcomes.into_iter().zip(expected.iter().zip(together)) {
        let came = match &outcome {
            Ok(acknowledged) => match acknowledged.done {
                Done::Recorded => Came::Recorded,
                Done::Nothing => Came::Nothing,
                Done::Before(place) => {
                    let line = mingcha::journal::reader::line_at(&**desk.office().journal(), place);
                    prop_assert!(line.is_ok(), "{:?}: {:?}", place, line);
                    Came::Before
                }
            },
            Err(_) => Came::Refused,
        };
        prop_assert_eq!(came, *expected, "{:?}: {:?}", asks, outcome.map(|acknowledged| acknowledged.done));
    }
    Ok(())
}

fn listed(model: &Model, meets: impl Fn(&Firm, &Watched) -> bool) -> Vec<u32> {
    let firms = (1u32..).zip(&model.firms).filter(|(_, firm)| firm.goes_on_in.is_none());
    firms.filter(|(_, firm)| firm.watched.as_ref().is_some_and(|watched| meets(firm, watched))).map(|(number, _)| number).collect()
}

fn lists(desk: &Desk, model: &Model) -> Result<(), TestCaseError> {
    let store = desk.settled();
    let list = |collection, conditions: Vec<Condition>| {
        let query = Query { collection, conditions, oldest_first: true, after: None, most: 1_000 };
        store.select(&query, &|| false).map(|page| page.numbers)
    };
    let one = |of, value: &str| vec![Condition::OneOf(of, vec![value.to_owned()])];
    for status in Status::ALL {
        let expected = listed(model, |_, watched| watched.status == *status);
        prop_assert_eq!(list(Collection::Entries, one(Dimension::Status, status.id())), Ok(expected));
    }
    for place in ["000000", "320000", NANJING, "320102", "110000"] {
        let within = |at: &mingcha::jurisdiction::Region| region(place).covers(*at);
        let expected = listed(model, |firm, _| firm.place.iter().chain(&firm.operates).chain(&firm.former).any(within));
        prop_assert_eq!(list(Collection::Entries, one(Dimension::Region, place)), Ok(expected));
    }
    for term in ["理财", "支付"] {
        let expected = listed(model, |_, watched| watched.terms.keys().any(|(known, _)| known == term));
        prop_assert_eq!(list(Collection::Entries, one(Dimension::Term, term)), Ok(expected));
    }
    let expected = listed(model, |firm, _| comparable(&firm.name).contains("甲理财公"));
    prop_assert_eq!(list(Collection::Entries, vec![Condition::Name("甲理财公".to_owned())]), Ok(expected));
    for to in BODIES {
        let firms = model.firms.iter().filter(|firm| firm.goes_on_in.is_none());
        let mut expected: Vec<u32> =
            firms.flat_map(|firm| &firm.referrals).filter(|(_, sent)| sent.body == body(to)).map(|(id, _)| *id).collect();
        expected.sort_unstable();
        prop_assert_eq!(list(Collection::Referrals, one(Dimension::Body, to)), Ok(expected));
    }
    let all = Query { collection: Collection::Entries, conditions: Vec::new(), oldest_first: true, after: None, most: 1 };
    for count in store.count(&all, Dimension::Status, Some(Dimension::Field)).expect("counts") {
        let has = |watched: &Watched| {
            watched.terms.values().map(|(field, _)| field).chain(&watched.suspected).any(|field| field.id() == count.second)
        };
        let expected = listed(model, |_, watched| watched.status.id() == count.first && has(watched));
        prop_assert_eq!(count.count, expected.len() as u64);
    }
    Ok(())
}

fn same(desk: &Desk, model: &Model) -> Result<Vec<File>, TestCaseError> {
    let files = desk.files();
    let expected: Vec<Firm> = model.firms.iter().map(|firm| Firm { named: 0, ..firm.clone() }).collect();
    prop_assert_eq!(files.iter().map(shape).collect::<Vec<_>>(), expected);
    lists(desk, model)?;
    for file in &files {
        let history = desk.history(file.id);
        prop_assert_eq!(history.file.as_deref(), Some(file));
    }
    Ok(files)
}

fn without_index(data: &Path) {
    std::fs::remove_dir_all(index(data)).expect("removed");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn an_office_comes_to_what_the_model_says(
        sequence in prop::collection::vec(prop::collection::vec((asks(), 0usize..28, prop::option::weighted(0.4, 0u8..6)), 1..12), 1..6),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut desk, mut model) = (Desk::open(folder.path()), Model::default());
        for together in &sequence {
            submit(&desk, &mut model, together)?;
        }
        let files = same(&desk, &model)?;
        prop_assert_eq!(desk.office().head().sequence, model.records as u64);
        for meanwhile in [|_: &Path| {}, without_index] {
            desk = desk.reopened(meanwhile);
            prop_assert_eq!(&same(&desk, &model)?, &files);
        }
        submit(&desk, &mut model, &sequence[0])?; // also what was asked before is known to be so
        same(&desk, &model)?;
        desk.close();
        prop_assert_eq!(verified(folder.path()).records, model.records as u64);
    }
}
