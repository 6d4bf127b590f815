//! Configuration (配置) of the service: one TOML file, every key also by environment and flag.
//!
//! [`keys`] is the one table of what can be configured; [`load`](load::load) reads it from everywhere; [`check`] holds
//! the keys against each other.

pub mod check;
pub mod flags;
pub mod identity;
pub mod keys;
pub mod load;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::{auth::Identity, watch::deadline::Deadlines};

/// All of it, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the service listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether it may speak plain text beyond loopback.
    pub plain_text: bool,
    /// The folder of the wordlists, watched; those inside the binary where there is none.
    pub wordlists: Option<PathBuf>,
    /// How often the wordlists folder is looked at. Zero: only on demand.
    pub wordlists_watch: Duration,
    /// The data folder: the wordlists ever served, the journal, the index. There is no watch list where there is none.
    pub data: Option<PathBuf>,
    /// How long a body has for each step of a referral.
    pub deadlines: Deadlines,
    /// Heads of the journal that are signed and kept elsewhere.
    pub anchor: Anchor,
    /// Re-screenings in the service.
    pub rescreen: Rescreen,
    /// How long calls in flight have to finish after SIGTERM.
    pub grace: Duration,
    /// How long the service goes on taking calls after SIGTERM while its health says `NOT_SERVING`, for balancers to hear of it.
    pub notice: Duration,
    /// TLS; plain text where there is none.
    pub tls: Option<Tls>,
    /// Limits on everything.
    pub limits: Limits,
    /// Who may call. `None`: anyone on loopback, with every role.
    pub auth: Option<Vec<Identity>>,
    /// The HTTP edge.
    pub http: Http,
    /// The admin port.
    pub admin: Admin,
    /// Logs and traces.
    pub telemetry: Telemetry,
}

/// Transport layer security. Paths are read again when their files change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Authorities whose client certificates are accepted, PEM.
    pub client_ca: Option<PathBuf>,
    /// Whether a client must show a certificate where `client_ca` is set.
    pub client_required: bool,
    /// Revoked client certificates (CRL), PEM.
    pub crl: Option<PathBuf>,
    /// How often the files are looked at.
    pub watch: Duration,
}

/// Where signed heads of the journal are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The file that they are added to. `None`: `anchors` in the data folder.
    pub file: Option<PathBuf>,
    /// The folder of the signing key. `None`: the data folder.
    pub key: Option<PathBuf>,
    /// How often the head is written, where it has changed.
    pub every: Duration,
}

/// Re-screenings in the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescreen {
    /// The folder of registers that callers may name, and to which they bring theirs. `None`: there are no re-screenings.
    pub folder: Option<PathBuf>,
    /// The folder of outputs. `None`: that of registers.
    pub output: Option<PathBuf>,
    /// How many go on at a time.
    pub at_once: usize,
    /// How many that have ended are kept.
    pub kept: usize,
    /// The largest register that can be brought, in bytes.
    pub upload_bytes: usize,
    /// How often a run puts on the disk how far it is.
    pub checkpoint_every: Duration,
    /// Whether runs take only processors that nobody else wants.
    pub gentle: bool,
}

/// Limits of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest request, in bytes.
    pub request_bytes: usize,
    /// Largest answer, in bytes.
    pub answer_bytes: usize,
    /// Largest head of a request, in bytes.
    pub header_bytes: u32,
    /// Most streams of one HTTP/2 connection at a time.
    pub streams: u32,
    /// Most connections at a time.
    pub connections: usize,
    /// Most connections of one address at a time.
    pub peer_connections: usize,
    /// Most calls at a time; more are refused at once with `RESOURCE_EXHAUSTED`.
    pub concurrency: usize,
    /// Most streams that go on at a time.
    pub subscriptions: usize,
    /// Most streams that need no identity, which is watching health, at a time.
    pub open_subscriptions: usize,
    /// How long a call may take where the client names no deadline.
    pub deadline: Duration,
    /// The longest deadline a client can ask for.
    pub longest_deadline: Duration,
    /// How long a connection may stay open without having made a request.
    pub silence: Duration,
    /// How long a connection may stay open after its last request was answered.
    pub idle: Duration,
    /// How often a quiet HTTP/2 connection is asked whether it still lives.
    pub keepalive: Duration,
    /// How long it has to answer.
    pub keepalive_timeout: Duration,
}

/// The HTTP edge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Http {
    /// Origins of web pages that may call (CORS). Empty: none.
    pub cors_origins: Vec<String>,
}

/// The admin port: metrics, liveness, readiness. Plain HTTP.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admin {
    /// Where it listens. `None`: nowhere.
    pub listen: Option<SocketAddr>,
    /// Whether it may listen beyond loopback, in plain text.
    pub plain_text: bool,
}

/// Logs and traces.
#[derive(Debug, Clone, PartialEq)]
pub struct Telemetry {
    /// What is logged, as `tracing_subscriber::EnvFilter` reads it: `info`, `mingcha=debug`.
    pub log: String,
    /// How a line of the log is written.
    pub log_format: LogFormat,
    /// Whether names and scopes may stand in logs and traces.
    pub texts: bool,
    /// Where traces are sent by OTLP over gRPC, e.g. `http://127.0.0.1:4317`. `None`: nowhere.
    pub otlp: Option<String>,
    /// The share of calls that are traced where the caller does not say: 0 to 1.
    pub sample: f64,
}

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 50051)),
            plain_text: false,
            wordlists: None,
            wordlists_watch: Duration::from_secs(2),
            data: None,
            deadlines: Deadlines::default(),
            anchor: Anchor { file: None, key: None, every: Duration::from_secs(10) },
            rescreen: Rescreen::default(),
            grace: Duration::from_secs(10),
            notice: Duration::ZERO,
            tls: None,
            limits: Limits::default(),
            auth: None,
            http: Http::default(),
            admin: Admin::default(),
            telemetry: Telemetry::default(),
        }
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate: PathBuf::new(),
            key: PathBuf::new(),
            client_ca: None,
            client_required: true,
            crl: None,
            watch: Duration::from_secs(10),
        }
    }
}

impl Default for Rescreen {
    fn default() -> Self {
        Self {
            folder: None,
            output: None,
            at_once: 1,
            kept: 1000,
            upload_bytes: 4 << 30,
            checkpoint_every: Duration::from_secs(5),
            gentle: true,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: 8 << 20,
            answer_bytes: 32 << 20,
            header_bytes: 16 << 10,
            streams: 256,
            connections: 4096,
            peer_connections: 1024,
            concurrency: 64,
            subscriptions: 256,
            open_subscriptions: 256,
            deadline: Duration::from_secs(30),
            longest_deadline: Duration::from_secs(600),
            silence: Duration::from_secs(10),
            idle: Duration::from_secs(600),
            keepalive: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
        }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { log: "info".to_owned(), log_format: LogFormat::Json, texts: false, otlp: None, sample: 1.0 }
    }
}
