//! The warden (看护): sees to it that nobody waits in vain where the disk fails.
//!
//! Where sled cannot write in the background, it remembers the error but does not always wake who waits for the write,
//! and in sled whoever waits holds up every other map of the process. It wakes them when it is asked to flush afterwards.

use std::{
    sync::mpsc::{self, RecvTimeoutError, SyncSender},
    thread::{self, JoinHandle},
    time::Duration,
};

/// How often it looks.
const OFTEN: Duration = Duration::from_millis(10);

/// See the module. Works until it is dropped.
#[derive(Debug)]
pub(super) struct Warden {
    leave: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Warden {
    /// Over a map, and the settings that it was opened with.
    pub(super) fn over(db: ::sled::Db, config: ::sled::Config) -> Self {
        let (leave, left) = mpsc::sync_channel(0);
        let thread = thread::spawn(move || {
            while left.recv_timeout(OFTEN) == Err(RecvTimeoutError::Timeout) {
                if config.global_error().is_err() {
                    let _ = db.flush(); // it fails at once, and says so to all who wait
                }
            }
        });
        Self { leave: Some(leave), thread: Some(thread) }
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        self.leave = None;
        let _ = self.thread.take().map(JoinHandle::join); // it does not panic
    }
}
