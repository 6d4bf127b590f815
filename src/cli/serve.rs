//! `mingcha serve`: the story of the service from its start to its end.

use std::{
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};

use super::{CUT_OFF, Lists, bad_use, config};
use crate::{
    config::{Config, flags::Flags},
    grpc::{self, Desk, OwnWatchList},
    journal::anchor::AnchorError,
    library::{self, Library, ReloadError, Reloaded, Source},
    office::{self, Anchors, Office},
    operations::{self, Folders, Operations, folder::Folder},
    screen::ENGINE_VERSION,
    server::{
        Listening,
        caller::Callers,
        listen,
        stack::{doors, layered},
        tls::{self, Certificates},
    },
    telemetry::{
        self, Metrics,
        admin::{self, Readiness},
    },
};

/// `mingcha serve`.
pub(super) fn run(flags: Flags, lists: &Lists) -> anyhow::Result<ExitCode> {
    let config = match config::loaded(flags, lists) {
        Ok(loaded) => loaded.config,
        Err(problems) => return Ok(bad_use(&config::said(&problems))),
    };
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let ended = runtime.block_on(serve(config));
    runtime.shutdown_timeout(Duration::from_secs(1)); // work that nobody waits for any more
    ended
}

async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let metrics = Metrics::new()?;
    let mut telemetry = match telemetry::start(&config.telemetry, &metrics) {
        Ok(telemetry) => telemetry,
        Err(error) => return Ok(bad_use(&error)),
    };
    let service = match Service::start(config, &metrics).await {
        Ok(service) => service,
        Err(NotStarted::BadUse(message)) => return Ok(bad_use(&message)),
        Err(NotStarted::Failed(error)) => return Err(error),
    };
    service.announce()?;
    signals.until_stopped(|| service.renew()).await;
    let in_order = tokio::select! {
        in_order = service.stop() => in_order?,
        () = signals.until_stopped(|| {}) => false, // asked twice: at once
    };
    telemetry.shutdown().await;
    anstream::println!("mingcha: stopped");
    Ok(if in_order { ExitCode::SUCCESS } else { ExitCode::from(CUT_OFF) })
}

/// Why a service did not start.
enum NotStarted {
    /// It was configured badly: starting again would not help.
    BadUse(String),
    /// This machine did not let it.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for NotStarted {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A service that runs.
struct Service {
    address: SocketAddr,
    anyone: bool,
    notice: Duration,
    grace: Duration,
    library: Arc<Library>,
    certificates: Option<Arc<Certificates>>,
    metrics: Arc<Metrics>,
    health: HealthReporter,
    ready: watch::Sender<Readiness>,
    office: Mutex<Option<office::Opened>>,
    operations: Option<Operations>,
    anchoring: Mutex<Option<JoinHandle<()>>>,
    /// Ends the streams that would go on.
    streams: CancellationToken,
    /// Said when nothing is recorded any more.
    quiet: CancellationToken,
    stop: CancellationToken,
    listening: Mutex<Option<JoinHandle<bool>>>,
}

impl Service {
    async fn start(config: Config, metrics: &Arc<Metrics>) -> Result<Self, NotStarted> {
        let bad = |error: &dyn std::fmt::Display| NotStarted::BadUse(error.to_string());
        let source = config.wordlists.clone().map_or(Source::Embedded, Source::Folder);
        let library = Library::open(source, config.data.as_deref()).map_err(|error| match error {
            ReloadError::Keep(_) => NotStarted::Failed(error.into()),
            error => bad(&error),
        })?;
        let library = Arc::new(library);
        metrics.canary_ok.set(1); // lists whose canaries do not hit are not opened
        metrics.lists_of(&library);
        let certificates = config.tls.as_ref().map(Certificates::load).transpose().map_err(|error| bad(&error))?.map(Arc::new);
        let stop = CancellationToken::new();
        let (ready, readiness) = watch::channel(Readiness::Ready);
        let listener = bind(config.listen).await?;
        let address = listener.local_addr().context("cannot tell the address listened on")?;
        if let Some(admin) = config.admin.listen {
            let listener = bind(admin).await?;
            tracing::info!(address = %listener.local_addr().context("cannot tell the admin address")?, "admin port");
            tokio::spawn(admin::serve(listener, Arc::clone(metrics), readiness, stop.clone().cancelled_owned()));
        }
        watch_files(&config, &library, certificates.as_ref(), metrics, &stop);

        let opened = open_office(&config).await?;
        let office = opened.as_ref().map(|opened| opened.office.clone());
        let (streams, quiet) = (CancellationToken::new(), CancellationToken::new());
        let anchoring = match &office {
            Some(office) => Some(keep_office(&config, office, metrics, &quiet).map_err(|error| bad(&error))?),
            None => None,
        };
        let desk = Desk::new(Arc::clone(&library), Arc::clone(metrics)).with(office, streams.clone());
        let operations = open_operations(&config, &desk).await?;
        let desk = desk.operating(operations.clone(), config.rescreen.upload_bytes);
        let (routes, health) = grpc::routes(&desk, &config.limits).await?;
        let anyone = config.auth.is_none();
        let grpc = layered(routes.into_axum_router(), &config.limits, Arc::new(Callers::new(config.auth)), metrics);
        let listening = Listening {
            router: doors(grpc, &desk.workers, &config.limits, &config.http, metrics)?,
            limits: config.limits,
            tls: certificates.clone(),
            grace: config.grace,
            metrics: Arc::clone(metrics),
        };
        let listening = Mutex::new(Some(tokio::spawn(listen(listener, listening, stop.clone()))));
        let metrics = Arc::clone(metrics);
        let (office, anchoring) = (Mutex::new(opened), Mutex::new(anchoring));
        let (notice, grace) = (config.notice, config.grace);
        Ok(Self {
            address,
            anyone,
            notice,
            grace,
            library,
            certificates,
            metrics,
            health,
            ready,
            office,
            operations,
            anchoring,
            streams,
            quiet,
            stop,
            listening,
        })
    }

    /// Says that it serves: to whoever started it, to the log, to systemd.
    fn announce(&self) -> anyhow::Result<()> {
        let (address, hash) = (self.address, self.library.current().hash().to_owned());
        if self.anyone {
            tracing::warn!("no identities are configured: anyone on this machine may call, with every role");
        }
        tracing::info!(%address, lists = hash, version = ENGINE_VERSION, tls = self.certificates.is_some(), "serving");
        super::print(&format!("mingcha: serving on {address}, lists {hash}\n"))?;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]); // nobody listens outside of systemd
        Ok(())
    }

    /// Reads lists and certificates again, off the threads that talk to clients.
    fn renew(&self) {
        let (library, certificates, metrics) = (Arc::clone(&self.library), self.certificates.clone(), Arc::clone(&self.metrics));
        tokio::task::spawn_blocking(move || {
            telemetry::reloaded(&library.reload(), &library, &metrics);
            if let Some(certificates) = certificates {
                say_renewed(certificates.reload());
            }
        });
    }

    /// Says that it goes, lets balancers hear it, then lets the calls in flight finish. Says whether all did.
    async fn stop(&self) -> anyhow::Result<bool> {
        tracing::info!("stopping");
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        self.ready.send_replace(Readiness::NotReady("stopping".into()));
        grpc::say(&self.health, ServingStatus::NotServing).await;
        sleep(self.notice).await;
        let until = Instant::now() + self.grace;
        if let Some(operations) = &self.operations {
            operations.stop(); // before anything ends that they need
        }
        self.stop.cancel();
        self.streams.cancel();
        let in_order = match taken(&self.listening) {
            Some(listening) => listening.await.context("the listener failed")?,
            None => true, // stopped before
        };
        if let Some(operations) = &self.operations
            && timeout_at(until, operations.quiet()).await.is_err()
        {
            tracing::warn!("a re-screening did not stop in time: it goes on from its last checkpoint when the service starts again");
        }
        self.quiet.cancel();
        if let Some(anchoring) = taken(&self.anchoring) {
            anchoring.await.context("the anchoring failed")?;
        }
        if let Some(office) = taken(&self.office) {
            tokio::task::spawn_blocking(|| office.close()).await.context("the office could not be closed")?;
        }
        Ok(in_order)
    }
}

fn taken<T>(from: &Mutex<Option<T>>) -> Option<T> {
    from.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// The office over the data folder, where one is configured.
async fn open_office(config: &Config) -> Result<Option<office::Opened>, NotStarted> {
    let Some(data) = config.data.clone() else { return Ok(None) };
    let settings = office::Settings { data, deadlines: config.deadlines };
    let opened = tokio::task::spawn_blocking(move || Office::open(&settings)).await.context("the data folder could not be opened")?;
    Ok(Some(opened.map_err(anyhow::Error::from)?))
}

/// The re-screenings over the data folder, where a folder of registers is configured.
async fn open_operations(config: &Config, desk: &Desk) -> Result<Option<Operations>, NotStarted> {
    let (Some(data), Some(folder)) = (config.data.clone(), config.rescreen.folder.clone()) else { return Ok(None) };
    let rescreen = config.rescreen.clone();
    let open = |path: &Path| Folder::open(path).map_err(|error| NotStarted::BadUse(format!("{}: {error}", path.display())));
    let registers = open(&folder)?;
    let outputs = rescreen.output.as_deref().map_or_else(|| Ok(registers.clone()), open)?;
    let settings = operations::Settings {
        at_once: rescreen.at_once,
        kept: rescreen.kept,
        checkpoint_every: rescreen.checkpoint_every,
        gentle: rescreen.gentle,
    };
    let recording = Box::new(OwnWatchList::new(desk.clone(), config.auth.as_deref()));
    let (library, metrics) = (Arc::clone(&desk.library), Arc::clone(&desk.metrics));
    let folders = Folders { registers, outputs };
    let open = move || Operations::open(&data, folders, settings, library, recording, metrics);
    let opened = tokio::task::spawn_blocking(open).await.context("the re-screenings could not be opened")?;
    Ok(Some(opened.context("the re-screenings cannot be opened")?))
}

/// Anchors what the office records, and counts it, until `stop`.
fn keep_office(config: &Config, office: &Office, metrics: &Arc<Metrics>, stop: &CancellationToken) -> Result<JoinHandle<()>, AnchorError> {
    let file = config.anchor.file.clone().unwrap_or_else(|| office.data().join("anchors"));
    let anchors = Anchors::open(&file, config.anchor.key.as_deref().unwrap_or_else(|| office.data()))?;
    tokio::spawn(Arc::clone(metrics).look_at(office.clone(), stop.clone()));
    Ok(tokio::spawn(anchors.follow(office.heads(), config.anchor.every, stop.clone())))
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Looks at the files of lists and certificates for as long as the service runs.
fn watch_files(
    config: &Config,
    library: &Arc<Library>,
    certificates: Option<&Arc<Certificates>>,
    metrics: &Arc<Metrics>,
    stop: &CancellationToken,
) {
    let (reloading, metrics) = (Arc::clone(library), Arc::clone(metrics));
    let say = move |reloaded: Result<Reloaded, ReloadError>| telemetry::reloaded(&reloaded, &reloading, &metrics);
    tokio::spawn(library::watch::watch(Arc::clone(library), config.wordlists_watch, stop.clone(), say));
    if let (Some(certificates), Some(tls)) = (certificates, &config.tls) {
        tokio::spawn(tls::watch(Arc::clone(certificates), tls.watch, stop.clone(), say_renewed));
    }
}

fn say_renewed(renewed: Result<bool, tls::TlsError>) {
    match renewed {
        Ok(true) => tracing::info!("certificates renewed"),
        Ok(false) => {}
        Err(error) => tracing::error!(%error, "certificates refused: the old ones go on serving"),
    }
}

/// The signals that a service hears.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let hear = |kind| signal(kind).context("cannot wait for signals");
        Ok(Self {
            terminate: hear(SignalKind::terminate())?,
            interrupt: hear(SignalKind::interrupt())?,
            hang_up: hear(SignalKind::hangup())?,
        })
    }

    /// Waits for SIGTERM or Ctrl-C; at each SIGHUP calls `renew`.
    async fn until_stopped(&mut self, renew: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => renew(),
            }
        }
    }
}
