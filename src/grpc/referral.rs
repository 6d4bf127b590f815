//! `mingcha.v1.ReferralService`.

use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{
    counter::{Counter, Settled, Unread, body_of},
    desk::Desk,
    page_token::Question,
    status,
    watch::{follow, number, oldest_first},
};
use crate::{
    auth::Role,
    clock::today,
    journal::Hash,
    office::{HistoryEntry, Store},
    storage::StoreError,
    watch::{
        ReferralState,
        attribute::{Collection, Dimension},
        command::Command,
        event::Event,
        file::File,
        key::ReferralId,
        query::{Condition, Query},
        reconcile::reconcile,
        referral::Referral,
        transition::ReferralAction,
    },
    wire::{
        self, Violation,
        v1::{
            self, AcceptRequest, AcceptResponse, ConcludeRequest, ConcludeResponse, EscalateRequest, EscalateResponse, ReceiveRequest,
            ReceiveResponse, ReconcileRequest, ReconcileResponse, RedirectRequest, RedirectResponse, ReferralServiceListRequest,
            ReferralServiceListResponse, ReturnRequest, ReturnResponse, StreamRequest, StreamResponse,
            referral_service_server::ReferralService,
        },
        watch as read,
    },
    wordlist::tables::BodyId,
};

/// Referrals of a page where the caller does not say.
const PAGE: u32 = 50;
/// How many referrals are summed up at a time.
const AT_A_TIME: usize = 4096;

/// Answers calls about referrals.
#[derive(Debug)]
pub struct Referrals {
    desk: Desk,
}

impl Referrals {
    /// A service over the office of `desk`.
    #[must_use]
    pub fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

/// A step of a referral, and what it came to: the referral itself, or the one that it went on as.
async fn step(
    counter: &Counter,
    command: Result<Command, Vec<Violation>>,
    asked: (String, Hash),
) -> Result<(v1::Referral, v1::Head), Status> {
    let command = command.map_err(status::bad_request)?;
    let Command::Refer(refer) = &command else { return Err(status::unreadable_record()) };
    let (id, goes_on) = (refer.referral, matches!(refer.action, ReferralAction::Redirect | ReferralAction::Escalate));
    let Settled { file, head, .. } = counter.submit(command, asked, None).await?;
    let mut referral = file.referral(id);
    if goes_on {
        referral = referral.and_then(|referral| referral.next).and_then(|next| file.referral(next));
    }
    let referral = referral.ok_or_else(status::unreadable_record)?;
    Ok((counter.reader().referral(&file, referral), read::head(head)))
}

/// The body whose referrals a caller may see: its own, or, for an auditor, any or all.
fn body_seen(counter: &Counter, asked: &str) -> Result<Option<BodyId>, Status> {
    let named = if asked.is_empty() {
        None
    } else {
        read::bodies("body", &[asked.to_owned()], counter.version.engine()).map_err(status::bad_request)?.pop()
    };
    let identity = &counter.identity;
    if identity.roles.contains(Role::Auditor) || identity.is_anyone() {
        return Ok(named);
    }
    match (named, identity.body) {
        (None, Some(own)) => Ok(Some(own)),
        (Some(body), _) if identity.acts_for(body) => Ok(Some(body)),
        (named, _) => Err(counter.not_the_body(&named.map(|body| body.to_string()).unwrap_or_default())),
    }
}

fn of_body(body: BodyId) -> Condition {
    Condition::OneOf(Dimension::Body, vec![body.to_string()])
}

/// Calls `each` with every referral of these numbers, and its firm's file.
fn each(store: &Store, numbers: &[u32], mut each: impl FnMut(&File, &Referral)) -> Result<(), StoreError> {
    for number in numbers {
        let id = ReferralId(*number);
        let firm = store.firm_of(id)?;
        let file = firm.map(|firm| store.file(firm)).transpose()?.flatten();
        if let Some(file) = &file
            && let Some(referral) = file.referral(id)
        {
            each(file, referral);
        }
    }
    Ok(())
}

#[tonic::async_trait]
impl ReferralService for Referrals {
    type StreamStream = ReceiverStream<Result<StreamResponse, Status>>;

    async fn list(&self, request: Request<ReferralServiceListRequest>) -> Result<Response<ReferralServiceListResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let request = request.into_inner();
        let question = Question::of(&ReferralServiceListRequest { page_size: 0, page_token: String::new(), ..request.clone() });
        let engine = counter.version.engine();
        let mut conditions = read::referral_filter(&request, today(), engine).map_err(status::bad_request)?;
        let body = body_seen(&counter, &request.body)?;
        conditions.extend(body.map(of_body));
        if body.is_none() || body != counter.identity.body {
            conditions.extend(counter.within()); // of its own, a body sees them all
        }
        let query = Query {
            collection: Collection::Referrals,
            conditions,
            oldest_first: oldest_first(request.order)?,
            after: number(question.number(&request.page_token)?),
            most: read::page_size(request.page_size, PAGE, engine).map_err(status::bad_request)?,
        };
        let page = counter.page(query).await?;
        let (next_page_token, partial) = (question.token(page.next.map(u64::from)), page.partial);
        let referrals = counter.read(move |counter, store, _| {
            let (reader, mut referrals) = (counter.reader(), Vec::new());
            each(store, &page.numbers, |file, referral| referrals.push(reader.referral(file, referral)))?;
            Ok(referrals)
        });
        Ok(Response::new(ReferralServiceListResponse { referrals: referrals.await?, next_page_token, partial }))
    }

    async fn receive(&self, request: Request<ReceiveRequest>) -> Result<Response<ReceiveResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let request = request.into_inner();
        let asked = (request.request_id.clone(), body_of(&request));
        let command = read::noted(ReferralAction::Receive, &request.referral, "note", request.note, counter.version.engine());
        let (referral, head) = step(&counter, command, asked).await?;
        Ok(Response::new(ReceiveResponse { referral: Some(referral), head: Some(head) }))
    }

    async fn accept(&self, request: Request<AcceptRequest>) -> Result<Response<AcceptResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let request = request.into_inner();
        let asked = (request.request_id.clone(), body_of(&request));
        let command = read::noted(ReferralAction::Accept, &request.referral, "note", request.note, counter.version.engine());
        let (referral, head) = step(&counter, command, asked).await?;
        Ok(Response::new(AcceptResponse { referral: Some(referral), head: Some(head) }))
    }

    async fn conclude(&self, request: Request<ConcludeRequest>) -> Result<Response<ConcludeResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let request = request.into_inner();
        let asked = (request.request_id.clone(), body_of(&request));
        let command = read::conclusion(&request, counter.version.engine());
        let (referral, head) = step(&counter, command, asked).await?;
        Ok(Response::new(ConcludeResponse { referral: Some(referral), head: Some(head) }))
    }

    async fn r#return(&self, request: Request<ReturnRequest>) -> Result<Response<ReturnResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let request = request.into_inner();
        let asked = (request.request_id.clone(), body_of(&request));
        let command = read::noted(ReferralAction::Return, &request.referral, "reason", request.reason, counter.version.engine());
        let (referral, head) = step(&counter, command, asked).await?;
        Ok(Response::new(ReturnResponse { referral: Some(referral), head: Some(head) }))
    }

    async fn redirect(&self, request: Request<RedirectRequest>) -> Result<Response<RedirectResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let request = request.into_inner();
        let asked = (request.request_id.clone(), body_of(&request));
        let command = read::redirected(request, counter.version.engine());
        let (referral, head) = step(&counter, command, asked).await?;
        Ok(Response::new(RedirectResponse { referral: Some(referral), head: Some(head) }))
    }

    async fn escalate(&self, request: Request<EscalateRequest>) -> Result<Response<EscalateResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let request = request.into_inner();
        let asked = (request.request_id.clone(), body_of(&request));
        let command = read::noted(ReferralAction::Escalate, &request.referral, "reason", request.reason, counter.version.engine());
        let (referral, head) = step(&counter, command, asked).await?;
        Ok(Response::new(EscalateResponse { referral: Some(referral), head: Some(head) }))
    }

    async fn stream(&self, request: Request<StreamRequest>) -> Result<Response<Self::StreamStream>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let request = request.into_inner();
        let body = body_seen(&counter, &request.body)?;
        counter.within_the_journal(request.from_sequence)?;
        let shown = move |counter: &Counter, store: &Store, entry: HistoryEntry| steps(counter, store, &entry, body);
        Ok(Response::new(follow(counter, request.from_sequence, shown)))
    }

    async fn reconcile(&self, request: Request<ReconcileRequest>) -> Result<Response<ReconcileResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let request = request.into_inner();
        let Some(body) = body_seen(&counter, &request.body)? else {
            let message = "whose referrals are to be reconciled is needed".to_owned();
            return Err(status::bad_request(vec![Violation { field: "body".to_owned(), message }]));
        };
        if Some(body) != counter.identity.body {
            counter.reaches(body.region)?; // a sum over some of them would prove nothing
        }
        let day = wire::day_in("date", &request.date).map_err(status::bad_request)?.unwrap_or_else(today);
        let sum = counter.read(move |_, store, cancelled| {
            let mut query = Query {
                collection: Collection::Referrals,
                conditions: vec![of_body(body)],
                oldest_first: true,
                after: None,
                most: AT_A_TIME,
            };
            let mut referrals = Vec::new();
            loop {
                let page = store.select(&query, &|| cancelled.is_cancelled())?;
                if page.partial {
                    return Err(Unread::Status(status::too_late()));
                }
                each(store, &page.numbers, |_, referral| referrals.push(referral.clone()))?;
                query.after = page.next;
                if page.next.is_none() {
                    return Ok(reconcile(referrals.iter(), day));
                }
            }
        });
        let sum = sum.await?;
        let (count, sha256) = (sum.count, sum.hash.to_string());
        Ok(Response::new(ReconcileResponse { body: body.to_string(), date: day.to_string(), count, sha256 }))
    }
}

/// The steps of referrals that a record tells of.
fn steps(counter: &Counter, store: &Store, entry: &HistoryEntry, body: Option<BodyId>) -> Result<Vec<StreamResponse>, Unread> {
    let mut steps = Vec::new();
    for event in entry.payload.changes.iter().flat_map(|change| &change.events) {
        let (id, state) = match event {
            Event::Sent(sent) => (sent.referral, ReferralState::Sent),
            Event::Went { referral, state, .. } => (*referral, *state),
            _ => continue,
        };
        each(store, &[id.0], |file, referral| {
            let asked = body.is_none_or(|body| body == referral.body);
            let own = counter.identity.body == Some(referral.body);
            if asked && (own || counter.sees(file)) {
                steps.push(StreamResponse {
                    sequence: entry.head.sequence,
                    at: read::instant(entry.at),
                    state: wire::number(state),
                    referral: Some(counter.reader().referral(file, referral)),
                });
            }
        })?;
    }
    Ok(steps)
}
