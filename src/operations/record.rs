//! What is kept of an operation (办理记录): what was asked for, by whom, how far it is, what became of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::written::Written;
use crate::{
    day::Date,
    encoding::Encoding,
    jurisdiction::Region,
    rescreen::Counts,
    screen::ENGINE_VERSION,
    vocabulary::{EntityKind, Event},
};

/// What was asked for: paths as they were written, all else checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The registers.
    pub inputs: Vec<String>,
    /// The output.
    pub output: String,
    /// The registers' encoding, where it was said.
    pub encoding: Option<Encoding>,
    /// Columns whose header is not known, as the command line writes them.
    pub columns: String,
    /// Where firms are registered whose place nothing tells.
    pub region: Region,
    /// What firms are whose kind nothing tells.
    pub kind: EntityKind,
    /// What is asked for.
    pub event: Event,
    /// The day as of which to judge.
    pub day: Date,
    /// The encoding of CSV that is written.
    pub writing: Encoding,
    /// Whether cells of CSV are left as they are.
    pub raw: bool,
    /// The rosters, with what each means.
    pub rosters: Vec<(String, String)>,
    /// Whether flagged firms are recorded on the watch list.
    pub record: bool,
    /// The hash of the lists.
    pub lists: String,
    /// The hash of the lists that changes are measured against.
    pub since: Option<String>,
    /// Where firms must be; `None`: anywhere.
    pub within: Option<Vec<Region>>,
}

/// How far an operation is: QUEUED → RUNNING → one of the others; QUEUED again where the service stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It waits for its turn.
    Queued,
    /// It goes on.
    Running,
    /// It is done.
    Done,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl State {
    /// Whether it has ended.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Whose matter it is.
    pub kind: FailureKind,
    /// For people.
    pub message: String,
}

/// Whose matter a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// An input cannot be used as it is.
    Input,
    /// What it was begun with is not what it was, or not there.
    Changed,
    /// There is no room for the output.
    NoRoom,
    /// The disk failed otherwise.
    Disk,
    /// Firms could not be recorded.
    Unrecorded,
    /// Who started it may not do so any more.
    NotPermitted,
    /// A mistake of ours.
    Internal,
}

/// How often the service may end by itself in the midst of an operation that gets no further.
const MOST_ATTEMPTS: u32 = 3;

/// What is kept of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number: later ones have greater ones.
    pub number: u64,
    /// The id of the identity that started it.
    pub owner: String,
    /// What was asked for.
    pub asked: Asked,
    /// The engine by which it judges: that of the last start of the service.
    pub engine: String,
    /// How far it is.
    pub state: State,
    /// Whether it is to be cancelled.
    pub cancelled: bool,
    /// Whether it has begun to write.
    #[serde(default)]
    pub begun: bool,
    /// The mark of the run that it has begun, by which the checkpoint is known that is its own; empty where that is not known.
    #[serde(default)]
    pub mark: String,
    /// How often the service ended by itself in its midst without getting further than before.
    #[serde(default)]
    pub attempts: u32,
    /// How far it was then, in rows of the checkpoint.
    #[serde(default)]
    pub reached: u64,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it last began, or went on.
    pub started: Option<Timestamp>,
    /// When this was last written.
    pub updated: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What became of the rows, when it ended or was interrupted.
    pub counts: Counts,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// By what the files are known again that it wrote, where it is done.
    #[serde(default)]
    pub written: Option<Written>,
}

impl Record {
    /// One that waits.
    #[must_use]
    pub fn new(number: u64, owner: String, asked: Asked, now: Timestamp) -> Self {
        Self {
            number,
            owner,
            asked,
            engine: ENGINE_VERSION.to_owned(),
            state: State::Queued,
            cancelled: false,
            begun: false,
            mark: String::new(),
            attempts: 0,
            reached: 0,
            created: now,
            started: None,
            updated: now,
            ended: None,
            counts: Counts::default(),
            failure: None,
            written: None,
        }
    }

    /// The same, in another state from now on.
    #[must_use]
    pub fn to(&self, state: State, now: Timestamp) -> Self {
        let started = if state == State::Running { Some(now) } else { self.started };
        Self { state, started, updated: now, ended: state.is_ended().then_some(now), ..self.clone() }
    }

    /// The same where the service ended by itself while it went on, `reached` rows far: it waits again; but where that happened
    /// too often without its getting further, it may be the cause, and is not tried any more. What it wrote stays.
    #[must_use]
    pub fn ended_the_service(&self, reached: u64, now: Timestamp) -> Self {
        let attempts = if reached > self.reached { 1 } else { self.attempts + 1 };
        let record = Self { attempts, reached, engine: ENGINE_VERSION.to_owned(), ..self.clone() };
        if attempts < MOST_ATTEMPTS {
            return record.to(State::Queued, now);
        }
        let message = "the service ended three times during it".to_owned();
        Self { failure: Some(Failure { kind: FailureKind::Internal, message }), ..record.to(State::Failed, now) }
    }

    /// Its name: `operations/…`.
    #[must_use]
    pub fn name(&self) -> String {
        name(self.number)
    }
}

/// The name of the operation with a number.
#[must_use]
pub fn name(number: u64) -> String {
    format!("operations/{number:016x}")
}

/// The number in a name.
#[must_use]
pub fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("operations/").filter(|digits| digits.len() == 16)?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    plain.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::{name, number};

    #[test]
    fn names_and_numbers() {
        assert_eq!(number(&name(0x0006_4299_1234_abcd)), Some(0x0006_4299_1234_abcd));
        for bad in [
            "",
            "operations",
            "operations/",
            "operations/1",
            "operations/000642991234ABCD",
            "operations/+00642991234abcd",
            "x/000642991234abcd",
        ] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }
}
