//! The lists as messages, and drafts from messages.

use std::collections::BTreeSet;

use super::{
    Violation, number,
    request::{day_in, place_in},
    response::{basis, written},
    v1,
};
use crate::{
    day::Date,
    jurisdiction::Region,
    problem::Problems,
    screen::Engine,
    wordlist::{
        TermId, decides,
        instrument::{Informee, Instrument, Rule},
    },
};

/// Most files in a draft, and most that it takes away.
const MOST_FILES: usize = 64;
/// Longest path of a file, in bytes.
const LONGEST_PATH: usize = 128;

/// Which instruments are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct InstrumentFilter {
    region: Option<Region>,
    day: Option<Date>,
}

/// Reads which instruments are asked for.
///
/// # Errors
/// Every field that cannot be accepted.
pub fn instrument_filter(region: &str, date: &str, engine: &Engine) -> Result<InstrumentFilter, Vec<Violation>> {
    let region = if region.trim().is_empty() { Ok(None) } else { place_in("region", region, engine).map(Some) };
    let day = day_in("date", date);
    match (region, day) {
        (Ok(region), Ok(day)) => Ok(InstrumentFilter { region, day }),
        (region, day) => Err(region.err().into_iter().chain(day.err()).flatten().collect()),
    }
}

impl InstrumentFilter {
    fn lets(&self, instrument: &Instrument) -> bool {
        self.region.is_none_or(|region| region.chain().any(|place| place == instrument.jurisdiction))
            && self.day.is_none_or(|day| instrument.days.contains(day))
    }
}

/// The instruments that are asked for.
#[must_use]
pub fn instruments(engine: &Engine, only: &InstrumentFilter) -> v1::ListInstrumentsResponse {
    let lists = engine.lists();
    let mut instruments: Vec<v1::Instrument> =
        lists.instruments().iter().filter(|instrument| only.lets(instrument)).map(|instrument| head(engine, instrument)).collect();
    instruments.sort_by(|one, other| one.id.cmp(&other.id));
    v1::ListInstrumentsResponse { instruments, lists_hash: lists.hash().to_owned() }
}

/// An instrument with its rules; `content` is its file.
#[must_use]
pub fn instrument_in_full(engine: &Engine, instrument: &Instrument, content: &str) -> v1::GetInstrumentResponse {
    v1::GetInstrumentResponse {
        instrument: Some(head(engine, instrument)),
        rules: rules_of(engine, instrument).map(rule).collect(),
        content: content.to_owned(),
        lists_hash: engine.lists().hash().to_owned(),
    }
}

fn rules_of<'e>(engine: &'e Engine, instrument: &'e Instrument) -> impl Iterator<Item = &'e Rule> {
    let lists = engine.lists();
    lists.rules().iter().filter(|rule| lists.instrument_of(rule).id == instrument.id)
}

fn head(engine: &Engine, instrument: &Instrument) -> v1::Instrument {
    let terms: BTreeSet<&str> = rules_of(engine, instrument).flat_map(|rule| &rule.listed).map(|listed| listed.text.as_str()).collect();
    v1::Instrument {
        id: instrument.id.clone(),
        file: instrument.file.clone(),
        title: instrument.title.clone(),
        document_number: instrument.document_number.clone(),
        issuer: instrument.issuer.clone(),
        jurisdiction: instrument.jurisdiction.to_string(),
        jurisdiction_name: engine.lists().divisions().full_name(instrument.jurisdiction).unwrap_or_default(),
        valid_from: written(instrument.days.from),
        valid_until: written(instrument.days.to),
        source: instrument.source.clone(),
        wording: number(instrument.wording),
        note: instrument.note.clone().unwrap_or_default(),
        rule_count: count(rules_of(engine, instrument).count()),
        term_count: count(terms.len()),
    }
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX) // lists have far fewer of anything
}

fn rule(rule: &Rule) -> v1::Rule {
    let informed = rule.inform.iter().map(|informee| match informee {
        Informee::FinancialAuthorities => "financial-authorities".to_owned(),
        Informee::Body(id) => id.to_string(),
    });
    let terms = rule.listed.iter().map(|listed| v1::ListedTerm { text: listed.text.clone(), business_field: number(listed.field) });
    v1::Rule {
        id: rule.id.clone(),
        article: rule.article.clone(),
        clause: rule.clause.clone(),
        fields: rule.fields.iter().map(number).collect(),
        entity_kinds: rule.kinds.iter().map(number).collect(),
        events: rule.events.iter().map(number).collect(),
        force: number(rule.force),
        approval: rule.approval,
        inform: informed.collect(),
        valid_from: written(rule.days.from),
        valid_until: written(rule.days.to),
        wording: number(rule.wording),
        note: rule.note.clone().unwrap_or_default(),
        terms: terms.collect(),
    }
}

/// A term and all that names it.
#[must_use]
pub fn term(engine: &Engine, id: TermId) -> v1::FindTermResponse {
    let term = engine.lists().term(id);
    v1::FindTermResponse {
        term: term.text.clone(),
        read_as: term.read.clone(),
        business_field: number(term.field),
        bases: term.rules.iter().map(|rule| basis(*rule, engine)).collect(),
        lists_hash: engine.lists().hash().to_owned(),
    }
}

/// Problems of lists.
#[must_use]
pub fn problems(problems: &Problems) -> Vec<v1::ListProblem> {
    let problem = |problem: &crate::problem::Problem| v1::ListProblem {
        file: problem.file.clone(),
        line: count(problem.line),
        message: problem.message.clone(),
    };
    problems.list().iter().map(problem).collect()
}

/// A draft that can be laid over a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Files by path.
    pub files: Vec<(String, String)>,
    /// Paths of files that are taken away.
    pub removed: Vec<String>,
    /// Hash of the version underneath; empty for the one in use.
    pub base: String,
}

/// Reads a draft.
///
/// # Errors
/// Every field that cannot be accepted.
pub fn draft(message: v1::Draft) -> Result<Draft, Vec<Violation>> {
    let mut violations = Vec::new();
    let mut refuse = |field: String, message: String| violations.push(Violation { field, message });
    for (field, count) in [("draft.files", message.files.len()), ("draft.removed", message.removed.len())] {
        if count > MOST_FILES {
            refuse(field.to_owned(), format!("{count} files; at most {MOST_FILES}"));
        }
    }
    let mut seen = BTreeSet::new();
    let files = message.files.iter().enumerate().map(|(index, file)| (format!("draft.files[{index}].path"), &file.path));
    let removed = message.removed.iter().enumerate().map(|(index, path)| (format!("draft.removed[{index}]"), path));
    for (field, path) in files.chain(removed) {
        if let Err(why) = check_path(path) {
            refuse(field, why);
        } else if !seen.insert(path) {
            refuse(field, format!("'{path}' stands twice in this draft"));
        }
    }
    if !violations.is_empty() {
        return Err(violations);
    }
    let files = message.files.into_iter().map(|file| (file.path, file.content)).collect();
    Ok(Draft { files, removed: message.removed, base: message.base_lists_hash })
}

/// Whether a path stays inside a wordlists folder and names a file that can decide.
fn check_path(path: &str) -> Result<(), String> {
    let shown = || path.chars().take(LONGEST_PATH).collect::<String>().escape_debug().to_string();
    let clean = |part: &str| {
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    if path.len() > LONGEST_PATH || !path.split('/').all(clean) {
        return Err(format!("'{}' is no path inside a wordlists folder: names of letters, digits, - _ . with / between", shown()));
    }
    if !decides(path) {
        return Err(format!("'{}' cannot change a decision: a list ends in .toml, .tsv or .txt", shown()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_path;

    #[test]
    fn paths_stay_inside_the_folder() {
        for good in ["national/gbf2016-21.toml", "fields.toml", "language/words.tsv", "a/b/c_d.txt"] {
            assert_eq!(check_path(good), Ok(()), "{good}");
        }
        let long = format!("{}.toml", "x".repeat(200));
        let bad = [
            "",
            "/",
            "/etc/passwd.toml",
            "../fields.toml",
            "a/../../b.toml",
            "a//b.toml",
            "./a.toml",
            "a/.hidden.toml",
            "a\\b.toml",
            "a\0.toml",
            "词表.toml",
            "a b.toml",
            "README.md",
            "NOTICE-x.txt",
            "noextension",
            &long,
        ];
        for bad in bad {
            assert!(check_path(bad).is_err(), "{bad:?}");
        }
    }
}
