//! The protobuf JSON mapping (JSON 映射) as people write it: enum values may lack their prefix, null is the default.
//! Which fields are enums the descriptors say, so that this holds for every message, on the command line as over HTTP.

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde::de::Error;
use serde_json::Value;

use super::{descriptors, v1};

/// Reads a request from JSON.
///
/// # Errors
/// What is wrong with it, for people.
pub fn request(text: &str) -> Result<v1::ScreenRequest, serde_json::Error> {
    let mut value: Value = serde_json::from_str(text)?;
    let message = descriptors().map_err(serde_json::Error::custom)?.get_message_by_name("mingcha.v1.ScreenRequest");
    complete(&mut value, &message.ok_or_else(|| serde_json::Error::custom("the contract has no ScreenRequest"))?);
    serde_json::from_value(value)
}

/// Completes the JSON of a message to what the strict mapping reads: takes fields away that are null, and gives enum
/// values the prefix that they lack. What it does not know it leaves, for the mapping to refuse.
pub fn complete(value: &mut Value, message: &MessageDescriptor) {
    let Value::Object(fields) = value else { return };
    if well_known(message) {
        return; // their JSON is not that of their fields
    }
    fields.retain(|name, value| !value.is_null() || field(message, name).is_none());
    for (name, value) in fields {
        if let Some(field) = field(message, name) {
            complete_field(value, &field);
        }
    }
}

/// A field by its name in JSON or in the contract.
#[must_use]
pub fn field(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name))
}

/// Whether a message is one of those that have a JSON of their own.
#[must_use]
pub fn well_known(message: &MessageDescriptor) -> bool {
    message.package_name() == "google.protobuf"
}

fn complete_field(value: &mut Value, field: &FieldDescriptor) {
    match value {
        Value::Object(entries) if field.is_map() => {
            if let Some(entry) = field.kind().as_message() {
                let kind = entry.map_entry_value_field().kind();
                entries.values_mut().for_each(|value| complete_one(value, &kind));
            }
        }
        Value::Array(items) if field.is_list() => items.iter_mut().for_each(|item| complete_one(item, &field.kind())),
        one => complete_one(one, &field.kind()),
    }
}

fn complete_one(value: &mut Value, kind: &Kind) {
    match (kind, value) {
        (Kind::Message(message), value) => complete(value, message),
        (Kind::Enum(values), Value::String(name)) => prefix(name, values),
        _ => {}
    }
}

/// `ENTERPRISE` is `ENTITY_KIND_ENTERPRISE`: the prefix is what stands before `UNSPECIFIED`.
fn prefix(name: &mut String, values: &EnumDescriptor) {
    let default = values.default_value();
    let Some(prefix) = default.name().strip_suffix("UNSPECIFIED") else { return };
    let whole = format!("{prefix}{name}");
    if values.get_value_by_name(name).is_none() && values.get_value_by_name(&whole).is_some() {
        *name = whole;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{complete, request};
    use crate::wire::descriptors;

    fn completed(message: &str, mut value: Value) -> Value {
        let message = descriptors().expect("descriptors").get_message_by_name(message).expect("a message");
        complete(&mut value, &message);
        value
    }

    #[test]
    fn prefixes_are_given_at_every_depth_and_in_lists() {
        let asked = json!({"requests": [{"entity_kind": "ENTERPRISE", "licences": [{"kind": "PAWN"}]}, {"event": "EVENT_CHANGE"}]});
        let whole = json!({"requests": [{"entity_kind": "ENTITY_KIND_ENTERPRISE", "licences": [{"kind": "LICENCE_KIND_PAWN"}]},
            {"event": "EVENT_CHANGE"}]});
        assert_eq!(completed("mingcha.v1.BatchScreenRequest", asked), whole);
        let rule = completed("mingcha.v1.Rule", json!({"fields": ["NAME", "FIELD_SCOPE", "CLUB", 1]}));
        assert_eq!(rule, json!({"fields": ["FIELD_NAME", "FIELD_SCOPE", "CLUB", 1]}));
    }

    #[test]
    fn null_is_the_default_of_a_known_field_only() {
        let asked = json!({"name": "x", "scope": null, "colour": null, "licences": [null]});
        assert_eq!(completed("mingcha.v1.ScreenRequest", asked), json!({"name": "x", "colour": null, "licences": [null]}));
        assert!(request(r#"{"name":"x","colour":null}"#).is_err());
        assert_eq!(request(r#"{"name":"x","event":"CHANGE","scope":null}"#).expect("a request").event, 2);
    }
}
