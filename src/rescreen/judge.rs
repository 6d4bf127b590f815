//! Judging (审查) the rows of a block: most hold no term and cost one look at each text; the others become firms and rows.

use rustc_hash::FxHashMap;

use super::{
    columns::{FLAGGED, REJECTS},
    count::{Counts, one_more},
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
    screen::{Answer, Engine, Firm, LONGEST_NAME, LONGEST_TEXT},
    sheet::{Cell, Csv, CsvOptions, Format, Jsonl, SEPARATOR, SheetError, Table},
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
}

/// Judges pieces; each worker has one of its own.
pub struct Judge<'e> {
    engine: &'e Engine,
    defaults: Defaults,
    format: Format,
    csv: CsvOptions,
    places: Places<'e>,
    names: Names<'e>,
}

impl<'e> Judge<'e> {
    /// Judges by an engine, and writes in a format.
    #[must_use]
    pub fn new(engine: &'e Engine, defaults: Defaults, format: Format, csv: CsvOptions) -> Self {
        let names = Names { engine, regions: FxHashMap::default(), rules: FxHashMap::default() };
        Self { engine, defaults, format, csv, places: Places::new(engine), names }
    }

    /// Judges a piece.
    ///
    /// # Errors
    /// Where a row cannot be written, which memory does not refuse.
    pub fn judge(&mut self, job: &Job) -> Result<Judged, SheetError> {
        let mut sink = Sink {
            flagged: Rows::new(self.format, self.csv),
            rejects: Csv::resume(Vec::new(), self.csv),
            counts: Counts::default(),
            input: &job.input,
            failed: Ok(()),
        };
        match &job.piece {
            Piece::Bad(line, why) => {
                sink.counts.rows += 1;
                sink.reject(*line, &unreadable(*why), "");
            }
            Piece::Block(block) => job.records.each(block, &mut |line, row| {
                sink.counts.rows += 1;
                match row {
                    Ok(row) => self.row(line, row, &mut sink),
                    Err(Fault { why, text }) => sink.reject(line, &reason(&why), &text),
                }
            }),
        }
        sink.failed?;
        Ok(Judged { flagged: sink.flagged.finish()?, rejects: sink.rejects.finish()?, counts: sink.counts })
    }

    fn row(&mut self, line: u64, row: &Row<'_>, sink: &mut Sink<'_>) {
        let (name, scope) = (row.get(Column::Name), row.get(Column::Scope));
        if let Some(reason) = unfit(name, scope) {
            return sink.reject(line, &reason, if name.is_empty() { scope } else { name });
        }
        let code = CodeWarning::of(row.get(Column::Uscc));
        if let Some(code) = code {
            sink.counts.codes[code as usize] += 1;
        }
        if !self.engine.occurs(name) && !self.engine.occurs(scope) {
            sink.counts.passed += 1;
            return;
        }
        let firm = self.firm(row, &mut sink.counts);
        let answer = self.engine.screen(&firm);
        if answer.decision == Decision::Pass {
            sink.counts.passed += 1;
            return;
        }
        sink.counts.flagged += 1;
        count(&answer, &firm, self.engine, &mut sink.counts);
        let texts = self.names.texts(line, row, &firm, &answer, code, sink.input);
        let marks = [Field::Name, Field::Scope].map(|field| marks(&answer, field));
        let mut cells = texts.each_ref().map(Cell::from);
        cells[NAME].marks = &marks[0];
        cells[SCOPE].marks = &marks[1];
        let written = sink.flagged.row(&cells);
        sink.keep(written);
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

fn count(answer: &Answer<'_>, firm: &Firm, engine: &Engine, counts: &mut Counts) {
    one_more(&mut counts.decisions, answer.decision.id());
    one_more(&mut counts.regions, &firm.circumstances.region.city().to_string());
    let mut terms: Vec<_> = answer.hits.iter().map(|hit| hit.occurrence.term).collect();
    terms.sort_unstable();
    terms.dedup();
    for term in terms {
        one_more(&mut counts.terms, &engine.lists().term(term).text);
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

impl Names<'_> {
    fn texts(
        &mut self,
        line: u64,
        row: &Row<'_>,
        firm: &Firm,
        answer: &Answer<'_>,
        code: Option<CodeWarning>,
        input: &str,
    ) -> [String; FLAGGED.len()] {
        let lists = self.engine.lists();
        let at = &firm.circumstances;
        let term = |hit: &crate::screen::Hit| lists.term(hit.occurrence.term);
        let place = |hit: &crate::screen::Hit| {
            let occurrence = &hit.occurrence;
            format!("{}:{}-{}", occurrence.field.id(), occurrence.span.start_char, occurrence.span.end_char)
        };
        [
            input.to_owned(),
            line.to_string(),
            firm.name.clone(),
            row.get(Column::Uscc).to_owned(),
            answer.decision.chinese().to_owned(),
            answer.decision.id().to_owned(),
            listed(answer.hits.iter().map(|hit| term(hit).text.as_str())),
            answer.hits.iter().map(place).collect::<Vec<_>>().join(SEPARATOR),
            listed(answer.hits.iter().map(|hit| term(hit).field.chinese())),
            self.bases(answer),
            listed(answer.inform.iter().map(|informed| body_name(&informed.body, at, lists).0)),
            at.region.to_string(),
            self.region(at.region),
            at.kind.chinese().to_owned(),
            row.get(Column::Established).to_owned(),
            firm.scope.clone(),
            code.map_or_else(String::new, |code| code.chinese().to_owned()),
        ]
    }

    fn region(&mut self, region: Region) -> String {
        let divisions = self.engine.lists().divisions();
        let known = self.regions.entry(region);
        known.or_insert_with(|| region.chain().find_map(|at| divisions.full_name(at)).unwrap_or_default()).clone()
    }

    fn bases(&mut self, answer: &Answer<'_>) -> String {
        let lists = self.engine.lists();
        let mut bases: Vec<&RuleId> = Vec::new();
        for id in answer.hits.iter().flat_map(|hit| &hit.rules) {
            if !bases.contains(&id) {
                bases.push(id);
            }
        }
        let name = |id: &&RuleId| {
            let named = self.rules.entry(**id);
            named
                .or_insert_with(|| {
                    let rule = lists.rule(**id);
                    format!("{}{}", lists.instrument_of(rule).document_number, rule.article)
                })
                .clone()
        };
        let mut name = name;
        bases.iter().map(&mut name).collect::<Vec<_>>().join(SEPARATOR)
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

/// Where the rows of a piece go.
struct Sink<'j> {
    flagged: Rows,
    rejects: Csv<Vec<u8>>,
    counts: Counts,
    input: &'j str,
    failed: Result<(), SheetError>,
}

/// Longest piece of a rejected row that is shown, in characters.
const SHOWN: usize = 200;

impl Sink<'_> {
    fn reject(&mut self, line: u64, reason: &str, text: &str) {
        self.counts.rejected += 1;
        let shown: String = text.trim_end().chars().take(SHOWN).collect();
        let cells: [&str; REJECTS.len()] = [self.input, &line.to_string(), reason, &shown];
        let written = self.rejects.row(&cells.map(Cell::from));
        self.keep(written);
    }

    fn keep(&mut self, written: Result<(), SheetError>) {
        if self.failed.is_ok() {
            self.failed = written;
        }
    }
}

/// The rows of flagged firms in memory, in the format of the output.
enum Rows {
    Csv(Box<Csv<Vec<u8>>>),
    Jsonl(Jsonl<Vec<u8>>),
    /// Rows of a workbook, which is written when all are there.
    Spool(Vec<u8>),
}

impl Rows {
    fn new(format: Format, csv: CsvOptions) -> Self {
        match format {
            Format::Csv => Self::Csv(Box::new(Csv::resume(Vec::new(), csv))),
            Format::Jsonl => Self::Jsonl(Jsonl::new(Vec::new(), FLAGGED)),
            Format::Xlsx => Self::Spool(Vec::new()),
        }
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), SheetError> {
        match self {
            Self::Csv(csv) => csv.row(cells),
            Self::Jsonl(jsonl) => jsonl.row(cells),
            Self::Spool(out) => super::output::spool(out, cells),
        }
    }

    fn finish(self) -> Result<Vec<u8>, SheetError> {
        match self {
            Self::Csv(csv) => csv.finish(),
            Self::Jsonl(jsonl) => Ok(jsonl.finish()),
            Self::Spool(out) => Ok(out),
        }
    }
}
