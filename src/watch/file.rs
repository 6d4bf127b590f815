//! A firm's file (一户一档): what it is, why it is watched, who was told, what was determined.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Source, Status,
    key::{FirmId, FirmKey, ReferralId},
    referral::{Opinion, Referral},
};
use crate::{
    auth::Identity,
    day::Date,
    jurisdiction::Region,
    vocabulary::{BusinessField, Decision, EntityKind, Field, Force},
};

/// See the module. As of one record of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its number.
    pub id: FirmId,
    /// The firm's name.
    pub name: String,
    /// Its unified social credit code, in capitals, once it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uscc: Option<String>,
    /// Where it is registered.
    pub registered: Region,
    /// What kind of market entity it is.
    pub kind: EntityKind,
    /// Where else it operates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operates: Vec<Region>,
    /// Where it was registered before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<Region>,
    /// What it was last screened on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screened: Option<Screened>,
    /// Hits that a registrar rejects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overruled: Vec<Overruled>,
    /// Its watch entry, once there was reason for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Entry>,
    /// Every referral of it, the first first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub referrals: Vec<Referral>,
    /// The file that it was joined to, and that goes on in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined_to: Option<FirmId>,
    /// The files that were joined to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<FirmId>,
    /// When it was opened.
    pub opened: Stamp,
    /// When it was last changed; the sequence is its etag.
    pub changed: Stamp,
}

/// A place in the journal, and its instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Sequence of the record.
    pub sequence: u64,
    /// Its instant.
    pub at: Timestamp,
}

/// A screening of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Screened {
    /// The decision.
    pub decision: Decision,
    /// The lists that decided.
    pub lists_hash: String,
    /// The day as of which.
    pub day: Date,
    /// SHA-256 of its texts, hexadecimal: what changes with any of them.
    pub texts: String,
}

/// Why a firm is watched: a term that counts, by its rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The term, as the lists spell it.
    pub term: String,
    /// The text it stands in.
    pub field: Field,
    /// As it stands there, where first seen.
    pub text: String,
    /// Its field of business.
    pub business: BusinessField,
    /// The strongest force.
    pub force: Force,
    /// The rules it rests on, strongest first: `list/rule`.
    pub rules: Vec<String>,
    /// The lists that these are of.
    pub lists_hash: String,
}

impl Reason {
    /// Whether `self` says something that `known` does not: another term, another text, or another rule.
    #[must_use]
    pub fn is_new_beside(&self, known: &[Self]) -> bool {
        let of_same = || known.iter().filter(|reason| reason.term == self.term && reason.field == self.field);
        self.rules.iter().any(|rule| !of_same().any(|reason| reason.rules.contains(rule)))
    }
}

/// The watch entry (重点监管对象).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was first opened.
    pub opened: Stamp,
    /// How often it was opened: 1, then one more at each reopening.
    pub round: u32,
    /// How far it has come.
    pub status: Status,
    /// The strongest decision it ever rested on. ATTENTION: for the monthly 会商 only.
    pub level: Decision,
    /// How it came here.
    pub sources: BTreeSet<Source>,
    /// Why.
    pub reasons: Vec<Reason>,
    /// Fields of business of complaints and rosters, which rest on no term.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub suspected: BTreeSet<BusinessField>,
    /// What was determined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub determined: Option<Opinion>,
    /// Whether bodies came to different opinions, so that it must go to the place above.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disagreement: bool,
    /// The day its business licence was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Date>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// What people wrote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// What else there is to see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

/// What someone wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The words.
    pub text: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Something that speaks for or against a firm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where it is kept: a file number, an address.
    pub reference: String,
    /// What it shows.
    pub text: String,
    /// Who brought it (举报人): for the finance side only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub informant: String,
    /// Who entered it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A hit that a registrar rejects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overruled {
    /// The term.
    pub term: String,
    /// The text it stands in.
    pub field: Field,
    /// Why it does not count.
    pub reason: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Entry {
    /// How many bytes people have written: notes and evidence.
    #[must_use]
    pub fn words(&self) -> usize {
        let notes = self.notes.iter().map(|note| note.text.len());
        let evidence = self.evidence.iter().map(|evidence| evidence.reference.len() + evidence.text.len() + evidence.informant.len());
        notes.chain(evidence).sum()
    }
}

impl File {
    /// What it is found by: its code if it has one, and its name where it is registered.
    pub fn keys(&self) -> impl Iterator<Item = FirmKey> {
        let name = FirmKey::Name(self.registered, super::key::comparable(&self.name));
        self.uscc.clone().map(FirmKey::Uscc).into_iter().chain([name])
    }

    /// Every place that it concerns: where it is registered, was, and operates.
    pub fn places(&self) -> impl Iterator<Item = Region> {
        [self.registered].into_iter().chain(self.operates.iter().copied()).chain(self.former.iter().copied())
    }

    /// Whether it concerns a place where an identity may act.
    #[must_use]
    pub fn concerns(&self, identity: &Identity) -> bool {
        self.places().any(|place| identity.reaches(place))
    }

    /// Its referral with this number.
    #[must_use]
    pub fn referral(&self, id: ReferralId) -> Option<&Referral> {
        self.referrals.iter().find(|referral| referral.id == id)
    }

    /// Referrals of one opening of the entry that bodies are still at work on: not those that went on to another.
    pub fn at_work(&self, round: u32) -> impl Iterator<Item = &Referral> {
        self.referrals.iter().filter(move |referral| referral.round == round && referral.is_open() && referral.next.is_none())
    }

    /// Takes out who informed: for the finance side only.
    pub fn hide_informants(&mut self) {
        let evidence = self.entry.iter_mut().flat_map(|entry| &mut entry.evidence);
        evidence.for_each(|evidence| evidence.informant.clear());
    }

    /// Whether it says who informed.
    #[must_use]
    pub fn has_informants(&self) -> bool {
        self.entry.iter().flat_map(|entry| &entry.evidence).any(|evidence| !evidence.informant.is_empty())
    }

    /// The fields of business it is watched for.
    #[must_use]
    pub fn fields(&self) -> BTreeSet<BusinessField> {
        let entry = self.entry.iter();
        entry.flat_map(|entry| entry.reasons.iter().map(|reason| reason.business).chain(entry.suspected.iter().copied())).collect()
    }

    /// The first day that something of it is due.
    #[must_use]
    pub fn due(&self) -> Option<Date> {
        let rectify =
            self.entry.as_ref().filter(|entry| entry.status == Status::Determined).and_then(|entry| entry.determined.as_ref()?.deadline);
        self.referrals.iter().filter_map(|referral| referral.due).chain(rectify).min()
    }
}
