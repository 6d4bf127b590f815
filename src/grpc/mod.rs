//! The gRPC edge (接口): thin, without policy. `mingcha.v1`, `grpc.health.v1`, server reflection.

mod batch;
mod codec;
mod desk;
pub(crate) mod fields;
mod screening;
pub(crate) mod status;
mod wordlist;

use tonic::service::Routes;
use tonic_health::{ServingStatus, server::HealthReporter};

pub use codec::StrictCodec;
pub use desk::Desk;
pub use screening::{MOST_IN_A_BATCH, Screening};
pub use wordlist::Wordlist;

use crate::{
    config::Limits,
    wire::{
        DESCRIPTORS,
        v1::{screening_service_server::ScreeningServiceServer, wordlist_service_server::WordlistServiceServer},
    },
};

/// Every service, and the word by which its health is said.
///
/// # Errors
/// Where the descriptor set inside the binary cannot be read.
pub async fn routes(desk: &Desk, limits: &Limits) -> Result<(Routes, HealthReporter), tonic_reflection::server::Error> {
    let screening = ScreeningServiceServer::new(Screening::new(desk.clone()))
        .max_decoding_message_size(limits.request_bytes)
        .max_encoding_message_size(limits.answer_bytes);
    let wordlist = WordlistServiceServer::new(Wordlist::new(desk.clone()))
        .max_decoding_message_size(limits.request_bytes)
        .max_encoding_message_size(limits.answer_bytes);
    let (health, health_service) = tonic_health::server::health_reporter();
    say(&health, ServingStatus::Serving).await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let routes = Routes::new(screening)
        .add_service(wordlist)
        .add_service(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    Ok((routes, health))
}

/// Says how the service is, as a whole and each part of it.
pub async fn say(health: &HealthReporter, status: ServingStatus) {
    for service in ["", "mingcha.v1.ScreeningService", "mingcha.v1.WordlistService"] {
        health.set_service_status(service, status).await;
    }
}
