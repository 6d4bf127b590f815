//! `mingcha.v1.WatchListService`.

pub(super) mod record;
mod stream;

use prost::Message;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{
    counter::{Counter, Settled, Unread, body_of},
    desk::Desk,
    page_token::Question,
    status,
};
use crate::{
    clock::today,
    journal::Hash,
    office::History,
    routing::finance_office,
    vocabulary::Function,
    watch::{
        attribute::Collection,
        command::{Command, Inform, Told},
        key::FirmId,
        query::{Page, Query},
    },
    wire::{
        Violation,
        v1::{
            self, AddEvidenceRequest, AddEvidenceResponse, CountRequest, CountResponse, GetFileRequest, GetFileResponse, LinkRequest,
            LinkResponse, ListOrder, OpenRequest, OpenResponse, OverruleRequest, OverruleResponse, RecordScreeningRequest,
            RecordScreeningResponse, RevokeRequest, RevokeResponse, UpdateEntryRequest, UpdateEntryResponse, WatchEntry,
            WatchListServiceGetRequest, WatchListServiceGetResponse, WatchListServiceListRequest, WatchListServiceListResponse,
            WatchRequest, WatchResponse, watch_list_service_server::WatchListService,
        },
        watch as read,
    },
};

pub(super) use stream::follow;

/// Entries of a page where the caller does not say.
const PAGE: u32 = 50;
/// A page ends behind the entry that brings it to so many bytes: an answer may have 32 MiB.
const ENOUGH: usize = 16 << 20;
/// Records of a page where the caller does not say.
const RECORDS: u32 = 100;

/// Answers calls about the watch list.
#[derive(Debug)]
pub struct WatchList {
    desk: Desk,
}

impl WatchList {
    /// A service over the office of `desk`.
    #[must_use]
    pub fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

/// A command about one firm, and its answer.
async fn of_firm(
    counter: &Counter,
    firm: &str,
    (request_id, body): (String, Hash),
    command: impl FnOnce(FirmId) -> Result<Command, Vec<Violation>>,
) -> Result<(WatchEntry, v1::Head), Status> {
    let firm = counter.firm(firm).await?;
    let command = command(firm).map_err(status::bad_request)?;
    let Settled { file, head, .. } = counter.submit(command, (request_id, body), None).await?;
    Ok((counter.reader().entry(&file), read::head(head)))
}

#[tonic::async_trait]
impl WatchListService for WatchList {
    type WatchStream = ReceiverStream<Result<WatchResponse, Status>>;

    async fn record_screening(&self, request: Request<RecordScreeningRequest>) -> Result<Response<RecordScreeningResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        record::record(&counter, request.into_inner()).await.map(Response::new)
    }

    async fn open(&self, request: Request<OpenRequest>) -> Result<Response<OpenResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let request = request.into_inner();
        let (id, body) = (request.request_id.clone(), body_of(&request));
        let told = told(&counter, request)?;
        let Settled { file, head, .. } = counter.submit(Command::Open(Box::new(told)), (id, body), None).await?;
        // whoever tells of a firm of another place is not shown its file
        let number = || WatchEntry { firm: file.id.to_string(), ..WatchEntry::default() };
        let entry = if counter.sees(&file) { counter.reader().entry(&file) } else { number() };
        Ok(Response::new(OpenResponse { entry: Some(entry), head: Some(read::head(head)) }))
    }

    async fn link(&self, request: Request<LinkRequest>) -> Result<Response<LinkResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let request = request.into_inner();
        let asked = (request.request_id.clone(), body_of(&request));
        let engine = counter.version.engine();
        let (entry, head) = of_firm(&counter, &request.firm, asked, |firm| read::link(firm, &request, engine)).await?;
        Ok(Response::new(LinkResponse { entry: Some(entry), head: Some(head) }))
    }

    async fn add_evidence(&self, request: Request<AddEvidenceRequest>) -> Result<Response<AddEvidenceResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let mut request = request.into_inner();
        let asked = (request.request_id.clone(), body_of(&request));
        let (engine, name) = (counter.version.engine(), std::mem::take(&mut request.firm));
        let (entry, head) = of_firm(&counter, &name, asked, |firm| read::addendum(firm, request, engine)).await?;
        Ok(Response::new(AddEvidenceResponse { entry: Some(entry), head: Some(head) }))
    }

    async fn overrule(&self, request: Request<OverruleRequest>) -> Result<Response<OverruleResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let mut request = request.into_inner();
        let asked = (request.request_id.clone(), body_of(&request));
        let (engine, name) = (counter.version.engine(), std::mem::take(&mut request.firm));
        let (entry, head) = of_firm(&counter, &name, asked, |firm| read::overruled(firm, request, engine)).await?;
        Ok(Response::new(OverruleResponse { entry: Some(entry), head: Some(head) }))
    }

    async fn update_entry(&self, request: Request<UpdateEntryRequest>) -> Result<Response<UpdateEntryResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let mut request = request.into_inner();
        let asked = (request.request_id.clone(), body_of(&request));
        let (engine, name) = (counter.version.engine(), std::mem::take(&mut request.firm));
        let (entry, head) = of_firm(&counter, &name, asked, |firm| read::updated(firm, request, engine)).await?;
        Ok(Response::new(UpdateEntryResponse { entry: Some(entry), head: Some(head) }))
    }

    async fn revoke(&self, request: Request<RevokeRequest>) -> Result<Response<RevokeResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let mut request = request.into_inner();
        let asked = (request.request_id.clone(), body_of(&request));
        let (engine, name) = (counter.version.engine(), std::mem::take(&mut request.firm));
        let (entry, head) = of_firm(&counter, &name, asked, |firm| read::revoked(firm, request, today(), engine)).await?;
        Ok(Response::new(RevokeResponse { entry: Some(entry), head: Some(head) }))
    }

    async fn get(&self, request: Request<WatchListServiceGetRequest>) -> Result<Response<WatchListServiceGetResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let firm = counter.firm(&request.into_inner().firm).await?;
        let entry = counter.read(move |counter, store, _| Ok(counter.reader().entry(&counter.file(store, firm)?))).await?;
        Ok(Response::new(WatchListServiceGetResponse { entry: Some(entry) }))
    }

    async fn list(&self, request: Request<WatchListServiceListRequest>) -> Result<Response<WatchListServiceListResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let request = request.into_inner();
        let asked = WatchListServiceListRequest { page_size: 0, page_token: String::new(), ..request.clone() };
        let question = Question::of(&asked);
        let engine = counter.version.engine();
        let filter = request.filter.unwrap_or_default();
        let mut conditions = read::filter(&filter, today(), engine).map_err(status::bad_request)?;
        conditions.extend(counter.within());
        let query = Query {
            collection: Collection::Entries,
            conditions,
            oldest_first: oldest_first(request.order)?,
            after: number(question.number(&request.page_token)?),
            most: read::page_size(request.page_size, PAGE, engine).map_err(status::bad_request)?,
        };
        let page = counter.page(query).await?;
        let partial = page.partial;
        let (entries, next) = counter.read(move |counter, store, _| entries(counter, store, &page)).await?;
        let next_page_token = question.token(next.map(u64::from));
        Ok(Response::new(WatchListServiceListResponse { entries, next_page_token, partial }))
    }

    async fn count(&self, request: Request<CountRequest>) -> Result<Response<CountResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let request = request.into_inner();
        let engine = counter.version.engine();
        let (first, second) = read::count_by(&request.by, engine).map_err(status::bad_request)?;
        let mut conditions = read::filter(&request.filter.unwrap_or_default(), today(), engine).map_err(status::bad_request)?;
        conditions.extend(counter.within());
        let query = Query { collection: Collection::Entries, conditions, oldest_first: true, after: None, most: 0 };
        let counts = counter.read(move |_, store, _| Ok(store.count(&query, first, second)?));
        Ok(Response::new(read::counts(counts.await?)))
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let from = request.into_inner().from_sequence;
        counter.within_the_journal(from)?;
        Ok(Response::new(follow(counter, from, stream::changes)))
    }

    async fn get_file(&self, request: Request<GetFileRequest>) -> Result<Response<GetFileResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        let request = request.into_inner();
        let question = Question::of(&GetFileRequest { page_size: 0, page_token: String::new(), ..request.clone() });
        let (engine, behind) = (counter.version.engine(), question.number(&request.page_token)?.unwrap_or(0));
        let until = read::until(&request.as_of, engine).map_err(status::bad_request)?;
        let most = read::page_size(request.page_size, RECORDS, engine).map_err(status::bad_request)?;
        let firm = counter.firm(&request.firm).await?;
        let history = counter.read(move |counter, store, _| {
            counter.file(store, firm)?; // may the caller see it?
            let (history, more) = History::page(firm, until, (behind, most), store, &**counter.office.journal())?;
            let file = history.file.ok_or_else(|| Unread::Status(status::not_found("file of that time for", &request.firm)))?;
            let next = history.entries.last().map(|last| last.head.sequence).filter(|_| more);
            let reader = counter.reader();
            let records = history.entries.into_iter().map(|entry| reader.record(entry)).collect();
            Ok(GetFileResponse { entry: Some(reader.entry(&file)), records, next_page_token: question.token(next) })
        });
        history.await.map(Response::new)
    }
}

/// The entries of a page, as many as fit into an answer, and behind which number the next page begins.
fn entries(counter: &Counter, store: &crate::office::Store, page: &Page) -> Result<(Vec<WatchEntry>, Option<u32>), Unread> {
    let (reader, mut entries, mut bytes) = (counter.reader(), Vec::with_capacity(page.numbers.len()), 0);
    for (index, number) in page.numbers.iter().enumerate() {
        if bytes > ENOUGH {
            return Ok((entries, Some(page.numbers[index - 1])));
        }
        if let Some(file) = store.file(FirmId(*number))? {
            let entry = reader.entry(&file);
            bytes += entry.encoded_len();
            entries.push(entry);
        }
    }
    Ok((entries, page.next))
}

/// The number of a page token as numbers of firms and referrals are.
pub(super) fn number(token: Option<u64>) -> Option<u32> {
    token.map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

pub(super) fn oldest_first(order: i32) -> Result<bool, Status> {
    match ListOrder::try_from(order) {
        Ok(ListOrder::Unspecified | ListOrder::NewestFirst) => Ok(false),
        Ok(ListOrder::OldestFirst) => Ok(true),
        Err(_) => {
            let message = format!("{order} is not a value of this enum");
            Err(status::bad_request(vec![Violation { field: "order".to_owned(), message }]))
        }
    }
}

/// What someone told of a firm, with whom to tell: where the caller names nobody, the finance office of the firm's city,
/// unless it is of a finance office itself.
fn told(counter: &Counter, request: OpenRequest) -> Result<Told, Status> {
    let engine = counter.version.engine();
    let read::Opened { firm, source, suspected, evidence, bodies } = read::opened(request, engine).map_err(status::bad_request)?;
    if !counter.identity.reaches(firm.registered) {
        return Err(super::desk::outside(&counter.identity, firm.registered, "region", &counter.desk.metrics));
    }
    let own = counter.identity.body.is_some_and(|body| body.function == Function::FinanceOffice);
    let named = !bodies.is_empty();
    let tell = if named || own { bodies } else { finance_office(firm.registered, engine.lists()).into_iter().collect() };
    let why = if named { "named by the caller" } else { crate::routing::Told::FinanceOffice.about() };
    let inform = tell.into_iter().map(|body| Inform { body, why: why.to_owned(), fields: suspected.clone() }).collect();
    Ok(Told { firm, source, suspected, evidence, inform })
}
