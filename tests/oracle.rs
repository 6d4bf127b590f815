//! The engine against an oracle that is naive on purpose: normalise by hand, then look at every place.

use mingcha::{
    characters::Reading,
    normalize::Normalized,
    vocabulary::{Decision, Field},
};
use proptest::prelude::*;

use crate::support::{engine, plain};

/// Characters and what they are read as; none where they may be skipped.
const ALPHABET: [(char, Option<char>); 34] = [
    ('金', Some('金')),
    ('⾦', Some('金')),
    ('融', Some('融')),
    ('资', Some('资')),
    ('資', Some('资')),
    ('产', Some('产')),
    ('產', Some('产')),
    ('管', Some('管')),
    ('理', Some('理')),
    ('财', Some('财')),
    ('財', Some('财')),
    ('基', Some('基')),
    ('投', Some('投')),
    ('网', Some('网')),
    ('網', Some('网')),
    ('贷', Some('贷')),
    ('P', Some('p')),
    ('Р', Some('p')),
    ('ｐ', Some('p')),
    ('2', Some('2')),
    ('２', Some('2')),
    ('二', Some('二')),
    (' ', None),
    ('·', None),
    ('\u{200B}', None),
    ('-', None),
    ('、', Some('、')),
    ('；', Some(';')),
    ('，', Some(',')),
    ('（', Some('(')),
    ('）', Some(')')),
    ('x', Some('x')),
    ('公', Some('公')),
    ('\n', Some('\n')),
];

/// Readings, which may be skipped behind a Chinese character.
const READINGS: [&str; 4] = ["(jīn)", "﹙RONG2﹚", "〔wǎ·ng﹞", "︻dài】"];

fn text() -> impl Strategy<Value = String> {
    let piece = |place: usize| ALPHABET.get(place).map_or_else(|| READINGS[place - ALPHABET.len()].to_owned(), |(c, _)| c.to_string());
    proptest::collection::vec(0..ALPHABET.len() + READINGS.len(), 0..48).prop_map(move |places| places.into_iter().map(piece).collect())
}

/// What is kept of a text: where each character begins and ends, and what it is read as.
fn kept(text: &str) -> Vec<(usize, usize, char)> {
    let mut kept: Vec<(usize, usize, char)> = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let chinese = kept.last().is_some_and(|(_, _, before)| *before >= '\u{3400}');
        let reading = READINGS.into_iter().find(|reading| chinese && text[at..].starts_with(reading));
        let end = at + reading.map_or(c.len_utf8(), str::len);
        let listed = ALPHABET.iter().find(|(from, _)| *from == c).map_or(Some(c), |(_, to)| *to);
        kept.extend(listed.filter(|_| reading.is_none()).map(|read| (at, end, read)));
        at = end;
    }
    kept
}

/// Every occurrence as (first byte, byte behind the last, term as read).
fn naive(text: &str) -> Vec<(usize, usize, String)> {
    let kept = kept(text);
    let mut found = Vec::new();
    for term in engine().lists().terms() {
        let mut spellings = vec![term.read.clone()];
        if term.read.contains('2') {
            spellings.push(term.read.replace('2', "二"));
        }
        for spelling in spellings {
            let length = spelling.chars().count();
            for window in kept.windows(length) {
                if window.iter().map(|(_, _, c)| *c).eq(spelling.chars()) {
                    found.push((window[0].0, window[length - 1].1, term.read.clone()));
                }
            }
        }
    }
    found.sort();
    found
}

fn engines(text: &str) -> Vec<(usize, usize, String)> {
    let firm = plain(Field::Scope, text);
    let answer = engine().screen(&firm);
    let occurrences = answer.hits.iter().map(|hit| &hit.occurrence).chain(answer.cleared.iter().map(|cleared| &cleared.occurrence));
    let mut found: Vec<_> =
        occurrences.map(|o| (o.span.start_byte as usize, o.span.end_byte as usize, engine().lists().term(o.term).read.clone())).collect();
    found.sort();
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn every_occurrence_is_found_where_it_stands(text in text()) {
        prop_assert_eq!(engines(&text), naive(&text));
    }

    #[test]
    fn normalising_twice_changes_nothing(text in "\\PC{0,40}|[(（\\[【〔a-zāíǒù1-5金融資產 ·]{0,40}") {
        let once = Normalized::of(&text, engine().characters()).text();
        prop_assert_eq!(&Normalized::of(&once, engine().characters()).text(), &once);
    }

    #[test]
    fn any_text_gets_an_answer_with_spans_in_the_original(text in any::<String>(), inserted in text()) {
        let text = format!("{text}{inserted}{text}");
        let firm = plain(Field::Scope, &text);
        let answer = engine().screen(&firm);
        for hit in &answer.hits {
            let span = hit.occurrence.span;
            prop_assert!(text.is_char_boundary(span.start_byte as usize) && text.is_char_boundary(span.end_byte as usize));
            prop_assert_eq!(text[..span.start_byte as usize].chars().count(), span.start_char as usize);
            prop_assert_eq!(span.of(&text).chars().count(), (span.end_char - span.start_char) as usize);
            prop_assert!(hit.within.is_none_or(|outer| answer.hits[outer].occurrence.span.covers(&span)));
        }
        let strongest = answer.hits.iter().map(|hit| engine().decision(hit)).max().unwrap_or(Decision::Pass);
        prop_assert_eq!(strongest, answer.decision);
    }
}

#[test]
fn every_character_folds_to_what_folds_no_further() {
    for c in '\0'..=char::MAX {
        if let Reading::As(read) = engine().characters().read(c) {
            assert_eq!(engine().characters().read(read), Reading::As(read), "{c:?} is read as {read:?}, which is read as another");
        }
    }
}

#[test]
fn hostile_texts_take_linear_time() {
    // each would take minutes if it were quadratic: 64 KiB is the longest text there is
    let long = |piece: &str| piece.repeat(64 * 1024 / piece.len());
    for piece in [
        "(",
        ")",
        "（不含",
        "不得",
        "除",
        "金(",
        "金(j",
        "金融",
        "金 ",
        "金\u{200B}",
        "投资管理",
        "未经、",
        "(金融)",
        "除外",
        "；除外",
        "p",
        "\u{301}",
        "😀",
    ] {
        let firm = plain(Field::Scope, &long(piece));
        let answer = engine().screen(&firm);
        assert!(answer.hits.len() <= firm.scope.len(), "{piece}");
    }
}
