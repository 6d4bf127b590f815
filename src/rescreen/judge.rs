//! Judging (审查) the rows of a block: most hold no term and cost one look at each text; the others become firms and rows.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{
    columns::{FLAGGED, Layout},
    count::{Counts, one_more},
    delta::{Change, Delta},
    record::Watched,
    roster::{Found, Rosters},
    sink::Sink,
    source::Job,
};
use crate::{
    day::Date,
    jurisdiction::Region,
    reach::Circumstances,
    register::{
        Column, Fault, Piece, Row, Unreadable, Why,
        firm::{CodeWarning, Places, kind},
    },
    routing::body_name,
    screen::{Answer, Engine, Firm, Hit, LONGEST_NAME, LONGEST_TEXT},
    sheet::{Cell, SEPARATOR, SheetError},
    vocabulary::{Decision, EntityKind, Event, Field},
    wordlist::RuleId,
};

/// What holds for firms of which nothing else is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defaults {
    /// The day as of which to judge.
    pub day: Date,
    /// What is asked for: nothing, the firms are on the register.
    pub event: Event,
    /// Where firms are registered whose place nothing tells.
    pub region: Region,
    /// What firms are whose kind nothing tells.
    pub kind: EntityKind,
}

/// What became of a piece.
pub struct Judged {
    /// The rows of flagged firms, as the output has them.
    pub flagged: Vec<u8>,
    /// The rows of the rejects.
    pub rejects: Vec<u8>,
    /// The counts.
    pub counts: Counts,
    /// The firms for the watch list, where they are kept.
    pub watched: Vec<Watched>,
}

/// Judges pieces; each worker has one of its own.
pub struct Judge<'e> {
    engine: &'e Engine,
    defaults: Defaults,
    layout: Layout,
    rosters: &'e Rosters,
    places: Places<'e>,
    names: Names<'e>,
    /// Where only changes are wanted: what they are measured against, and the names in it.
    before: Option<(&'e Delta<'e>, Names<'e>)>,
    /// Whether to keep the firms for the watch list.
    keeps: bool,
    /// Where firms must be.
    within: Option<&'e [Region]>,
}

impl<'e> Judge<'e> {
    /// Judges by an engine, with the licences that rosters know of. With a delta, the firms that are flagged are those whose
    /// decision changes.
    #[must_use]
    pub fn new(engine: &'e Engine, delta: Option<&'e Delta<'e>>, rosters: &'e Rosters, defaults: Defaults, layout: Layout) -> Self {
        let before = delta.map(|delta| (delta, Names::new(delta.before())));
        Self {
            engine,
            defaults,
            layout,
            rosters,
            places: Places::new(engine),
            names: Names::new(engine),
            before,
            keeps: false,
            within: None,
        }
    }

    /// Keeps the firms for the watch list, or does not.
    #[must_use]
    pub fn keeping(self, keeps: bool) -> Self {
        Self { keeps, ..self }
    }

    /// Rejects firms that are in none of these places, nor below them: every firm's place is asked for then.
    #[must_use]
    pub fn within(self, within: Option<&'e [Region]>) -> Self {
        Self { within, ..self }
    }

    /// Judges a piece.
    ///
    /// # Errors
    /// Where a row cannot be written, which memory does not refuse.
    pub fn judge(&mut self, job: &Job) -> Result<Judged, SheetError> {
        let mut sink = Sink::new(self.layout, &job.input);
        match &job.piece {
            Piece::Bad(line, why) => {
                sink.counts.rows += 1;
                sink.reject(*line, &unreadable(*why), "");
            }
            Piece::Block(block) => job.records.each(block, &mut |line, row| {
                sink.counts.rows += 1;
                match row {
                    Ok(row) => self.row(line, row, &mut sink),
                    // where it is cannot be told: who may not see all places sees nothing of it
                    Err(Fault { why, text }) => sink.reject(line, &reason(&why), if self.within.is_some() { "" } else { &text }),
                }
            }),
        }
        sink.finish()
    }

    fn row(&mut self, line: u64, row: &Row<'_>, sink: &mut Sink<'_>) {
        if self.is_outside(row) {
            return sink.reject(line, OUTSIDE, ""); // whose it is, is not the business of who asks
        }
        let (name, scope) = (row.get(Column::Name), row.get(Column::Scope));
        if let Some(reason) = unfit(name, scope) {
            return sink.reject(line, &reason, if name.is_empty() { scope } else { name });
        }
        let code = CodeWarning::of(row.get(Column::Uscc));
        if let Some(code) = code {
            sink.counts.codes[code as usize] += 1;
        }
        if !self.may_count(name, scope) {
            sink.counts.passed += 1;
            return;
        }
        let mut firm = self.firm(row, &mut sink.counts);
        let Found { licences, notes } = self.rosters.find(row, self.engine);
        firm.licences = licences;
        for note in &notes {
            one_more(&mut sink.counts.rosters, note);
        }
        let answer = self.engine.screen(&firm);
        let change = match &self.before {
            None if answer.decision == Decision::Pass => None,
            None => Some(None),
            Some((delta, _)) => delta.change(&firm, &answer).map(Some),
        };
        let Some(change) = change else {
            sink.counts.passed += 1;
            return;
        };
        sink.counts.flagged += 1;
        let written = self.flag(&Flagged { line, row, firm: &firm, code, notes: &notes }, &answer, change.as_ref(), sink);
        sink.keep(written);
        let decision = answer.decision;
        if self.keeps && decision >= Decision::Attention {
            let (input, uscc) = (Arc::clone(sink.input), row.get(Column::Uscc).to_owned());
            sink.watched.push(Watched { input, line, uscc, firm, decision });
        }
    }

    /// Whether the firm is where it must not be.
    fn is_outside(&mut self, row: &Row<'_>) -> bool {
        let Some(within) = self.within else { return false };
        let region = self.places.region(row).unwrap_or(self.defaults.region);
        !region.chain().any(|place| within.contains(&place))
    }

    /// Whether the row can be flagged at all: the fast way.
    fn may_count(&self, name: &str, scope: &str) -> bool {
        match &self.before {
            None => self.engine.occurs(name) || self.engine.occurs(scope),
            Some((delta, _)) => delta.may_change(name, scope),
        }
    }

    /// Writes and counts a flagged firm. Of a change the stronger decision has the hits.
    fn flag(
        &mut self,
        flagged: &Flagged<'_>,
        answer: &Answer<'_>,
        change: Option<&Change<'_>>,
        sink: &mut Sink<'_>,
    ) -> Result<(), SheetError> {
        let released = change.filter(|change| change.before.decision > answer.decision);
        let (shown, names) = match (released, &mut self.before) {
            (Some(change), Some((_, names))) => (&change.before, names),
            _ => (answer, &mut self.names),
        };
        count(shown, flagged.firm, names.engine, change.map(Change::kind), answer.decision, &mut sink.counts);
        let mut texts = names.texts(flagged, shown, answer.decision, sink.input).to_vec();
        if let Some(change) = change {
            let before = change.before.decision;
            texts.extend([change.kind().to_owned(), before.chinese().to_owned(), before.id().to_owned(), names.decisive(shown)]);
        }
        let marks = [Field::Name, Field::Scope].map(|field| marks(shown, field));
        let mut cells: Vec<Cell<'_>> = texts.iter().map(Cell::from).collect();
        cells[NAME].marks = &marks[0];
        cells[SCOPE].marks = &marks[1];
        sink.flagged.row(&cells)
    }

    fn firm(&mut self, row: &Row<'_>, counts: &mut Counts) -> Firm {
        let region = self.places.region(row);
        let kind = kind(row);
        counts.without_place += u64::from(region.is_none());
        counts.without_kind += u64::from(kind.is_none());
        let Defaults { day, event, .. } = self.defaults;
        let (region, kind) = (region.unwrap_or(self.defaults.region), kind.unwrap_or(self.defaults.kind));
        let mut firm = Firm::blank(Circumstances { region, kind, event, day });
        row.get(Column::Name).clone_into(&mut firm.name);
        row.get(Column::Scope).clone_into(&mut firm.scope);
        firm
    }
}

/// Places in [`FLAGGED`] of the cells with marks.
const NAME: usize = 2;
const SCOPE: usize = 15;

/// Why a firm is rejected that is in another place than whoever asks may act in.
const OUTSIDE: &str = "登记地不在办理人辖区内";

/// Why a row is no firm that can be screened.
fn unfit(name: &str, scope: &str) -> Option<String> {
    if name.is_empty() {
        return Some("企业名称为空".to_owned());
    }
    if name.len() > LONGEST_NAME && name.chars().count() > LONGEST_NAME {
        return Some(format!("企业名称超过{LONGEST_NAME}个字符"));
    }
    (scope.len() > LONGEST_TEXT).then(|| format!("经营范围超过{LONGEST_TEXT}字节"))
}

fn unreadable(why: Unreadable) -> String {
    match why {
        Unreadable::TooLong => "行过长".to_owned(),
        Unreadable::OpenQuote => "引号未闭合".to_owned(),
    }
}

fn reason(why: &Why) -> String {
    match why {
        Why::Fields { found, expected } => format!("字段数为{found}，表头为{expected}"),
        Why::Bytes => "编码有误".to_owned(),
        Why::Json(error) => format!("JSON有误：{error}"),
        Why::Unreadable(why) => unreadable(*why),
    }
}

/// Counts a flagged firm by its decision, its place and its terms; a change by what changes too.
fn count(shown: &Answer<'_>, firm: &Firm, engine: &Engine, change: Option<&str>, decision: Decision, counts: &mut Counts) {
    let key = |what: &str| change.map_or_else(|| what.to_owned(), |change| format!("{change} {what}"));
    one_more(&mut counts.decisions, decision.id());
    one_more(&mut counts.regions, &key(&firm.circumstances.region.city().to_string()));
    let mut terms: Vec<_> = shown.hits.iter().map(|hit| hit.occurrence.term).collect();
    terms.sort_unstable();
    terms.dedup();
    let mut fields: Vec<&str> = Vec::new();
    for term in terms.iter().map(|term| engine.lists().term(*term)) {
        one_more(&mut counts.terms, &key(&term.text));
        if !fields.contains(&term.field.chinese()) {
            fields.push(term.field.chinese());
        }
    }
    for field in fields {
        one_more(&mut counts.fields, &key(field));
    }
    if let Some(change) = change {
        one_more(&mut counts.changes, change);
    }
}

fn marks(answer: &Answer<'_>, field: Field) -> Vec<std::ops::Range<usize>> {
    let spans = answer.hits.iter().filter(|hit| hit.occurrence.field == field).map(|hit| hit.occurrence.span);
    spans.map(|span| span.start_byte as usize..span.end_byte as usize).collect()
}

/// The names that stand in the rows of flagged firms; those that cost something are remembered.
struct Names<'e> {
    engine: &'e Engine,
    regions: FxHashMap<Region, String>,
    rules: FxHashMap<RuleId, String>,
}

/// A firm that is flagged, with its row.
struct Flagged<'r> {
    line: u64,
    row: &'r Row<'r>,
    firm: &'r Firm,
    code: Option<CodeWarning>,
    /// The rosters on which it stands.
    notes: &'r [String],
}

impl<'e> Names<'e> {
    fn new(engine: &'e Engine) -> Self {
        Self { engine, regions: FxHashMap::default(), rules: FxHashMap::default() }
    }

    fn texts(&mut self, flagged: &Flagged<'_>, shown: &Answer<'_>, decision: Decision, input: &str) -> [String; FLAGGED.len()] {
        let Flagged { line, row, firm, code, notes } = flagged;
        let lists = self.engine.lists();
        let at = &firm.circumstances;
        let term = |hit: &Hit| lists.term(hit.occurrence.term);
        let place = |hit: &Hit| {
            let occurrence = &hit.occurrence;
            format!("{}:{}-{}", occurrence.field.id(), occurrence.span.start_char, occurrence.span.end_char)
        };
        [
            input.to_owned(),
            line.to_string(),
            firm.name.clone(),
            row.get(Column::Uscc).to_owned(),
            decision.chinese().to_owned(),
            decision.id().to_owned(),
            listed(shown.hits.iter().map(|hit| term(hit).text.as_str())),
            shown.hits.iter().map(place).collect::<Vec<_>>().join(SEPARATOR),
            listed(shown.hits.iter().map(|hit| term(hit).field.chinese())),
            self.rules_of(shown.hits.iter().flat_map(|hit| &hit.rules)),
            listed(shown.inform.iter().map(|informed| body_name(&informed.body, at.day, lists).0)),
            at.region.to_string(),
            self.region(at.region),
            at.kind.chinese().to_owned(),
            row.get(Column::Established).to_owned(),
            firm.scope.clone(),
            listed(code.iter().map(|code| code.chinese()).chain(notes.iter().map(String::as_str))),
        ]
    }

    /// The rules that an answer's decision rests on: the strongest of its strongest hits.
    fn decisive(&mut self, answer: &Answer<'_>) -> String {
        let engine = self.engine;
        let hits = answer.hits.iter().filter(|hit| engine.decision(hit) == answer.decision);
        self.rules_of(hits.filter_map(|hit| hit.rules.first()))
    }

    fn region(&mut self, region: Region) -> String {
        let divisions = self.engine.lists().divisions();
        let known = self.regions.entry(region);
        known.or_insert_with(|| region.chain().find_map(|at| divisions.full_name(at)).unwrap_or_default()).clone()
    }

    /// Rules by document and article, each once.
    fn rules_of<'a>(&mut self, ids: impl Iterator<Item = &'a RuleId>) -> String {
        let lists = self.engine.lists();
        let mut seen: Vec<RuleId> = Vec::new();
        let mut text = String::new();
        for id in ids {
            if seen.contains(id) {
                continue;
            }
            seen.push(*id);
            let name = self.rules.entry(*id).or_insert_with(|| {
                let rule = lists.rule(*id);
                format!("{}{}", lists.instrument_of(rule).document_number, rule.article)
            });
            if !text.is_empty() {
                text.push_str(SEPARATOR);
            }
            text.push_str(name);
        }
        text
    }
}

/// Texts, each once, in the order of their first.
fn listed<S: AsRef<str>>(texts: impl Iterator<Item = S>) -> String {
    let mut seen: Vec<S> = Vec::new();
    for text in texts {
        if !seen.iter().any(|known| known.as_ref() == text.as_ref()) {
            seen.push(text);
        }
    }
    seen.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(SEPARATOR)
}
