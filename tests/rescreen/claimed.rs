//! One run at a time writes an output.

use std::fs;

use super::{
    Bureau,
    held::{Held, fed, register, row},
    there, told,
};

#[test]
fn a_second_run_is_refused_and_loses_nothing() {
    let bureau = Bureau::new();
    let checkpoint = bureau.path("out.csv.checkpoint");
    bureau.write("few.csv", register(10));
    let held = Held::begin(bureau.command(&["-"], "out.csv", &["--checkpoint-every", "0"]), row);
    let refused = |more: &[&str]| {
        let output = bureau.run(&["few.csv"], "out.csv", more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains("another run is writing out.csv"), "{more:?}: {said}");
    };
    let ways: [&[&str]; 4] = [&[], &["--resume"], &["--restart"], &["--restart", "--resume"]];
    let held = held.waiting_until(|| there(&checkpoint)); // nothing is written yet
    ways[..3].iter().for_each(|way| refused(way));
    assert_eq!(bureau.run(&["few.csv"], "out.csv", ways[3]).status.code(), Some(2)); // not both
    let size = || fs::metadata(bureau.path("out.csv.part")).expect("it is beside").len();
    let held = held.until(|| size() > 0);
    ways[..3].iter().for_each(|way| refused(way));
    let (output, rows) = held.closed();
    assert!(output.status.success(), "{output:?}");
    let whole = fed(bureau.command(&["-"], "whole.csv", &[]), &register(rows));
    assert_eq!(told(&String::from_utf8_lossy(&output.stdout)), told(&String::from_utf8_lossy(&whole.stdout)));
    for ending in ["", ".rejects.csv"] {
        assert!(bureau.read(&format!("out.csv{ending}")) == bureau.read(&format!("whole.csv{ending}")), "{ending} differs");
    }
    assert!(!there(&checkpoint) && bureau.files().len() == 5, "{:?}", bureau.files());
}
