//! The admin port (管理端口): metrics, liveness, readiness. Plain HTTP/1, for scrapers and probes in reach of it.

use std::{borrow::Cow, future::Future, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

use super::metrics::Metrics;

/// Most connections at a time; more wait to be accepted.
const CONNECTIONS: usize = 16;
/// How long a client has for the head of a request, and a connection may stay quiet.
const HEAD: Duration = Duration::from_secs(10);
/// The longest that a connection lives: a client that does not read must not keep its place.
const LIFE: Duration = Duration::from_secs(120);
/// How long calls in flight have when the service stops.
const GRACE: Duration = Duration::from_secs(1);
/// How long to wait where no connection can be accepted, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Whether the service takes calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It does.
    Ready,
    /// It does not; why.
    NotReady(Cow<'static, str>),
}

#[derive(Debug, Clone)]
struct Admin {
    metrics: Arc<Metrics>,
    ready: watch::Receiver<Readiness>,
}

/// Serves `GET /metrics`, `/livez` and `/readyz` on `listener` until `shutdown` ends.
pub async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    ready: watch::Receiver<Readiness>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let routes = routes(Admin { metrics, ready });
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let ending = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let Ok(place) = Arc::clone(&connections).acquire_owned().await else { break };
        let stream = tokio::select! {
            stream = accept(&listener) => stream,
            () = &mut shutdown => break,
        };
        let connection = connection(stream, &routes);
        let connection = ending.watch(connection);
        tokio::spawn(async move {
            let _ = timeout(LIFE, connection).await; // how a probe's connection ends is no news
            drop(place);
        });
    }
    let _ = timeout(GRACE, ending.shutdown()).await;
}

fn routes(admin: Admin) -> Router {
    Router::new().route("/metrics", get(metrics)).route("/livez", get(livez)).route("/readyz", get(readyz)).with_state(admin)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(target: "mingcha::admin", %error, "the admin port cannot accept a connection");
                sleep(PAUSE).await;
            }
        }
    }
}

fn connection(stream: TcpStream, routes: &Router) -> http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes.clone()))
}

async fn metrics(State(admin): State<Admin>) -> Response {
    // over a thousand series: written beside the reactor
    let written = tokio::task::spawn_blocking(move || admin.metrics.text()).await;
    match written {
        Ok(Ok(text)) => ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n").into_response(),
    }
}

async fn livez() -> &'static str {
    "alive\n"
}

async fn readyz(State(admin): State<Admin>) -> Response {
    let ready = admin.ready.borrow().clone();
    match ready {
        Readiness::Ready => "ready\n".into_response(),
        Readiness::NotReady(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
    }
}
