//! `ScreenStream` (流式审查): firms as they are sent, answered in order. A few are taken at a time and screened by a worker; the
//! next are read when their answers have found room, so that whoever does not read them is not read from either.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use prost::Message;
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use tracing::{Instrument, Span};

use super::{
    desk::Desk,
    screening::{Examiner, SHORT},
    status,
};
use crate::{
    auth::Identity,
    library::Version,
    server::workers::Cancelled,
    wire::{
        Bases, Violation,
        v1::{ScreenRequest, ScreenStreamRequest, ScreenStreamResponse, screen_stream_response::Result as Outcome},
    },
};

/// Most firms that are taken at a time, and most answers that wait for a slow client.
const AT_A_TIME: usize = 64;
/// No more are taken when their texts have so many bytes.
const BYTES: usize = 256 << 10;
/// Longest id of a row, in bytes.
const LONGEST_ROW_ID: usize = 256;

/// What the client gets.
pub(super) type Answers = ReceiverStream<Result<ScreenStreamResponse, Status>>;

/// A stream that goes on.
struct Going {
    desk: Desk,
    identity: Arc<Identity>,
    requests: Streaming<ScreenStreamRequest>,
    /// How long a client may send nothing, or take nothing.
    idle: Duration,
    send: mpsc::Sender<Result<ScreenStreamResponse, Status>>,
}

/// Answers a stream, until it ends or the service stops.
pub(super) fn screened(desk: Desk, identity: Arc<Identity>, requests: Streaming<ScreenStreamRequest>, idle: Duration) -> Answers {
    let (send, receive) = mpsc::channel(AT_A_TIME);
    let (stop, last) = (desk.stop.clone(), send.clone());
    let going = Going { desk, identity, requests, idle, send };
    let answer = async move {
        let ended = tokio::select! {
            ended = going.go_on() => ended,
            () = stop.cancelled() => Err(status::stopping()),
            () = last.closed() => return,
        };
        if let Err(status) = ended {
            let _ = timeout(idle, last.send(Err(status))).await; // the client may have gone
        }
    };
    tokio::spawn(answer.instrument(Span::current()));
    ReceiverStream::new(receive)
}

/// Some firms, and whether the stream has ended behind them.
struct Taken {
    requests: Vec<ScreenStreamRequest>,
    ended: Option<Result<(), Status>>,
}

impl Going {
    async fn go_on(mut self) -> Result<(), Status> {
        let mut version: Option<Arc<Version>> = None;
        let mut sequence = 0;
        loop {
            let Taken { requests, ended } = self.some().await?;
            if let Some(first) = requests.first() {
                let version = match &version {
                    Some(version) => version,
                    None => version.insert(self.desk.version(&first.lists_hash, "lists_hash").await?),
                };
                let count = requests.len() as u64;
                for answer in self.answers(self.examiner(version), sequence, requests).await? {
                    let taken = timeout(self.idle, self.send.send(Ok(answer))).await.map_err(|_| status::unread())?;
                    if taken.is_err() {
                        return Ok(()); // the client has gone
                    }
                }
                sequence += count;
            }
            if let Some(ended) = ended {
                return ended;
            }
        }
    }

    /// Waits for a firm, and takes those with it that are there already.
    async fn some(&mut self) -> Result<Taken, Status> {
        let mut some = Taken { requests: Vec::new(), ended: None };
        let mut bytes = 0;
        let mut next = Some(timeout(self.idle, self.requests.message()).await.map_err(|_| status::idle())?);
        while let Some(message) = next {
            match message {
                Ok(Some(request)) => {
                    bytes += request.request.as_ref().map_or(0, size);
                    some.requests.push(request);
                }
                Ok(None) => some.ended = Some(Ok(())),
                Err(status) => some.ended = Some(Err(status)),
            }
            if some.ended.is_some() || some.requests.len() == AT_A_TIME || bytes > BYTES {
                break;
            }
            next = self.requests.message().now_or_never();
        }
        Ok(some)
    }

    /// Screens the firms that are there now: as of the day that it is, however long the stream has been open.
    fn examiner(&self, version: &Arc<Version>) -> StreamExaminer {
        let lists_hash = version.hash().to_owned();
        StreamExaminer { examiner: Examiner::at(&self.desk, Arc::clone(version), Arc::clone(&self.identity)), lists_hash }
    }

    async fn answers(
        &self,
        examiner: StreamExaminer,
        first: u64,
        requests: Vec<ScreenStreamRequest>,
    ) -> Result<Vec<ScreenStreamResponse>, Status> {
        let short = requests.len() == 1 && requests[0].request.as_ref().map_or(0, size) <= SHORT;
        let answer = move |cancelled: &Cancelled| {
            let going = (first..).zip(requests).take_while(|_| !cancelled.is_cancelled());
            going.map(|(sequence, request)| examiner.answer(sequence, request)).collect()
        };
        if short { Ok(answer(&Cancelled::default())) } else { self.desk.work(answer).await }
    }
}

/// The bytes of a firm.
fn size(request: &ScreenRequest) -> usize {
    request.encoded_len()
}

/// Screens the firms of a stream.
struct StreamExaminer {
    examiner: Examiner,
    lists_hash: String,
}

impl StreamExaminer {
    fn answer(&self, sequence: u64, request: ScreenStreamRequest) -> ScreenStreamResponse {
        let ScreenStreamRequest { mut row_id, request, lists_hash } = request;
        let request = request.unwrap_or_default();
        let mut violations = Vec::new();
        let mut wrong = |field: &str, message: &str| violations.push(Violation { field: field.to_owned(), message: message.to_owned() });
        if row_id.len() > LONGEST_ROW_ID {
            row_id.clear();
            wrong("row_id", "at most 256 bytes");
        }
        for (field, hash) in [("lists_hash", &lists_hash), ("request.lists_hash", &request.lists_hash)] {
            if !hash.is_empty() && *hash != self.lists_hash {
                wrong(field, "in a stream it is empty or that of the stream, which is said at its beginning");
            }
        }
        let result = if violations.is_empty() {
            let path = |field: &str| format!("request.{field}");
            self.examiner.one(request, &mut Bases::Inline, &path).map_err(|refused| refused.map(|all| within(all, &path)).into())
        } else {
            Err(status::bad_request(violations))
        };
        let outcome = match result {
            Ok(screening) => Outcome::Screening(Box::new(screening)),
            Err(status) => Outcome::Error(status::message(&status)),
        };
        ScreenStreamResponse { sequence, row_id, result: Some(outcome) }
    }
}

fn within(violations: Vec<Violation>, path: &dyn Fn(&str) -> String) -> Vec<Violation> {
    violations.into_iter().map(|violation| violation.within(path)).collect()
}
