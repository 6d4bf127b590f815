//! JSON schemas (模式) of messages and enums, as the protobuf JSON mapping writes them.

use std::fmt::Write;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::{comments::Comments, reference};
use crate::wire::json::well_known;

/// The schemas that were asked for, and those that they refer to.
pub(super) struct Schemas<'c> {
    comments: &'c Comments,
    named: Map<String, Value>,
}

impl<'c> Schemas<'c> {
    pub(super) fn new(comments: &'c Comments) -> Self {
        Self { comments, named: Map::new() }
    }

    pub(super) fn into_map(self) -> Map<String, Value> {
        self.named
    }

    /// The schema of a message, by reference.
    pub(super) fn message(&mut self, message: &MessageDescriptor) -> Value {
        let name = message.full_name();
        if well_known(message) {
            return of_well_known(name);
        }
        if !self.named.contains_key(name) {
            self.named.insert(name.to_owned(), Value::Null); // a message may hold itself
            let properties: Map<String, Value> =
                message.fields().map(|field| (field.json_name().to_owned(), self.described(&field))).collect();
            let about = self.comments.at(&message.parent_file(), message.path());
            let schema = json!({ "type": "object", "description": about, "properties": properties });
            self.named.insert(name.to_owned(), schema);
        }
        reference(name)
    }

    /// The schema of a field's value.
    pub(super) fn field(&mut self, field: &FieldDescriptor) -> Value {
        match field.kind() {
            Kind::Message(entry) if field.is_map() => {
                json!({ "type": "object", "additionalProperties": self.kind(&entry.map_entry_value_field().kind()) })
            }
            kind if field.is_list() => json!({ "type": "array", "items": self.kind(&kind) }),
            kind => self.kind(&kind),
        }
    }

    fn described(&mut self, field: &FieldDescriptor) -> Value {
        let mut schema = self.field(field);
        let about = self.comments.at(&field.parent_message().parent_file(), field.path());
        if !about.is_empty() {
            schema["description"] = Value::from(about);
        }
        schema
    }

    fn kind(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Message(message) => self.message(message),
            Kind::Enum(values) => self.values(values),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::String => json!({ "type": "string" }),
            Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
            Kind::Double => json!({ "type": "number", "format": "double" }),
            Kind::Float => json!({ "type": "number", "format": "float" }),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({ "type": "integer", "format": "int32" }),
            Kind::Uint32 | Kind::Fixed32 => json!({ "type": "integer", "format": "uint32", "minimum": 0 }),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => json!({ "type": "string", "format": "int64" }),
            Kind::Uint64 | Kind::Fixed64 => json!({ "type": "string", "format": "uint64" }),
        }
    }

    /// The schema of an enum, by reference: the names of its values.
    fn values(&mut self, values: &EnumDescriptor) -> Value {
        let file = values.parent_file();
        let names: Vec<String> = values.values().map(|value| value.name().to_owned()).collect();
        let mut about = self.comments.at(&file, values.path()).to_owned();
        for value in values.values() {
            _ = write!(about, "\n- `{}`: {}", value.name(), self.comments.at(&file, value.path()));
        }
        self.named.insert(values.full_name().to_owned(), json!({ "type": "string", "description": about, "enum": names }));
        reference(values.full_name())
    }
}

/// Whether a query parameter can give a field its value.
pub(super) fn in_a_query(field: &FieldDescriptor) -> bool {
    match field.kind() {
        Kind::Message(message) => !field.is_map() && well_known(&message) && of_well_known(message.full_name())["type"] != "object",
        _ => true,
    }
}

fn of_well_known(name: &str) -> Value {
    match name.strip_prefix("google.protobuf.").unwrap_or_default() {
        "Timestamp" => json!({ "type": "string", "format": "date-time" }),
        "Duration" | "FieldMask" | "StringValue" | "BytesValue" | "Int64Value" | "UInt64Value" => json!({ "type": "string" }),
        "BoolValue" => json!({ "type": "boolean" }),
        "DoubleValue" | "FloatValue" => json!({ "type": "number" }),
        "Int32Value" | "UInt32Value" => json!({ "type": "integer" }),
        "ListValue" => json!({ "type": "array", "items": {} }),
        "Value" => json!({}),
        _ => json!({ "type": "object" }), // Any, Struct, Empty
    }
}
