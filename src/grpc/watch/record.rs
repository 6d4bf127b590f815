//! A screening is made and recorded.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tonic::Status;

use super::super::{
    counter::{Counter, Settled, body_of, check_id},
    screening::{SHORT, understand_within},
    status,
};
use crate::{
    clock::today,
    office, uscc,
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
    /// The run of a re-screening in which it was recorded, where it was in one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    run: String,
}

/// A screening that was made.
struct Made {
    screening: Screening,
    response: ScreenResponse,
    run: String,
    documents: Box<RawValue>,
}

pub(in super::super) async fn record(counter: &Counter, mut request: RecordScreeningRequest) -> Result<RecordScreeningResponse, Status> {
    let run = std::mem::take(&mut request.run); // in another run the same request is the same
    check_id("run", &run)?;
    let body = body_of(&request);
    let request_id = request.request_id.clone();
    let asked = request.screen.as_ref();
    let short = asked.is_none_or(|screen| screen.name.len() + screen.scope.len() + screen.advertisement.len() <= SHORT);
    let made = if short {
        make(counter, request, run)
    } else {
        let theirs = counter.clone();
        counter.desk.work(move |_| make(&theirs, request, run)).await?
    };
    let Made { screening, response, run, documents } = match made {
        Ok(made) => made,
        // what was answered before is answered so again, whatever the lists are now
        Err(refused) => return counter.recalled(request_id, body).await?.map_or(Err(refused), |settled| answer(counter, settled, None)),
    };
    let command = Command::Record(Box::new(screening));
    let settled = counter.submit(command, (request_id, body), Some(documents)).await?;
    answer(counter, settled, Some((response, run)))
}

/// The answer; of a request that was answered before, the one that was given then.
fn answer(counter: &Counter, settled: Settled, now: Option<(ScreenResponse, String)>) -> Result<RecordScreeningResponse, Status> {
    let Settled { file, head, recorded, before } = settled;
    let (screening, run) = match before.and_then(|before| before.payload.documents) {
        Some(documents) => Some(then(&documents)?),
        None => now.map(|(response, run)| (response, if recorded { run } else { String::new() })),
    }
    .unzip();
    let entry = Some(counter.reader().entry(&file));
    Ok(RecordScreeningResponse { screening, entry, head: Some(read::head(head)), recorded, run: run.unwrap_or_default() })
}

/// The answer that was given then, and the run that it was in.
fn then(documents: &RawValue) -> Result<(ScreenResponse, String), Status> {
    let documents: Result<Documents, _> = serde_json::from_str(documents.get());
    documents.map(|documents| (documents.response, documents.run)).map_err(|_| status::unreadable_record())
}

fn make(counter: &Counter, request: RecordScreeningRequest, run: String) -> Result<Made, Status> {
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
    let screening = office::screening(&understood.firm, uscc::code(&screen.uscc), &answer, engine, (source, operates));
    let documents = Documents { request: screen, response, run };
    let written = serde_json::value::to_raw_value(&documents).map_err(|_| status::unreadable_record())?;
    Ok(Made { screening, response: documents.response, run: documents.run, documents: written })
}
