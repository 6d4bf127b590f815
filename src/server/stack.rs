//! The layers of a call (调用层次), outermost first: the caller is admitted, finds a place, has a deadline, and a handler
//! that panics fails its own call only.

use std::sync::Arc;

use axum::{Router, body::Body, middleware::from_fn_with_state};
use tower_http::catch_panic::CatchPanicLayer;

use super::{
    caller::{Callers, admit},
    deadline::{Deadlines, deadline},
    shed::{Places, shed},
};
use crate::{config::Limits, grpc::status};

/// Puts the layers round what answers.
pub fn layered(answers: Router, limits: &Limits, callers: Arc<Callers>) -> Router {
    answers
        .layer(CatchPanicLayer::custom(|_| status::handler_died().into_http::<Body>()))
        .layer(from_fn_with_state(Deadlines::from(limits), deadline))
        .layer(from_fn_with_state(Places::new(limits), shed))
        .layer(from_fn_with_state(callers, admit))
}
