//! The keys (配置项): the one table of what can be configured. The file, the environment, the flags, the help and
//! `docs/configuration.md` come from it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use jiff::SignedDuration;

use super::{Config, LogFormat, Tls};

/// A key.
pub struct Key {
    /// Its path in the file: `limits.concurrency`.
    pub path: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// What it is where nobody says. Empty: nothing.
    pub default: &'static str,
    /// What it means.
    pub about: &'static str,
    set: fn(&mut Config, &str) -> Result<(), String>,
}

/// What the values of a key are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `ADDRESS:PORT`.
    Address,
    /// A path of a file or folder.
    Path,
    /// `10s`, `500ms`, `2m`.
    Duration,
    /// A count.
    Number,
    /// Bytes: `8MiB`, `16KiB`, `4096`.
    Size,
    /// `true` or `false`.
    Flag,
    /// A share from 0 to 1.
    Share,
    /// A text.
    Text,
    /// Texts; with commas between them outside of the file.
    Texts,
    /// Identities: `[[auth.identity]]`; outside of the file a list of TOML tables.
    Identities,
}

impl Kind {
    /// In help and documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Address => "ADDRESS:PORT",
            Self::Path => "PATH",
            Self::Duration => "DURATION",
            Self::Number => "NUMBER",
            Self::Size => "BYTES",
            Self::Flag => "true|false",
            Self::Share => "0..1",
            Self::Text => "TEXT",
            Self::Texts => "TEXTS",
            Self::Identities => "IDENTITIES",
        }
    }

    /// A value as it is written in the file.
    #[must_use]
    pub fn written(self, text: &str) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        match self {
            Self::Number | Self::Flag | Self::Share | Self::Identities => text.to_owned(),
            Self::Texts => format!("[{}]", texts(text).iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ")),
            _ => quoted(text),
        }
    }
}

impl Key {
    /// The variable of the environment: `MINGCHA_LIMITS_CONCURRENCY`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("MINGCHA_{}", self.path.replace('.', "_").to_ascii_uppercase())
    }

    /// The flag, without its hyphens: `limits-concurrency`.
    #[must_use]
    pub fn flag(&self) -> String {
        self.path.replace(['.', '_'], "-")
    }

    /// Sets it in a configuration.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub fn set(&self, config: &mut Config, text: &str) -> Result<(), String> {
        (self.set)(config, text)
    }
}

/// The key with this path.
#[must_use]
pub fn key(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

macro_rules! keys {
    ($($path:literal: $kind:ident = $default:literal, $about:literal, |$config:ident, $text:ident| $set:expr;)+) => {
        /// Every key, in the order of the documents.
        pub const KEYS: &[Key] = &[$(Key {
            path: $path,
            kind: Kind::$kind,
            default: $default,
            about: $about,
            set: |$config, $text| Ok($set),
        }),+];
    };
}

keys! {
    "listen": Address = "127.0.0.1:50051", "where the service listens; port 0 takes a free one",
        |config, text| config.listen = address(text)?;
    "plain_text": Flag = "false", "whether it may speak plain text beyond loopback",
        |config, text| config.plain_text = flag(text)?;
    "wordlists": Path = "", "the wordlists folder, watched; nothing: the lists inside the binary",
        |config, text| config.wordlists = path(text);
    "wordlists_watch": Duration = "2s", "how often the wordlists folder is looked at; 0s: only on demand",
        |config, text| config.wordlists_watch = duration(text)?;
    "data": Path = "", "the data folder: every version of the wordlists, the journal, the index; nothing: none is kept, and there is no watch list",
        |config, text| config.data = path(text);
    "referral.receive_days": Number = "2", "working days a body has to receive a referral",
        |config, text| config.deadlines.receive = number(text)?;
    "referral.accept_days": Number = "5", "working days it then has to accept it",
        |config, text| config.deadlines.accept = number(text)?;
    "referral.conclude_days": Number = "20", "working days it then has to conclude",
        |config, text| config.deadlines.conclude = number(text)?;
    "journal.anchor": Path = "", "a file, best on another machine's disk, that signed heads of the journal are added to; nothing: anchors in the data folder",
        |config, text| config.anchor.file = path(text);
    "journal.anchor_key": Path = "", "the folder of the key that signs them, made where there is none; nothing: the data folder",
        |config, text| config.anchor.key = path(text);
    "journal.anchor_every": Duration = "10s", "how often the head is written there, where it has changed",
        |config, text| config.anchor.every = duration(text)?;
    "rescreen.folder": Path = "", "the folder of registers that callers may have re-screened, and to which they bring theirs; needs data; nothing: no re-screenings",
        |config, text| config.rescreen.folder = path(text);
    "rescreen.output": Path = "", "the folder of what re-screenings write; nothing: that of registers",
        |config, text| config.rescreen.output = path(text);
    "rescreen.at_once": Number = "1", "how many re-screenings go on at a time; the others wait",
        |config, text| config.rescreen.at_once = number(text)?;
    "rescreen.kept": Number = "1000", "how many re-screenings that have ended are kept in the list; their outputs stay",
        |config, text| config.rescreen.kept = number(text)?;
    "rescreen.upload_bytes": Size = "4GiB", "largest register that can be brought",
        |config, text| config.rescreen.upload_bytes = size(text)?;
    "rescreen.checkpoint_every": Duration = "5s", "how often a re-screening puts on the disk how far it is",
        |config, text| config.rescreen.checkpoint_every = duration(text)?;
    "rescreen.gentle": Flag = "true", "whether re-screenings take only processors that nobody else on this machine wants",
        |config, text| config.rescreen.gentle = flag(text)?;
    "grace": Duration = "10s", "how long calls in flight have to finish after SIGTERM",
        |config, text| config.grace = duration(text)?;
    "notice": Duration = "0s", "how long calls are still taken after SIGTERM while health says NOT_SERVING",
        |config, text| config.notice = duration(text)?;
    "tls.certificate": Path = "", "the service's certificate chain, PEM; nothing: plain text",
        |config, text| tls(config).certificate = PathBuf::from(text);
    "tls.key": Path = "", "its private key, PEM, readable by its owner only",
        |config, text| tls(config).key = PathBuf::from(text);
    "tls.client_ca": Path = "", "authorities whose client certificates are taken, PEM; nothing: no client certificates",
        |config, text| tls(config).client_ca = path(text);
    "tls.client_required": Flag = "true", "whether a client must show a certificate, where client_ca is set",
        |config, text| if config.tls.is_some() || text != "true" { tls(config).client_required = flag(text)? };
    "tls.crl": Path = "", "revoked client certificates, PEM",
        |config, text| tls(config).crl = path(text);
    "tls.watch": Duration = "10s", "how often the files of tls are looked at",
        |config, text| if config.tls.is_some() || text != "10s" { tls(config).watch = duration(text)? };
    "limits.request_bytes": Size = "8MiB", "largest request",
        |config, text| config.limits.request_bytes = size(text)?;
    "limits.answer_bytes": Size = "32MiB", "largest answer; clients must allow as much to receive whole batches",
        |config, text| config.limits.answer_bytes = size(text)?;
    "limits.header_bytes": Size = "16KiB", "largest head of a request, at least 8KiB",
        |config, text| config.limits.header_bytes = u32::try_from(size(text)?).map_err(|_| "at most 4095MiB")?;
    "limits.streams": Number = "256", "most calls of one HTTP/2 connection at a time",
        |config, text| config.limits.streams = number(text)?;
    "limits.connections": Number = "4096", "most connections at a time; more are closed at once",
        |config, text| config.limits.connections = number(text)?;
    "limits.peer_connections": Number = "1024", "most connections of one address at a time, such as of a balancer; more are closed at once",
        |config, text| config.limits.peer_connections = number(text)?;
    "limits.concurrency": Number = "64", "most calls at a time; more are refused at once with RESOURCE_EXHAUSTED",
        |config, text| config.limits.concurrency = number(text)?;
    "limits.subscriptions": Number = "256", "most streams that go on at a time",
        |config, text| config.limits.subscriptions = number(text)?;
    "limits.open_subscriptions": Number = "256", "the same of streams that need no identity: watching health",
        |config, text| config.limits.open_subscriptions = number(text)?;
    "limits.deadline": Duration = "30s", "how long a call may take where the client does not say",
        |config, text| config.limits.deadline = duration(text)?;
    "limits.longest_deadline": Duration = "10m", "the longest deadline that a client can ask for",
        |config, text| config.limits.longest_deadline = duration(text)?;
    "limits.silence": Duration = "10s", "how long a connection may stay open without having made a request",
        |config, text| config.limits.silence = duration(text)?;
    "limits.idle": Duration = "10m", "how long a connection may stay open after its last request was answered",
        |config, text| config.limits.idle = duration(text)?;
    "limits.keepalive": Duration = "30s", "how often a quiet HTTP/2 connection is asked whether it still lives",
        |config, text| config.limits.keepalive = duration(text)?;
    "limits.keepalive_timeout": Duration = "10s", "how long it has to answer",
        |config, text| config.limits.keepalive_timeout = duration(text)?;
    "http.cors_origins": Texts = "", "origins of web pages that may call: scheme://host[:port]",
        |config, text| config.http.cors_origins = texts(text);
    "admin.listen": Address = "", "where metrics, liveness and readiness are served, plain HTTP; nothing: nowhere",
        |config, text| config.admin.listen = if text.is_empty() { None } else { Some(address(text)?) };
    "admin.plain_text": Flag = "false", "whether the admin port may listen beyond loopback",
        |config, text| config.admin.plain_text = flag(text)?;
    "telemetry.log": Text = "info", "what is logged: off, error, warn, info, debug, trace, also by module: info,mingcha=debug",
        |config, text| text.clone_into(&mut config.telemetry.log);
    "telemetry.log_format": Text = "json", "how a line of the log is written: json, or text for people",
        |config, text| config.telemetry.log_format = format(text)?;
    "telemetry.texts": Flag = "false", "whether names and scopes may stand in logs and traces",
        |config, text| config.telemetry.texts = flag(text)?;
    "telemetry.otlp": Text = "", "where traces are sent by OTLP over gRPC: http://127.0.0.1:4317; nothing: nowhere",
        |config, text| config.telemetry.otlp = (!text.is_empty()).then(|| text.to_owned());
    "telemetry.sample": Share = "1", "the share of calls that are traced where the caller does not say",
        |config, text| config.telemetry.sample = share(text)?;
    "auth.identity": Identities = "", "who may call; nothing: anyone on loopback, with every role",
        |_config, _text| {}; // read by `identity`, which says the place of every problem
}

/// TLS, with its defaults where nothing was said of it yet.
fn tls(config: &mut Config) -> &mut Tls {
    config.tls.get_or_insert_with(Tls::default)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("'{text}' is no ADDRESS:PORT, such as 127.0.0.1:50051 or [::1]:50051"))
}

fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

fn flag(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("'{text}' is neither true nor false"))
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration = text.parse().map_err(|_| format!("'{text}' is no duration, such as 10s, 500ms, 2m"))?;
    let duration = Duration::try_from(duration).map_err(|_| format!("'{text}' is negative"))?;
    if duration > LONGEST { Err(format!("'{text}' is longer than 365 days")) } else { Ok(duration) }
}

/// Longest duration that can be configured.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("'{text}' is no count, or too large"))
}

/// A number of bytes.
fn size(text: &str) -> Result<usize, String> {
    let bad = || format!("'{text}' is no number of bytes, such as 4096, 16KiB, 8MiB");
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let count: usize = text[..digits].parse().map_err(|_| bad())?;
    let unit = match &text[digits..] {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(bad()),
    };
    count.checked_mul(unit).ok_or_else(bad)
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("'{text}' is no share from 0 to 1"))
}

fn texts(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

fn format(text: &str) -> Result<LogFormat, String> {
    match text {
        "json" => Ok(LogFormat::Json),
        "text" => Ok(LogFormat::Text),
        _ => Err(format!("'{text}' is neither json nor text")),
    }
}

#[cfg(test)]
mod tests {
    use super::{KEYS, duration, size};
    use crate::config::Config;

    #[test]
    fn the_defaults_of_the_table_are_those_of_the_configuration() {
        let mut config = Config::default();
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            key.set(&mut config, key.default).unwrap_or_else(|error| panic!("{}: {error}", key.path));
        }
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
        let paths: std::collections::BTreeSet<&str> = KEYS.iter().map(|key| key.path).collect();
        assert_eq!(paths.len(), KEYS.len());
    }

    #[test]
    fn sizes_and_durations() {
        for (text, bytes) in [("0", 0), ("4096", 4096), ("7B", 7), ("16KiB", 16_384), ("8MiB", 8 << 20), ("1GiB", 1 << 30)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "MiB", "-1", "1.5MiB", "8MB", "99999999999999999999", "99999999999GiB", "８"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        for (text, millis) in [("10s", 10_000), ("500ms", 500), ("2m", 120_000), ("1h 30m", 5_400_000), ("0s", 0)] {
            assert_eq!(duration(text).map(|duration| duration.as_millis()), Ok(millis), "{text}");
        }
        for bad in ["", "10", "-1s", "soon", "10 parsecs", "999999h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
