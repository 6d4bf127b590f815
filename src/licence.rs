//! Licences (许可证) and approvals (批准、备案): which terms a firm may use.
//!
//! A licence exempts terms of the fields of business its kind covers, never others: a payment licence exempts
//! 支付, not 理财. An approval exempts only the terms it names, and only from rules that leave room for one
//! (未经批准, 原则上). An expired licence exempts nothing.

use crate::{
    day::{Date, Days},
    vocabulary::LicenceKind,
    wordlist::{Term, instrument::Rule, tables::Tables},
};

/// A licence as the firm presents it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Licence {
    /// Its kind.
    pub kind: LicenceKind,
    /// Its number.
    pub number: String,
    /// Who issued it.
    pub issuer: String,
    /// When it is valid.
    pub days: Days,
    /// For [`LicenceKind::Approval`]: the terms it names, as the engine reads them.
    pub terms: Vec<String>,
}

impl Licence {
    /// Whether it exempts from `rule` for `term` on `day`.
    #[must_use]
    pub fn exempts(&self, term: &Term, rule: &Rule, day: Date, tables: &Tables) -> bool {
        self.days.contains(day)
            && match self.kind {
                LicenceKind::Approval => rule.approval && self.terms.contains(&term.read),
                kind => tables.exempts(kind).contains(term.field),
            }
    }
}
