//! Administrative divisions (行政区划): codes of GB/T 2260, their names, and reading them out of a text.
//!
//! A firm's place, an authority's name and a rule's reach all come down to a [`Region`]. Names are read
//! from `wordlists/divisions/`; nothing about a place is in the code.

mod lists;
mod names;
mod region;

use std::collections::BTreeMap;

pub use lists::DivisionFiles;
pub use region::{Level, Region, RegionError};

use crate::problem::Problem;
use names::{Name, Names, Sense};

/// The divisions there are and were, and the names of places.
#[derive(Debug)]
pub struct Divisions {
    current: BTreeMap<Region, String>,
    retired: BTreeMap<Region, Retired>,
    names: Names,
    zones: Vec<String>,
    holders: Vec<String>,
}

#[derive(Debug)]
struct Retired {
    name: String,
    successor: Region,
}

/// What is known of a code. Callers take a retired or unknown code under a known city or province with
/// a warning, since development zones (开发区) register firms under codes of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// A division of today.
    Current,
    /// A code withdrawn by a change of divisions.
    Retired {
        /// The division that has the territory now: the seat's, or the one above where it was divided.
        successor: Region,
        /// Its last name.
        name: &'a str,
    },
    /// No such code, but this is the nearest known region above it, below the nation.
    UnknownUnder(Region),
    /// Not even the province is known.
    Unknown,
}

impl Divisions {
    /// Builds the divisions from the text of their lists. Lines that are empty or begin with `#` are
    /// left out.
    ///
    /// # Errors
    /// Every problem of the four lists, each with its file and 1-based line.
    pub fn parse(files: &DivisionFiles<'_>) -> Result<Self, Vec<Problem>> {
        lists::parse(files)
    }

    /// The region's own name: 玄武区 for 320102. A retired code has its last name; a code that only
    /// holds others (110100, 市辖区) has none.
    #[must_use]
    pub fn name(&self, region: Region) -> Option<&str> {
        let name = self.listed(region)?;
        self.holders.iter().all(|holder| holder != name).then_some(name)
    }

    fn listed(&self, region: Region) -> Option<&str> {
        let current = self.current.get(&region).map(String::as_str);
        current.or_else(|| Some(self.retired.get(&region)?.name.as_str()))
    }

    /// The name with those above it, without 全国 and 市辖区: 江苏省南京市玄武区; 江苏省南京市 for 320101.
    /// `None` for a code that is neither current nor retired.
    #[must_use]
    pub fn full_name(&self, region: Region) -> Option<String> {
        self.listed(region)?;
        let mut parts: Vec<&str> = region
            .chain()
            .filter(|&part| part == region || part != Region::NATION)
            .filter_map(|part| self.name(part))
            .collect();
        // 嘉峪关市 is listed as a city and as its own only county.
        parts.dedup();
        Some(parts.into_iter().rev().collect())
    }

    /// Whether the code is current, retired or unknown, and under what.
    #[must_use]
    pub fn standing(&self, region: Region) -> Standing<'_> {
        if self.current.contains_key(&region) {
            return Standing::Current;
        }
        if let Some(Retired { name, successor }) = self.retired.get(&region) {
            return Standing::Retired { successor: *successor, name };
        }
        region
            .ancestors()
            .find(|&above| above != Region::NATION && self.current.contains_key(&above))
            .map_or(Standing::Unknown, Standing::UnknownUnder)
    }

    /// The most specific division that a text names consistently: of a place (南京, 江苏南京玄武), of an
    /// authority (南京市玄武区市场监督管理局), or a bare six-digit code.
    ///
    /// A name out of use gives the division of today (宣城市广德县 → 341882). Of several divisions with
    /// one name, those that fit what else is named are left; then a province goes before a city, a city
    /// before a county, a county before a district. `None` when nothing is named, or several are left.
    #[must_use]
    pub fn resolve(&self, text: &str) -> Option<Region> {
        let mut found = Vec::new();
        let (mut at, mut joined) = (0, true);
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let step = self.code_at(rest).or_else(|| self.place_at(rest, &found, joined));
            joined = step.is_some();
            if let Some((len, senses)) = step {
                found = if senses.is_empty() { found } else { narrow(&found, &senses) };
                at += len;
            } else {
                at += rest.chars().next().map_or(1, char::len_utf8);
            }
        }
        plainest(&found).map(|sense| sense.region)
    }

    /// The longest run of place names at the head of a firm's name: its length in bytes and the most
    /// specific division. A zone (开发区) right behind a division belongs to the run
    /// (企业名称登记管理规定, article 7).
    ///
    /// Without what stands above it, a county's bare name counts only where it is one county's alone and
    /// not usually a trade name (字号), and a district's bare name never does.
    #[must_use]
    pub fn leading_place(&self, name: &str) -> Option<(usize, Region)> {
        let (mut at, mut found, mut best) = (0, Vec::new(), None);
        while let Some((len, senses)) = self.next_division(&name[at..], &found) {
            at += len;
            found = senses;
            best = plainest(&found).map(|sense| (at, sense.region)).or(best);
        }
        let (end, region) = best?;
        Some((end + self.zone_at(&name[end..]), region))
    }

    /// A run of ASCII digits; one of six digits in a known province is a mention.
    fn code_at(&self, rest: &str) -> Option<(usize, Vec<Sense>)> {
        let len = rest.bytes().take_while(u8::is_ascii_digit).count();
        let region = Region::parse(&rest[..len]).ok().filter(|&region| self.standing(region) != Standing::Unknown);
        let sense = region.map(|region| Sense { region, rank: 0, short: false });
        (len > 0).then(|| (len, sense.into_iter().collect()))
    }

    /// The longest name at the head of `rest` that agrees with what was found before.
    fn place_at(&self, rest: &str, found: &[Sense], joined: bool) -> Option<(usize, Vec<Sense>)> {
        // Amid other words the bare name of a county is too often something else.
        let fits = |sense: &Sense| joined || !sense.short || sense.rank < COUNTY;
        self.longest(rest, |_, senses| {
            let senses: Vec<Sense> = senses.iter().copied().filter(fits).collect();
            (!narrow(found, &senses).is_empty()).then_some(senses)
        })
    }

    /// The longest name at the head of `rest` that lies in what was found before.
    fn next_division(&self, rest: &str, found: &[Sense]) -> Option<(usize, Vec<Sense>)> {
        self.longest(rest, |name, senses| {
            let senses = senses.iter().copied().filter(|sense| opens(name, *sense, found)).collect::<Vec<_>>();
            let senses = if found.is_empty() { senses } else { inside(found, &senses) };
            (!senses.is_empty()).then_some(senses)
        })
    }

    /// Tries the names at the head of `rest`, longest first, and of each the current senses before the old.
    fn longest<T>(&self, rest: &str, take: impl Fn(&Name, &[Sense]) -> Option<T>) -> Option<(usize, T)> {
        let mut names: Vec<(usize, &Name)> = self.names.at(rest).collect();
        names.reverse();
        names.into_iter().find_map(|(len, name)| {
            Some((len, take(name, &name.current).or_else(|| take(name, &name.old))?))
        })
    }

    fn zone_at(&self, rest: &str) -> usize {
        self.zones.iter().find(|zone| rest.starts_with(zone.as_str())).map_or(0, String::len)
    }
}

const COUNTY: u8 = 3;

/// Whether a sense may stand in a firm's name behind what was found.
fn opens(name: &Name, sense: Sense, found: &[Sense]) -> bool {
    let bare = sense.short && found.iter().all(|had| had.region == Region::NATION);
    !bare || !(name.barred || sense.rank > COUNTY)
}

/// The senses that agree with what was found, the more specific of each two.
fn narrow(found: &[Sense], senses: &[Sense]) -> Vec<Sense> {
    if found.is_empty() {
        return senses.to_vec();
    }
    let mut kept = inside(found, senses);
    let wider = |had: &&Sense| senses.iter().any(|sense| sense.region.covers(had.region));
    kept.extend(found.iter().filter(wider));
    kept
}

/// The senses that lie in a found region, and are not it.
fn inside(found: &[Sense], senses: &[Sense]) -> Vec<Sense> {
    let within = |sense: &&Sense| found.iter().any(|had| had.region != sense.region && had.region.covers(sense.region));
    senses.iter().filter(within).copied().collect()
}

/// The sense with the lowest rank, if it is one region's alone.
fn plainest(senses: &[Sense]) -> Option<Sense> {
    let first = *senses.iter().min_by_key(|sense| sense.rank)?;
    let rivals = senses.iter().any(|sense| sense.rank == first.rank && sense.region != first.region);
    (!rivals).then_some(first)
}
