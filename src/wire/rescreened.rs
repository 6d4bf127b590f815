//! Firms that a re-screening flags (排查命中), as requests to record them.

use sha2::{Digest, Sha256};

use super::{
    licence, number,
    v1::{RecordScreeningRequest, RecordScreeningResponse, ScreenRequest},
};
use crate::{
    hex::Hex,
    rescreen::record::{Answered, Watched},
    screen::ENGINE_VERSION,
    uscc,
    vocabulary::Event,
    watch::Source,
};

/// The request that records a firm which the run of a re-screening flagged, by the lists with this hash. The same firm is the same
/// request, whatever the run.
pub(crate) fn rescreened(watched: &Watched, lists_hash: &str, run: &str) -> RecordScreeningRequest {
    let Watched { firm, uscc: code, .. } = watched;
    let at = &firm.circumstances;
    let screen = ScreenRequest {
        name: firm.name.clone(),
        scope: firm.scope.clone(),
        region: at.region.to_string(),
        entity_kind: number(at.kind),
        event: number(Event::Existing),
        date: at.day.to_string(),
        uscc: uscc::code(code).unwrap_or_default(),
        licences: firm.licences.iter().map(licence).collect(),
        lists_hash: lists_hash.to_owned(),
        ..ScreenRequest::default()
    };
    let request = RecordScreeningRequest { screen: Some(screen), source: number(Source::Rescreening), ..Default::default() };
    RecordScreeningRequest { request_id: id_of(&request), run: run.to_owned(), ..request }
}

/// What was answered to it.
pub(crate) fn answered(answer: RecordScreeningResponse) -> Answered {
    let sequence = answer.head.map_or(0, |head| head.sequence);
    Answered { recorded: answer.recorded, run: answer.run, sequence }
}

/// A request's id by what it says: a firm that stands twice in a register, with two scopes, would else be new each time.
fn id_of(request: &RecordScreeningRequest) -> String {
    use prost::Message;
    let said = Sha256::new().chain_update(ENGINE_VERSION).chain_update(request.encode_to_vec()).finalize();
    format!("rescreening:{}", Hex(&said[..20]))
}
