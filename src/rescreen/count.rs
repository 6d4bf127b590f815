//! Counts (统计): what became of the rows, by decision, term and region.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::cells::Cells;
use crate::{jurisdiction::Region, register::firm::CodeWarning, screen::Firm, vocabulary::Decision};

/// What became of rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Rows that were read.
    pub rows: u64,
    /// Firms with nothing that counts.
    pub passed: u64,
    /// Firms that were flagged.
    pub flagged: u64,
    /// Rows that are none.
    pub rejected: u64,
    /// Flagged firms by decision.
    pub decisions: BTreeMap<String, u64>,
    /// Flagged firms by each term that hits them.
    pub terms: BTreeMap<String, u64>,
    /// Flagged firms by the code of their city.
    pub regions: BTreeMap<String, u64>,
    /// Flagged firms by the fields of business of their terms.
    pub fields: BTreeMap<String, u64>,
    /// Where only changes are flagged: firms by what changes. It stands before terms, regions and fields then, too.
    pub changes: BTreeMap<String, u64>,
    /// Of the firms in which a term occurs, those on each roster.
    pub rosters: BTreeMap<String, u64>,
    /// Firms by what is to be said of their code, in the order of [`CodeWarning::ALL`].
    pub codes: [u64; CodeWarning::ALL.len()],
    /// Of the firms in which a term occurs, those whose place nothing tells.
    pub without_place: u64,
    /// Of the firms in which a term occurs, those whose kind nothing tells.
    pub without_kind: u64,
    /// Firms that the run recorded on the watch list, before it was cut off too.
    pub recorded: u64,
    /// Firms that were to be recorded and are on the watch list with all that is known of them.
    pub known: u64,
}

impl Counts {
    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.rows, other.rows),
            (&mut self.passed, other.passed),
            (&mut self.flagged, other.flagged),
            (&mut self.rejected, other.rejected),
            (&mut self.without_place, other.without_place),
            (&mut self.without_kind, other.without_kind),
            (&mut self.recorded, other.recorded),
            (&mut self.known, other.known),
        ];
        for (sum, more) in pairs {
            *sum += more;
        }
        self.codes.iter_mut().zip(other.codes).for_each(|(sum, more)| *sum += more);
        add_all(&mut self.decisions, &other.decisions);
        add_all(&mut self.terms, &other.terms);
        add_all(&mut self.regions, &other.regions);
        add_all(&mut self.fields, &other.fields);
        add_all(&mut self.changes, &other.changes);
        add_all(&mut self.rosters, &other.rosters);
    }

    /// Whether every row became something.
    #[must_use]
    pub const fn balance(&self) -> bool {
        self.rows == self.passed + self.flagged + self.rejected
    }

    /// Whether every firm that belongs on the watch list is on it, where firms are recorded.
    #[must_use]
    pub fn all_recorded(&self) -> bool {
        let pass = self.decisions.get(Decision::Pass.id()).copied().unwrap_or_default(); // of firms that a change released
        self.decisions.values().sum::<u64>() == pass + self.recorded + self.known
    }
}

/// What flagged firms are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum By<'e> {
    Decision(Decision),
    City(Region),
    Term(&'e str),
    Field(&'static str),
    Change,
}

/// The flagged firms of a piece, counted by each of these and by what changes, before texts are made of it.
#[derive(Debug, Default)]
pub(super) struct Sums<'e>(FxHashMap<(By<'e>, Option<&'static str>), u64>);

impl<'e> Sums<'e> {
    /// Counts a firm whose cells were taken in last.
    pub(super) fn add(&mut self, cells: &Cells<'e>, firm: &Firm, change: Option<&'static str>, decision: Decision) {
        *self.0.entry((By::Decision(decision), None)).or_default() += 1; // whatever changes
        let by = std::iter::once(By::City(firm.circumstances.region.city()));
        let by = by.chain(cells.terms().map(By::Term)).chain(cells.fields.iter().copied().map(By::Field));
        for by in by.chain(change.map(|_| By::Change)) {
            *self.0.entry((by, change)).or_default() += 1;
        }
    }

    /// Adds them to the counts of the piece, and begins anew.
    pub(super) fn move_to(&mut self, counts: &mut Counts) {
        for ((by, change), firms) in self.0.drain() {
            let of = |what: &str| change.map_or_else(|| what.to_owned(), |change| format!("{change} {what}"));
            let (sums, key) = match by {
                By::Decision(decision) => (&mut counts.decisions, decision.id().to_owned()),
                By::City(city) => (&mut counts.regions, of(&city.to_string())),
                By::Term(term) => (&mut counts.terms, of(term)),
                By::Field(field) => (&mut counts.fields, of(field)),
                By::Change => (&mut counts.changes, change.unwrap_or_default().to_owned()),
            };
            *sums.entry(key).or_default() += firms;
        }
    }
}

/// Counts one more; without an allocation where it was counted before.
pub fn one_more(counts: &mut BTreeMap<String, u64>, key: &str) {
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => drop(counts.insert(key.to_owned(), 1)),
    }
}

fn add_all(sums: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    for (key, count) in more {
        match sums.get_mut(key) {
            Some(sum) => *sum += count,
            None => drop(sums.insert(key.clone(), *count)),
        }
    }
}
