//! What an operation wrote (结果文件), for clients that do not share the folder with the service.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::operations::owned;
use crate::{
    auth::Identity,
    grpc::{
        desk::{Desk, outside},
        status,
    },
    jurisdiction::Region,
    operations::{
        Operations,
        written::{Reading, Which},
    },
    wire::{
        Violation,
        v1::{ReadOutputRequest, ReadOutputResponse, RescreenFile},
    },
};

/// The answers of a call, as they are read.
pub(super) type Answers = ReceiverStream<Result<ReadOutputResponse, Status>>;

/// Pieces that wait for a client to read on.
const AHEAD: usize = 4;

/// Reads a file of an operation of the caller's own.
pub(super) async fn read(
    desk: &Desk,
    (operations, identity): (Operations, Arc<Identity>),
    request: ReadOutputRequest,
) -> Result<Answers, Status> {
    let which = match RescreenFile::try_from(request.file) {
        Ok(RescreenFile::Unspecified | RescreenFile::Output) => Which::Output,
        Ok(RescreenFile::Rejects) => Which::Rejects,
        Err(_) => {
            let message = "is no file of a re-screening".to_owned();
            return Err(status::bad_request(vec![Violation { field: "file".to_owned(), message }]));
        }
    };
    let operation = owned(&operations, &identity, &request.name)?;
    let record = operation.record();
    let elsewhere = record.asked.within.as_deref().unwrap_or(&[Region::NATION]).iter().find(|region| !identity.reaches(**region));
    if let Some(region) = elsewhere {
        return Err(outside(&identity, *region, "name", &desk.metrics)); // it may see fewer firms than when it asked
    }
    let opened = desk.work(move |_| operations.read(&operation, which, request.offset)).await?;
    let reading = opened.map_err(|error| status::not_read(&error))?;
    let (send, receive) = mpsc::channel(AHEAD);
    let stop = desk.stop.clone();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = sent(reading, &send, &stop) {
            let _ = send.blocking_send(Err(error)); // the client may have gone
        }
    });
    Ok(ReceiverStream::new(receive))
}

/// Sends what is left of a file: at least one piece, which says how long it is.
fn sent(mut reading: Reading, send: &mpsc::Sender<Result<ReadOutputResponse, Status>>, stop: &CancellationToken) -> Result<(), Status> {
    let mut size = Some(reading.size());
    loop {
        let content = reading.next_piece().map_err(|error| status::not_read(&error))?;
        if content.is_empty() && size.is_none() {
            return Ok(());
        }
        if stop.is_cancelled() {
            return Err(status::stopping());
        }
        let piece = ReadOutputResponse { content, size: size.take().unwrap_or(0) };
        if send.blocking_send(Ok(piece)).is_err() {
            return Ok(()); // the client has gone
        }
    }
}
