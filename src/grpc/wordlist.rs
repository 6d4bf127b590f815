//! `mingcha.v1.WordlistService`.

use std::{sync::Arc, time::SystemTime};

use tonic::{Request, Response, Status};

use super::{
    desk::{Desk, caller},
    screening::{Refused, too_many, understand_within},
    status,
};
use crate::{
    auth::Identity,
    clock::today,
    day::Date,
    library::Version,
    problem::Problems,
    screen::{Engine, LONGEST_NAME},
    server::workers::Cancelled,
    telemetry::{self, Metrics},
    wire::{
        self, Bases, Draft, Violation, respond,
        v1::{
            self, FindTermRequest, FindTermResponse, GetInstrumentRequest, GetInstrumentResponse, ListInstrumentsRequest,
            ListInstrumentsResponse, PreviewRequest, PreviewResponse, ReloadRequest, ReloadResponse, ScreenRequest, ScreenResponse,
            ValidateRequest, ValidateResponse, wordlist_service_server::WordlistService,
        },
    },
    wordlist::Files,
};

/// Answers calls about the lists.
#[derive(Debug)]
pub struct Wordlist {
    desk: Desk,
}

impl Wordlist {
    /// A service over the lists of `desk`.
    #[must_use]
    pub fn new(desk: Desk) -> Self {
        Self { desk }
    }

    /// The files that a draft makes, and those underneath.
    async fn drafted(&self, draft: Option<v1::Draft>) -> Result<Drafted, Status> {
        let Draft { files, removed, base } = wire::draft(draft.unwrap_or_default()).map_err(status::bad_request)?;
        let library = Arc::clone(&self.desk.library);
        let laid_over = self.desk.build(move |_| {
            let under = library.files(&base)?;
            let over = under.overlaid(files, &removed);
            Ok(Drafted { under: under.hash(), over })
        });
        laid_over.await?.map_err(|error| status::no_version(&error, "draft.base_lists_hash"))
    }
}

struct Drafted {
    under: String,
    over: Files,
}

#[tonic::async_trait]
impl WordlistService for Wordlist {
    async fn list_instruments(&self, request: Request<ListInstrumentsRequest>) -> Result<Response<ListInstrumentsResponse>, Status> {
        let ListInstrumentsRequest { region, date, lists_hash } = request.into_inner();
        let version = self.desk.version(&lists_hash, "lists_hash").await?;
        let only = wire::instrument_filter(&region, &date, version.engine()).map_err(status::bad_request)?;
        Ok(Response::new(wire::instruments(version.engine(), &only)))
    }

    async fn get_instrument(&self, request: Request<GetInstrumentRequest>) -> Result<Response<GetInstrumentResponse>, Status> {
        let GetInstrumentRequest { id, lists_hash } = request.into_inner();
        let version = self.desk.version(&lists_hash, "lists_hash").await?;
        let found = version.engine().lists().instruments().iter().find(|instrument| instrument.id == id);
        let instrument = found.ok_or_else(|| status::not_found("instrument", &id))?;
        let content = version.instrument_file(&instrument.file).unwrap_or_default();
        Ok(Response::new(wire::instrument_in_full(version.engine(), instrument, content)))
    }

    async fn find_term(&self, request: Request<FindTermRequest>) -> Result<Response<FindTermResponse>, Status> {
        let FindTermRequest { text, lists_hash } = request.into_inner();
        let version = self.desk.version(&lists_hash, "lists_hash").await?;
        let length = text.chars().count();
        if length == 0 || length > LONGEST_NAME {
            let message = format!("{length} characters; 1 to {LONGEST_NAME}");
            return Err(status::bad_request(vec![Violation { field: "text".to_owned(), message }]));
        }
        let id = version.engine().term(&text).ok_or_else(|| status::not_found("term", &text))?;
        Ok(Response::new(wire::term(version.engine(), id)))
    }

    async fn validate(&self, request: Request<ValidateRequest>) -> Result<Response<ValidateResponse>, Status> {
        let drafted = self.drafted(request.into_inner().draft).await?;
        let built =
            self.desk.work(move |_| Version::build(&drafted.over, SystemTime::now()).map(|version| version.hash().to_owned())).await?;
        Ok(Response::new(match built {
            Ok(lists_hash) => ValidateResponse { problems: Vec::new(), lists_hash },
            Err(problems) => ValidateResponse { problems: wire::problems(&problems), lists_hash: String::new() },
        }))
    }

    async fn preview(&self, request: Request<PreviewRequest>) -> Result<Response<PreviewResponse>, Status> {
        let identity = caller(&request)?;
        let PreviewRequest { draft, firms } = request.into_inner();
        too_many("firms", firms.len())?;
        let drafted = self.drafted(draft).await?;
        let desk = self.desk.clone();
        self.desk.build(move |cancelled| preview(&desk, &drafted, firms, &identity, cancelled)).await?.map(Response::new)
    }

    async fn reload(&self, _: Request<ReloadRequest>) -> Result<Response<ReloadResponse>, Status> {
        let library = Arc::clone(&self.desk.library);
        let metrics = Arc::clone(&self.desk.metrics);
        let reload = move |_: &Cancelled| {
            let reloaded = library.reload();
            telemetry::reloaded(&reloaded, &library, &metrics);
            reloaded
        };
        let reloaded = self.desk.build(reload).await?.map_err(|error| status::not_reloaded(&error))?;
        Ok(Response::new(ReloadResponse { lists_hash: reloaded.after, lists_hash_before: reloaded.before }))
    }
}

fn preview(
    desk: &Desk,
    drafted: &Drafted,
    firms: Vec<ScreenRequest>,
    identity: &Identity,
    cancelled: &Cancelled,
) -> Result<PreviewResponse, Status> {
    let before = desk.library.version(&drafted.under).map_err(|error| status::no_version(&error, "draft.base_lists_hash"))?;
    if cancelled.is_cancelled() {
        return Err(status::too_late()); // before the next long step
    }
    let after = Version::build(&drafted.over, SystemTime::now()).map_err(|problems: Problems| status::bad_lists(&problems))?;
    let today = today();
    let (mut changes, mut unchanged_count, mut violations) = (Vec::new(), 0, Vec::new());
    for (index, firm) in (0..).zip(firms) {
        if cancelled.is_cancelled() {
            return Err(status::too_late());
        }
        let path = |field: &str| format!("firms[{index}].{field}");
        if !firm.lists_hash.is_empty() {
            violations
                .push(Violation { field: path("lists_hash"), message: "a preview judges by the draft and what is underneath".to_owned() });
            continue;
        }
        let judge = |version: &Version| judged(firm.clone(), version.engine(), identity, today, &path, &desk.metrics);
        match (judge(&before)?, judge(&after)?) {
            (Ok(before), Ok(after)) if before.decision == after.decision => unchanged_count += 1,
            (Ok(before), Ok(after)) => changes.push(v1::DecisionChange { index, before: Some(before), after: Some(after) }),
            (Err(more), _) | (_, Err(more)) => violations.extend(more.into_iter().map(|violation| violation.within(&path))),
        }
    }
    if !violations.is_empty() {
        return Err(status::bad_request(violations));
    }
    let (lists_hash_before, lists_hash_after) = (before.hash().to_owned(), after.hash().to_owned());
    Ok(PreviewResponse { changes, unchanged_count, lists_hash_before, lists_hash_after })
}

/// One firm by one version: an answer, or what is wrong with its request.
fn judged(
    firm: ScreenRequest,
    engine: &Engine,
    identity: &Identity,
    today: Date,
    path: &dyn Fn(&str) -> String,
    metrics: &Metrics,
) -> Result<Result<ScreenResponse, Vec<Violation>>, Status> {
    match understand_within(firm, engine, identity, today, path, metrics) {
        Ok(understood) => Ok(Ok(respond(&understood, &engine.screen(&understood.firm), engine, &mut Bases::Inline))),
        Err(Refused::Violations(violations)) => Ok(Err(violations)),
        Err(Refused::Outside(status)) => Err(status),
    }
}
