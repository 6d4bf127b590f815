//! What a re-screening tells (汇总) when it is done.

use std::{
    fmt::{self, Write},
    path::Path,
    process::ExitCode,
};

use anyhow::Context;

use super::{IO_FAILED, print};
use crate::{
    register::firm::CodeWarning,
    rescreen::Counts,
    screen::{ENGINE_VERSION, Engine},
    vocabulary::Decision,
};

/// A run that is done.
pub(super) struct Told<'a> {
    pub(super) engine: &'a Engine,
    pub(super) out: &'a Path,
    /// Whether only changes were wanted.
    pub(super) delta: bool,
    /// Where firms were recorded, if they were.
    pub(super) recorded: Option<String>,
}

impl Told<'_> {
    /// Prints what became of the rows, and checks that every one became something.
    pub(super) fn tell(&self, counts: &Counts) -> anyhow::Result<ExitCode> {
        print(&self.text(counts).context("cannot write to memory")?)?;
        if counts.balance() && (self.recorded.is_none() || counts.all_recorded()) {
            return Ok(ExitCode::SUCCESS);
        }
        anstream::eprintln!("mingcha: the numbers do not add up: this is an error of mingcha, do not rely on the output");
        Ok(ExitCode::from(IO_FAILED))
    }

    fn text(&self, counts: &Counts) -> Result<String, fmt::Error> {
        let mut text = String::new();
        self.rows(counts, &mut text)?;
        if let Some(place) = &self.recorded {
            writeln!(text, "recorded  {:>12}  firms on the watch list of {place}", counts.recorded)?;
            writeln!(text, "known     {:>12}  firms there before, with nothing new", counts.known)?;
        }
        notes(counts, &mut text)?;
        writeln!(text, "lists {}  engine {ENGINE_VERSION}", self.engine.lists().hash())?;
        Ok(text)
    }

    fn rows(&self, counts: &Counts, text: &mut String) -> fmt::Result {
        let out = self.out.display();
        writeln!(text, "rows in   {:>12}", counts.rows)?;
        writeln!(text, "{:<9} {:>12}", if self.delta { "unchanged" } else { "passed" }, counts.passed)?;
        writeln!(text, "flagged   {:>12}  {out}", counts.flagged)?;
        for (change, firms) in &counts.changes {
            writeln!(text, "          {firms:>12}  {change}")?;
        }
        for decision in Decision::ALL.iter().rev().filter(|decision| counts.decisions.contains_key(decision.id())) {
            writeln!(text, "          {:>12}  {} {}", counts.decisions[decision.id()], decision.id(), decision.chinese())?;
        }
        writeln!(text, "rejected  {:>12}  {out}.rejects.csv", counts.rejected)
    }
}

/// What is to be said beside.
fn notes(counts: &Counts, text: &mut String) -> fmt::Result {
    for (warning, firms) in CodeWarning::ALL.iter().zip(counts.codes).filter(|(_, firms)| *firms > 0) {
        writeln!(text, "warning   {firms:>12}  firms {}", warning.english())?;
    }
    for (roster, firms) in &counts.rosters {
        writeln!(text, "roster    {firms:>12}  firms in which a term occurs: {roster}")?;
    }
    let defaulted = [(counts.without_place, "place by --region"), (counts.without_kind, "kind by --entity")];
    for (firms, what) in defaulted.into_iter().filter(|(firms, _)| *firms > 0) {
        writeln!(text, "default   {firms:>12}  firms in which a term occurs: {what}")?;
    }
    Ok(())
}
