//! From an answer of the engine to what is recorded (筛查入档).

use sha2::{Digest, Sha256};

use crate::{
    jurisdiction::Region,
    screen::{Answer, Engine, Firm, Hit},
    vocabulary::{Field, Force},
    watch::{
        Source,
        command::{self, Inform, Screening},
        file::{Reason, Screened},
    },
};

/// What a screening comes to, to be recorded. `uscc` in capitals.
#[must_use]
pub fn screening(
    firm: &Firm,
    uscc: Option<String>,
    answer: &Answer<'_>,
    engine: &Engine,
    (source, operates): (Source, Vec<Region>),
) -> Screening {
    let circumstances = &firm.circumstances;
    let who = command::Firm { name: firm.name.clone(), uscc, registered: circumstances.region, kind: circumstances.kind };
    let screened =
        Screened { decision: answer.decision, lists_hash: engine.lists().hash().to_owned(), day: circumstances.day, texts: texts(firm) };
    let inform = answer.inform.iter().map(|informed| Inform {
        body: informed.body,
        why: informed.told.about().to_owned(),
        fields: informed.fields.iter().collect(),
    });
    Screening {
        firm: who,
        event: circumstances.event,
        operates,
        source,
        screened,
        reasons: reasons(firm, answer, engine),
        inform: inform.collect(),
    }
}

/// SHA-256 of the texts, each behind its length.
fn texts(firm: &Firm) -> String {
    let mut hasher = Sha256::new();
    for field in Field::ALL {
        let text = firm.text(*field);
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text);
    }
    crate::journal::Hash(hasher.finalize().into()).to_string()
}

/// Every term that counts, once for each text it stands in.
fn reasons(firm: &Firm, answer: &Answer<'_>, engine: &Engine) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = Vec::new();
    for hit in &answer.hits {
        let term = &engine.lists().term(hit.occurrence.term).text;
        let field = hit.occurrence.field;
        match reasons.iter_mut().find(|known| known.term == *term && known.field == field) {
            None => reasons.push(reason(firm, hit, engine)),
            Some(known) => known.rules.extend(rules(hit, engine).filter(|rule| !known.rules.contains(rule)).collect::<Vec<_>>()),
        }
    }
    reasons
}

fn reason(firm: &Firm, hit: &Hit, engine: &Engine) -> Reason {
    let lists = engine.lists();
    let term = lists.term(hit.occurrence.term);
    Reason {
        term: term.text.clone(),
        field: hit.occurrence.field,
        text: hit.occurrence.span.of(firm.text(hit.occurrence.field)).to_owned(),
        business: term.field,
        force: hit.rules.iter().map(|id| lists.rule(*id).counted_force()).max().unwrap_or(Force::Attend),
        rules: rules(hit, engine).collect(),
        lists_hash: lists.hash().to_owned(),
    }
}

fn rules(hit: &Hit, engine: &Engine) -> impl Iterator<Item = String> {
    let lists = engine.lists();
    hit.rules.iter().map(|id| {
        let rule = lists.rule(*id);
        format!("{}/{}", lists.instrument_of(rule).id, rule.id)
    })
}
