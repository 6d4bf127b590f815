//! What a run reads it does not write over.

use std::{fs, os::unix::fs::symlink};

use super::{Bureau, FIRMS, held::fed};

#[test]
fn an_input_is_no_output() {
    let firms = FIRMS.replace('\t', ",");
    let cases: [(&str, &[&str], &str); 5] = [
        ("企业库.csv", &["企业库.csv"], "企业库.csv"),
        ("out.csv.rejects.csv", &["below/../out.csv.rejects.csv"], "out.csv"),
        ("out.csv.part", &["below/link.csv"], "out.csv"),
        ("out.csv.checkpoint", &["other.csv", "below/link.csv", "--restart"], "out.csv"),
        ("out.csv", &["other.csv", "--roster", "out.csv", "--as", "complaint"], "out.csv"),
    ];
    for (name, args, out) in cases {
        let bureau = Bureau::new();
        bureau.write(name, &firms);
        bureau.write("other.csv", &firms);
        fs::create_dir(bureau.path("below")).expect("made");
        symlink(bureau.path(name), bureau.path("below/link.csv")).expect("linked");
        let before = bureau.files();
        let output = bureau.run(args, out, &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(&format!("would be written over as {name}")), "{args:?}: {said}");
        assert!(bureau.read(name) == firms && bureau.files() == before, "{name}"); // nothing was begun
    }
}

#[test]
fn what_is_called_alike_elsewhere_is_another_file() {
    let bureau = Bureau::new();
    fs::create_dir(bureau.path("below")).expect("made");
    bureau.write("below/out.csv", FIRMS.replace('\t', ","));
    bureau.rescreen(&["below/out.csv"], "out.csv", &[]);
    bureau.rescreen(&["below/out.csv"], "out.csv", &[]); // what lies there from before is replaced
    let output = fed(bureau.command(&["-"], "out.csv", &[]), FIRMS);
    assert!(output.status.success(), "{output:?}");
    let mut command = bureau.command(&["-"], "out.csv", &[]);
    command.stdin(fs::File::open(bureau.path("out.csv")).expect("there"));
    let output = command.output().expect("mingcha runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("- is read, and would be written over as out.csv"), "{output:?}");
}
