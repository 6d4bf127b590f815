//! The layers of a call (调用层次).

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use http::{HeaderName, HeaderValue, Method, header};
use tonic_web::GrpcWebLayer;
use tower::{ServiceBuilder, ServiceExt};
use tower_http::{catch_panic::CatchPanicLayer, cors::CorsLayer};

use super::{
    caller::{Callers, admit},
    deadline::{Deadlines, deadline, sent_in_time},
    shed::{Places, shed},
    workers::Workers,
};
use crate::{
    config::{Http, Limits},
    grpc::status,
    http::{ContractError, Edge, no_such_path},
    telemetry::{CallsLayer, Metrics, seen},
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

/// The ways in to a gRPC service with its layers: gRPC, gRPC-Web, and JSON over HTTP, all on one port. `workers` read and
/// write long texts of JSON.
///
/// # Errors
/// [`ContractError`] where the contract cannot be offered over HTTP.
pub fn doors(grpc: Router, workers: &Workers, limits: &Limits, http: &Http, metrics: &Arc<Metrics>) -> Result<Router, ContractError> {
    let edge = Edge::new()?.request_bytes(limits.request_bytes).answer_bytes(limits.answer_bytes).workers(workers.clone());
    let web = ServiceBuilder::new()
        .map_response(|response: Response<tonic::body::Body>| response.map(Body::new))
        .layer(GrpcWebLayer::new())
        .map_request(|request: http::Request<tonic::body::Body>| request.map(Body::new));
    let seen = || from_fn_with_state(Arc::clone(metrics), seen);
    let json = edge.routes(grpc.clone()).layer(from_fn_with_state(Deadlines::from(limits), sent_in_time)).layer(seen());
    let nothing = Router::new().fallback(nothing).layer(seen());
    let doors = grpc.layer(web).layer(from_fn_with_state(nothing, only_grpc)).merge(json);
    Ok(if http.cors_origins.is_empty() { doors } else { doors.layer(cors(http)) })
}

/// What is no gRPC has nothing to look for here.
async fn only_grpc(State(nothing): State<Router>, request: Request, next: Next) -> Response {
    let kind = request.headers().get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
        next.run(request).await
    } else {
        nothing.oneshot(request).await.unwrap_or_else(|never| match never {})
    }
}

async fn nothing(request: Request) -> Response {
    no_such_path(request.uri().path())
}

/// Pages of these origins may call.
fn cors(http: &Http) -> CorsLayer {
    let origins: Vec<HeaderValue> = http.cors_origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    let headers = |names: &[&'static str]| names.iter().map(|name| HeaderName::from_static(name)).collect::<Vec<_>>();
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::DELETE, Method::GET, Method::PATCH, Method::POST])
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
