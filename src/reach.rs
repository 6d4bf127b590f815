//! Reach (适用范围): does a rule reach this firm, this text, this event, this place, this day?

use crate::{
    day::Date,
    jurisdiction::Region,
    licence::Licence,
    set::Set,
    vocabulary::{EntityKind, Event, Field, Miss},
    wordlist::{RuleId, Term, Wordlists, instrument::Rule},
};

/// What rules ask about a firm besides its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// Where it is registered.
    pub region: Region,
    /// What kind of entity it is.
    pub kind: EntityKind,
    /// What it asks for.
    pub event: Event,
    /// The day as of which to judge.
    pub day: Date,
}

impl Circumstances {
    /// Whether `rule` reaches the firm.
    #[must_use]
    pub fn reaches(&self, rule: &Rule, field: Field) -> bool {
        rule.jurisdiction.covers(self.region)
            && rule.days.contains(self.day)
            && rule.fields.contains(field)
            && rule.kinds.contains(self.kind)
            && rule.events.contains(self.event)
    }

    /// What `rule` misses; empty if it reaches the firm.
    #[must_use]
    pub fn misses(&self, rule: &Rule, field: Field) -> Set<Miss> {
        let checks = [
            (Miss::Field, rule.fields.contains(field)),
            (Miss::EntityKind, rule.kinds.contains(self.kind)),
            (Miss::Event, rule.events.contains(self.event)),
            (Miss::Place, rule.jurisdiction.covers(self.region)),
            (Miss::Date, rule.days.contains(self.day)),
        ];
        checks.into_iter().filter(|(_, holds)| !holds).map(|(miss, _)| miss).collect()
    }
}

/// Which rules an occurrence rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// These rules, strongest first, then the most local.
    Rules(Vec<RuleId>),
    /// None but rules that this licence (by index) exempts from.
    Licensed(usize),
    /// None.
    None,
}

/// The rules that reach an occurrence of `term` in `field`.
#[must_use]
pub fn reach(term: &Term, field: Field, circumstances: &Circumstances, licences: &[Licence], lists: &Wordlists) -> Reach {
    let mut rules = Vec::new();
    let mut licensed = None;
    for id in &term.rules {
        let rule = lists.rule(*id);
        if !circumstances.reaches(rule, field) {
            continue;
        }
        let exempting = licences.iter().position(|licence| licence.exempts(term, rule, circumstances.day, lists.tables()));
        match exempting {
            Some(index) => licensed = licensed.or(Some(index)),
            None => rules.push(*id),
        }
    }
    if rules.is_empty() {
        return licensed.map_or(Reach::None, Reach::Licensed);
    }
    Reach::Rules(rules)
}

/// A rule that names a term and does not reach the firm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NearMiss {
    /// The rule.
    pub rule: RuleId,
    /// What it misses.
    pub misses: Set<Miss>,
}

/// Every rule that names `term` and does not reach the firm, nearest first: the fewest misses, then the nearest
/// in time.
#[must_use]
pub fn near_misses(term: &Term, field: Field, circumstances: &Circumstances, lists: &Wordlists) -> Vec<NearMiss> {
    let misses = |id: &RuleId| NearMiss { rule: *id, misses: circumstances.misses(lists.rule(*id), field) };
    let mut missed: Vec<NearMiss> = term.rules.iter().map(misses).filter(|near| !near.misses.is_empty()).collect();
    missed.sort_by_key(|near| (near.misses.iter().count(), lists.rule(near.rule).days.distance(circumstances.day), near.rule));
    missed
}
