//! Where words end in a text (词界), by jieba; and where that is certain without asking it.

use jieba_rs::Jieba;
use rustc_hash::FxHashSet;

use crate::problem::Problem;

/// A segmenter and what is known of its dictionary beforehand.
#[derive(Debug)]
pub struct Edges {
    jieba: Jieba,
    /// Every two characters that stand side by side in a word, the second being one that is asked about: a word goes over
    /// no other place. Most places are decided by one look here, where jieba takes a hundred.
    joints: FxHashSet<(char, char)>,
}

impl Edges {
    /// Reads the dictionary `file`. Only places before one of `asked` will be asked about.
    pub(super) fn load(file: &str, dictionary: &str, asked: &FxHashSet<char>) -> Result<Self, Problem> {
        let jieba = Jieba::with_dict(&mut dictionary.as_bytes()).map_err(|error| Problem::new(file, 0, error.to_string()))?;
        let words = dictionary.lines().filter_map(|line| line.split_whitespace().next());
        let pairs = words.flat_map(|word| word.chars().zip(word.chars().skip(1)));
        Ok(Self { jieba, joints: pairs.filter(|(_, second)| asked.contains(second)).collect() })
    }

    /// The first of these places in `text` that a word ends at.
    pub(super) fn first(&self, text: &str, mut places: impl Iterator<Item = usize>) -> Option<usize> {
        let mut cut = None;
        let starts = || self.jieba.cut(text, false).iter().map(|token| token.byte_start).collect::<Vec<_>>();
        places.find(|place| self.is_certain(text, *place) || cut.get_or_insert_with(starts).contains(place))
    }

    /// Whether no word can go over this place: between two ideographs only a word of the dictionary does.
    fn is_certain(&self, text: &str, place: usize) -> bool {
        let ideograph = |c: &char| ('\u{4E00}'..='\u{9FFF}').contains(c);
        let before = text[..place].chars().next_back().filter(ideograph);
        let behind = text[place..].chars().next().filter(ideograph);
        before.zip(behind).is_some_and(|pair| !self.joints.contains(&pair))
    }
}

#[cfg(test)]
mod tests {
    use super::Edges;

    const DICTIONARY: &str = include_str!("../../wordlists/language/dictionary.txt");

    /// What is certain is what jieba says, at every place of texts made of words that run into each other.
    #[test]
    fn certain_places_are_edges_of_jieba() {
        let words = ["鼎盛", "信息", "技术", "金属", "制品", "A1", "（", "科", "技", "Ⅱ", "建筑", "筑梦", "材料", "𠮷", "息", "属"];
        let asked = words.iter().filter_map(|word| word.chars().next()).collect();
        let edges = Edges::load("", DICTIONARY, &asked).expect("a dictionary");
        let (mut certain, mut uncertain) = (0, 0);
        for n in 0..16_usize.pow(3) {
            let text = [n % 16, n / 16 % 16, n / 256, (n * 7 + 3) % 16].map(|word| words[word]).concat();
            let starts: Vec<usize> = edges.jieba.cut(&text, false).iter().map(|token| token.byte_start).collect();
            let places = text.char_indices().skip(1).filter(|(_, c)| asked_about(&words, *c)).map(|(at, _)| at);
            for place in places {
                let is_certain = edges.is_certain(&text, place);
                assert!(!is_certain || starts.contains(&place), "{} | {}", &text[..place], &text[place..]);
                *(if is_certain { &mut certain } else { &mut uncertain }) += 1;
            }
        }
        assert!(certain > 1000 && uncertain > 1000, "{certain} certain, {uncertain} not");
    }

    fn asked_about(words: &[&str], c: char) -> bool {
        words.iter().any(|word| word.starts_with(c))
    }
}
