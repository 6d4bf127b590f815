//! Exclusion clauses (排除条款): which stretches of a scope say what a firm does *not* do.
//!
//! 不含金融业务 excludes what follows it, 金融、证券除外 what stands before it, 除……外 what it holds. Brackets are
//! parsed before sentences are split, since numbered lists inside brackets use ；, and brackets nest and may be
//! unbalanced. The phrases are data: `wordlists/language/exclusions.tsv`.

use rustc_hash::FxHashMap;

use crate::{
    characters::{closing_bracket, is_ideograph},
    normalize::Kept,
    problem::Problem,
    wordlist::{Files, rows::rows},
};

const EXCLUSIONS: &str = "language/exclusions.tsv";

/// What a phrase does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Excludes what follows, to the end of the bracket, or of the clause outside brackets: 不含.
    After,
    /// Excludes what follows to the end of the sentence, over commas: 未经……批准，不得…….
    Through,
    /// Excludes what follows up to 外: 除……外. In a bracket, 外 may be missing.
    Until,
    /// Excludes what stands before it: 除外.
    Before,
    /// Ends what is being excluded: 不得……，仅限以自有资产投资.
    Only,
    /// Looks like one of the others and excludes nothing: 法律另有规定的除外.
    Nothing,
}

/// A phrase, its effect, and why.
#[derive(Debug)]
struct Phrase {
    text: Vec<char>,
    effect: Effect,
    reason: String,
}

/// The phrases, by their first two characters, longest first.
#[derive(Debug)]
pub struct Exclusions {
    by_beginning: FxHashMap<Beginning, Vec<Phrase>>,
    /// Which buckets hold the first character of a phrase: most characters of a text begin none.
    firsts: Box<[bool]>,
}

/// The first two characters of a phrase; one of a single character stands with every second one.
type Beginning = (char, Option<char>);

/// A stretch of kept characters that is excluded; all indexes inclusive.
#[derive(Debug, Clone, Copy)]
pub struct Excluded<'e> {
    /// First excluded character.
    pub first: usize,
    /// Last excluded character.
    pub last: usize,
    /// First and last character of the phrase together with what it excludes.
    pub clause: (usize, usize),
    /// Whether the phrase stands before what it excludes.
    pub forward: bool,
    /// Why the phrase excludes.
    pub reason: &'e str,
}

impl Excluded<'_> {
    /// Takes back what it excludes from `at` on, if it began before.
    fn end_before(&mut self, at: usize) {
        if self.first < at && at <= self.last {
            self.last = at - 1;
            self.clause.1 = at - 1;
        }
    }
}

impl Exclusions {
    /// Reads the phrases, adding what is wrong with them to `problems`.
    pub(crate) fn load(files: &Files, problems: &mut Vec<Problem>) -> Self {
        let mut by_beginning: FxHashMap<Beginning, Vec<Phrase>> = FxHashMap::default();
        for row in rows(EXCLUSIONS, files.text(EXCLUSIONS, problems), 3, problems) {
            let text: Vec<char> = row.columns[1].chars().collect();
            let (Some(effect), Some(first)) = (effect(row.columns[0]), text.first().copied()) else {
                problems.push(Problem::new(
                    EXCLUSIONS,
                    row.line,
                    "expected: after|through|until|before|only|nothing TAB phrase TAB reason",
                ));
                continue;
            };
            by_beginning.entry((first, text.get(1).copied())).or_default().push(Phrase { text, effect, reason: row.columns[2].to_owned() });
        }
        for phrases in by_beginning.values_mut() {
            phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.text.len()));
        }
        let mut firsts = vec![false; BUCKETS].into_boxed_slice();
        for (first, _) in by_beginning.keys() {
            firsts[bucket(*first)] = true;
        }
        Self { by_beginning, firsts }
    }

    /// Every excluded stretch of a text, in linear time.
    #[must_use]
    pub fn find(&self, text: &[Kept]) -> Vec<Excluded<'_>> {
        let mut excluded: Vec<Excluded<'_>> = Vec::new();
        let mut brackets: Option<Brackets> = None;
        let mut at = 0;
        let mut reached = 0;
        let begins = |kept: &Kept| self.firsts[bucket(kept.read)];
        let mut floor = (None, 0); // the end of the last phrase that reached back, and its bracket
        while let Some(next) = text.get(at..).and_then(|rest| rest.iter().position(begins)) {
            at += next;
            let Some(phrase) = self.phrase_at(text, at) else {
                at += 1;
                continue;
            };
            let brackets = brackets.get_or_insert_with(|| Brackets::of(text));
            let end = at + phrase.text.len();
            let stretch = match phrase.effect {
                Effect::Nothing => None,
                Effect::Only => {
                    // whatever still runs is the last that reached forward
                    if let Some(running) = excluded.iter_mut().rfind(|running| running.forward) {
                        running.end_before(at);
                    }
                    reached = reached.min(at);
                    None
                }
                Effect::Before => {
                    let bracket = brackets.inside(at);
                    let no_further = if floor.0 == bracket { floor.1 } else { 0 };
                    floor = (bracket, end);
                    brackets.back(text, at, no_further).map(|first| (first, at - 1))
                }
                // what an earlier phrase already reaches need not be walked again
                _ if end < reached => None,
                Effect::After => brackets.forward(text, end, Stop::Comma),
                Effect::Through => brackets.forward(text, end, Stop::Sentence),
                Effect::Until => brackets.until_outside(text, at, end),
            };
            if let Some((first, last)) = stretch {
                reached = reached.max(last);
                let clause = (first.min(at), last.max(end - 1));
                let forward = phrase.effect != Effect::Before;
                excluded.push(Excluded { first, last, clause, forward, reason: &phrase.reason });
            }
            at = end;
        }
        excluded
    }

    /// The longest phrase that begins at `at`.
    fn phrase_at(&self, text: &[Kept], at: usize) -> Option<&Phrase> {
        let here = &text[at..];
        let (first, second) = (here[0].read, here.get(1).map(|kept| kept.read));
        let begun = [(first, second), (first, None)];
        begun
            .into_iter()
            .filter_map(|beginning| self.by_beginning.get(&beginning))
            .flatten()
            .find(|phrase| here.len() >= phrase.text.len() && phrase.text.iter().zip(here).all(|(c, kept)| *c == kept.read))
    }
}

const BUCKETS: usize = 1 << 12;

const fn bucket(first: char) -> usize {
    first as usize % BUCKETS
}

/// Asks, occurrence by occurrence in the order of the text, which stretch holds it; linear over all of them.
#[derive(Debug)]
pub struct Sweep<'e> {
    ahead: std::iter::Peekable<std::vec::IntoIter<Excluded<'e>>>,
    /// Of the stretches that have begun, the one that reaches furthest.
    furthest: Option<Excluded<'e>>,
}

impl<'e> Sweep<'e> {
    /// Over these stretches.
    #[must_use]
    pub fn over(mut excluded: Vec<Excluded<'e>>) -> Self {
        excluded.sort_by_key(|excluded| excluded.first);
        Self { ahead: excluded.into_iter().peekable(), furthest: None }
    }

    /// A stretch that holds all characters from `first` to `last`; `first` must not go back.
    pub fn holding(&mut self, first: usize, last: usize) -> Option<Excluded<'e>> {
        while let Some(begun) = self.ahead.next_if(|excluded| excluded.first <= first) {
            if self.furthest.is_none_or(|furthest| furthest.last < begun.last) {
                self.furthest = Some(begun);
            }
        }
        self.furthest.filter(|furthest| last <= furthest.last)
    }
}

fn effect(word: &str) -> Option<Effect> {
    Some(match word {
        "after" => Effect::After,
        "through" => Effect::Through,
        "until" => Effect::Until,
        "before" => Effect::Before,
        "only" => Effect::Only,
        "nothing" => Effect::Nothing,
        _ => return None,
    })
}

/// Where a forward reach outside brackets stops.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Comma,
    Sentence,
}

const NONE: u32 = u32::MAX;

/// For each character the bracket pair it belongs to. A text has at most `u32::MAX` characters.
struct Brackets {
    /// For an opening bracket its closing one, for a closing one its opening one.
    partners: Vec<u32>,
    /// The innermost opening bracket that encloses the character and has a partner.
    insides: Vec<u32>,
}

impl Brackets {
    #[allow(clippy::cast_possible_truncation)] // see the type
    fn of(text: &[Kept]) -> Self {
        let mut partners = vec![NONE; text.len()];
        let mut open = Vec::new();
        let mut brackets = Vec::new();
        for (at, kept) in text.iter().enumerate() {
            if is_ideograph(kept.read) {
                continue; // nearly all
            }
            if closing_bracket(kept.read).is_some() {
                open.push(at);
                brackets.push(at);
            } else if is_closing(kept.read)
                && let Some(begin) = open.pop()
            {
                (partners[begin], partners[at]) = (at as u32, begin as u32);
                brackets.push(at);
            }
        }
        let mut insides = vec![NONE; text.len()];
        let mut enclosing = Vec::new();
        let mut from = 0;
        for at in brackets.into_iter().filter(|at| partners[*at] != NONE) {
            let opens = partners[at] as usize > at;
            let until = at + usize::from(opens); // a bracket is not inside of itself
            if let Some(inside) = enclosing.last() {
                insides[from..until].fill(*inside);
            }
            from = until;
            if opens {
                enclosing.push(at as u32);
            } else {
                enclosing.pop();
            }
        }
        Self { partners, insides }
    }

    fn partner(&self, at: usize) -> Option<usize> {
        (self.partners[at] != NONE).then_some(self.partners[at] as usize)
    }

    fn inside(&self, at: usize) -> Option<usize> {
        (self.insides[at] != NONE).then_some(self.insides[at] as usize)
    }

    /// What a phrase that ends before `from` reaches forward.
    fn forward(&self, text: &[Kept], from: usize, stop: Stop) -> Option<(usize, usize)> {
        let bracket = self.inside(from - 1);
        let limit = bracket.and_then(|bracket| self.partner(bracket)).unwrap_or(text.len()).min(text.len());
        if from >= limit || is_comma(text[from].read) || ends_sentence(text[from].read) {
            return None; // 不得经营；: the phrase has no object
        }
        let mut at = from;
        let list = bracket.is_none() && begins_list(text, from);
        while at < limit {
            let c = text[at].read;
            let item_follows = || list && c == ';' && begins_item(text, at + 1);
            let clause_ends = bracket.is_none() && ((ends_sentence(c) && !item_follows()) || (stop == Stop::Comma && !list && is_comma(c)));
            if clause_ends || (is_closing(c) && self.partner(at).is_none()) {
                break;
            }
            at = self.partner(at).filter(|partner| *partner > at).unwrap_or(at) + 1;
        }
        (at > from).then(|| (from, at.min(limit) - 1))
    }

    /// What 除 at `at` holds: up to 外; where there is none, to the end of a bracket that 除 begins a part of.
    fn until_outside(&self, text: &[Kept], at: usize, from: usize) -> Option<(usize, usize)> {
        /// An exception is short; the bound keeps a text full of 除 from costing more than its length.
        const LONGEST: usize = 256;
        let (first, last) = self.forward(&text[..text.len().min(from + LONGEST)], from, Stop::Comma)?;
        let outside = (first..=last).find(|index| text[*index].read == '外' && ends_exception(text, *index));
        if let Some(outside) = outside {
            return (outside > first).then(|| (first, outside - 1));
        }
        let bracketed = self.inside(at).is_some();
        let begins_part =
            at == 0 || is_comma(text[at - 1].read) || ends_sentence(text[at - 1].read) || closing_bracket(text[at - 1].read).is_some();
        let sums_up =
            at >= 2 && matches!((text[at - 2].read, text[at - 1].read), ('以', '上') | ('上', '述') | ('项', '目') | ('业', '务'));
        (bracketed && (begins_part || sums_up)).then_some((first, last))
    }

    /// The first character that 除外 at `at` reaches back to, not beyond `floor`.
    fn back(&self, text: &[Kept], at: usize, floor: usize) -> Option<usize> {
        let bracket = self.inside(at);
        let limit = bracket.map_or(0, |bracket| bracket + 1).max(floor);
        let mut first = at;
        while first > limit {
            let before = first - 1;
            let c = text[before].read;
            let unmatched = closing_bracket(c).is_some() && self.partner(before).is_none();
            if ends_sentence(c) || c == ':' || unmatched || (bracket.is_none() && is_comma(c)) {
                break;
            }
            first = self.partner(before).filter(|partner| *partner < before).map_or(before, |partner| partner.max(limit));
        }
        (first < at).then_some(first)
    }
}

fn is_closing(c: char) -> bool {
    matches!(c, ')' | ']' | '}' | '】' | '〕' | '〉' | '》')
}

fn is_comma(c: char) -> bool {
    c == ','
}

fn ends_sentence(c: char) -> bool {
    matches!(c, ';' | '。' | '\n' | '\r' | '!' | '?')
}

/// 外 as in 除……外的, 除……外）: not as in 外汇.
fn ends_exception(text: &[Kept], at: usize) -> bool {
    text.get(at + 1).is_none_or(|next| next.read == '的' || !next.read.is_alphanumeric())
}

/// Whether a numbered list begins at `at`, possibly after a colon: then ； separates its items.
fn begins_list(text: &[Kept], at: usize) -> bool {
    let mark = (at..text.len()).find(|index| matches!(text[*index].read, ':' | ',' | ';' | '。'));
    mark.is_some_and(|mark| begins_item(text, mark + 1))
}

/// Whether an item of a numbered list begins at `at`: 1、 (1) 一、
fn begins_item(text: &[Kept], at: usize) -> bool {
    text.get(at).is_some_and(|kept| {
        kept.read.is_ascii_digit() || matches!(kept.read, '(' | '一' | '二' | '三' | '四' | '五' | '六' | '七' | '八' | '九' | '十')
    })
}
