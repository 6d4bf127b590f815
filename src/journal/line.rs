//! A record as a line (一行一条): JSON, with the hash last, so that `sha256sum` can check it.
//!
//! `{"seq":1,"at":"2026-11-24T01:02:03.004Z","actor":"nanjing","request_id":"a-1","kind":"screening","payload":{…},"prev":"…","hash":"…"}`
//!
//! `hash` is SHA-256 over the bytes of the line before `,"hash":`; `prev` is the hash of the record before.

use std::{borrow::Cow, io::Write};

use jiff::{Timestamp, fmt::temporal::DateTimePrinter};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{Hash, Head, JournalError};

/// Longest record, in bytes: a screening of the largest texts with every hit in it fits.
pub const LONGEST: usize = 64 << 20;
/// What stands before the hash, and behind it.
const BEFORE_HASH: &[u8] = b",\"hash\":\"";
const BEHIND_HASH: &[u8] = b"\"}";

/// A record before it has a place in the journal.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// Who did it: an identity's id.
    pub actor: &'a str,
    /// The caller's id for the request; empty where it gave none.
    pub request_id: &'a str,
    /// What it is.
    pub kind: &'a str,
    /// The rest, as JSON.
    pub payload: &'a RawValue,
}

/// A record as it stands in the journal.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record<'a> {
    /// Its sequence: the first has 1, each the next.
    #[serde(rename = "seq")]
    pub sequence: u64,
    /// When, in UTC. Never before the record before.
    pub at: Timestamp,
    /// Who did it.
    #[serde(borrow)]
    pub actor: Cow<'a, str>,
    /// The caller's id for the request.
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    /// What it is.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// The rest, as JSON.
    #[serde(borrow)]
    pub payload: &'a RawValue,
    /// Hash of the record before.
    #[serde(deserialize_with = "hash")]
    pub prev: Hash,
    /// Its own hash.
    #[serde(deserialize_with = "hash")]
    pub hash: Hash,
}

fn hash<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
    let text: Cow<'de, str> = Deserialize::deserialize(deserializer)?;
    text.parse().map_err(|_| serde::de::Error::custom("not 64 hexadecimal digits"))
}

impl Record<'_> {
    /// Where the journal ends with it.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { sequence: self.sequence, hash: self.hash }
    }
}

#[derive(Serialize)]
struct Written<'a> {
    seq: u64,
    at: &'a str,
    actor: &'a str,
    request_id: &'a str,
    kind: &'a str,
    payload: &'a RawValue,
    prev: &'a str,
}

/// An instant with milliseconds, as every instant of the journal is written.
#[must_use]
pub fn instant(at: Timestamp) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    PRINTER.timestamp_to_string(&at)
}

/// Writes a record behind `out`, with its line end, and says where the journal then ends.
///
/// # Errors
/// [`JournalError::TooLong`]; `out` is then as it was.
pub(super) fn write(out: &mut Vec<u8>, draft: &Draft<'_>, after: Head, at: Timestamp) -> Result<Head, JournalError> {
    let start = out.len();
    let Draft { actor, request_id, kind, payload } = *draft;
    let (at, prev) = (instant(at), after.hash.to_string());
    let written = Written { seq: after.sequence + 1, at: &at, actor, request_id, kind, payload, prev: &prev };
    let done = serde_json::to_writer(&mut *out, &written);
    let bytes = out.len() - start;
    if done.is_err() || bytes > LONGEST {
        out.truncate(start); // writing to memory fails only where JSON cannot say it, and this it can
        return Err(JournalError::TooLong { bytes, most: LONGEST });
    }
    out.truncate(out.len() - 1); // the brace comes behind the hash
    let hash = Hash(Sha256::digest(&out[start..]).into());
    out.extend_from_slice(BEFORE_HASH);
    let _ = write!(out, "{hash}"); // writing to memory cannot fail
    out.extend_from_slice(BEHIND_HASH);
    out.push(b'\n');
    Ok(Head { sequence: after.sequence + 1, hash })
}

/// Reads a line without its line end.
///
/// # Errors
/// What is wrong with it: no record, or not what its hash says.
pub fn read(line: &[u8]) -> Result<Record<'_>, String> {
    let text = std::str::from_utf8(line).map_err(|_| "not UTF-8".to_owned())?;
    let record: Record<'_> = serde_json::from_str(text).map_err(|error| format!("not a record: {error}"))?;
    let before =
        line.len().checked_sub(BEFORE_HASH.len() + 64 + BEHIND_HASH.len()).filter(|before| line[*before..].starts_with(BEFORE_HASH));
    let Some(before) = before else { return Err("the hash is not last".to_owned()) };
    if record.hash != Hash(Sha256::digest(&line[..before]).into()) {
        return Err(format!("record {} was changed: its hash is not that of its bytes", record.sequence));
    }
    Ok(record)
}
