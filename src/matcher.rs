//! Matching (匹配): every overlapping occurrence of every term, and no policy.
//!
//! Each character is mapped to a one-byte class: characters of terms have a class of their own, soft ones are
//! skipped, all else is "other" and sends the automaton back to its start. The automaton is a standard
//! `aho-corasick` DFA over classes, stepped by hand so that nothing is copied.

use aho_corasick::{
    Anchored, MatchKind, StartKind,
    automaton::{Automaton, StateID},
    dfa::DFA,
};
use rustc_hash::FxHashMap;

use crate::{
    characters::{Characters, Reading, closing_bracket, is_ideograph},
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
        let classes = Classes::build(spelled.iter().flat_map(|(_, spelling)| spelling.chars()), characters).map_err(too_many)?;
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
        let mut state = self.start;
        let mut before = OTHER;
        let mut at = 0;
        while let Some((class, width)) = self.classes.at(text.as_bytes(), at) {
            if class >= FIRST_RARE {
                match self.rare(class, state, before, &text[at..], characters) {
                    Rare::Step(to) => state = to,
                    Rare::Skip(length) => {
                        at += length;
                        continue;
                    }
                }
            } else {
                // a character of no term leads back to the start by itself: no branch
                state = self.automaton.next_state(Anchored::No, state, class);
            }
            if self.automaton.is_special(state) && self.automaton.is_match(state) {
                return true;
            }
            before = class;
            at += width;
        }
        false
    }

    /// What the first character of `text`, of a class that is no step by itself, does.
    #[cold]
    fn rare(&self, class: u8, state: StateID, before: u8, text: &str, characters: &Characters) -> Rare {
        let Some(c) = text.chars().next() else { return Rare::Step(self.start) };
        let width = c.len_utf8();
        match class {
            SOFT => Rare::Skip(width),
            WIDE => Rare::Step(self.step(state, class, c)),
            _ => match characters.bracketed_reading(c, &text[width..]) {
                Some(length) if self.classes.ideograph[usize::from(before)] => Rare::Skip(width + length),
                _ => Rare::Step(self.start),
            },
        }
    }

    /// Every occurrence of every term, by where it ends.
    #[must_use]
    pub fn find(&self, text: &Normalized<'_>) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        let mut state = self.start;
        for (last, kept) in text.kept().iter().enumerate() {
            state = self.step(state, self.classes.of(kept.read), kept.read);
            if self.automaton.is_special(state) && self.automaton.is_match(state) {
                for index in 0..self.automaton.match_len(state) {
                    let pattern = &self.patterns[self.automaton.match_pattern(state, index).as_usize()];
                    found.push(Found { term: pattern.term, first: last + 1 - pattern.length, last });
                }
            }
        }
        found
    }

    fn step(&self, state: StateID, class: u8, c: char) -> StateID {
        if class < FIRST_RARE {
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

const OTHER: u8 = 0;
const FIRST_TERM_CLASS: u8 = 1;
/// Classes from here on are not steps of the automaton by themselves.
const FIRST_RARE: u8 = SOFT;
const SOFT: u8 = 0xFD;
const BRACKET: u8 = 0xFE;
/// Term characters beyond the one-byte classes are written as two bytes, a lead and a trail, each from a range
/// of its own, so that no match can begin in the middle of one.
const FIRST_LEAD: u8 = 0xC0;
const FIRST_TRAIL: u8 = 0xE0;
const LEADS: usize = 29;
const TRAILS: usize = 29;
const WIDE: u8 = 0xFF;
const BASIC_PLANE: usize = 0x1_0000;

/// The class of every character.
#[derive(Debug)]
struct Classes {
    basic: Box<[u8; BASIC_PLANE]>,
    beyond: FxHashMap<char, u8>,
    wide: FxHashMap<char, [u8; 2]>,
    ideograph: [bool; 256],
}

impl Classes {
    fn build(term_characters: impl Iterator<Item = char>, characters: &Characters) -> Result<Self, String> {
        let mut read: FxHashMap<char, u8> = FxHashMap::default();
        let mut wide: FxHashMap<char, [u8; 2]> = FxHashMap::default();
        let mut ideograph = [false; 256];
        for c in term_characters {
            if read.contains_key(&c) {
                continue;
            }
            let narrow = u8::try_from(read.len() - wide.len()).unwrap_or(u8::MAX).saturating_add(FIRST_TERM_CLASS);
            let class = if narrow < FIRST_LEAD {
                narrow
            } else {
                wide.insert(c, wide_class(wide.len())?);
                WIDE
            };
            ideograph[usize::from(class)] = is_ideograph(c);
            read.insert(c, class);
        }
        let mut of_read = vec![OTHER; BASIC_PLANE];
        for c in (0..=0xFFFF).filter_map(char::from_u32).filter(|c| closing_bracket(*c).is_some()) {
            of_read[c as usize] = BRACKET;
        }
        for (c, class) in read.iter().filter(|(c, _)| (**c as usize) < BASIC_PLANE) {
            of_read[*c as usize] = *class;
        }
        let plane = vec![OTHER; BASIC_PLANE].into_boxed_slice();
        let basic = plane.try_into().map_err(|_| "the plane has another size".to_owned())?;
        let mut classes = Self { basic, beyond: FxHashMap::default(), wide, ideograph };
        for c in '\0'..=char::MAX {
            let class = match characters.read(c) {
                Reading::Soft => SOFT,
                Reading::As(to) => of_read.get(to as usize).or_else(|| read.get(&to)).copied().unwrap_or(OTHER),
            };
            classes.set(c, class, characters);
        }
        Ok(classes)
    }

    fn set(&mut self, c: char, class: u8, characters: &Characters) {
        if class == OTHER {
            return;
        }
        if class == WIDE
            && let (Reading::As(to), false) = (characters.read(c), self.wide.contains_key(&c))
        {
            let code = self.wide[&to];
            self.wide.insert(c, code);
        }
        match self.basic.get_mut(c as usize) {
            Some(slot) => *slot = class,
            None => {
                self.beyond.insert(c, class);
            }
        }
    }

    /// The class of the character that begins at byte `at` of a text in UTF-8, and its width in bytes; none at the end.
    #[inline]
    fn at(&self, text: &[u8], at: usize) -> Option<(u8, usize)> {
        let continued = |byte: u8| usize::from(byte & 0x3F);
        match *text.get(at..)? {
            // nearly all of a Chinese text
            [lead @ 0xE0..=0xEF, second, third, ..] => {
                let code = usize::from(lead & 0x0F) << 12 | continued(second) << 6 | continued(third);
                Some((self.basic[code & 0xFFFF], 3))
            }
            [ascii @ 0..=0x7F, ..] => Some((self.basic[usize::from(ascii)], 1)),
            [lead @ 0xC0..=0xDF, second, ..] => Some((self.basic[usize::from(lead & 0x1F) << 6 | continued(second)], 2)),
            [lead, second, third, fourth, ..] => {
                let code = usize::from(lead & 0x07) << 18 | continued(second) << 12 | continued(third) << 6 | continued(fourth);
                let c = u32::try_from(code).ok().and_then(char::from_u32);
                Some((c.map_or(OTHER, |c| self.of(c)), 4))
            }
            _ => None,
        }
    }

    fn of(&self, c: char) -> u8 {
        match self.basic.get(c as usize) {
            Some(class) => *class,
            None => self.beyond.get(&c).copied().unwrap_or(OTHER),
        }
    }

    fn encode(&self, spelling: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(spelling.len());
        for c in spelling.chars() {
            match self.of(c) {
                WIDE => bytes.extend(self.wide[&c]),
                class => bytes.push(class),
            }
        }
        bytes
    }
}

fn wide_class(index: usize) -> Result<[u8; 2], String> {
    let (lead, trail) = (index / TRAILS, index % TRAILS);
    if lead >= LEADS {
        let most = usize::from(FIRST_LEAD - FIRST_TERM_CLASS) + LEADS * TRAILS;
        return Err(format!("the terms have more than {most} different characters"));
    }
    let byte = |first: u8, offset: usize| first + u8::try_from(offset).unwrap_or(0); // offset < 29
    Ok([byte(FIRST_LEAD, lead), byte(FIRST_TRAIL, trail)])
}
