//! What a record of the watch list says (记录内容): enough to make every file again.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    journal::Hash,
    watch::event::{Change, Event},
};

/// See the module.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Payload {
    /// What happened, firm by firm.
    pub changes: Vec<Change>,
    /// Why, as the caller said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// SHA-256 of the request, hexadecimal, where it had an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Random, where it says who informed: else the record's hash, and all the rest of it, would let that be guessed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub salt: String,
    /// What was kept with it: for a screening, the request and the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<Box<RawValue>>,
}

/// Whether any of these says who informed.
fn says_who_informed(changes: &[Change]) -> bool {
    let mut events = changes.iter().flat_map(|change| &change.events);
    events.any(|event| match event {
        Event::Evidence { informant, .. } => !informant.is_empty(),
        Event::Took { file } => file.has_informants(),
        _ => false,
    })
}

impl Payload {
    /// What a command comes to; `body` where its request had an id.
    #[must_use]
    pub fn of(changes: Vec<Change>, reason: &str, body: Option<Hash>, documents: Option<Box<RawValue>>) -> Self {
        let salt = if says_who_informed(&changes) { Uuid::new_v4().simple().to_string() } else { String::new() };
        Self { changes, reason: reason.to_owned(), body: body.map(|body| body.to_string()), salt, documents }
    }

    /// Reads a record's payload.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn read(payload: &RawValue) -> Result<Self, serde_json::Error> {
        serde_json::from_str(payload.get())
    }

    /// As JSON.
    ///
    /// # Errors
    /// Never: all of it can be written.
    pub fn write(&self) -> Result<Box<RawValue>, serde_json::Error> {
        serde_json::value::to_raw_value(self)
    }

    /// The body's hash.
    #[must_use]
    pub fn body_hash(&self) -> Option<Hash> {
        self.body.as_deref()?.parse().ok()
    }

    /// The same without what only the finance side may see: who informed.
    #[must_use]
    pub fn without_informants(mut self) -> Self {
        self.body = None; // a hash over who informed, among little else, could be guessed
        self.salt.clear();
        for event in self.changes.iter_mut().flat_map(|change| &mut change.events) {
            match event {
                Event::Evidence { informant, .. } => informant.clear(),
                Event::Took { file } => file.hide_informants(),
                _ => {}
            }
        }
        self
    }
}
