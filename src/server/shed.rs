//! Load shedding (过载保护): so many calls at a time, and no queue. A call without a place is told at once when to come
//! again, so that those with one keep their latency.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::held::until_sent;
use crate::{
    auth::{Access, method},
    config::Limits,
    grpc::status,
    telemetry::{Metrics, labels::Shed},
};

/// The places there are.
#[derive(Debug, Clone)]
pub struct Places {
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    open_streams: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

impl Places {
    /// As many as the limits say.
    #[must_use]
    pub fn new(limits: &Limits, metrics: Arc<Metrics>) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self {
            calls: places(limits.concurrency),
            streams: places(limits.subscriptions),
            open_streams: places(limits.open_subscriptions),
            metrics,
        }
    }
}

/// The place of a call, in the extensions of its answer too: whoever keeps these, to write the answer anew, keeps it.
#[derive(Debug, Clone)]
struct Taken {
    _place: Arc<OwnedSemaphorePermit>,
}

/// Lets a call through where there is a place, which it holds until its answer has been sent. Streams have places of
/// their own: they stay; and those that need no identity others, so that nobody unknown takes the places of those who are
/// known. Health checks need none: they must be heard when the service is busiest.
pub async fn shed(State(places): State<Places>, request: Request, next: Next) -> Response {
    let method = method(request.uri().path());
    let open = method.is_some_and(|method| method.access == Access::Open);
    let (free, why) = match (method.is_some_and(|method| method.streams), open) {
        (false, true) => return next.run(request).await,
        (false, false) => (places.calls, Shed::Calls),
        (true, false) => (places.streams, Shed::Streams),
        (true, true) => (places.open_streams, Shed::OpenStreams),
    };
    match free.try_acquire_owned() {
        Ok(place) => {
            let taken = Taken { _place: Arc::new(place) };
            let mut response = next.run(request).await;
            response.extensions_mut().insert(taken.clone());
            until_sent(response, taken)
        }
        Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
            places.metrics.shed.of(why).inc();
            status::overloaded().into_http()
        }
    }
}
