//! The `OpenAPI` document (接口文档), from the descriptors: what the edge takes and gives, with the contract's comments.

mod comments;
mod schema;

use prost_reflect::{DescriptorPool, FieldDescriptor, MessageDescriptor};
use serde_json::{Map, Value, json};

use self::{comments::Comments, schema::Schemas};
use super::binding::{Binding, Body, Table, inside, resolve};

/// How deep in messages the query parameters are listed; those deeper still are taken.
const DEPTH: usize = 3;
/// Name of the schema that errors have.
const STATUS: &str = "google.rpc.Status";

/// The document of a contract's annotated methods.
pub(super) fn document(pool: &DescriptorPool, table: &Table) -> Value {
    let comments = Comments::of(pool);
    let mut schemas = Schemas::new(&comments);
    let mut paths: Map<String, Value> = Map::new();
    let mut tags: Map<String, Value> = Map::new();
    for binding in table.bindings() {
        let path = paths.entry(binding.template.plain()).or_insert_with(|| json!({}));
        path[binding.verb.as_str().to_ascii_lowercase()] = operation(binding, &comments, &mut schemas);
        let service = binding.method.parent_service();
        let about = comments.at(&service.parent_file(), service.path());
        tags.insert(service.name().to_owned(), json!({ "name": service.name(), "description": about }));
    }
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Mingcha 明察",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            "description": ABOUT,
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }, { "mutualTLS": [] }, {}],
        "tags": tags.into_iter().map(|(_, tag)| tag).collect::<Value>(),
        "paths": paths,
        "components": components(schemas),
    })
}

/// What operations refer to.
fn components(schemas: Schemas<'_>) -> Value {
    let mut schemas = schemas.into_map();
    schemas.insert(STATUS.to_owned(), status());
    json!({
        "schemas": schemas,
        "responses": { "Error": {
            "description": "What went wrong.",
            "content": { "application/json": { "schema": reference(STATUS) } },
        } },
        "securitySchemes": {
            "bearer": { "type": "http", "scheme": "bearer", "description": "A token; over TLS only." },
            "mutualTLS": { "type": "mutualTLS", "description": "A client certificate that names an identity." },
        },
    })
}

const ABOUT: &str = "Screens firm names (企业名称), business scopes (经营范围) and advertisements (广告) for words that Chinese law \
    keeps for licensed finance.\n\nThe protobuf JSON mapping of the gRPC contract: in answers a field that has its default is left out; in \
    requests fields may be spelled as in the contract (`entity_kind`), enum values may lack their prefix (`ENTERPRISE`) or be numbers, and \
    null is the default. Unknown fields and parameters are refused. A service without identities takes every call.";

fn operation(binding: &Binding, comments: &Comments, schemas: &mut Schemas<'_>) -> Value {
    let method = &binding.method;
    let service = method.parent_service();
    let about = comments.at(&method.parent_file(), method.path());
    let kind = if method.is_server_streaming() { "application/x-ndjson" } else { "application/json" };
    let mut answer = schemas.message(&method.output());
    if method.is_server_streaming() {
        answer = json!({ "type": "object", "properties": { "result": answer, "error": reference(STATUS) } });
    }
    let mut operation = json!({
        "operationId": operation_id(binding),
        "tags": [service.name()],
        "summary": about.split_inclusive(". ").next().unwrap_or_default().trim(),
        "description": about,
        "parameters": parameters(binding, comments, schemas),
        "responses": {
            "200": { "description": "The answer.", "content": { kind: { "schema": answer } } },
            "default": { "$ref": "#/components/responses/Error" },
        },
    });
    let body = match &binding.body {
        Body::None => return operation,
        Body::Whole => schemas.message(&method.input()),
        Body::Field(field) => schemas.field(field),
    };
    operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": body } } });
    operation
}

/// `ScreeningService_Screen`; a method's additional bindings have their place behind it.
fn operation_id(binding: &Binding) -> String {
    let name = format!("{}_{}", binding.method.parent_service().name(), binding.method.name());
    if binding.place == 0 { name } else { format!("{name}_{}", binding.place) }
}

/// The parameters in the path, then those in the query.
fn parameters(binding: &Binding, comments: &Comments, schemas: &mut Schemas<'_>) -> Vec<Value> {
    let input = binding.method.input();
    let in_path: Vec<(String, FieldDescriptor)> = binding.template.variables().filter_map(|path| last(&input, path)).collect();
    let mut in_query = Vec::new();
    if !matches!(binding.body, Body::Whole) {
        leaves(&input, "", 1, &mut in_query);
    }
    let taken = |field: &FieldDescriptor, path: &str| {
        let first = resolve(&input, path).and_then(|fields| fields.first().cloned());
        in_path.iter().any(|(_, other)| other == field) || matches!(&binding.body, Body::Field(body) if Some(body) == first.as_ref())
    };
    in_query.retain(|(path, field)| !taken(field, path));
    let mut parameter = |place: &str, (path, field): &(String, FieldDescriptor)| {
        let about = comments.at(&field.parent_message().parent_file(), field.path());
        json!({ "name": path, "in": place, "required": place == "path", "description": about, "schema": schemas.field(field) })
    };
    let filled_in = |path: &str| binding.template.filled_in().any(|name| name == path);
    let mut parameters: Vec<Value> = in_path.iter().filter(|(path, _)| filled_in(path)).map(|found| parameter("path", found)).collect();
    parameters.extend(in_query.iter().map(|found| parameter("query", found)));
    parameters
}

fn last(input: &MessageDescriptor, path: &str) -> Option<(String, FieldDescriptor)> {
    Some((path.to_owned(), resolve(input, path)?.pop()?))
}

/// Every field that a query parameter can name.
fn leaves(message: &MessageDescriptor, before: &str, depth: usize, found: &mut Vec<(String, FieldDescriptor)>) {
    for field in message.fields() {
        let path = format!("{before}{}", field.json_name());
        match inside(&field) {
            Some(message) if depth < DEPTH => leaves(&message, &format!("{path}."), depth + 1, found),
            None if schema::in_a_query(&field) => found.push((path, field)),
            _ => {}
        }
    }
}

/// Errors: `google.rpc.Status`, with details of any type.
fn status() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong. Details are those of google/rpc/error_details.proto: BadRequest names every field, ErrorInfo the \
            reason, RetryInfo when to try again.",
        "required": ["code", "message"],
        "properties": {
            "code": { "type": "integer", "format": "int32", "description": "A google.rpc.Code." },
            "message": { "type": "string", "description": "For people." },
            "details": { "type": "array", "items": {
                "type": "object", "required": ["@type"], "properties": { "@type": { "type": "string" } }, "additionalProperties": true,
            } },
        },
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}
