//! Any HTTP call: a line of verb, path and query, then the body. A call of the contract gives a message of its type, or
//! is refused as the caller's mistake.
#![no_main]

use std::sync::LazyLock;

use http::Method;
use libfuzzer_sys::fuzz_target;
use mingcha::{
    http::Edge,
    wire::v1::{
        BatchScreenRequest, FindTermRequest, GetInstrumentRequest, ListInstrumentsRequest, PreviewRequest, ReloadRequest, ScreenRequest,
        ValidateRequest,
    },
};
use prost::Message;

const INVALID_ARGUMENT: i32 = 3;
static EDGE: LazyLock<Edge> = LazyLock::new(|| Edge::new().expect("the contract can be offered"));

/// Decodes the message of a call.
fn check(path: &str, message: &[u8]) {
    let decoded = match path {
        "/v1/screen" => ScreenRequest::decode(message).map(drop),
        "/v1/screen:batch" => BatchScreenRequest::decode(message).map(drop),
        "/v1/lists:validate" => ValidateRequest::decode(message).map(drop),
        "/v1/lists:preview" => PreviewRequest::decode(message).map(drop),
        "/v1/lists:reload" => ReloadRequest::decode(message).map(drop),
        "/v1/instruments" => ListInstrumentsRequest::decode(message).map(drop),
        "/v1/terms:find" => FindTermRequest::decode(message).map(drop),
        _ => GetInstrumentRequest::decode(message).map(|request| assert!(!request.id.is_empty(), "{path}")),
    };
    decoded.unwrap_or_else(|error| panic!("{path}: {error}"));
}

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (head, body) = input.split_at(end);
    let head = String::from_utf8_lossy(head);
    let (verb, target) = head.split_once(' ').unwrap_or(("POST", &head));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Ok(verb) = Method::from_bytes(verb.as_bytes()) else { return };
    // literal segments may be written with percent signs: they are not told apart by their text
    match EDGE.read(&verb, path, query, "application/json", body.strip_prefix(b"\n").unwrap_or_default()) {
        Some(Ok(message)) if !path.contains('%') => check(path, &message),
        Some(Ok(_)) | None => {}
        Some(Err(status)) => {
            assert_eq!(i32::from(status.code()), INVALID_ARGUMENT, "{status}");
            assert!(!status.message().is_empty() && !status.details().is_empty(), "{status}");
        }
    }
});
