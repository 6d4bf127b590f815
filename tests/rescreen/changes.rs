//! From one version of the lists to another: only the firms whose decision changes, and why.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use super::{Bureau, FIRMS, rows, told};

pub(crate) fn mingcha(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mingcha")).args(args).env_remove("MINGCHA_WORDLISTS").output().expect("mingcha runs")
}

/// The lists, in a folder.
pub(crate) fn export(bureau: &Bureau, name: &str) -> String {
    let folder = bureau.path(name).to_str().expect("a path of text").to_owned();
    assert!(mingcha(&["lists", "export", &folder]).status.success());
    folder
}

/// An instrument that prohibits 日用 everywhere; with another word in it, so that it hits its own canary.
pub(crate) const DRAFT: &str = r#"id = "draft-2026"
title = "关于某某字样的通知"
document_number = "某发〔2026〕1号"
issuer = "某局"
jurisdiction = "000000"
from = "2020-01-01"
source = "a test"
wording = "verbatim"

[[rule]]
id = "one"
article = "一"
clause = "不得使用某某字样"
where = ["NAME", "SCOPE"]
whom = ["ENTERPRISE"]
force = "PROHIBIT"
inform = []
terms = [
  { term = "日用品", field = "finance" },
]

[[canary]]
text = "某地日用品"
terms = ["日用品"]
"#;

const LOOKED_AT: [&str; 6] = ["行号", "变化", "原结论代码", "结论代码", "命中字样", "致变依据"];

#[test]
fn only_what_changes_is_told_and_by_which_rule() {
    let bureau = Bureau::new();
    bureau.write("firms.tsv", FIRMS);
    let (old, new) = (export(&bureau, "old"), export(&bureau, "new"));
    let draft = Path::new(&new).join("national/draft-2026.toml");
    fs::write(&draft, DRAFT).expect("written");
    let said = bureau.rescreen(&["firms.tsv"], "out.csv", &["--from-lists", &old, "--to-lists", &new]);
    assert!(told(&said.replacen("unchanged", "passed", 1)) == [5, 4, 1, 0] && said.contains("1  新增命中"), "{said}");
    let found = rows(&bureau.read("out.csv"), &LOOKED_AT);
    assert_eq!(found, [["3", "新增命中", "PASS", "PROHIBITED", "日用品", "某发〔2026〕1号一"]]);
    bureau.rescreen(&["firms.tsv"], "out.csv", &["--from-lists", &new, "--to-lists", &old]);
    let found = rows(&bureau.read("out.csv"), &LOOKED_AT);
    assert_eq!(found, [["3", "解除", "PROHIBITED", "PASS", "日用品", "某发〔2026〕1号一"]]);
    let said = bureau.rescreen(&["firms.tsv"], "out.xlsx", &["--from-lists", &old]);
    assert!(said.contains("flagged              0"), "{said}");
}

#[test]
fn what_the_fast_way_leaves_out_does_not_change() {
    let bureau = Bureau::new();
    let names = ["理财", "支付", "金融", "交易所", "日用品", "保险柜", "基金会", "众筹"];
    let firms = names.iter().flat_map(|a| names.iter().map(move |b| format!("某地众诚{a}有限公司\t{b}服务（不含{a}业务）\n")));
    bureau.write("firms.tsv", "name\tscope\n".to_owned() + &firms.collect::<String>());
    let (old, new, other) = (export(&bureau, "old"), export(&bureau, "new"), export(&bureau, "other"));
    for lists in [&new, &other] {
        let path = Path::new(lists).join("national/cn-768.toml");
        fs::remove_file(&path).expect("it is there");
    }
    let words = Path::new(&other).join("language/words.tsv");
    let text = fs::read_to_string(&words).expect("it is there");
    fs::write(&words, text + "# another file, so that every firm is judged twice\n").expect("written");
    let changes = |to: &str| {
        bureau.rescreen(&["firms.tsv"], "out.csv", &["--from-lists", &old, "--to-lists", to]);
        bureau.read("out.csv")
    };
    let fast = changes(&new);
    assert!(fast.lines().count() > 3, "{fast}");
    assert_eq!(fast, changes(&other));
}

#[test]
fn a_version_that_the_service_kept_is_found_by_its_hash() {
    let bureau = Bureau::new();
    bureau.write("firms.tsv", FIRMS);
    let old = export(&bureau, "old");
    let checked = String::from_utf8(mingcha(&["lists", "check"]).stdout).expect("UTF-8");
    let hash = checked.trim().rsplit(' ').next().expect("a hash").to_owned();
    fs::create_dir_all(bureau.path("data/lists")).expect("a folder");
    fs::rename(&old, bureau.path("data/lists").join(&hash)).expect("moved");
    let said = bureau.rescreen(&["firms.tsv"], "out.csv", &["--since", &hash, "--data", "data"]);
    assert!(said.contains("flagged              0"), "{said}");
    let missing = bureau.run(&["firms.tsv"], "out.csv", &["--since", &"0".repeat(64), "--data", "data"]);
    assert!(missing.status.code() == Some(2) && String::from_utf8_lossy(&missing.stderr).contains("not kept here"), "{missing:?}");
    assert_eq!(bureau.run(&["firms.tsv"], "out.csv", &["--since", &hash]).status.code(), Some(2));
}

#[test]
fn a_draft_is_previewed() {
    let bureau = Bureau::new();
    let register = bureau.write("firms.tsv", FIRMS);
    let draft = bureau.write("draft-2026.toml", DRAFT);
    let output = mingcha(&["lists", "preview", draft.to_str().expect("text"), "--against", register.to_str().expect("text")]);
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.starts_with("rows in 5, unchanged 4, changed 1, rejected 0"), "{said}");
    for part in [
        "1  新增命中\n",
        "1  新增命中 日用品\n",
        "1  新增命中 金融\n",
        "3 某地众诚日用品有限公司  PASS → PROHIBITED  日用品  某发〔2026〕1号一",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }

    // a register of another make: its encoding, its headers, its place are said
    let local = DRAFT.replace("\"000000\"", "\"320000\"");
    let draft = bureau.write("draft-2026.toml", local);
    let (gbk, ..) = encoding_rs::GB18030.encode("甲,乙\n某地众诚日用品有限公司,日用百货\n");
    let register = bureau.write("firms.txt", gbk);
    let paths = [&draft, &register].map(|path| path.to_str().expect("text"));
    let how = ["--format", "csv", "--encoding", "gbk", "--columns", "name=甲,scope=乙"];
    let preview =
        |place: &str| mingcha(&[&["lists", "preview", paths[0], "--against", paths[1], "--region", place][..], &how[..]].concat());
    for (place, expected) in [("江苏", "changed 1, rejected 0"), ("浙江", "changed 0, rejected 0")] {
        let output = preview(place);
        assert!(String::from_utf8_lossy(&output.stdout).contains(expected), "{place}: {output:?}");
    }
    assert_eq!(preview("月球").status.code(), Some(2));
    let wrong = bureau.write("wrong.toml", "id = 3\n");
    assert_eq!(mingcha(&["lists", "preview", wrong.to_str().expect("text"), "--against", "x.tsv"]).status.code(), Some(2));
}
