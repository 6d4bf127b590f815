//! The fast way of matching, which copies nothing, against the thorough one: random terms in random disguises.

use std::{ops::RangeInclusive, sync::OnceLock};

use mingcha::{
    characters::{Characters, Reading},
    matcher::Matcher,
    normalize::Normalized,
    wordlist::TermId,
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

use crate::support::engine;

/// Brackets as they are read, with what closes them.
const BRACKETS: [(char, char); 7] = [('(', ')'), ('[', ']'), ('{', '}'), ('【', '】'), ('〔', '〕'), ('〈', '〉'), ('《', '》')];

fn characters() -> &'static Characters {
    engine().characters()
}

/// All characters that are read as `read`.
fn forms(read: char) -> Vec<char> {
    ('\0'..=char::MAX).filter(|c| characters().read(*c) == Reading::As(read)).collect()
}

/// Every form of opening bracket, with every form of what closes it.
fn brackets() -> &'static [(char, Vec<char>)] {
    static FORMS: OnceLock<Vec<(char, Vec<char>)>> = OnceLock::new();
    FORMS.get_or_init(|| {
        let of = |(open, close)| forms(open).into_iter().map(move |open| (open, forms(close)));
        BRACKETS.into_iter().flat_map(of).collect()
    })
}

/// A pinyin reading in brackets, or what looks like one.
fn reading() -> impl Strategy<Value = String> {
    let syllables = select(vec!["jīn", "róng", "wang3", "ｄài", "chuang", "Z", "jin x", "金", "p2p", ""]);
    (select(brackets()), any::<Index>(), syllables)
        .prop_map(|((open, closes), close, syllable)| format!("{open}{syllable}{}", close.get(&closes)))
}

/// What may stand between two characters of a text.
fn between() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => Just(String::new()),
        3 => reading(),
        2 => select(vec![" ", "·", "\u{200B}", "-", "\u{301}", "\u{FE0F}"]).prop_map(str::to_owned),
        1 => "[a-zP2，。、(（】éΩРß某公司網😀𠮷𝐩]".prop_map(String::from),
    ]
}

/// Characters of which terms are made.
fn terms(ideographs: RangeInclusive<char>, most: usize) -> impl Strategy<Value = Vec<String>> {
    let c = prop_oneof![
        30 => proptest::char::range(*ideographs.start(), *ideographs.end()),
        1 => select(vec!['p', '2', 'Ω', '𠮷', 'ж', '(', '〔', '☯']),
    ];
    vec(vec(c, 1..5), 1..most).prop_map(|terms| {
        let read = terms.into_iter().map(|term| Normalized::of(&String::from_iter(term), characters()).text());
        read.filter(|term| !term.is_empty()).collect()
    })
}

/// A few terms, or so many that they have more characters than there are classes of one byte.
fn few_or_many() -> impl Strategy<Value = Vec<String>> {
    prop_oneof![terms('金'..='鈅', 6), terms('一'..='俿', 400)].prop_filter("no term", |terms| !terms.is_empty())
}

/// Some characters of a term, each with what stands behind it.
type Piece = (Index, usize, usize, Vec<String>);

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    vec((any::<Index>(), 0..2usize, 0..5usize, vec(between(), 5)), 1..8)
}

fn text_of(terms: &[String], pieces: &[Piece]) -> String {
    let mut text = String::new();
    for (term, from, count, between) in pieces {
        for (c, between) in term.get(terms).chars().skip(*from).take(*count).zip(between) {
            text.push(c);
            text += between;
        }
        text += &between[4];
    }
    text
}

/// Whether no term has a character that may stand in a bracketed reading: the fast way begins terms in those too.
fn beside_readings(terms: &[String]) -> bool {
    let in_reading = |c: char| c.is_ascii_alphanumeric() || BRACKETS.iter().any(|(open, close)| c == *open || c == *close);
    !terms.iter().any(|term| term.contains(in_reading))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_fast_way_misses_nothing((terms, texts) in (few_or_many(), vec(pieces(), 64))) {
        let matcher = Matcher::of((0..).map(TermId).zip(terms.iter().map(String::as_str)), characters()).expect("few enough");
        for text in texts.iter().map(|pieces| text_of(&terms, pieces)) {
            for (at, _) in text.char_indices() {
                let text = &text[at..];
                let found = !matcher.find(&Normalized::of(text, characters())).is_empty();
                let occurs = matcher.occurs(text, characters());
                prop_assert!(occurs || !found, "{terms:?} in {text}");
                prop_assert!(found || !occurs || !beside_readings(&terms), "{terms:?} in {text}");
            }
        }
    }
}

#[test]
fn every_form_of_bracket_may_hold_a_reading() {
    let terms = ["金融", "(网"];
    let matcher = Matcher::of((0..).map(TermId).zip(terms), characters()).expect("few terms");
    assert!(brackets().len() > 20);
    for (open, closes) in brackets() {
        for close in closes {
            for (text, holds) in [("某地金{jīn}融有限公司", true), ("某地x{jīn}融有限公司", false), ("金{金}融", false)]
            {
                let text = text.replace('{', &open.to_string()).replace('}', &close.to_string());
                assert_eq!(matcher.occurs(&text, characters()), holds, "{text}");
                assert_eq!(!matcher.find(&Normalized::of(&text, characters())).is_empty(), holds, "{text}");
            }
        }
    }
}
