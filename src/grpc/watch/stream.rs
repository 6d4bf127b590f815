//! Streams of what is recorded: from any record on, then as it happens.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::super::{
    counter::{Counter, Unread},
    status,
};
use crate::{
    journal::reader::Tail,
    office::{HistoryEntry, Store},
    wire::v1::WatchResponse,
};

/// Most records that are read at a time.
const AT_A_TIME: usize = 64;
/// From so many bytes of them on, no further one is read before these are sent.
const ENOUGH: usize = 1 << 20;
/// How many answers wait for a slow client.
const WAITING: usize = 8;

/// What one record is to a caller: nothing, or some answers.
pub(in super::super) trait Shown<T>:
    Fn(&Counter, &Store, HistoryEntry) -> Result<Vec<T>, Unread> + Send + Sync + 'static
{
}

impl<T, F: Fn(&Counter, &Store, HistoryEntry) -> Result<Vec<T>, Unread> + Send + Sync + 'static> Shown<T> for F {}

/// Follows the journal from a record on. Ends where the client goes away, or the service stops.
pub(in super::super) fn follow<T: Send + 'static>(counter: Counter, from: u64, shown: impl Shown<T>) -> ReceiverStream<Result<T, Status>> {
    let (send, receive) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let stop = counter.desk.stop.clone();
        let followed = tokio::select! {
            followed = go_on(counter, from, Arc::new(shown), &send) => followed,
            () = stop.cancelled() => Err(status::stopping()),
            () = send.closed() => return,
        };
        if let Err(status) = followed {
            let _ = send.send(Err(status)).await; // the client may have gone
        }
    });
    ReceiverStream::new(receive)
}

async fn go_on<T: Send + 'static>(
    counter: Counter,
    from: u64,
    shown: Arc<impl Shown<T>>,
    send: &mpsc::Sender<Result<T, Status>>,
) -> Result<(), Status> {
    let mut heads = counter.office.heads();
    let mut tail = Tail::before(from);
    loop {
        let committed = heads.borrow_and_update().sequence;
        while tail.next_sequence() <= committed {
            let store = counter.store().await?; // has every firm of these records
            let (theirs, shown) = (counter.clone(), Arc::clone(&shown));
            let held = Arc::clone(&store);
            let some = counter.desk.work(move |_| some(&theirs, &held, tail, committed, &*shown)).await?;
            let (on, answers) = some.map_err(|unread| counter.said(unread, &store))?;
            tail = on;
            for answer in answers {
                if send.send(Ok(answer)).await.is_err() {
                    return Ok(()); // the client has gone
                }
            }
        }
        if heads.changed().await.is_err() {
            return Err(status::stopping());
        }
    }
}

/// The answers of the next few records.
fn some<T>(counter: &Counter, store: &Store, mut tail: Tail, committed: u64, shown: &impl Shown<T>) -> Result<(Tail, Vec<T>), Unread> {
    let disk = Arc::clone(counter.office.journal());
    let (mut answers, mut bytes) = (Vec::new(), 0);
    for _ in 0..AT_A_TIME {
        let Some(line) = tail.next_line(&*disk, committed)? else { break };
        bytes += line.len();
        let entry = HistoryEntry::read(line)?;
        answers.extend(shown(counter, store, entry)?);
        if bytes > ENOUGH {
            break;
        }
    }
    Ok((tail, answers))
}

/// A record as a change of the watch list, where it speaks of a firm that the caller may see.
pub(super) fn changes(counter: &Counter, store: &Store, entry: HistoryEntry) -> Result<Vec<WatchResponse>, Unread> {
    let mut seen = false;
    for change in &entry.payload.changes {
        let file = store.file(change.firm)?;
        seen |= file.is_some_and(|file| counter.sees(&file));
    }
    let record = seen.then(|| counter.reader().record(entry));
    Ok(record.map(|record| WatchResponse { record: Some(record) }).into_iter().collect())
}
