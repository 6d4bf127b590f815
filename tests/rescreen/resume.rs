//! A run that is stopped goes on to the same bytes.

use std::{fs, io::Write, process::Command};

use mingcha::rescreen::{Checkpoint, output::made_of};

pub(crate) use super::held::register;
use super::{
    Bureau,
    held::{Held, fed, row},
    there, told,
};

/// Stops a run behind its first checkpoint; gives how many rows it was sent.
fn stop(bureau: &Bureau, inputs: &[&str], out: &str, sign: &str) -> usize {
    let checkpoint = bureau.path(&format!("{out}.checkpoint"));
    let rows_kept = || Checkpoint::read(&checkpoint).map_or(0, |checkpoint| checkpoint.counts.rows);
    let held = Held::begin(bureau.command(inputs, out, &["--checkpoint-every", "0"]), row);
    let (output, rows) = held.until(|| rows_kept() > 0).signalled(sign).ended();
    assert!(rows_kept() > 0, "{output:?}");
    assert!(!there(&bureau.path(out)), "{output:?}");
    if sign == "-INT" {
        assert_eq!(output.status.code(), Some(4), "{output:?}");
    }
    rows
}

/// Runs to the end, and gives what was printed.
fn finished(bureau: &Bureau, inputs: &[&str], out: &str, more: &[&str], rows: usize) -> String {
    let output = fed(bureau.command(inputs, out, more), &register(rows));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// That two outputs are the same, and their rejects.
fn same(bureau: &Bureau, one: &str, other: &str) {
    for ending in ["", ".rejects.csv"] {
        let [one, other] = [one, other].map(|out| bureau.path(&format!("{out}{ending}")));
        assert!(fs::read(&one).expect("written") == fs::read(&other).expect("written"), "{} differs", other.display());
    }
}

#[test]
fn what_is_killed_goes_on_to_the_same_bytes() {
    let bureau = Bureau::new();
    bureau.write("firms.csv", register(1_000));
    let (first, second) = (["-", "firms.csv"], ["firms.csv", "-"]);
    for (ending, inputs) in [("csv", first), ("jsonl", second), ("xlsx", second), ("parquet", first)] {
        let [killed, stopped, whole] = ["killed", "stopped", "whole"].map(|out| format!("{out}.{ending}"));
        let rows = stop(&bureau, &inputs, &killed, "-KILL").max(stop(&bureau, &inputs, &stopped, "-INT"));
        let expected = told(&finished(&bureau, &inputs, &whole, &[], rows));
        for out in [killed, stopped] {
            assert_eq!(told(&finished(&bureau, &inputs, &out, &["--resume"], rows)), expected, "{out}");
            assert!(!there(&bureau.path(&format!("{out}.checkpoint"))));
            same(&bureau, &whole, &out);
        }
    }
}

#[test]
fn another_run_is_not_gone_on_with() {
    let bureau = Bureau::new();
    bureau.write("firms.csv", register(1_000));
    let inputs = ["firms.csv", "-"];
    assert_eq!(bureau.run(&inputs, "out.csv", &["--resume"]).status.code(), Some(2)); // nothing to go on with
    let rows = stop(&bureau, &inputs, "out.csv", "-KILL");
    let refused = |inputs: &[&str], more: &[&str], why: &str| {
        let output = bureau.run(inputs, "out.csv", more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(why), "{why}: {said}");
    };
    refused(&inputs, &[], "--resume goes on");
    refused(&inputs, &["--resume", "--region", "320100"], "an option changed");
    refused(&inputs, &["--resume", "--date", "2026-11-02"], "the day changed");
    refused(&["-", "firms.csv"], &["--resume"], "the inputs, or their size, changed");
    let exported = bureau.path("lists");
    let lists = exported.to_str().expect("a path of text");
    let export = Command::new(env!("CARGO_BIN_EXE_mingcha")).args(["lists", "export", lists]).output().expect("mingcha runs");
    assert!(export.status.success());
    fs::write(exported.join("language/words.tsv"), fs::read_to_string(exported.join("language/words.tsv")).expect("read") + "# more\n")
        .expect("written");
    refused(&inputs, &["--resume", "--wordlists", lists], "the lists changed");
    let text = bureau.read("firms.csv");
    bureau.write("firms.csv", text.replacen("某地众诚", "某市众诚", 1)); // as long as before
    refused(&inputs, &["--resume"], "what is in the inputs changed");
    let last = text.rfind("日用百货").expect("it is there");
    bureau.write("firms.csv", format!("{}日用白货{}", &text[..last], &text[last + 12..]));
    refused(&inputs, &["--resume"], "what is in the inputs changed");
    bureau.write("firms.csv", format!("{text}\n"));
    refused(&inputs, &["--resume"], "the inputs, or their size, changed");
    bureau.write("firms.csv", &text);
    let checkpoint = bureau.read("out.csv.checkpoint");
    let engine = format!("\"engine\": \"{}\"", mingcha::screen::ENGINE_VERSION);
    assert!(checkpoint.contains(&engine), "{checkpoint}");
    bureau.write("out.csv.checkpoint", checkpoint.replace(&engine, "\"engine\": \"0.0.1\""));
    refused(&inputs, &["--resume"], "the engine changed");
    bureau.write("out.csv.checkpoint", &checkpoint);
    let said = finished(&bureau, &inputs, "out.csv", &["--restart"], rows);
    assert_eq!(told(&said), told(&finished(&bureau, &inputs, "whole.csv", &[], rows)));
    same(&bureau, "whole.csv", "out.csv");
}

#[test]
fn what_changes_behind_what_was_read_is_noticed() {
    let bureau = Bureau::new();
    bureau.write("firms.csv", register(1_000));
    let inputs = ["-", "firms.csv"];
    let rows = stop(&bureau, &inputs, "out.csv", "-KILL"); // in its first input
    let text = bureau.read("firms.csv");
    let refused = |sent: &str, why: &str| {
        let output = fed(bureau.command(&inputs, "out.csv", &["--resume"]), sent);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(why), "{why}: {said}");
    };
    bureau.write("firms.csv", text.replacen("某地众诚", "某市众诚", 1)); // as long as before, and nothing of it was read
    refused(&register(rows), "what is in the inputs changed");
    bureau.write("firms.csv", &text);
    refused(&register(rows).replacen("某地众诚", "某市众诚", 1), "the input - changed");
    let said = finished(&bureau, &inputs, "out.csv", &["--resume"], rows);
    assert_eq!(told(&said), told(&finished(&bureau, &inputs, "whole.csv", &[], rows)));
    same(&bureau, "whole.csv", "out.csv");
}

#[test]
fn what_is_begun_anew_leaves_nothing_to_go_on_with_of_the_old() {
    let bureau = Bureau::new();
    let rows = stop(&bureau, &["-"], "out.csv", "-INT");
    let part = bureau.path("out.csv.part");
    let size = || fs::metadata(&part).expect("it is beside").len();
    assert!(size() > 0);
    let anew = ["--restart", "--region", "320100", "--checkpoint-every", "3600"];
    let held = Held::begin(bureau.command(&["-"], "out.csv", &anew), row);
    held.waiting_until(|| size() == 0).signalled("-KILL").ended();
    let output = fed(bureau.command(&["-"], "out.csv", &["--resume"]), &register(rows));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("an option changed"), "{said}");
    let anew = told(&finished(&bureau, &["-"], "out.csv", &["--resume", "--region", "320100"], rows)); // from its own beginning
    assert_eq!(anew, told(&finished(&bureau, &["-"], "whole.csv", &["--region", "320100"], rows)));
    same(&bureau, "whole.csv", "out.csv");
}

#[test]
fn what_is_half_made_goes_with_the_run_that_is_thrown_away() {
    let bureau = Bureau::new();
    bureau.write("firms.csv", register(100));
    fs::create_dir(bureau.path("out.xlsx")).expect("made"); // in the way of what is made
    let output = bureau.run(&["firms.csv"], "out.xlsx", &[]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let made = made_of(&bureau.path("out.xlsx"), &Checkpoint::read(&bureau.path("out.xlsx.checkpoint")).expect("it is there"));
    assert!(there(&made));
    fs::remove_dir(bureau.path("out.xlsx")).expect("removed");
    bureau.rescreen(&["firms.csv"], "out.xlsx", &["--restart"]);
    assert_eq!(bureau.files(), ["firms.csv", "out.xlsx", "out.xlsx.rejects.csv"]);
}

#[test]
fn a_run_that_is_killed_before_it_has_written_anything_begins_anew() {
    let bureau = Bureau::new();
    let checkpoint = bureau.path("out.csv.checkpoint");
    let held = Held::begin(bureau.command(&["-"], "out.csv", &["--checkpoint-every", "3600"]), row);
    let (_, rows) = held.waiting_until(|| there(&checkpoint)).signalled("-KILL").ended();
    assert!(Checkpoint::read(&checkpoint).expect("it is whole").position.is_beginning());
    let text = bureau.read("out.csv.checkpoint");
    for (left, why) in [(None, "is missing"), (Some("{"), "is damaged")] {
        match left {
            None => fs::remove_file(&checkpoint).expect("removed"),
            Some(left) => fs::write(&checkpoint, left).expect("written"),
        }
        let output = fed(bureau.command(&["-"], "out.csv", &["--resume"]), "");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(why), "{why}: {said}");
    }
    fs::write(&checkpoint, text).expect("written");
    for part in ["out.csv.part", "out.csv.rejects.csv.part"] {
        bureau.write(part, "half a line"); // nothing vouches for what lies there
    }
    let said = finished(&bureau, &["-"], "out.csv", &["--resume"], rows);
    assert_eq!(told(&said), told(&finished(&bureau, &["-"], "whole.csv", &[], rows)));
    same(&bureau, "whole.csv", "out.csv");
}

/// The command with files of at most so many bytes, or hardly more.
fn limited(command: &Command, bytes: u64) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ && ulimit -f \"$0\" && exec \"$@\"", &(bytes / 512).to_string()]);
    limited.arg(command.get_program()).args(command.get_args()).current_dir(command.get_current_dir().expect("a folder"));
    limited.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    limited
}

#[test]
fn what_cannot_be_written_on_is_gone_on_with_when_it_can() {
    let bureau = Bureau::new();
    let rows = stop(&bureau, &["-"], "out.csv", "-INT") + 4_000;
    let written = fs::metadata(bureau.path("out.csv.part")).expect("it is beside").len();
    let resume = || bureau.command(&["-"], "out.csv", &["--resume", "--checkpoint-every", "0"]);
    for more in [100_000, 200_000] {
        let output = fed(limited(&resume(), written + more), &register(rows));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(3) && said.contains("out.csv"), "{said}");
    }
    let said = finished(&bureau, &["-"], "out.csv", &["--resume"], rows);
    assert_eq!(told(&said), told(&finished(&bureau, &["-"], "whole.csv", &[], rows)));
    same(&bureau, "whole.csv", "out.csv");
}

#[test]
fn what_waits_for_its_sum_says_so_and_ends_when_it_is_told_again() {
    let bureau = Bureau::new();
    let vast = fs::File::create(bureau.write("vast.csv", "")).expect("made");
    (&vast).write_all(register(1).as_bytes()).expect("written");
    vast.set_len(4 << 40).expect("a file with a hole"); // nobody reads it to its end here
    let args = ["--checkpoint-every", "0"];
    let held = Held::begin(bureau.command(&["-", "vast.csv"], "out.csv", &args), row);
    let size = || fs::metadata(bureau.path("out.csv.part")).map_or(0, |data| data.len());
    let ended = held.until(|| size() > 0).interrupted_twice("the inputs are read to their ends");
    assert_eq!(ended.code(), Some(130));
    let left = Checkpoint::read(&bureau.path("out.csv.checkpoint")).expect("the one before it is there");
    assert!(left.position.is_beginning() && left.whole.is_none());
}
