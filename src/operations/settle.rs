//! What a run came to (结果), written down before it is said.

use std::sync::{PoisonError, atomic::Ordering};

use jiff::Timestamp;

use super::{
    Operations,
    operation::{Live, Operation},
    record::{Failure, FailureKind, Record, State},
};
use crate::{
    rescreen::{Counts, order::Ended, output::tidy},
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
            Ok(Ended::Done(counts)) => {
                let output = self.folders().output(&record.asked);
                if self.end(operation, with(State::Done, *counts))
                    && let Err(error) = output.map_or(Ok(()), |output| tidy(&output))
                {
                    tracing::warn!(operation = record.name(), %error, "the checkpoint of an operation cannot be removed");
                }
            }
            Ok(Ended::Stopped(counts)) if record.cancelled => {
                self.folders().discard(&record.asked);
                self.end(operation, with(State::Cancelled, *counts));
            }
            Ok(Ended::Stopped(counts)) => self.wait_again(operation, with(State::Queued, *counts)),
            // the watch list closes when the service does
            Err(Failure { kind: FailureKind::Unrecorded, .. }) if stopping => self.wait_again(operation, record.to(State::Queued, now)),
            Err(failure) => {
                tracing::error!(operation = record.name(), kind = ?failure.kind, "an operation failed");
                let left = self.folders().checkpoint(&record.asked).map_or_else(|| record.counts.clone(), |left| left.counts);
                self.folders().discard(&record.asked);
                let record = Record { failure: Some(failure), ..with(State::Failed, left) };
                self.end(operation, record);
            }
        }
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

    /// Forgets the oldest of those that have ended, where they are too many.
    pub(super) fn prune(&self) {
        let ended: Vec<_> = self.book().all.values().filter(|operation| operation.state().is_ended()).cloned().collect();
        for operation in ended.iter().take(ended.len().saturating_sub(self.0.settings.kept)) {
            if let Err(error) = self.delete(operation) {
                tracing::warn!(operation = operation.record().name(), %error, "an old operation cannot be forgotten");
            }
        }
    }
}
