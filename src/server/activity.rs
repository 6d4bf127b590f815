//! What goes on on a connection (活动): whether a call was ever made, and how long there has been none.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// See the module.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Calls whose answers are not sent in full.
    calls: usize,
    heard: bool,
    /// When the last call ended.
    since: Instant,
}

/// A call; dropped when its answer has been sent, or will not be.
#[derive(Debug)]
pub(super) struct Busy(Arc<Activity>);

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { calls: 0, heard: false, since: Instant::now() })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner) // every change is whole
    }

    /// A call begins.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        let mut state = self.lock();
        state.heard = true;
        state.calls += 1;
        Busy(Arc::clone(self))
    }

    /// Whether there ever was a call.
    pub(super) fn heard(&self) -> bool {
        self.lock().heard
    }

    /// How long it has been since the last call ended; nothing while one goes on, or before the first.
    pub(super) fn idle(&self) -> Duration {
        let state = self.lock();
        if state.calls > 0 || !state.heard { Duration::ZERO } else { state.since.elapsed() }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.calls -= 1;
        state.since = Instant::now();
    }
}
