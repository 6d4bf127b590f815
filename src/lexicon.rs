//! The lexicon (词典): how often each word occurs, from a pruned jieba dictionary and our own words.

use rustc_hash::FxHashMap;

use crate::{
    problem::Problem,
    wordlist::{Files, rows::rows},
};

const DICTIONARY: &str = "language/dictionary.txt";
const OWN_WORDS: &str = "language/words.tsv";

/// Longest word held, in characters: nearly all longer ones fall apart into words.
pub const LONGEST_WORD: usize = 4;

/// Words and the logarithm of their probability.
#[derive(Debug)]
pub struct Lexicon {
    weights: FxHashMap<Key, f32>,
    unknown: f32,
    pairs: Pairs,
}

/// A word of up to [`LONGEST_WORD`] characters of the basic plane, packed: 16 bits a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Key(u64);

impl Key {
    /// None for longer words, and for characters beyond the basic plane, which no dictionary word has.
    fn of(word: &str) -> Option<Self> {
        let key = word.chars().try_fold(Self::default(), Self::push)?;
        (key != Self::default()).then_some(key)
    }

    fn push(self, c: char) -> Option<Self> {
        let code = u16::try_from(u32::from(c)).ok()?;
        (self.0 >> 48 == 0).then_some(Self(self.0 << 16 | u64::from(code)))
    }

    /// The halves of a word of four characters.
    fn halves(self) -> Option<(Self, Self)> {
        (self.0 >> 48 != 0).then_some((Self(self.0 >> 32), Self(self.0 & 0xFFFF_FFFF)))
    }

    fn characters(self) -> impl Iterator<Item = char> + Clone {
        let codes = [self.0 >> 48, self.0 >> 32, self.0 >> 16, self.0].map(|code| code & 0xFFFF);
        codes.into_iter().filter(|code| *code != 0).filter_map(|code| char::from_u32(u32::try_from(code).ok()?))
    }
}

impl Lexicon {
    /// Reads the dictionary and our own words, adding what is wrong with them to `problems`.
    pub(crate) fn load(files: &Files, problems: &mut Vec<Problem>) -> Self {
        let mut frequencies = dictionary(files, problems);
        for row in rows(OWN_WORDS, files.text(OWN_WORDS, problems), 3, problems) {
            match (Key::of(row.columns[0]), row.columns[1].parse::<u32>()) {
                (Some(key), Ok(0)) => drop(frequencies.remove(&key)),
                (Some(key), Ok(frequency)) => drop(frequencies.insert(key, frequency)),
                _ => {
                    let message = format!("expected: word of at most {LONGEST_WORD} characters TAB frequency TAB reason");
                    problems.push(Problem::new(OWN_WORDS, row.line, message));
                }
            }
        }
        Self::of(&frequencies)
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // a weight needs no more than f32 holds
    fn of(frequencies: &FxHashMap<Key, u32>) -> Self {
        let total: u64 = frequencies.values().map(|frequency| u64::from(*frequency)).sum();
        let log_total = (total.max(1) as f64).ln();
        let weight = |frequency: u32| (f64::from(frequency).ln() - log_total) as f32;
        let words = frequencies.iter().filter(|(key, _)| !falls_apart(**key, frequencies));
        let weights: FxHashMap<Key, f32> = words.map(|(key, frequency)| (*key, weight(*frequency))).collect();
        let mut pairs = Pairs::default();
        for key in weights.keys() {
            for (left, right) in key.characters().zip(key.characters().skip(1)) {
                pairs.mark(left, right);
            }
        }
        Self { weights, unknown: weight(1), pairs }
    }

    /// Whether a word may hold these two side by side. Where none does, no word crosses from one to the other.
    #[must_use]
    pub fn may_join(&self, left: char, right: char) -> bool {
        self.pairs.may_hold(left, right)
    }

    /// Whether these characters are a word.
    #[must_use]
    pub fn is_word(&self, mut characters: impl Iterator<Item = char>) -> bool {
        characters.try_fold(Key::default(), Key::push).is_some_and(|key| self.weights.contains_key(&key))
    }

    /// The words that `text` begins with: their lengths in characters, and weights. A first character that is
    /// no word has the weight of a word seen once.
    pub fn words_at(&self, text: impl Iterator<Item = char>) -> impl Iterator<Item = (usize, f32)> {
        let keys = text.scan((Key::default(), None), |(key, before), c| {
            if before.replace(c).is_some_and(|before| !self.may_join(before, c)) {
                return None; // mostly here, at the second
            }
            *key = key.push(c)?;
            Some(*key)
        });
        keys.enumerate().filter_map(|(index, key)| {
            let weight = self.weights.get(&key).copied();
            Some((index + 1, if index == 0 { weight.unwrap_or(self.unknown) } else { weight? }))
        })
    }
}

/// Every two characters that stand side by side in a word: a bit each, at a place computed from both. Others may share it, one in
/// ten does. Asking it is much cheaper than asking for a word that is none.
#[derive(Debug)]
struct Pairs(Box<[u64]>);

impl Default for Pairs {
    fn default() -> Self {
        Self(vec![0; 1 << (Self::BITS - 6)].into_boxed_slice())
    }
}

impl Pairs {
    /// So many bits as a power of two: ten times as many as there are pairs.
    const BITS: u32 = 20;

    fn place(left: char, right: char) -> (usize, u32) {
        let both = u32::from(left).rotate_left(16) ^ u32::from(right);
        let place = both.wrapping_mul(0x9E37_79B1) >> (u32::BITS - Self::BITS);
        ((place / 64) as usize, place % 64)
    }

    fn mark(&mut self, left: char, right: char) {
        let (at, bit) = Self::place(left, right);
        self.0[at] |= 1 << bit;
    }

    #[inline]
    fn may_hold(&self, left: char, right: char) -> bool {
        let (at, bit) = Self::place(left, right);
        self.0[at] >> bit & 1 != 0
    }
}

/// Whether a word is a compound of two words: 创业投资, 筹集资金. Such a compound would hide where its parts begin
/// and end (创业|投资管理, 筹集|资金), so it is no word here.
fn falls_apart(key: Key, frequencies: &FxHashMap<Key, u32>) -> bool {
    key.halves().is_some_and(|(head, tail)| frequencies.contains_key(&head) && frequencies.contains_key(&tail))
}

fn dictionary(files: &Files, problems: &mut Vec<Problem>) -> FxHashMap<Key, u32> {
    let mut frequencies = FxHashMap::default();
    let text = files.text(DICTIONARY, problems);
    frequencies.reserve(text.len() / 14);
    for (index, line) in text.lines().enumerate() {
        let mut columns = line.split(' ');
        let word = columns.next().unwrap_or("");
        match columns.next().and_then(|frequency| frequency.parse::<u32>().ok()) {
            Some(frequency) if frequency > 0 => {
                if let Some(key) = Key::of(word) {
                    frequencies.insert(key, frequency);
                }
            }
            _ => problems.push(Problem::new(DICTIONARY, index + 1, "expected: word SPACE frequency [SPACE tag]")),
        }
    }
    frequencies
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded;

    /// Every word that a text begins with is found, though most are not looked up: over all beginnings of words, with what stands
    /// between two of them, too.
    #[test]
    fn what_is_not_looked_up_is_no_word() {
        let files = embedded::files();
        let lexicon = Lexicon::load(&files, &mut Vec::new());
        let words = files.text(DICTIONARY, &mut Vec::new()).lines().filter_map(|line| line.split(' ').next());
        let run: Vec<char> = words.step_by(7).take(8000).flat_map(str::chars).collect();
        let mut longer = 0;
        for at in 0..run.len() {
            let text = &run[at..run.len().min(at + LONGEST_WORD + 1)];
            let found: Vec<usize> = lexicon.words_at(text.iter().copied()).map(|(length, _)| length).collect();
            let is_word = |length: &usize| *length == 1 || lexicon.is_word(text[..*length].iter().copied());
            let expected: Vec<usize> = (1..=text.len()).filter(is_word).collect();
            assert_eq!(found, expected, "{text:?}");
            longer += found.len() - 1;
        }
        assert!(longer > run.len() / 4, "{longer} words of several characters in {}", run.len());
    }
}
