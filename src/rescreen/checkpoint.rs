//! Checkpoints (断点): how far a run has come, on the disk, so that another can go on from there.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{Counts, RescreenError, record::Ledger, source::Position};
use crate::sheet::beside;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Which run it is.
    pub fingerprint: Fingerprint,
    /// How far the inputs were read.
    pub position: Position,
    /// The CRC-32 of all inputs that are files, of what was not read yet too; none where nothing was read yet.
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
    /// Writes it, in place of an earlier one: whole, or not at all.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), RescreenError> {
        self.write_beside(path).map_err(RescreenError::writing(path))
    }

    fn write_beside(&self, path: &Path) -> io::Result<()> {
        let new = beside(path, "new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        fs::rename(&new, path)
    }

    /// Reads one; none where there is none, or it is damaged.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }
}
