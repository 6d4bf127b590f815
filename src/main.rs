//! `mingcha`: see `mingcha --help`.

use std::process::ExitCode;

use clap::Parser;
use mingcha::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(status) => status,
        Err(error) => {
            anstream::eprintln!("mingcha: {error:#}");
            ExitCode::from(3)
        }
    }
}
