//! The cells (单元格) of a flagged firm's row. Their texts are put together in buffers that serve row after row, and names that
//! cost something are remembered: a run writes hundreds of thousands.

use std::{fmt::Write, ops::Range};

use rustc_hash::FxHashMap;

use super::{
    columns::{CHANGED, FLAGGED},
    delta::Change,
    sink::Sink,
};
use crate::{
    jurisdiction::Region,
    register::{Column, Row, firm::CodeWarning},
    routing::body_name,
    screen::{Answer, Engine, Firm},
    sheet::{Cell, SEPARATOR, SheetError},
    vocabulary::{Decision, Field},
    wordlist::{RuleId, TermId, tables::BodyId},
};

/// Places in [`FLAGGED`] of the cells with marks.
const NAME: usize = 2;
const SCOPE: usize = 15;

/// A firm that is flagged, with its row.
pub(super) struct Flagged<'r> {
    pub(super) line: u64,
    pub(super) row: &'r Row<'r>,
    pub(super) firm: &'r Firm,
    pub(super) code: Option<CodeWarning>,
    /// The rosters on which it stands.
    pub(super) notes: &'r [String],
}

/// Puts rows together, of firms that are all judged as of one day.
pub(super) struct Cells<'e> {
    engine: &'e Engine,
    places: FxHashMap<Region, Place>,
    rules: FxHashMap<RuleId, String>,
    bodies: FxHashMap<BodyId, String>,
    /// The terms that hit the firm, each once, in the order of their first hits; likewise all that follows.
    terms: Vec<TermId>,
    /// Their fields of business.
    pub(super) fields: Vec<&'static str>,
    bases: Vec<RuleId>,
    texts: Texts,
    marks: [Vec<Range<usize>>; 2],
}

/// A place by its code and its name.
struct Place {
    code: String,
    name: String,
}

impl Place {
    fn of(region: Region, engine: &Engine) -> Self {
        let divisions = engine.lists().divisions();
        let name = region.chain().find_map(|at| divisions.full_name(at)).unwrap_or_default();
        Self { code: region.to_string(), name }
    }
}

/// The texts of one row.
#[derive(Default)]
struct Texts {
    line: String,
    terms: List,
    hits: List,
    fields: List,
    bases: List,
    bodies: List,
    warnings: List,
}

/// The text of a cell that holds several values.
#[derive(Default)]
struct List(String);

impl List {
    /// Where the next value goes.
    fn next(&mut self) -> &mut String {
        if !self.0.is_empty() {
            self.0.push_str(SEPARATOR);
        }
        &mut self.0
    }

    /// Adds a value, unless it is there.
    fn add_once(&mut self, value: &str) {
        if !self.0.split(SEPARATOR).any(|known| known == value) {
            self.next().push_str(value);
        }
    }
}

impl Texts {
    fn clear(&mut self) {
        self.line.clear();
        let Self { terms, hits, fields, bases, bodies, warnings, .. } = self;
        for list in [terms, hits, fields, bases, bodies, warnings] {
            list.0.clear();
        }
    }
}

impl<'e> Cells<'e> {
    /// With the names of an engine's lists.
    pub(super) fn new(engine: &'e Engine) -> Self {
        Self {
            engine,
            places: FxHashMap::default(),
            rules: FxHashMap::default(),
            bodies: FxHashMap::default(),
            terms: Vec::new(),
            fields: Vec::new(),
            bases: Vec::new(),
            texts: Texts::default(),
            marks: Default::default(),
        }
    }

    /// Takes in a firm and the answer that its row shows.
    pub(super) fn take(&mut self, flagged: &Flagged<'_>, shown: &Answer<'_>) {
        self.clear();
        let _ = write!(self.texts.line, "{}", flagged.line);
        self.take_hits(shown);
        let lists = self.engine.lists();
        let day = flagged.firm.circumstances.day;
        for informed in &shown.inform {
            let name = self.bodies.entry(informed.body).or_insert_with(|| body_name(&informed.body, day, lists).0);
            self.texts.bodies.add_once(name); // what were two bodies may be one by now
        }
        let notes = flagged.notes.iter().map(String::as_str);
        for warning in flagged.code.iter().map(|code| code.chinese()).chain(notes) {
            self.texts.warnings.add_once(warning);
        }
    }

    fn clear(&mut self) {
        self.terms.clear();
        self.fields.clear();
        self.bases.clear();
        self.texts.clear();
        self.marks.iter_mut().for_each(Vec::clear);
    }

    fn take_hits(&mut self, shown: &Answer<'_>) {
        let lists = self.engine.lists();
        for hit in &shown.hits {
            let (id, field, span) = (hit.occurrence.term, hit.occurrence.field, hit.occurrence.span);
            let _ = write!(self.texts.hits.next(), "{}:{}-{}", field.id(), span.start_char, span.end_char);
            let marks = self.marks.iter_mut().zip([Field::Name, Field::Scope]).find(|(_, of)| *of == field);
            if let Some((marks, _)) = marks {
                marks.push(span.start_byte as usize..span.end_byte as usize);
            }
            if !self.terms.contains(&id) {
                self.terms.push(id);
                let term = lists.term(id);
                self.texts.terms.next().push_str(&term.text);
                let field = term.field.chinese();
                if !self.fields.contains(&field) {
                    self.fields.push(field);
                    self.texts.fields.next().push_str(field);
                }
            }
            for rule in &hit.rules {
                if !self.bases.contains(rule) {
                    self.bases.push(*rule);
                    let text = self.rules.entry(*rule).or_insert_with(|| basis(self.engine, *rule));
                    self.texts.bases.next().push_str(text);
                }
            }
        }
    }

    /// The terms that hit the firm, each once.
    pub(super) fn terms(&self) -> impl Iterator<Item = &'e str> + use<'_, 'e> {
        let lists = self.engine.lists();
        self.terms.iter().map(move |term| lists.term(*term).text.as_str())
    }

    /// Writes the row of the firm that was taken in last.
    pub(super) fn write(
        &mut self,
        flagged: &Flagged<'_>,
        decision: Decision,
        change: Option<(&Change<'_>, &str)>,
        sink: &mut Sink<'_>,
    ) -> Result<(), SheetError> {
        let Flagged { row, firm, .. } = flagged;
        let at = &firm.circumstances;
        let place = self.places.entry(at.region).or_insert_with(|| Place::of(at.region, self.engine));
        let Texts { line, terms, hits, fields, bases, bodies, warnings } = &self.texts;
        let texts: [&str; FLAGGED.len()] = [
            sink.input,
            line,
            &firm.name,
            row.get(Column::Uscc),
            decision.chinese(),
            decision.id(),
            &terms.0,
            &hits.0,
            &fields.0,
            &bases.0,
            &bodies.0,
            &place.code,
            &place.name,
            at.kind.chinese(),
            row.get(Column::Established),
            &firm.scope,
            &warnings.0,
        ];
        let mut cells = [Cell::default(); CHANGED.len()];
        let texts = texts.into_iter().chain(change.into_iter().flat_map(|(change, because)| {
            let before = change.before.decision;
            [change.kind(), before.chinese(), before.id(), because]
        }));
        let width = cells.iter_mut().zip(texts).map(|(cell, text)| *cell = Cell::from(text)).count();
        cells[NAME].marks = &self.marks[0];
        cells[SCOPE].marks = &self.marks[1];
        sink.flagged.row(&cells[..width])
    }

    /// The rules that an answer's decision rests on: the strongest of its strongest hits.
    pub(super) fn decisive(&self, answer: &Answer<'_>) -> String {
        let engine = self.engine;
        let hits = answer.hits.iter().filter(|hit| engine.decision(hit) == answer.decision);
        let mut rules: Vec<RuleId> = Vec::new();
        for rule in hits.filter_map(|hit| hit.rules.first()) {
            if !rules.contains(rule) {
                rules.push(*rule);
            }
        }
        rules.iter().map(|rule| basis(engine, *rule)).collect::<Vec<_>>().join(SEPARATOR)
    }
}

/// A rule by its document and article.
fn basis(engine: &Engine, rule: RuleId) -> String {
    let lists = engine.lists();
    let rule = lists.rule(rule);
    format!("{}{}", lists.instrument_of(rule).document_number, rule.article)
}
