//! `mingcha config`.

use std::process::ExitCode;

use clap::Subcommand;

use super::{Lists, bad_use, print};
use crate::{
    config::{
        check,
        flags::Flags,
        load::{Loaded, load},
    },
    problem::Problems,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check the configuration as the service would: every problem with where it came from.
    Check(Flags),
    /// Show the configuration, with where each value came from.
    Show(Flags),
}

impl Command {
    pub(super) fn run(self, lists: &Lists) -> anyhow::Result<ExitCode> {
        let (Self::Check(flags) | Self::Show(flags)) = &self;
        let loaded = match loaded(flags.clone(), lists) {
            Ok(loaded) => loaded,
            Err(problems) => return Ok(bad_use(&said(&problems))),
        };
        if let Self::Show(_) = self {
            print(&loaded.shown())?;
            return Ok(ExitCode::SUCCESS);
        }
        if let Err(problems) = Problems::check(check::files(&loaded.config)) {
            return Ok(bad_use(&said(&problems)));
        }
        let file = loaded.file.as_deref().map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
        print(&format!("no problem ({file})\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Problems of the configuration, for people.
pub(super) fn said(problems: &Problems) -> String {
    format!("{} problems in the configuration\n{problems}", problems.list().len())
}

/// The configuration by these flags, `--wordlists` and the environment.
pub(super) fn loaded(mut flags: Flags, lists: &Lists) -> Result<Loaded, Problems> {
    let environment: Vec<(String, String)> =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))).collect();
    if let Some(folder) = &lists.0 {
        let folder = folder.to_string_lossy().into_owned();
        let by_environment = environment.iter().any(|(name, value)| name == "MINGCHA_WORDLISTS" && *value == folder);
        if !by_environment {
            flags.given.push(("wordlists", folder));
        }
    }
    load(&flags, environment)
}
