//! What is asked of the watch list (指令), read and checked as far as it can be without the firm's file.

use super::{
    Source,
    file::{Reason, Screened},
    key::{FirmId, FirmKey, ReferralId},
    referral::Opinion,
    transition::{EntryAction, ReferralAction},
};
use crate::{
    day::Date,
    jurisdiction::Region,
    vocabulary::{BusinessField, Decision, EntityKind, Event, Field},
    wordlist::tables::BodyId,
};

/// A call that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A screening is recorded, with all that follows from it.
    Record(Box<Screening>),
    /// A complaint, a roster, or another place has told of a firm.
    Open(Box<Told>),
    /// A firm has its unified social credit code.
    Link {
        /// The firm.
        firm: FirmId,
        /// The code, in capitals.
        uscc: String,
    },
    /// There is more to see of a firm.
    AddEvidence {
        /// The firm.
        firm: FirmId,
        /// What there is.
        evidence: Evidence,
    },
    /// A registrar rejects a hit.
    Overrule {
        /// The firm.
        firm: FirmId,
        /// The term.
        term: String,
        /// The text it stands in.
        field: Field,
        /// Why it does not count.
        reason: String,
    },
    /// A watch entry is changed.
    Update(Box<Update>),
    /// A firm's business licence was revoked (吊销).
    Revoke {
        /// The firm.
        firm: FirmId,
        /// On which day.
        day: Date,
        /// Why, or by which document.
        reason: String,
    },
    /// A referral goes a step.
    Refer(Box<Refer>),
}

/// Whom a command is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The first of these that has a file; where none has, a firm that is new.
    Found(Vec<FirmKey>),
    /// The firm with this number.
    Firm(FirmId),
    /// The firm of this referral.
    Referral(ReferralId),
}

/// Who a firm is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firm {
    /// Its name.
    pub name: String,
    /// Its unified social credit code, in capitals.
    pub uscc: Option<String>,
    /// Where it is registered.
    pub registered: Region,
    /// What kind of market entity it is.
    pub kind: EntityKind,
}

/// A screening that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screening {
    /// The firm.
    pub firm: Firm,
    /// What it asked for.
    pub event: Event,
    /// Where else it operates.
    pub operates: Vec<Region>,
    /// How it comes here.
    pub source: Source,
    /// What came out.
    pub screened: Screened,
    /// Every term that counts.
    pub reasons: Vec<Reason>,
    /// The bodies to tell.
    pub inform: Vec<Inform>,
}

/// A body to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inform {
    /// The body.
    pub body: BodyId,
    /// Why, for people.
    pub why: String,
    /// The fields of business it is told about.
    pub fields: Vec<BusinessField>,
}

/// What was told of a firm, by others than the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The firm.
    pub firm: Firm,
    /// By whom.
    pub source: Source,
    /// The fields of business it is suspected of.
    pub suspected: Vec<BusinessField>,
    /// What there is to see.
    pub evidence: Evidence,
    /// The bodies to tell.
    pub inform: Vec<Inform>,
}

/// What there is to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Where it is kept.
    pub reference: String,
    /// What it shows.
    pub text: String,
    /// Who brought it: for the finance side only.
    pub informant: String,
}

impl Evidence {
    /// How many bytes it is long.
    #[must_use]
    pub fn words(&self) -> usize {
        self.reference.len() + self.text.len() + self.informant.len()
    }
}

/// A change of a watch entry: what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The firm.
    pub firm: FirmId,
    /// The sequence of the record that the caller has seen last; empty: whatever it is.
    pub etag: Option<u64>,
    /// Why it is changed.
    pub reason: String,
    /// Its tags.
    pub tags: Option<Vec<String>>,
    /// A note to add.
    pub note: Option<String>,
    /// Where else it operates.
    pub operates: Option<Vec<Region>>,
    /// Its status, by the step that leads there.
    pub step: Option<(EntryAction, Option<Opinion>)>,
}

/// A step of a referral.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refer {
    /// The referral.
    pub referral: ReferralId,
    /// The step.
    pub action: ReferralAction,
    /// The body's opinion, where it concludes.
    pub opinion: Option<Opinion>,
    /// The other body, where it is redirected.
    pub to: Option<BodyId>,
    /// Why; needed where it is returned, redirected or escalated.
    pub note: String,
}

impl Command {
    /// What kind of record it makes.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Record(_) => "screening",
            Self::Open(_) => "opened",
            Self::Link { .. } => "linked",
            Self::AddEvidence { .. } => "evidence",
            Self::Overrule { .. } => "overruled",
            Self::Update(_) => "updated",
            Self::Revoke { .. } => "revoked",
            Self::Refer(refer) => match refer.action {
                ReferralAction::Receive => "referral-received",
                ReferralAction::Accept => "referral-accepted",
                ReferralAction::Conclude => "referral-concluded",
                ReferralAction::Return => "referral-returned",
                ReferralAction::Redirect => "referral-redirected",
                ReferralAction::Escalate => "referral-escalated",
            },
        }
    }

    /// Whom it is about.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self {
            Self::Record(screening) => Subject::Found(screening.firm.keys()),
            Self::Open(told) => Subject::Found(told.firm.keys()),
            Self::Link { firm, .. } | Self::AddEvidence { firm, .. } | Self::Overrule { firm, .. } | Self::Revoke { firm, .. } => {
                Subject::Firm(*firm)
            }
            Self::Update(update) => Subject::Firm(update.firm),
            Self::Refer(refer) => Subject::Referral(refer.referral),
        }
    }

    /// Why it is done, as the caller said.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Overrule { reason, .. } | Self::Revoke { reason, .. } => reason,
            Self::Update(update) => &update.reason,
            Self::Refer(refer) => &refer.note,
            Self::Record(_) | Self::Open(_) | Self::Link { .. } | Self::AddEvidence { .. } => "",
        }
    }
}

impl Firm {
    /// What it is found by, surest first.
    #[must_use]
    pub fn keys(&self) -> Vec<FirmKey> {
        let name = FirmKey::Name(self.registered, super::key::comparable(&self.name));
        self.uscc.clone().map(FirmKey::Uscc).into_iter().chain([name]).collect()
    }
}

impl Screening {
    /// What the decision leads to where it is recorded.
    #[must_use]
    pub fn level(&self) -> Decision {
        self.screened.decision
    }
}
