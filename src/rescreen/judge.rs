//! Judging (审查) the rows of a block: most hold no term and cost one look at each text; the others become firms and rows.

use std::sync::Arc;

use super::{
    cells::{Cells, Flagged},
    columns::Layout,
    count::{Counts, Sums, one_more},
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
    screen::{Answer, Engine, Firm, LONGEST_NAME, LONGEST_TEXT},
    set::Set,
    sheet::SheetError,
    vocabulary::{Decision, EntityKind, Event, Field},
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
    cells: Cells<'e>,
    sums: Sums<'e>,
    /// Where only changes are wanted: what they are measured against, and the cells that show it.
    before: Option<(&'e Delta<'e>, Cells<'e>)>,
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
        let before = delta.map(|delta| (delta, Cells::new(delta.before())));
        Self {
            engine,
            defaults,
            layout,
            rosters,
            places: Places::new(engine),
            cells: Cells::new(engine),
            sums: Sums::default(),
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

    /// Judges a piece, and writes its flagged firms into `memory`, in place of what it holds.
    ///
    /// # Errors
    /// Where a row cannot be written, which memory does not refuse.
    pub fn judge(&mut self, job: &Job, memory: Vec<u8>) -> Result<Judged, SheetError> {
        let mut sink = Sink::new(self.layout, &job.input, memory);
        match &job.piece {
            Piece::Bad(lines) => {
                for (line, why) in lines {
                    sink.counts.rows += 1;
                    sink.reject(*line, &unreadable(*why), "");
                }
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
        self.sums.move_to(&mut sink.counts);
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
        let Some(held) = self.held(name, scope) else {
            sink.counts.passed += 1;
            return;
        };
        let mut firm = self.firm(row, &mut sink.counts);
        let Found { licences, notes } = self.rosters.find(row, self.engine);
        firm.licences = licences;
        for note in &notes {
            one_more(&mut sink.counts.rosters, note);
        }
        let answer = self.engine.screen_in(&firm, held);
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

    /// The texts in which a term occurs; none where the row cannot be flagged at all: the fast way.
    fn held(&self, name: &str, scope: &str) -> Option<Set<Field>> {
        let held = || [(Field::Name, name), (Field::Scope, scope)].into_iter().filter(|(_, text)| self.engine.occurs(text));
        let held = || held().map(|(field, _)| field).collect();
        match &self.before {
            None => Some(held()).filter(|held: &Set<Field>| !held.is_empty()),
            Some((delta, _)) => delta.may_change(name, scope).then(held),
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
        let (shown, cells) = match (released, &mut self.before) {
            (Some(change), Some((_, cells))) => (&change.before, cells),
            _ => (answer, &mut self.cells),
        };
        cells.take(flagged, shown);
        self.sums.add(cells, flagged.firm, change.map(Change::kind), answer.decision);
        let because = change.map(|_| cells.decisive(shown)).unwrap_or_default();
        cells.write(flagged, answer.decision, change.map(|change| (change, because.as_str())), sink)
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
