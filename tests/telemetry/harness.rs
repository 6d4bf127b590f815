//! A server whose calls are seen, on one thread, whose log is caught.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mingcha::{
    clock::today,
    config::Telemetry,
    embedded,
    grpc::Screening,
    screen::Engine,
    telemetry::{self, AnswerCounters, CallerId, CallsLayer, Guard, Metrics, texts},
    wire::{
        Bases, respond, understand,
        v1::{
            BatchScreenRequest, BatchScreenResponse, ScreenRequest, ScreenResponse,
            screening_service_server::{ScreeningService, ScreeningServiceServer},
        },
    },
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request, Response, Status,
    transport::{Channel, Server},
};
use tower::ServiceBuilder;

/// Who calls, as the layer inside of the calls' says.
pub(super) const CALLER: &str = "bureau-of-nanjing";
/// A name that breaks the service.
pub(super) const BROKEN: &str = "BROKEN";
/// Longest that something may take that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// The screening service that tells what it does.
struct Telling {
    engine: Arc<Engine>,
    counters: AnswerCounters,
    plain: Screening,
}

#[tonic::async_trait]
impl ScreeningService for Telling {
    async fn screen(&self, request: Request<ScreenRequest>) -> Result<Response<ScreenResponse>, Status> {
        if request.get_ref().name == BROKEN {
            return Err(Status::internal("broken"));
        }
        if request.get_ref().name.is_empty() {
            return self.plain.screen(request).await;
        }
        let understood = understand(request.into_inner(), &self.engine, today()).map_err(|_| Status::invalid_argument("bad"))?;
        let answer = self.engine.screen(&understood.firm);
        self.counters.answered(&answer, &self.engine);
        texts(&understood.firm, &answer);
        Ok(Response::new(respond(&understood, &answer, &self.engine, &mut Bases::Inline)))
    }

    async fn batch_screen(&self, request: Request<BatchScreenRequest>) -> Result<Response<BatchScreenResponse>, Status> {
        self.plain.batch_screen(request).await
    }
}

/// What was logged.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("text")
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A running server.
pub(super) struct Running {
    pub(super) metrics: Arc<Metrics>,
    pub(super) guard: Guard,
    address: SocketAddr,
    _default: tracing::dispatcher::DefaultGuard,
}

impl Running {
    pub(super) async fn start(config: &Telemetry, lines: &Lines) -> Self {
        let metrics = Metrics::new().expect("metrics");
        let (dispatch, guard) = telemetry::prepare(config, &metrics, lines.clone(), false).expect("telemetry");
        let default = tracing::dispatcher::set_default(&dispatch);
        let engine = engine();
        let counters = AnswerCounters::new(&metrics, &engine).expect("counters");
        let telling = Telling { plain: Screening::new(Arc::clone(&engine)), engine, counters };
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let known = |mut response: http::Response<tonic::body::Body>| {
            response.extensions_mut().insert(CallerId(CALLER.into()));
            response
        };
        let layers = ServiceBuilder::new().layer(CallsLayer::new(Arc::clone(&metrics))).map_response(known);
        let server = Server::builder()
            .layer(layers)
            .add_service(ScreeningServiceServer::new(telling))
            .add_service(tonic_health::server::health_reporter().1);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { metrics, guard, address, _default: default }
    }

    pub(super) async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address)).expect("an address").connect().await.expect("a connection")
    }
}

/// The lists inside the binary, in a box that the service can share.
fn engine() -> Arc<Engine> {
    static ENGINE: std::sync::OnceLock<Arc<Engine>> = std::sync::OnceLock::new();
    Arc::clone(ENGINE.get_or_init(|| Arc::new(Engine::build(&embedded::files()).unwrap_or_else(|problems| panic!("{problems}")))))
}

/// Runs a server and a test of it on this thread; gives what was logged, and what the test gives.
pub(super) fn run<T>(config: &Telemetry, test: impl AsyncFnOnce(&Running) -> T) -> (String, T) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let lines = Lines::default();
    let given = runtime.block_on(async {
        let running = Running::start(config, &lines).await;
        let given = test(&running).await;
        eventually("the calls end", || running.metrics.text().expect("metrics").contains("\nmingcha_calls_in_flight 0\n").then_some(()))
            .await;
        given
    });
    drop(runtime);
    (lines.text(), given)
}

/// Waits until something is there.
pub(super) async fn eventually<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(there) = there() {
            return there;
        }
        assert!(begun.elapsed() < PATIENCE, "it never comes that {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
