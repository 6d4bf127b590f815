//! Checkpoints (断点): how far a run has come, on the disk, so that another can go on from there.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

use super::{Counts, record::Ledger, source::Position};

/// What decides what a run writes. Two runs of the same fingerprint write the same bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The engine's version.
    pub engine: String,
    /// The hash of the lists.
    pub lists: String,
    /// The inputs, and the size of each in bytes.
    pub inputs: Vec<(String, Option<u64>)>,
    /// The day as of which firms are judged.
    pub day: String,
    /// All other options.
    pub options: String,
}

impl Fingerprint {
    /// What differs from another, if anything does.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        let parts = [
            ("the engine", self.engine == other.engine),
            ("the lists", self.lists == other.lists),
            ("the inputs, or their size,", self.inputs == other.inputs),
            ("the day", self.day == other.day),
            ("an option", self.options == other.options),
        ];
        parts.into_iter().find(|(_, same)| !same).map(|(part, _)| part)
    }
}

/// How far a run has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Which run it is.
    pub fingerprint: Fingerprint,
    /// How far the inputs were read.
    pub position: Position,
    /// The CRC-32 of all inputs that are files, of what was not read yet too. None in the first, where nothing was read yet, and in
    /// the last, where everything was.
    #[serde(default)]
    pub whole: Option<u32>,
    /// How many bytes of flagged firms are written.
    pub flagged_bytes: u64,
    /// How many bytes of rejected rows are written.
    pub rejects_bytes: u64,
    /// What became of the rows so far.
    pub counts: Counts,
    /// Which of its records on the watch list are in the counts.
    #[serde(default)]
    pub ledger: Ledger,
    /// Whether all inputs were read.
    pub finished: bool,
}

impl Checkpoint {
    /// Whether a run can go on from here: what it vouches for can be compared.
    #[must_use]
    pub const fn is_of_use(&self) -> bool {
        self.whole.is_some() || self.position.is_beginning() || self.finished
    }

    pub(super) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec_pretty(self)?)
    }

    /// That of these bytes; none where they are none.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// Reads one; none where there is none, or it is damaged.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        Self::of(&fs::read(path).ok()?)
    }
}
