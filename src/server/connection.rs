//! Connections (连接): accepted up to a limit, encrypted where certificates are configured, closed where they stay
//! silent or do not read, and ended in order.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body};
use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::{
    activity::Activity,
    held::until_sent,
    peers::{Entered, Peers},
    tls::{Certificates, names},
};
use crate::{
    auth::SubjectName,
    config::Limits,
    telemetry::{Held, Metrics},
    vocabulary::vocabulary,
};

/// How often a connection looks whether its client takes the answers.
const LOOK: Duration = Duration::from_secs(1);
/// How long a silent client has to close its connection when asked to.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Who is at the other end of a connection. In the extensions of every request.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
    /// The names in its certificate.
    pub names: Arc<[SubjectName]>,
    unsent: Arc<Unsent>,
}

impl Peer {
    /// Says that an answer is to be sent by then; dropped when it is.
    pub(super) fn expect_sent(&self, by: Instant) -> Expected {
        let mut answers = self.unsent.lock();
        let id = answers.last_key_value().map_or(0, |(id, _)| id + 1);
        answers.insert(id, by);
        Expected { unsent: Arc::clone(&self.unsent), id }
    }
}

/// The answers of a connection that are not sent yet, and when each must be.
#[derive(Debug, Default)]
struct Unsent(Mutex<BTreeMap<u64, Instant>>);

impl Unsent {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner) // every change is whole
    }

    fn overdue(&self) -> bool {
        let now = Instant::now();
        self.lock().values().any(|by| *by + LOOK < now)
    }
}

/// An answer that is to be sent.
#[derive(Debug)]
pub(super) struct Expected {
    unsent: Arc<Unsent>,
    id: u64,
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.unsent.lock().remove(&self.id);
    }
}

vocabulary! {
    /// Why a connection ended that its client did not end.
    Closed {
        /// There were too many.
        Full = "full", "已满";
        /// There were too many of its address.
        PeerFull = "peer_full", "同源过多";
        /// It made no request.
        Silent = "silent", "静默";
        /// It made no request for long.
        Idle = "idle", "闲置";
        /// Its TLS handshake failed.
        Handshake = "handshake", "握手";
        /// What it said is neither HTTP/1 nor HTTP/2.
        Protocol = "protocol", "协议";
        /// It did not take an answer until the deadline.
        Unread = "unread", "不取";
        /// Certificates were renewed, and the grace had passed.
        Renewed = "renewed", "换证";
        /// The service stopped, and the grace had passed.
        CutOff = "cut_off", "切断";
    }
}

/// What a listener serves, and how.
pub struct Listening {
    /// What answers.
    pub router: Router,
    /// Limits of connections.
    pub limits: Limits,
    /// Certificates; plain text where there are none.
    pub tls: Option<Arc<Certificates>>,
    /// How long calls have to finish once the connection is asked to end.
    pub grace: Duration,
    /// Counts connections and why they were closed.
    pub metrics: Arc<Metrics>,
}

/// Accepts connections until `stop`; then gives every call in flight the grace to finish. Says whether all did.
pub async fn listen(listener: TcpListener, listening: Listening, stop: CancellationToken) -> bool {
    let listening = Arc::new(listening);
    let places = Arc::new(Semaphore::new(listening.limits.connections));
    let peers = Peers::new(listening.limits.peer_connections);
    let connections = TaskTracker::new();
    let cut_off = Arc::new(AtomicBool::new(false));
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let Ok((tcp, address)) = accepted else {
            sleep(Duration::from_millis(50)).await; // out of descriptors: let some connections end
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            listening.metrics.closed.of(Closed::Full).inc();
            continue;
        };
        let Some(entered) = peers.enter(address.ip()) else {
            listening.metrics.closed.of(Closed::PeerFull).inc();
            continue;
        };
        let open = Held::new(&listening.metrics.connections);
        let connection =
            Connection { listening: Arc::clone(&listening), stop: stop.clone(), _place: place, _entered: entered, _open: open };
        let cut_off = Arc::clone(&cut_off);
        connections.spawn(async move {
            if let Err(closed) = connection.serve(tcp, address).await {
                connection.listening.metrics.closed.of(closed).inc();
                cut_off.fetch_or(closed == Closed::CutOff, Ordering::Relaxed);
            }
        });
    }
    drop(listener); // nothing more is accepted while the calls in flight finish
    connections.close();
    connections.wait().await;
    !cut_off.load(Ordering::Relaxed)
}

struct Connection {
    listening: Arc<Listening>,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
    _entered: Entered,
    _open: Held,
}

impl Connection {
    async fn serve(&self, tcp: TcpStream, address: SocketAddr) -> Result<(), Closed> {
        let _ = tcp.set_nodelay(true); // a refusal costs latency, nothing else
        let mut peer = Peer { address, encrypted: false, names: Arc::from([]), unsent: Arc::default() };
        let Some(certificates) = &self.listening.tls else {
            return self.speak(tcp, peer, None).await;
        };
        let renewal = certificates.renewal();
        let handshake = certificates.acceptor().accept(tcp);
        let stream = match self.stop.run_until_cancelled(timeout(self.listening.limits.silence, handshake)).await {
            Some(Ok(Ok(stream))) => stream,
            Some(Ok(Err(_))) => return Err(Closed::Handshake),
            Some(Err(_)) => return Err(Closed::Silent),
            None => return Ok(()), // it has not called yet
        };
        peer.encrypted = true;
        peer.names = names(stream.get_ref().1).into();
        self.speak(stream, peer, Some(renewal)).await
    }

    /// HTTP/1 or HTTP/2, whichever the client speaks, until it ends or must.
    async fn speak<S>(&self, stream: S, peer: Peer, renewal: Option<watch::Receiver<()>>) -> Result<(), Closed>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limits = &self.listening.limits;
        let activity = Activity::new();
        let unsent = Arc::clone(&peer.unsent);
        let service = service_fn(|mut request: Request<Incoming>| {
            let busy = activity.begin();
            request.extensions_mut().insert(peer.clone());
            let answer = self.listening.router.clone().oneshot(request.map(Body::new));
            async move { answer.await.map(|response| until_sent(response, busy)) }
        });
        let builder = http(limits);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut silence = pin!(sleep(limits.silence));
        let mut renewed = pin!(renewed(renewal));
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut leave_by: Option<(Instant, Closed)> = None;
        loop {
            let leaving = leave_by.is_some();
            let asked = tokio::select! {
                ended = connection.as_mut() => return match leave_by {
                    Some((_, Closed::Idle)) => Err(Closed::Idle), // it went when asked to
                    _ => ended.or_else(|error| by_client(&*error)),
                },
                () = self.stop.cancelled(), if !leaving => (self.listening.grace, Closed::CutOff),
                () = renewed.as_mut(), if !leaving => (self.listening.grace, Closed::Renewed),
                () = silence.as_mut(), if !leaving && !activity.heard() => {
                    if activity.heard() {
                        continue;
                    }
                    (LAST_WORD, Closed::Silent)
                }
                () = past(leave_by) => return Err(leave_by.map_or(Closed::CutOff, |(_, why)| why)),
                _ = look.tick() => {
                    if unsent.overdue() {
                        return Err(Closed::Unread);
                    }
                    if leaving || activity.idle() < limits.idle {
                        continue;
                    }
                    (self.listening.grace, Closed::Idle)
                }
            };
            leave_by = Some((Instant::now() + asked.0, asked.1));
            connection.as_mut().graceful_shutdown();
        }
    }
}

/// How a connection ended that failed: a network that breaks is no fault of what was said.
fn by_client(error: &(dyn std::error::Error + 'static)) -> Result<(), Closed> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let broken = error.is::<std::io::Error>();
        let left = error
            .downcast_ref::<hyper::Error>()
            .is_some_and(|error| error.is_incomplete_message() || error.is_timeout() || error.is_closed());
        if broken || left {
            return Ok(());
        }
        cause = error.source();
    }
    Err(Closed::Protocol)
}

/// Ends when the certificates have been renewed.
async fn renewed(renewal: Option<watch::Receiver<()>>) {
    if let Some(mut renewal) = renewal
        && renewal.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Ends at the time, if there is one.
async fn past(time: Option<(Instant, Closed)>) {
    match time {
        Some((time, _)) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Limits of the protocols.
fn http(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.silence).max_buf_size(limits.header_bytes as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.keepalive)
        .keep_alive_timeout(limits.keepalive_timeout)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_bytes)
        .adaptive_window(true);
    builder
}
