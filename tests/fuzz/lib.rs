//! What the fuzz targets share: the engine, and what must hold of every answer.

use std::{cmp::Reverse, collections::HashSet, sync::LazyLock};

use mingcha::{
    day::{self, Date},
    embedded,
    normalize::Span,
    screen::{Answer, Engine, Firm, Occurrence, Reason},
    vocabulary::Decision,
    wire::{Bases, Understood, respond},
};

/// The engine on the lists inside the crate.
pub static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::build(&embedded::files()).unwrap_or_else(|problems| panic!("{problems}")));

/// The day that stands for today.
///
/// # Panics
/// Never: it is one.
#[must_use]
pub fn today() -> Date {
    day::parse("2026-01-01").expect("a day")
}

/// Screens a firm, writes the answer, and checks all that must hold of both.
///
/// # Panics
/// Where something does not hold.
pub fn check(understood: &Understood) {
    let firm = &understood.firm;
    let answer = ENGINE.screen(firm);
    assert_eq!(answer, ENGINE.screen(firm), "the same firm, another answer");
    check_spans(firm, &answer);
    check_hits(firm, &answer);
    let decision = answer.hits.iter().map(|hit| ENGINE.decision(hit)).max();
    assert_eq!(answer.decision, decision.unwrap_or(Decision::Pass));

    let inline = respond(understood, &answer, &ENGINE, &mut Bases::Inline);
    let mut bases = Bases::shared();
    let shared = respond(understood, &answer, &ENGINE, &mut bases);
    let bases = bases.into_shared();
    assert_eq!(inline.hits.len(), answer.hits.len());
    assert_eq!(inline.cleared.len(), answer.cleared.len());
    for (inline, shared) in inline.hits.iter().zip(&shared.hits) {
        let pointed: Vec<_> = shared.basis_indexes.iter().map(|index| bases[*index as usize].clone()).collect();
        assert_eq!(inline.bases, pointed);
    }
    serde_json::to_string(&inline).expect("an answer is JSON");
}

fn check_spans(firm: &Firm, answer: &Answer<'_>) {
    let hits = answer.hits.iter().map(|hit| &hit.occurrence);
    let cleared = answer.cleared.iter().map(|cleared| &cleared.occurrence);
    let mut seen = HashSet::new();
    for occurrence in hits.chain(cleared) {
        check_span(occurrence.span, firm.text(occurrence.field));
        assert!(seen.insert((occurrence.field, occurrence.span, occurrence.term)), "{occurrence:?} is found twice");
    }
    for cleared in &answer.cleared {
        let text = firm.text(cleared.occurrence.field);
        match cleared.reason {
            Reason::WordBoundary(span) => check_span(span, text),
            Reason::Excluded(span, why) | Reason::Mention(span, why) => {
                check_span(span, text);
                assert!(!why.is_empty(), "{cleared:?} has no reason");
            }
            Reason::Licensed(index) => assert!(index < firm.licences.len(), "{cleared:?} has no such licence"),
            Reason::NotApplicable => {}
        }
    }
}

/// A span is not empty, stands inside its text, on whole characters, and its offsets in scalars are those of its
/// offsets in bytes.
fn check_span(span: Span, text: &str) {
    let (start, end) = (span.start_byte as usize, span.end_byte as usize);
    let cut = text.get(start..end).unwrap_or_else(|| panic!("{span:?} is no stretch of '{text}'"));
    assert!(!cut.is_empty(), "{span:?} of '{text}' is empty");
    assert_eq!(span.of(text), cut);
    assert_eq!(text[..start].chars().count(), span.start_char as usize, "{span:?} of '{text}'");
    assert_eq!(text[..end].chars().count(), span.end_char as usize, "{span:?} of '{text}'");
}

fn check_hits(firm: &Firm, answer: &Answer<'_>) {
    let place = |occurrence: &Occurrence| (occurrence.field, occurrence.span.start_byte, Reverse(occurrence.span.end_byte));
    assert!(answer.hits.is_sorted_by_key(|hit| place(&hit.occurrence)), "{:?} are not in order", answer.hits);
    for (index, hit) in answer.hits.iter().enumerate() {
        let Occurrence { field, span, .. } = hit.occurrence;
        assert!(!hit.rules.is_empty(), "{hit:?} rests on nothing");
        for rule in &hit.rules {
            let misses = firm.circumstances.misses(ENGINE.lists().rule(*rule), field);
            assert!(misses.is_empty(), "{hit:?} rests on {rule:?}, which does not reach it");
        }
        let covers = |outer: &Occurrence| outer.field == field && outer.span.covers(&span);
        match hit.within {
            Some(outer) => assert!(outer < index && covers(&answer.hits[outer].occurrence), "{hit:?} is not within {outer}"),
            None => assert!(!answer.hits[..index].iter().any(|outer| covers(&outer.occurrence)), "{hit:?} is within another"),
        }
    }
}
