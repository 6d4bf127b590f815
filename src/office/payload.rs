//! What a record of the watch list says (记录内容): enough to make every file again.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

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
    /// What was kept with it: for a screening, the request and the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<Box<RawValue>>,
}

impl Payload {
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
