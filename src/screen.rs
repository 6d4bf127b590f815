//! Screening (审查): the spine. Normalise, match, judge, decide, tell whom.

use crate::{
    boundary,
    characters::Characters,
    clause::{Exclusions, Sweep},
    firm_name::{NameParts, Names},
    lexicon::Lexicon,
    licence::Licence,
    matcher::{Found, Matcher},
    mention::Mentions,
    normalize::{Normalized, Span},
    problem::{Problem, Problems},
    reach::{Circumstances, Reach, reach},
    routing::{Informed, inform},
    set::Set,
    vocabulary::{Decision, EntityKind, Event, Field},
    wordlist::{Files, RuleId, TermId, Wordlists, instrument::Canary},
};

/// Version of the engine: the crate's. Together with the lists hash it reproduces a decision.
pub const ENGINE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Longest name, in Unicode scalars.
pub const LONGEST_NAME: usize = 256;
/// Longest scope or advertisement, in bytes of UTF-8.
pub const LONGEST_TEXT: usize = 64 * 1024;

/// A firm's texts and circumstances.
#[derive(Debug, Clone)]
pub struct Firm {
    /// Its name.
    pub name: String,
    /// Its business scope; may be empty.
    pub scope: String,
    /// Its advertisement; may be empty.
    pub advertisement: String,
    /// What rules ask besides.
    pub circumstances: Circumstances,
    /// What it is licensed for.
    pub licences: Vec<Licence>,
}

impl Firm {
    /// One of its texts.
    #[must_use]
    pub fn text(&self, field: Field) -> &str {
        match field {
            Field::Name => &self.name,
            Field::Scope => &self.scope,
            Field::Advertisement => &self.advertisement,
        }
    }
}

/// An occurrence of a term in a firm's texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// The text it stands in.
    pub field: Field,
    /// Where in the original.
    pub span: Span,
    /// The term.
    pub term: TermId,
}

/// An occurrence that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The occurrence.
    pub occurrence: Occurrence,
    /// The rules it rests on, strongest first. Never empty.
    pub rules: Vec<RuleId>,
    /// Index in [`Answer::hits`] of a hit that contains it; of several, the one that reaches furthest.
    pub within: Option<usize>,
}

/// Why an occurrence does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason<'e> {
    /// Its characters belong to the words that span this stretch.
    WordBoundary(Span),
    /// It stands in this exclusion clause; why the clause excludes.
    Excluded(Span, &'e str),
    /// It is part of this phrase; why the phrase is harmless.
    Mention(Span, &'e str),
    /// Of the rules that reach it, all are exempted by this licence (index in [`Firm::licences`]).
    Licensed(usize),
    /// No rule reaches it.
    NotApplicable,
}

/// An occurrence that was found and does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleared<'e> {
    /// The occurrence.
    pub occurrence: Occurrence,
    /// Why not.
    pub reason: Reason<'e>,
}

/// The decision and every reason for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'e> {
    /// The strongest decision that applies.
    pub decision: Decision,
    /// What counts.
    pub hits: Vec<Hit>,
    /// What was found and does not count.
    pub cleared: Vec<Cleared<'e>>,
    /// The bodies to tell.
    pub inform: Vec<Informed>,
}

/// The engine: all lists and all language data, ready to screen. Immutable; share it freely between threads.
#[derive(Debug)]
pub struct Engine {
    characters: Characters,
    lists: Wordlists,
    matcher: Matcher,
    lexicon: Lexicon,
    exclusions: Exclusions,
    mentions: Mentions,
    names: Names,
}

impl Engine {
    /// Builds an engine from the files of a wordlists folder, and checks that every canary hits.
    ///
    /// # Errors
    /// Every problem of the files, with file and line.
    pub fn build(files: &Files) -> Result<Self, Problems> {
        // the segmenter's dictionary takes as long to load as all the rest, and is loaded beside it
        std::thread::scope(|scope| {
            let names = scope.spawn(|| Names::load(files));
            Self::load(files, || names.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    fn load(files: &Files, names: impl FnOnce() -> Result<Names, Vec<Problem>>) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let characters = Characters::load(files, &mut problems);
        let exclusions = Exclusions::load(files, &mut problems);
        let lists = Wordlists::load(files, &characters).map_err(|more| problems.extend_from_slice(more.list())).ok();
        let names = names().map_err(|more| problems.extend(more)).ok();
        let (Some(lists), Some(names)) = (lists, names) else { return Err(Problems::of(problems)) };
        let lexicon = Lexicon::load(files, &mut problems);
        let mentions = Mentions::load(files, &lists, &mut problems);
        let matcher = Matcher::build(&lists, &characters).map_err(|problem| Problems::of(vec![problem]))?;
        let engine = Self { characters, lists, matcher, lexicon, exclusions, mentions, names };
        problems.extend(engine.lists.canaries().iter().filter_map(|canary| engine.silent(canary)));
        Problems::check(problems)?;
        Ok(engine)
    }

    /// The lists.
    #[must_use]
    pub fn lists(&self) -> &Wordlists {
        &self.lists
    }

    /// The character tables.
    #[must_use]
    pub fn characters(&self) -> &Characters {
        &self.characters
    }

    /// The term that `text` spells, however it is spelled or disguised.
    #[must_use]
    pub fn term(&self, text: &str) -> Option<TermId> {
        let read = Normalized::of(text, &self.characters);
        let whole = |found: &Found| found.first == 0 && found.last + 1 == read.kept().len();
        self.matcher.find(&read).into_iter().find(whole).map(|found| found.term)
    }

    /// A firm's name taken apart; none where it cannot be.
    #[must_use]
    pub fn name_parts(&self, name: &str) -> Option<NameParts> {
        self.names.take_apart(name, self.lists.divisions())
    }

    /// Whether a term occurs in a text: without one, screening finds nothing. Fast.
    #[must_use]
    pub fn occurs(&self, text: &str) -> bool {
        self.matcher.occurs(text, &self.characters)
    }

    /// Screens a firm. Cannot fail on any text; time is linear in the texts' length.
    #[must_use]
    pub fn screen(&self, firm: &Firm) -> Answer<'_> {
        self.screen_in(firm, Field::ALL.iter().copied().filter(|field| self.occurs(firm.text(*field))).collect())
    }

    /// Screens a firm of which it is known in which of its texts a term [`occurs`](Self::occurs).
    #[must_use]
    pub fn screen_in(&self, firm: &Firm, fields: Set<Field>) -> Answer<'_> {
        let mut hits = Vec::new();
        let mut cleared = Vec::new();
        for field in fields.iter() {
            self.screen_text(firm, field, &mut hits, &mut cleared);
        }
        let decision = hits.iter().map(|hit| self.decision(hit)).max().unwrap_or(Decision::Pass);
        let routed = hits.iter().map(|hit| (self.lists.term(hit.occurrence.term).field, hit.rules.as_slice()));
        let inform = inform(routed, &firm.circumstances, &self.lists);
        Answer { decision, hits, cleared, inform }
    }

    /// The decision that a hit alone leads to: that of its strongest rule.
    #[must_use]
    pub fn decision(&self, hit: &Hit) -> Decision {
        hit.rules.iter().map(|id| self.lists.rule(*id).counted_force().into()).max().unwrap_or(Decision::Pass)
    }

    fn screen_text<'e>(&'e self, firm: &Firm, field: Field, hits: &mut Vec<Hit>, cleared: &mut Vec<Cleared<'e>>) {
        let text = Normalized::of(firm.text(field), &self.characters);
        // a name excludes nothing: 不含金融有限公司 must not pass
        let excluded = if field == Field::Name { Vec::new() } else { self.exclusions.find(text.kept()) };
        let mut judge = Judge { engine: self, text: &text, field, excluded: Sweep::over(excluded) };
        let (first_hit, first_cleared) = (hits.len(), cleared.len());
        for found in ordered(self.matcher.find(&text)) {
            let occurrence = Occurrence { field, span: text.span(found.first, found.last), term: found.term };
            let reason = match judge.reads_otherwise(found) {
                Some(reason) => reason,
                None => match reach(self.lists.term(found.term), field, &firm.circumstances, &firm.licences, &self.lists) {
                    Reach::Rules(rules) => {
                        hits.push(Hit { occurrence, rules, within: None });
                        continue;
                    }
                    Reach::Licensed(index) => Reason::Licensed(index),
                    Reach::None => Reason::NotApplicable,
                },
            };
            cleared.push(Cleared { occurrence, reason });
        }
        clear_within_licensed(hits, cleared, first_hit, first_cleared);
        nest(&mut hits[first_hit..], first_hit);
    }

    fn silent(&self, canary: &Canary) -> Option<Problem> {
        let missing: Vec<&str> = canary.terms.iter().filter(|term| !self.sings(canary, term)).map(String::as_str).collect();
        let message = format!("canary '{}' must hit {} and does not", canary.text, missing.join(", "));
        (!missing.is_empty()).then(|| Problem::silent(&canary.file, canary.line, message))
    }

    /// Whether a canary hits `term` by one of its instrument's rules, asked where that rule reaches.
    fn sings(&self, canary: &Canary, term: &str) -> bool {
        let rules = self.lists.rules().iter().filter(|rule| self.lists.instrument_of(rule).id == canary.instrument);
        rules.filter_map(|rule| Some((rule, rule.days.from.or(rule.days.to)?))).any(|(rule, day)| {
            let circumstances = Circumstances {
                region: rule.jurisdiction,
                kind: rule.kinds.iter().next().unwrap_or(EntityKind::Enterprise),
                event: rule.events.iter().next().unwrap_or(Event::Establish),
                day,
            };
            let mut firm = Firm::blank(circumstances);
            match rule.fields.iter().next() {
                Some(Field::Scope) => firm.scope.clone_from(&canary.text),
                Some(Field::Advertisement) => firm.advertisement.clone_from(&canary.text),
                _ => firm.name.clone_from(&canary.text),
            }
            let hits = self.screen(&firm).hits;
            hits.iter().any(|hit| {
                self.lists.term(hit.occurrence.term).text == term
                    && hit.rules.iter().any(|id| self.lists.instrument_of(self.lists.rule(*id)).id == canary.instrument)
            })
        })
    }
}

impl Firm {
    /// A firm without texts.
    #[must_use]
    pub fn blank(circumstances: Circumstances) -> Self {
        Self { name: String::new(), scope: String::new(), advertisement: String::new(), circumstances, licences: Vec::new() }
    }
}

/// Judges the occurrences of one text by its language.
struct Judge<'e, 't> {
    engine: &'e Engine,
    text: &'t Normalized<'t>,
    field: Field,
    excluded: Sweep<'e>,
}

impl<'e> Judge<'e, '_> {
    /// Why an occurrence is not the term, if it is not.
    fn reads_otherwise(&mut self, found: Found) -> Option<Reason<'e>> {
        let (engine, kept) = (self.engine, self.text.kept());
        let excluded = self.excluded.holding(found.first, found.last);
        if let Some(words) = boundary::crossing(kept, found, &engine.lexicon) {
            return Some(Reason::WordBoundary(self.text.span(words.first, words.last)));
        }
        if let Some(excluded) = excluded {
            return Some(Reason::Excluded(self.text.span(excluded.clause.0, excluded.clause.1), excluded.reason));
        }
        let mention = engine.mentions.around(kept, found, self.field)?;
        Some(Reason::Mention(self.text.span(mention.first, mention.last), mention.reason))
    }
}

/// In the order of the text, longer before shorter; the same occurrence by two spellings once.
fn ordered(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_unstable_by_key(|found| (found.first, std::cmp::Reverse(found.last), found.term));
    found.dedup();
    found
}

/// A licence for 融资担保 is one for the 融资 in it: hits of one text within a licensed occurrence are cleared with it.
fn clear_within_licensed(hits: &mut Vec<Hit>, cleared: &mut Vec<Cleared<'_>>, first_hit: usize, first_cleared: usize) {
    let licensed: Vec<(Span, usize)> = cleared[first_cleared..]
        .iter()
        .filter_map(|cleared| match cleared.reason {
            Reason::Licensed(index) => Some((cleared.occurrence.span, index)),
            _ => None,
        })
        .collect();
    if licensed.is_empty() {
        return;
    }
    let mut ahead = licensed.iter().peekable();
    let mut furthest: Option<(Span, usize)> = None;
    for hit in hits.split_off(first_hit) {
        let span = hit.occurrence.span;
        while let Some(begun) = ahead.next_if(|(licensed, _)| licensed.start_byte <= span.start_byte) {
            if furthest.is_none_or(|(reached, _)| reached.end_byte < begun.0.end_byte) {
                furthest = Some(*begun);
            }
        }
        match furthest.filter(|(licensed, _)| licensed.covers(&span)) {
            Some((_, index)) => cleared.push(Cleared { occurrence: hit.occurrence, reason: Reason::Licensed(index) }),
            None => hits.push(hit),
        }
    }
}

/// Says of each hit of one text, in order, which hit contains it. `offset` is the index of the first.
fn nest(hits: &mut [Hit], offset: usize) {
    let mut outermost: Option<usize> = None;
    for index in 0..hits.len() {
        match outermost {
            Some(outer) if hits[outer].occurrence.span.covers(&hits[index].occurrence.span) => hits[index].within = Some(offset + outer),
            _ => outermost = Some(index),
        }
    }
}
