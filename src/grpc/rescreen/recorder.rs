//! Recording (列入重点监管) what a re-screening in the service flags, on its own watch list, in the name of who started it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, time::sleep};
use tonic::Status;
use tonic_types::StatusExt;

use crate::{
    auth::{Identity, Role},
    grpc::{counter::Counter, desk::Desk, watch::record},
    library::Version,
    operations::Recording,
    rescreen::{
        RescreenError,
        record::{Answered, Ledger, Recorder, Tally, Watched},
    },
    wire::{answered, rescreened},
};

/// The watch list of this service.
pub struct OwnWatchList {
    desk: Desk,
    /// All who may call; none where anyone may.
    identities: Option<Vec<Arc<Identity>>>,
    runtime: Handle,
}

impl OwnWatchList {
    /// That of the office of `desk`, for these identities; `None`: for anyone. Call it in the runtime.
    #[must_use]
    pub fn new(desk: Desk, identities: Option<&[Identity]>) -> Self {
        let identities = identities.map(|identities| identities.iter().cloned().map(Arc::new).collect());
        Self { desk, identities, runtime: Handle::current() }
    }

    fn identity(&self, id: &str) -> Option<Arc<Identity>> {
        match &self.identities {
            None => Some(Arc::new(Identity::anyone())).filter(|anyone| anyone.id == id),
            Some(identities) => identities.iter().find(|identity| identity.id == id).cloned(),
        }
    }
}

impl Recording for OwnWatchList {
    fn recorder(&self, owner: &str, version: &Arc<Version>, stop: &Arc<AtomicBool>) -> Result<Box<dyn Recorder + Send>, String> {
        let identity = self.identity(owner).ok_or_else(|| format!("there is no identity '{owner}' any more"))?;
        if !identity.roles.contains(Role::Registrar) {
            return Err(format!("the identity '{owner}' is no registrar any more"));
        }
        let office = self.desk.office.clone().ok_or_else(|| status_text(&crate::grpc::status::no_office()))?;
        let counter = Counter { desk: self.desk.clone(), office, identity, version: Arc::clone(version) };
        Ok(Box::new(Own { counter, runtime: self.runtime.clone(), stop: Arc::clone(stop) }))
    }
}

/// A recorder for one identity.
struct Own {
    counter: Counter,
    runtime: Handle,
    /// Set when the operation is to stop.
    stop: Arc<AtomicBool>,
}

impl Recorder for Own {
    fn record(&mut self, firms: Vec<Watched>, ledger: &mut Ledger) -> Result<Tally, RescreenError> {
        let run = ledger.run().to_owned();
        let calls = firms.into_iter().map(|firm| recorded(&self.counter, firm, &self.stop, &run));
        self.runtime.block_on(ledger.tally(calls))
    }
}

/// Records a firm. While the index of the watch list is made again, which may take long, it
/// waits.
async fn recorded(counter: &Counter, firm: Watched, stop: &AtomicBool, run: &str) -> Result<Answered, RescreenError> {
    let request = rescreened(&firm, counter.version.hash(), run);
    loop {
        let status = match record::record(counter, request.clone()).await {
            Ok(answer) => return Ok(answered(answer)),
            Err(status) => status,
        };
        let again = status.get_error_details().retry_info().and_then(|info| info.retry_delay);
        match again.filter(|_| !stop.load(Ordering::Relaxed) && !counter.desk.stop.is_cancelled()) {
            Some(pause) => sleep(pause.min(Duration::from_secs(1))).await,
            None => return Err(RescreenError::Unrecorded(format!("{} line {}: {}", firm.input, firm.line, status_text(&status)))),
        }
    }
}

fn status_text(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}
