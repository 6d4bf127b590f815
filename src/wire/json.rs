//! The protobuf JSON mapping of requests and answers, as people write it: enum values may lack their prefix.

use serde_json::Value;

use super::v1;

/// Reads a request from JSON.
///
/// # Errors
/// What is wrong with it, for people.
pub fn request(text: &str) -> Result<v1::ScreenRequest, serde_json::Error> {
    let mut value: Value = serde_json::from_str(text)?;
    drop_nulls(&mut value);
    prefix(&mut value, &["entityKind", "entity_kind"], "ENTITY_KIND_");
    prefix(&mut value, &["event"], "EVENT_");
    if let Some(Value::Array(licences)) = value.get_mut("licences") {
        for licence in licences {
            prefix(licence, &["kind"], "LICENCE_KIND_");
        }
    }
    serde_json::from_value(value)
}

/// In the protobuf JSON mapping null is a field's default.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn prefix(object: &mut Value, keys: &[&str], prefix: &str) {
    for key in keys {
        if let Some(Value::String(name)) = object.get_mut(*key)
            && !name.starts_with(prefix)
        {
            name.insert_str(0, prefix);
        }
    }
}
