//! Workers (工作线程): what takes a processor's time is done here, never on the threads that talk to clients.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use prometheus::IntGauge;
use tokio::sync::Semaphore;

use crate::telemetry::Held;

/// As many at a time as there are processors; the others wait in the order they came.
#[derive(Debug, Clone)]
pub struct Workers {
    free: Arc<Semaphore>,
    count: usize,
    waiting: Option<IntGauge>,
}

/// Whether the caller has gone, so that the work can stop.
#[derive(Debug, Clone, Default)]
pub struct Cancelled(Arc<AtomicBool>);

impl Cancelled {
    /// Whether to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The work panicked, or the runtime is going down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the worker failed")]
pub struct WorkerDied;

impl Workers {
    /// Workers whose queue `waiting` counts.
    #[must_use]
    pub fn new(waiting: &IntGauge) -> Self {
        Self::of(thread::available_parallelism().map_or(1, std::num::NonZero::get), waiting)
    }

    /// Workers whose queue nobody counts.
    #[must_use]
    pub fn uncounted() -> Self {
        let count = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { free: Arc::new(Semaphore::new(count)), count, waiting: None }
    }

    /// So many workers, whose queue `waiting` counts.
    #[must_use]
    pub fn of(workers: usize, waiting: &IntGauge) -> Self {
        Self { free: Arc::new(Semaphore::new(workers)), count: workers, waiting: Some(waiting.clone()) }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Does `work` on a thread of its own. Where the future is dropped before it ends, as it is at a deadline, the work
    /// is told so and should stop soon.
    ///
    /// # Errors
    /// [`WorkerDied`] where the work panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce(&Cancelled) -> T + Send + 'static) -> Result<T, WorkerDied> {
        let place = {
            let _waiting = self.waiting.as_ref().map(Held::new);
            Arc::clone(&self.free).acquire_owned().await.map_err(|_| WorkerDied)?
        };
        let cancelled = Cancelled::default();
        let seen = cancelled.clone();
        let _cancel = CancelOnDrop(cancelled);
        let done = tokio::task::spawn_blocking(move || {
            let _place = place; // kept until the work has ended, also where nobody waits for it any more
            work(&seen)
        });
        done.await.map_err(|_| WorkerDied)
    }
}

struct CancelOnDrop(Cancelled);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use prometheus::IntGauge;

    use super::{WorkerDied, Workers};

    fn workers() -> (Workers, IntGauge) {
        let waiting = IntGauge::new("waiting", "work").expect("a gauge");
        (Workers::new(&waiting), waiting)
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_told_to_stop() {
        let (stopped, wait) = mpsc::channel();
        let (workers, _) = workers();
        let work = workers.run(move |cancelled| {
            while !cancelled.is_cancelled() {
                std::thread::sleep(Duration::from_millis(1));
            }
            stopped.send(()).expect("the test waits");
        });
        assert!(tokio::time::timeout(Duration::from_millis(50), work).await.is_err());
        tokio::task::spawn_blocking(move || wait.recv_timeout(Duration::from_secs(60)).expect("the work goes on"))
            .await
            .expect("the work was told");
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_worker_is_free_again() {
        let (workers, waiting) = workers();
        for _ in 0..100 {
            let died = workers.run(|_| panic!("as a bug would")).await;
            assert_eq!(died, Err::<(), _>(WorkerDied));
        }
        assert_eq!(workers.run(|_| 7).await, Ok(7));
        assert_eq!(waiting.get(), 0);
    }
}
