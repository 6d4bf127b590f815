//! Answers over HTTP that are no calls (非调用应答): the `OpenAPI` document, and that there is nothing here. They have a
//! request id, a counter and a line in the log as calls have.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::HeaderName;

use super::{
    call::{REQUEST_ID, RequestId, TARGET},
    metrics::Metrics,
};
use crate::{server::Peer, vocabulary::vocabulary};

vocabulary! {
    /// What was answered, in the extensions of the answer.
    Uncalled {
        /// The `OpenAPI` document.
        OpenApi = "openapi", "接口文档";
        /// There is nothing at this path.
        NoSuchPath = "no_such_path", "无此路径";
        /// There is, but not for this verb.
        WrongVerb = "wrong_verb", "方法不符";
        /// The path is no text.
        BadPath = "bad_path", "路径有误";
    }
}

/// Gives every request its id, for the call that it may become, and every answer that of its request. What was no call is
/// counted and logged here; its path is not: a caller may write into it what it likes.
pub async fn seen(State(metrics): State<Arc<Metrics>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let peer = request.extensions().get::<Peer>().map(|peer| peer.address.ip());
    let name = HeaderName::from_static(REQUEST_ID);
    request.headers_mut().insert(name.clone(), id.value().clone());
    let mut response = next.run(request).await;
    response.headers_mut().entry(name).or_insert_with(|| id.value().clone());
    if let Some(uncalled) = response.extensions().get::<Uncalled>() {
        metrics.uncalled.of(*uncalled).inc();
        let (answer, request_id, peer) = (uncalled.id(), id.as_str(), peer.as_ref().map(tracing::field::display));
        tracing::info!(target: TARGET, answer, request_id, peer, "no call");
    }
    response
}
