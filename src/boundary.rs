//! Word boundary (词边界): do the characters of an occurrence belong to other words? 投|资管|理 holds no 资管.
//!
//! Over the lattice of dictionary words round the occurrence, the best path is weighed against the best path
//! in which no word partly overlaps the occurrence. Where the first is better, the occurrence straddles words.
//! A word that contains the occurrence whole (国有资产 for 资产), or lies within it, is no evidence against it.

use crate::{
    characters::is_ideograph,
    lexicon::{LONGEST_WORD, Lexicon},
    matcher::Found,
    normalize::Kept,
};

/// How many characters on each side are looked at, at most.
const REACH: usize = 6;
/// Longest lattice: both sides and a long term.
const LONGEST: usize = 2 * REACH + 24;

/// The words that cross the edges of an occurrence: indexes of the first and last kept character they cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossing {
    /// First kept character.
    pub first: usize,
    /// Last kept character.
    pub last: usize,
}

/// The words that cross the edges of `found`, where reading it as other words is the better reading.
#[must_use]
pub fn crossing(text: &[Kept], found: Found, lexicon: &Lexicon) -> Option<Crossing> {
    if (!is_ideograph(text[found.first].read) || !is_ideograph(text[found.last].read))
        && let Some(letters) = inside_a_latin_word(text, found)
    {
        return Some(letters);
    }
    let window = Window::round(text, found, lexicon)?;
    if window.is_crossed(text, lexicon) { window.crossing(text, lexicon) } else { None }
}

/// P2P in "UP2PAY", RWA in "FORWARD": letters or digits stand against those of the term. A term written with a digit
/// is plain enough to count where only one side is touched: P2P平台, P2P1号, eP2P; not so `PtoP` in "laptop".
fn inside_a_latin_word(text: &[Kept], found: Found) -> Option<Crossing> {
    /// How much of the run is shown on each side.
    const SHOWN: usize = 16;
    let alphanumeric = |index: usize| text.get(index).is_some_and(|kept| kept.read.is_ascii_alphanumeric());
    let touches = |inner: usize, outer: Option<usize>| {
        outer.is_some_and(|outer| alphanumeric(inner) && alphanumeric(outer) && touch(text, inner, outer))
    };
    let before = touches(found.first, found.first.checked_sub(1));
    let after = touches(found.last, Some(found.last + 1));
    let with_digit = text[found.first..=found.last].iter().any(|kept| kept.read.is_ascii_digit());
    let inside = if with_digit { before && after } else { before || after };
    if !inside {
        return None;
    }
    let first = (0..found.first).rev().take(SHOWN).take_while(|index| alphanumeric(*index)).last().unwrap_or(found.first);
    let last = (found.last + 1..text.len()).take(SHOWN).take_while(|index| alphanumeric(*index)).last().unwrap_or(found.last);
    Some(Crossing { first, last })
}

/// Whether two kept characters were next to each other in the original.
fn touch(text: &[Kept], a: usize, b: usize) -> bool {
    text[a].scalar.abs_diff(text[b].scalar) == 1
}

/// The Chinese characters round an occurrence that words may join to it: `begin..end` in the text, the occurrence `from..to` in it.
#[derive(Clone, Copy)]
struct Window {
    begin: usize,
    end: usize,
    from: usize,
    to: usize,
}

impl Window {
    /// None where no word can cross an edge at all; mostly none can.
    fn round(text: &[Kept], found: Found, lexicon: &Lexicon) -> Option<Self> {
        let read = |index: usize| text[index].read;
        let joins_next = |left: &usize| is_ideograph(read(*left)) && lexicon.may_join(read(*left), read(left + 1));
        let joins_last = |right: &usize| is_ideograph(read(*right)) && lexicon.may_join(read(right - 1), read(*right));
        let (from, to) = (found.first, found.last + 1);
        let begin = (0..from).rev().take(REACH).take_while(joins_next).last().unwrap_or(from);
        let end = (to..text.len()).take(REACH).take_while(joins_last).last().map_or(to, |last| last + 1);
        let doubtful = begin < from || to < end;
        (doubtful && end - begin <= LONGEST).then_some(Self { begin, end, from, to })
    }

    fn words<'a>(&self, text: &'a [Kept], lexicon: &'a Lexicon, at: usize) -> impl Iterator<Item = (usize, f32)> + use<'a> {
        let words = lexicon.words_at(text[at..self.end].iter().map(|kept| kept.read));
        words.map(move |(length, weight)| (at + length, weight))
    }

    /// Whether a word from `at` to `end` overlaps the occurrence partly. It does no harm where its share in the
    /// occurrence is a word by itself: 管理 of 管理部 in 资产管理部.
    fn crosses(&self, text: &[Kept], lexicon: &Lexicon, at: usize, end: usize) -> bool {
        let share = if at < self.from && self.from < end && end < self.to {
            self.from..end
        } else if self.from < at && at < self.to && self.to < end {
            at..self.to
        } else {
            return false;
        };
        share.len() < 2 || !lexicon.is_word(text[share].iter().map(|kept| kept.read))
    }

    /// Whether any word crosses an edge.
    fn is_crossed(&self, text: &[Kept], lexicon: &Lexicon) -> bool {
        let before = self.from.saturating_sub(LONGEST_WORD - 1).max(self.begin)..self.from;
        let within = (self.to + 1).saturating_sub(LONGEST_WORD).max(self.from + 1)..self.to;
        before.chain(within).any(|at| self.words(text, lexicon, at).any(|(end, _)| self.crosses(text, lexicon, at, end)))
    }

    fn crossing(&self, text: &[Kept], lexicon: &Lexicon) -> Option<Crossing> {
        const UNREACHED: f32 = f32::NEG_INFINITY;
        let mut free = [(UNREACHED, 0usize); LONGEST + 1];
        let mut uncrossed = [UNREACHED; LONGEST + 1];
        (free[0].0, uncrossed[0]) = (0.0, 0.0);
        for at in self.begin..self.end {
            let (weight_free, weight_uncrossed) = (free[at - self.begin].0, uncrossed[at - self.begin]);
            for (end, weight) in self.words(text, lexicon, at) {
                let slot = end - self.begin;
                if weight_free + weight > free[slot].0 {
                    free[slot] = (weight_free + weight, at);
                }
                if !self.crosses(text, lexicon, at, end) {
                    uncrossed[slot] = uncrossed[slot].max(weight_uncrossed + weight);
                }
            }
        }
        let last = self.end - self.begin;
        (free[last].0 > uncrossed[last]).then(|| self.crossing_words(text, lexicon, &free))
    }

    /// The words of the best path that cross an edge.
    fn crossing_words(&self, text: &[Kept], lexicon: &Lexicon, path: &[(f32, usize)]) -> Crossing {
        let (mut first, mut last) = (self.from, self.to - 1);
        let mut end = self.end;
        while end > self.begin {
            let at = path[end - self.begin].1;
            if self.crosses(text, lexicon, at, end) {
                (first, last) = (first.min(at), last.max(end - 1));
            }
            end = at;
        }
        Crossing { first, last }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{characters::Characters, embedded, normalize::Normalized, wordlist::TermId};

    /// What lies beyond where no word goes on decides nothing: the same is said of the whole stretch round an occurrence.
    #[test]
    fn a_narrow_window_says_what_a_wide_one_says() {
        let (files, problems) = (embedded::files(), &mut Vec::new());
        let (lexicon, characters) = (Lexicon::load(&files, problems), Characters::load(&files, problems));
        let words =
            ["投资", "投", "管理", "理财", "资产", "国有", "筹集", "信托", "的", "期货", "定期", "货运", "网", "贷款", "、", "保险", "柜"];
        let terms = ["资管", "期货", "理财", "信托", "资产管理", "贷款"];
        let (mut crossed, mut uncrossed) = (0, 0);
        for n in 0..words.len().pow(3) {
            let word = |power: u32| words[n / words.len().pow(power) % words.len()];
            let text = [word(0), word(1), word(2), word(0)].concat();
            let text = Normalized::of(&text, &characters);
            for term in terms {
                let read = text.text();
                let Some(first) = read.find(term).map(|byte| read[..byte].chars().count()) else { continue };
                let found = Found { term: TermId(0), first, last: first + term.chars().count() - 1 };
                let expected = widest(text.kept(), found);
                let expected = Some(expected).filter(|wide| wide.is_crossed(text.kept(), &lexicon));
                let expected = expected.and_then(|wide| wide.crossing(text.kept(), &lexicon));
                assert_eq!(crossing(text.kept(), found, &lexicon), expected, "{term} in {read}");
                *(if expected.is_some() { &mut crossed } else { &mut uncrossed }) += 1;
            }
        }
        assert!(crossed > 50 && uncrossed > 1000, "{crossed} crossed, {uncrossed} not");
    }

    fn widest(text: &[Kept], found: Found) -> Window {
        let chinese = |index: &usize| is_ideograph(text[*index].read);
        let begin = (0..found.first).rev().take(REACH).take_while(chinese).last().unwrap_or(found.first);
        let end = (found.last + 1..text.len()).take(REACH).take_while(chinese).last().unwrap_or(found.last) + 1;
        Window { begin, end, from: found.first, to: found.last + 1 }
    }
}
