//! Connections, places and deadlines.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, response::Response, routing::post};
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use mingcha::{
    config::Limits,
    server::{caller::Callers, connection::Closed, deadline::Until, stack::layered},
    telemetry::{Metrics, labels::Shed},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    time::timeout,
};
use tonic::{Code, Status};
use tower::ServiceExt;

use super::{Client, PATIENCE, Plan, SCREEN};

const WATCH: &str = "/grpc.health.v1.Health/Watch";

async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest)).await.is_ok() // an error is an end too
}

fn short(silence: u64) -> Limits {
    Limits { silence: Duration::from_millis(silence), ..Limits::default() }
}

#[tokio::test]
async fn silent_clients_are_shown_out() {
    let house = Plan { limits: short(200), ..Plan::default() }.build().await;
    let halves: [&[u8]; 5] =
        [b"", b"PRI * HTT", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"POST / HT", b"GET / HTTP/1.1\r\nhost: somewhere\r\nx-slow: "];
    for said in halves {
        let mut stream = house.connect().await;
        stream.write_all(said).await.expect("the house listens");
        assert!(is_closed(&mut stream).await, "{}", said.escape_ascii());
    }
    house.until_closed(Closed::Silent).await;
}

#[tokio::test]
async fn a_client_that_has_called_may_rest() {
    let house = Plan { limits: short(200), ..Plan::default() }.build().await;
    let mut client = house.client().await;
    assert_eq!(client.call(SCREEN, &[]).await.code, Code::Ok);
    tokio::time::sleep(Duration::from_millis(800)).await; // four times the silence
    assert_eq!(client.call(SCREEN, &[]).await.code, Code::Ok);
    assert!(Closed::ALL.iter().all(|why| house.closed(*why) == 0));
}

/// A client that has called and then does nothing is shown out; one whose stream goes on is not, nor one that calls.
#[tokio::test]
async fn idle_clients_are_shown_out() {
    let limits = Limits { idle: Duration::from_millis(500), ..Limits::default() };
    let endless = || async { Response::builder().header("content-type", "application/grpc").body(Body::new(Endless)).expect("an answer") };
    let answers = Router::new().route(WATCH, post(endless)).fallback(super::welcome);
    let house = Plan { answers, limits, ..Plan::default() }.build().await;
    let mut watching = house.client().await;
    let mut open = watching.send(WATCH, &[]).await.expect("an answer");
    let mut plain = house.connect().await;
    plain.write_all(b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await.expect("sent");
    let mut idle = house.client().await;
    assert_eq!(idle.call(SCREEN, &[]).await.code, Code::Ok);
    house.until_closed(Closed::Idle).await;
    assert!(is_closed(&mut plain).await, "over HTTP/1 it is not closed");
    let both = timeout(PATIENCE, async {
        while house.closed(Closed::Idle) < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    both.await.expect("both are closed");
    assert!(timeout(Duration::from_millis(100), open.body_mut().frame()).await.is_err(), "the stream goes on");
    assert_eq!(watching.call(SCREEN, &[]).await.code, Code::Ok);
    assert_eq!(house.closed(Closed::CutOff), 0);
}

#[tokio::test]
async fn one_address_does_not_take_all_connections() {
    let house = Plan { limits: Limits { connections: 10, peer_connections: 2, ..Limits::default() }, ..Plan::default() }.build().await;
    let (mut first, mut second) = (house.client().await, house.client().await);
    assert_eq!((first.call(SCREEN, &[]).await.code, second.call(SCREEN, &[]).await.code), (Code::Ok, Code::Ok));
    let mut third = house.connect().await;
    assert!(is_closed(&mut third).await);
    assert_eq!((house.closed(Closed::PeerFull), house.closed(Closed::Full)), (1, 0));
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.2:0".parse().expect("an address")).expect("another address of this machine");
    let mut other = Client::over(socket.connect(house.address).await.expect("the house is open")).await.expect("HTTP/2");
    assert_eq!(other.call(SCREEN, &[]).await.code, Code::Ok);
    drop(first);
    let again = timeout(PATIENCE, async {
        loop {
            if let Ok(mut client) = Client::over(house.connect().await).await
                && client.send(SCREEN, &[]).await.is_ok()
            {
                return;
            }
        }
    });
    again.await.expect("the place of the first is not given to another");
}

#[tokio::test]
async fn garbage_closes_its_own_connection_only() {
    let house = Plan::default().build().await;
    let mut good = house.client().await;
    let frames: [&[u8]; 3] = [
        b"\x00\x01\x02\x03 garbage\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x04\x01\x05\x00\x00\x00\x01\xff\xff\xff\xff",
    ];
    for frame in frames {
        let mut stream = house.connect().await;
        stream.write_all(frame).await.expect("the house listens");
        assert!(is_closed(&mut stream).await, "{}", frame.escape_ascii());
        assert_eq!(good.call(SCREEN, &[]).await.code, Code::Ok);
    }
    house.until_closed(Closed::Protocol).await;
}

#[tokio::test]
async fn the_house_is_full_and_has_room_again() {
    let house = Plan { limits: Limits { connections: 2, ..Limits::default() }, ..Plan::default() }.build().await;
    let mut first = house.client().await;
    let mut second = house.client().await;
    assert_eq!((first.call(SCREEN, &[]).await.code, second.call(SCREEN, &[]).await.code), (Code::Ok, Code::Ok));
    let mut third = house.connect().await;
    assert!(is_closed(&mut third).await);
    assert_eq!(house.closed(Closed::Full), 1);
    drop(first);
    let again = timeout(PATIENCE, async {
        loop {
            if let Ok(mut client) = Client::over(house.connect().await).await
                && client.send(SCREEN, &[]).await.is_ok()
            {
                return;
            }
        }
    });
    again.await.expect("the place of the first is not given to another");
}

#[tokio::test]
async fn headers_are_limited() {
    let house = Plan::default().build().await;
    let long = "x".repeat(20_000);
    let mut client = house.client().await;
    let answered = client.send(SCREEN, &[("x-long", &long)]).await;
    assert!(answered.as_ref().map_or(true, |response| response.status() == 431), "{answered:?}");
    assert_eq!(house.client().await.call(SCREEN, &[]).await.code, Code::Ok);
}

/// Answers when told to, and counts how many calls came in and how many were given up.
fn slow(told: &Arc<Notify>, given_up: &Arc<AtomicUsize>) -> Router {
    struct GivenUp(Arc<AtomicUsize>, bool);
    impl Drop for GivenUp {
        fn drop(&mut self) {
            self.0.fetch_add(usize::from(!self.1), Ordering::SeqCst);
        }
    }
    let (told, given_up) = (Arc::clone(told), Arc::clone(given_up));
    let handler = move || async move {
        let mut until = GivenUp(given_up, false);
        told.notified().await;
        until.1 = true;
        Status::ok("").into_http::<Body>()
    };
    Router::new().route(SCREEN, post(handler)).fallback(super::welcome)
}

#[tokio::test]
async fn calls_without_a_place_are_shed_at_once_and_health_is_not() {
    let (told, given_up) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let limits = Limits { concurrency: 2, ..Limits::default() };
    let house = Plan { answers: slow(&told, &given_up), limits, ..Plan::default() }.build().await;
    let client = house.client().await;
    let held: Vec<_> =
        (0..2).map(|_| client.clone()).map(|mut client| tokio::spawn(async move { client.call(SCREEN, &[]).await.code })).collect();
    let mut client = client;
    let shed = timeout(PATIENCE, async {
        loop {
            let seen = client.call("/mingcha.v1.WordlistService/FindTerm", &[]).await;
            if seen.code == Code::ResourceExhausted {
                return seen;
            }
        }
    });
    let shed = shed.await.expect("the places are never taken");
    assert_eq!(shed.reason().0, "OVERLOADED");
    assert_eq!(shed.details().retry_info().and_then(|retry| retry.retry_delay), Some(Duration::from_millis(250)));
    assert_eq!(client.call("/grpc.health.v1.Health/Check", &[]).await.code, Code::Ok);
    assert!(house.metrics.shed.of(Shed::Calls).get() >= 1);
    told.notify_waiters();
    for call in held {
        assert_eq!(call.await.expect("no panic"), Code::Ok);
    }
    assert_eq!(client.call("/mingcha.v1.WordlistService/FindTerm", &[]).await.code, Code::Ok);
}

/// Whoever watches health, without an identity, takes no place of the streams that need one; nor the other way round.
#[tokio::test]
async fn open_streams_have_places_of_their_own() {
    const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let limits = Limits { subscriptions: 1, open_subscriptions: 1, ..Limits::default() };
    let endless = || async { Response::builder().header("content-type", "application/grpc").body(Body::new(Endless)).expect("an answer") };
    let house = Plan { answers: Router::new().fallback(endless), limits, ..Plan::default() }.build().await;
    let mut client = house.client().await;
    let watching = client.send(WATCH, &[]).await.expect("an answer");
    assert_eq!(client.call(WATCH, &[]).await.code, Code::ResourceExhausted);
    let asking = client.send(REFLECTION, &[]).await.expect("an answer");
    assert!(Status::from_header_map(asking.headers()).is_none(), "it goes on");
    assert_eq!(client.call(REFLECTION, &[]).await.code, Code::ResourceExhausted);
    let shed = |why| house.metrics.shed.of(why).get();
    assert_eq!((shed(Shed::OpenStreams), shed(Shed::Streams), shed(Shed::Calls)), (1, 1, 0));
    drop(watching);
    let again = timeout(PATIENCE, async {
        while client.send(WATCH, &[]).await.is_ok_and(|answer| answer.headers().contains_key("grpc-status")) {}
    });
    again.await.expect("its place is free again");
}

#[tokio::test]
async fn a_place_is_free_again_when_its_caller_goes_away() {
    let (told, given_up) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let limits = Limits { concurrency: 1, ..Limits::default() };
    let house = Plan { answers: slow(&told, &given_up), limits, ..Plan::default() }.build().await;
    let mut leaver = house.client().await;
    assert!(timeout(Duration::from_millis(100), leaver.send(SCREEN, &[])).await.is_err());
    let mut client = house.client().await;
    let freed = timeout(PATIENCE, async { while client.call("/mingcha.v1.WordlistService/FindTerm", &[]).await.code != Code::Ok {} });
    freed.await.expect("the place stays taken");
    assert_eq!(given_up.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn deadlines_end_the_call_and_its_work() {
    let (told, given_up) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let limits = Limits { deadline: Duration::from_millis(150), longest_deadline: Duration::from_millis(300), ..Limits::default() };
    let house = Plan { answers: slow(&told, &given_up), limits, ..Plan::default() }.build().await;
    let mut client = house.client().await;
    let cases: [&[(&str, &str)]; 4] = [&[], &[("grpc-timeout", "20m")], &[("grpc-timeout", "1H")], &[("grpc-timeout", "0n")]];
    for headers in cases {
        assert_eq!(client.call(SCREEN, headers).await.code, Code::DeadlineExceeded, "{headers:?}");
    }
    assert_eq!(given_up.load(Ordering::SeqCst), cases.len());
    for bad in ["", "soon", "1", "999999999S", "-1S"] {
        let seen = client.call(SCREEN, &[("grpc-timeout", bad)]).await;
        assert_eq!(seen.code, Code::InvalidArgument, "{bad}");
        assert!(seen.status.expect("a status").message().contains("grpc-timeout"));
    }
}

#[tokio::test]
async fn streams_go_on_unless_the_client_says_until_when() {
    let limits = Limits { deadline: Duration::from_millis(50), ..Limits::default() };
    let endless = || async { Response::builder().header("content-type", "application/grpc").body(Body::new(Endless)).expect("an answer") };
    let house = Plan { answers: Router::new().route(WATCH, post(endless)), limits, ..Plan::default() }.build().await;
    let mut client = house.client().await;
    let mut open = client.send(WATCH, &[]).await.expect("an answer");
    assert!(timeout(Duration::from_millis(500), open.body_mut().frame()).await.is_err(), "ten deadlines later it still goes on");
    let mut bounded = client.send(WATCH, &[("grpc-timeout", "50m")]).await.expect("an answer");
    let last = timeout(PATIENCE, bounded.body_mut().frame()).await.expect("an end in time").expect("a frame").expect("a good frame");
    let trailers = last.into_trailers().expect("trailers");
    assert_eq!(Status::from_header_map(&trailers).expect("a status").code(), Code::DeadlineExceeded);
}

/// A body that never says anything.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn a_client_that_never_reads_is_given_up() {
    let large = || async { Response::new(Body::from(vec![0; 32 << 20])) };
    let limits = Limits { deadline: Duration::from_millis(300), concurrency: 1, ..Limits::default() };
    let house = Plan { answers: Router::new().fallback(large), limits, ..Plan::default() }.build().await;
    let mut client = house.client().await;
    let unread = client.send(SCREEN, &[]).await.expect("the head of an answer"); // its window fills, and nobody reads on
    house.until_closed(Closed::Unread).await;
    drop(unread);
    let mut plain = house.connect().await;
    plain.write_all(format!("POST {SCREEN} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n").as_bytes()).await.expect("sent");
    let given_up = timeout(PATIENCE, async {
        while house.closed(Closed::Unread) < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    given_up.await.expect("over HTTP/1 it is not given up");
}

#[tokio::test]
async fn the_end_waits_for_calls_in_flight_and_no_longer_than_the_grace() {
    for (grace, finishes) in [(PATIENCE, true), (Duration::from_millis(200), false)] {
        let (told, given_up) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let house = Plan { answers: slow(&told, &given_up), grace, ..Plan::default() }.build().await;
        let mut client = house.client().await;
        let mut idle = house.client().await;
        assert_eq!(idle.call("/grpc.health.v1.Health/Check", &[]).await.code, Code::Ok);
        let in_flight = tokio::spawn(async move { client.send(SCREEN, &[]).await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        house.stop.cancel();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(TcpStream::connect(house.address).await.is_err(), "it still accepts");
        if finishes {
            told.notify_waiters();
        }
        assert_eq!(in_flight.await.expect("no panic").is_ok(), finishes);
        let all_finished = timeout(PATIENCE, house.listening).await.expect("an end in time").expect("no panic");
        assert_eq!(all_finished, finishes);
    }
}

#[tokio::test]
async fn a_handler_that_panics_fails_its_own_call_only() {
    let answers = Router::new().route(SCREEN, post(bug)).fallback(super::welcome);
    let house = Plan { answers, ..Plan::default() }.build().await;
    let mut client = house.client().await;
    assert_eq!(client.call(SCREEN, &[]).await.code, Code::Internal);
    assert_eq!(client.call("/grpc.health.v1.Health/Check", &[]).await.code, Code::Ok);
}

async fn bug() -> Response {
    panic!("as a bug would")
}

/// Who writes an answer anew, as the HTTP edge does, keeps its extensions, and with them its place.
#[tokio::test]
async fn a_place_is_held_by_the_extensions_of_the_answer() {
    let limits = Limits { concurrency: 1, ..Limits::default() };
    let router = layered(Router::new().fallback(super::welcome), &limits, Arc::new(Callers::new(None)), &Metrics::new().expect("metrics"));
    let call = || router.clone().oneshot(Request::post(SCREEN).body(Body::empty()).expect("a request"));
    let is_shed =
        |response: &Response| Status::from_header_map(response.headers()).is_some_and(|status| status.code() == Code::ResourceExhausted);
    let (parts, body) = call().await.expect("an answer").into_parts();
    drop(body);
    assert!(is_shed(&call().await.expect("an answer")));
    assert!(parts.extensions.get::<Until>().is_some());
    drop(parts);
    assert!(!is_shed(&call().await.expect("an answer")));
}
