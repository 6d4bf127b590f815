//! Loading (读取): the file, the environment and the flags become one configuration, or every problem at once, each with
//! where it came from. A flag goes before the environment, the environment before the file, the file before defaults.

use std::{collections::BTreeMap, fs, path::PathBuf};

use super::{
    Config, check,
    flags::Flags,
    identity,
    keys::{KEYS, Key, Kind, key},
};
use crate::{
    auth::Identity,
    problem::{Problem, Problems},
    wordlist::document::{Document, Entry, nearest},
};

/// The variable that names the file.
pub const FILE: &str = "MINGCHA_CONFIG";
/// Variables that begin like ours and are none of the service's.
const OTHERS: &[&str] = &[FILE, "MINGCHA_REGISTER", "MINGCHA_UPDATE"];
/// Kubernetes tells every process of a service called mingcha by such variables.
const INJECTED: &[&str] = &["MINGCHA_SERVICE_", "MINGCHA_PORT"];

/// Whether a variable of the environment says something to us. An empty one does not.
fn is_ours(name: &str, value: &str) -> bool {
    name.starts_with("MINGCHA_") && !value.is_empty() && !INJECTED.iter().any(|injected| name.starts_with(injected))
}

/// A configuration and where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file it was read from.
    pub file: Option<PathBuf>,
    given: Given,
}

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    /// `mingcha.toml`, `environment MINGCHA_LISTEN`, `--listen`.
    place: String,
    /// 1-based line in a file; 0 elsewhere.
    line: usize,
}

impl Origin {
    fn problem(&self, message: String) -> Problem {
        Problem::new(&self.place, self.line, message)
    }
}

/// What was given: by path, the strongest text and its origin.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    values: BTreeMap<&'static str, (String, Origin)>,
    identities: Option<(Vec<Identity>, Origin)>,
    problems: Vec<Problem>,
}

impl Given {
    /// A problem of a key, at the place where it was given.
    pub(super) fn problem(&self, path: &str, message: &str) -> Problem {
        let identities = self.identities.as_ref().filter(|_| path.starts_with("auth")).map(|(_, origin)| origin);
        let origin = self.values.get(path).map(|(_, origin)| origin).or(identities);
        let message = format!("{path}: {message}");
        origin.map_or_else(|| Problem::new("configuration", 0, message.clone()), |origin| origin.problem(message.clone()))
    }

    fn put(&mut self, key: &'static Key, text: String, origin: Origin) {
        if key.kind != Kind::Identities {
            self.values.insert(key.path, (text, origin));
            return;
        }
        let (identities, problems) = identity::listed(&origin.place, &text);
        self.problems.extend(problems);
        self.identities = Some((identities, origin));
    }

    fn file(&mut self, name: &str, source: &str) {
        let (read, problems) = Document::read(name, source, |root| {
            let origin = |line| Origin { place: name.to_owned(), line };
            let mut found = keys_of(root, "");
            let sections: std::collections::BTreeSet<&str> = KEYS.iter().filter_map(|key| Some(key.path.split_once('.')?.0)).collect();
            let mut identities = None;
            for section in sections {
                let line = root.line();
                let more = root.section(section, |entry| {
                    if section == "auth" {
                        identities = Some((identity::identities(entry), origin(entry.line().max(line))));
                    }
                    keys_of(entry, section)
                });
                found.extend(more.into_iter().flatten());
            }
            let values = found.into_iter().map(|(key, text, line)| (key.path, (text, origin(line))));
            (values.collect::<BTreeMap<_, _>>(), identities)
        });
        self.problems.extend(problems);
        if let Some((values, identities)) = read {
            self.values = values;
            self.identities = identities;
        }
    }
}

/// The keys of a section that a table of the file has.
fn keys_of(entry: &mut Entry<'_, '_>, section: &str) -> Vec<(&'static Key, String, usize)> {
    let here = KEYS.iter().filter(|key| key.kind != Kind::Identities).filter_map(|key| {
        let (of, name) = key.path.split_once('.').unwrap_or(("", key.path));
        (of == section).then_some((key, name))
    });
    here.filter_map(|(key, name)| entry.scalar(name).map(|found| (key, found.value, found.line))).collect()
}

/// Loads the configuration.
///
/// # Errors
/// Every problem, each with where it came from.
pub fn load(flags: &Flags, environment: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, Problems> {
    let environment: BTreeMap<String, String> = environment.into_iter().filter(|(name, value)| is_ours(name, value)).collect();
    let mut given = Given::default();
    let file = flags.file.clone().or_else(|| environment.get(FILE).map(PathBuf::from));
    if let Some(file) = &file {
        let name = file.display().to_string();
        match fs::read_to_string(file) {
            Ok(source) => given.file(&name, &source),
            Err(error) => given.problems.push(Problem::new(&name, 0, error.to_string())),
        }
    }
    for (name, text) in environment.into_iter().filter(|(name, _)| !OTHERS.contains(&name.as_str())) {
        let place = format!("environment {name}");
        match KEYS.iter().find(|key| key.variable() == name) {
            Some(key) => given.put(key, text, Origin { place, line: 0 }),
            None => given.problems.push(Problem::new(&place, 0, unknown_variable(&name))),
        }
    }
    for (path, text) in &flags.given {
        if let Some(key) = key(path) {
            given.put(key, text.clone(), Origin { place: format!("--{}", key.flag()), line: 0 });
        }
    }
    let config = apply(&mut given);
    let together = check::together(&config, &given);
    Problems::check(given.problems.drain(..).chain(together).collect())?;
    Ok(Loaded { config, file, given })
}

fn unknown_variable(name: &str) -> String {
    let variables: Vec<String> = KEYS.iter().map(Key::variable).collect();
    let meant = nearest(name, variables.iter().map(String::as_str));
    meant.map_or_else(|| "no key has this variable".to_owned(), |meant| format!("no key has this variable; did you mean {meant}?"))
}

fn apply(given: &mut Given) -> Config {
    let mut config = Config::default();
    for key in KEYS {
        let Some((text, origin)) = given.values.get(key.path) else { continue };
        if let Err(error) = key.set(&mut config, text) {
            given.problems.push(origin.problem(format!("{}: {error}", key.path)));
        }
    }
    config.auth = given.identities.as_ref().map(|(identities, _)| identities.clone());
    config
}

impl Loaded {
    /// The configuration as a file that says the same, with where each value came from.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut lines = Vec::new();
        for key in KEYS {
            let (text, place) = match self.given.values.get(key.path) {
                Some((text, origin)) if origin.line > 0 => (text.clone(), format!("{}:{}", origin.place, origin.line)),
                Some((text, origin)) => (text.clone(), origin.place.clone()),
                None if key.kind == Kind::Identities => match &self.given.identities {
                    Some((identities, origin)) => (identity::written(identities), origin.place.clone()),
                    None => continue,
                },
                None if key.default.is_empty() || (key.path.starts_with("tls.") && self.config.tls.is_none()) => continue,
                None => (key.default.to_owned(), "default".to_owned()),
            };
            lines.push(format!("{} = {} # {place}\n", key.path, key.kind.written(&text)));
        }
        lines.concat()
    }
}
