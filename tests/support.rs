//! What several tests need.

use std::sync::OnceLock;

use mingcha::{
    day, embedded,
    jurisdiction::Region,
    reach::Circumstances,
    screen::{Answer, Engine, Firm},
    vocabulary::{EntityKind, Event, Field},
};

/// The engine over the lists inside the binary, built once.
pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::build(&embedded::files()).unwrap_or_else(|problems| panic!("{problems}")))
}

/// An enterprise that is on the register.
pub(crate) fn circumstances(region: &str, date: &str) -> Circumstances {
    Circumstances {
        region: Region::parse(region).expect("a code"),
        kind: EntityKind::Enterprise,
        event: Event::Existing,
        day: day::parse(date).expect("a day"),
    }
}

/// A firm with one text.
pub(crate) fn firm(field: Field, text: &str, circumstances: Circumstances) -> Firm {
    let mut firm = Firm::blank(circumstances);
    match field {
        Field::Name => text.clone_into(&mut firm.name),
        Field::Scope => text.clone_into(&mut firm.scope),
        Field::Advertisement => text.clone_into(&mut firm.advertisement),
    }
    firm
}

/// An enterprise on the register, of no known place, on a fixed day.
pub(crate) fn plain(field: Field, text: &str) -> Firm {
    firm(field, text, circumstances("000000", "2026-11-01"))
}

/// The terms of the hits, as the lists spell them.
pub(crate) fn hit_terms(answer: &Answer<'_>) -> Vec<&'static str> {
    answer.hits.iter().map(|hit| engine().lists().term(hit.occurrence.term).text.as_str()).collect()
}
