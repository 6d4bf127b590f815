//! Wordlists (词表): legal instruments, tables and language data, read from text and checked as a whole.

pub(crate) mod document;
pub mod instrument;
pub(crate) mod rows;
pub mod tables;

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use crate::{
    calendar::Calendar,
    characters::Characters,
    hex::Hex,
    jurisdiction::{DivisionFiles, Divisions},
    normalize::Normalized,
    problem::{Problem, Problems},
    vocabulary::BusinessField,
};
use instrument::{Canary, Instrument, Rule};
use tables::Tables;

/// The files of a wordlists folder: path inside it, with `/`, to content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<String, String>);

impl FromIterator<(String, String)> for Files {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(files: I) -> Self {
        Self(files.into_iter().filter(|(path, _)| decides(path)).collect())
    }
}

/// Whether a file can change a decision: all but documents and notices.
#[must_use]
pub fn decides(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    matches!(extension, "toml" | "tsv" | "txt") && !name.starts_with("NOTICE")
}

impl Files {
    /// The content of a file; a missing one is a problem and reads as empty.
    pub(crate) fn text(&self, path: &str, problems: &mut Vec<Problem>) -> &str {
        if let Some(text) = self.0.get(path) {
            return text;
        }
        problems.push(Problem::new(path, 0, "this file is missing"));
        ""
    }

    /// These files with others laid over them, and some taken away.
    #[must_use]
    pub fn overlaid(&self, files: impl IntoIterator<Item = (String, String)>, removed: &[String]) -> Self {
        let mut over = self.clone();
        over.0.retain(|path, _| !removed.contains(path));
        over.0.extend(files.into_iter().filter(|(path, _)| decides(path)));
        over
    }

    /// Every file, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The lists hash: SHA-256, in hexadecimal, over the files sorted by path, each as path, NUL, length in
    /// decimal, NUL, bytes.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for (path, text) in self.iter() {
            hash.update(path);
            hash.update([0]);
            hash.update(text.len().to_string());
            hash.update([0]);
            hash.update(text);
        }
        Hex(&hash.finalize()).to_string()
    }
}

/// Index of a term in [`Wordlists::terms`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TermId(pub u32);

/// Index of a rule in [`Wordlists::rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u32);

/// A term (字样) and every rule that names it.
#[derive(Debug, Clone)]
pub struct Term {
    /// As the lists spell it.
    pub text: String,
    /// As the engine reads it.
    pub read: String,
    /// Its field of business.
    pub field: BusinessField,
    /// The rules that name it, strongest first, then the most local.
    pub rules: Vec<RuleId>,
}

/// All lists, checked.
#[derive(Debug)]
pub struct Wordlists {
    instruments: Vec<Instrument>,
    rules: Vec<Rule>,
    terms: Vec<Term>,
    canaries: Vec<Canary>,
    tables: Tables,
    divisions: Divisions,
    calendar: Calendar,
    hash: String,
}

impl Wordlists {
    /// Reads and checks the instruments and tables among `files`.
    ///
    /// # Errors
    /// Every problem found, with file and line.
    pub fn load(files: &Files, characters: &Characters) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let divisions = divisions(files, &mut problems)?;
        let tables = Tables::load(files, &divisions, &mut problems);
        let mut lists = Self {
            instruments: Vec::new(),
            rules: Vec::new(),
            terms: Vec::new(),
            canaries: Vec::new(),
            tables,
            divisions,
            calendar: Calendar::load(files, &mut problems),
            hash: files.hash(),
        };
        let mut terms = TermTable::default();
        for (path, text) in files.iter().filter(|(path, _)| path.starts_with("national/") || path.starts_with("local/")) {
            let read = instrument::read(path, text, &lists.tables, &lists.divisions, &mut problems);
            lists.add(read, characters, &mut terms, &mut problems);
        }
        if lists.instruments.is_empty() {
            problems.push(Problem::new("national/", 0, "there is no instrument"));
        }
        Problems::check(problems)?;
        let Self { terms, rules, .. } = &mut lists;
        for term in terms {
            term.rules.sort_by_key(|id| {
                let rule = &rules[id.0 as usize];
                std::cmp::Reverse((rule.counted_force(), rule.force, rule.jurisdiction.level()))
            });
        }
        Ok(lists)
    }

    fn add(&mut self, read: instrument::Read, characters: &Characters, terms: &mut TermTable, problems: &mut Vec<Problem>) {
        let Some(instrument) = read.instrument else { return };
        if let Some(before) = self.instruments.iter().find(|before| before.id == instrument.id) {
            problems.push(Problem::new(&instrument.file, 0, format!("id '{}' is also that of {}", instrument.id, before.file)));
        }
        let instrument_index = self.instruments.len();
        for mut rule in read.rules {
            let id = RuleId(u32::try_from(self.rules.len()).unwrap_or(u32::MAX)); // far fewer rules than that fit in memory
            rule.instrument = instrument_index;
            for listed in &rule.listed {
                terms.add(self, id, listed, &instrument.file, characters, problems);
            }
            self.rules.push(rule);
        }
        self.canaries.extend(read.canaries);
        self.instruments.push(instrument);
    }

    /// The instruments.
    #[must_use]
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// The rules, instrument by instrument.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// One rule.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> &Rule {
        &self.rules[id.0 as usize]
    }

    /// The instrument a rule belongs to.
    #[must_use]
    pub fn instrument_of(&self, rule: &Rule) -> &Instrument {
        &self.instruments[rule.instrument]
    }

    /// The terms.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The terms with their ids.
    pub fn numbered_terms(&self) -> impl Iterator<Item = (TermId, &Term)> {
        (0..).map(TermId).zip(&self.terms)
    }

    /// One term.
    #[must_use]
    pub fn term(&self, id: TermId) -> &Term {
        &self.terms[id.0 as usize]
    }

    /// Texts that must hit.
    #[must_use]
    pub fn canaries(&self) -> &[Canary] {
        &self.canaries
    }

    /// Fields, licences, bodies and routing.
    #[must_use]
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Administrative divisions.
    #[must_use]
    pub fn divisions(&self) -> &Divisions {
        &self.divisions
    }

    /// Working days.
    #[must_use]
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// The lists hash, in hexadecimal.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

fn divisions(files: &Files, problems: &mut Vec<Problem>) -> Result<Divisions, Problems> {
    let lists = DivisionFiles {
        gbt2260: files.text("divisions/gbt2260.tsv", problems),
        retired: files.text("divisions/retired.tsv", problems),
        places: files.text("divisions/places.tsv", problems),
        suffixes: files.text("divisions/suffixes.tsv", problems),
    };
    Divisions::parse(&lists).map_err(|more| Problems::of(problems.drain(..).chain(more).collect()))
}

/// Terms by how they read, while loading.
#[derive(Default)]
struct TermTable(FxHashMap<String, (usize, String, usize)>);

impl TermTable {
    fn add(
        &mut self,
        lists: &mut Wordlists,
        rule: RuleId,
        listed: &instrument::Listed,
        file: &str,
        characters: &Characters,
        problems: &mut Vec<Problem>,
    ) {
        let read = Normalized::of(&listed.text, characters).text();
        if read.chars().count() < 2 {
            let message = format!("term '{}' reads as '{read}': a term has two characters or more", listed.text);
            problems.push(Problem::new(file, listed.line, message));
            return;
        }
        if let Some((index, seen_file, seen_line)) = self.0.get(&read) {
            let term = &mut lists.terms[*index];
            let problem = if listed.text != term.text && listed.same_as.as_deref() != Some(&term.text) {
                Some(format!(
                    "'{}' reads the same as '{}' ({seen_file}:{seen_line}); spell it so, or say same_as = \"{}\"",
                    listed.text, term.text, term.text
                ))
            } else if listed.field != term.field {
                Some(format!(
                    "'{}' is of field {} here and of {} in {seen_file}:{seen_line}",
                    listed.text,
                    listed.field.id(),
                    term.field.id()
                ))
            } else if term.rules.last() == Some(&rule) {
                Some(format!("'{}' stands twice in this rule", listed.text))
            } else {
                term.rules.push(rule);
                None
            };
            problems.extend(problem.map(|message| Problem::new(file, listed.line, message)));
            return;
        }
        self.0.insert(read.clone(), (lists.terms.len(), file.to_owned(), listed.line));
        lists.terms.push(Term { text: listed.text.clone(), read, field: listed.field, rules: vec![rule] });
    }
}
