//! `mingcha.v1.JournalService`.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{counter::Counter, desk::Desk, status};
use crate::{
    journal::{Head, disk::Disk, reader},
    jurisdiction::Region,
    wire::{
        v1::{BackupRequest, BackupResponse, GetHeadRequest, GetHeadResponse, journal_service_server::JournalService},
        watch as write,
    },
};

/// How much of a file is sent at a time, in bytes.
const PIECE: usize = 256 << 10;

/// Answers calls about the journal.
#[derive(Debug)]
pub struct Journals {
    desk: Desk,
}

impl Journals {
    /// A service over the office of `desk`.
    #[must_use]
    pub fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl JournalService for Journals {
    type BackupStream = ReceiverStream<Result<BackupResponse, Status>>;

    async fn get_head(&self, request: Request<GetHeadRequest>) -> Result<Response<GetHeadResponse>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        Ok(Response::new(GetHeadResponse { head: Some(write::head(counter.office.head())) }))
    }

    async fn backup(&self, request: Request<BackupRequest>) -> Result<Response<Self::BackupStream>, Status> {
        let counter = Counter::open(&self.desk, &request)?;
        counter.reaches(Region::NATION)?; // it holds every firm, and every informant
        let (send, receive) = mpsc::channel(4);
        let stop = self.desk.stop.clone();
        tokio::task::spawn_blocking(move || {
            let sending = Sending { send, stopped: &|| stop.is_cancelled() };
            let sent = sending.all(counter.office.head(), &**counter.office.journal(), counter.office.data());
            if let Err(error) = sent {
                let _ = sending.send.blocking_send(Err(error)); // the client may have gone
            }
        });
        Ok(Response::new(ReceiverStream::new(receive)))
    }
}

/// A backup that is being sent.
struct Sending<'s> {
    send: mpsc::Sender<Result<BackupResponse, Status>>,
    stopped: &'s dyn Fn() -> bool,
}

impl Sending<'_> {
    /// The versions of the lists first: whatever the journal rests on is then there.
    fn all(&self, head: Head, journal: &dyn Disk, data: &Path) -> Result<(), Status> {
        let unreadable = |error: io::Error| Status::unavailable(format!("the backup cannot be read: {error}"));
        for path in files(data, Path::new("lists")).map_err(unreadable)? {
            let file = std::fs::File::open(data.join(&path)).map_err(unreadable)?;
            self.file(&path.to_string_lossy(), file, &mut |_| true).map_err(unreadable)?;
        }
        let segments = reader::segments(journal).map_err(|error| status::office(&error.into()))?;
        let mut left = head.sequence; // lines, one a record
        for name in segments {
            let file = journal.read(&name, 0).map_err(unreadable)?;
            self.file(&format!("journal/{name}"), file, &mut |piece| up_to_line(piece, &mut left)).map_err(unreadable)?;
        }
        self.piece(BackupResponse { head: Some(write::head(head)), ..BackupResponse::default() }).map_err(unreadable)
    }

    /// A file, piece by piece, as long as `keep` says that more of it is wanted.
    fn file(&self, path: &str, mut file: impl Read, keep: &mut dyn FnMut(&mut Vec<u8>) -> bool) -> io::Result<()> {
        loop {
            let mut content = Vec::with_capacity(PIECE);
            file.by_ref().take(PIECE as u64).read_to_end(&mut content)?;
            let more = !content.is_empty() && keep(&mut content);
            if !content.is_empty() {
                self.piece(BackupResponse { path: path.to_owned(), content, head: None })?;
            }
            if !more {
                return Ok(());
            }
        }
    }

    fn piece(&self, piece: BackupResponse) -> io::Result<()> {
        if (self.stopped)() {
            return Err(io::Error::other("the service is stopping"));
        }
        self.send.blocking_send(Ok(piece)).map_err(|_| io::Error::other("the client has gone"))
    }
}

/// Cuts a piece behind the last line that is wanted; says whether more are.
fn up_to_line(piece: &mut Vec<u8>, left: &mut u64) -> bool {
    for at in memchr::memchr_iter(b'\n', piece) {
        if *left == 0 {
            break;
        }
        *left -= 1;
        if *left == 0 {
            piece.truncate(at + 1);
            return false;
        }
    }
    if *left == 0 {
        piece.clear();
    }
    *left > 0
}

/// Every file of a folder, relative to `root`, sorted.
fn files(root: &Path, folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(root.join(folder)) else { return Ok(found) }; // none were kept
    for entry in entries {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() { found.extend(files(root, &path)?) } else { found.push(path) }
    }
    found.sort();
    Ok(found)
}
