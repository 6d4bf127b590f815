//! Which HTTP call (绑定) a method is, as `google.api.http` says it in the contract.

use http::Method;
use http::uri::PathAndQuery;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value};

use super::template::{Captured, NoText, Template};
use crate::wire::json;

/// Longest field path, in names: messages can hold themselves, and paths come from callers.
pub(super) const LONGEST_PATH: usize = 16;

/// What keeps a contract from being offered over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// The descriptor set cannot be read.
    #[error("the descriptor set cannot be read: {0}")]
    Descriptors(String),
    /// An annotation that cannot be followed.
    #[error("the google.api.http of {method}: {reason}")]
    Rule {
        /// Full name of the method.
        method: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// An HTTP call and the method it stands for.
#[derive(Debug, Clone)]
pub(super) struct Binding {
    pub(super) verb: Method,
    pub(super) template: Template,
    pub(super) body: Body,
    pub(super) method: MethodDescriptor,
    /// `/package.Service/Method`.
    pub(super) path: PathAndQuery,
    /// Its place among the bindings of its method: 0 for the first.
    pub(super) place: usize,
}

/// What of a request its body holds.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// Nothing: fields are query parameters.
    None,
    /// All that the path does not: there are no query parameters.
    Whole,
    /// One field; the others are query parameters.
    Field(FieldDescriptor),
}

impl Binding {
    /// Whether the request's body matters.
    pub(super) fn has_body(&self) -> bool {
        !matches!(self.body, Body::None)
    }
}

/// Every binding of a contract.
#[derive(Debug)]
pub(super) struct Table(Vec<Binding>);

/// What the table says of a call.
pub(super) enum Found<'t> {
    /// This binding, and the values in its path.
    Binding(&'t Binding, Vec<Captured>),
    /// Another verb: these would do.
    Verbs(Vec<Method>),
    /// No such path.
    Nothing,
    /// A path that is no text.
    NoText,
}

impl Table {
    /// Every annotated method of a descriptor set.
    pub(super) fn of(pool: &DescriptorPool) -> Result<Self, ContractError> {
        let mut bindings = Vec::new();
        for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            read(&method, &mut bindings).map_err(|reason| ContractError::Rule { method: method.full_name().to_owned(), reason })?;
        }
        bindings.sort_by_cached_key(|binding| binding.template.order());
        Ok(Self(bindings))
    }

    pub(super) fn bindings(&self) -> &[Binding] {
        &self.0
    }

    /// The binding of a call.
    pub(super) fn find(&self, verb: &Method, path: &str) -> Found<'_> {
        let mut verbs = Vec::new();
        for binding in &self.0 {
            match binding.template.matches(path) {
                None => {}
                Some(_) if binding.verb != *verb => verbs.push(binding.verb.clone()),
                Some(Ok(captured)) => return Found::Binding(binding, captured),
                Some(Err(NoText)) => return Found::NoText,
            }
        }
        if verbs.is_empty() { Found::Nothing } else { Found::Verbs(verbs) }
    }
}

/// Reads the annotation of a method, where it has one.
fn read(method: &MethodDescriptor, bindings: &mut Vec<Binding>) -> Result<(), String> {
    let options = method.options();
    let Some(extension) = method.parent_pool().get_extension_by_name("google.api.http") else { return Ok(()) };
    if !options.has_extension(&extension) {
        return Ok(());
    }
    if method.is_client_streaming() {
        return Err("a method that takes a stream cannot be called so".to_owned());
    }
    let value = options.get_extension(&extension);
    let rule = value.as_message().ok_or("it is no message")?;
    bindings.push(binding(method, rule, 0)?);
    for (place, more) in list(rule, "additional_bindings").iter().enumerate() {
        bindings.push(binding(method, more, place + 1)?);
    }
    Ok(())
}

fn binding(method: &MethodDescriptor, rule: &DynamicMessage, place: usize) -> Result<Binding, String> {
    let (verb, path) = pattern(rule)?;
    let template = Template::parse(&path).ok_or_else(|| format!("'{path}' is no path template"))?;
    if !text(rule, "response_body").is_empty() {
        return Err("response_body is not known here".to_owned());
    }
    for variable in template.variables() {
        let field = resolve(&method.input(), variable).and_then(|fields| fields.last().cloned());
        if !field.is_some_and(|field| scalar(&field)) {
            return Err(format!("'{variable}' is no field with one plain value"));
        }
    }
    let body = body(&method.input(), &text(rule, "body"))?;
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let path = path.parse().map_err(|_| "its name is no path")?;
    Ok(Binding { verb, template, body, method: method.clone(), path, place })
}

fn body(input: &MessageDescriptor, name: &str) -> Result<Body, String> {
    match name {
        "" => Ok(Body::None),
        "*" => Ok(Body::Whole),
        name => input.get_field_by_name(name).map(Body::Field).ok_or_else(|| format!("the request has no field '{name}'")),
    }
}

/// Verb and path template of a rule.
fn pattern(rule: &DynamicMessage) -> Result<(Method, String), String> {
    for (field, verb) in
        [("get", Method::GET), ("put", Method::PUT), ("post", Method::POST), ("delete", Method::DELETE), ("patch", Method::PATCH)]
    {
        if rule.has_field_by_name(field) {
            return Ok((verb, text(rule, field)));
        }
    }
    Err("it names none of get, put, post, delete, patch".to_owned())
}

fn text(rule: &DynamicMessage, field: &str) -> String {
    rule.get_field_by_name(field).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn list(rule: &DynamicMessage, field: &str) -> Vec<DynamicMessage> {
    let value = rule.get_field_by_name(field);
    let items = value.as_deref().and_then(Value::as_list).unwrap_or_default();
    items.iter().filter_map(Value::as_message).cloned().collect()
}

/// The fields that a path such as `draft.base_lists_hash` goes through; all but the last are messages.
pub(super) fn resolve(message: &MessageDescriptor, path: &str) -> Option<Vec<FieldDescriptor>> {
    let mut fields: Vec<FieldDescriptor> = Vec::new();
    for name in path.split('.') {
        let inside = match fields.last() {
            None => message.clone(),
            Some(field) => inside(field)?,
        };
        fields.push(json::field(&inside, name)?);
        if fields.len() > LONGEST_PATH {
            return None;
        }
    }
    Some(fields)
}

/// The message whose fields can be named behind a field's dot.
pub(super) fn inside(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(message) if !field.is_list() && !field.is_map() && !json::well_known(&message) => Some(message),
        _ => None,
    }
}

/// Whether a field has one value, and that is no message.
fn scalar(field: &FieldDescriptor) -> bool {
    !field.is_list() && !matches!(field.kind(), Kind::Message(_))
}
