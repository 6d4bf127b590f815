//! A screening is made and recorded.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tonic::Status;

use super::super::{
    counter::{Counter, Settled, body_of},
    screening::{SHORT, understand_within},
    status,
};
use crate::{
    clock::today,
    office,
    server::workers::Cancelled,
    watch::command::{Command, Screening},
    wire::{
        Bases, Violation, respond,
        v1::{RecordScreeningRequest, RecordScreeningResponse, ScreenRequest, ScreenResponse},
        watch as read,
    },
};

/// What is kept with a screening: what was asked, and what was answered.
#[derive(Debug, Serialize, Deserialize)]
struct Documents {
    request: ScreenRequest,
    response: ScreenResponse,
}

/// A screening that was made.
struct Made {
    screening: Screening,
    response: ScreenResponse,
    documents: Box<RawValue>,
}

pub(super) async fn record(counter: &Counter, request: RecordScreeningRequest) -> Result<RecordScreeningResponse, Status> {
    let body = body_of(&request);
    let request_id = request.request_id.clone();
    let asked = request.screen.as_ref();
    let short = asked.is_none_or(|screen| screen.name.len() + screen.scope.len() + screen.advertisement.len() <= SHORT);
    let made = if short {
        make(counter, request, &Cancelled::default())?
    } else {
        let counter = counter.clone();
        let desk = counter.desk.clone();
        desk.work(move |cancelled| make(&counter, request, cancelled)).await??
    };
    let Made { screening, response, documents } = made;
    let command = Command::Record(Box::new(screening));
    let Settled { file, head, recorded, before } = counter.submit(command, (request_id, body), Some(documents)).await?;
    let screening = before.and_then(|before| before.payload.documents).map_or(Ok(response), |documents| then(&documents))?;
    let entry = Some(counter.reader().entry(&file));
    Ok(RecordScreeningResponse { screening: Some(screening), entry, head: Some(read::head(head)), recorded })
}

/// The answer that was given then.
fn then(documents: &RawValue) -> Result<ScreenResponse, Status> {
    let documents: Result<Documents, _> = serde_json::from_str(documents.get());
    documents.map(|documents| documents.response).map_err(|_| status::unreadable_record())
}

fn make(counter: &Counter, request: RecordScreeningRequest, _cancelled: &Cancelled) -> Result<Made, Status> {
    let engine = counter.version.engine();
    let path = |field: &str| format!("screen.{field}");
    let within = |violations: Vec<Violation>| violations.into_iter().map(|violation| violation.within(&path)).collect();
    let source = read::source(request.source, engine).map_err(status::bad_request)?;
    let operates = read::places("places_of_operation", &request.places_of_operation, engine).map_err(status::bad_request)?;
    let screen = request.screen.unwrap_or_default();
    let understood = understand_within(screen.clone(), engine, &counter.identity, today(), &path, &counter.desk.metrics)
        .map_err(|refused| refused.map(within))?;
    let answer = counter.version.screen(&understood.firm, &counter.desk.metrics);
    let mut bases = Bases::shared();
    let response = respond(&understood, &answer, engine, &mut bases);
    let response = ScreenResponse { bases: bases.into_shared(), ..response };
    let screening = office::screening(&understood.firm, read::code(&screen.uscc), &answer, engine, (source, operates));
    let documents = Documents { request: screen, response };
    let written = serde_json::value::to_raw_value(&documents).map_err(|_| status::unreadable_record())?;
    Ok(Made { screening, response: documents.response, documents: written })
}
