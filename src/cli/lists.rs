//! `mingcha lists`.

use std::{fmt::Write, fs, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Subcommand;

use super::{Lists, bad_use, preview::preview, print, reading::Reading};
use crate::{
    day::{Date, Days},
    embedded,
    screen::Engine,
    vocabulary::{EntityKind, Event, Field},
    wordlist::instrument::{Informee, Instrument, Rule},
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
    /// Show what a draft would change for the firms of registers, before it is published.
    Preview {
        /// A folder of lists, or one instrument that is added to the lists or replaces that of its name.
        draft: PathBuf,
        /// The registers, as for rescreen.
        #[arg(long, required = true, num_args = 1.., value_name = "INPUT")]
        against: Vec<PathBuf>,
        #[command(flatten)]
        reading: Box<Reading>,
    },
    /// Write the lists inside the binary into a folder, to be edited and used with --wordlists.
    Export {
        /// The folder; it must not exist yet, or be empty.
        dir: PathBuf,
    },
}

impl Command {
    pub(super) fn run(self, lists: &Lists) -> anyhow::Result<ExitCode> {
        match self {
            Self::Export { dir } => export(&dir),
            Self::Preview { draft, against, reading } => preview(&draft, against, &reading, lists),
            other => other.look(lists),
        }
    }

    fn look(self, lists: &Lists) -> anyhow::Result<ExitCode> {
        let engine = match lists.engine() {
            Ok(engine) => engine,
            Err(problems) => {
                let count = problems.list().len();
                return Ok(bad_use(&format!("{count} problems\n{problems}")));
            }
        };
        let lists = engine.lists();
        let text = match self {
            Self::Check => check(&engine),
            Self::List => lists.instruments().iter().map(|instrument| line(instrument) + "\n").collect(),
            Self::Show { id } => match lists.instruments().iter().find(|instrument| instrument.id == id) {
                Some(instrument) => show(&engine, instrument),
                None => return Ok(bad_use(&format!("no instrument has the id '{id}': see mingcha lists list"))),
            },
            Self::Find { term } => match find(&engine, &term) {
                Some(text) => text,
                None => return Ok(bad_use(&format!("'{term}' is no term of the lists"))),
            },
            Self::Export { .. } | Self::Preview { .. } => return Ok(ExitCode::SUCCESS), // these look at no list
        };
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn check(engine: &Engine) -> String {
    let lists = engine.lists();
    format!(
        "{} instruments, {} rules, {} terms, {} canaries: no problem\nlists hash {}\n",
        lists.instruments().len(),
        lists.rules().len(),
        lists.terms().len(),
        lists.canaries().len(),
        lists.hash()
    )
}

fn line(instrument: &Instrument) -> String {
    format!(
        "{:<18} {} {} {:<8} {} {}",
        instrument.id,
        instrument.jurisdiction,
        days(&instrument.days),
        instrument.wording.id(),
        instrument.document_number,
        instrument.title
    )
}

fn show(engine: &Engine, instrument: &Instrument) -> String {
    let lists = engine.lists();
    let mut out = format!("{}\n  issuer {}\n  source {}\n", line(instrument), instrument.issuer, instrument.source);
    if let Some(note) = &instrument.note {
        let _ = writeln!(out, "  note {note}"); // writing to a String cannot fail
    }
    for rule in lists.rules().iter().filter(|rule| lists.instrument_of(rule).id == instrument.id) {
        out += &described(rule);
        for listed in &rule.listed {
            let _ = writeln!(out, "    {}  {} {}", listed.text, listed.field.id(), listed.field.chinese());
        }
    }
    out
}

fn days(days: &Days) -> String {
    let day = |day: Option<Date>| day.map_or_else(String::new, |day| day.to_string());
    format!("{:>10}–{:<10}", day(days.from), day(days.to))
}

fn informed(rule: &Rule) -> String {
    let ids = rule.inform.iter().map(|informee| match informee {
        Informee::FinancialAuthorities => "financial-authorities (金融管理部门)".to_owned(),
        Informee::Body(id) => id.to_string(),
    });
    ids.collect::<Vec<_>>().join(", ")
}

fn described(rule: &Rule) -> String {
    let join = |ids: Vec<&str>| ids.join(" ");
    format!(
        "\n  [{}] {} {} {} {} ({})\n    where {}; whom {}; events {}{}\n    inform {}\n    {}\n{}",
        rule.id,
        rule.article,
        rule.force.id(),
        rule.force.chinese(),
        days(&rule.days),
        rule.wording.id(),
        join(rule.fields.iter().map(Field::id).collect()),
        join(rule.kinds.iter().map(EntityKind::id).collect()),
        join(rule.events.iter().map(Event::id).collect()),
        if rule.approval { "; an approval exempts" } else { "" },
        informed(rule),
        rule.clause,
        rule.note.as_ref().map_or_else(String::new, |note| format!("    note {note}\n"))
    )
}

fn find(engine: &Engine, text: &str) -> Option<String> {
    let lists = engine.lists();
    let term = lists.term(engine.term(text)?);
    let mut out = format!("{}  {} {}\n", term.text, term.field.id(), term.field.chinese());
    for rule in term.rules.iter().map(|id| lists.rule(*id)) {
        let instrument = lists.instrument_of(rule);
        let force = format!("{} {}", rule.force.id(), rule.force.chinese());
        let place = format!("{} {} {}", instrument.id, rule.id, rule.jurisdiction);
        let _ = writeln!(
            out,
            "  {place:<40} {} {:<8} {force} {} {}",
            days(&rule.days),
            rule.wording.id(),
            instrument.document_number,
            rule.article
        );
    }
    Some(out)
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
    print(&format!("wrote the lists to {}\n", dir.display()))?;
    Ok(ExitCode::SUCCESS)
}
