//! Recording (列入重点监管): flagged firms go on the watch list as they are found. Who keeps that list is not known here.

use std::{collections::BTreeSet, future::ready, sync::Arc};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::RescreenError;
use crate::{screen::Firm, vocabulary::Decision};

/// Most firms that are recorded at a time: enough that they are written together, and far from all that a service takes.
const AT_A_TIME: usize = 16;

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
    /// Recorded by this run.
    pub recorded: u64,
    /// Known before, or standing in the register twice, with nothing new.
    pub known: u64,
}

/// What the watch list answers of a firm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Whether it was recorded now.
    pub recorded: bool,
    /// The run in which the same was recorded, now or before; empty where it was in none.
    pub run: String,
    /// The number of that record.
    pub sequence: u64,
}

/// What a run has recorded (本次已记), by the numbers of the records: a run that was cut off behind its checkpoint goes on over
/// firms that it recorded itself, and counts them as it would have. No clock is asked, and what another run records at the same
/// time is not counted here.
///
/// It rests on this: all records of a piece have lower numbers than those of the next one. A piece is recorded when the one before
/// it is answered whole ([`Recorder::record`] comes back no sooner), and a run that goes on cuts the same pieces as before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The run's mark, as no other has it.
    run: String,
    /// Its records up to this one are counted.
    counted: u64,
    /// Those that are counted of the firms that are being recorded.
    #[serde(skip)]
    now: BTreeSet<u64>,
}

impl Ledger {
    /// That of a new run.
    #[must_use]
    pub fn begin() -> Self {
        Self { run: Uuid::new_v4().simple().to_string(), ..Self::default() }
    }

    /// The run's mark.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.run
    }

    /// A short form of it, for the names of files that are the run's alone; none of a run that has no mark.
    pub(super) fn tag(&self) -> &str {
        self.run.get(..12).unwrap_or_default()
    }

    /// Makes the calls that record the firms of a piece, some at a time, and counts what they answer.
    ///
    /// # Errors
    /// The first that a call says; the others are not waited for.
    pub async fn tally<C>(&mut self, calls: impl IntoIterator<Item = C>) -> Result<Tally, RescreenError>
    where
        C: Future<Output = Result<Answered, RescreenError>>,
    {
        let answers = stream::iter(calls).buffer_unordered(AT_A_TIME);
        let tally = answers.try_fold(Tally::default(), |mut tally, answered| {
            self.count(&mut tally, &answered);
            ready(Ok(tally))
        });
        tally.await
    }

    /// Counts a firm: as recorded for the first that a record of this run answers, else as known.
    fn count(&mut self, tally: &mut Tally, answered: &Answered) {
        let own = answered.recorded || (!self.run.is_empty() && answered.run == self.run);
        let first = own && answered.sequence > self.counted && self.now.insert(answered.sequence);
        *(if first { &mut tally.recorded } else { &mut tally.known }) += 1;
    }

    /// Notes that all firms are counted that were being recorded.
    pub(super) fn settle(&mut self) {
        self.counted = self.counted.max(self.now.pop_last().unwrap_or(0));
        self.now.clear();
    }
}

/// Whoever keeps the watch list.
pub trait Recorder {
    /// Records firms, each once: the same again is known and changes nothing. Counts them in the ledger. Comes back when all
    /// of them are safe.
    ///
    /// # Errors
    /// [`RescreenError::Unrecorded`] with the first that could not be recorded; others may have been.
    fn record(&mut self, firms: Vec<Watched>, ledger: &mut Ledger) -> Result<Tally, RescreenError>;
}

#[cfg(test)]
mod tests {
    use super::{Answered, Ledger, Tally};

    #[test]
    fn a_record_of_the_run_counts_once() {
        let mut ledger = Ledger::begin();
        let own = |recorded, sequence| Answered { recorded, run: ledger.run().to_owned(), sequence };
        let none = Answered { recorded: false, run: String::new(), sequence: 9 };
        let other = Answered { recorded: false, run: Ledger::begin().run().to_owned(), sequence: 9 };
        let (first, again, later, lost) = (own(true, 3), own(false, 3), own(true, 5), own(false, 6));
        let mut tally = Tally::default();
        for answered in [&again, &first, &later, &none, &other] {
            ledger.count(&mut tally, answered);
        }
        assert_eq!(tally, Tally { recorded: 2, known: 3 });
        ledger.settle();
        let kept = serde_json::to_string(&ledger).expect("it is kept");
        let mut ledger: Ledger = serde_json::from_str(&kept).expect("it is read");
        let mut tally = Tally::default();
        for answered in [&first, &later, &lost, &lost, &none, &other] {
            ledger.count(&mut tally, answered);
        }
        assert_eq!(tally, Tally { recorded: 1, known: 5 }, "what was cut off behind the checkpoint is its own");
        // a checkpoint of an earlier version has no mark: nothing that names none is its own
        let mut nobody = Ledger::default();
        nobody.count(&mut tally, &none);
        assert_eq!(tally.known, 6);
    }
}
