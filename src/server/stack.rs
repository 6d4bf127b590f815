//! The layers of a call (调用层次).

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
};
use http::{HeaderName, HeaderValue, Method, header};
use tonic_web::GrpcWebLayer;
use tower::ServiceBuilder;
use tower_http::{catch_panic::CatchPanicLayer, cors::CorsLayer};

use super::{
    caller::{Callers, admit},
    deadline::{Deadlines, deadline, sent_in_time},
    shed::{Places, shed},
};
use crate::{
    config::{Http, Limits},
    grpc::status,
    http::{ContractError, Edge, no_such_path},
    telemetry::{CallsLayer, Metrics},
};

/// Puts the layers of a gRPC call round what answers it. Outermost first: the call is counted and logged, its caller is
/// admitted, it finds a place, has a deadline, and a handler that panics fails its own call only.
pub fn layered(answers: Router, limits: &Limits, callers: Arc<Callers>, metrics: &Arc<Metrics>) -> Router {
    answers
        .layer(CatchPanicLayer::custom(|_| status::handler_died().into_http::<Body>()))
        .layer(from_fn_with_state(Deadlines::from(limits), deadline))
        .layer(from_fn_with_state(Places::new(limits, Arc::clone(metrics)), shed))
        .layer(from_fn_with_state((callers, Arc::clone(metrics)), admit))
        .layer(CallsLayer::new(Arc::clone(metrics)))
}

/// The ways in to a gRPC service with its layers: gRPC, gRPC-Web, and JSON over HTTP, all on one port.
///
/// # Errors
/// [`ContractError`] where the contract cannot be offered over HTTP.
pub fn doors(grpc: Router, limits: &Limits, http: &Http) -> Result<Router, ContractError> {
    let json = Edge::new()?.request_bytes(limits.request_bytes).answer_bytes(limits.answer_bytes).routes(grpc.clone());
    let web = ServiceBuilder::new()
        .map_response(|response: Response<tonic::body::Body>| response.map(Body::new))
        .layer(GrpcWebLayer::new())
        .map_request(|request: http::Request<tonic::body::Body>| request.map(Body::new));
    let json = json.layer(from_fn_with_state(Deadlines::from(limits), sent_in_time));
    let doors = grpc.layer(web).layer(from_fn(only_grpc)).merge(json);
    Ok(if http.cors_origins.is_empty() { doors } else { doors.layer(cors(http)) })
}

/// What is no gRPC has nothing to look for here.
async fn only_grpc(request: Request, next: Next) -> Response {
    let kind = request.headers().get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
        next.run(request).await
    } else {
        no_such_path(request.uri().path())
    }
}

/// Pages of these origins may call.
fn cors(http: &Http) -> CorsLayer {
    let origins: Vec<HeaderValue> = http.cors_origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    let headers = |names: &[&'static str]| names.iter().map(|name| HeaderName::from_static(name)).collect::<Vec<_>>();
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::PATCH, Method::POST])
        .allow_headers(headers(&[
            "authorization",
            "content-type",
            "grpc-timeout",
            "traceparent",
            "tracestate",
            "x-grpc-web",
            "x-request-id",
            "x-user-agent",
        ]))
        .expose_headers(headers(&["grpc-message", "grpc-status", "grpc-status-details-bin", "retry-after", "x-request-id"]))
}
