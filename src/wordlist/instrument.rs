//! Legal instruments (文件) and their rules.

use crate::{
    day::{Date, Days},
    jurisdiction::{Divisions, Region},
    problem::Problem,
    set::Set,
    vocabulary::{BusinessField, EntityKind, Event, Field, Force, Wording},
};

use super::{
    document::{Document, Entry, Located},
    tables::{BodyId, Tables, region},
};

/// A legal instrument.
#[derive(Debug, Clone)]
pub struct Instrument {
    /// Its id: the file's name without `.toml`.
    pub id: String,
    /// Its file, inside the wordlists folder.
    pub file: String,
    /// Title.
    pub title: String,
    /// Document number (文号).
    pub document_number: String,
    /// Who issued it.
    pub issuer: String,
    /// Where it holds: there and in every place below.
    pub jurisdiction: Region,
    /// When it holds.
    pub days: Days,
    /// Where its wording was read.
    pub source: String,
    /// How its wording is known.
    pub wording: Wording,
    /// What a reader should know.
    pub note: Option<String>,
}

/// Whom a rule says to inform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Informee {
    /// 金融管理部门: the finance office of the firm's city and the lead for the field of business.
    FinancialAuthorities,
    /// A body by name.
    Body(BodyId),
}

/// A rule of an instrument.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its id within the instrument.
    pub id: String,
    /// Index of its instrument.
    pub instrument: usize,
    /// Where it holds: its instrument's jurisdiction.
    pub jurisdiction: Region,
    /// Where in the document.
    pub article: String,
    /// The operative words.
    pub clause: String,
    /// The texts it speaks of.
    pub fields: Set<Field>,
    /// The kinds of entity it speaks of.
    pub kinds: Set<EntityKind>,
    /// The events it speaks of.
    pub events: Set<Event>,
    /// Its force as written.
    pub force: Force,
    /// Whether the consent of the competent body exempts from it (未经批准, 原则上).
    pub approval: bool,
    /// Whom it says to inform.
    pub inform: Vec<Informee>,
    /// When it holds.
    pub days: Days,
    /// How its wording is known.
    pub wording: Wording,
    /// What a reader should know: the rule's own note, else the instrument's.
    pub note: Option<String>,
    /// Its terms as listed.
    pub listed: Vec<Listed>,
}

impl Rule {
    /// Its force after what its wording allows: a recalled rule never counts for more than ATTEND.
    #[must_use]
    pub fn counted_force(&self) -> Force {
        match self.wording {
            Wording::Verbatim | Wording::Reported => self.force,
            Wording::Recalled => Force::Attend,
        }
    }
}

/// A term as a rule lists it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// As spelled.
    pub text: String,
    /// Its field of business.
    pub field: BusinessField,
    /// The spelling elsewhere that it is the same as.
    pub same_as: Option<String>,
    /// Its line.
    pub line: usize,
}

/// A text that must hit whenever the lists are loaded.
#[derive(Debug, Clone)]
pub struct Canary {
    /// The instrument's id: a hit must rest on one of its rules.
    pub instrument: String,
    /// Its file and line.
    pub file: String,
    /// 1-based line.
    pub line: usize,
    /// The text.
    pub text: String,
    /// The terms it must hit.
    pub terms: Vec<String>,
}

/// What one file holds. The instrument is absent where its head could not be read.
pub(super) struct Read {
    pub(super) instrument: Option<Instrument>,
    pub(super) rules: Vec<Rule>,
    pub(super) canaries: Vec<Canary>,
}

/// Reads one file, adding what is wrong with it to `problems`.
pub(super) fn read(path: &str, text: &str, tables: &Tables, divisions: &Divisions, problems: &mut Vec<Problem>) -> Read {
    let (read, found) = Document::read(path, text, |entry| {
        let instrument = head(path, entry, divisions);
        let mut rules: Vec<Rule> = Vec::new();
        for rule in entry.entries("rule", |entry| rule(entry, instrument.as_ref(), tables)) {
            let Some((line, rule)) = rule else { continue };
            if rules.iter().any(|before| before.id == rule.id) {
                entry.report(line, format!("rule id '{}' stands twice", rule.id));
            }
            rules.push(rule);
        }
        if rules.is_empty() {
            entry.report(0, "an instrument without a rule");
        }
        let id = instrument.as_ref().map_or("", |instrument| &instrument.id);
        let canaries = entry.entries("canary", |entry| canary(path, id, entry));
        Read { instrument, rules, canaries }
    });
    problems.extend(found);
    read.unwrap_or(Read { instrument: None, rules: Vec::new(), canaries: Vec::new() })
}

fn head(path: &str, entry: &mut Entry<'_, '_>, divisions: &Divisions) -> Option<Instrument> {
    let id = entry.text("id");
    let stem = path.rsplit('/').next().and_then(|name| name.strip_suffix(".toml")).unwrap_or(path);
    if id.value != stem {
        entry.report(id.line, format!("id '{}' must be the file's name, '{stem}'", id.value));
    }
    let title = entry.text("title").value;
    let document_number = entry.text("document_number").value;
    let issuer = entry.text("issuer").value;
    let code = entry.text("jurisdiction");
    let jurisdiction = region(&code.value, divisions).map_err(|why| entry.report(code.line, why)).ok();
    let days = days(entry, Days::default());
    if days.from.is_none() {
        entry.report(entry.line(), "'from' is missing: the first day in force");
    }
    let source = entry.text("source").value;
    let wording = entry.required_word("wording", Wording::from_id);
    let note = entry.optional_text("note").map(|note| note.value);
    Some(Instrument {
        id: id.value,
        file: path.to_owned(),
        title,
        document_number,
        issuer,
        jurisdiction: jurisdiction?,
        days,
        source,
        wording: wording?,
        note,
    })
}

fn days(entry: &mut Entry<'_, '_>, outer: Days) -> Days {
    let own = Days { from: entry.day("from"), to: entry.day("to") };
    let days = Days { from: own.from.or(outer.from), to: own.to.or(outer.to) };
    if let (Some(from), Some(to)) = (days.from, days.to)
        && to < from
    {
        entry.report(entry.line(), format!("the last day {to} is before the first day {from}"));
    }
    let outside = |day: Option<Date>| day.is_some_and(|day| !outer.contains(day));
    if outside(own.from) || outside(own.to) {
        entry.report(entry.line(), "a rule's days must be within its instrument's");
    }
    days
}

fn rule(entry: &mut Entry<'_, '_>, instrument: Option<&Instrument>, tables: &Tables) -> Option<(usize, Rule)> {
    let id = entry.text("id");
    let article = entry.text("article").value;
    let clause = entry.text("clause").value;
    let fields = named_set(entry, "where", Field::from_id);
    let kinds = named_set(entry, "whom", EntityKind::from_id);
    let events = entry.words("events", Event::from_id).map_or_else(|| Event::ALL.iter().copied().collect(), Set::from_iter);
    if events.is_empty() {
        entry.report(entry.line(), "'events' is empty: leave it out for all four");
    }
    let force = entry.required_word("force", Force::from_id);
    let approval = entry.flag("approval");
    let inform = entry.words("inform", |text| informee(text, tables)).unwrap_or_default();
    let days = days(entry, instrument.map_or_else(Days::default, |instrument| instrument.days));
    let wording = entry.word("wording", Wording::from_id);
    let note = entry.optional_text("note").map(|note| note.value);
    let listed: Vec<Listed> = entry.entries("terms", listed).into_iter().flatten().collect();
    if listed.is_empty() {
        entry.report(entry.line(), "a rule without a term");
    }
    let instrument = instrument?;
    let rule = Rule {
        id: id.value,
        instrument: usize::MAX, // set when the instrument is added to the lists
        jurisdiction: instrument.jurisdiction,
        article,
        clause,
        fields,
        kinds,
        events,
        force: force?,
        approval,
        inform,
        days,
        wording: wording.unwrap_or(instrument.wording),
        note: note.or_else(|| instrument.note.clone()),
        listed,
    };
    Some((id.line, rule))
}

fn named_set<T: crate::set::Member>(entry: &mut Entry<'_, '_>, key: &'static str, parse: impl Fn(&str) -> Option<T>) -> Set<T> {
    let words = entry.words(key, parse);
    if words.as_ref().is_none_or(Vec::is_empty) {
        entry.report(entry.line(), format!("'{key}' is missing or empty"));
    }
    words.into_iter().flatten().collect()
}

fn informee(text: &str, tables: &Tables) -> Option<Informee> {
    if text == "financial-authorities" {
        return Some(Informee::FinancialAuthorities);
    }
    let id = BodyId::parse(text)?;
    tables.is_known_body(&id).then_some(Informee::Body(id))
}

fn listed(entry: &mut Entry<'_, '_>) -> Option<Listed> {
    let Located { value: text, line } = entry.text("term");
    let field = entry.required_word("field", BusinessField::from_id);
    let same_as = entry.optional_text("same_as").map(|same| same.value);
    Some(Listed { text, field: field?, same_as, line })
}

fn canary(path: &str, instrument: &str, entry: &mut Entry<'_, '_>) -> Canary {
    let text = entry.text("text");
    let terms = entry.required_texts("terms").into_iter().map(|term| term.value).collect();
    Canary { instrument: instrument.to_owned(), file: path.to_owned(), line: text.line, text: text.value, terms }
}
