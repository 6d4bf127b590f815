//! Matching (匹配): every overlapping occurrence of every term, and no policy.
//!
//! Each character is mapped to a one-byte class ([`classes`]). The automaton is a standard `aho-corasick` DFA over classes,
//! stepped by hand so that nothing is copied, and only where a term may have begun: most characters begin none and are
//! stepped over.

mod classes;

use aho_corasick::{
    Anchored, MatchKind, StartKind,
    automaton::{Automaton, StateID},
    dfa::DFA,
};
use classes::{Classes, OTHER, SOFT, WIDE, is_step};

use crate::{
    characters::{Characters, Reading, is_ideograph},
    normalize::Normalized,
    problem::Problem,
    wordlist::{TermId, Wordlists},
};

/// An occurrence of a term: first and last of the kept characters, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The term.
    pub term: TermId,
    /// Index of its first kept character.
    pub first: usize,
    /// Index of its last kept character.
    pub last: usize,
}

/// The automaton over all terms.
#[derive(Debug)]
pub struct Matcher {
    classes: Classes,
    automaton: DFA,
    start: StateID,
    patterns: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    term: TermId,
    length: usize,
}

impl Matcher {
    /// Builds the automaton of all terms and of every spelling of their digits.
    ///
    /// # Errors
    /// Where the terms have more different characters than there are classes, or are too many for an automaton.
    pub fn build(lists: &Wordlists, characters: &Characters) -> Result<Self, Problem> {
        Self::of(lists.numbered_terms().map(|(id, term)| (id, term.read.as_str())), characters)
    }

    /// Builds the automaton of some terms, each as it reads.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn of<'t>(terms: impl Iterator<Item = (TermId, &'t str)>, characters: &Characters) -> Result<Self, Problem> {
        let too_many = |why: String| Problem::new("national/", 0, why);
        let mut spelled = Vec::new();
        for (id, term) in terms {
            spelled.extend(spellings(term, characters).into_iter().map(|spelling| (id, spelling)));
        }
        let classes = Classes::build(spelled.iter().map(|(_, spelling)| spelling.as_str()), characters).map_err(too_many)?;
        let encoded: Vec<Vec<u8>> = spelled.iter().map(|(_, spelling)| classes.encode(spelling)).collect();
        let automaton = DFA::builder()
            .match_kind(MatchKind::Standard)
            .start_kind(StartKind::Unanchored)
            .prefilter(false)
            .build(&encoded)
            .map_err(|error| too_many(error.to_string()))?;
        let start = automaton.start_state(Anchored::No).map_err(|error| too_many(error.to_string()))?;
        let patterns = spelled.into_iter().map(|(term, spelling)| Pattern { term, length: spelling.chars().count() }).collect();
        Ok(Self { classes, automaton, start, patterns })
    }

    /// Whether any term occurs in `text`: the fast way, without a copy.
    #[must_use]
    pub fn occurs(&self, text: &str, characters: &Characters) -> bool {
        let mut at = 0;
        while let Some(begin) = self.classes.next_beginning(text.as_bytes(), at) {
            match self.follow(text, begin, characters) {
                Some(next) => at = next,
                None => return true,
            }
        }
        false
    }

    /// Follows what may be a term from `begin` on: none where it becomes one, else where nothing is left of it.
    #[inline(never)] // the loop that steps over all other characters has the registers for itself
    fn follow(&self, text: &str, begin: usize, characters: &Characters) -> Option<usize> {
        let mut state = self.start;
        let mut before = begin;
        let mut at = begin;
        while let Some((class, width)) = self.classes.at(text.as_bytes(), at) {
            if is_step(class) {
                // a character of no term leads back to the start by itself: no branch
                state = self.automaton.next_state(Anchored::No, state, class);
            } else {
                match self.rare(class, state, &text[before..], &text[at..], characters) {
                    Rare::Step(to) => state = to,
                    Rare::Skip(length) => {
                        at += length;
                        continue;
                    }
                }
            }
            if self.is_match(state) {
                return None;
            }
            before = at;
            at += width;
            if state == self.start {
                return Some(at);
            }
        }
        Some(text.len())
    }

    fn is_match(&self, state: StateID) -> bool {
        self.automaton.is_special(state) && self.automaton.is_match(state)
    }

    /// What the first character of `text`, of a class that is no step by itself, does; `before` begins with the character that
    /// was kept before it.
    #[cold]
    fn rare(&self, class: u8, state: StateID, before: &str, text: &str, characters: &Characters) -> Rare {
        let Some(c) = text.chars().next() else { return Rare::Step(self.start) };
        let width = c.len_utf8();
        if class == SOFT {
            return Rare::Skip(width);
        }
        let reads_ideograph = |c: char| matches!(characters.read(c), Reading::As(read) if is_ideograph(read));
        match characters.bracketed_reading(c, &text[width..]) {
            Some(length) if before.chars().next().is_some_and(reads_ideograph) => Rare::Skip(width + length),
            _ => Rare::Step(self.step(state, class, c)),
        }
    }

    /// Every occurrence of every term, by where it ends.
    #[must_use]
    pub fn find(&self, text: &Normalized<'_>) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        let mut state = self.start;
        for (last, kept) in text.kept().iter().enumerate() {
            if state == self.start && !self.classes.may_begin(kept.read) {
                continue; // nearly all
            }
            state = self.step(state, self.classes.of(kept.read), kept.read);
            if self.is_match(state) {
                for index in 0..self.automaton.match_len(state) {
                    let pattern = &self.patterns[self.automaton.match_pattern(state, index).as_usize()];
                    found.push(Found { term: pattern.term, first: last + 1 - pattern.length, last });
                }
            }
        }
        found
    }

    fn step(&self, state: StateID, class: u8, c: char) -> StateID {
        if is_step(class) {
            return self.automaton.next_state(Anchored::No, state, class);
        }
        if class != WIDE {
            return self.start;
        }
        let [lead, trail] = self.classes.wide.get(&c).copied().unwrap_or([OTHER, OTHER]);
        let between = self.automaton.next_state(Anchored::No, state, lead);
        self.automaton.next_state(Anchored::No, between, trail)
    }
}

/// Every way to spell a term: as it reads, and with each digit in each of its spellings.
fn spellings(read: &str, characters: &Characters) -> Vec<String> {
    let mut spellings = vec![String::new()];
    for c in read.chars() {
        let mut choices = vec![c.to_string()];
        choices.extend(characters.numerals(c).map(str::to_owned));
        spellings = spellings.iter().flat_map(|begun| choices.iter().map(move |choice| format!("{begun}{choice}"))).collect();
    }
    spellings
}

/// What a rare character does.
enum Rare {
    /// Leads to this state.
    Step(StateID),
    /// Is skipped, with so many bytes.
    Skip(usize),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded;

    /// Texts, and whether a term is in them.
    type Texts<'t> = &'t [(&'t str, bool)];

    #[test]
    fn the_fast_way_finds_what_is_found() {
        let characters = Characters::load(&embedded::files(), &mut Vec::new());
        let cases: [(&[&str], Texts<'_>); 2] = [
            (&["融"], &[("信融通", true), ("融", true), ("某地融", true), ("x融y", true), ("信用", false), ("", false)]),
            (
                &["网贷", "贷款", "p2p"],
                &[
                    ("某地网贷", true),
                    ("网网贷", true),
                    ("网、贷", false),
                    ("网·贷", true),
                    ("网(wang)贷", true),
                    ("网﹙wǎng﹚贷", true),
                    ("网﹙wǎng贷", false),
                    ("P(pin)2p", false),
                    ("网络贷款", true),
                    ("网", false),
                    ("Ｐ2p网", true),
                    ("某𠮷网贷公司", true),
                    ("网x贷", false),
                ],
            ),
        ];
        for (terms, texts) in cases {
            let matcher = Matcher::of((0..).map(TermId).zip(terms.iter().copied()), &characters).expect("few terms");
            for (text, holds) in texts {
                let found = matcher.find(&Normalized::of(text, &characters));
                assert_eq!((matcher.occurs(text, &characters), !found.is_empty()), (*holds, *holds), "{terms:?} in {text}");
            }
        }
    }
}
