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

pub(in super::super) async fn record(counter: &Counter, request: RecordScreeningRequest) -> Result<RecordScreeningResponse, Status> {
    let body = body_of(&request);
    let request_id = request.request_id.clone();
    let asked = request.screen.as_ref();
    let short = asked.is_none_or(|screen| screen.name.len() + screen.scope.len() + screen.advertisement.len() <= SHORT);
    let made = if short {
        make(counter, request)
    } else {
        let theirs = counter.clone();
        counter.desk.work(move |_| make(&theirs, request)).await?
    };
    let Made { screening, response, documents } = match made {
        Ok(made) => made,
        // what was answered before is answered so again, whatever the lists are now
        Err(refused) => return counter.recalled(request_id, body).await?.map_or(Err(refused), |settled| answer(counter, settled, None)),
    };
    let command = Command::Record(Box::new(screening));
    let settled = counter.submit(command, (request_id, body), Some(documents)).await?;
    answer(counter, settled, Some(response))
}

/// The answer; of a request that was answered before, the one that was given then.
fn answer(counter: &Counter, settled: Settled, now: Option<ScreenResponse>) -> Result<RecordScreeningResponse, Status> {
    let Settled { file, head, recorded, before } = settled;
    let screening = match before.and_then(|before| before.payload.documents) {
        Some(documents) => Some(then(&documents)?),
        None => now,
    };
    let entry = Some(counter.reader().entry(&file));
    Ok(RecordScreeningResponse { screening, entry, head: Some(read::head(head)), recorded })
}

/// The answer that was given then.
fn then(documents: &RawValue) -> Result<ScreenResponse, Status> {
    let documents: Result<Documents, _> = serde_json::from_str(documents.get());
    documents.map(|documents| documents.response).map_err(|_| status::unreadable_record())
}

fn make(counter: &Counter, request: RecordScreeningRequest) -> Result<Made, Status> {
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
