//! The watch list (重点监管对象) and the hand-over (告知、移送): state machines over events, pure.
//!
//! A call becomes a [`command`]; [`decide`] turns it and a firm's [`file`] into [`event`]s, or refuses; the events are
//! one record of the journal, and [`File::apply`](file::File::apply) folds them into the file. What may follow what is
//! one table, [`transition`]. No clock, no disk: the instant and the sequence of a record are arguments.

pub mod attribute;
pub mod command;
pub mod deadline;
pub mod decide;
pub mod event;
pub mod file;
mod fold;
pub mod key;
pub mod query;
pub mod reconcile;
pub mod referral;
pub mod transition;

use crate::vocabulary::vocabulary;

vocabulary! {
    /// How far a watch entry has come.
    Status {
        /// Nobody has looked at it yet.
        Open = "OPEN", "待核查";
        /// Someone looks at it.
        UnderReview = "UNDER_REVIEW", "核查中";
        /// It is determined what becomes of the firm.
        Determined = "DETERMINED", "已认定";
        /// No longer watched, until something new is found.
        Released = "RELEASED", "已解除";
    }
}

vocabulary! {
    /// What becomes of a firm.
    Disposition {
        /// It keeps the rules; supervision goes on.
        Compliant = "COMPLIANT", "合规";
        /// It must put things right by a day.
        Rectify = "RECTIFY", "整改";
        /// Its business is banned.
        Ban = "BAN", "取缔";
        /// Its business licence is revoked.
        Revoke = "REVOKE", "吊销营业执照";
        /// The police take it over.
        Police = "POLICE", "移送公安";
    }
}

vocabulary! {
    /// How a firm came on the watch list.
    Source {
        /// Its name was to be approved.
        NameApproval = "NAME_APPROVAL", "名称核准";
        /// The register was screened again.
        Rescreening = "RESCREENING", "存量筛查";
        /// Someone complained.
        Complaint = "COMPLAINT", "投诉举报";
        /// Another place told of it.
        OtherDistrict = "OTHER_DISTRICT", "外地移送";
        /// It stood on a roster.
        Roster = "ROSTER", "名单比对";
    }
}

vocabulary! {
    /// How far a referral has come.
    ReferralState {
        /// Sent to the body.
        Sent = "SENT", "已移送";
        /// The body has it.
        Received = "RECEIVED", "已接收";
        /// The body looks into it.
        Accepted = "ACCEPTED", "已受理";
        /// The body has given its opinion (认定意见).
        Concluded = "CONCLUDED", "已认定";
        /// The body is not the one to tell.
        Returned = "RETURNED", "已退回";
    }
}
