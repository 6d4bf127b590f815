//! `mingcha serve`: the story of the service from its start to its end.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};

use super::{CUT_OFF, Lists, bad_use, config};
use crate::{
    config::{Config, flags::Flags},
    grpc::{self, Desk},
    library::{Library, ReloadError, Source, watch::watch},
    server::{
        Listening,
        caller::Callers,
        listen,
        stack::{doors, layered},
        tls::{self, Certificates},
        workers::Workers,
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
    let source = config.wordlists.clone().map_or(Source::Embedded, Source::Folder);
    let library = match Library::open(source, config.data.as_deref()) {
        Ok(library) => Arc::new(library),
        Err(error @ ReloadError::Keep(_)) => return Err(error.into()),
        Err(error) => return Ok(bad_use(&error)),
    };
    let certificates = match config.tls.as_ref().map(Certificates::load).transpose() {
        Ok(certificates) => certificates.map(Arc::new),
        Err(error) => return Ok(bad_use(&error)),
    };
    let listener = TcpListener::bind(config.listen).await.with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr().context("cannot tell the address listened on")?;
    let desk = Desk { library: Arc::clone(&library), workers: Workers::default() };
    let (routes, health) = grpc::routes(&desk, &config.limits).await?;
    let stop = CancellationToken::new();
    tokio::spawn(watch(Arc::clone(&library), config.wordlists_watch, stop.clone(), |reloaded| say_reloaded(&reloaded)));
    if let (Some(certificates), Some(tls)) = (&certificates, &config.tls) {
        tokio::spawn(tls::watch(Arc::clone(certificates), tls.watch, stop.clone(), say_renewed));
    }
    let grpc = layered(routes.into_axum_router(), &config.limits, Arc::new(Callers::new(config.auth)));
    let listening = Listening {
        router: doors(grpc, &config.limits, &config.http)?,
        limits: config.limits,
        tls: certificates.clone(),
        grace: config.grace,
        closed: Box::new(|_| {}),
    };
    let listening = tokio::spawn(listen(listener, listening, stop.clone()));
    anstream::println!("mingcha: serving on {address}, lists {}", library.current().hash());

    signals.until_stopped(|| renew(&library, certificates.as_deref())).await;
    let stopping = stopping(&health, config.notice, stop, listening);
    let in_order = tokio::select! {
        in_order = stopping => in_order?,
        () = signals.until_stopped(|| {}) => false, // asked twice: at once
    };
    anstream::println!("mingcha: stopped");
    Ok(if in_order { ExitCode::SUCCESS } else { ExitCode::from(CUT_OFF) })
}

/// Says that the service goes, lets balancers hear it, then lets the calls in flight finish. Says whether all did.
async fn stopping(
    health: &HealthReporter,
    notice: Duration,
    stop: CancellationToken,
    listening: tokio::task::JoinHandle<bool>,
) -> anyhow::Result<bool> {
    grpc::say(health, ServingStatus::NotServing).await;
    sleep(notice).await;
    stop.cancel();
    listening.await.context("the listener failed")
}

/// Reads lists and certificates again, off the threads that talk to clients.
fn renew(library: &Arc<Library>, certificates: Option<&Certificates>) {
    let library = Arc::clone(library);
    tokio::task::spawn_blocking(move || say_reloaded(&library.reload()));
    if let Some(certificates) = certificates {
        say_renewed(certificates.reload());
    }
}

fn say_reloaded(reloaded: &Result<crate::library::Reloaded, ReloadError>) {
    match reloaded {
        Ok(reloaded) => tracing::info!(before = reloaded.before, after = reloaded.after, "lists reloaded"),
        Err(error) => tracing::error!(%error, "lists refused: the old ones go on serving"),
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
