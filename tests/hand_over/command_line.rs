//! `mingcha watch`, `referral`, `backup`, `restore`.

use std::{fs, path::Path, process::Command};

use super::{Office, payment};

/// Runs mingcha; gives its exit status and what it wrote.
fn run(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mingcha")).args(args).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("a text");
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn plain(path: &Path) -> &str {
    path.to_str().expect("a plain name")
}

#[tokio::test(flavor = "multi_thread")]
async fn clerks_list_show_and_export_and_take_their_steps() {
    let mut office = Office::open().await;
    office.record(payment(), "").await;
    let mut formula = payment();
    formula.name = "=某地后日支付有限公司".to_owned();
    office.record(formula, "").await;
    let (url, folder) = (format!("http://{}", office.server.address), tempfile::tempdir().expect("a folder"));
    let (status, listed, _) = run(&["watch", "--server", &url, "list", "--status", "待核查", "--region", "南京"]);
    assert!(status == 0 && listed.lines().count() == 2 && listed.starts_with("F2\t待核查\t不得\t"), "{listed}");
    let (_, listed, said) = run(&["watch", "--server", &url, "list", "--limit", "1"]);
    assert!(listed.lines().count() == 1 && said.contains("more than 1"), "{said}");
    let (status, shown, _) = run(&["watch", "--server", &url, "show", "F1"]);
    assert!(status == 0 && shown.contains("字样: 支付 不得") && shown.contains("移送: R1 320100/finance-office"), "{shown}");
    let (status, stepped, _) = run(&["referral", "--server", &url, "receive", "R1", "--note", "收到"]);
    assert!(status == 0 && stepped.contains("已接收"), "{stepped}");
    let (status, _, wrong) = run(&["referral", "--server", &url, "conclude", "R1", "--disposition", "取缔"]);
    assert!(status != 0 && wrong.contains("RECEIVED"), "{wrong}");
    let (status, sum, _) = run(&["referral", "--server", &url, "reconcile", "--body", "320100/central-bank"]);
    assert!(status == 0 && sum.contains("2 referrals"), "{sum}");

    let csv = folder.path().join("entries.csv");
    let (status, said, _) = run(&["watch", "--server", &url, "export", "--out", plain(&csv)]);
    assert!(status == 0 && said.starts_with("2 rows"), "{said}");
    let text = fs::read_to_string(&csv).expect("a text");
    assert!(text.starts_with("\u{feff}编号,企业名称,") && text.contains(",'=某地后日支付有限公司,"), "{text}");
    let (status, _, twice) = run(&["watch", "--server", &url, "export", "--out", plain(&csv)]);
    assert!(status != 0 && twice.contains("is there already"), "{twice}");
    let gbk = folder.path().join("gbk.csv");
    assert_eq!(run(&["watch", "--server", &url, "export", "--out", plain(&gbk), "--encoding", "gb18030", "--raw"]).0, 0);
    assert!(std::str::from_utf8(&fs::read(&gbk).expect("a file")).is_err(), "GB18030 is no UTF-8");
    let jsonl = folder.path().join("referrals.jsonl");
    assert_eq!(run(&["referral", "--server", &url, "export", "--out", plain(&jsonl)]).0, 0);
    let lines = fs::read_to_string(&jsonl).expect("a text");
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
    assert_eq!((first["state"].as_str(), lines.lines().count()), (Some("已移送"), 4), "{lines}");
    let xlsx = folder.path().join("entries.xlsx");
    assert_eq!(run(&["watch", "--server", &url, "export", "--out", plain(&xlsx)]).0, 0);
    assert!(fs::read(&xlsx).expect("a file").starts_with(b"PK"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_service_is_backed_up_and_a_backup_restored() {
    let mut office = Office::open().await;
    let recorded = office.record(payment(), "a-1").await;
    let (url, folder) = (format!("http://{}", office.server.address), tempfile::tempdir().expect("a folder"));
    let data = plain(office.data.path()).to_owned();
    let (status, _, held) = run(&["watch", "--data", &data, "list"]);
    assert!(status != 0 && held.contains("in use"), "{held}");
    let backup = folder.path().join("backup");
    let (status, said, wrong) = run(&["backup", plain(&backup), "--server", &url]);
    assert!(status == 0 && said.contains("1 records"), "{said}{wrong}");
    assert_ne!(run(&["backup", plain(&backup), "--server", &url]).0, 0, "nothing is written over");
    office.record(super::named("某地后日支付有限公司", "320104"), "").await;
    assert!(office.server.stop().success());

    let restored = folder.path().join("restored");
    let (status, said, wrong) = run(&["restore", plain(&backup), "--data", plain(&restored)]);
    assert!(status == 0 && said.contains("1 records restored"), "{said}{wrong}");
    assert_ne!(run(&["restore", plain(&backup), "--data", plain(&restored)]).0, 0, "it is not empty any more");
    let (status, listed, wrong) = run(&["watch", "--data", plain(&restored), "list", "--json"]);
    let entry: mingcha::wire::v1::WatchEntry =
        serde_json::from_str(listed.trim()).unwrap_or_else(|error| panic!("{error}: {listed}{wrong}"));
    assert_eq!((status, Some(entry)), (0, recorded.entry));
    let anchors = office.data.path().join("anchors");
    let key = office.data.path().join("anchor.pub");
    let journal = office.data.path().join("journal");
    let (status, said, _) = run(&["journal", "verify", plain(&journal), "--anchors", plain(&anchors), "--key", plain(&key)]);
    assert!(status == 0 && said.contains("no finding"), "{said}");
    let (status, said, _) =
        run(&["journal", "verify", plain(&restored.join("journal")), "--anchors", plain(&anchors), "--key", plain(&key)]);
    assert!(status == 1, "the backup lacks what was anchored later: {said}");

    let segment = fs::read_dir(backup.join("journal")).expect("a folder").next().expect("a segment").expect("readable").path();
    let text = fs::read_to_string(&segment).expect("a text").replace("a-1", "a-2");
    fs::write(&segment, text).expect("written");
    let (status, _, wrong) = run(&["restore", plain(&backup), "--data", plain(&folder.path().join("other"))]);
    assert!(status != 0 && wrong.contains("not as it was"), "{wrong}");
}
