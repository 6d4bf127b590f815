//! What a run came to (结果), written down before it is said.

use std::sync::{PoisonError, atomic::Ordering};

use jiff::Timestamp;

use super::{
    Operations,
    operation::{Live, Operation},
    record::{Failure, Record, State},
};
use crate::{
    rescreen::{Counts, order::Ended},
    telemetry::labels::OperationEnd,
};

impl Operations {
    /// Writes down what a run came to.
    pub(super) fn settle(&self, operation: &Operation, outcome: Result<Ended, Failure>) {
        let _one = self.0.starting.lock().unwrap_or_else(PoisonError::into_inner); // a cancellation was written before, or comes too late
        let (record, now) = (operation.record(), Timestamp::now());
        let stopping = self.0.stopping.load(Ordering::Relaxed);
        let with = |state, counts: Counts| Record { counts, ..record.to(state, now) };
        match outcome {
            Ok(Ended::Done { counts, claim }) => {
                let written = self.folders().written(&record.asked);
                if self.end(operation, Record { written, ..with(State::Done, *counts) })
                    && let Err(error) = claim.end()
                {
                    tracing::warn!(operation = record.name(), %error, "the checkpoint of an operation cannot be removed");
                }
            }
            Ok(Ended::Stopped { counts, .. }) if record.cancelled => self.cancelled(operation, with(State::Cancelled, *counts)),
            Ok(Ended::Stopped { counts, .. }) => self.wait_again(operation, with(State::Queued, *counts)),
            // a recorder that waits says that it was stopped; what a run needs ends when the service does
            Err(_) if record.cancelled => self.cancelled(operation, with(State::Cancelled, self.left(&record))),
            Err(failure) if stopping => {
                tracing::warn!(operation = record.name(), kind = ?failure.kind, "an operation ended with the service: it will go on");
                self.wait_again(operation, record.to(State::Queued, now));
            }
            Err(failure) => {
                tracing::error!(operation = record.name(), kind = ?failure.kind, "an operation failed");
                let failed = with(State::Failed, self.left(&record));
                self.folders().discard(&record);
                let record = Record { failure: Some(failure), ..failed };
                self.end(operation, record);
            }
        }
    }

    /// What became of the rows by the last checkpoint.
    fn left(&self, record: &Record) -> Counts {
        self.folders().checkpoint(record).map_or_else(|| record.counts.clone(), |left| left.counts)
    }

    fn cancelled(&self, operation: &Operation, record: Record) {
        self.folders().discard(&record);
        self.end(operation, record);
    }

    fn wait_again(&self, operation: &Operation, record: Record) {
        self.keep(&record);
        operation.set(record);
    }

    /// Writes the end of an operation down, and says it; says whether it could be written.
    pub(super) fn end(&self, operation: &Operation, record: Record) -> bool {
        let kept = self.keep(&record);
        let live = operation.live();
        let rows = if record.state == State::Done { (&record.counts).into() } else { live.rows };
        operation.set_live(Live { rows, checkpoint: None, at: None, ..Live::clone(&live) });
        let seconds = record.started.map(|started| record.updated.duration_since(started).as_secs_f64());
        let how = match record.state {
            State::Done => OperationEnd::Done,
            State::Cancelled => OperationEnd::Cancelled,
            _ => OperationEnd::Failed,
        };
        self.0.runner.metrics.operation_ended(how, seconds);
        operation.set(record);
        kept
    }

    pub(super) fn keep(&self, record: &Record) -> bool {
        let written = self.0.store.write(record);
        if let Err(error) = &written {
            tracing::error!(operation = record.name(), %error, "the record of an operation cannot be written");
        }
        written.is_ok()
    }

    /// Forgets those that ended first, where too many have.
    pub(super) fn prune(&self) {
        let mut ended: Vec<_> = self.book().all.values().filter(|operation| operation.state().is_ended()).cloned().collect();
        ended.sort_by_key(|operation| operation.record().ended);
        for operation in ended.iter().take(ended.len().saturating_sub(self.0.settings.kept)) {
            if let Err(error) = self.delete(operation) {
                tracing::warn!(operation = operation.record().name(), %error, "an old operation cannot be forgotten");
            }
        }
    }
}
