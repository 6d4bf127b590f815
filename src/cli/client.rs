//! A client of the service (客户端): over the network, or over a data folder that nobody serves.

use std::{error::Error, fs, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, anyhow, bail};
use axum::body::Body;
use clap::Args;
use http::{HeaderValue, Request, Response, header::AUTHORIZATION};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneSyncService};

use super::{Lists, config};
use crate::{
    config::{Limits, flags::Flags},
    grpc::{self, Desk},
    library::{Library, Source},
    office::{Office, Opened, Settings},
    server::{caller::Callers, stack::layered},
    telemetry::Metrics,
};

/// Largest answer that is taken: the service's own limit.
pub(super) const LARGEST: usize = 32 << 20;

/// How long is waited for the index of a data folder, which may have to be made, in milliseconds.
const PATIENCE_MS: u64 = 600_000;

type BoxError = Box<dyn Error + Send + Sync>;
/// A way to the service.
pub(super) type Line = BoxCloneSyncService<Request<tonic::body::Body>, Response<tonic::body::Body>, BoxError>;

/// Where the service is where nobody says it.
const SERVER: &str = "http://127.0.0.1:50051";

/// Where the service is, and as whom to call.
#[derive(Debug, Args)]
pub(super) struct To {
    #[command(flatten)]
    network: Network,
    /// A data folder to open here; refused while a service holds it. Its wordlists are those inside the binary, or --wordlists;
    /// the deadlines of referrals are those of `MINGCHA_CONFIG`.
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    data: Option<PathBuf>,
}

/// Where the service is on the network, and as whom to call.
#[derive(Debug, Args)]
pub(super) struct Network {
    /// The service [default: <http://127.0.0.1:50051>].
    #[arg(long, value_name = "URL", env = "MINGCHA_SERVER")]
    server: Option<String>,
    /// A file with the bearer token to call with.
    #[arg(long, value_name = "FILE", env = "MINGCHA_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// The authority that the service's certificate is from, PEM; none: it cannot be https.
    #[arg(long, value_name = "FILE", env = "MINGCHA_CA")]
    ca: Option<PathBuf>,
    /// The certificate to call with, PEM.
    #[arg(long, value_name = "FILE", env = "MINGCHA_CERTIFICATE", requires = "certificate_key")]
    certificate: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, value_name = "FILE", env = "MINGCHA_CERTIFICATE_KEY", requires = "certificate")]
    certificate_key: Option<PathBuf>,
}

/// A way to the service, while it is used.
pub(super) struct Connected {
    pub(super) line: Line,
    opened: Option<Opened>,
}

impl Connected {
    /// Closes what was opened here.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        drop(self.line);
        match self.opened {
            Some(opened) => tokio::task::spawn_blocking(|| opened.close()).await.context("the data folder could not be closed"),
            None => Ok(()),
        }
    }
}

impl To {
    /// Does something with the service.
    pub(super) fn with<T, F: Future<Output = anyhow::Result<T>>>(&self, lists: &Lists, what: impl FnOnce(Line) -> F) -> anyhow::Result<T> {
        let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
        runtime.block_on(async {
            let connected = self.connect(lists).await?;
            let done = what(connected.line.clone()).await;
            connected.close().await?;
            done
        })
    }

    async fn connect(&self, lists: &Lists) -> anyhow::Result<Connected> {
        match &self.data {
            Some(data) => open(data.clone(), lists).await,
            None => self.network.connect().await,
        }
    }
}

impl Network {
    /// Whether somebody said where the service is.
    pub(super) const fn is_said(&self) -> bool {
        self.server.is_some()
    }

    /// Where the service is.
    pub(super) fn server(&self) -> &str {
        self.server.as_deref().unwrap_or(SERVER)
    }

    /// Connects to the service.
    pub(super) async fn connect(&self) -> anyhow::Result<Connected> {
        let server = self.server();
        let mut endpoint = Endpoint::from_shared(server.to_owned()).with_context(|| format!("'{server}' is no URL"))?;
        if let Some(tls) = self.tls()? {
            endpoint = endpoint.tls_config(tls).context("the certificates cannot be used")?;
        }
        let channel: Channel = endpoint.connect().await.with_context(|| format!("cannot connect to {server}"))?;
        let token = self.token()?;
        let service = ServiceBuilder::new()
            .map_request(move |mut request: Request<tonic::body::Body>| {
                if let Some(token) = &token {
                    request.headers_mut().insert(AUTHORIZATION, token.clone());
                }
                request
            })
            .map_err(|error| Box::new(error) as BoxError)
            .service(channel);
        Ok(Connected { line: BoxCloneSyncService::new(service), opened: None })
    }

    fn tls(&self) -> anyhow::Result<Option<ClientTlsConfig>> {
        let read = |path: &PathBuf| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        if !self.server().starts_with("https://") {
            if self.ca.is_some() || self.certificate.is_some() {
                bail!("certificates need https: {}", self.server());
            }
            return Ok(None);
        }
        let Some(ca) = &self.ca else { bail!("https needs --ca: whose certificate is trusted?") };
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca)?));
        if let (Some(certificate), Some(key)) = (&self.certificate, &self.certificate_key) {
            tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
        }
        Ok(Some(tls))
    }

    fn token(&self) -> anyhow::Result<Option<HeaderValue>> {
        let Some(path) = &self.token_file else { return Ok(None) };
        if !self.server().starts_with("https://") {
            bail!("a token is sent over https only: {}", self.server());
        }
        let token = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut value =
            HeaderValue::from_str(&format!("Bearer {}", token.trim())).context("the token has characters that no header has")?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// The service itself, over a data folder, without a network: whoever may open the folder may do everything.
pub(super) async fn open(data: PathBuf, lists: &Lists) -> anyhow::Result<Connected> {
    if !data.is_dir() {
        bail!("{} is no folder", data.display());
    }
    let source = lists.0.clone().map_or(Source::Embedded, Source::Folder);
    // the deadlines are those of the service, where its configuration is said (MINGCHA_CONFIG)
    let config = config::loaded(Flags::default(), lists).map_err(|problems| anyhow!(config::said(&problems)))?.config;
    let deadlines = config.deadlines;
    let opening = move || {
        let opened = Office::open(&Settings { data: data.clone(), deadlines })?;
        Ok::<_, anyhow::Error>((Library::open(source, Some(&data))?, opened))
    };
    let (library, opened) = tokio::task::spawn_blocking(opening).await.context("the data folder could not be opened")??;
    for _ in 0..PATIENCE_MS / 50 {
        if !opened.office.is_rebuilding() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (metrics, limits) = (Metrics::new()?, Limits::default());
    let desk =
        Desk::new(Arc::new(library), Arc::clone(&metrics)).with(Some(opened.office.clone()), tokio_util::sync::CancellationToken::new());
    let (routes, _) = grpc::routes(&desk, &limits).await?;
    let router = layered(routes.into_axum_router(), &limits, Arc::new(Callers::new(None)), &metrics);
    let service = router
        .map_request(|request: Request<tonic::body::Body>| request.map(Body::new))
        .map_response(|response: Response<Body>| response.map(tonic::body::Body::new))
        .map_err(|never| match never {});
    Ok(Connected { line: BoxCloneSyncService::new(service), opened: Some(opened) })
}
