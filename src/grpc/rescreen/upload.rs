//! A register that is brought (上传): written under a name of its own, which it keeps only when all of it is there.

use std::{io::Write, sync::Arc, time::Duration};

use tempfile::NamedTempFile;
use tokio::{task::spawn_blocking, time::timeout};
use tonic::{Status, Streaming};

use super::asked;
use crate::{
    auth::Identity,
    grpc::{desk::Desk, status},
    operations::{Operations, folder::HALF_BROUGHT, operation::Operation, record::Asked},
    wire::{
        Violation,
        v1::{UploadRescreenHeader, UploadRescreenRequest, upload_rescreen_request::Part},
    },
};

/// Takes a register in, and starts the operation over it.
pub(super) async fn received(
    desk: &Desk,
    operations: Operations,
    identity: Arc<Identity>,
    mut parts: Streaming<UploadRescreenRequest>,
    idle: Duration,
) -> Result<Arc<Operation>, Status> {
    let Some(Part::Header(header)) = next(&mut parts, idle).await? else {
        return Err(refused("header", "the first message of an upload is its header"));
    };
    let UploadRescreenHeader { input, output, options, size } = header;
    if size > desk.upload_bytes as u64 {
        return Err(too_large(desk.upload_bytes));
    }
    let asked = asked(desk, &identity, (vec![input], output), options.unwrap_or_default()).await?;
    let folders = operations.folders().clone();
    let theirs = asked.clone();
    desk.work(move |_| folders.place(&theirs)).await?.map_err(|paths| status::bad_paths(&paths))?;
    let root = operations.folders().registers.root().to_owned();
    let mut file = written(move || NamedTempFile::with_prefix_in(HALF_BROUGHT, root)).await?;
    let mut bytes = 0;
    while let Some(part) = next(&mut parts, idle).await? {
        let Part::Content(content) = part else {
            return Err(refused("header", "an upload has one header, at its beginning"));
        };
        bytes += content.len() as u64;
        if bytes > desk.upload_bytes as u64 {
            return Err(too_large(desk.upload_bytes));
        }
        file = written(move || file.write_all(&content).map(|()| file)).await?;
    }
    if size != 0 && bytes != size {
        return Err(refused("header.size", &format!("{bytes} bytes came, of {size} that were to come")));
    }
    desk.work(move |_| kept(file, &operations, &identity, asked)).await?
}

/// What is sent next; none at the end.
async fn next(parts: &mut Streaming<UploadRescreenRequest>, idle: Duration) -> Result<Option<Part>, Status> {
    match timeout(idle, parts.message()).await.map_err(|_| status::idle())?? {
        None => Ok(None),
        Some(UploadRescreenRequest { part: Some(part) }) => Ok(Some(part)),
        Some(_) => Err(refused("part", "a message of an upload is its header or some of its bytes")),
    }
}

/// Writes, off the threads that talk to clients.
async fn written<T: Send + 'static>(write: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> Result<T, Status> {
    spawn_blocking(write).await.map_err(|_| status::handler_died())?.map_err(|error| status::not_written(&error))
}

/// Gives the file its name, and starts the operation; where there is none, the file goes.
fn kept(file: NamedTempFile, operations: &Operations, identity: &Identity, asked: Asked) -> Result<Arc<Operation>, Status> {
    file.as_file().sync_all().map_err(|error| status::not_written(&error))?;
    operations.bring(&identity.id, asked, file).map_err(|error| status::not_started(&error))
}

fn refused(field: &str, message: &str) -> Status {
    status::bad_request(vec![Violation { field: field.to_owned(), message: message.to_owned() }])
}

fn too_large(most: usize) -> Status {
    refused("content", &format!("the register has more than {most} bytes (rescreen.upload_bytes)"))
}
