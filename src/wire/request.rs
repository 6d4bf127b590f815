//! From a request message to a firm, or everything that is wrong with it.

use std::fmt;

use crate::{
    day::{self, Date, Days},
    jurisdiction::{Region, Standing},
    licence::Licence,
    normalize::Normalized,
    reach::Circumstances,
    screen::{Engine, Firm, LONGEST_NAME, LONGEST_TEXT},
    set::Member,
    uscc,
    vocabulary::{EntityKind, Event, LicenceKind},
};

use super::{member, v1};

/// Longest region, number or other short text of a request, in bytes.
pub(super) const LONGEST_SHORT: usize = 1024;
/// Most licences of one firm, and most terms of one approval.
const MOST_LICENCES: usize = 64;

/// One field of a request that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, e.g. `licences[0].valid_until`; empty where it is the request as a whole.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => f.write_str(&self.message),
            field => write!(f, "{field}: {}", self.message),
        }
    }
}

impl Violation {
    /// The same, of a field inside a larger message.
    #[must_use]
    pub fn within(self, path: &dyn Fn(&str) -> String) -> Self {
        Self { field: path(&self.field), message: self.message }
    }
}

/// A request that can be answered.
#[derive(Debug, Clone)]
pub struct Understood {
    /// The firm.
    pub firm: Firm,
    /// What the caller should look at.
    pub warnings: Vec<v1::Warning>,
    /// Whether every near miss is to be listed.
    pub explain: bool,
}

/// Reads a request; `today` is the day where it names none.
///
/// # Errors
/// Every field that cannot be accepted.
pub fn understand(request: v1::ScreenRequest, engine: &Engine, today: Date) -> Result<Understood, Vec<Violation>> {
    let mut reader = Reader::new(engine);
    reader.name(&request.name);
    reader.length("scope", &request.scope, LONGEST_TEXT);
    reader.length("advertisement", &request.advertisement, LONGEST_TEXT);
    reader.uscc(&request.uscc);
    reader.lists_hash(&request.lists_hash);
    let circumstances = Circumstances {
        region: reader.region("region", &request.region),
        kind: reader.choice("entity_kind", request.entity_kind, EntityKind::Enterprise),
        event: reader.choice("event", request.event, Event::Establish),
        day: reader.day("date", &request.date).unwrap_or(today),
    };
    let licences = reader.licences(&request.licences, circumstances.day);
    if !reader.violations.is_empty() {
        return Err(reader.violations);
    }
    let firm = Firm { name: request.name, scope: request.scope, advertisement: request.advertisement, circumstances, licences };
    Ok(Understood { firm, warnings: reader.warnings, explain: request.explain })
}

/// The place that a field names.
pub(super) fn place_in(field: &str, text: &str, engine: &Engine) -> Result<Region, Vec<Violation>> {
    let mut reader = Reader::new(engine);
    let region = reader.region(field, text);
    reader.done(region)
}

/// The day that a field names, if it names one.
pub(crate) fn day_in(field: &str, text: &str) -> Result<Option<Date>, Vec<Violation>> {
    let refused = |error: day::DayError| vec![Violation { field: field.to_owned(), message: error.to_string() }];
    if text.is_empty() { Ok(None) } else { day::parse(text).map(Some).map_err(refused) }
}

/// Reads the fields of a request, and gathers what is wrong with them.
pub(super) struct Reader<'e> {
    pub(super) engine: &'e Engine,
    violations: Vec<Violation>,
    warnings: Vec<v1::Warning>,
}

impl<'e> Reader<'e> {
    pub(super) fn new(engine: &'e Engine) -> Self {
        Self { engine, violations: Vec::new(), warnings: Vec::new() }
    }

    /// What was read, where nothing was wrong.
    pub(super) fn done<T>(self, read: T) -> Result<T, Vec<Violation>> {
        if self.violations.is_empty() { Ok(read) } else { Err(self.violations) }
    }
}

impl Reader<'_> {
    pub(super) fn refuse(&mut self, field: &str, message: impl Into<String>) {
        self.violations.push(Violation { field: field.to_owned(), message: message.into() });
    }

    fn warn(&mut self, field: &str, code: &str, message: impl Into<String>) {
        self.warnings.push(v1::Warning { field: field.to_owned(), code: code.to_owned(), message: message.into() });
    }

    pub(super) fn name(&mut self, name: &str) {
        let length = name.chars().count();
        if name.trim().is_empty() {
            self.refuse("name", "a firm's name is needed");
        } else if length > LONGEST_NAME {
            self.refuse("name", format!("{length} characters; at most {LONGEST_NAME}"));
        }
    }

    pub(super) fn length(&mut self, field: &str, text: &str, most: usize) -> bool {
        if text.len() > most {
            self.refuse(field, format!("{} bytes; at most {most}", text.len()));
        }
        text.len() <= most
    }

    fn uscc(&mut self, code: &str) {
        if code.is_empty() || !self.length("uscc", code, LONGEST_SHORT) {
            return;
        }
        match uscc::check(code) {
            Ok(()) => {}
            Err(error @ uscc::UsccError::CheckDigit { .. }) => self.warn("uscc", "USCC_CHECK_DIGIT", error.to_string()),
            Err(error) => self.warn("uscc", "USCC_MALFORMED", error.to_string()),
        }
    }

    /// Whoever has other lists than the engine's answers from them before it comes to this.
    fn lists_hash(&mut self, hash: &str) {
        let ours = self.engine.lists().hash();
        if !hash.is_empty() && hash != ours {
            self.refuse("lists_hash", format!("the lists at hand are {ours}, and no others"));
        }
    }

    pub(super) fn region(&mut self, field: &str, text: &str) -> Region {
        let text = text.trim();
        if text.is_empty() || !self.length(field, text, LONGEST_SHORT) {
            return Region::NATION;
        }
        let divisions = self.engine.lists().divisions();
        let read = Normalized::of(text, self.engine.characters()).text(); // 馬鞍山 is 马鞍山, and not 鞍山
        let Some(region) = Region::parse(&read).ok().or_else(|| divisions.resolve(&read)) else {
            self.refuse(field, format!("'{text}' is neither a GB/T 2260 code of six digits nor the name of one known place"));
            return Region::NATION;
        };
        match divisions.standing(region) {
            Standing::Current => {}
            Standing::Retired { successor, name } => {
                let message = format!("{region} {name} was withdrawn; its successor is {successor}");
                self.warn(field, "REGION_RETIRED", message);
            }
            Standing::UnknownUnder(known) => {
                let name = divisions.full_name(known).unwrap_or_default();
                self.warn(field, "REGION_UNKNOWN", format!("{region} is not a known division; judged as under {known} {name}"));
            }
            Standing::Unknown => self.refuse(field, format!("'{text}': no province has this code")),
        }
        region
    }

    pub(super) fn choice<T: Member>(&mut self, field: &str, number: i32, default: T) -> T {
        match member(number) {
            Some(value) => value,
            None if number == 0 => default,
            None => {
                self.refuse(field, format!("{number} is not a value of this enum"));
                default
            }
        }
    }

    pub(super) fn day(&mut self, field: &str, text: &str) -> Option<Date> {
        day_in(field, text).unwrap_or_else(|violations| {
            self.violations.extend(violations);
            None
        })
    }

    fn licences(&mut self, messages: &[v1::Licence], day: Date) -> Vec<Licence> {
        if messages.len() > MOST_LICENCES {
            self.refuse("licences", format!("{} licences; at most {MOST_LICENCES}", messages.len()));
            return Vec::new();
        }
        messages.iter().enumerate().filter_map(|(index, message)| self.licence(&format!("licences[{index}]"), message, day)).collect()
    }

    fn licence(&mut self, path: &str, message: &v1::Licence, day: Date) -> Option<Licence> {
        let kind: Option<LicenceKind> = member(message.kind);
        if kind.is_none() {
            self.refuse(&format!("{path}.kind"), "a licence has a kind");
        }
        if message.number.trim().is_empty() {
            self.warn(path, "LICENCE_INCOMPLETE", "a licence has a number; without one it cannot be looked up");
        }
        self.length(&format!("{path}.number"), &message.number, LONGEST_SHORT);
        self.length(&format!("{path}.issuer"), &message.issuer, LONGEST_SHORT);
        let from = self.day(&format!("{path}.valid_from"), &message.valid_from);
        let to = self.day(&format!("{path}.valid_until"), &message.valid_until);
        if let (Some(from), Some(to)) = (from, to)
            && to < from
        {
            self.refuse(&format!("{path}.valid_until"), "the last day is before the first");
        }
        let days = Days { from, to };
        if !days.contains(day) {
            self.warn(path, "LICENCE_NOT_VALID", format!("not valid on {day}: it exempts nothing"));
        }
        let terms = self.approved_terms(&format!("{path}.terms"), kind?, &message.terms);
        Some(Licence { kind: kind?, number: message.number.clone(), issuer: message.issuer.clone(), days, terms })
    }

    /// The terms an approval names, as the engine reads them.
    fn approved_terms(&mut self, field: &str, kind: LicenceKind, terms: &[String]) -> Vec<String> {
        match (kind, terms.is_empty()) {
            (LicenceKind::Approval, true) => self.refuse(field, "an approval names the terms it covers"),
            (LicenceKind::Approval, false) | (_, true) => {}
            (_, false) => self.refuse(field, "only an approval names terms; a licence exempts its fields of business"),
        }
        if terms.len() > MOST_LICENCES {
            self.refuse(field, format!("{} terms; at most {MOST_LICENCES}", terms.len()));
            return Vec::new();
        }
        let mut read = Vec::with_capacity(terms.len());
        for term in terms.iter().filter(|term| term.len() <= LONGEST_SHORT) {
            let as_read = Normalized::of(term, self.engine.characters()).text();
            let known = self.engine.term(term).map(|id| self.engine.lists().term(id).read.clone());
            if known.is_none() {
                self.warn(field, "TERM_UNKNOWN", format!("'{term}' is no term of the lists"));
            }
            read.push(known.unwrap_or(as_read));
        }
        read
    }
}
