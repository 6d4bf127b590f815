//! The lexicon (词典): how often each word occurs, from a pruned jieba dictionary and our own words.

use rustc_hash::{FxHashMap, FxHashSet};

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
    /// By [`Key`]; a prefix that is no word itself has no weight.
    entries: FxHashMap<Key, Option<f32>>,
    unknown: f32,
    /// Every two characters that stand side by side in a word, the second of which begins a term, or the first
    /// of which ends one: where no such pair stands over a term's edge, no word crosses it.
    pairs: FxHashSet<(char, char)>,
}

/// A word of up to [`LONGEST_WORD`] characters of the basic plane, packed: 16 bits a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Key(u64);

impl Key {
    /// The key with one more character; none beyond the basic plane, where no dictionary word is.
    fn push(self, c: char) -> Option<Self> {
        let code = u16::try_from(u32::from(c)).ok()?;
        Some(Self(self.0 << 16 | u64::from(code)))
    }
}

impl Lexicon {
    /// Reads the dictionary and our own words, adding what is wrong with them to `problems`.
    /// `terms` are the terms whose edges will be asked about.
    pub(crate) fn load<'t>(files: &Files, terms: impl Iterator<Item = &'t str>, problems: &mut Vec<Problem>) -> Self {
        let mut frequencies = dictionary(files, problems);
        for row in rows(OWN_WORDS, files.text(OWN_WORDS, problems), 3, problems) {
            match row.columns[1].parse::<u32>() {
                Ok(0) => drop(frequencies.remove(row.columns[0])),
                Ok(frequency) => drop(frequencies.insert(row.columns[0], frequency)),
                Err(_) => problems.push(Problem::new(OWN_WORDS, row.line, "expected: word TAB frequency TAB reason")),
            }
        }
        let (firsts, lasts) = terms.filter_map(|term| Some((term.chars().next()?, term.chars().next_back()?))).unzip();
        Self::of(&frequencies, &firsts, &lasts)
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // a weight needs no more than f32 holds
    fn of(frequencies: &FxHashMap<&str, u32>, firsts: &FxHashSet<char>, lasts: &FxHashSet<char>) -> Self {
        let total: u64 = frequencies.values().map(|frequency| u64::from(*frequency)).sum();
        let log_total = (total.max(1) as f64).ln();
        let weight = |frequency: u32| (f64::from(frequency).ln() - log_total) as f32;
        let mut entries: FxHashMap<Key, Option<f32>> = FxHashMap::default();
        let mut pairs = FxHashSet::default();
        entries.reserve(frequencies.len() * 5 / 4);
        for (word, frequency) in frequencies {
            if falls_apart(word, frequencies) {
                continue;
            }
            let neighbours = word.chars().zip(word.chars().skip(1));
            pairs.extend(neighbours.filter(|(left, right)| firsts.contains(right) || lasts.contains(left)));
            add(&mut entries, word, weight(*frequency));
        }
        Self { entries, unknown: weight(1), pairs }
    }

    /// Whether a word may hold these two side by side, where a term begins with the second or ends with the first.
    #[must_use]
    pub fn may_join(&self, left: char, right: char) -> bool {
        self.pairs.contains(&(left, right))
    }

    /// The words that `text` begins with: their lengths in characters, and weights. A first character that is
    /// no word has the weight of a word seen once.
    pub fn words_at(&self, text: impl Iterator<Item = char>) -> impl Iterator<Item = (usize, f32)> {
        let mut key = Some(Key::default());
        text.take(LONGEST_WORD).enumerate().map_while(move |(index, c)| {
            let extended = key?.push(c);
            let entry = extended.and_then(|extended| self.entries.get(&extended));
            key = entry.and(extended);
            match (entry.copied().flatten(), index) {
                (Some(weight), _) => Some(Some((index + 1, weight))),
                (None, 0) => Some(Some((1, self.unknown))),
                (None, _) => entry.map(|_| None),
            }
        }).flatten()
    }
}

/// Adds a word and its prefixes.
fn add(entries: &mut FxHashMap<Key, Option<f32>>, word: &str, weight: f32) {
    let mut key = Some(Key::default());
    for c in word.chars() {
        key = key.and_then(|key| key.push(c));
        let Some(key) = key else { return };
        entries.entry(key).or_default();
    }
    if let Some(key) = key {
        entries.insert(key, Some(weight));
    }
}

/// Whether a word is a compound of words of two characters or more: 创业投资, 筹集资金. Such a compound would hide
/// where its parts begin and end (创业|投资管理, 筹集|资金), so it is no word here.
fn falls_apart(word: &str, frequencies: &FxHashMap<&str, u32>) -> bool {
    const SHORTEST: usize = 4;
    let edges: Vec<usize> = word.char_indices().map(|(at, _)| at).collect();
    let splits = edges.len().saturating_sub(1);
    edges.len() >= SHORTEST
        && (2..splits).any(|split| {
            let (head, tail) = word.split_at(edges[split]);
            frequencies.contains_key(head) && (frequencies.contains_key(tail) || falls_apart(tail, frequencies))
        })
}

fn dictionary<'f>(files: &'f Files, problems: &mut Vec<Problem>) -> FxHashMap<&'f str, u32> {
    let mut frequencies = FxHashMap::default();
    let text = files.text(DICTIONARY, problems);
    frequencies.reserve(text.len() / 14);
    for (index, line) in text.lines().enumerate() {
        let mut columns = line.split(' ');
        let word = columns.next().unwrap_or("");
        match columns.next().and_then(|frequency| frequency.parse::<u32>().ok()) {
            Some(frequency) if frequency > 0 => {
                if word.chars().count() <= LONGEST_WORD {
                    frequencies.insert(word, frequency);
                }
            }
            _ => problems.push(Problem::new(DICTIONARY, index + 1, "expected: word SPACE frequency [SPACE tag]")),
        }
    }
    frequencies
}
