//! Deadlines (时限): every call has one, the client's or the service's; when it has passed, the work stops.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::{connection::Peer, held::until_sent};
use crate::{auth::method, config::Limits, grpc::status};

/// How long a call may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// Where the client does not say.
    pub default: Duration,
    /// At most.
    pub longest: Duration,
}

impl From<&Limits> for Deadlines {
    fn from(limits: &Limits) -> Self {
        Self { default: limits.deadline, longest: limits.longest_deadline }
    }
}

/// Until when a call has, in the extensions of its answer: for what is done with it behind the call, such as its JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Until(pub Instant);

/// Ends a call at its deadline with `DEADLINE_EXCEEDED`: its handler is dropped, a stream is closed, and a connection
/// whose client does not take the answer is given up. A stream without a deadline of the client's goes on.
pub async fn deadline(State(deadlines): State<Deadlines>, request: Request, next: Next) -> Response {
    let asked = match asked(request.headers()) {
        Ok(asked) => asked,
        Err(bad) => return status::bad_deadline(&bad).into_http(),
    };
    let streams = method(request.uri().path()).is_some_and(|method| method.streams);
    let at = match asked {
        None if streams => return next.run(request).await,
        None => Instant::now() + deadlines.default,
        Some(asked) => Instant::now() + asked.min(deadlines.longest),
    };
    let unsent = request.extensions().get::<Peer>().map(|peer| peer.expect_sent(at));
    match timeout_at(at, next.run(request)).await {
        Ok(mut response) => {
            response.extensions_mut().insert(Until(at));
            until_sent(response.map(|body| Body::new(Bounded { body, at, sleep: None })), unsent)
        }
        Err(_) => status::too_late().into_http(),
    }
}

/// Gives up a connection whose client does not take an answer that no longer is the gRPC call's, such as its JSON.
pub async fn sent_in_time(State(deadlines): State<Deadlines>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().cloned();
    let response = next.run(request).await;
    let unsent = peer.map(|peer| peer.expect_sent(Instant::now() + deadlines.default));
    until_sent(response, unsent)
}

/// The time a client gives, from `grpc-timeout`: up to eight digits and a unit.
fn asked(headers: &HeaderMap) -> Result<Option<Duration>, String> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    parse(text).map(Some).ok_or_else(|| format!("'{}' is not one to eight digits and a unit of H, M, S, m, u or n", text.escape_debug()))
}

/// Reads one to eight digits and a unit.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

pin_project! {
    /// A body that ends at a deadline. Its clock is wound up only where it has to wait: most answers are there at once.
    struct Bounded {
        #[pin]
        body: Body,
        at: Instant,
        sleep: Option<Pin<Box<Sleep>>>,
    }
}

impl http_body::Body for Bounded {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        if let Poll::Ready(frame) = this.body.poll_frame(context) {
            return Poll::Ready(frame);
        }
        let at = *this.at;
        let sleep = this.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        sleep.as_mut().poll(context).map(|()| Some(Ok(Frame::trailers(status::trailers(&status::too_late())))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn timeouts_of_grpc() {
        let cases = [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("30S", Some(Duration::from_secs(30))),
            ("99999999m", Some(Duration::from_millis(99_999_999))),
            ("5u", Some(Duration::from_micros(5))),
            ("0n", Some(Duration::ZERO)),
            ("", None),
            ("S", None),
            ("10", None),
            ("-1S", None),
            ("+1S", None),
            ("1.5S", None),
            ("100000000S", None),
            ("１S", None),
            ("1秒", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
