//! The counter (窗口) of the office: what every call of the watch list does alike.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use prost::Message;
use sha2::{Digest, Sha256};
use tonic::{Request, Status};

use super::{
    desk::{Desk, caller, outside},
    status,
};
use crate::{
    auth::{Identity, Refusal, Role},
    clock::today,
    journal::{Hash, Head, reader::line_at},
    jurisdiction::Region,
    library::Version,
    office::{Acknowledged, Done, History, HistoryEntry, Office, OfficeError, Store, Submission, Until},
    server::workers::Cancelled,
    watch::{
        attribute::Dimension,
        command::Command,
        file::File,
        key::{FirmId, FirmKey, RequestKey},
        query::{Condition, Page, Query},
    },
    wire::{Violation, watch::Reader},
};

/// How long a search may take before it gives what it has.
const BUDGET: Duration = Duration::from_secs(2);

/// A call at the counter: who calls, and by which lists places and bodies are named.
#[derive(Debug, Clone)]
pub(super) struct Counter {
    pub(super) desk: Desk,
    pub(super) office: Office,
    pub(super) identity: Arc<Identity>,
    pub(super) version: Arc<Version>,
}

/// Why something could not be read.
pub(super) enum Unread {
    /// The index or the journal.
    Office(OfficeError),
    /// What the caller asked for.
    Status(Status),
}

impl<E: Into<OfficeError>> From<E> for Unread {
    fn from(error: E) -> Self {
        Self::Office(error.into())
    }
}

/// What a command came to.
pub(super) struct Settled {
    /// The firm's file after it.
    pub(super) file: Arc<File>,
    /// Its record; where nothing was recorded, the last.
    pub(super) head: Head,
    /// Whether it was recorded now.
    pub(super) recorded: bool,
    /// The record, where it was recorded before.
    pub(super) before: Option<HistoryEntry>,
}

impl Counter {
    /// Opens for a call.
    pub(super) fn open<T>(desk: &Desk, request: &Request<T>) -> Result<Self, Status> {
        let identity = caller(request)?;
        let office = desk.office.clone().ok_or_else(status::no_office)?;
        Ok(Self { desk: desk.clone(), office, identity, version: desk.library.current() })
    }

    /// For whom messages are written.
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader { engine: self.version.engine(), today: today(), finance: self.identity.roles.contains(Role::Finance) }
    }

    /// The index, once it has what was acknowledged.
    pub(super) async fn store(&self) -> Result<Store, Status> {
        self.office.settled().await.map_err(|error| status::office(&error))
    }

    /// Reads the index on a worker. Where it is damaged, it will be made again.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Self, &Store, &Cancelled) -> Result<T, Unread> + Send + 'static,
    ) -> Result<T, Status> {
        let (counter, store) = (self.clone(), self.store().await?);
        let theirs = Arc::clone(&store);
        let read = self.desk.work(move |cancelled| read(&counter, &theirs, cancelled)).await?;
        read.map_err(|unread| self.said(unread, &store))
    }

    /// What could not be read, as a status.
    pub(super) fn said(&self, unread: Unread, store: &Store) -> Status {
        if let Unread::Office(OfficeError::Store(error)) = &unread {
            self.office.doubt(Arc::clone(store), error.clone());
        }
        match unread {
            Unread::Office(error) => status::office(&error),
            Unread::Status(status) => status,
        }
    }

    /// The firm that a call names, by its number or its code.
    pub(super) async fn firm(&self, text: &str) -> Result<FirmId, Status> {
        if let Ok(firm) = text.parse() {
            return Ok(firm);
        }
        let Some(code) = crate::uscc::code(text) else {
            let message = "neither a firm's number, such as F17, nor a unified social credit code".to_owned();
            return Err(status::bad_request(vec![Violation { field: "firm".to_owned(), message }]));
        };
        let found = self.read(move |_, store, _| Ok(store.firm_by(&FirmKey::Uscc(code))?)).await?;
        found.ok_or_else(|| status::not_found("firm", text))
    }

    /// Whether the caller may see a file.
    pub(super) fn sees(&self, file: &File) -> bool {
        file.concerns(&self.identity)
    }

    /// A file that the caller may see.
    pub(super) fn file(&self, store: &Store, firm: FirmId) -> Result<File, Unread> {
        let file = store.file(firm)?.ok_or_else(|| Unread::Status(status::not_found("firm", &firm.to_string())))?;
        if self.sees(&file) { Ok(file) } else { Err(Unread::Status(self.outside(file.registered))) }
    }

    /// Refuses a caller that may not act in a place.
    pub(super) fn reaches(&self, region: Region) -> Result<(), Status> {
        if self.identity.reaches(region) { Ok(()) } else { Err(self.outside(region)) }
    }

    fn outside(&self, region: Region) -> Status {
        outside(&self.identity, region, "firm", &self.desk.metrics)
    }

    /// Refuses to follow the journal from behind its end: it is another than the caller knew.
    pub(super) fn within_the_journal(&self, from: u64) -> Result<(), Status> {
        let head = self.office.head().sequence;
        if from <= head + 1 {
            return Ok(());
        }
        Err(Status::out_of_range(format!("the journal ends with record {head}: it is not the one that {from} would be next in")))
    }

    /// What keeps a list within the caller's regions.
    pub(super) fn within(&self) -> Option<Condition> {
        let regions = &self.identity.regions;
        (!regions.contains(&Region::NATION)).then(|| Condition::OneOf(Dimension::Region, regions.iter().map(ToString::to_string).collect()))
    }

    /// Carries a command out.
    pub(super) async fn submit(
        &self,
        command: Command,
        (request_id, body): (String, Hash),
        documents: Option<Box<serde_json::value::RawValue>>,
    ) -> Result<Settled, Status> {
        check_id("request_id", &request_id)?;
        let submission =
            Submission { identity: Arc::clone(&self.identity), request_id, body, command, documents, version: Arc::clone(&self.version) };
        let acknowledged = self.office.submit(submission).await.map_err(|error| self.refused(&error))?;
        self.settled(acknowledged).await
    }

    /// What a request was answered with before, here.
    pub(super) async fn recalled(&self, request_id: String, body: Hash) -> Result<Option<Settled>, Status> {
        if request_id.is_empty() {
            return Ok(None);
        }
        let key = RequestKey { identity: self.identity.id.clone(), id: request_id };
        let found = self.read(move |_, store, _| {
            let Some(answered) = store.request(&key)?.filter(|answered| answered.body == body) else { return Ok(None) };
            Ok(store.file(answered.firm)?.map(|file| (answered.place, Arc::new(file))))
        });
        let Some((place, file)) = found.await? else { return Ok(None) };
        self.settled(Acknowledged { head: Head::default(), file, done: Done::Before(place) }).await.map(Some)
    }

    /// A refusal of the office, counted where it is one of who calls.
    fn refused(&self, error: &OfficeError) -> Status {
        use crate::watch::decide::Refused;
        match error {
            OfficeError::Refused(Refused::Outside(region)) => self.outside(*region),
            OfficeError::Refused(Refused::NotTheBody(body)) => self.not_the_body(&body.to_string()),
            OfficeError::Refused(Refused::RoleMissing(role)) => {
                self.desk.metrics.refused.of(Refusal::RoleMissing).inc();
                status::role_missing(&self.identity, *role)
            }
            error => status::office(error),
        }
    }

    /// A caller that acts for another body, or for none.
    pub(super) fn not_the_body(&self, body: &str) -> Status {
        self.desk.metrics.refused.of(Refusal::BodyOther).inc();
        status::body_other(&self.identity, body)
    }

    async fn settled(&self, acknowledged: Acknowledged) -> Result<Settled, Status> {
        let Acknowledged { head, file, done } = acknowledged;
        let Done::Before(place) = done else {
            return Ok(Settled { file, head, recorded: done == Done::Recorded, before: None });
        };
        self.read(move |counter, store, _| {
            let disk = &**counter.office.journal();
            let before = HistoryEntry::read(&line_at(disk, place)?)?;
            let then = History::read(file.id, Until::Sequence(place.sequence), store, disk)?;
            Ok(Settled { file: then.file.unwrap_or(file), head: before.head, recorded: false, before: Some(before) })
        })
        .await
    }

    /// A page of what is asked for.
    pub(super) async fn page(&self, query: Query) -> Result<Page, Status> {
        self.read(move |_, store, cancelled| {
            let begun = Instant::now();
            let give_up = || cancelled.is_cancelled() || begun.elapsed() > BUDGET;
            Ok(store.select(&query, &give_up)?)
        })
        .await
    }
}

/// SHA-256 of a request, by which it is known again.
pub(super) fn body_of(request: &impl Message) -> Hash {
    Hash(Sha256::digest(request.encode_to_vec()).into())
}

/// Refuses an id that is none; empty is none given.
pub(super) fn check_id(field: &str, id: &str) -> Result<(), Status> {
    if id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let message = "1 to 64 visible ASCII characters".to_owned();
    Err(status::bad_request(vec![Violation { field: field.to_owned(), message }]))
}
