//! The gRPC edge (接口): thin, without policy. `mingcha.v1`, `grpc.health.v1`, server reflection.

mod batch;
mod codec;
mod counter;
mod desk;
pub(crate) mod fields;
mod journal;
mod page_token;
mod referral;
mod rescreen;
mod screening;
pub(crate) mod status;
mod stream;
mod watch;
mod wordlist;

use tonic::service::Routes;
use tonic_health::{ServingStatus, server::HealthReporter};

pub use codec::StrictCodec;
pub use desk::Desk;
pub use journal::Journals;
pub use referral::Referrals;
pub use rescreen::{LongRunning, OwnWatchList, Rescreens};
pub use screening::{MOST_IN_A_BATCH, Screening};
pub use watch::WatchList;
pub use wordlist::Wordlist;

use crate::{
    config::Limits,
    wire::{
        DESCRIPTORS,
        longrunning::operations_server::OperationsServer,
        v1::{
            journal_service_server::JournalServiceServer, referral_service_server::ReferralServiceServer,
            rescreen_service_server::RescreenServiceServer, screening_service_server::ScreeningServiceServer,
            watch_list_service_server::WatchListServiceServer, wordlist_service_server::WordlistServiceServer,
        },
    },
};

/// Every service, and the word by which its health is said.
///
/// # Errors
/// Where the descriptor set inside the binary cannot be read.
pub async fn routes(desk: &Desk, limits: &Limits) -> Result<(Routes, HealthReporter), tonic_reflection::server::Error> {
    let (most_in, most_out) = (limits.request_bytes, limits.answer_bytes);
    macro_rules! limited {
        ($server:ident, $service:expr) => {
            $server::new($service).max_decoding_message_size(most_in).max_encoding_message_size(most_out)
        };
    }
    let (health, health_service) = tonic_health::server::health_reporter();
    say(&health, ServingStatus::Serving).await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let routes = Routes::new(limited!(ScreeningServiceServer, Screening::new(desk.clone()).idle(limits.idle)))
        .add_service(limited!(WordlistServiceServer, Wordlist::new(desk.clone())))
        .add_service(limited!(WatchListServiceServer, WatchList::new(desk.clone())))
        .add_service(limited!(ReferralServiceServer, Referrals::new(desk.clone())))
        .add_service(limited!(JournalServiceServer, Journals::new(desk.clone())))
        .add_service(limited!(RescreenServiceServer, Rescreens::new(desk.clone(), limits.idle)))
        .add_service(limited!(OperationsServer, LongRunning::new(desk.clone(), limits.longest_deadline)))
        .add_service(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    Ok((routes, health))
}

/// Says how the service is, as a whole and each part of it.
pub async fn say(health: &HealthReporter, status: ServingStatus) {
    const SERVICES: [&str; 8] = [
        "",
        "mingcha.v1.ScreeningService",
        "mingcha.v1.WordlistService",
        "mingcha.v1.WatchListService",
        "mingcha.v1.ReferralService",
        "mingcha.v1.JournalService",
        "mingcha.v1.RescreenService",
        "google.longrunning.Operations",
    ];
    for service in SERVICES {
        health.set_service_status(service, status).await;
    }
}
