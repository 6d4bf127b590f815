//! The command line, as people and scripts use it.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

fn mingcha(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mingcha"))
        .args(args)
        .env_remove("MINGCHA_WORDLISTS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mingcha does not start");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input))); // it may not read all
    let output = child.wait_with_output().expect("mingcha does not end");
    writer.join().expect("the writer does not panic");
    output
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[test]
fn the_exit_status_tells_the_decision() {
    let cases: [(&[&str], i32); 8] = [
        (&["screen", "某地众诚日用品有限公司"], 0),
        (&["screen", "某地众诚担保有限公司", "--region", "330100"], 0), // ATTENTION
        (&["screen", "某地众诚理财有限公司"], 1),
        (&["screen", "某地众诚支付有限公司", "--licence", "payment:Z1:2100-01-01"], 0),
        (&["screen", ""], 2),
        (&["screen", "某地众诚理财有限公司", "--date", "2016-13-01"], 2),
        (&["screen", "某地众诚理财有限公司", "--entity", "club"], 2),
        (&["screen"], 2),
    ];
    for (args, expected) in cases {
        assert_eq!(mingcha(args, b"").status.code(), Some(expected), "{args:?}");
    }
}

#[test]
fn a_place_may_be_named() {
    for place in ["320100", "南京", "南京市", "南京市市场监督管理局", "江苏省南京市玄武区行政审批局"] {
        let output = mingcha(&["screen", "某地众诚理财有限公司", "--region", place, "--date", "2017-01-01", "--json"], b"");
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(answer["decision"], "DECISION_PROHIBITED", "{place}");
        assert_eq!(answer["hits"][0]["bases"][0]["list"], "nanjing-2016", "{place}");
    }
    let output = mingcha(&["screen", "某地众诚理财有限公司", "--region", "341822", "--json"], b"");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["warnings"][0]["code"], "REGION_RETIRED");
    let output = mingcha(&["screen", "某地众诚理财有限公司", "--region", "馬鞍山市市場監督管理局", "--json"], b"");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["circumstances"]["region"], "340500");
    assert_eq!(mingcha(&["screen", "某地众诚理财有限公司", "--region", "月球"], b"").status.code(), Some(2));
}

#[test]
fn hostile_characters_are_shown_escaped() {
    let output = mingcha(&["screen", "某地\u{202E}众诚\u{1B}[31m理\u{200B}财有限公司"], b"");
    let shown = stdout(&output);
    assert!(shown.contains("\\u{202e}") && shown.contains("\\u{1b}[31m") && shown.contains("\\u{200b}"), "{shown}");
    assert!(!shown.contains('\u{1B}') && !shown.contains('\u{202E}'), "{shown:?}");
}

#[test]
fn json_lines_come_back_in_order_and_bad_ones_stop_nothing() {
    let lines = [
        r#"{"name":"某地众诚理财有限公司","region":"320100","entityKind":"ENTERPRISE","event":"EXISTING","date":"2016-09-01"}"#,
        r#"{"name":"某地众诚日用品有限公司"}"#,
        "not JSON",
        "",
        r#"{"name":"某地众诚支付有限公司","licences":[{"kind":"PAYMENT","number":"Z1","validUntil":"2100-01-01","terms":[]}]}"#,
        r#"{"name":"某地众诚支付有限公司","entityKind":"CLUB"}"#,
        r#"{"name":"某地众诚支付有限公司","colour":"red"}"#,
        r#"{"scope":"理财"}"#,
        r#"{"name":"某地众诚日用品有限公司","entityKind":"ENTITY_KIND_INDIVIDUAL_BUSINESS"}"#,
    ];
    let output = mingcha(&["screen", "--jsonl"], lines.join("\n").as_bytes());
    assert_eq!(output.status.code(), Some(0));
    let answers: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(answers.len(), 9);
    assert_eq!(answers[0]["decision"], "DECISION_PROHIBITED");
    let hit = &answers[0]["hits"][0];
    assert_eq!((&hit["startChar"], &hit["endChar"], &hit["startByte"], &hit["endByte"]), (&4.into(), &6.into(), &12.into(), &18.into()));
    assert_eq!(hit["field"], "FIELD_NAME");
    assert_eq!(answers[1]["decision"], "DECISION_PASS");
    assert_eq!(answers[2]["line"], 3);
    assert_eq!(answers[3]["line"], 4); // an empty line is a bad one: answers keep step with requests
    assert_eq!(answers[4]["cleared"][0]["reason"], "CLEARED_REASON_LICENSED");
    assert!(answers[5..8].iter().all(|answer| answer["error"].is_string()), "{answers:?}");
    assert_eq!(answers[8]["decision"], "DECISION_PASS");
    assert_eq!(String::from_utf8_lossy(&output.stderr).trim(), "mingcha: 5 bad lines");
}

#[test]
fn a_line_that_is_no_text_or_far_too_long_is_one_bad_line() {
    let mut input = b"{\"name\":\"\xFF\"}\n".to_vec();
    input.extend(vec![b'x'; 3 << 20]);
    input.extend("\n{\"name\":\"某地众诚日用品有限公司\"}".as_bytes());
    let output = mingcha(&["screen", "--jsonl"], &input);
    let answers: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(answers.iter().filter(|answer| answer["error"].is_string()).count(), 2);
    assert_eq!(answers[2]["decision"], "DECISION_PASS");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn limits_are_limits() {
    let answer = |name: usize, scope: usize| {
        let line = format!(r#"{{"name":"{}","scope":"{}"}}"#, "名".repeat(name), "x".repeat(scope));
        let output = mingcha(&["screen", "--jsonl"], line.as_bytes());
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")["error"].as_str().map(str::to_owned)
    };
    assert_eq!(answer(256, 64 * 1024), None);
    assert_eq!(answer(257, 0).as_deref(), Some("name: 257 characters; at most 256"));
    assert_eq!(answer(1, 64 * 1024 + 1).as_deref(), Some("scope: 65537 bytes; at most 65536"));
}

#[test]
fn an_answer_stays_in_proportion_to_its_request() {
    let asked = |scope: &str| {
        let line = format!(r#"{{"name":"某地众诚日用品有限公司","scope":"{scope}"}}"#);
        let output = mingcha(&["screen", "--jsonl"], line.as_bytes());
        assert!(output.stdout.len() < 256 * line.len(), "{} bytes", output.stdout.len());
        output
    };
    asked(&"P2P".repeat(21_800));
    asked(&format!("{}{}", "金融、".repeat(5000), "除外".repeat(3000)));
    asked(&format!("不含{}", "金融、证券、".repeat(3000)));
    let output = asked(&"投资管理".repeat(5400));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let basis = answer["hits"][0]["basisIndexes"][0].as_u64().expect("an index");
    assert_eq!(answer["bases"][usize::try_from(basis).expect("small")]["list"], "cn-2016-21");
}

#[test]
fn a_wrong_check_digit_is_a_warning() {
    let output = mingcha(&["screen", "--jsonl"], r#"{"name":"某地众诚日用品有限公司","uscc":"91350100M000100Y44"}"#.as_bytes());
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["warnings"][0]["code"], "USCC_CHECK_DIGIT");
    assert_eq!(answer["decision"], "DECISION_PASS");
}

#[test]
fn exported_lists_are_the_same_lists() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("lists");
    let dir = dir.to_str().expect("a path of text");
    assert!(mingcha(&["lists", "export", dir], b"").status.success());
    assert_eq!(mingcha(&["lists", "export", dir], b"").status.code(), Some(2)); // not empty any more
    let embedded = stdout(&mingcha(&["lists", "check"], b""));
    assert_eq!(stdout(&mingcha(&["--wordlists", dir, "lists", "check"], b"")), embedded);
    std::fs::write(format!("{dir}/local/bad.toml"), "id = 3\n").expect("written");
    let output = mingcha(&["--wordlists", dir, "lists", "check"], b"");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("local/bad.toml:1: 'id' must be a text") && said.contains("'title' is missing"), "{said}");
}

#[test]
fn lists_can_be_looked_at() {
    let shown = stdout(&mingcha(&["lists", "find", "Ｐ·２·Р"], b""));
    assert!(shown.starts_with("P2P") && shown.contains("国办发〔2016〕21号"), "{shown}");
    assert!(stdout(&mingcha(&["lists", "show", "cn-768"], b"")).contains("支付"));
    assert!(stdout(&mingcha(&["lists", "list"], b"")).lines().count() >= 25);
    assert_eq!(mingcha(&["lists", "find", "白菜"], b"").status.code(), Some(2));
    assert_eq!(mingcha(&["lists", "show", "nothing"], b"").status.code(), Some(2));
}
