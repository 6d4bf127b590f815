//! What every handler needs (柜台): the lists, the workers, and who calls.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};
use tracing::Span;

use super::status;
use crate::{
    auth::{Identity, Refusal},
    jurisdiction::Region,
    library::{Library, Version},
    office::Office,
    operations::Operations,
    server::workers::{Cancelled, Workers},
    telemetry::Metrics,
};

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk {
    /// The lists.
    pub library: Arc<Library>,
    /// Who does the long work.
    pub workers: Workers,
    /// Who builds lists, one at a time: it may take long on a busy machine, and must not keep a worker from calls.
    pub builder: Workers,
    /// The watch list. None where no data folder is configured.
    pub office: Option<Office>,
    /// Re-screenings. None where no folder of registers is configured.
    pub operations: Option<Operations>,
    /// Largest register that can be brought, in bytes.
    pub upload_bytes: usize,
    /// Said when the service stops: streams end then.
    pub stop: CancellationToken,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl Desk {
    /// A desk with workers of its own.
    #[must_use]
    pub fn new(library: Arc<Library>, metrics: Arc<Metrics>) -> Self {
        let (workers, builder) = (Workers::new(&metrics.queue_depth), Workers::of(1, &metrics.queue_depth));
        Self { library, workers, builder, office: None, operations: None, upload_bytes: 0, stop: CancellationToken::new(), metrics }
    }

    /// The same with a watch list, until `stop`.
    #[must_use]
    pub fn with(self, office: Option<Office>, stop: CancellationToken) -> Self {
        Self { office, stop, ..self }
    }

    /// The same with re-screenings, to which registers of so many bytes can be brought.
    #[must_use]
    pub fn operating(self, operations: Option<Operations>, upload_bytes: usize) -> Self {
        Self { operations, upload_bytes, ..self }
    }

    /// The version of the lists that a request asks for, by its field `field`.
    pub(super) async fn version(&self, hash: &str, field: &str) -> Result<Arc<Version>, Status> {
        if let Some(version) = self.library.at_hand(hash) {
            return Ok(version);
        }
        let (library, hash) = (Arc::clone(&self.library), hash.to_owned());
        self.build(move |_| library.version(&hash)).await?.map_err(|error| status::no_version(&error, field))
    }

    /// Has long work done by a worker.
    pub(super) async fn work<T: Send + 'static>(&self, work: impl FnOnce(&Cancelled) -> T + Send + 'static) -> Result<T, Status> {
        by(&self.workers, work).await
    }

    /// Has lists read or built.
    pub(super) async fn build<T: Send + 'static>(&self, work: impl FnOnce(&Cancelled) -> T + Send + 'static) -> Result<T, Status> {
        by(&self.builder, work).await
    }
}

async fn by<T: Send + 'static>(workers: &Workers, work: impl FnOnce(&Cancelled) -> T + Send + 'static) -> Result<T, Status> {
    let span = Span::current(); // what the work tells belongs to the call
    workers.run(move |cancelled| span.in_scope(|| work(cancelled))).await.map_err(|_| status::handler_died())
}

/// Who calls: the layer that admits callers says so.
pub(super) fn caller<T>(request: &Request<T>) -> Result<Arc<Identity>, Status> {
    request.extensions().get::<Arc<Identity>>().cloned().ok_or_else(status::no_identity)
}

/// A caller that may not act in the place that a request names in `field`: counted, and said.
pub(super) fn outside(identity: &Identity, region: Region, field: &str, metrics: &Metrics) -> Status {
    metrics.refused.of(Refusal::RegionOutside).inc();
    status::region_outside(identity, region, field)
}
