//! Anchoring (锚定): signed heads of the journal, kept where whoever rewrites the journal does not reach.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::journal::{
    Head,
    anchor::{AnchorError, Signer},
};

/// A file that signed heads are added to.
#[derive(Debug)]
pub struct Anchors {
    signer: Signer,
    file: PathBuf,
}

impl Anchors {
    /// Anchors in `file`, signed with the key of the folder `key`, which is made where there is none.
    ///
    /// # Errors
    /// [`AnchorError`] where the key or the file cannot be used.
    pub fn open(file: &Path, key: &Path) -> Result<Self, AnchorError> {
        let anchors = Self { signer: Signer::open(key)?, file: file.to_path_buf() };
        anchors.at_end()?; // can it be written?
        Ok(anchors)
    }

    fn at_end(&self) -> io::Result<File> {
        OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.file)
    }

    /// Adds a head, and returns when it is on the disk.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn add(&self, head: Head, at: Timestamp) -> io::Result<()> {
        let mut file = self.at_end()?;
        let unfinished = file.seek(SeekFrom::End(-1)).is_ok() && {
            let mut last = [0];
            file.read_exact(&mut last)?;
            last != *b"\n"
        };
        let line = self.signer.line(head, at);
        file.write_all(if unfinished { format!("\n{line}") } else { line }.as_bytes())?; // one write
        file.sync_data()
    }

    /// Adds the head every so often where it has changed, and once more at the end.
    pub async fn follow(self, heads: watch::Receiver<Head>, every: Duration, stop: CancellationToken) {
        let anchors = Arc::new(self);
        let mut last = Head::default();
        loop {
            let stopped = stop.run_until_cancelled(sleep(every)).await.is_none();
            let head = *heads.borrow();
            if head != last {
                last = head;
                let anchors = Arc::clone(&anchors);
                let added = tokio::task::spawn_blocking(move || anchors.add(head, Timestamp::now())).await;
                if let Ok(Err(error)) = added {
                    tracing::error!(%error, "the head of the journal could not be anchored");
                    last = Head::default(); // it is tried again
                }
            }
            if stopped {
                return;
            }
        }
    }
}
