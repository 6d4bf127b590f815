//! Load shedding (过载保护): so many calls at a time, and no queue. A call without a place is told at once when to come
//! again, so that those with one keep their latency.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use tokio::sync::{Semaphore, TryAcquireError};

use super::held::until_sent;
use crate::{
    auth::{Access, method},
    config::Limits,
    grpc::status,
};

/// The places there are.
#[derive(Debug, Clone)]
pub struct Places {
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl Places {
    /// As many as the limits say.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { calls: Arc::new(Semaphore::new(limits.concurrency)), streams: Arc::new(Semaphore::new(limits.subscriptions)) }
    }
}

/// Lets a call through where there is a place, which it holds until its answer has been sent. Streams have places of
/// their own: they stay. Health checks need none: they must be heard when the service is busiest.
pub async fn shed(State(places): State<Places>, request: Request, next: Next) -> Response {
    let method = method(request.uri().path());
    let streams = method.is_some_and(|method| method.streams);
    if !streams && method.is_some_and(|method| method.access == Access::Open) {
        return next.run(request).await;
    }
    let places = if streams { places.streams } else { places.calls };
    match places.try_acquire_owned() {
        Ok(place) => until_sent(next.run(request).await, place),
        Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => status::overloaded().into_http(),
    }
}
