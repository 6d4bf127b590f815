//! What happened (事件): what a record of the journal says of a firm. Enough to make its file again, without the lists
//! and without the clock.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    ReferralState, Source,
    file::{Reason, Screened},
    key::{FirmId, ReferralId},
    referral::Opinion,
    transition::EntryAction,
};
use crate::{
    day::Date,
    jurisdiction::Region,
    vocabulary::{BusinessField, Decision, EntityKind, Field},
    wordlist::tables::BodyId,
};

/// One thing that happened to one firm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", rename_all_fields = "snake_case")]
pub enum Event {
    /// Its file was opened.
    Seen {
        /// Its name.
        name: String,
        /// Its unified social credit code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uscc: Option<String>,
        /// Where it is registered.
        registered: Region,
        /// What kind of market entity it is.
        kind: EntityKind,
    },
    /// It was screened.
    Screened(Screened),
    /// It bears another name.
    Renamed {
        /// The new one.
        name: String,
    },
    /// It is registered in another place: its file goes with it.
    Moved {
        /// The new place.
        registered: Region,
    },
    /// It operates in these places, and no others, besides where it is registered.
    Operates {
        /// The places.
        places: Vec<Region>,
    },
    /// It has a unified social credit code.
    Coded {
        /// The code.
        uscc: String,
    },
    /// Its file goes on in another.
    JoinedTo {
        /// The other.
        firm: FirmId,
    },
    /// Another file goes on in its.
    Took {
        /// The other, as it was.
        file: Box<super::file::File>,
    },
    /// It came on the watch list, or there is more reason for it to be there.
    Watched {
        /// How it came there.
        source: Source,
        /// The decision that its reasons lead to.
        level: Decision,
        /// The reasons that are new.
        reasons: Vec<Reason>,
        /// Fields of business that it is suspected of without a term.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        suspected: Vec<BusinessField>,
    },
    /// Its watch entry went a step.
    Stepped {
        /// Which.
        action: EntryAction,
        /// What was determined, where it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opinion: Option<Opinion>,
    },
    /// Bodies disagree, or do so no longer.
    Disagreed {
        /// Whether they do.
        disagreement: bool,
    },
    /// Its business licence was revoked (吊销).
    Revoked {
        /// On which day.
        day: Date,
    },
    /// A body was told.
    Sent(Sent),
    /// A referral went a step.
    Went {
        /// The referral.
        referral: ReferralId,
        /// What it is now.
        state: ReferralState,
        /// The last day for the next step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Date>,
        /// The body's opinion.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opinion: Option<Opinion>,
        /// Why.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
    },
    /// Someone wrote something.
    Noted {
        /// The words.
        text: String,
    },
    /// Its tags are these and no others.
    Tagged {
        /// The tags.
        tags: Vec<String>,
    },
    /// There is more to see.
    Evidence {
        /// Where it is kept.
        reference: String,
        /// What it shows.
        text: String,
        /// Who brought it: for the finance side only.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        informant: String,
    },
    /// A registrar rejects a hit.
    Overruled {
        /// The term.
        term: String,
        /// The text it stands in.
        field: Field,
        /// Why it does not count.
        reason: String,
    },
}

/// A referral as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Its number.
    pub referral: ReferralId,
    /// The body that is told.
    pub body: BodyId,
    /// Why it is told, for people.
    pub why: String,
    /// The fields of business it is told about.
    pub fields: Vec<BusinessField>,
    /// The last day to receive it.
    pub due: Date,
    /// The referral that it was redirected or escalated from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ReferralId>,
}

/// What one record says of one firm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The firm.
    pub firm: FirmId,
    /// What happened to it, in order.
    pub events: Vec<Event>,
}

/// The record that events stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded<'a> {
    /// Its sequence.
    pub sequence: u64,
    /// Its instant.
    pub at: Timestamp,
    /// Who did it.
    pub by: &'a str,
}
