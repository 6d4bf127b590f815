//! A body that holds something until it has been sent.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

/// Largest piece that is handed to the transport at a time, in bytes. The transport buffers what it is handed, and
/// what it buffers counts as sent.
const PIECE: usize = 64 << 10;

pin_project! {
    struct Held<G> {
        #[pin]
        body: Body,
        rest: Bytes,
        guard: G,
    }
}

impl<G> http_body::Body for Held<G> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.project();
        if this.rest.is_empty() {
            match this.body.poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => *this.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                other => return other,
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (behind, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(behind.lower() + rest);
        if let Some(upper) = behind.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

/// Drops `guard` when the body of `response` has been sent, or will not be.
pub(super) fn until_sent<G: Send + 'static>(response: Response, guard: G) -> Response {
    response.map(|body| Body::new(Held { body, rest: Bytes::new(), guard }))
}
