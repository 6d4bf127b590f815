//! From an answer to a response message.

use rustc_hash::FxHashMap;

use crate::{
    characters::Reading,
    day::{Date, Days},
    licence::Licence,
    normalize::Span,
    reach::{Circumstances, NearMiss, near_misses},
    routing::{Informed, body_name},
    screen::{Answer, Cleared, ENGINE_VERSION, Engine, Hit, Occurrence, Reason},
    set::Member,
    vocabulary::{Field, Force},
    wordlist::RuleId,
};

use super::{Understood, number, v1};

/// Where the bases of hits are written: with each hit, or once for a whole batch.
#[derive(Debug, Default)]
pub enum Bases {
    /// With each hit.
    #[default]
    Inline,
    /// Once, in the order of their first use; hits refer to them by index.
    Shared {
        /// Index of each rule written so far.
        indexes: FxHashMap<RuleId, u32>,
        /// The bases.
        bases: Vec<v1::Basis>,
    },
}

impl Bases {
    /// For a batch.
    #[must_use]
    pub fn shared() -> Self {
        Self::Shared { indexes: FxHashMap::default(), bases: Vec::new() }
    }

    /// The bases that are written once.
    #[must_use]
    pub fn into_shared(self) -> Vec<v1::Basis> {
        match self {
            Self::Inline => Vec::new(),
            Self::Shared { bases, .. } => bases,
        }
    }

    /// Takes in the bases of a later part of the same batch, and has its answers refer to them here. The outcome is that of
    /// answers written one after the other.
    pub fn take_in(&mut self, later: Self, responses: &mut [v1::ScreenResponse]) {
        let (Self::Shared { indexes, bases }, Self::Shared { indexes: rules, bases: written }) = (self, later) else { return };
        let mut rules: Vec<(RuleId, u32)> = rules.into_iter().collect();
        rules.sort_unstable_by_key(|(_, index)| *index);
        let mut here = Vec::with_capacity(written.len()); // by index there
        for ((id, _), basis) in rules.into_iter().zip(written) {
            here.push(*indexes.entry(id).or_insert_with(|| {
                bases.push(basis);
                u32::try_from(bases.len() - 1).unwrap_or(u32::MAX) // far fewer rules than that
            }));
        }
        let moved = |index: &mut u32| *index = here.get(*index as usize).copied().unwrap_or(*index);
        for response in responses {
            response.hits.iter_mut().flat_map(|hit| &mut hit.basis_indexes).for_each(moved);
            let near_misses = response.cleared.iter_mut().flat_map(|cleared| &mut cleared.near_misses);
            near_misses.filter_map(|near| near.basis_index.as_mut()).for_each(moved);
        }
    }

    /// The basis itself, or its index.
    fn refer(&mut self, id: RuleId, engine: &Engine) -> Result<v1::Basis, u32> {
        let Self::Shared { indexes, bases } = self else { return Ok(basis(id, engine)) };
        Err(*indexes.entry(id).or_insert_with(|| {
            bases.push(basis(id, engine));
            u32::try_from(bases.len() - 1).unwrap_or(u32::MAX) // far fewer rules than that
        }))
    }
}

/// Most occurrences of one firm whose bases are written with each hit. Beyond, a hostile text of 64 KiB could ask
/// for an answer of a hundred megabytes.
const MOST_INLINE: usize = 256;

/// Writes an answer.
#[must_use]
pub fn respond(understood: &Understood, answer: &Answer<'_>, engine: &Engine, bases: &mut Bases) -> v1::ScreenResponse {
    if matches!(bases, Bases::Inline) && answer.hits.len() + answer.cleared.len() > MOST_INLINE {
        let mut own = Bases::shared();
        let response = write(understood, answer, engine, &mut own);
        return v1::ScreenResponse { bases: own.into_shared(), ..response };
    }
    write(understood, answer, engine, bases)
}

fn write(understood: &Understood, answer: &Answer<'_>, engine: &Engine, bases: &mut Bases) -> v1::ScreenResponse {
    let Understood { firm, warnings, explain } = understood;
    let writer = Writer { engine, firm, explain: *explain };
    v1::ScreenResponse {
        decision: number(answer.decision),
        hits: answer.hits.iter().map(|hit| writer.hit(hit, bases)).collect(),
        cleared: answer.cleared.iter().map(|cleared| writer.cleared(cleared, bases)).collect(),
        inform: answer.inform.iter().map(|informed| writer.informed(informed)).collect(),
        name_parts: writer.name_parts(),
        warnings: warnings.clone(),
        circumstances: Some(circumstances(&firm.circumstances, engine)),
        lists_hash: engine.lists().hash().to_owned(),
        engine_version: ENGINE_VERSION.to_owned(),
        bases: Vec::new(),
        overruled: Vec::new(),
    }
}

struct Writer<'a> {
    engine: &'a Engine,
    firm: &'a crate::screen::Firm,
    explain: bool,
}

impl Writer<'_> {
    fn hit(&self, hit: &Hit, bases: &mut Bases) -> v1::Hit {
        let lists = self.engine.lists();
        let term = lists.term(hit.occurrence.term);
        let force = hit.rules.iter().map(|id| lists.rule(*id).counted_force()).max().unwrap_or(Force::Attend);
        let (mut written, mut indexes) = (Vec::new(), Vec::new());
        for id in &hit.rules {
            match bases.refer(*id, self.engine) {
                Ok(basis) => written.push(basis),
                Err(index) => indexes.push(index),
            }
        }
        let span = self.span(hit.occurrence.field, hit.occurrence.span);
        v1::Hit {
            field: number(hit.occurrence.field),
            start_byte: span.start_byte,
            end_byte: span.end_byte,
            start_char: span.start_char,
            end_char: span.end_char,
            text: span.text,
            term: term.text.clone(),
            force: number(force),
            business_field: number(term.field),
            within: hit.within.and_then(|index| u32::try_from(index).ok()),
            disguise: self.disguise(&hit.occurrence),
            bases: written,
            basis_indexes: indexes,
        }
    }

    fn cleared(&self, cleared: &Cleared<'_>, bases: &mut Bases) -> v1::Cleared {
        let occurrence = &cleared.occurrence;
        let term = self.engine.lists().term(occurrence.term);
        let span = self.span(occurrence.field, occurrence.span);
        let (reason, explanation) = self.reason(cleared);
        let context = match cleared.reason {
            Reason::WordBoundary(span) | Reason::Excluded(span, _) | Reason::Mention(span, _) => Some(self.context(occurrence.field, span)),
            Reason::Licensed(_) | Reason::NotApplicable => None,
        };
        let licence = match cleared.reason {
            Reason::Licensed(index) => self.firm.licences.get(index).map(licence),
            _ => None,
        };
        v1::Cleared {
            field: number(occurrence.field),
            start_byte: span.start_byte,
            end_byte: span.end_byte,
            start_char: span.start_char,
            end_char: span.end_char,
            text: span.text,
            term: term.text.clone(),
            business_field: number(term.field),
            reason: reason.into(),
            explanation,
            context,
            licence,
            near_misses: self.near_misses(cleared, bases),
            disguise: self.disguise(occurrence),
        }
    }

    fn reason(&self, cleared: &Cleared<'_>) -> (v1::ClearedReason, String) {
        let field = cleared.occurrence.field;
        match cleared.reason {
            Reason::WordBoundary(span) => {
                (v1::ClearedReason::WordBoundary, format!("its characters belong to other words of '{}'", self.text(field, span)))
            }
            Reason::Excluded(_, why) => (v1::ClearedReason::Excluded, why.to_owned()),
            Reason::Mention(span, why) => (v1::ClearedReason::Mention, format!("part of '{}': {why}", self.text(field, span))),
            Reason::Licensed(_) => (v1::ClearedReason::Licensed, "the firm holds a licence or an approval for it".to_owned()),
            Reason::NotApplicable => (v1::ClearedReason::NotApplicable, "no rule that names it reaches this firm".to_owned()),
        }
    }

    fn near_misses(&self, cleared: &Cleared<'_>, bases: &mut Bases) -> Vec<v1::NearMiss> {
        if cleared.reason != Reason::NotApplicable {
            return Vec::new();
        }
        let lists = self.engine.lists();
        let term = lists.term(cleared.occurrence.term);
        let all = near_misses(term, cleared.occurrence.field, &self.firm.circumstances, lists);
        let shown = if self.explain { all.len() } else { 1 };
        all.iter().take(shown).map(|near| self.near_miss(*near, bases)).collect()
    }

    fn near_miss(&self, near: NearMiss, bases: &mut Bases) -> v1::NearMiss {
        let (basis, basis_index) = match bases.refer(near.rule, self.engine) {
            Ok(basis) => (Some(basis), None),
            Err(index) => (None, Some(index)),
        };
        v1::NearMiss { basis, misses: numbers(near.misses.iter()), basis_index }
    }

    fn informed(&self, informed: &Informed) -> v1::InformedBody {
        let (name, wording) = body_name(&informed.body, self.firm.circumstances.day, self.engine.lists());
        v1::InformedBody {
            id: informed.body.to_string(),
            name,
            name_wording: number(wording),
            reason: informed.told.about().to_owned(),
            business_fields: numbers(informed.fields.iter()),
        }
    }

    fn name_parts(&self) -> Option<v1::NameParts> {
        let parts = self.engine.name_parts(&self.firm.name)?;
        let span = |part: Option<(usize, usize)>| part.map(|(start, end)| stretch(&self.firm.name, start, end));
        Some(v1::NameParts {
            division: span(parts.division),
            trade_name: span(parts.trade_name),
            industry: span(parts.industry),
            organisation_form: span(parts.organisation_form),
            branch: span(parts.branch),
        })
    }

    fn text(&self, field: Field, span: Span) -> &str {
        span.of(self.firm.text(field))
    }

    fn span(&self, field: Field, span: Span) -> v1::Span {
        let text = self.text(field, span).to_owned();
        v1::Span { start_byte: span.start_byte, end_byte: span.end_byte, start_char: span.start_char, end_char: span.end_char, text }
    }

    /// A span whose text is left out where it is long: a clause of 64 KiB may exclude thousands of occurrences.
    fn context(&self, field: Field, span: Span) -> v1::Span {
        const LONGEST: u32 = 1024;
        let long = span.end_byte - span.start_byte > LONGEST;
        let shown = if long { Span { end_byte: span.start_byte, ..span } } else { span };
        v1::Span { end_byte: span.end_byte, ..self.span(field, shown) }
    }

    /// What was folded or skipped between the ends of an occurrence; ASCII case is no disguise.
    fn disguise(&self, occurrence: &Occurrence) -> Vec<v1::Disguise> {
        let characters = self.engine.characters();
        let text = self.text(occurrence.field, occurrence.span);
        let mut steps = Vec::new();
        let mut skip_to = 0;
        for (scalar, (at, c)) in text.char_indices().enumerate() {
            if at < skip_to {
                continue;
            }
            let rest = &text[at + c.len_utf8()..];
            let reading = (at > 0).then(|| characters.bracketed_reading(c, rest)).flatten();
            let (kind, length, read_as, reason) = match (reading, characters.read(c)) {
                (Some(length), _) => (v1::DisguiseKind::Skipped, c.len_utf8() + length, String::new(), "bracketed reading (拼音)"),
                (None, Reading::Soft) => (v1::DisguiseKind::Skipped, c.len_utf8(), String::new(), characters.reason(c)),
                (None, Reading::As(read)) if read == c.to_ascii_lowercase() => continue,
                (None, Reading::As(read)) => (v1::DisguiseKind::Folded, c.len_utf8(), read.to_string(), characters.reason(c)),
            };
            skip_to = at + length;
            let step = Step { scalar, at, length };
            let span = step.within(occurrence.span, text);
            steps.push(v1::Disguise {
                kind: kind.into(),
                span: Some(self.span(occurrence.field, span)),
                read_as,
                reason: reason.to_owned(),
            });
        }
        steps
    }
}

/// The stretch of `text` between two bytes.
fn stretch(text: &str, start: usize, end: usize) -> v1::Span {
    let offset = |of: usize| u32::try_from(of).unwrap_or(u32::MAX); // within a name of at most 256 characters
    let start_char = text[..start].chars().count();
    v1::Span {
        start_byte: offset(start),
        end_byte: offset(end),
        start_char: offset(start_char),
        end_char: offset(start_char + text[start..end].chars().count()),
        text: text[start..end].to_owned(),
    }
}

/// A stretch of an occurrence's text.
struct Step {
    scalar: usize,
    at: usize,
    length: usize,
}

impl Step {
    /// The same stretch as a span of the whole text.
    fn within(&self, outer: Span, text: &str) -> Span {
        let scalars = text[self.at..self.at + self.length].chars().count();
        let offset = |of: usize| u32::try_from(of).unwrap_or(u32::MAX); // within a text of at most 64 KiB
        Span {
            start_byte: outer.start_byte + offset(self.at),
            end_byte: outer.start_byte + offset(self.at + self.length),
            start_char: outer.start_char + offset(self.scalar),
            end_char: outer.start_char + offset(self.scalar + scalars),
        }
    }
}

fn numbers<T: Member>(values: impl Iterator<Item = T>) -> Vec<i32> {
    values.map(number).collect()
}

/// A rule with its instrument, as a basis.
#[must_use]
pub(super) fn basis(id: RuleId, engine: &Engine) -> v1::Basis {
    let lists = engine.lists();
    let rule = lists.rule(id);
    let instrument = lists.instrument_of(rule);
    let Days { from, to } = rule.days;
    v1::Basis {
        list: instrument.id.clone(),
        rule: rule.id.clone(),
        title: instrument.title.clone(),
        document_number: instrument.document_number.clone(),
        issuer: instrument.issuer.clone(),
        article: rule.article.clone(),
        clause: rule.clause.clone(),
        jurisdiction: rule.jurisdiction.to_string(),
        jurisdiction_name: lists.divisions().full_name(rule.jurisdiction).unwrap_or_default(),
        valid_from: written(from),
        valid_until: written(to),
        wording: number(rule.wording),
        force: number(rule.force),
        note: rule.note.clone().unwrap_or_default(),
    }
}

pub(super) fn written(day: Option<Date>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}

/// A licence as a message.
pub(crate) fn licence(licence: &Licence) -> v1::Licence {
    v1::Licence {
        kind: number(licence.kind),
        number: licence.number.clone(),
        issuer: licence.issuer.clone(),
        valid_from: written(licence.days.from),
        valid_until: written(licence.days.to),
        terms: licence.terms.clone(),
    }
}

fn circumstances(circumstances: &Circumstances, engine: &Engine) -> v1::Circumstances {
    v1::Circumstances {
        region: circumstances.region.to_string(),
        region_name: circumstances.region.chain().find_map(|place| engine.lists().divisions().full_name(place)).unwrap_or_default(),
        entity_kind: number(circumstances.kind),
        event: number(circumstances.event),
        date: circumstances.day.to_string(),
    }
}
