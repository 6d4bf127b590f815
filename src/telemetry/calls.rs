//! The outermost layer of every call (调用): its request id, its span, its counters, its line in the log.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::Code;
use tower::{Layer, Service};

use super::{
    call::{Call, of_http, of_status},
    metrics::Metrics,
};

/// Wraps a gRPC service in [`Calls`].
#[derive(Debug, Clone)]
pub struct CallsLayer {
    metrics: Arc<Metrics>,
}

impl CallsLayer {
    /// A layer that counts in `metrics`.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }
}

impl<S> Layer<S> for CallsLayer {
    type Service = Calls<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Calls { inner, metrics: Arc::clone(&self.metrics) }
    }
}

/// A gRPC service whose calls are seen: see [`CallsLayer`].
#[derive(Debug, Clone)]
pub struct Calls<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

impl<S, B, R> Service<Request<B>> for Calls<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<CallBody<R>>;
    type Error = S::Error;
    type Future = CallFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let call = Call::begin(&self.metrics, &mut request);
        let inner = call.span.in_scope(|| self.inner.call(request));
        CallFuture { inner, call: Some(call) }
    }
}

pin_project! {
    /// A call until the head of its answer.
    #[derive(Debug)]
    pub struct CallFuture<F> {
        #[pin]
        inner: F,
        call: Option<Call>,
    }
}

impl<F, R, E> Future for CallFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<CallBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = match &*this.call {
            Some(call) => call.span.in_scope(|| this.inner.poll(context)),
            None => this.inner.poll(context),
        };
        let answer = ready!(polled);
        let mut call = this.call.take();
        Poll::Ready(match answer {
            Ok(response) => Ok(answered(response, call)),
            Err(error) => {
                finish(&mut call, Code::Unknown);
                Err(error)
            }
        })
    }
}

/// Ends the call where its answer has ended with its head, or wraps the body that the rest is told by.
fn answered<R: Body>(mut response: Response<R>, mut call: Option<Call>) -> Response<CallBody<R>> {
    if let Some(call) = &mut call {
        call.answered(&mut response);
    }
    let missing = of_http(response.status());
    if let Some(code) = of_status(response.headers()) {
        finish(&mut call, code);
    } else if response.body().is_end_stream() {
        finish(&mut call, missing);
    }
    response.map(|inner| CallBody { inner, call, missing })
}

fn finish(call: &mut Option<Call>, code: Code) {
    if let Some(call) = call.take() {
        call.finish(code);
    }
}

pin_project! {
    /// The body of an answer: the call ends with it.
    #[derive(Debug)]
    pub struct CallBody<R> {
        #[pin]
        inner: R,
        call: Option<Call>,
        // the code where the body ends without a status
        missing: Code,
    }
}

impl<R: Body> Body for CallBody<R> {
    type Data = R::Data;
    type Error = R::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<R::Data>, R::Error>>> {
        let mut this = self.project();
        let polled = match &*this.call {
            Some(call) => call.span.in_scope(|| this.inner.as_mut().poll_frame(context)),
            None => this.inner.as_mut().poll_frame(context),
        };
        let frame = ready!(polled);
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    finish(this.call, of_status(trailers).unwrap_or(*this.missing));
                } else if this.inner.is_end_stream() {
                    finish(this.call, *this.missing); // no one will ask for more
                }
            }
            Some(Err(_)) => finish(this.call, Code::Unknown),
            None => finish(this.call, *this.missing),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
