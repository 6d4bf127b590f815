//! The command line (命令行).

mod backup;
mod client;
mod config;
mod journal;
mod jsonl;
mod lists;
mod operations;
mod paint;
mod preview;
mod reading;
mod record;
mod referral;
mod rescreen;
mod screen;
mod serve;
mod told;
mod watch;

use std::{io::Write, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::{config::flags::Flags, embedded, problem::Problems, screen::Engine, wordlist::Files};

/// Mingcha (明察): screens firm names and business scopes for words kept for licensed finance.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    /// A wordlists folder in place of the lists inside the binary.
    #[arg(long, global = true, value_name = "DIR", env = "MINGCHA_WORDLISTS")]
    wordlists: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Screen one firm, or with --jsonl one firm a line.
    Screen(screen::Arguments),
    /// Screen a whole register (存量企业).
    Rescreen(Box<rescreen::Arguments>),
    /// Serve gRPC until SIGTERM or Ctrl-C.
    Serve(Flags),
    /// Check or show the configuration of the service.
    #[command(subcommand)]
    Config(config::Command),
    /// The watch list of a running service, or of a data folder.
    Watch(Box<watch::Arguments>),
    /// The referrals of a running service, or of a data folder.
    Referral(Box<referral::Arguments>),
    /// The re-screenings that a running service carries out.
    Operations(Box<operations::Arguments>),
    /// Back up a running service to a folder.
    Backup(backup::Backup),
    /// Make a data folder of a backup.
    Restore(backup::Restore),
    /// Check a journal.
    #[command(subcommand)]
    Journal(journal::Command),
    /// Look at the wordlists.
    #[command(subcommand)]
    Lists(lists::Command),
}

/// Exit status for a decision stronger than ATTENTION.
const STRONGER: u8 = 1;
/// Exit status for bad use: arguments, a request that cannot be accepted, bad wordlists.
const BAD_USE: u8 = 2;
/// Exit status where reading or writing failed.
const IO_FAILED: u8 = 3;
/// Exit status of a service that stopped before every call in flight had finished, and of a re-screening that was stopped.
const CUT_OFF: u8 = 4;

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// What kept it from being done, for people.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let lists = Lists(self.wordlists);
        match self.command {
            Command::Screen(arguments) => arguments.run(&lists),
            Command::Rescreen(arguments) => arguments.run(&lists),
            Command::Operations(arguments) => arguments.run(),
            Command::Serve(flags) => serve::run(flags, &lists),
            Command::Config(command) => command.run(&lists),
            Command::Watch(arguments) => arguments.run(&lists),
            Command::Referral(arguments) => arguments.run(&lists),
            Command::Backup(backup) => backup.run(&lists),
            Command::Restore(restore) => restore.run(),
            Command::Journal(command) => command.run(),
            Command::Lists(command) => command.run(&lists),
        }
    }
}

/// Which lists to work with.
struct Lists(Option<PathBuf>);

impl Lists {
    fn files(&self) -> Result<Files, Problems> {
        self.0.as_deref().map_or_else(|| Ok(embedded::files()), embedded::read)
    }

    fn engine(&self) -> Result<Engine, Problems> {
        Engine::build(&self.files()?)
    }
}

/// Prints to stdout, in colour on a terminal.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write the answer")
}

/// Says what is wrong on stderr and gives the exit status for bad use.
fn bad_use(message: &impl std::fmt::Display) -> ExitCode {
    anstream::eprintln!("mingcha: {message}");
    ExitCode::from(BAD_USE)
}
