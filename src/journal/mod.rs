//! The journal (日志): one append-only, hash-chained record of everything that was ever acknowledged. It is the truth and
//! the audit trail; whatever else is kept is made from it.
//!
//! It lies in segments, `DATA/journal/SEQUENCE.jsonl`, each named after its first record: one line of JSON a record
//! ([`line`]). Records are staged, then committed together: written, fsynced, and only then acknowledged ([`Journal`]).
//! What an unclean stop leaves half-written is set aside ([`recovery`]); what anyone has changed is found ([`verify`]),
//! with the help of signed heads that lie elsewhere ([`anchor`]). Files are reached through [`disk`], so that tests can
//! break them.

pub mod anchor;
pub mod disk;
pub mod line;
pub mod reader;
pub mod recovery;
pub mod verify;
mod writer;

use std::{fmt, io, str::FromStr};

pub use line::{Draft, Record};
pub use writer::{Journal, SEGMENT};

use crate::hex::Hex;

/// SHA-256 of a record, or of what stands before the first: zeros.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        let mut hash = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(NotAHead);
        }
        for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digit = |byte: u8| if byte.is_ascii_digit() { byte - b'0' } else { byte - b'a' + 10 };
            *byte = digit(pair[0]) << 4 | digit(pair[1]);
        }
        Ok(Self(hash))
    }
}

/// How far the journal goes: its last record. Written `SEQUENCE:HASH`. Before the first record: `0:0…0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Head {
    /// Sequence of the last record; the first has 1.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.hash)
    }
}

/// Text that is no `SEQUENCE:HASH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not SEQUENCE:HASH, a number and 64 hexadecimal digits")]
pub struct NotAHead;

impl FromStr for Head {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        let (sequence, hash) = text.split_once(':').ok_or(NotAHead)?;
        if sequence.is_empty() || !sequence.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAHead);
        }
        Ok(Self { sequence: sequence.parse().map_err(|_| NotAHead)?, hash: hash.parse()? })
    }
}

/// What the journal cannot get past by itself.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Reading or writing failed.
    #[error("journal {file}: {error}")]
    Io {
        /// Which file, inside the journal's folder.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// A write or an fsync failed before: what the disk holds is not known until the journal is opened again.
    #[error("the journal takes no more records: an earlier write failed; restart the service when the disk is well again")]
    Poisoned,
    /// A record that was acknowledged is missing or changed.
    #[error("journal {file}, line {line}: {what}")]
    Damaged {
        /// Which file.
        file: String,
        /// 1-based line.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A record longer than a record may be.
    #[error("a record of {bytes} bytes; at most {most}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        most: usize,
    },
}

/// Where a segment's name comes from: twenty digits, so that names sort as numbers do.
pub(crate) fn segment_name(first: u64) -> String {
    format!("{first:020}.jsonl")
}

/// The first sequence of a segment, from its name.
pub(crate) fn segment_first(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".jsonl")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}
