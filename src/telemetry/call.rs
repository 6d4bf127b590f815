//! One call (一次调用), from its head to the end of its answer.

use std::{net::IpAddr, sync::Arc, time::Instant};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use opentelemetry::trace::Status;
use tonic::Code;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use super::{
    methods::{Method, code_name},
    metrics::{Held, Metrics},
    traces,
};
use crate::{
    auth::{Identity, Refusal},
    server::Peer,
};

/// The header that carries the request id, both ways.
pub const REQUEST_ID: &str = "x-request-id";
/// Longest request id that a client may choose.
const LONGEST_ID: usize = 64;
/// The target of the calls' spans and lines.
pub(super) const TARGET: &str = "mingcha::calls";

/// The id of a call, in the extensions of its request: the client's, or a new UUID version 7.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The client's id where it sent one of 1 to 64 visible ASCII characters, else a new one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let visible = |id: &&HeaderValue| (1..=LONGEST_ID).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
        headers.get(REQUEST_ID).filter(visible).map_or_else(Self::new, |id| Self(id.clone()))
    }

    fn new() -> Self {
        let mut text = Uuid::encode_buffer();
        let id = Uuid::now_v7().hyphenated().encode_lower(&mut text);
        Self(HeaderValue::from_str(id).unwrap_or_else(|_| HeaderValue::from_static("none"))) // a UUID is ASCII
    }

    /// It as the value of a header.
    pub(super) fn value(&self) -> &HeaderValue {
        &self.0
    }

    /// It as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default() // visible ASCII
    }
}

/// A call that is going on. Dropped before [`Call::finish`], it was cancelled.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) span: Span,
    metrics: Arc<Metrics>,
    /// In the methods of the metrics.
    method: usize,
    id: RequestId,
    peer: Option<IpAddr>,
    identity: Option<Arc<Identity>>,
    refusal: Option<Refusal>,
    begun: Instant,
    ended: bool,
    _in_flight: Held,
}

impl Call {
    /// Begins a call: its request id goes into the extensions of the request.
    pub(super) fn begin<B>(metrics: &Arc<Metrics>, request: &mut Request<B>) -> Self {
        let place = metrics.methods.place(request.uri().path());
        let method = metrics.methods.at(place);
        method.started();
        let id = RequestId::of(request.headers());
        let span = span(method, &id, request.headers());
        let peer = peer(request);
        request.extensions_mut().insert(id.clone());
        let (begun, in_flight) = (Instant::now(), Held::new(&metrics.calls_in_flight));
        let metrics = Arc::clone(metrics);
        Self { span, metrics, method: place, id, peer, identity: None, refusal: None, begun, ended: false, _in_flight: in_flight }
    }

    /// The head of the answer: it gets the request id and tells the identity.
    pub(super) fn answered<R>(&mut self, response: &mut Response<R>) {
        response.headers_mut().insert(REQUEST_ID, self.id.0.clone());
        self.refusal = response.extensions().get::<Refusal>().copied();
        if let Some(identity) = response.extensions().get::<Arc<Identity>>() {
            self.span.set_attribute("identity", identity.id.clone());
            self.identity = Some(Arc::clone(identity));
        }
    }

    /// The end of the answer.
    pub(super) fn finish(mut self, code: Code) {
        self.end(code);
    }

    fn end(&mut self, code: Code) {
        self.ended = true;
        let time = self.begun.elapsed();
        self.metrics.methods.at(self.method).handled(code, time);
        self.span.set_attribute("rpc.grpc.status_code", i64::from(code as i32));
        if is_fault(code) {
            self.span.set_status(Status::error(code_name(code)));
        }
        self.log(code, u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// The call's one line. It stands outside of the span, whose fields it would say again.
    fn log(&self, code: Code, duration_us: u64) {
        let method = self.metrics.methods.at(self.method).name;
        let (request_id, identity) = (self.id.as_str(), self.identity.as_ref().map(|identity| identity.id.as_str()));
        let refusal = self.refusal.map(Refusal::reason);
        let peer = self.peer.as_ref().map(tracing::field::display);
        let fault = is_fault(code);
        let code = code_name(code);
        if fault {
            tracing::warn!(target: TARGET, method, code, duration_us, request_id, identity, refusal, peer, "call");
        } else {
            tracing::info!(target: TARGET, method, code, duration_us, request_id, identity, refusal, peer, "call");
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.ended {
            self.end(if std::thread::panicking() { Code::Internal } else { Code::Cancelled });
        }
    }
}

/// What the log says of what happens inside is said in fields. All else is said to traces alone: the log would
/// write its fields anew with each one that comes later.
fn span(method: &Method, id: &RequestId, headers: &HeaderMap) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        "grpc.call",
        otel.name = method.name,
        otel.kind = "server",
        request_id = id.as_str(),
    );
    if !span.is_disabled() {
        if let Some(parent) = traces::parent(headers) {
            let _ = span.set_parent(parent); // where no traces are kept there is no parent to set
        }
        span.set_attribute("rpc.system", "grpc");
        span.set_attribute("rpc.service", method.service);
        span.set_attribute("rpc.method", method.short);
    }
    span
}

fn peer<B>(request: &Request<B>) -> Option<IpAddr> {
    request.extensions().get::<Peer>().map(|peer| peer.address.ip())
}

/// Whether the server is to blame.
fn is_fault(code: Code) -> bool {
    matches!(code, Code::Internal | Code::Unknown | Code::DataLoss | Code::Unavailable)
}

/// The code that trailers, or a head that is all there is, tell.
pub(super) fn of_status(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|code| Code::from_bytes(code.as_bytes()))
}

/// The code of an answer that tells none, by gRPC's own table.
pub(super) fn of_http(status: StatusCode) -> Code {
    match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(sent: &[u8]) -> RequestId {
        let value = HeaderValue::from_bytes(sent).expect("a header's value");
        RequestId::of(&HeaderMap::from_iter([(http::HeaderName::from_static(REQUEST_ID), value)]))
    }

    #[test]
    fn a_visible_id_is_kept() {
        for id in ["a", "order-17/3", &"x".repeat(64)] {
            assert_eq!(id_of(id.as_bytes()).as_str(), id);
        }
    }

    #[test]
    fn any_other_id_is_replaced() {
        let long = "x".repeat(65);
        for id in ["".as_bytes(), b"two words", "金".as_bytes(), b"tab\t", long.as_bytes()] {
            let new = Uuid::parse_str(id_of(id).as_str()).expect("a UUID");
            assert_eq!(new.get_version_num(), 7);
        }
        assert_ne!(RequestId::new(), RequestId::new());
    }
}
