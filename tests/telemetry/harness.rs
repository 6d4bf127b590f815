//! A server whose calls are seen, on one thread, whose log is caught.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mingcha::{
    auth::Identity,
    config::{Limits, Telemetry},
    grpc::{Desk, Screening},
    library::{Library, Source},
    server::{Listening, listen},
    telemetry::{self, CallsLayer, Guard, Metrics},
    wire::v1::{
        BatchScreenRequest, BatchScreenResponse, ScreenRequest, ScreenResponse, ScreenStreamRequest,
        screening_service_server::{ScreeningService, ScreeningServiceServer},
    },
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming, service::Routes, transport::Channel};

/// Who calls, as the layer inside of the calls' says.
pub(super) const CALLER: &str = "bureau-of-nanjing";
/// A name that breaks the service.
pub(super) const BROKEN: &str = "BROKEN";
/// Longest that something may take that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// The screening service, and a name that breaks it.
struct Breakable(Screening);

#[tonic::async_trait]
impl ScreeningService for Breakable {
    type ScreenStreamStream = <Screening as ScreeningService>::ScreenStreamStream;

    async fn screen(&self, mut request: Request<ScreenRequest>) -> Result<Response<ScreenResponse>, Status> {
        if request.get_ref().name == BROKEN {
            return Err(Status::internal("broken"));
        }
        request.extensions_mut().insert(Arc::new(Identity::anyone()));
        self.0.screen(request).await
    }

    async fn batch_screen(&self, mut request: Request<BatchScreenRequest>) -> Result<Response<BatchScreenResponse>, Status> {
        request.extensions_mut().insert(Arc::new(Identity::anyone()));
        self.0.batch_screen(request).await
    }

    async fn screen_stream(
        &self,
        mut request: Request<Streaming<ScreenStreamRequest>>,
    ) -> Result<Response<Self::ScreenStreamStream>, Status> {
        request.extensions_mut().insert(Arc::new(Identity::anyone()));
        self.0.screen_stream(request).await
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
        let library = Library::open(Source::Embedded, None).unwrap_or_else(|error| panic!("{error}"));
        let telling = Breakable(Screening::new(Desk::new(Arc::new(library), Arc::clone(&metrics))));
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let routes = Routes::new(ScreeningServiceServer::new(telling)).add_service(tonic_health::server::health_reporter().1);
        let known = axum::middleware::map_response(async |mut response: axum::response::Response| {
            response.extensions_mut().insert(Arc::new(Identity { id: CALLER.to_owned(), ..Identity::anyone() }));
            response
        });
        let router = routes.into_axum_router().layer(known).layer(CallsLayer::new(Arc::clone(&metrics)));
        let grace = Duration::from_secs(1);
        let listening = Listening { router, limits: Limits::default(), tls: None, grace, metrics: Arc::clone(&metrics) };
        tokio::spawn(listen(listener, listening, CancellationToken::new()));
        Self { metrics, guard, address, _default: default }
    }

    pub(super) async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address)).expect("an address").connect().await.expect("a connection")
    }
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
