//! Language, one line a case: `tests/data/{mentions,boundaries,exclusions}.toml`.

use mingcha::{screen::Reason, vocabulary::Field};
use serde::Deserialize;

use crate::support::{engine, plain};

#[derive(Deserialize)]
struct Table {
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    field: String,
    term: String,
    expect: String,
}

/// What becomes of each occurrence of the case's term.
fn outcomes(case: &Case) -> Vec<&'static str> {
    let field = Field::from_id(&case.field).expect("a field");
    let firm = plain(field, &case.text);
    let answer = engine().screen(&firm);
    let is_term = |term| engine().lists().term(term).text == case.term;
    let hits = answer.hits.iter().filter(|hit| is_term(hit.occurrence.term)).map(|_| "HIT");
    let cleared = answer.cleared.iter().filter(|cleared| is_term(cleared.occurrence.term)).map(|cleared| match cleared.reason {
        Reason::WordBoundary(_) => "WORD_BOUNDARY",
        Reason::Excluded(..) => "EXCLUDED",
        Reason::Mention(..) => "MENTION",
        Reason::Licensed(_) => "LICENSED",
        Reason::NotApplicable => "NOT_APPLICABLE",
    });
    hits.chain(cleared).collect()
}

/// HIT: one occurrence at least is a hit. Any other: no occurrence is a hit, and one at least is cleared so.
fn check(source: &str) {
    let table: Table = toml::from_str(source).expect("a table of cases");
    assert!(table.case.len() >= 80, "only {} cases", table.case.len());
    let mut wrong = Vec::new();
    for case in &table.case {
        let outcomes = outcomes(case);
        let hit = outcomes.contains(&"HIT");
        if !outcomes.contains(&case.expect.as_str()) || (hit && case.expect != "HIT") {
            wrong.push(format!("{} in “{}”: expected {}, found {outcomes:?}", case.term, case.text, case.expect));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), table.case.len(), wrong.join("\n"));
}

#[test]
fn mentions_are_no_business() {
    check(include_str!("data/mentions.toml"));
}

#[test]
fn words_that_cross_an_edge_clear_it() {
    check(include_str!("data/boundaries.toml"));
}

#[test]
fn exclusions_reach_as_far_as_they_should() {
    check(include_str!("data/exclusions.toml"));
}
