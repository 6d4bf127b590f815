//! Any texts in any circumstances: the engine answers, and the answer holds together.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mingcha::{
    day::{Date, Days, parse},
    jurisdiction::Region,
    licence::Licence,
    reach::Circumstances,
    screen::Firm,
    vocabulary::{EntityKind, Event, Field, LicenceKind},
    wire::Understood,
};
use mingcha_fuzz::{ENGINE, check, today};

/// What disguises, excludes and delimits, besides the terms themselves.
const PIECES: &[&str] = &[
    "·",
    " ",
    "\u{3000}",
    "\u{200B}",
    "\u{301}",
    "\u{FE0F}",
    "\u{E0100}",
    "-",
    "、",
    "，",
    "；",
    "。",
    "(jīn)",
    "（róng）",
    "(",
    "）",
    "Р",
    "２",
    "贰",
    "二",
    "p",
    "②",
    "ⓟ",
    "融",
    "網",
    "貸",
    "㈮",
    "不含",
    "不得从事",
    "除",
    "外",
    "以外",
    "金融业务",
    "（依法须经批准的项目）",
    "柜",
    "投",
    "资",
    "管",
    "理",
    "公司",
    "北京",
    "有限公司",
    "a",
    "\u{0}",
    "\u{10FFFF}",
    "🏦",
    "\n",
    "\r",
];

/// Places with lists of their own, the nation, and places with none.
const REGIONS: &[&str] = &["000000", "110105", "320100", "130321", "370100", "341800", "340500", "440300", "999999"];

/// The pieces and every term of the lists.
static WORDS: LazyLock<Vec<&str>> =
    LazyLock::new(|| PIECES.iter().copied().chain(ENGINE.lists().terms().iter().map(|term| term.text.as_str())).collect());

/// Half of all inputs are text as it comes; in the other half every two bytes are a word.
fn text(bytes: &[u8], in_words: bool) -> String {
    if !in_words {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    bytes.chunks(2).map(|pair| WORDS[pair.iter().fold(0, |sum, byte| sum * 256 + usize::from(*byte)) % WORDS.len()]).collect()
}

fn one_of<T: Copy>(all: &[T], byte: u8) -> T {
    all[usize::from(byte) % all.len()]
}

fn day(years: u8, days: u8) -> Date {
    let written = format!("20{:02}-{:02}-{:02}", years % 100, days % 12 + 1, days % 28 + 1);
    parse(&written).unwrap_or_else(|_| today())
}

fn licence(bytes: [u8; 4]) -> Licence {
    let [kind, term, years, days] = bytes;
    let kind = one_of(LicenceKind::ALL, kind);
    let read = ENGINE.lists().terms()[usize::from(term) % ENGINE.lists().terms().len()].read.clone();
    let terms = if kind == LicenceKind::Approval { vec![read] } else { Vec::new() };
    let to = (days < 128).then(|| day(years, days));
    Licence { kind, number: "1".to_owned(), issuer: String::new(), days: Days { from: None, to }, terms }
}

fuzz_target!(|input: &[u8]| {
    let Some((&[how, kind, event, region, years, days, a, b, c, d], bytes)) = input.split_first_chunk() else { return };
    let circumstances = Circumstances {
        region: Region::parse(one_of(REGIONS, region)).expect("a code"),
        kind: one_of(EntityKind::ALL, kind),
        event: one_of(Event::ALL, event),
        day: day(years, days),
    };
    let mut firm = Firm::blank(circumstances);
    let in_words = how & 1 != 0;
    if how & 2 != 0 {
        firm.licences.push(licence([a, b, c, d]));
    }
    let texts = bytes.splitn(3, |byte| *byte == 0xFF).map(|part| text(part, in_words));
    let first = usize::from(how >> 2); // so that every field comes to stand alone
    for (place, text) in texts.enumerate() {
        match Field::ALL[(first + place) % Field::ALL.len()] {
            Field::Name => firm.name = text,
            Field::Scope => firm.scope = text,
            Field::Advertisement => firm.advertisement = text,
        }
    }
    check(&Understood { firm, warnings: Vec::new(), explain: how & 128 != 0 });
});
