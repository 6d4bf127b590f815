//! The flags (命令行参数): one for every key, from the table.

use std::{ffi::OsString, path::PathBuf};

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};

use super::keys::{KEYS, Kind};

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// Path of a key and its value.
    pub given: Vec<(&'static str, String)>,
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.file = matches.get_one::<OsString>("config").map(PathBuf::from);
        for key in KEYS.iter().filter(|key| key.path != "wordlists") {
            self.given.extend(matches.get_one::<String>(key.path).map(|text| (key.path, text.clone())));
        }
        Ok(())
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new("config").long("config").value_name("FILE").value_parser(value_parser!(OsString));
        let file = file.help("The configuration file, TOML [environment: MINGCHA_CONFIG]");
        // --wordlists is a flag of every command
        KEYS.iter().filter(|key| key.path != "wordlists").fold(command.arg(file), |command, key| {
            let default = if key.default.is_empty() { String::new() } else { format!(" [default: {}]", key.default) };
            let help = format!("{}{default} [environment: {}]", key.about, key.variable());
            let arg = Arg::new(key.path).long(key.flag()).value_name(key.kind.name()).help(help);
            command.arg(if key.kind == Kind::Flag { arg.num_args(0..=1).require_equals(true).default_missing_value("true") } else { arg })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
