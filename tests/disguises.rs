//! Disguises: `tests/data/disguises.toml` applied to every national term, and joins that must not be made.

use std::collections::BTreeMap;

use mingcha::vocabulary::Field;
use serde::Deserialize;

use crate::support::{engine, hit_terms, plain};

const NATIONAL: [&str; 16] = [
    "交易所",
    "交易中心",
    "金融",
    "资产管理",
    "理财",
    "基金",
    "基金管理",
    "投资管理",
    "财富管理",
    "股权投资基金",
    "网贷",
    "网络借贷",
    "P2P",
    "股权众筹",
    "互联网保险",
    "支付",
];

#[derive(Deserialize)]
struct Table {
    disguise: Vec<Disguise>,
    join: Vec<Join>,
}

#[derive(Deserialize)]
struct Disguise {
    name: String,
    kind: String,
    #[serde(default)]
    insert: String,
    #[serde(default)]
    map: BTreeMap<String, String>,
    #[serde(default)]
    readings: BTreeMap<String, String>,
    #[serde(default)]
    open: String,
    #[serde(default)]
    close: String,
}

#[derive(Deserialize)]
struct Join {
    text: String,
    terms: Vec<String>,
}

impl Disguise {
    /// The term in disguise; none where the disguise does not touch it.
    fn apply(&self, term: &str) -> Option<String> {
        let needed = [&self.map, &self.readings];
        let touched = |table: &BTreeMap<String, String>| term.chars().any(|c| table.contains_key(c.encode_utf8(&mut [0; 4]) as &str));
        if needed.into_iter().any(|table| !table.is_empty() && !touched(table)) {
            return None;
        }
        let pieces: Vec<String> = term.chars().map(|c| self.piece(c)).collect();
        Some(match self.kind.as_str() {
            "first-gap" => format!("{}{}{}", pieces[0], self.insert, pieces[1..].concat()),
            _ => pieces.join(&self.insert),
        })
    }

    fn piece(&self, c: char) -> String {
        let c = c.to_string();
        let mapped = self.map.get(&c).unwrap_or(&c);
        self.readings.get(&c).map_or_else(|| mapped.clone(), |reading| format!("{mapped}{}{reading}{}", self.open, self.close))
    }
}

fn table() -> Table {
    toml::from_str(include_str!("data/disguises.toml")).expect("a table of disguises")
}

#[test]
fn disguised_terms_are_found_where_they_stand() {
    let table = table();
    assert!(table.disguise.len() >= 25, "only {} disguises", table.disguise.len());
    let (mut tried, mut missed) = (0, Vec::new());
    for disguise in &table.disguise {
        for (term, disguised) in NATIONAL.iter().filter_map(|term| Some((term, disguise.apply(term)?))) {
            tried += 1;
            let text = format!("甲乙；{disguised}；丙丁");
            let firm = plain(Field::Scope, &text);
            let answer = engine().screen(&firm);
            let found = answer.hits.iter().find(|hit| engine().lists().term(hit.occurrence.term).text == *term);
            let whole = found.is_some_and(|hit| disguised.starts_with(hit.occurrence.span.of(&text)));
            if !whole {
                missed.push(format!("{} {term}: {}", disguise.name, disguised.escape_unicode()));
            }
        }
    }
    // the target is 99 %; the table is held to all of it, so that a loss is seen
    assert!(missed.is_empty(), "{} of {tried} missed:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn nothing_is_joined_over_a_hard_separator() {
    let table = table();
    assert!(table.join.len() >= 30, "only {} joins", table.join.len());
    let mut joined = Vec::new();
    for join in &table.join {
        for field in [Field::Name, Field::Scope] {
            let firm = plain(field, &join.text);
            let hits = hit_terms(&engine().screen(&firm));
            joined.extend(join.terms.iter().filter(|term| hits.contains(&term.as_str())).map(|term| format!("{term} in {:?}", join.text)));
        }
    }
    assert!(joined.is_empty(), "{}", joined.join("\n"));
}

/// A text in traditional script with bracketed pinyin left inside words, if one is given by
/// `MINGCHA_SOURCE_TEXT` or lies beside the project: all national terms are found in it as it stands.
#[test]
fn a_text_with_pinyin_left_inside_words_is_read() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/source.txt");
    let path = std::env::var("MINGCHA_SOURCE_TEXT").unwrap_or_else(|_| beside.to_owned());
    let Ok(text) = std::fs::read_to_string(&path) else {
        // what such a text looks like, so that the test says something without one
        let firm = plain(Field::Scope, "網(wǎng)貸、資產(chǎn)管理、股權(quán)眾籌");
        let hits = hit_terms(&engine().screen(&firm));
        assert!(["网贷", "资产管理", "股权众筹"].iter().all(|term| hits.contains(term)), "{hits:?}");
        return;
    };
    let mut seen = std::collections::BTreeSet::new();
    for chunk in text.lines() {
        let firm = plain(Field::Scope, chunk);
        seen.extend(hit_terms(&engine().screen(&firm)));
    }
    let missing: Vec<_> = NATIONAL.iter().filter(|term| !seen.contains(*term)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
