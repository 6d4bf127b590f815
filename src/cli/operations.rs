//! `mingcha operations`: re-screenings that a running service carries out.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Subcommand};
use prost::Message;
use tempfile::NamedTempFile;

use super::{
    client::{LARGEST, Line, Network},
    paint::visible,
    print,
    watch::said,
};
use crate::wire::{
    longrunning::{
        CancelOperationRequest, GetOperationRequest, ListOperationsRequest, Operation, WaitOperationRequest, operation::Result as Outcome,
        operations_client::OperationsClient,
    },
    v1::{ReadOutputRequest, RescreenFile, RescreenMetadata, rescreen_service_client::RescreenServiceClient},
};

/// Operations of a page that is fetched.
const PAGE: i32 = 200;
/// Exit status of an operation that failed or was cancelled.
const NOT_DONE: u8 = 1;

/// What is done with operations.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    network: Network,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List operations, the newest first.
    List {
        /// Most operations.
        #[arg(long, value_name = "NUMBER", default_value_t = 50)]
        limit: usize,
    },
    /// Show an operation.
    Show {
        /// Its name: operations/…
        name: String,
    },
    /// Cancel an operation.
    Cancel {
        /// Its name: operations/…
        name: String,
    },
    /// Fetch what an operation wrote that is done, from a service whose folder is elsewhere.
    Fetch {
        /// Its name: operations/…
        name: String,
        /// Where it goes; nothing may be there.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Fetch the rejected rows, not the flagged firms.
        #[arg(long)]
        rejects: bool,
    },
    /// Wait until an operation has ended; exit status 1 where it failed or was cancelled.
    Wait {
        /// Its name: operations/…
        name: String,
    },
}

type Client = OperationsClient<Line>;

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
        runtime.block_on(async {
            let connected = self.network.connect().await?;
            let status = self.command.run(connected.line.clone()).await;
            connected.close().await?;
            status
        })
    }
}

impl Command {
    async fn run(self, line: Line) -> anyhow::Result<ExitCode> {
        let mut client = OperationsClient::new(line.clone()).max_decoding_message_size(LARGEST);
        match self {
            Self::Fetch { name, out, rejects } => fetch(line, whole(name), &out, rejects).await,
            Self::List { limit } => list(client, limit).await,
            Self::Show { name } => {
                let operation = client.get_operation(GetOperationRequest { name: whole(name) }).await.map_err(|status| said(&status))?;
                shown(&operation.into_inner())
            }
            Self::Cancel { name } => {
                let request = CancelOperationRequest { name: whole(name) };
                client.cancel_operation(request).await.map_err(|status| said(&status))?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Wait { name } => loop {
                let request = WaitOperationRequest { name: whole(name.clone()), timeout: None };
                let operation = client.wait_operation(request).await.map_err(|status| said(&status))?.into_inner();
                if operation.done {
                    return shown(&operation);
                }
            },
        }
    }
}

/// The name of an operation that may have been said without its collection.
fn whole(name: String) -> String {
    if name.contains('/') { name } else { format!("operations/{name}") }
}

/// Writes a file of an operation beside its place, then into it when all of it is there.
async fn fetch(line: Line, name: String, out: &Path, rejects: bool) -> anyhow::Result<ExitCode> {
    let file = if rejects { RescreenFile::Rejects } else { RescreenFile::Output };
    let request = ReadOutputRequest { name, file: file.into(), offset: 0 };
    let mut pieces = RescreenServiceClient::new(line).read_output(request).await.map_err(|status| said(&status))?.into_inner();
    let unwritten = || format!("cannot write {}", out.display());
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut beside = NamedTempFile::with_prefix_in(".mingcha-fetch-", folder).with_context(unwritten)?;
    let (mut size, mut bytes) = (0, 0);
    while let Some(piece) = pieces.message().await.map_err(|status| said(&status))? {
        size += piece.size;
        bytes += piece.content.len() as u64;
        beside.write_all(&piece.content).with_context(unwritten)?;
    }
    anyhow::ensure!(bytes == size, "{bytes} bytes came, of {size} that were to come");
    beside.as_file().sync_all().with_context(unwritten)?;
    beside.persist_noclobber(out).with_context(unwritten)?;
    Ok(ExitCode::SUCCESS)
}

async fn list(mut client: Client, limit: usize) -> anyhow::Result<ExitCode> {
    let (mut left, mut page_token) = (limit, String::new());
    while left > 0 {
        let page_size = i32::try_from(left).unwrap_or(PAGE).min(PAGE);
        let request = ListOperationsRequest { page_size, page_token, ..ListOperationsRequest::default() };
        let page = client.list_operations(request).await.map_err(|status| said(&status))?.into_inner();
        let mut text = String::new();
        for operation in &page.operations {
            writeln!(text, "{}", line(&operation.name, &metadata(operation)?))?;
        }
        print(&text)?;
        left = left.saturating_sub(page.operations.len());
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(name: &str, said: &RescreenMetadata) -> String {
    let RescreenMetadata { create_time, read, flagged, rejected, output, identity, .. } = said;
    let state = state(said);
    format!("{name}  {state:<9}  {create_time:.19}Z  read {read}, flagged {flagged}, rejected {rejected}  {}  {identity}", visible(output))
}

fn state(said: &RescreenMetadata) -> &'static str {
    said.state().as_str_name().trim_start_matches("RESCREEN_STATE_")
}

/// Prints an operation.
fn shown(operation: &Operation) -> anyhow::Result<ExitCode> {
    let said = metadata(operation)?;
    let mut text = String::new();
    writeln!(text, "{}  {}", operation.name, state(&said))?;
    let inputs = said.inputs.iter().map(|input| visible(input)).collect::<Vec<_>>().join(" ");
    for (what, value) in [
        ("inputs", inputs),
        ("output", visible(&said.output)),
        ("identity", said.identity.clone()),
        ("read", format!("{} rows, {} of {} bytes", said.read, said.read_bytes, said.size_bytes)),
        ("passed", said.passed.to_string()),
        ("flagged", said.flagged.to_string()),
        ("rejected", said.rejected.to_string()),
        ("warnings", said.warnings.to_string()),
        ("recorded", format!("{}, and {} known before", said.recorded, said.known)),
        ("asked for", said.create_time.clone()),
        ("began", said.start_time.clone()),
        ("ended", said.end_time.clone()),
        ("lists", format!("{}  engine {}  as of {}", said.lists_hash, said.engine_version, said.date)),
    ] {
        writeln!(text, "{what:<10} {value}")?;
    }
    let failed = match &operation.result {
        Some(Outcome::Error(status)) => {
            writeln!(text, "error      {}", visible(&status.message))?;
            true
        }
        _ => false,
    };
    print(&text)?;
    Ok(if failed { ExitCode::from(NOT_DONE) } else { ExitCode::SUCCESS })
}

fn metadata(operation: &Operation) -> anyhow::Result<RescreenMetadata> {
    let bytes = operation.metadata.as_ref().map_or(&[][..], |any| any.value.as_slice());
    RescreenMetadata::decode(bytes).with_context(|| format!("{} is no re-screening", operation.name))
}
