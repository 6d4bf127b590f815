//! Closed tables: fields of business, licence kinds, public bodies, and who leads.

use std::fmt;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::{
    day::{Date, Days},
    jurisdiction::{Divisions, Region, Standing},
    problem::Problem,
    set::Set,
    vocabulary::{BusinessField, Function, LicenceKind, Wording},
};

use super::{
    Files,
    document::{Document, Entry},
};

const FIELDS: &str = "fields.toml";
const LICENCES: &str = "licences.toml";
const FUNCTIONS: &str = "functions.toml";
const BODIES: &str = "bodies.toml";
const ROUTING: &str = "routing.toml";

/// A public body: what it does, and for which place. Written `320100/finance-office`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BodyId {
    /// Its place.
    pub region: Region,
    /// What it does.
    pub function: Function,
}

impl BodyId {
    /// Reads `REGION/FUNCTION`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (region, function) = text.split_once('/')?;
        Some(Self { region: Region::parse(region).ok()?, function: Function::from_id(function)? })
    }
}

impl From<BodyId> for String {
    fn from(body: BodyId) -> Self {
        body.to_string()
    }
}

impl TryFrom<String> for BodyId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("'{text}' is no REGION/FUNCTION"))
    }
}

impl fmt::Display for BodyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.region, self.function.id())
    }
}

/// A name that a body bore for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatedName {
    /// The name.
    pub name: String,
    /// When.
    pub days: Days,
    /// How it is known.
    pub wording: Wording,
}

/// Who leads for some fields of business in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// The place, and all below it that have no lead of their own.
    pub jurisdiction: Region,
    /// The fields.
    pub fields: Set<BusinessField>,
    /// The bodies that lead; they are told.
    pub lead: Vec<BodyId>,
    /// The bodies that guide the lead; they are not told.
    pub guide: Vec<BodyId>,
    /// Where it is said.
    pub source: String,
    /// How it is known.
    pub wording: Wording,
}

/// The closed tables.
#[derive(Debug)]
pub struct Tables {
    exempts: FxHashMap<LicenceKind, Set<BusinessField>>,
    functions: FxHashMap<Function, Vec<DatedName>>,
    bodies: FxHashMap<BodyId, Vec<DatedName>>,
    leads: Vec<Lead>,
    lead_of: FxHashMap<(Region, BusinessField), usize>,
}

impl Tables {
    pub(super) fn load(files: &Files, divisions: &Divisions, problems: &mut Vec<Problem>) -> Self {
        check_fields(files, problems);
        let mut tables = Self {
            exempts: licences(files, problems),
            functions: functions(files, problems),
            bodies: bodies(files, divisions, problems),
            leads: Vec::new(),
            lead_of: FxHashMap::default(),
        };
        tables.route(files, divisions, problems);
        tables
    }

    /// The fields of business that a licence of this kind exempts.
    #[must_use]
    pub fn exempts(&self, kind: LicenceKind) -> Set<BusinessField> {
        self.exempts.get(&kind).copied().unwrap_or_default()
    }

    /// Whether the body stands in `bodies.toml`.
    #[must_use]
    pub fn is_known_body(&self, id: &BodyId) -> bool {
        self.bodies.contains_key(id)
    }

    /// The body's own name on a day, if `bodies.toml` has one.
    #[must_use]
    pub fn body_name(&self, id: &BodyId, day: Date) -> Option<&DatedName> {
        name_on(self.bodies.get(id)?, day)
    }

    /// What bodies of this function were called on a day, to stand behind a place's name.
    #[must_use]
    pub fn function_name(&self, function: Function, day: Date) -> Option<&DatedName> {
        name_on(self.functions.get(&function)?, day)
    }

    /// Who leads for a field of business in a place: looked for from the place up to the nation.
    #[must_use]
    pub fn lead(&self, region: Region, field: BusinessField) -> Option<&Lead> {
        region.chain().find_map(|place| self.lead_of.get(&(place, field))).map(|index| &self.leads[*index])
    }

    fn route(&mut self, files: &Files, divisions: &Divisions, problems: &mut Vec<Problem>) {
        let known = |text: &str| BodyId::parse(text).filter(|id| self.is_known_body(id));
        let (leads, found) = Document::read(ROUTING, files.text(ROUTING, problems), |entry| {
            entry.entries("lead", |entry| (entry.line(), lead(entry, divisions, known)))
        });
        problems.extend(found);
        let Some(leads) = leads else { return };
        for (line, lead) in leads {
            let Some(lead) = lead else { continue };
            for field in lead.fields.iter() {
                if self.lead_of.insert((lead.jurisdiction, field), self.leads.len()).is_some() {
                    let message = format!("{} has two leads for {}", lead.jurisdiction, field.id());
                    problems.push(Problem::new(ROUTING, line, message));
                }
            }
            self.leads.push(lead);
        }
        for field in BusinessField::ALL {
            if !self.lead_of.contains_key(&(Region::NATION, *field)) {
                problems.push(Problem::new(ROUTING, 0, format!("no national lead for '{}'", field.id())));
            }
        }
    }
}

fn name_on(names: &[DatedName], day: Date) -> Option<&DatedName> {
    names.iter().find(|name| name.days.contains(day))
}

/// A GB/T 2260 code that is known, or stands under one that is.
pub(super) fn region(code: &str, divisions: &Divisions) -> Result<Region, String> {
    let region = Region::parse(code).map_err(|error| error.to_string())?;
    match divisions.standing(region) {
        Standing::Unknown => Err(format!("'{code}' is no known place")),
        _ => Ok(region),
    }
}

fn check_fields(files: &Files, problems: &mut Vec<Problem>) {
    let (ids, found) = Document::read(FIELDS, files.text(FIELDS, problems), |entry| {
        entry.entries("field", |entry| {
            let id = entry.required_word("id", BusinessField::from_id);
            entry.text("chinese");
            entry.text("note");
            id
        })
    });
    problems.extend(found);
    if let Some(ids) = ids {
        closed(FIELDS, BusinessField::ALL, &ids, BusinessField::id, problems);
    }
}

/// Reports what a closed table lacks or has twice.
fn closed<T: Copy + PartialEq>(file: &str, all: &[T], found: &[Option<T>], id: impl Fn(T) -> &'static str, problems: &mut Vec<Problem>) {
    for value in all {
        match found.iter().filter(|found| **found == Some(*value)).count() {
            1 => {}
            0 => problems.push(Problem::new(file, 0, format!("'{}' is missing", id(*value)))),
            times => problems.push(Problem::new(file, 0, format!("'{}' stands {times} times", id(*value)))),
        }
    }
}

fn licences(files: &Files, problems: &mut Vec<Problem>) -> FxHashMap<LicenceKind, Set<BusinessField>> {
    let (rows, found) = Document::read(LICENCES, files.text(LICENCES, problems), |entry| {
        entry.entries("licence", |entry| {
            let kind = entry.required_word("kind", LicenceKind::from_id);
            entry.text("chinese");
            entry.text("note");
            let exempts = entry.words("exempts", BusinessField::from_id);
            if exempts.is_none() {
                entry.report(entry.line(), "'exempts' is missing");
            }
            (kind, exempts.into_iter().flatten().collect())
        })
    });
    problems.extend(found);
    let Some(rows) = rows else { return FxHashMap::default() };
    let kinds: Vec<_> = rows.iter().map(|(kind, _)| *kind).collect();
    closed(LICENCES, LicenceKind::ALL, &kinds, LicenceKind::id, problems);
    rows.into_iter().filter_map(|(kind, exempts)| Some((kind?, exempts))).collect()
}

fn functions(files: &Files, problems: &mut Vec<Problem>) -> FxHashMap<Function, Vec<DatedName>> {
    let (rows, found) = Document::read(FUNCTIONS, files.text(FUNCTIONS, problems), |entry| {
        entry.entries("function", |entry| {
            let id = entry.required_word("id", Function::from_id);
            entry.text("chinese");
            (id, names(entry))
        })
    });
    problems.extend(found);
    let Some(rows) = rows else { return FxHashMap::default() };
    let ids: Vec<_> = rows.iter().map(|(id, _)| *id).collect();
    closed(FUNCTIONS, Function::ALL, &ids, Function::id, problems);
    rows.into_iter().filter_map(|(id, names)| Some((id?, names))).collect()
}

fn bodies(files: &Files, divisions: &Divisions, problems: &mut Vec<Problem>) -> FxHashMap<BodyId, Vec<DatedName>> {
    let mut bodies = FxHashMap::default();
    let (rows, found) = Document::read(BODIES, files.text(BODIES, problems), |entry| {
        entry.entries("body", |entry| {
            let id = entry.required_word("id", BodyId::parse);
            if let Some(Err(why)) = id.map(|id| region(&id.region.to_string(), divisions)) {
                entry.report(entry.line(), why);
            }
            (entry.line(), id, names(entry))
        })
    });
    problems.extend(found);
    for (line, id, names) in rows.unwrap_or_default() {
        let Some(id) = id else { continue };
        if bodies.insert(id, names).is_some() {
            problems.push(Problem::new(BODIES, line, format!("'{id}' stands twice")));
        }
    }
    bodies
}

fn names(entry: &mut Entry<'_, '_>) -> Vec<DatedName> {
    let names: Vec<_> = entry.entries("names", |entry| {
        let name = entry.text("name").value;
        let days = Days { from: entry.day("from"), to: entry.day("to") };
        if let (Some(from), Some(to)) = (days.from, days.to)
            && to < from
        {
            entry.report(entry.line(), format!("the last day {to} is before the first day {from}"));
        }
        let wording = entry.required_word("wording", Wording::from_id);
        wording.map(|wording| DatedName { name, days, wording })
    });
    if names.is_empty() {
        entry.report(entry.line(), "'names' is missing or empty");
    }
    names.into_iter().flatten().collect()
}

fn lead(entry: &mut Entry<'_, '_>, divisions: &Divisions, known: impl Fn(&str) -> Option<BodyId>) -> Option<Lead> {
    let code = entry.text("jurisdiction");
    let jurisdiction = region(&code.value, divisions).map_err(|why| entry.report(code.line, why)).ok();
    let fields = entry.words("fields", BusinessField::from_id).unwrap_or_default();
    if fields.is_empty() {
        entry.report(entry.line(), "'fields' is missing or empty");
    }
    let lead = entry.words("lead", &known).unwrap_or_default();
    if lead.is_empty() {
        entry.report(entry.line(), "'lead' is missing or empty");
    }
    let guide = entry.words("guide", &known).unwrap_or_default();
    let source = entry.text("source").value;
    let wording = entry.required_word("wording", Wording::from_id);
    Some(Lead { jurisdiction: jurisdiction?, fields: fields.into_iter().collect(), lead, guide, source, wording: wording? })
}
