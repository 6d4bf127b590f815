//! From the text of the lists to [`Divisions`], or every problem at once.

use rustc_hash::FxHashMap;

use super::names::{Names, Sense};
use super::region::{Level, Region};
use super::{Divisions, Retired};
use crate::problem::Problem;

/// The text of the four lists of `wordlists/divisions/`.
#[derive(Debug, Clone, Copy)]
pub struct DivisionFiles<'a> {
    /// `gbt2260.tsv`: code, name.
    pub gbt2260: &'a str,
    /// `retired.tsv`: code, last name, successor's code, reason.
    pub retired: &'a str,
    /// `places.tsv`: name, code (or `-`), reason.
    pub places: &'a str,
    /// `suffixes.tsv`: ending, kind, short ending (or `-`), reason.
    pub suffixes: &'a str,
}

/// The rows of one list with its name, for messages.
struct List<'a> {
    file: &'static str,
    text: &'a str,
}

/// Endings of place names (通名), longest first.
#[derive(Default)]
struct Endings<'a> {
    divisions: Vec<(&'a str, &'a str)>,
    peoples: Vec<&'a str>,
    zones: Vec<&'a str>,
    holders: Vec<&'a str>,
}

/// What is being built, and what is wrong so far.
struct Builder<'a> {
    endings: Endings<'a>,
    current: FxHashMap<Region, String>,
    retired: FxHashMap<Region, Retired>,
    names: Names,
    problems: Vec<Problem>,
}

/// Builds the divisions from their lists.
pub(super) fn parse(files: &DivisionFiles<'_>) -> Result<Divisions, Vec<Problem>> {
    let mut builder = Builder {
        endings: Endings::default(),
        current: FxHashMap::default(),
        retired: FxHashMap::default(),
        names: Names::new(),
        problems: Vec::new(),
    };
    builder.suffixes(&List { file: "divisions/suffixes.tsv", text: files.suffixes });
    builder.current(&List { file: "divisions/gbt2260.tsv", text: files.gbt2260 });
    builder.retired(&List { file: "divisions/retired.tsv", text: files.retired });
    builder.places(&List { file: "divisions/places.tsv", text: files.places });
    builder.finish()
}

impl<'a> Builder<'a> {
    fn problem(&mut self, list: &List<'_>, line: usize, message: impl Into<String>) {
        self.problems.push(Problem::new(list.file, line, message));
    }

    /// The rows of a list with their line numbers, each with exactly `N` fields, none of them empty.
    fn rows<const N: usize>(&mut self, list: &List<'a>) -> Vec<(usize, [&'a str; N])> {
        let mut rows = Vec::new();
        for (at, line) in list.text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
            match <[&str; N]>::try_from(fields) {
                Ok(fields) if fields.iter().all(|field| !field.is_empty()) => {
                    rows.push((at + 1, fields));
                }
                _ => self.problem(list, at + 1, format!("needs {N} fields with tabs between, none empty")),
            }
        }
        rows
    }

    fn suffixes(&mut self, list: &List<'a>) {
        for (line, [ending, kind, short, _reason]) in self.rows(list) {
            match kind {
                "division" => self.endings.divisions.push((ending, short.trim_start_matches('-'))),
                "people" => self.endings.peoples.push(ending),
                "zone" => self.endings.zones.push(ending),
                "holder" => self.endings.holders.push(ending),
                _ => self.problem(list, line, format!("no such kind: {kind} (division, people, zone, holder)")),
            }
        }
        let longest = |word: &&str| std::cmp::Reverse(word.len());
        self.endings.divisions.sort_by_key(|(ending, _)| longest(ending));
        self.endings.peoples.sort_by_key(longest);
        self.endings.zones.sort_by_key(longest);
    }

    fn current(&mut self, list: &List<'a>) {
        let mut lines = Vec::new();
        for (line, [code, name]) in self.rows(list) {
            let Some(region) = self.code(list, line, code) else {
                continue;
            };
            if self.current.insert(region, name.to_owned()).is_some() {
                self.problem(list, line, format!("{code} is listed twice"));
            }
            self.call(name, region, false);
            lines.push((line, region));
        }
        if lines.is_empty() {
            self.problem(list, 1, "lists no division");
        }
        for (line, region) in lines {
            let above = region.parent().unwrap_or(region);
            if !self.current.contains_key(&above) {
                self.problem(list, line, format!("{region} lies in {above}, which is not listed"));
            }
        }
    }

    fn retired(&mut self, list: &List<'a>) {
        for (line, [code, name, successor, _reason]) in self.rows(list) {
            let (region, successor) = (self.code(list, line, code), self.listed(list, line, successor));
            let (Some(region), Some(successor)) = (region, successor) else {
                continue;
            };
            if self.current.contains_key(&region) {
                self.problem(list, line, format!("{code} is not retired: gbt2260.tsv lists it"));
            }
            if self.retired.insert(region, Retired { name: name.to_owned(), successor }).is_some() {
                self.problem(list, line, format!("{code} is listed twice"));
            }
            self.call(name, successor, true);
        }
    }

    fn places(&mut self, list: &List<'a>) {
        for (line, [name, code, _reason]) in self.rows(list) {
            if code == "-" {
                self.names.bar(name);
            } else if let Some(region) = self.listed(list, line, code) {
                let short = !self.endings.divisions.iter().any(|(ending, _)| name.ends_with(ending));
                self.names.add(name, Sense { region, rank: rank(region, name), short }, false);
            }
        }
    }

    fn code(&mut self, list: &List<'_>, line: usize, code: &str) -> Option<Region> {
        let region = Region::parse(code);
        if let Err(error) = region {
            self.problem(list, line, format!("{code}: {error}"));
        }
        region.ok()
    }

    fn listed(&mut self, list: &List<'_>, line: usize, code: &str) -> Option<Region> {
        let region = self.code(list, line, code)?;
        let known = self.current.contains_key(&region);
        if !known {
            self.problem(list, line, format!("{code} is not a current code of gbt2260.tsv"));
        }
        known.then_some(region)
    }

    /// Enters a division's name, and the shorter forms its endings allow.
    fn call(&mut self, name: &str, region: Region, old: bool) {
        if self.endings.holders.contains(&name) {
            return;
        }
        let sense = Sense { region, rank: rank(region, name), short: false };
        self.names.add(name, sense, old);
        if sense.rank != ZONE {
            for short in self.endings.shortened(name) {
                self.names.add(&short, Sense { short: true, ..sense }, old);
            }
        }
    }

    fn finish(self) -> Result<Divisions, Vec<Problem>> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        Ok(Divisions {
            current: self.current,
            retired: self.retired,
            names: self.names,
            zones: self.endings.zones.into_iter().map(str::to_owned).collect(),
            holders: self.endings.holders.into_iter().map(str::to_owned).collect(),
        })
    }
}

const ZONE: u8 = 5;

/// Which of two divisions of one name is meant when nothing else tells: the lower number. A district
/// (市辖区) comes after a county, since a firm's name may not show it without its city
/// (企业名称登记管理规定, article 7).
fn rank(region: Region, name: &str) -> u8 {
    match region.level() {
        Level::Nation => 0,
        Level::Province => 1,
        Level::City => 2,
        // The statistics office numbers zones from 71; GB/T 2260 ends districts before, cities begin at 81.
        Level::County if (71..80).contains(&region.last_two()) => ZONE,
        Level::County if name.ends_with('区') => 4,
        Level::County => 3,
    }
}

impl Endings<'_> {
    /// The names without their ending and without the peoples before it, and with the short ending
    /// instead: 彭水苗族土家族自治县 → 彭水苗族土家族, 彭水苗族, 彭水, 彭水县.
    /// A stem has two characters or more: 赵县 has no short form.
    fn shortened(&self, name: &str) -> Vec<String> {
        let Some((stem, short)) = self.divisions.iter().find_map(|(ending, short)| Some((name.strip_suffix(ending)?, short))) else {
            return Vec::new();
        };
        let ethnic = !short.is_empty() || name.ends_with("自治区");
        let mut stems: Vec<&str> = std::iter::successors(Some(stem), |stem| self.without_people(stem, ethnic)).collect();
        stems.retain(|stem| stem.chars().nth(1).is_some());
        let mut forms: Vec<String> = stems.iter().map(|&stem| stem.to_owned()).collect();
        if let Some(stem) = stems.last().filter(|_| !short.is_empty()) {
            forms.push(format!("{stem}{short}"));
        }
        forms
    }

    /// The stem without its last people, if two characters are left. Outside autonomous areas only
    /// names in 族 are peoples: 管城回族区, but not the 蒙古 of a plain county.
    fn without_people<'s>(&self, stem: &'s str, ethnic: bool) -> Option<&'s str> {
        if !ethnic && !stem.ends_with('族') {
            return None;
        }
        self.peoples.iter().find_map(|people| stem.strip_suffix(people).filter(|rest| rest.chars().nth(1).is_some()))
    }
}
