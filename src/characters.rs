//! Characters (字符): which are one character in other clothes, and which may be skipped inside a term.
//!
//! Folding goes character by character, so that every offset keeps its way back to the original:
//! compatibility forms (NFKD), case, traditional and variant forms to simplified, look-alikes to ASCII.
//! What the tables under `wordlists/language/` say comes before what Unicode says.

use rustc_hash::{FxHashMap, FxHashSet};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::{
    problem::Problem,
    wordlist::{
        Files,
        rows::{character, rows},
    },
};

const TRADITIONAL: &str = "language/traditional.tsv";
const VARIANTS: &str = "language/variants.tsv";
const LOOKALIKES: &str = "language/lookalikes.tsv";
const SEPARATORS: &str = "language/separators.tsv";
const NUMERALS: &str = "language/numerals.tsv";
const READINGS: &str = "language/pinyin.txt";

/// What a character is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// As this character, which may be the character itself.
    As(char),
    /// As nothing: it may be skipped inside a term.
    Soft,
}

/// The character tables.
#[derive(Debug)]
pub struct Characters {
    folds: Folds,
    reasons: FxHashMap<char, String>,
    soft: Vec<SoftRange>,
    numerals: Vec<(char, String)>,
    readings: FxHashSet<String>,
}

#[derive(Debug)]
struct SoftRange {
    first: char,
    last: char,
    reason: String,
}

impl Characters {
    /// Reads the tables, adding what is wrong with them to `problems`.
    pub(crate) fn load(files: &Files, problems: &mut Vec<Problem>) -> Self {
        let mut characters = Self {
            folds: Folds::default(),
            reasons: FxHashMap::default(),
            soft: soft_ranges(files, problems),
            numerals: numerals(files, problems),
            readings: files.text(READINGS, problems).lines().filter(|l| !l.starts_with('#')).map(str::to_owned).collect(),
        };
        let own = characters.own_folds(files, problems);
        characters.folds = fold_table(&own, &characters.soft);
        characters
    }

    fn own_folds(&mut self, files: &Files, problems: &mut Vec<Problem>) -> FxHashMap<char, char> {
        let mut own = FxHashMap::default();
        for (file, columns) in [(TRADITIONAL, 2), (VARIANTS, 3), (LOOKALIKES, 3)] {
            for row in rows(file, files.text(file, problems), columns, problems) {
                let pair = (character(row.columns[0]), character(row.columns[1]));
                let (Some(from), Some(to)) = pair else {
                    problems.push(Problem::new(file, row.line, "expected a single character, or U+XXXX, in each of the first two columns"));
                    continue;
                };
                if own.insert(from, to).is_some() {
                    problems.push(Problem::new(file, row.line, format!("'{from}' is folded twice")));
                }
                if let Some(reason) = row.columns.get(2) {
                    self.reasons.insert(from, (*reason).to_owned());
                }
            }
        }
        own
    }

    /// What `c` is read as.
    #[must_use]
    #[inline]
    pub fn read(&self, c: char) -> Reading {
        self.folds.read(c)
    }

    /// Whether `c` is read as itself and opens no bracket: nearly all are.
    #[must_use]
    #[inline]
    pub(crate) fn is_plain(&self, c: char) -> bool {
        !self.folds.unusual.may_hold(c)
    }

    /// The characters that are not plain.
    pub(crate) fn unusual(&self) -> impl Iterator<Item = char> {
        self.folds.unusual.iter().chain(self.folds.beyond.keys().copied())
    }

    /// Why `c` is read as it is, for people.
    #[must_use]
    pub fn reason(&self, c: char) -> &str {
        if let Some(reason) = self.reasons.get(&c) {
            return reason;
        }
        if let Some(range) = self.soft.iter().find(|range| (range.first..=range.last).contains(&c)) {
            return &range.reason;
        }
        match self.read(c) {
            Reading::Soft => "combining mark",
            Reading::As(_) if c.is_ascii() => "letter case",
            Reading::As(_) if c.nfkd().eq([c]) => "traditional or variant form",
            Reading::As(_) => "compatibility form",
        }
    }

    /// How a digit inside a term may be spelled, in folded form: 2 as 二, 贰, to.
    pub(crate) fn numerals(&self, digit: char) -> impl Iterator<Item = &str> {
        self.numerals.iter().filter(move |(of, _)| *of == digit).map(|(_, spelling)| spelling.as_str())
    }

    /// The byte length of what follows an opening bracket in a reading such as (jīn) or （róng）, the closing
    /// bracket included; none if `open` and `rest` are no reading.
    #[must_use]
    pub fn bracketed_reading(&self, open: char, rest: &str) -> Option<usize> {
        const LONGEST: usize = 7; // "zhuang" and a tone digit
        let Reading::As(open) = self.read(open) else { return None };
        let close = closing_bracket(open)?;
        let mut syllable = String::new();
        for (at, c) in rest.char_indices().take(4 * LONGEST) {
            match self.read(c) {
                Reading::Soft => {}
                Reading::As(letter) if letter.is_ascii_alphanumeric() && syllable.len() < LONGEST => syllable.push(letter),
                Reading::As(bracket) if bracket == close => {
                    let toneless = syllable.trim_end_matches(|tone: char| ('1'..='5').contains(&tone));
                    return self.readings.contains(toneless).then_some(at + c.len_utf8());
                }
                Reading::As(_) => return None,
            }
        }
        None
    }
}

/// Brackets as they are after folding, each with what closes it.
const BRACKETS: [(char, char); 7] = [('(', ')'), ('[', ']'), ('{', '}'), ('【', '】'), ('〔', '〕'), ('〈', '〉'), ('《', '》')];

/// The bracket that closes `open`, both as they are after folding.
pub(crate) fn closing_bracket(open: char) -> Option<char> {
    BRACKETS.into_iter().find(|(opening, _)| *opening == open).map(|(_, closing)| closing)
}

/// Whether `c`, once folded, is a Chinese character.
pub(crate) fn is_ideograph(c: char) -> bool {
    matches!(u32::from(c), 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF)
}

fn soft_ranges(files: &Files, problems: &mut Vec<Problem>) -> Vec<SoftRange> {
    let mut ranges: Vec<SoftRange> = Vec::new();
    for row in rows(SEPARATORS, files.text(SEPARATORS, problems), 4, problems) {
        let (Some(first), Some(last), "soft") = (character(row.columns[0]), character(row.columns[1]), row.columns[2]) else {
            problems.push(Problem::new(SEPARATORS, row.line, "expected: first TAB last TAB soft TAB reason"));
            continue;
        };
        if first > last || ranges.last().is_some_and(|before| first <= before.last) {
            problems.push(Problem::new(SEPARATORS, row.line, "ranges must be in order and must not overlap"));
        }
        ranges.push(SoftRange { first, last, reason: row.columns[3].to_owned() });
    }
    ranges
}

fn numerals(files: &Files, problems: &mut Vec<Problem>) -> Vec<(char, String)> {
    let mut numerals = Vec::new();
    for row in rows(NUMERALS, files.text(NUMERALS, problems), 3, problems) {
        match character(row.columns[0]) {
            Some(digit) if digit.is_ascii_digit() && !row.columns[1].is_empty() => numerals.push((digit, row.columns[1].to_owned())),
            _ => problems.push(Problem::new(NUMERALS, row.line, "expected: digit TAB spelling TAB reason")),
        }
    }
    numerals
}

fn fold_table(own: &FxHashMap<char, char>, soft: &[SoftRange]) -> Folds {
    let mut table = Folds::default();
    for range in soft {
        for c in range.first..=range.last {
            table.set(c, Reading::Soft);
        }
    }
    for c in folding_repertoire().chain(own.keys().copied()) {
        if table.read(c) == Reading::As(c) {
            let folded = fold(c, own, &table);
            table.set(c, folded);
        }
    }
    for (open, _) in BRACKETS {
        table.unusual.mark(open);
    }
    table
}

/// Characters that Unicode may fold: all but those that never fold and are many (ideographs, Hangul, private use).
fn folding_repertoire() -> impl Iterator<Item = char> {
    let ranges = [(0u32, 0x33FF), (0xA000, 0xABFF), (0xF900, 0xFFFF), (0x1_0000, 0x1_1FFF), (0x1_D000, 0x1_FFFF), (0x2_F800, 0x2_FA1F)];
    ranges.into_iter().flat_map(|(first, last)| first..=last).filter_map(char::from_u32)
}

/// One character, folded until nothing changes.
fn fold(c: char, own: &FxHashMap<char, char>, soft: &Folds) -> Reading {
    const LONGEST_CHAIN: usize = 8;
    if is_combining_mark(c) {
        return Reading::Soft;
    }
    let mut folded = c;
    for _ in 0..LONGEST_CHAIN {
        let next = own.get(&folded).copied().unwrap_or_else(|| lower(compatible(folded)));
        if next == folded {
            break;
        }
        folded = next;
    }
    match soft.read(folded) {
        Reading::Soft => Reading::Soft,
        Reading::As(_) => Reading::As(folded),
    }
}

/// The one character that `c` stands for by compatibility decomposition: Ａ → A, ② → 2, é → e, ⑵ → 2, ㈮ → 金.
/// A character that stands for several is itself.
fn compatible(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    let mut letters = c.nfkd().filter(|part| !is_combining_mark(*part));
    let bare = |part: &char| !matches!(part, '(' | ')' | '.' | ',' | '〔' | '〕');
    match (letters.next(), letters.next()) {
        (Some(only), None) => only,
        (Some(_), Some(_)) => {
            let mut inner = c.nfkd().filter(bare);
            match (inner.next(), inner.next()) {
                (Some(only), None) => only,
                _ => c,
            }
        }
        (None, _) => c,
    }
}

fn lower(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(only), None) => only,
        (Some(letter), Some(mark)) if is_combining_mark(mark) => letter,
        _ => c,
    }
}

/// Characters of the basic plane, a bit each: small enough to stay in the processor's nearest cache, unlike a table of what each is.
#[derive(Debug)]
pub(crate) struct Bits(Box<[u64]>);

impl Default for Bits {
    fn default() -> Self {
        Self(vec![0; 0x1_0000 / 64].into_boxed_slice())
    }
}

impl Bits {
    /// Marks a character, if it is of the basic plane.
    pub(crate) fn mark(&mut self, c: char) {
        if let Some(bits) = self.0.get_mut(c as usize / 64) {
            *bits |= 1 << (c as usize % 64);
        }
    }

    /// Whether a character is marked, or may be: any beyond the basic plane.
    #[inline]
    pub(crate) fn may_hold(&self, c: char) -> bool {
        self.0.get(c as usize / 64).is_none_or(|bits| bits >> (c as usize % 64) & 1 != 0)
    }

    /// Those of the basic plane that are marked.
    fn iter(&self) -> impl Iterator<Item = char> {
        let marked = |bits: u64| (0..64_u32).filter(move |bit| bits >> bit & 1 != 0);
        (0..).zip(&self.0).flat_map(move |(at, bits)| marked(*bits).filter_map(move |bit| char::from_u32(at * 64 + bit)))
    }
}

/// A table from characters to readings. Nearly all that are asked for are of the basic plane, and read as themselves.
#[derive(Debug)]
struct Folds {
    /// Those that are not read as themselves, and opening brackets, which may begin a reading.
    unusual: Bits,
    /// For each character of the basic plane what it is read as; 0 for itself.
    basic: Box<[u32]>,
    /// Those beyond it that are not read as themselves.
    beyond: FxHashMap<char, Reading>,
}

const SOFT: u32 = u32::MAX;

impl Default for Folds {
    fn default() -> Self {
        Self { unusual: Bits::default(), basic: vec![0; 0x1_0000].into_boxed_slice(), beyond: FxHashMap::default() }
    }
}

impl Folds {
    #[inline]
    fn read(&self, c: char) -> Reading {
        if self.unusual.may_hold(c) { self.other(c) } else { Reading::As(c) }
    }

    fn other(&self, c: char) -> Reading {
        match self.basic.get(c as usize) {
            Some(0) => Reading::As(c),
            Some(&SOFT) => Reading::Soft,
            Some(folded) => Reading::As(char::from_u32(*folded).unwrap_or(c)),
            None => self.beyond.get(&c).copied().unwrap_or(Reading::As(c)),
        }
    }

    fn set(&mut self, c: char, reading: Reading) {
        if reading == Reading::As(c) {
            return;
        }
        self.unusual.mark(c);
        match (self.basic.get_mut(c as usize), reading) {
            (Some(slot), Reading::As(folded)) => *slot = u32::from(folded),
            (Some(slot), Reading::Soft) => *slot = SOFT,
            (None, _) => drop(self.beyond.insert(c, reading)),
        }
    }
}
