//! Clients that no one here wrote, from other languages, against a real server. `tests/clients/install` installs
//! what they need.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::server::Server;

#[test]
fn python() {
    check(".venv/installed", &[".venv/bin/python", "check.py"]);
}

#[test]
fn node() {
    check("node_modules/installed", &["node", "check.mjs"]);
}

/// Runs a client's command line against a server of its own.
fn check(installed: &str, command: &[&str]) {
    let server = Server::start(&[]);
    run(installed, command, &[&server.address]);

    assert_eq!(server.stop().code(), Some(0), "exit status after SIGTERM");
}

/// Runs a client's command line and servers' addresses behind it, in `tests/clients`.
pub(crate) fn run(installed: &str, command: &[&str], addresses: &[&str]) {
    let folder = folder();
    assert!(folder.join(installed).exists(), "the client is not installed: please run tests/clients/install");
    let output = Command::new(program(&folder, command[0]))
        .args(&command[1..])
        .args(addresses)
        .current_dir(&folder)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; please run tests/clients/install", command[0]));
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    println!("{said}");
    assert!(output.status.success(), "{} says:\n{said}", command.join(" "));
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// A program of the folder by its path, any other by its name.
fn program(folder: &Path, name: &str) -> PathBuf {
    if name.contains('/') { folder.join(name) } else { PathBuf::from(name) }
}
