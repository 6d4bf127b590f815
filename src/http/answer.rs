//! From a message or a status to an HTTP answer (应答): `application/json`; errors are `google.rpc.Status`.

use std::io;

use axum::{body::Body, response::Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::{Map, Value, json};
use tonic::{Code, Status, metadata::MetadataMap};
use tonic_types::{StatusExt, pb};

use super::{
    call::passes,
    request::{DOMAIN, NOT_JSON, TOO_LARGE},
};
use crate::{server::workers::Cancelled, telemetry::Uncalled};

/// One JSON value.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// One JSON value a line.
pub(super) const JSON_LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// A line of an answer that is a stream: `{"result":…}`, or at its end `{"error":…}`.
pub(super) fn line(pool: &DescriptorPool, written: Result<Vec<u8>, Status>) -> Vec<u8> {
    let (key, value) = match written {
        Ok(text) => ("result", text),
        Err(status) => ("error", status_json(pool, &status).to_string().into_bytes()),
    };
    [format!("{{\"{key}\":").as_bytes(), &value, b"}\n"].concat()
}

/// The JSON of a message: as the command line writes it, fields that have their default are left out.
///
/// # Errors
/// `INTERNAL` where the service answered with what is no such message, and where nobody waits for it any more.
pub(super) fn json(output: &MessageDescriptor, message: &[u8], cancelled: &Cancelled) -> Result<Vec<u8>, Status> {
    let broken = |what: &str, error: &dyn std::fmt::Display| Status::internal(format!("the answer {what}: {error}"));
    let message = DynamicMessage::decode(output.clone(), message).map_err(|error| broken("is no message of its type", &error))?;
    let mut text = Text { written: Vec::new(), cancelled };
    write(&message, &mut serde_json::Serializer::new(&mut text)).map_err(|error| broken("has no JSON", &error))?;
    Ok(text.written)
}

/// A text that is written while somebody waits for it.
struct Text<'c> {
    written: Vec<u8>,
    cancelled: &'c Cancelled,
}

impl io::Write for Text<'_> {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.cancelled.is_cancelled() {
            return Err(io::Error::other("nobody waits for it"));
        }
        self.written.write(more)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write<S: serde::Serializer>(message: &DynamicMessage, serializer: S) -> Result<S::Ok, S::Error> {
    message.serialize_with_options(serializer, &SerializeOptions::new().skip_default_fields(true))
}

/// An answer of this kind, with what of the call's metadata is the caller's business.
pub(super) fn answer(status: StatusCode, kind: HeaderValue, metadata: MetadataMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    *headers = metadata.into_headers();
    let strange: Vec<HeaderName> = headers.keys().filter(|name| !passes(name)).cloned().collect();
    for name in strange {
        headers.remove(name);
    }
    headers.insert(header::CONTENT_TYPE, kind);
    response
}

/// The answer to a call that failed.
pub(super) fn error(pool: &DescriptorPool, status: &Status) -> Response {
    let code = http_status(status);
    let body = Body::from(status_json(pool, status).to_string());
    let mut response = answer(code, JSON, status.metadata().clone(), body);
    if code == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    let delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
    if let Some(delay) = delay {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The answer where there is no such path: 404, as `google.rpc.Status`.
#[must_use]
pub fn no_such_path(path: &str) -> Response {
    uncalled(plain_error(StatusCode::NOT_FOUND, Code::NotFound, &format!("there is nothing at {path}")), Uncalled::NoSuchPath)
}

/// The answer where a path has other verbs.
pub(super) fn wrong_verb(verbs: &[Method]) -> Response {
    let mut allowed: Vec<&str> = verbs.iter().map(Method::as_str).collect();
    allowed.sort_unstable();
    allowed.dedup();
    let allowed = allowed.join(", ");
    let mut response = plain_error(StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented, &format!("this path takes {allowed}"));
    if let Ok(value) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    uncalled(response, Uncalled::WrongVerb)
}

/// Says of an answer that it is none to a call.
pub(super) fn uncalled(mut response: Response, what: Uncalled) -> Response {
    response.extensions_mut().insert(what);
    response
}

fn plain_error(status: StatusCode, code: Code, message: &str) -> Response {
    let body = json!({ "code": i32::from(code), "message": message }).to_string();
    answer(status, JSON, MetadataMap::new(), Body::from(body))
}

/// `google.rpc.Status` as JSON. Of a detail that the contract does not know it says the type.
pub(super) fn status_json(pool: &DescriptorPool, status: &Status) -> Value {
    let details = pb::Status::decode(status.details()).map(|status| status.details).unwrap_or_default();
    let mut value = json!({ "code": i32::from(status.code()), "message": status.message() });
    if !details.is_empty() {
        value["details"] = details.iter().map(|detail| detail_json(pool, &detail.type_url, &detail.value)).collect();
    }
    value
}

fn detail_json(pool: &DescriptorPool, type_url: &str, value: &[u8]) -> Value {
    let known = type_url.rsplit('/').next().and_then(|name| pool.get_message_by_name(name));
    let message = known.and_then(|known| DynamicMessage::decode(known, value).ok());
    let mut fields = match message.and_then(|message| write(&message, serde_json::value::Serializer).ok()) {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    fields.insert("@type".to_owned(), Value::from(type_url));
    Value::Object(fields)
}

/// The HTTP status of a gRPC status: `google.rpc.Code` says which.
fn http_status(status: &Status) -> StatusCode {
    let reason = status.get_details_error_info().filter(|info| info.domain == DOMAIN).map(|info| info.reason);
    match (reason.as_deref(), status.code()) {
        (Some(TOO_LARGE), _) => StatusCode::PAYLOAD_TOO_LARGE,
        (Some(NOT_JSON), _) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        (_, Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange) => StatusCode::BAD_REQUEST,
        (_, Code::Unauthenticated) => StatusCode::UNAUTHORIZED,
        (_, Code::PermissionDenied) => StatusCode::FORBIDDEN,
        (_, Code::NotFound) => StatusCode::NOT_FOUND,
        (_, Code::AlreadyExists | Code::Aborted) => StatusCode::CONFLICT,
        (_, Code::ResourceExhausted) => StatusCode::TOO_MANY_REQUESTS,
        (_, Code::Cancelled) => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST), // client closed request
        (_, Code::Unimplemented) => StatusCode::NOT_IMPLEMENTED,
        (_, Code::Unavailable) => StatusCode::SERVICE_UNAVAILABLE,
        (_, Code::DeadlineExceeded) => StatusCode::GATEWAY_TIMEOUT,
        (_, Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
