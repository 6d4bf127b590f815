//! `mingcha.v1.ScreeningService`.

use std::{sync::Arc, time::Duration};

use tonic::{Request, Response, Status, Streaming};

use super::{
    batch,
    desk::{Desk, caller, outside},
    status, stream,
};
use crate::{
    auth::Identity,
    clock::today,
    config::Limits,
    day::Date,
    library::Version,
    office::Office,
    screen::{Engine, Firm},
    server::workers::Cancelled,
    telemetry::Metrics,
    uscc,
    watch::command,
    wire::{
        Bases, Understood, Violation, respond, understand,
        v1::{
            BatchScreenRequest, BatchScreenResponse, Hit, OverruledHit, ScreenRequest, ScreenResponse, ScreenStreamRequest,
            screening_service_server::ScreeningService,
        },
        watch::overruled_of,
    },
};

/// Most requests in one batch.
pub const MOST_IN_A_BATCH: usize = 1000;
/// Longest texts, in bytes, that are screened on the thread that talks to the client: they take some microseconds,
/// less than handing them to another thread would.
pub(super) const SHORT: usize = 8 << 10;

/// Answers screening calls.
#[derive(Debug)]
pub struct Screening {
    desk: Desk,
    idle: Duration,
}

impl Screening {
    /// A service that answers from the lists of `desk`.
    #[must_use]
    pub fn new(desk: Desk) -> Self {
        Self { desk, idle: Limits::default().idle }
    }

    /// The same, where a stream may be quiet for so long.
    #[must_use]
    pub fn idle(self, idle: Duration) -> Self {
        Self { idle, ..self }
    }
}

#[tonic::async_trait]
impl ScreeningService for Screening {
    type ScreenStreamStream = stream::Answers;

    async fn screen(&self, request: Request<ScreenRequest>) -> Result<Response<ScreenResponse>, Status> {
        let identity = caller(&request)?;
        let request = request.into_inner();
        let version = self.desk.version(&request.lists_hash, "lists_hash").await?;
        let short = request.name.len() + request.scope.len() + request.advertisement.len() <= SHORT;
        let examiner = Examiner::at(&self.desk, version, identity);
        let answer = move |_: &Cancelled| examiner.one(request, &mut Bases::Inline, &str::to_owned);
        let answered = if short { answer(&Cancelled::default()) } else { self.desk.work(answer).await? };
        answered.map(Response::new).map_err(Into::into)
    }

    async fn batch_screen(&self, request: Request<BatchScreenRequest>) -> Result<Response<BatchScreenResponse>, Status> {
        let identity = caller(&request)?;
        let BatchScreenRequest { requests, lists_hash } = request.into_inner();
        let version = self.desk.version(&lists_hash, "lists_hash").await?;
        let examiner = Examiner::at(&self.desk, version, identity);
        batch::screen(&self.desk, Arc::new(examiner), requests, lists_hash).await.map(Response::new)
    }

    async fn screen_stream(&self, request: Request<Streaming<ScreenStreamRequest>>) -> Result<Response<stream::Answers>, Status> {
        let identity = caller(&request)?;
        Ok(Response::new(stream::screened(self.desk.clone(), identity, request.into_inner(), self.idle)))
    }
}

/// Why one firm is not screened.
pub(super) enum Refused {
    /// Its request cannot be accepted.
    Violations(Vec<Violation>),
    /// The caller may not act where it is.
    Outside(Status),
}

/// Reads the request of one firm, which must be where the caller may act; `path` says where a field of it stands in the call.
pub(super) fn understand_within(
    request: ScreenRequest,
    engine: &Engine,
    identity: &Identity,
    today: Date,
    path: &dyn Fn(&str) -> String,
    metrics: &Metrics,
) -> Result<Understood, Refused> {
    let understood = understand(request, engine, today).map_err(Refused::Violations)?;
    let region = understood.firm.circumstances.region;
    if identity.reaches(region) { Ok(understood) } else { Err(Refused::Outside(outside(identity, region, &path("region"), metrics))) }
}

impl Refused {
    /// With what is wrong said otherwise.
    pub(super) fn map(self, map: impl FnOnce(Vec<Violation>) -> Vec<Violation>) -> Self {
        match self {
            Self::Violations(violations) => Self::Violations(map(violations)),
            outside @ Self::Outside(_) => outside,
        }
    }
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Violations(violations) => status::bad_request(violations),
            Refused::Outside(status) => status,
        }
    }
}

/// Screens for one caller by one version of the lists.
pub(super) struct Examiner {
    version: Arc<Version>,
    identity: Arc<Identity>,
    metrics: Arc<Metrics>,
    /// Who knows which hits were overruled.
    office: Option<Office>,
    today: Date,
}

impl Examiner {
    /// For calls at a desk.
    pub(super) fn at(desk: &Desk, version: Arc<Version>, identity: Arc<Identity>) -> Self {
        Self { version, identity, metrics: Arc::clone(&desk.metrics), office: desk.office.clone(), today: today() }
    }

    /// One firm; `path` says where a field of its request stands in the call.
    pub(super) fn one(&self, request: ScreenRequest, bases: &mut Bases, path: &dyn Fn(&str) -> String) -> Result<ScreenResponse, Refused> {
        let engine = self.version.engine();
        let code = uscc::code(&request.uscc);
        let understood = understand_within(request, engine, &self.identity, self.today, path, &self.metrics)?;
        let answer = self.version.screen(&understood.firm, &self.metrics);
        let mut response = respond(&understood, &answer, engine, bases);
        if let (Some(office), false) = (&self.office, response.hits.is_empty()) {
            response.overruled = self.overruled(office, &understood.firm, code, &response.hits);
        }
        Ok(response)
    }

    /// Hits that a registrar rejected in the file of the firm, where the caller may see it.
    fn overruled(&self, office: &Office, firm: &Firm, uscc: Option<String>, hits: &[Hit]) -> Vec<OverruledHit> {
        let at = &firm.circumstances;
        let who = command::Firm { name: firm.name.clone(), uscc, registered: at.region, kind: at.kind };
        let seen = office.glance(&who.keys()).filter(|file| file.concerns(&self.identity));
        seen.map(|file| overruled_of(&file, hits)).unwrap_or_default()
    }
}

/// Refuses a list of firms that is too long.
pub(super) fn too_many(field: &str, count: usize) -> Result<(), Status> {
    if count <= MOST_IN_A_BATCH {
        return Ok(());
    }
    let message = format!("{count} firms; at most {MOST_IN_A_BATCH}");
    Err(status::bad_request(vec![Violation { field: field.to_owned(), message }]))
}
