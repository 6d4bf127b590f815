//! Deltas (变化): the firms whose decision changes from one version of the lists to another.
//!
//! Where the versions differ in their instruments alone, only a firm in which a term occurs whose rules changed can get another
//! decision; the others are not judged at all. Where language or tables differ, each firm with a term is judged by both.

use std::collections::BTreeMap;

use crate::{
    matcher::Matcher,
    problem::Problem,
    screen::{Answer, Engine, Firm},
    vocabulary::Decision,
    wordlist::{Files, TermId, Wordlists, instrument::Rule},
};

/// What changes from one version of the lists to another.
pub struct Delta<'e> {
    before: &'e Engine,
    after: &'e Engine,
    changed: Changed,
}

enum Changed {
    /// Anything may have changed.
    Anything,
    /// The rules of these terms; none where no rule changed.
    Terms(Option<Box<Matcher>>),
}

/// A firm's decision that changes.
pub struct Change<'e> {
    /// The answer by the earlier lists.
    pub before: Answer<'e>,
    /// The decision by the later ones.
    pub after: Decision,
}

impl Change<'_> {
    /// What changes, in Chinese.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match (self.before.decision, self.after) {
            (Decision::Pass, _) => "新增命中",
            (_, Decision::Pass) => "解除",
            (before, after) if before < after => "加重",
            _ => "减轻",
        }
    }
}

impl<'e> Delta<'e> {
    /// Compares two versions, each with its files.
    ///
    /// # Errors
    /// Where the changed terms are too many for an automaton.
    pub fn between(before: (&'e Engine, &Files), after: (&'e Engine, &Files)) -> Result<Self, Problem> {
        let changed = if rest_of(before.1).eq(rest_of(after.1)) {
            let terms = changed_terms(before.0.lists(), after.0.lists());
            let numbered = (0..).map(TermId).zip(terms.iter().map(String::as_str));
            let matcher = if terms.is_empty() { None } else { Some(Box::new(Matcher::of(numbered, after.0.characters())?)) };
            Changed::Terms(matcher)
        } else {
            Changed::Anything
        };
        Ok(Self { before: before.0, after: after.0, changed })
    }

    /// The engine with the earlier lists.
    #[must_use]
    pub const fn before(&self) -> &'e Engine {
        self.before
    }

    /// Whether a firm with these texts can get another decision.
    #[must_use]
    pub fn may_change(&self, name: &str, scope: &str) -> bool {
        match &self.changed {
            Changed::Anything => [name, scope].iter().any(|text| self.before.occurs(text) || self.after.occurs(text)),
            Changed::Terms(None) => false,
            Changed::Terms(Some(matcher)) => [name, scope].iter().any(|text| matcher.occurs(text, self.after.characters())),
        }
    }

    /// The change of a firm's decision, if it changes; `answer` is that by the later lists.
    #[must_use]
    pub fn change(&self, firm: &Firm, answer: &Answer<'_>) -> Option<Change<'e>> {
        let before = self.before.screen(firm);
        (before.decision != answer.decision).then_some(Change { before, after: answer.decision })
    }
}

/// The files that are no instruments.
fn rest_of(files: &Files) -> impl Iterator<Item = (&str, &str)> {
    files.iter().filter(|(path, _)| !path.starts_with("national/") && !path.starts_with("local/"))
}

/// The terms, as they read, whose rules differ in what a decision depends on.
fn changed_terms(before: &Wordlists, after: &Wordlists) -> Vec<String> {
    let (mut before, after) = (rules_by_term(before), rules_by_term(after));
    let mut changed = Vec::new();
    for (term, rules) in after {
        if before.remove(&term).as_ref() != Some(&rules) {
            changed.push(term);
        }
    }
    changed.extend(before.into_keys());
    changed
}

fn rules_by_term(lists: &Wordlists) -> BTreeMap<String, Vec<String>> {
    let rules = |ids: &[crate::wordlist::RuleId]| {
        let mut rules: Vec<String> = ids.iter().map(|id| decides(lists, lists.rule(*id))).collect();
        rules.sort();
        rules
    };
    lists.terms().iter().map(|term| (term.read.clone(), [vec![term.field.id().to_owned()], rules(&term.rules)].concat())).collect()
}

/// All of a rule that a decision depends on.
fn decides(lists: &Wordlists, rule: &Rule) -> String {
    let instrument = &lists.instrument_of(rule).id;
    let Rule { id, jurisdiction, fields, kinds, events, approval, days, .. } = rule;
    format!("{instrument} {id} {jurisdiction} {fields:?} {kinds:?} {events:?} {approval} {days:?} {:?}", rule.counted_force())
}
