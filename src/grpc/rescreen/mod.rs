//! `mingcha.v1.RescreenService`, and `google.longrunning.Operations` by which its operations are followed.

mod operations;
mod output;
mod recorder;
mod upload;

use std::{sync::Arc, time::Duration};

use tonic::{Request, Response, Status, Streaming};

use super::{
    desk::{Desk, caller, outside},
    status,
};
use crate::{
    auth::Identity,
    clock::today,
    jurisdiction::Region,
    operations::{Operations, record::Asked},
    wire::{
        longrunning::Operation,
        rescreen,
        v1::{ReadOutputRequest, RescreenOptions, StartRescreenRequest, UploadRescreenRequest, rescreen_service_server::RescreenService},
    },
};

pub use operations::LongRunning;
pub use recorder::OwnWatchList;

/// Starts operations, and reads what they wrote.
#[derive(Debug)]
pub struct Rescreens {
    desk: Desk,
    /// How long an upload may be quiet.
    idle: Duration,
}

impl Rescreens {
    /// A service over the operations of `desk`, where an upload may be quiet for `idle`.
    #[must_use]
    pub fn new(desk: Desk, idle: Duration) -> Self {
        Self { desk, idle }
    }
}

#[tonic::async_trait]
impl RescreenService for Rescreens {
    type ReadOutputStream = output::Answers;

    async fn read_output(&self, request: Request<ReadOutputRequest>) -> Result<Response<output::Answers>, Status> {
        let theirs = opened(&self.desk, &request)?;
        output::read(&self.desk, theirs, request.into_inner()).await.map(Response::new)
    }

    async fn start_rescreen(&self, request: Request<StartRescreenRequest>) -> Result<Response<Operation>, Status> {
        let (operations, identity) = opened(&self.desk, &request)?;
        let StartRescreenRequest { inputs, output, options } = request.into_inner();
        let asked = asked(&self.desk, &identity, (inputs, output), options.unwrap_or_default()).await?;
        let started = self.desk.work(move |_| operations.start(&identity.id, asked)).await?;
        started.map(|operation| Response::new(self::operations::shown(&operation))).map_err(|error| status::not_started(&error))
    }

    async fn upload_rescreen(&self, request: Request<Streaming<UploadRescreenRequest>>) -> Result<Response<Operation>, Status> {
        let (operations, identity) = opened(&self.desk, &request)?;
        let started = upload::received(&self.desk, operations, identity, request.into_inner(), self.idle);
        match self.desk.stop.clone().run_until_cancelled(started).await {
            Some(started) => started.map(|operation| Response::new(self::operations::shown(&operation))),
            None => Err(status::stopping()),
        }
    }
}

/// The operations, and who calls.
fn opened<T>(desk: &Desk, request: &Request<T>) -> Result<(Operations, Arc<Identity>), Status> {
    let identity = caller(request)?;
    let operations = desk.operations.clone().ok_or_else(status::no_operations)?;
    Ok((operations, identity))
}

/// What a caller asks for: within its regions, by lists that are to be had.
async fn asked(desk: &Desk, identity: &Identity, files: (Vec<String>, String), options: RescreenOptions) -> Result<Asked, Status> {
    let version = desk.version(&options.lists_hash, "options.lists_hash").await?;
    if !options.since.is_empty() {
        desk.version(&options.since, "options.since").await?;
        if options.since == version.hash() {
            let message = "these are the lists to judge by: nothing would have changed".to_owned();
            return Err(status::bad_request(vec![crate::wire::Violation { field: "options.since".to_owned(), message }]));
        }
    }
    let asked = rescreen::asked(files, options, version.engine(), today()).map_err(status::bad_request)?;
    let confined = !identity.reaches(Region::NATION);
    if confined && asked.region != Region::NATION && !identity.reaches(asked.region) {
        return Err(outside(identity, asked.region, "options.region", &desk.metrics));
    }
    Ok(Asked { lists: version.hash().to_owned(), within: confined.then(|| identity.regions.clone()), ..asked })
}
