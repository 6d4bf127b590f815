//! `mingcha serve`.

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use clap::Args;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use super::{Lists, bad_use};
use crate::grpc;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Address to listen on; port 0 takes a free one. Without TLS only loopback is accepted.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:50051", env = "MINGCHA_LISTEN")]
    listen: SocketAddr,
    /// Seconds that calls in flight have to finish after SIGTERM.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    grace: u64,
}

impl Arguments {
    pub(super) fn run(self, lists: &Lists) -> anyhow::Result<ExitCode> {
        if !self.listen.ip().is_loopback() {
            return Ok(bad_use(&"this version speaks plain text and listens on loopback only"));
        }
        let engine = match lists.engine() {
            Ok(engine) => Arc::new(engine),
            Err(problems) => return Ok(bad_use(&problems)),
        };
        let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
        runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
            let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for Ctrl-C")?;
            let listener = TcpListener::bind(self.listen).await.with_context(|| format!("cannot listen on {}", self.listen))?;
            let address = listener.local_addr().context("cannot tell the address listened on")?;
            anstream::println!("mingcha: serving on {address}, lists {}", engine.lists().hash());
            let shutdown = async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            grpc::serve(listener, engine, shutdown, Duration::from_secs(self.grace)).await?;
            anstream::println!("mingcha: stopped");
            Ok(ExitCode::SUCCESS)
        })
    }
}
