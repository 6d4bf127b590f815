//! What stands before the handlers: connections, TLS, identities, places, deadlines. Real sockets, real clients.

mod callers;
mod connections;
mod tls;

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request, response::Response};
use http::{HeaderMap, HeaderValue};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use mingcha::{
    auth::Identity,
    config::Limits,
    server::{Listening, caller::Callers, connection::Closed, listen, stack::layered, tls::Certificates},
    telemetry::Metrics,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

const SCREEN: &str = "/mingcha.v1.ScreeningService/Screen";
const PATIENCE: Duration = Duration::from_secs(30);

/// A service in this process, with the real doors and handlers of the test.
struct House {
    address: SocketAddr,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    listening: JoinHandle<bool>,
}

/// How a house is built.
struct Plan {
    answers: Router,
    limits: Limits,
    callers: Option<Vec<Identity>>,
    tls: Option<Arc<Certificates>>,
    grace: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Self { answers: Router::new().fallback(welcome), limits: Limits::default(), callers: None, tls: None, grace: PATIENCE }
    }
}

/// An answer that says that the call came through, and who made it.
async fn welcome(request: Request) -> Response {
    let mut response = Status::ok("").into_http::<Body>();
    if let Some(identity) = request.extensions().get::<Arc<Identity>>() {
        response.headers_mut().insert("x-caller", HeaderValue::from_str(&identity.id).expect("ids are ASCII"));
    }
    response
}

impl Plan {
    async fn build(self) -> House {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let metrics = Metrics::new().expect("metrics");
        let listening = Listening {
            router: layered(self.answers, &self.limits, Arc::new(Callers::new(self.callers)), &metrics),
            limits: self.limits,
            tls: self.tls,
            grace: self.grace,
            metrics: Arc::clone(&metrics),
        };
        let stop = CancellationToken::new();
        let listening = tokio::spawn(listen(listener, listening, stop.clone()));
        House { address, metrics, stop, listening }
    }
}

impl House {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("the house is open")
    }

    async fn client(&self) -> Client {
        Client::over(self.connect().await).await.expect("HTTP/2")
    }

    /// How many connections were closed for this reason.
    fn closed(&self, why: Closed) -> u64 {
        self.metrics.closed.of(why).get()
    }

    async fn until_closed(&self, why: Closed) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while self.closed(why) == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("no connection was closed as {why:?}"));
    }
}

/// An HTTP/2 client that sees everything.
#[derive(Clone)]
struct Client(SendRequest<Body>);

/// What it sees first of an answer.
#[derive(Debug)]
struct Seen {
    code: Code,
    status: Option<Status>,
    headers: HeaderMap,
}

impl Client {
    async fn over<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> Result<Self, hyper::Error> {
        let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new()).timer(TokioTimer::new()).clone();
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    async fn send(&mut self, path: &str, headers: &[(&str, &str)]) -> Result<http::Response<hyper::body::Incoming>, hyper::Error> {
        self.0.ready().await?;
        let mut request =
            http::Request::post(format!("http://localhost{path}")).header("content-type", "application/grpc").header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.0.send_request(request.body(Body::empty()).expect("a request")).await
    }

    /// Calls, and says how the head of the answer ends the call.
    async fn call(&mut self, path: &str, headers: &[(&str, &str)]) -> Seen {
        let response = tokio::time::timeout(PATIENCE, self.send(path, headers)).await.expect("an answer in time").expect("an answer");
        let status = Status::from_header_map(response.headers());
        Seen { code: status.as_ref().map_or(Code::Unknown, Status::code), status, headers: response.headers().clone() }
    }
}

impl Seen {
    fn details(&self) -> tonic_types::ErrorDetails {
        use tonic_types::StatusExt;
        self.status.as_ref().expect("a status").get_error_details()
    }

    fn reason(&self) -> (String, HashMap<String, String>) {
        let info = self.details().error_info().cloned().expect("an ErrorInfo");
        assert_eq!(info.domain, "mingcha");
        (info.reason, info.metadata)
    }
}
