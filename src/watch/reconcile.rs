//! Reconciling (对账): two offices prove that they have the same referrals.

use sha2::{Digest, Sha256};

use super::{key::ReferralId, referral::Referral};
use crate::{day::Date, journal::Hash};

/// What a body's referrals came to at the end of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// How many there were.
    pub count: u64,
    /// SHA-256 over lines `REFERRAL TAB STATE TAB SEQUENCE LF`, sorted by number.
    pub hash: Hash,
}

/// Sums up referrals as they were at the end of `day`, in UTC+8.
#[must_use]
pub fn reconcile<'r>(referrals: impl Iterator<Item = &'r Referral>, day: Date) -> Sum {
    let steps = referrals.filter_map(|referral| Some((referral.id, referral.as_of(day)?)));
    let mut lines: Vec<(ReferralId, String)> =
        steps.map(|(id, step)| (id, format!("{id}\t{}\t{}\n", step.state.id(), step.sequence))).collect();
    lines.sort_unstable();
    let mut hasher = Sha256::new();
    for (_, line) in &lines {
        hasher.update(line);
    }
    Sum { count: lines.len() as u64, hash: Hash(hasher.finalize().into()) }
}
