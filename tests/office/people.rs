//! Who calls, and what they ask for.

use std::sync::Arc;

use mingcha::{
    auth::{Identity, Role},
    day,
    jurisdiction::Region,
    vocabulary::{BusinessField, Decision, EntityKind, Event, Field, Force},
    watch::{
        Disposition, Source,
        command::{Command, Evidence, Firm, Inform, Refer, Screening, Told, Update},
        file::{Reason, Screened},
        key::{FirmId, ReferralId},
        referral::Opinion,
        transition::{EntryAction, ReferralAction},
    },
    wordlist::tables::BodyId,
};

pub(super) const NANJING: &str = "320100";
pub(super) const OFFICE: &str = "320100/finance-office";
pub(super) const BANK: &str = "320100/central-bank";
pub(super) const PROVINCE: &str = "320000/finance-office";

pub(super) fn region(code: &str) -> Region {
    Region::parse(code).expect("a code")
}

pub(super) fn body(text: &str) -> BodyId {
    BodyId::parse(text).expect("a body")
}

pub(super) fn identity(id: &str, roles: &[Role], place: &str, acts_for: Option<&str>) -> Arc<Identity> {
    let (roles, regions, body) = (roles.iter().copied().collect(), vec![region(place)], acts_for.map(body));
    Arc::new(Identity { id: id.to_owned(), names: Vec::new(), tokens: Vec::new(), roles, regions, body })
}

/// A registration bureau.
pub(super) fn registrar() -> Arc<Identity> {
    identity("nanjing", &[Role::Registrar], NANJING, None)
}

/// A registration bureau of another place.
pub(super) fn stranger() -> Arc<Identity> {
    identity("beijing", &[Role::Registrar], "110105", None)
}

/// Someone who acts for a body of the finance side.
pub(super) fn of(body: &str) -> Arc<Identity> {
    identity(body, &[Role::Finance], &body[..6], Some(body))
}

pub(super) fn firm(name: &str, uscc: Option<&str>, place: &str) -> Firm {
    let (name, uscc) = (name.to_owned(), uscc.map(str::to_owned));
    Firm { name, uscc, registered: region(place), kind: EntityKind::Enterprise }
}

pub(super) fn reason(term: &str, business: BusinessField, rule: &str) -> Reason {
    let (term, text) = (term.to_owned(), term.to_owned());
    Reason { term, field: Field::Name, text, business, force: Force::Restrict, rules: vec![rule.to_owned()], lists_hash: "1".to_owned() }
}

pub(super) fn inform(to: &str, fields: &[BusinessField]) -> Inform {
    Inform { body: body(to), why: "属于名称预警".to_owned(), fields: fields.to_vec() }
}

/// A screening of a firm of Nanjing whose name has one word, of which one body is told.
pub(super) fn screening(name: &str) -> Screening {
    let field = BusinessField::WealthManagement;
    Screening {
        firm: firm(name, None, NANJING),
        event: Event::Establish,
        operates: Vec::new(),
        source: Source::NameApproval,
        screened: screened(Decision::Restricted, name),
        reasons: vec![reason("理财", field, "list/rule")],
        inform: vec![inform(OFFICE, &[field])],
    }
}

pub(super) fn screened(decision: Decision, texts: &str) -> Screened {
    Screened { decision, lists_hash: "1".to_owned(), day: day::parse("2026-11-24").expect("a day"), texts: texts.to_owned() }
}

/// Two bodies are told, each of a word of its own.
pub(super) fn screening_for_two(name: &str) -> Screening {
    let mut two = screening(name);
    two.reasons.push(reason("支付", BusinessField::Payment, "list/pay"));
    two.inform.push(inform(BANK, &[BusinessField::Payment]));
    two
}

pub(super) fn record(screening: &Screening) -> Command {
    Command::Record(Box::new(screening.clone()))
}

pub(super) fn told(firm: Firm, source: Source, informant: &str, informed: &[&str]) -> Command {
    let evidence = Evidence { reference: "信访-1".to_owned(), text: "高息".to_owned(), informant: informant.to_owned() };
    let suspected = vec![BusinessField::Fundraising];
    let informed = informed.iter().map(|to| inform(to, &[BusinessField::Fundraising])).collect();
    Command::Open(Box::new(Told { firm, source, suspected, evidence, inform: informed }))
}

pub(super) fn refer(referral: u32, action: ReferralAction) -> Command {
    let note = if matches!(action, ReferralAction::Receive | ReferralAction::Accept) { String::new() } else { "缘由".to_owned() };
    Command::Refer(Box::new(Refer { referral: ReferralId(referral), action, opinion: None, to: None, note }))
}

pub(super) fn conclude(referral: u32, disposition: Disposition) -> Command {
    let Command::Refer(mut refer) = refer(referral, ReferralAction::Conclude) else { unreachable!("just made") };
    refer.opinion = Some(opinion(disposition));
    Command::Refer(refer)
}

pub(super) fn redirect(referral: u32, to: &str) -> Command {
    let Command::Refer(mut refer) = refer(referral, ReferralAction::Redirect) else { unreachable!("just made") };
    refer.to = Some(body(to));
    Command::Refer(refer)
}

pub(super) fn opinion(disposition: Disposition) -> Opinion {
    let deadline = (disposition == Disposition::Rectify).then(|| day::parse("2027-03-01").expect("a day"));
    Opinion { disposition, deadline, text: "认定意见".to_owned() }
}

pub(super) fn update(firm: u32) -> Update {
    Update { firm: FirmId(firm), etag: None, reason: "缘由".to_owned(), tags: None, note: None, operates: None, step: None }
}

pub(super) fn step(firm: u32, action: EntryAction, opinion: Option<Opinion>) -> Command {
    Command::Update(Box::new(Update { step: Some((action, opinion)), ..update(firm) }))
}

pub(super) fn evidence() -> Evidence {
    Evidence { reference: "照片-1".to_owned(), text: "门店".to_owned(), informant: String::new() }
}
