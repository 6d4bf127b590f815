//! Who may do what (权限): identities, their roles, their regions. Deny by default.

pub mod permission;
pub mod refusal;

use std::fmt;

use crate::{hex::Hex, jurisdiction::Region, set::Set, vocabulary::vocabulary, wordlist::tables::BodyId};

pub use permission::{Access, METHODS, Method, method};
pub use refusal::{Refusal, Refused};

vocabulary! {
    /// What an identity may be.
    Role {
        /// A registration bureau: screens, records, revokes (吊销).
        Registrar = "registrar", "登记机关";
        /// A finance office: watch list, referrals, determinations.
        Finance = "finance", "金融办";
        /// Keeps the lists.
        Steward = "steward", "词表管理";
        /// Reads everything, changes nothing.
        Auditor = "auditor", "审计";
    }
}

/// Id of whoever calls where no identities are configured.
const ANYONE: &str = "anyone";

/// A name in a client's certificate (subject alternative name), matched exactly.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SubjectName {
    /// `URI:spiffe://bureau/nanjing`.
    Uri(String),
    /// `DNS:screening.example`, without regard to case.
    Dns(String),
}

/// SHA-256 of a bearer token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

/// Someone who may call, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its id, in logs and in the journal: 1 to 64 visible ASCII characters.
    pub id: String,
    /// The certificate names it goes by.
    pub names: Vec<SubjectName>,
    /// The hashes of the tokens it goes by.
    pub tokens: Vec<TokenHash>,
    /// What it is.
    pub roles: Set<Role>,
    /// Where it may act: in these places and in every place below.
    pub regions: Vec<Region>,
    /// The body it acts for.
    pub body: Option<BodyId>,
}

impl Identity {
    /// Whoever calls where no identities are configured: every role, everywhere.
    #[must_use]
    pub fn anyone() -> Self {
        Self {
            id: ANYONE.to_owned(),
            names: Vec::new(),
            tokens: Vec::new(),
            roles: Role::ALL.iter().copied().collect(),
            regions: vec![Region::NATION],
            body: None,
        }
    }

    /// Whether it may act for `body`: it is of that body, or identities are not configured.
    #[must_use]
    pub fn acts_for(&self, body: BodyId) -> bool {
        self.body.map_or_else(|| self.is_anyone(), |own| own == body)
    }

    /// Whether it stands for whoever calls where no identities are configured: no identity can have its id.
    #[must_use]
    pub fn is_anyone(&self) -> bool {
        self.id == ANYONE && self.names.is_empty() && self.tokens.is_empty()
    }

    /// Whether it may act in `region`.
    #[must_use]
    pub fn reaches(&self, region: Region) -> bool {
        region.chain().any(|place| self.regions.contains(&place))
    }
}
