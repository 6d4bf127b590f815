//! A referral (移送): one body is told of one firm.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Disposition, ReferralState, key::ReferralId};
use crate::{
    day::{self, Date},
    vocabulary::BusinessField,
    wordlist::tables::BodyId,
};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referral {
    /// Its number.
    pub id: ReferralId,
    /// Which opening of the watch entry it belongs to: those of one opening are determined jointly (会商).
    pub round: u32,
    /// The body that is told.
    pub body: BodyId,
    /// Why it is told, for people.
    pub why: String,
    /// The fields of business it is told about.
    pub fields: Vec<BusinessField>,
    /// The last day for its next step. None where none is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Date>,
    /// Every state it was in, the first first. Never empty.
    pub steps: Vec<Step>,
    /// The body's opinion, once it has concluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opinion: Option<Opinion>,
    /// The referral that it was redirected or escalated from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ReferralId>,
    /// The referral that it was redirected or escalated to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<ReferralId>,
}

/// A state that a referral came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The state.
    pub state: ReferralState,
    /// Sequence of the record.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub by: String,
    /// Why, for people; empty where nobody said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// What a body determines (认定意见).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinion {
    /// What becomes of the firm.
    pub disposition: Disposition,
    /// For 整改: the last day to put things right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Date>,
    /// For people.
    pub text: String,
}

impl Opinion {
    /// Whether two opinions come to the same.
    #[must_use]
    pub fn agrees(&self, other: &Self) -> bool {
        self.disposition == other.disposition
    }
}

impl Referral {
    /// Its state now.
    #[must_use]
    pub fn state(&self) -> ReferralState {
        self.steps.last().map_or(ReferralState::Sent, |step| step.state)
    }

    /// The sequence of its last step.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.steps.last().map_or(0, |step| step.sequence)
    }

    /// Whether the body still has something to do.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self.state(), ReferralState::Concluded | ReferralState::Returned)
    }

    /// Whether its next step was due before `today`.
    #[must_use]
    pub fn is_overdue(&self, today: Date) -> bool {
        self.due.is_some_and(|due| due < today)
    }

    /// Its last step at the end of a day in UTC+8, if it was there.
    #[must_use]
    pub fn as_of(&self, day: Date) -> Option<&Step> {
        self.steps.iter().rev().find(|step| day::of(step.at) <= day)
    }
}
