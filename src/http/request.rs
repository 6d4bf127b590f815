//! From an HTTP request (请求) to the bytes of its message, or everything that is wrong with it. Pure: it reads what it
//! is given, and nothing that a caller sends makes it panic.

use std::collections::HashMap;

use prost::Message;
use prost_reflect::{DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value};
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt};

use super::{
    binding::{Binding, Body, resolve},
    template::Captured,
};
use crate::{
    grpc::{fields::MOST_FIELDS, status::bad_request},
    wire::{Violation, json},
};

/// Why a request is refused, where gRPC has no code for it: the reasons in `ErrorInfo`.
pub(super) const TOO_LARGE: &str = "REQUEST_TOO_LARGE";
pub(super) const NOT_JSON: &str = "CONTENT_TYPE_NOT_JSON";
/// The domain of these reasons.
pub(super) const DOMAIN: &str = "mingcha.http";

/// Longest text of a violation, in characters: callers' own words stand in it.
const LONGEST_SAID: usize = 300;
/// Most violations that are told.
const MOST_VIOLATIONS: usize = 50;

/// What a request says besides its body.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// The values in its path.
    pub(super) path: Vec<Captured>,
    /// Its query, as sent.
    pub(super) query: String,
    /// Its `content-type`; nothing where that is no text.
    pub(super) content_type: Option<String>,
}

/// The message's bytes.
///
/// # Errors
/// `INVALID_ARGUMENT` with every violation, or with an [`NOT_JSON`] `ErrorInfo`.
pub(super) fn message(binding: &Binding, asked: &Asked, body: &[u8]) -> Result<Vec<u8>, Status> {
    let input = binding.method.input();
    let mut tree = of_body(binding, asked, body)?;
    let mut violations = Vec::new();
    for (name, value) in &asked.path {
        if let Err(message) = lay(&mut tree, &input, name, value, true) {
            violations.push(violation(name, &message));
        }
    }
    for (name, value) in parameters(&asked.query)? {
        if let Err(message) = unclaimed(binding, &name).and_then(|()| lay(&mut tree, &input, &name, &value, false)) {
            violations.push(violation(&name, &message));
        }
    }
    if !violations.is_empty() {
        violations.truncate(MOST_VIOLATIONS);
        return Err(bad_request(violations));
    }
    let mut tree = Value::Object(tree);
    json::complete(&mut tree, &input);
    read(&input, tree).map(|message| message.encode_to_vec())
}

/// Reads a message by the strict mapping; the error names the field.
fn read(input: &MessageDescriptor, tree: Value) -> Result<DynamicMessage, Status> {
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let mut track = serde_path_to_error::Track::new();
    let deserializer = serde_path_to_error::Deserializer::new(tree, &mut track);
    DynamicMessage::deserialize_with_options(input.clone(), deserializer, &options).map_err(|error| {
        let field = track.path().to_string();
        refuse(if field == "." { "" } else { &field }, &error.to_string())
    })
}

/// What the body holds, as the JSON of the whole request.
fn of_body(binding: &Binding, asked: &Asked, body: &[u8]) -> Result<Map<String, Value>, Status> {
    let field = match &binding.body {
        Body::None => return Ok(Map::new()),
        Body::Whole => None,
        Body::Field(field) => Some(field),
    };
    if !is_json(asked.content_type.as_deref()) {
        return Err(not_json());
    }
    if body.is_empty() {
        return Err(refuse("", "the body is empty; a request without fields is {}"));
    }
    if values(body) > MOST_FIELDS {
        return Err(refuse("", &format!("more than {MOST_FIELDS} values in the body")));
    }
    let value: Value = serde_json::from_slice(body).map_err(|error| refuse("", &format!("the body is no JSON: {error}")))?;
    match (field, value) {
        (Some(field), value) => Ok(Map::from_iter([(field.json_name().to_owned(), value)])),
        (None, Value::Object(fields)) => Ok(fields),
        (None, _) => Err(refuse("", "the body is no JSON object")),
    }
}

/// How many values a JSON text has at most: one more than it has commas and opening brackets outside of strings. Counted
/// before they are read: each takes two bytes there, and some hundred in memory.
fn values(json: &[u8]) -> usize {
    let (mut count, mut in_string, mut bytes) = (1, false, json.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => drop(bytes.next()), // whatever is escaped ends no string
            b',' | b'[' | b'{' if !in_string => count += 1,
            _ => {}
        }
    }
    count
}

/// `application/json`, in UTF-8 where it names a charset.
fn is_json(content_type: Option<&str>) -> bool {
    let mut parts = content_type.unwrap_or_default().split(';').map(str::trim);
    let json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    json && parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"),
        _ => true,
    })
}

/// A request with one thing wrong.
pub(super) fn refuse(field: &str, message: &str) -> Status {
    bad_request(vec![violation(field, message)])
}

fn violation(field: &str, message: &str) -> Violation {
    let short = |text: &str| text.chars().take(LONGEST_SAID).collect();
    Violation { field: short(field), message: short(message) }
}

fn not_json() -> Status {
    let details = ErrorDetails::with_error_info(NOT_JSON, DOMAIN, HashMap::new());
    Status::with_error_details(tonic::Code::InvalidArgument, "the body must be application/json, in UTF-8", details)
}

/// A body over the limit.
pub(super) fn too_large(limit: usize) -> Status {
    let details = ErrorDetails::with_error_info(TOO_LARGE, DOMAIN, [("limit".to_owned(), limit.to_string())]);
    Status::with_error_details(tonic::Code::OutOfRange, format!("the body has more than {limit} bytes"), details)
}

/// The parameters of a query; one that is no text is a violation, where a lenient reader would put U+FFFD.
fn parameters(query: &str) -> Result<form_urlencoded::Parse<'_>, Status> {
    for part in query.split(['&', '=']) {
        if percent_encoding::percent_decode_str(part).decode_utf8().is_err() {
            return Err(refuse("", &format!("'{part}' in the query is not UTF-8")));
        }
    }
    Ok(form_urlencoded::parse(query.as_bytes()))
}

/// Whether the field that a parameter names is left for parameters: not in the path, nor in the body.
fn unclaimed(binding: &Binding, name: &str) -> Result<(), String> {
    let input = binding.method.input();
    let Some(fields) = resolve(&input, name) else { return Err("unknown parameter".to_owned()) };
    let in_body = match &binding.body {
        Body::None => false,
        Body::Whole => true,
        Body::Field(field) => fields.first() == Some(field),
    };
    if in_body {
        return Err("unknown parameter: this field is in the body".to_owned());
    }
    let in_path = binding.template.variables().any(|path| resolve(&input, path).is_some_and(|other| other == fields));
    if in_path { Err("unknown parameter: this field is in the path".to_owned()) } else { Ok(()) }
}

/// Lays a text at a field path into the JSON of a message.
fn lay(tree: &mut Map<String, Value>, input: &MessageDescriptor, path: &str, text: &str, replace: bool) -> Result<(), String> {
    let fields = resolve(input, path).ok_or("unknown parameter")?;
    let Some((last, outer)) = fields.split_last() else { return Err("unknown parameter".to_owned()) };
    let mut tree = tree;
    for field in outer {
        let inner = tree.entry(key(tree, field)).or_insert_with(|| Value::Object(Map::new()));
        tree = inner.as_object_mut().ok_or("the field that holds it is no object")?;
    }
    let value = plain(last, text)?;
    let name = key(tree, last);
    match tree.get_mut(&name) {
        Some(Value::Array(items)) if last.is_list() => items.push(value),
        Some(_) if !replace => return Err("given twice".to_owned()),
        _ => {
            let value = if last.is_list() { Value::Array(vec![value]) } else { value };
            tree.insert(name, value);
        }
    }
    Ok(())
}

/// The name under which a field stands in an object, or will.
fn key(tree: &Map<String, Value>, field: &FieldDescriptor) -> String {
    let name = if tree.contains_key(field.name()) { field.name() } else { field.json_name() };
    name.to_owned()
}

/// A text as the JSON that a field's kind is read from.
fn plain(field: &FieldDescriptor, text: &str) -> Result<Value, String> {
    let truth = match field.kind() {
        Kind::Message(message) if field.is_map() || !json::well_known(&message) => {
            return Err("it has fields of its own: name one of them".to_owned());
        }
        Kind::Message(message) => message.full_name() == "google.protobuf.BoolValue",
        Kind::Enum(_) => return Ok(text.parse::<i32>().map_or_else(|_| Value::from(text), Value::from)),
        kind => kind == Kind::Bool,
    };
    match text {
        "true" | "false" if truth => Ok(Value::Bool(text == "true")),
        _ if truth => Err(format!("'{text}' is neither true nor false")),
        _ => Ok(Value::from(text)), // the mapping reads numbers from strings too
    }
}

#[cfg(test)]
mod tests {
    use super::values;

    #[test]
    fn values_are_counted_outside_of_strings() {
        let cases = [
            ("1", 1),
            ("[]", 2),
            ("[1,2,3]", 4),
            (r#"{"a":[{},{}],"b":"x,[{"}"#, 7),
            (r#"{"a":"\",","b":"\\\","c":","}"#, 4),
            (r#""\"#, 1),
        ];
        for (json, count) in cases {
            assert_eq!(values(json.as_bytes()), count, "{json}");
        }
    }
}
