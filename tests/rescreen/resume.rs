//! A run that is stopped goes on to the same bytes.

use std::{
    fmt::Write,
    fs,
    process::{Child, Command},
    time::{Duration, Instant},
};

use super::{Bureau, there, told};

/// Enough rows for many blocks.
pub(crate) fn register(rows: usize) -> String {
    let scope = "日用百货零售；建筑装饰工程设计、施工；企业管理咨询；".repeat(6);
    let mut text = "企业名称,注册号,经营范围\n".to_owned();
    for number in 0..rows {
        let name = if number % 5 == 0 { "理财" } else { "日用品" };
        let business = if number % 7 == 0 { "融资担保" } else { "" };
        writeln!(text, "某地众诚{name}{number}有限公司,{number},\"{scope}\n{business}\"").expect("memory");
        if number % 1000 == 3 {
            text += "坏行,1\n";
        }
    }
    text
}

/// Waits until a run has put a checkpoint on the disk behind its first block.
fn until_checkpoint(bureau: &Bureau, child: &mut Child, name: &str) {
    let begun = Instant::now();
    while !there(&bureau.path(name)) {
        assert!(child.try_wait().expect("it can be asked").is_none(), "it ended before it could be stopped");
        assert!(begun.elapsed() < Duration::from_secs(60), "there is no checkpoint");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn stop(bureau: &Bureau, out: &str, sign: &str) {
    let mut child = bureau.command(&["firms.csv"], out, &["--checkpoint-every", "0"]).spawn().expect("mingcha runs");
    until_checkpoint(bureau, &mut child, &format!("{out}.checkpoint"));
    let sent = Command::new("kill").args([sign, &child.id().to_string()]).status().expect("there is kill");
    assert!(sent.success());
    let output = child.wait_with_output().expect("it ends");
    assert!(there(&bureau.path(&format!("{out}.checkpoint"))), "{output:?}");
    assert!(!there(&bureau.path(out)), "{output:?}");
    if sign == "-INT" {
        assert_eq!(output.status.code(), Some(4), "{output:?}");
    }
}

#[test]
fn what_is_killed_goes_on_to_the_same_bytes() {
    let bureau = Bureau::new();
    bureau.write("firms.csv", register(9_000));
    for out in ["out.csv", "out.jsonl", "out.xlsx", "out.parquet"] {
        let whole = format!("whole-{out}");
        let expected = told(&bureau.rescreen(&["firms.csv"], &whole, &[]));
        for sign in ["-KILL", "-INT"] {
            stop(&bureau, out, sign);
            let said = bureau.rescreen(&["firms.csv"], out, &["--resume"]);
            assert_eq!(told(&said), expected, "{out} {sign}");
            for (one, other) in [(whole.clone(), out.to_owned()), (format!("{whole}.rejects.csv"), format!("{out}.rejects.csv"))] {
                let same = fs::read(bureau.path(&one)).expect("written") == fs::read(bureau.path(&other)).expect("written");
                assert!(same, "{other} {sign} differs");
            }
            assert!(!there(&bureau.path(&format!("{out}.checkpoint"))));
            fs::remove_file(bureau.path(out)).expect("it is there");
        }
    }
}

#[test]
fn another_run_is_not_gone_on_with() {
    let bureau = Bureau::new();
    bureau.write("firms.csv", register(6_000));
    assert_eq!(bureau.run(&["firms.csv"], "out.csv", &["--resume"]).status.code(), Some(2)); // nothing to go on with
    stop(&bureau, "out.csv", "-KILL");
    let refused = |inputs: &[&str], more: &[&str], why: &str| {
        let output = bureau.run(inputs, "out.csv", more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(why), "{why}: {said}");
    };
    refused(&["firms.csv"], &[], "--resume goes on");
    refused(&["firms.csv"], &["--resume", "--region", "320100"], "an option changed");
    refused(&["firms.csv"], &["--resume", "--date", "2026-11-02"], "the day changed");
    let exported = bureau.path("lists");
    let lists = exported.to_str().expect("a path of text");
    let export = Command::new(env!("CARGO_BIN_EXE_mingcha")).args(["lists", "export", lists]).output().expect("mingcha runs");
    assert!(export.status.success());
    fs::write(exported.join("language/words.tsv"), fs::read_to_string(exported.join("language/words.tsv")).expect("read") + "# more\n")
        .expect("written");
    refused(&["firms.csv"], &["--resume", "--wordlists", lists], "the lists changed");
    let text = bureau.read("firms.csv");
    bureau.write("firms.csv", text.replacen("某地众诚", "某市众诚", 1)); // as long as before
    refused(&["firms.csv"], &["--resume"], "what is in the inputs changed");
    let last = text.rfind("日用百货").expect("it is there"); // far behind what was read
    bureau.write("firms.csv", format!("{}日用白货{}", &text[..last], &text[last + 12..]));
    refused(&["firms.csv"], &["--resume"], "what is in the inputs changed");
    bureau.write("firms.csv", format!("{text}\n"));
    refused(&["firms.csv"], &["--resume"], "the inputs, or their size, changed");
    bureau.write("firms.csv", &text);
    bureau.rescreen(&["firms.csv"], "out.csv", &["--restart"]);
}
