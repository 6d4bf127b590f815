//! The gRPC edge: thin, without policy. `mingcha.v1.ScreeningService`, `grpc.health.v1`, server reflection.

mod codec;
mod screening;
pub(crate) mod status;

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::oneshot, time::timeout};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

pub use codec::StrictCodec;
pub use screening::{MOST_IN_A_BATCH, Screening};

use crate::{
    screen::Engine,
    wire::{DESCRIPTORS, v1::screening_service_server::ScreeningServiceServer},
};

/// Largest request, in bytes.
pub const LARGEST_REQUEST: usize = 8 << 20;
/// Largest answer, in bytes: clients must allow as much to receive whole batches.
pub const LARGEST_ANSWER: usize = 32 << 20;

/// What keeps the service from running.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The transport failed.
    #[error("the gRPC transport failed: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The descriptor set inside the binary cannot be read.
    #[error("server reflection cannot start: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Serves on `listener` until `shutdown` ends; then takes no more calls, and gives those in flight, and streams
/// that never end by themselves, at most `grace` to finish.
///
/// # Errors
/// [`ServeError`] where the service cannot start or its transport fails.
pub async fn serve(
    listener: TcpListener,
    engine: Arc<Engine>,
    shutdown: impl Future<Output = ()> + Send,
    grace: Duration,
) -> Result<(), ServeError> {
    let screening = ScreeningServiceServer::new(Screening::new(engine))
        .max_decoding_message_size(LARGEST_REQUEST)
        .max_encoding_message_size(LARGEST_ANSWER);
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<ScreeningServiceServer<Screening>>().await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };

    let (stop, stopped) = oneshot::channel::<()>();
    let server = Server::builder()
        .tcp_nodelay(true)
        .add_service(screening)
        .add_service(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), async {
            let _ = stopped.await; // a dropped sender means stop as well
        });
    tokio::pin!(server);
    tokio::select! {
        ended = &mut server => return Ok(ended?),
        () = shutdown => {}
    }
    health.set_not_serving::<ScreeningServiceServer<Screening>>().await;
    health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
    let _ = stop.send(());
    match timeout(grace, server).await {
        Ok(ended) => Ok(ended?),
        Err(_) => Ok(()),
    }
}
