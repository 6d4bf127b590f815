//! The writer (记录员): one thread decides and records. What waits is written together, with one fsync.

use std::sync::{Arc, mpsc as std_mpsc};

use jiff::Timestamp;
use rustc_hash::FxHashMap;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    Acknowledged, Asked, Done, Job, OfficeError, Payload, Store, Submission,
    recent::{Recent, Unknown},
};
use crate::{
    day,
    journal::{Draft, Head, Journal, reader::Place},
    storage::{Answered, Batch, FileChange, Numbers, StoreError},
    watch::{
        command::{Command, Subject},
        deadline::Deadlines,
        decide::{Context, Refused, Seen, decide},
        event::{Change, Recorded},
        file::File,
        key::{FirmId, FirmKey, ReferralId, RequestKey},
    },
};

/// Most commands that are written together.
const MOST_TOGETHER: usize = 512;
/// From so many bytes on, no further command is taken before they are written.
const ENOUGH: usize = 8 << 20;

/// See the module.
pub(super) struct Writer {
    pub(super) journal: Journal,
    pub(super) recent: Recent,
    /// The last numbers that were given; none until the index could be asked.
    pub(super) numbers: Option<Numbers>,
    pub(super) deadlines: Deadlines,
    pub(super) acknowledged: watch::Sender<Head>,
    pub(super) indexed: watch::Receiver<u64>,
    pub(super) indexing: std_mpsc::SyncSender<Work>,
}

/// What the index is given to do.
pub(super) enum Work {
    /// Take these in.
    Take(Batch),
    /// This one was found damaged.
    Doubt(Store, StoreError),
    /// Nothing follows.
    Stop,
}

/// A file's change, with who bears which key then.
type Folded = (FileChange, Vec<(FirmKey, Vec<FirmId>)>);

/// A command that is staged, and who waits for it.
struct Waiting {
    reply: oneshot::Sender<Result<Acknowledged, OfficeError>>,
    file: Arc<File>,
    outcome: Outcome,
}

enum Outcome {
    /// Staged as this record.
    Staged { head: Head, changes: Vec<FileChange>, request: Option<(RequestKey, crate::journal::Hash)> },
    /// Answered by what is on the disk when all that is staged is.
    Known(Done),
}

impl Writer {
    /// Works until it is told to stop, or nobody can give it anything any more.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Asked>) {
        while let Some(first) = jobs.blocking_recv() {
            let mut waiting = Vec::new();
            self.recent.forget(*self.indexed.borrow());
            let mut next = Some(first);
            while let Some(asked) = next {
                match asked {
                    Asked::Do(job) => self.take(job, &mut waiting),
                    Asked::Stop => jobs.close(), // what is in it already is done
                }
                let room = waiting.len() < MOST_TOGETHER && self.journal.staged_bytes() < ENOUGH;
                next = if room { jobs.try_recv().ok() } else { None };
            }
            self.commit(waiting);
        }
        let _ = self.indexing.send(Work::Stop); // fails only where the index has no keeper any more
    }

    fn take(&mut self, job: Job, waiting: &mut Vec<Waiting>) {
        let Job { submission, reply } = job;
        match self.stage(&submission) {
            Ok((file, outcome)) => waiting.push(Waiting { reply, file, outcome }),
            Err(error) => {
                let _ = reply.send(Err(error)); // the caller may have gone
            }
        }
    }

    /// Decides a command, and stages what it comes to.
    fn stage(&mut self, submission: &Submission) -> Result<(Arc<File>, Outcome), OfficeError> {
        let request = self.request(submission)?;
        let key = match request {
            Request::Answered(file, place) => return Ok((file, Outcome::Known(Done::Before(place)))),
            Request::New(key) => key,
        };
        let numbers = self.numbers()?;
        let command = &submission.command;
        let file = self.subject(&command.subject())?;
        let coded = match command {
            Command::Link { uscc, .. } => self.subject(&Subject::Found(vec![FirmKey::Uscc(uscc.clone())]))?,
            _ => None,
        };
        let now = Timestamp::now();
        let (sequence, at) = self.journal.next(now);
        if at > now {
            tracing::warn!(%now, recorded = %at, "the clock has gone back: records take the instant of the one before until it has caught up");
        }
        let changes = {
            let context = Context {
                identity: &submission.identity,
                today: day::of(at),
                deadlines: self.deadlines,
                lists: submission.version.engine().lists(),
                next_firm: FirmId(numbers.firms + 1),
                next_referral: ReferralId(numbers.referrals + 1),
            };
            decide(command, Seen { file: file.as_deref(), coded: coded.as_deref() }, &context)?
        };
        if changes.is_empty() {
            let file = file.ok_or(Refused::NoFirm)?;
            return Ok((file, Outcome::Known(Done::Nothing)));
        }
        let folded = self.fold(&changes, Recorded { sequence, at, by: &submission.identity.id })?;
        let file = folded.last().map(|(change, _)| Arc::clone(&change.after)).ok_or(Refused::NoFirm)?;
        let body = key.as_ref().map(|_| submission.body);
        let head = self.write(submission, &changes, now, body)?; // from here on nothing may fail
        let changes = self.learn(sequence, folded);
        let request = key.zip(body);
        if let Some((key, body)) = &request {
            let place = Place { sequence, segment: 0, offset: 0 }; // where it lies is known when it is written
            self.recent.answered(key.clone(), Answered { firm: file.id, body: *body, place });
        }
        Ok((file, Outcome::Staged { head, changes, request }))
    }

    /// Whether a request was answered before.
    fn request(&mut self, submission: &Submission) -> Result<Request, OfficeError> {
        if submission.request_id.is_empty() {
            return Ok(Request::New(None));
        }
        let key = RequestKey { identity: submission.identity.id.clone(), id: submission.request_id.clone() };
        let answered = self.recent.request(&key);
        let Some(answered) = self.known(answered)? else { return Ok(Request::New(Some(key))) };
        if answered.body != submission.body {
            return Err(OfficeError::RequestIdUsed(answered.place.sequence));
        }
        let file = self.recent.file(answered.firm);
        let file = self.known(file)?.ok_or_else(|| StoreError("a request's firm is missing".to_owned()))?;
        Ok(Request::Answered(file, answered.place))
    }

    /// The last numbers that were given. The index has them all where this writer has given none yet.
    fn numbers(&mut self) -> Result<Numbers, OfficeError> {
        if let Some(numbers) = self.numbers {
            return Ok(numbers);
        }
        let numbers = self.recent.numbers();
        let numbers = self.known(numbers)?;
        self.numbers = Some(numbers);
        Ok(numbers)
    }

    fn subject(&mut self, subject: &Subject) -> Result<Option<Arc<File>>, OfficeError> {
        let found = self.recent.subject(subject);
        self.known(found)
    }

    /// What is known, where the index could say; where it is damaged, it is made again.
    fn known<T>(&mut self, found: Result<T, Unknown>) -> Result<T, OfficeError> {
        found.map_err(|unknown| match unknown {
            Unknown::Rebuilding => OfficeError::Rebuilding,
            Unknown::Damaged(store, error) => {
                let _ = self.indexing.send(Work::Doubt(store, error)); // fails only where the service goes down
                OfficeError::Rebuilding
            }
        })
    }

    fn write(
        &mut self,
        submission: &Submission,
        changes: &[Change],
        now: Timestamp,
        body: Option<crate::journal::Hash>,
    ) -> Result<Head, OfficeError> {
        let payload = Payload::of(changes.to_vec(), submission.command.reason(), body, submission.documents.clone());
        let payload = payload.write().map_err(|error| StoreError(error.to_string()))?;
        let (actor, request_id, kind) = (submission.identity.id.as_str(), submission.request_id.as_str(), submission.command.kind());
        Ok(self.journal.stage(&Draft { actor, request_id, kind, payload: &payload }, now)?.0)
    }

    /// Folds changes into the files. Nothing is remembered yet: a record that cannot be told whole is none.
    fn fold(&mut self, changes: &[Change], record: Recorded<'_>) -> Result<Vec<Folded>, OfficeError> {
        let mut folded = Vec::with_capacity(changes.len());
        for change in changes {
            let before = self.recent.file(change.firm);
            let before = self.known(before)?;
            let after = File::after(before.as_deref().cloned(), change, record).ok_or(Refused::NoFirm)?;
            let keys = self.recent.rekeyed(before.as_deref(), &after);
            let keys = self.known(keys)?;
            folded.push((FileChange { before, after: Arc::new(after) }, keys));
        }
        Ok(folded)
    }

    /// Remembers what was folded, for the commands that follow.
    fn learn(&mut self, sequence: u64, folded: Vec<Folded>) -> Vec<FileChange> {
        let mut changes = Vec::with_capacity(folded.len());
        for (change, keys) in folded {
            self.numbers = self.numbers.map(|numbers| numbers_after(numbers, &change.after));
            self.recent.learn(sequence, &change.after, keys);
            changes.push(change);
        }
        changes
    }

    /// Writes what is staged, then tells everyone who waits, then the index.
    fn commit(&mut self, waiting: Vec<Waiting>) {
        let places = match self.journal.commit() {
            Ok(places) => places,
            Err(error) => {
                tracing::error!(%error, "the journal cannot be written: nothing is recorded until the service is restarted");
                let error = OfficeError::from(error);
                for waiting in waiting {
                    let _ = waiting.reply.send(Err(error.clone())); // the caller may have gone
                }
                return;
            }
        };
        let head = self.journal.head();
        let places: FxHashMap<u64, Place> = places.into_iter().map(|place| (place.sequence, place)).collect();
        self.acknowledged.send_replace(head);
        let mut batch = Batch { head, numbers: self.numbers.unwrap_or_default(), ..Batch::default() };
        for Waiting { reply, file, outcome } in waiting {
            let (head, done) = match outcome {
                Outcome::Known(Done::Before(place)) => (head, Done::Before(places.get(&place.sequence).copied().unwrap_or(place))),
                Outcome::Known(done) => (head, done),
                Outcome::Staged { head, changes, request } => {
                    if let Some(place) = places.get(&head.sequence) {
                        batch.records.extend(changes.iter().map(|change| (change.after.id, *place)));
                        if let Some((key, body)) = request {
                            self.recent.placed(&key, *place);
                            batch.requests.push((key, Answered { firm: file.id, body, place: *place }));
                        }
                    }
                    batch.changes.extend(changes);
                    (head, Done::Recorded)
                }
            };
            let _ = reply.send(Ok(Acknowledged { head, file, done })); // the caller may have gone
        }
        if !batch.changes.is_empty() {
            let _ = self.indexing.send(Work::Take(batch)); // fails only where the service goes down
        }
    }
}

enum Request {
    New(Option<RequestKey>),
    Answered(Arc<File>, Place),
}

/// The last numbers, once a file is as it is.
pub(super) fn numbers_after(numbers: Numbers, file: &File) -> Numbers {
    let referrals = file.referrals.iter().map(|referral| referral.id.0).max().unwrap_or(0);
    Numbers { firms: numbers.firms.max(file.id.0), referrals: numbers.referrals.max(referrals) }
}
