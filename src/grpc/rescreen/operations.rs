//! `google.longrunning.Operations`, the standard service.

use std::{sync::Arc, time::Duration};

use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::opened;
use crate::{
    auth::{Identity, Role},
    grpc::{desk::Desk, page_token::Question, status},
    jurisdiction::Region,
    operations::{
        Operations,
        operation::Operation,
        record::{Record, State, number},
    },
    server::deadline,
    wire::{
        Violation,
        longrunning::{
            self, CancelOperationRequest, DeleteOperationRequest, GetOperationRequest, ListOperationsRequest, ListOperationsResponse,
            WaitOperationRequest, operation::Result as Outcome, operations_server,
        },
        rescreen::{any, metadata, response},
    },
};

/// Operations of a page where the caller does not say.
const PAGE: usize = 50;
/// Most operations of a page.
const LARGEST_PAGE: usize = 1000;

/// Answers calls about operations.
#[derive(Debug)]
pub struct LongRunning {
    desk: Desk,
    /// How long a call may wait.
    longest: Duration,
}

impl LongRunning {
    /// A service over the operations of `desk`, where a call may wait for `longest`.
    #[must_use]
    pub fn new(desk: Desk, longest: Duration) -> Self {
        Self { desk, longest }
    }

    /// Does to an operation of the caller's own what may block.
    async fn own(
        &self,
        (operations, identity): (Operations, Arc<Identity>),
        name: &str,
        act: impl FnOnce(&Operations, &Arc<Operation>) -> Result<(), Status> + Send + 'static,
    ) -> Result<Response<()>, Status> {
        let operation = owned(&operations, &identity, name)?;
        self.desk.work(move |_| act(&operations, &operation)).await?.map(Response::new)
    }
}

#[tonic::async_trait]
impl operations_server::Operations for LongRunning {
    async fn list_operations(&self, request: Request<ListOperationsRequest>) -> Result<Response<ListOperationsResponse>, Status> {
        let (operations, identity) = opened(&self.desk, &request)?;
        let request = request.into_inner();
        let most = page(&request)?;
        let question = Question::of(&ListOperationsRequest { page_size: 0, page_token: String::new(), ..request.clone() });
        let before = question.number(&request.page_token)?;
        let (page, last) = operations.list(before, most, |record| sees(&identity, record));
        let operations = page.iter().map(|operation| shown(operation)).collect();
        Ok(Response::new(ListOperationsResponse { operations, next_page_token: question.token(last), unreachable: Vec::new() }))
    }

    async fn get_operation(&self, request: Request<GetOperationRequest>) -> Result<Response<longrunning::Operation>, Status> {
        let (operations, identity) = opened(&self.desk, &request)?;
        found(&operations, &identity, &request.into_inner().name).map(|operation| Response::new(shown(&operation)))
    }

    async fn wait_operation(&self, request: Request<WaitOperationRequest>) -> Result<Response<longrunning::Operation>, Status> {
        let (operations, identity) = opened(&self.desk, &request)?;
        let until = patience(request.metadata(), self.longest);
        let WaitOperationRequest { name, timeout } = request.into_inner();
        let operation = found(&operations, &identity, &name)?;
        let wanted = timeout.map(Duration::try_from).transpose().map_err(|_| refused("timeout", "is negative"))?;
        tokio::select! {
            () = operation.ended() => {}
            () = tokio::time::sleep(wanted.unwrap_or(until).min(until)) => {}
            () = self.desk.stop.cancelled() => {}
        }
        Ok(Response::new(shown(&operation)))
    }

    async fn cancel_operation(&self, request: Request<CancelOperationRequest>) -> Result<Response<()>, Status> {
        let theirs = opened(&self.desk, &request)?;
        let cancel =
            |operations: &Operations, operation: &Arc<Operation>| operations.cancel(operation).map_err(|error| status::not_written(&error));
        self.own(theirs, &request.into_inner().name, cancel).await
    }

    async fn delete_operation(&self, request: Request<DeleteOperationRequest>) -> Result<Response<()>, Status> {
        let theirs = opened(&self.desk, &request)?;
        let delete =
            |operations: &Operations, operation: &Arc<Operation>| operations.delete(operation).map_err(|error| status::not_ended(&error));
        self.own(theirs, &request.into_inner().name, delete).await
    }
}

/// Whether an operation is the caller's to see: its own, or any to an auditor of the whole nation.
fn sees(identity: &Identity, record: &Record) -> bool {
    record.owner == identity.id || (identity.roles.contains(Role::Auditor) && identity.reaches(Region::NATION))
}

/// The operation with a name, where the caller may see it.
fn found(operations: &Operations, identity: &Identity, name: &str) -> Result<Arc<Operation>, Status> {
    let operation = number(name).and_then(|number| operations.get(number));
    operation.filter(|operation| sees(identity, &operation.record())).ok_or_else(|| status::not_found("operation", name))
}

/// The operation with a name, which must be the caller's own.
pub(super) fn owned(operations: &Operations, identity: &Identity, name: &str) -> Result<Arc<Operation>, Status> {
    let operation = found(operations, identity, name)?;
    if operation.record().owner == identity.id { Ok(operation) } else { Err(status::not_the_owner()) }
}

/// The size of a page; refuses what this service does not know.
fn page(request: &ListOperationsRequest) -> Result<usize, Status> {
    if request.return_partial_success {
        return Err(Status::unimplemented("return_partial_success: all operations are of one collection"));
    }
    if !request.filter.is_empty() {
        return Err(refused("filter", "operations are not filtered: it must be empty"));
    }
    if !["", "operations"].contains(&request.name.as_str()) {
        return Err(refused("name", "is 'operations', or empty"));
    }
    match usize::try_from(request.page_size) {
        Ok(0) => Ok(PAGE),
        Ok(size) if size <= LARGEST_PAGE => Ok(size),
        _ => Err(refused("page_size", "0 to 1 000")),
    }
}

fn refused(field: &str, message: &str) -> Status {
    status::bad_request(vec![Violation { field: field.to_owned(), message: message.to_owned() }])
}

/// How long to wait at most: a little less than the client does, so that it gets an answer.
fn patience(metadata: &MetadataMap, longest: Duration) -> Duration {
    let asked = metadata.get("grpc-timeout").and_then(|value| value.to_str().ok()).and_then(deadline::parse);
    asked.map_or(longest, |asked| asked.min(longest).mul_f64(0.9))
}

/// An operation as a message.
pub(super) fn shown(operation: &Operation) -> longrunning::Operation {
    let live = operation.live();
    let record = operation.record();
    let result = match record.state {
        State::Queued | State::Running => None,
        State::Done => Some(Outcome::Response(any(&response(&record)))),
        State::Cancelled => Some(Outcome::Error(status::message(&status::cancelled()))),
        State::Failed => {
            let failed = record.failure.as_ref().map_or_else(status::handler_died, status::failed);
            Some(Outcome::Error(status::message(&failed)))
        }
    };
    longrunning::Operation { name: record.name(), metadata: Some(any(&metadata(&record, &live))), done: record.state.is_ended(), result }
}
