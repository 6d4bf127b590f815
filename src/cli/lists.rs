//! `mingcha lists`.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Subcommand;

use super::{Lists, bad_use};
use crate::{
    embedded,
    normalize::Normalized,
    screen::Engine,
    wordlist::instrument::{Instrument, Rule},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check the lists: every problem with its file and line.
    Check,
    /// Show one instrument with its rules and terms.
    Show {
        /// Its id, as `lists list` prints it.
        id: String,
    },
    /// List the instruments.
    List,
    /// Find every rule that names a term, however the term is spelled here.
    Find {
        /// The term.
        term: String,
    },
    /// Write the lists inside the binary into a folder, to be edited and used with --wordlists.
    Export {
        /// The folder; it must not exist yet, or be empty.
        dir: PathBuf,
    },
}

impl Command {
    pub(super) fn run(self, lists: &Lists) -> anyhow::Result<ExitCode> {
        if let Self::Export { dir } = &self {
            return export(dir);
        }
        let engine = match lists.engine() {
            Ok(engine) => engine,
            Err(problems) => {
                let count = problems.list().len();
                return Ok(bad_use(&format!("{count} problems\n{problems}")));
            }
        };
        match self {
            Self::Check => check(&engine),
            Self::List => engine.lists().instruments().iter().for_each(|instrument| anstream::println!("{}", line(instrument))),
            Self::Show { id } => match engine.lists().instruments().iter().find(|instrument| instrument.id == id) {
                Some(instrument) => show(&engine, instrument),
                None => return Ok(bad_use(&format!("no instrument has the id '{id}': see mingcha lists list"))),
            },
            Self::Find { term } => return Ok(find(&engine, &term)),
            Self::Export { .. } => {}
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn check(engine: &Engine) {
    let lists = engine.lists();
    anstream::println!(
        "{} instruments, {} rules, {} terms, {} canaries: no problem\nlists hash {}",
        lists.instruments().len(),
        lists.rules().len(),
        lists.terms().len(),
        lists.canaries().len(),
        lists.hash()
    );
}

fn line(instrument: &Instrument) -> String {
    let days = &instrument.days;
    let from = days.from.map(|day| day.to_string()).unwrap_or_default();
    let to = days.to.map_or_else(String::new, |day| day.to_string());
    format!(
        "{:<18} {} {from:>10}–{to:<10} {:<8} {} {}",
        instrument.id,
        instrument.jurisdiction,
        instrument.wording.id(),
        instrument.document_number,
        instrument.title
    )
}

fn show(engine: &Engine, instrument: &Instrument) {
    let lists = engine.lists();
    anstream::println!("{}\n  issuer {}\n  source {}", line(instrument), instrument.issuer, instrument.source);
    if let Some(note) = &instrument.note {
        anstream::println!("  note {note}");
    }
    for rule in lists.rules().iter().filter(|rule| lists.instrument_of(rule).id == instrument.id) {
        anstream::println!("{}", described(rule));
        for listed in &rule.listed {
            anstream::println!("    {}  {} {}", listed.text, listed.field.id(), listed.field.chinese());
        }
    }
}

fn described(rule: &Rule) -> String {
    let join = |ids: Vec<&str>| ids.join(" ");
    format!(
        "\n  [{}] {} {} {} ({})\n    where {}; whom {}; events {}{}\n    {}",
        rule.id,
        rule.article,
        rule.force.id(),
        rule.force.chinese(),
        rule.wording.id(),
        join(rule.fields.iter().map(crate::vocabulary::Field::id).collect()),
        join(rule.kinds.iter().map(crate::vocabulary::EntityKind::id).collect()),
        join(rule.events.iter().map(crate::vocabulary::Event::id).collect()),
        if rule.approval { "; an approval exempts" } else { "" },
        rule.clause
    )
}

fn find(engine: &Engine, text: &str) -> ExitCode {
    let lists = engine.lists();
    let read = Normalized::of(text, engine.characters()).text();
    let Some(term) = lists.terms().iter().find(|term| term.read == read) else {
        return bad_use(&format!("'{text}' is no term of the lists"));
    };
    anstream::println!("{}  {} {}", term.text, term.field.id(), term.field.chinese());
    for rule in term.rules.iter().map(|id| lists.rule(*id)) {
        let instrument = lists.instrument_of(rule);
        anstream::println!("  {} {} [{}] {} {}", line(instrument), rule.article, rule.id, rule.force.id(), rule.force.chinese());
    }
    ExitCode::SUCCESS
}

fn export(dir: &std::path::Path) -> anyhow::Result<ExitCode> {
    if dir.exists() && fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?.next().is_some() {
        return Ok(bad_use(&format!("{} is not empty", dir.display())));
    }
    for (name, bytes) in embedded::all() {
        let path = dir.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    anstream::println!("wrote the lists to {}", dir.display());
    Ok(ExitCode::SUCCESS)
}
