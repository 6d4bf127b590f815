//! Bad lists: every problem at once, each with file and line.

use mingcha::{embedded, screen::Engine, wordlist::Files};

/// The lists inside the binary with one file replaced or added.
pub(crate) fn with(path: &str, text: &str) -> Files {
    let others = embedded::files();
    let mut files: Vec<(String, String)> =
        others.iter().map(|(path, text)| (path.to_owned(), text.to_owned())).filter(|(name, _)| name != path).collect();
    files.push((path.to_owned(), text.to_owned()));
    files.into_iter().collect()
}

fn problems(path: &str, text: &str) -> Vec<String> {
    match Engine::build(&with(path, text)) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.list().iter().map(ToString::to_string).collect(),
    }
}

const GOOD: &str = r#"id = "draft"
title = "某办法"
document_number = "某发〔2030〕1号"
issuer = "某市人民政府"
jurisdiction = "320100"
from = "2030-01-01"
source = "a draft"
wording = "verbatim"

[[rule]]
id = "names"
article = "第一条"
clause = "不得使用"
where = ["NAME"]
whom = ["ENTERPRISE"]
force = "PROHIBIT"
inform = ["320100/finance-office"]
terms = [
  { term = "元宇宙", field = "finance" },
]

[[canary]]
text = "某市元宇宙有限公司"
terms = ["元宇宙"]
"#;

#[test]
fn a_good_draft_is_taken() {
    assert_eq!(problems("local/draft.toml", GOOD), Vec::<String>::new());
}

#[test]
fn each_mistake_is_named_with_its_place() {
    let cases = [
        ("title = \"某办法\"\n", "", "'title' is missing"),
        ("title = \"某办法\"", "title = \"某办法\"\ntitel = \"x\"", "local/draft.toml:3: unknown key 'titel'"),
        ("id = \"draft\"", "id = \"other\"", "local/draft.toml:1: id 'other' must be the file's name"),
        ("\"320100\"", "\"990100\"", "local/draft.toml:5: '990100' is no known place"),
        ("\"320100\"", "\"32010\"", "local/draft.toml:5: "),
        ("\"2030-01-01\"", "\"2030-02-30\"", "local/draft.toml:6: 'from': "),
        ("from = \"2030-01-01\"", "from = \"2030-01-01\"\nto = \"2029-01-01\"", "is before the first day"),
        ("\"verbatim\"", "\"hearsay\"", "'wording': 'hearsay' is not known"),
        ("clause = \"不得使用\"\n", "", "'clause' is missing"),
        ("\"NAME\"", "\"TITLE\"", "'where': 'TITLE' is not known"),
        ("\"PROHIBIT\"", "\"FORBID\"", "'force': 'FORBID' is not known"),
        ("320100/finance-office", "320100/finance-club", "'inform': '320100/finance-club' is not known"),
        ("\"finance\" }", "\"finances\" }", "'field': 'finances' is not known"),
        ("元宇宙\", field", "元\", field", "a term has two characters or more"),
        ("元宇宙\", field", "· ·\", field", "a term has two characters or more"),
        ("元宇宙\", field", "金 融\", field", "reads the same as '金融'"),
        ("元宇宙\", field = \"finance\"", "支付\", field = \"finance\"", "is of field finance here and of payment"),
        (
            "  { term = \"元宇宙\", field = \"finance\" },\n",
            "  { term = \"元宇宙\", field = \"finance\" },\n  { term = \"元宇宙\", field = \"finance\" },\n",
            "stands twice in this rule",
        ),
        ("text = \"某市元宇宙有限公司\"", "text = \"某市元、宇宙有限公司\"", "local/draft.toml:23: canary"),
        ("id = \"draft\"", "id = \"draft", "local/draft.toml:1: "),
        ("force = \"PROHIBIT\"", "force = 3", "'force' must be a text, found integer"),
    ];
    for (from, to, expected) in cases {
        assert!(GOOD.contains(from), "{from}");
        let found = problems("local/draft.toml", &GOOD.replacen(from, to, 1));
        assert!(found.iter().any(|problem| problem.contains(expected)), "{to}: expected “{expected}”, found {found:#?}");
    }
}

#[test]
fn all_problems_come_at_once() {
    let bad = GOOD
        .replace("\"verbatim\"", "\"hearsay\"")
        .replace("\"NAME\"", "\"TITLE\"")
        .replace("\"PROHIBIT\"", "\"FORBID\"")
        .replace("\"2030-01-01\"", "\"never\"");
    let found = problems("local/draft.toml", &bad);
    assert!(found.len() >= 4, "{found:#?}");
}

#[test]
fn every_kind_of_file_is_checked() {
    let cases = [
        ("fields.toml", "[[field]]\nid = \"pawn\"\nchinese = \"典当\"\nnote = \"x\"\n", "'payment' is missing"),
        ("licences.toml", "", "'PAYMENT' is missing"),
        ("routing.toml", "", "no national lead for 'payment'"),
        ("bodies.toml", "[[body]]\nid = \"320100/finance-club\"\nnames = []\n", "is not known"),
        ("divisions/gbt2260.tsv", "32010\t南京市\n", "divisions/gbt2260.tsv:1"),
        ("language/traditional.tsv", "證證\t证\n", "language/traditional.tsv:1"),
        ("language/separators.tsv", "U+0020\tU+0020\thard\tx\n", "language/separators.tsv:1"),
        ("language/words.tsv", "金属\tmany\tx\n", "language/words.tsv:1"),
        ("language/dictionary.txt", "金属\n", "language/dictionary.txt:1"),
        ("language/exclusions.tsv", "sometimes\t不含\tx\n", "language/exclusions.tsv:1"),
        ("language/mentions.tsv", "保险(柜\t保险\t*\tx\n", "language/mentions.tsv:1"),
        ("language/mentions.tsv", "保险柜\t金融\t*\tx\n", "holds none of its terms"),
        ("language/mentions.tsv", "保险\t保险\t*\tx\n", "is the bare term"),
        ("language/name-parts.tsv", "colour\t红\tx\n", "language/name-parts.tsv:1"),
    ];
    for (path, text, expected) in cases {
        let found = problems(path, text);
        assert!(found.iter().any(|problem| problem.contains(expected)), "{path}: expected “{expected}”, found {found:#?}");
    }
}

#[test]
fn a_missing_file_is_a_problem() {
    let files: Files = embedded::files()
        .iter()
        .filter(|(path, _)| *path != "routing.toml")
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .collect();
    let problems = Engine::build(&files).expect_err("routing.toml is missing").to_string();
    assert!(problems.contains("routing.toml: this file is missing"), "{problems}");
}

#[test]
fn the_hash_is_over_every_file_that_decides_and_no_other() {
    let hash = embedded::files().hash();
    assert_eq!(with("README.md", "another").hash(), hash);
    assert_ne!(with("language/words.tsv", "金属\t1\tx\n").hash(), hash);
    let by_hand: Files = [("b.toml".to_owned(), "2".to_owned()), ("a.toml".to_owned(), String::new())].into_iter().collect();
    // printf 'a.toml\x000\x00b.toml\x001\x002' | sha256sum
    assert_eq!(by_hand.hash(), "c469eb27b1e746157c85b866a0df9073a08f82fb7bca7d8276409f91c1735158");
}
