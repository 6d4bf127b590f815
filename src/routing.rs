//! Routing (告知): which bodies must be told of a firm's hits.
//!
//! For each hit the most specific rule speaks: the bodies that it names, or, where it says only 金融管理部门, the
//! finance office of the firm's city and the lead for the hit's field of business, looked for from the county
//! up to the nation. The sender, the registration bureau with its superiors, is never told.
//! Hits of force ATTEND are not handed over: they are kept in sight and discussed (会商).

use crate::{
    day::Date,
    jurisdiction::{Region, Standing},
    reach::Circumstances,
    set::Set,
    vocabulary::{BusinessField, Force, Function, Wording},
    wordlist::{
        RuleId, Wordlists,
        instrument::{Informee, Rule},
        tables::{BodyId, Tables},
    },
};

/// Why a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// The rule names it.
    Named,
    /// It leads for the field of business.
    Leads,
    /// It is the finance office of the firm's city.
    FinanceOffice,
}

impl Told {
    /// The same for people.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Named => "named by the rule",
            Self::Leads => "leads (牵头) for the field of business",
            Self::FinanceOffice => "finance office (金融管理部门) of the firm's city",
        }
    }
}

/// A body to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Informed {
    /// The body.
    pub body: BodyId,
    /// Why, in the strongest sense.
    pub told: Told,
    /// The fields of business it is told about.
    pub fields: Set<BusinessField>,
}

/// The bodies to tell of hits, each given by its field of business and its rules, by place and function.
#[must_use]
pub fn inform<'h>(
    hits: impl Iterator<Item = (BusinessField, &'h [RuleId])>,
    circumstances: &Circumstances,
    lists: &Wordlists,
) -> Vec<Informed> {
    let mut told: Vec<(BodyId, Told, BusinessField)> = Vec::new();
    let mut seen: Vec<(BusinessField, &[RuleId])> = Vec::new();
    for hit in hits {
        if seen.contains(&hit) {
            continue; // a firm's hits are mostly of few terms
        }
        seen.push(hit);
        for rule in most_specific(hit.1, lists) {
            tell(rule, hit.0, circumstances.region, lists, &mut told);
        }
    }
    told.retain(|(body, ..)| !is_sender(*body, circumstances.region));
    told.sort_unstable();
    let one_body = |a: BodyId, b: BodyId| a == b || a.region == b.region && are_one(a, b, circumstances.day, lists.tables());
    told.chunk_by(|a, b| one_body(a.0, b.0))
        .map(|of_one| Informed { body: of_one[0].0, told: of_one[0].1, fields: of_one.iter().map(|(_, _, field)| *field).collect() })
        .collect()
}

/// Whether two functions of one place are one body on that day: banking and insurance regulators since 2018.
fn are_one(a: BodyId, b: BodyId, day: Date, tables: &Tables) -> bool {
    let generic = |function| tables.function_name(function, day).map(|dated| dated.name.as_str());
    match (tables.body_name(&a, day), tables.body_name(&b, day)) {
        (None, None) => generic(a.function).is_some() && generic(a.function) == generic(b.function),
        (Some(a), Some(b)) => a.name == b.name,
        _ => false,
    }
}

/// Of the rules that are handed over, those of the most local jurisdiction.
fn most_specific<'l>(rules: &'l [RuleId], lists: &'l Wordlists) -> impl Iterator<Item = &'l Rule> {
    let handed_over = move || rules.iter().map(|id| lists.rule(*id)).filter(|rule| rule.counted_force() > Force::Attend);
    let level = handed_over().map(|rule| rule.jurisdiction.level()).max();
    handed_over().filter(move |rule| Some(rule.jurisdiction.level()) == level)
}

fn tell(rule: &Rule, field: BusinessField, region: Region, lists: &Wordlists, told: &mut Vec<(BodyId, Told, BusinessField)>) {
    for informee in &rule.inform {
        match informee {
            Informee::Body(id) => told.push((*id, Told::Named, field)),
            Informee::FinancialAuthorities => {
                let leads = lists.tables().lead(region, field).map_or(&[][..], |lead| &lead.lead);
                told.extend(leads.iter().map(|id| (*id, Told::Leads, field)));
                told.extend(finance_office(region, lists).map(|office| (office, Told::FinanceOffice, field)));
            }
        }
    }
}

/// The finance office (金融管理部门) of a firm's city. None where only the nation is known.
#[must_use]
pub fn finance_office(region: Region, lists: &Wordlists) -> Option<BodyId> {
    (region != Region::NATION).then(|| BodyId { region: city(region, lists), function: Function::FinanceOffice })
}

/// The firm's city. A county right under its province (省直辖县级行政区划) is its own city: the code between only
/// holds such counties and has no name. For a code that is withdrawn or unknown, the nearest place that exists.
fn city(region: Region, lists: &Wordlists) -> Region {
    let divisions = lists.divisions();
    let region = match divisions.standing(region) {
        Standing::Retired { successor, .. } => successor,
        _ => region,
    };
    std::iter::once(region.city()).chain(region.chain()).find(|place| exists(*place, lists)).unwrap_or(region)
}

/// The nearest place above that has bodies. Above a county right under its province that is the province: the code between
/// has none.
#[must_use]
pub fn above(region: Region, lists: &Wordlists) -> Option<Region> {
    region.ancestors().find(|place| *place == Region::NATION || exists(*place, lists))
}

/// Whether a place exists, and not only as a code that holds others.
fn exists(place: Region, lists: &Wordlists) -> bool {
    let divisions = lists.divisions();
    divisions.standing(place) == Standing::Current && divisions.name(place).is_some()
}

fn is_sender(body: BodyId, region: Region) -> bool {
    body.function == Function::MarketRegulator && body.region.covers(region)
}

/// A body's name on a day: its own, or its place's name before what such bodies are called.
#[must_use]
pub fn body_name(body: &BodyId, day: Date, lists: &Wordlists) -> (String, Wording) {
    let tables = lists.tables();
    if let Some(own) = tables.body_name(body, day) {
        return (own.name.clone(), own.wording);
    }
    let place = lists.divisions().name(body.region).map_or_else(|| body.region.to_string(), str::to_owned);
    match tables.function_name(body.function, day) {
        Some(generic) => (format!("{place}{}", generic.name), Wording::Recalled),
        None => (format!("{place}{}", body.function.chinese()), Wording::Recalled),
    }
}
