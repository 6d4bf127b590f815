//! Recording (列入重点监管) what a re-screening flags, on the watch list of a service: several calls at a time.

use std::{path::Path, time::Duration};

use anyhow::Context;
use clap::Args;
use tokio::{runtime::Runtime, time::sleep};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::{
    Lists,
    client::{Connected, LARGEST, Line, Network, open},
    paint::visible,
    watch::said,
};
use crate::{
    rescreen::{
        RescreenError,
        record::{Answered, Ledger, Recorder, Tally, Watched},
    },
    screen::ENGINE_VERSION,
    vocabulary::Decision,
    wire::{
        answered, member, rescreened,
        v1::{
            ListInstrumentsRequest, RecordScreeningRequest, RecordScreeningResponse, watch_list_service_client::WatchListServiceClient,
            wordlist_service_client::WordlistServiceClient,
        },
    },
};

/// How long a call may take.
const CALL: Duration = Duration::from_secs(30);
/// How often a call is made again that the service wants to come again: with its quarter of a second, for a minute.
const COMES_AGAIN: u32 = 240;
/// How often a call is made again where the connection broke, which may have been idle only.
const RECONNECTS: u32 = 2;
/// How long to wait before that.
const PAUSE: Duration = Duration::from_millis(250);

/// Whether and where to record what is flagged.
#[derive(Debug, Args)]
pub(super) struct Recording {
    /// Record the flagged firms on the watch list, and open the referrals, once each: on that of the service, or of the folder
    /// of --data where that is said and --server is not.
    #[arg(long)]
    pub(super) record: bool,
    #[command(flatten, next_help_heading = "With --record")]
    network: Network,
}

impl Recording {
    /// Where to record the firms, if anywhere; `data` is a data folder that was said.
    pub(super) fn place<'a>(&'a self, data: Option<&'a Path>) -> Option<Place<'a>> {
        let folder = data.filter(|_| !self.network.is_said());
        self.record.then(|| folder.map_or(Place::Network(&self.network), Place::Folder))
    }
}

/// Where firms are recorded.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    /// A service on the network.
    Network(&'a Network),
    /// A data folder that nobody serves.
    Folder(&'a Path),
}

impl Place<'_> {
    /// Its name, for people.
    pub(super) fn name(self) -> String {
        match self {
            Self::Network(network) => network.server().to_owned(),
            Self::Folder(data) => data.display().to_string(),
        }
    }

    async fn connect(self, lists: &Lists) -> anyhow::Result<Connected> {
        match self {
            Self::Network(network) => network.connect().await,
            Self::Folder(data) => open(data.to_owned(), lists).await,
        }
    }
}

/// The watch list of a service.
pub(super) struct WatchList {
    runtime: Runtime,
    connected: Connected,
    /// The hash of the lists by which it must judge.
    lists_hash: String,
}

impl WatchList {
    /// Goes to a service, which must have the lists of this hash.
    ///
    /// # Errors
    /// [`RescreenError::Unrecorded`] where it cannot be reached, [`RescreenError::OtherLists`] where it has others.
    pub(super) fn at(place: Place<'_>, lists: &Lists, lists_hash: &str) -> Result<Self, RescreenError> {
        let unreached = |error: anyhow::Error| RescreenError::Unrecorded(format!("{error:#}"));
        let runtime = Runtime::new().context("cannot start the runtime").map_err(unreached)?;
        let connected = runtime.block_on(place.connect(lists)).map_err(unreached)?;
        let theirs = runtime.block_on(lists_of(connected.line.clone()));
        let watch_list = Self { runtime, connected, lists_hash: lists_hash.to_owned() };
        match theirs {
            Ok(theirs) if theirs == lists_hash => Ok(watch_list),
            Ok(theirs) => {
                watch_list.close()?;
                Err(RescreenError::OtherLists { ours: lists_hash.to_owned(), theirs })
            }
            Err(status) => {
                watch_list.close()?;
                Err(RescreenError::Unrecorded(format!("{:#}", said(&status))))
            }
        }
    }

    /// Closes what was opened.
    ///
    /// # Errors
    /// [`RescreenError::Unrecorded`] where a data folder could not be closed.
    pub(super) fn close(self) -> Result<(), RescreenError> {
        self.runtime.block_on(self.connected.close()).map_err(|error| RescreenError::Unrecorded(format!("{error:#}")))
    }
}

impl Recorder for WatchList {
    fn record(&mut self, firms: Vec<Watched>, ledger: &mut Ledger) -> Result<Tally, RescreenError> {
        let client = WatchListServiceClient::new(self.connected.line.clone()).max_decoding_message_size(LARGEST);
        let run = ledger.run().to_owned();
        let calls = firms.into_iter().map(|firm| recorded(client.clone(), firm, &self.lists_hash, &run));
        self.runtime.block_on(ledger.tally(calls))
    }
}

/// The hash of the lists that a service has in use.
async fn lists_of(line: Line) -> Result<String, Status> {
    let mut client = WordlistServiceClient::new(line).max_decoding_message_size(LARGEST);
    Ok(client.list_instruments(ListInstrumentsRequest::default()).await?.into_inner().lists_hash)
}

/// Records a firm.
async fn recorded(client: WatchListServiceClient<Line>, firm: Watched, lists_hash: &str, run: &str) -> Result<Answered, RescreenError> {
    let failed = |why: &dyn std::fmt::Display| {
        RescreenError::Unrecorded(format!("{} line {} '{}': {why}", firm.input, firm.line, visible(&firm.firm.name)))
    };
    let mut answer = patiently(client, rescreened(&firm, lists_hash, run)).await.map_err(|status| failed(&said(&status)))?;
    let screening = answer.screening.take().unwrap_or_default();
    if member::<Decision>(screening.decision) != Some(firm.decision) {
        let theirs = member::<Decision>(screening.decision).map_or("nothing", Decision::id);
        let ours = format!("{} by engine {ENGINE_VERSION}", firm.decision.id());
        return Err(failed(&format!("the service decides {theirs} by engine {}, this run {ours}", screening.engine_version)));
    }
    Ok(answered(answer))
}

/// Calls, and calls again where the service says so, or where the connection broke: the same request is recorded once.
async fn patiently(mut client: WatchListServiceClient<Line>, request: RecordScreeningRequest) -> Result<RecordScreeningResponse, Status> {
    let mut tries = 0;
    loop {
        let mut call = Request::new(request.clone());
        call.set_timeout(CALL);
        let status = match client.record_screening(call).await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => status,
        };
        sleep(again_after(&status, tries).ok_or(status)?).await;
        tries += 1;
    }
}

/// How long to wait before a call is made again; none where that is of no use.
fn again_after(status: &Status, tries: u32) -> Option<Duration> {
    match status.get_error_details().retry_info() {
        Some(info) => (tries < COMES_AGAIN).then(|| info.retry_delay.unwrap_or(PAUSE)),
        None => (status.code() == Code::Unavailable && tries < RECONNECTS).then_some(PAUSE),
    }
}
