//! What may follow what (状态转换): the one table. `docs/watch.md` shows it, and a test keeps the two alike.

use super::{ReferralState, Status};

/// A step of a referral.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferralStep {
    /// What is done.
    pub action: ReferralAction,
    /// Where it may be done.
    pub from: &'static [ReferralState],
    /// What the referral is then.
    pub to: ReferralState,
}

crate::vocabulary::vocabulary! {
    /// What is done with a referral.
    ReferralAction {
        /// The body says that it has it.
        Receive = "receive", "接收";
        /// The body takes it on.
        Accept = "accept", "受理";
        /// The body gives its opinion.
        Conclude = "conclude", "认定";
        /// The body is not the one to tell.
        Return = "return", "退回";
        /// What was returned is sent to another body.
        Redirect = "redirect", "改送";
        /// It is laid before the same function in the place above.
        Escalate = "escalate", "提级";
    }
}

/// Every step of a referral.
pub const REFERRAL_STEPS: &[ReferralStep] = {
    use ReferralAction::{Accept, Conclude, Escalate, Receive, Redirect, Return};
    use ReferralState::{Accepted, Concluded, Received, Returned, Sent};
    &[
        ReferralStep { action: Receive, from: &[Sent], to: Received },
        ReferralStep { action: Accept, from: &[Received], to: Accepted },
        ReferralStep { action: Conclude, from: &[Accepted], to: Concluded },
        ReferralStep { action: Return, from: &[Received, Accepted], to: Returned },
        ReferralStep { action: Redirect, from: &[Returned], to: Returned },
        ReferralStep { action: Escalate, from: &[Accepted], to: Accepted },
        ReferralStep { action: Escalate, from: &[Concluded], to: Concluded },
    ]
};

/// What a referral is after a step, where the step may be taken.
#[must_use]
pub fn referral_after(action: ReferralAction, state: ReferralState) -> Option<ReferralState> {
    REFERRAL_STEPS.iter().find(|step| step.action == action && step.from.contains(&state)).map(|step| step.to)
}

crate::vocabulary::vocabulary! {
    /// What is done with a watch entry.
    EntryAction {
        /// Something new was found on a firm that was let go.
        Reopen = "reopen", "重新列入";
        /// Someone begins to look at it.
        Review = "review", "核查";
        /// It is determined what becomes of the firm.
        Determine = "determine", "认定";
        /// It need no longer be watched.
        Release = "release", "解除";
    }
}

/// A step of a watch entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryStep {
    /// What is done.
    pub action: EntryAction,
    /// Where it may be done.
    pub from: &'static [Status],
    /// What the entry is then.
    pub to: Status,
}

/// Every step of a watch entry. From DETERMINED only 合规 is reopened by the same words in a changed text.
pub const ENTRY_STEPS: &[EntryStep] = {
    use EntryAction::{Determine, Release, Reopen, Review};
    use Status::{Determined, Open, Released, UnderReview};
    &[
        EntryStep { action: Reopen, from: &[Released, Determined], to: Open },
        EntryStep { action: Review, from: &[Open], to: UnderReview },
        EntryStep { action: Determine, from: &[Open, UnderReview, Determined], to: Determined },
        EntryStep { action: Release, from: &[Open, UnderReview, Determined], to: Released },
    ]
};

/// What an entry is after a step, where the step may be taken.
#[must_use]
pub fn entry_after(action: EntryAction, status: Status) -> Option<Status> {
    ENTRY_STEPS.iter().find(|step| step.action == action && step.from.contains(&status)).map(|step| step.to)
}
