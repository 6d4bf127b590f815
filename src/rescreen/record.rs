//! Recording (列入重点监管): flagged firms go on the watch list as they are found. Who keeps that list is not known here.

use std::sync::Arc;

use super::RescreenError;
use crate::{screen::Firm, vocabulary::Decision};

/// A flagged firm that belongs on the watch list.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The register it stands in.
    pub input: Arc<str>,
    /// Its line there.
    pub line: u64,
    /// Its code, as the register has it.
    pub uscc: String,
    /// The firm, as it was judged.
    pub firm: Firm,
    /// The decision: ATTENTION or above.
    pub decision: Decision,
}

/// How many firms were recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Recorded now.
    pub recorded: u64,
    /// Known before, with nothing new.
    pub known: u64,
}

/// Whoever keeps the watch list.
pub trait Recorder {
    /// Records firms, each once: the same again is known and changes nothing. Comes back when all of them are safe.
    ///
    /// # Errors
    /// [`RescreenError::Unrecorded`] with the first that could not be recorded; others may have been.
    fn record(&mut self, firms: Vec<Watched>) -> Result<Tally, RescreenError>;
}
