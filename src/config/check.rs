//! Checks (检查) of the keys against each other, and of the files that they name.

use std::{
    fs::{self, File},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use super::{Config, Tls, load::Given};
use crate::problem::Problem;

/// What does not go together.
pub(super) fn together(config: &Config, given: &Given) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut say = |wrong: bool, path: &str, message: &str| {
        if wrong {
            problems.push(given.problem(path, message));
        }
    };
    if let Some(tls) = &config.tls {
        let (certificate, key) = (!tls.certificate.as_os_str().is_empty(), !tls.key.as_os_str().is_empty());
        say(!certificate, "tls.certificate", "is missing: TLS needs a certificate and a key");
        say(!key, "tls.key", "is missing: TLS needs a certificate and a key");
        say(tls.crl.is_some() && tls.client_ca.is_none(), "tls.crl", "needs tls.client_ca: whose certificates are revoked?");
        say(tls.watch.is_zero(), "tls.watch", "must be more than nothing");
    }
    let beyond = |address: SocketAddr| !address.ip().is_loopback();
    say(
        config.auth.is_none() && beyond(config.listen),
        "listen",
        "without identities ([[auth.identity]]) anyone has every role: only loopback is accepted",
    );
    say(
        config.tls.is_none() && beyond(config.listen) && !config.plain_text,
        "listen",
        "without [tls] only loopback is accepted, unless plain_text = true says that the network may read and change everything",
    );
    say(
        config.admin.listen.is_some_and(beyond) && !config.admin.plain_text,
        "admin.listen",
        "beyond loopback needs admin.plain_text = true",
    );
    identities(config, &mut say);
    let no_data = config.data.is_none();
    say(
        no_data && (config.anchor.file.is_some() || config.anchor.key.is_some()),
        "journal.anchor",
        "needs data: without it there is no journal",
    );
    say(config.anchor.every.is_zero(), "journal.anchor_every", "must be more than nothing");
    say(config.rescreen.kept == 0, "rescreen.kept", "at least 1: what one came to could not be asked for");
    say(no_data && config.rescreen.folder.is_some(), "rescreen.folder", "needs data: re-screenings are kept there");
    say(config.rescreen.folder.is_none() && config.rescreen.output.is_some(), "rescreen.output", "needs rescreen.folder");
    for (path, count) in [("rescreen.at_once", config.rescreen.at_once), ("rescreen.upload_bytes", config.rescreen.upload_bytes)] {
        say(count == 0, path, "must be more than nothing");
    }
    limits(config, &mut say);
    for origin in &config.http.cors_origins {
        say(!is_origin(origin), "http.cors_origins", &format!("'{origin}' is no origin such as https://host or https://host:8443"));
    }
    problems
}

fn identities(config: &Config, say: &mut impl FnMut(bool, &str, &str)) {
    let Some(identities) = &config.auth else { return };
    let by_name = identities.iter().any(|identity| !identity.names.is_empty());
    let by_token = identities.iter().any(|identity| !identity.tokens.is_empty());
    let takes_certificates = config.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    say(identities.is_empty(), "auth.identity", "is empty: nobody could call; leave [auth] out for anyone on loopback");
    say(by_name && !takes_certificates, "auth.identity", "a san needs tls.client_ca: without it no client shows a certificate");
    say(by_token && config.tls.is_none(), "auth.identity", "a token needs [tls]: tokens are taken over TLS only");
    let only_certificates = config.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some() && tls.client_required);
    let token_alone = identities.iter().any(|identity| identity.names.is_empty() && !identity.tokens.is_empty());
    say(
        only_certificates && token_alone,
        "auth.identity",
        "an identity without a san, and tls.client_required is true: set it to false, or its clients cannot connect",
    );
}

fn limits(config: &Config, say: &mut impl FnMut(bool, &str, &str)) {
    let limits = &config.limits;
    let counts = [
        ("limits.request_bytes", limits.request_bytes),
        ("limits.answer_bytes", limits.answer_bytes),
        ("limits.streams", limits.streams as usize),
        ("limits.connections", limits.connections),
        ("limits.peer_connections", limits.peer_connections),
        ("limits.concurrency", limits.concurrency),
        ("limits.subscriptions", limits.subscriptions),
        ("limits.open_subscriptions", limits.open_subscriptions),
    ];
    for (path, count) in counts {
        say(count == 0, path, "must be more than nothing");
    }
    say(limits.header_bytes < 8 << 10, "limits.header_bytes", "must be 8KiB at least");
    let times = [
        ("limits.deadline", limits.deadline),
        ("limits.silence", limits.silence),
        ("limits.idle", limits.idle),
        ("limits.keepalive", limits.keepalive),
        ("limits.keepalive_timeout", limits.keepalive_timeout),
    ];
    for (path, time) in times {
        say(time.is_zero(), path, "must be more than nothing");
    }
    say(limits.longest_deadline < limits.deadline, "limits.longest_deadline", "is shorter than limits.deadline");
}

fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte))
}

/// What is wrong with the files that a configuration names.
#[must_use]
pub fn files(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(Tls { certificate, key, client_ca, crl, .. }) = &config.tls {
        let files = [
            ("tls.certificate", Some(certificate)),
            ("tls.key", Some(key)),
            ("tls.client_ca", client_ca.as_ref()),
            ("tls.crl", crl.as_ref()),
        ];
        for (path, file) in files {
            problems.extend(file.and_then(|file| File::open(file).err().map(|error| at(file, path, &error.to_string()))));
        }
        let mode = fs::metadata(key).map_or(0, |seen| seen.permissions().mode());
        if mode & 0o077 != 0 {
            problems.push(at(key, "tls.key", "others may read it: chmod 600"));
        }
    }
    if let Some(folder) = config.wordlists.as_ref().filter(|folder| !folder.is_dir()) {
        problems.push(at(folder, "wordlists", "is no folder"));
    }
    for (path, folder) in [("rescreen.folder", &config.rescreen.folder), ("rescreen.output", &config.rescreen.output)] {
        problems.extend(folder.as_ref().filter(|folder| !folder.is_dir()).map(|folder| at(folder, path, "is no folder")));
    }
    if let Some(folder) = config.data.as_ref().filter(|folder| folder.exists() && !folder.is_dir()) {
        problems.push(at(folder, "data", "is no folder"));
    }
    problems
}

fn at(file: &Path, path: &str, message: &str) -> Problem {
    Problem::new(&file.display().to_string(), 0, format!("{path}: {message}"))
}
