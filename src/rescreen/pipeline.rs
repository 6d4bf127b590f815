//! The pipeline (流水线): one reads, many judge, one writes in order.
//!
//! With each piece goes the place where its result will be; these places stand in a queue in the order of the register. The
//! queue is short: where judging is slow the reader waits, and memory stays flat.

use std::{
    num::NonZero,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    Judge, Output, RescreenError, Source, is_of_the_content,
    judge::Judged,
    order::Follow,
    record::Recorder,
    source::{Job, Position},
    sum::{Sum, Summed},
};
use crate::{register::Spare, sheet::SheetError};

/// What became of a piece, and how far the registers are read behind it.
type Outcome = Result<(Judged, Position), SheetError>;
/// A piece and where its outcome goes.
type Task = (Job, SyncSender<Outcome>);

/// Makes a judge for whoever judges.
type Judging<'j, 'e> = dyn Fn() -> Judge<'e> + Sync + 'j;

/// How a run goes.
pub struct Run<'r> {
    /// Set when it is to stop before the end.
    pub stop: &'r AtomicBool,
    /// Whether it waits, where it is cut short, for what the checkpoint of all that it has written needs.
    pub waits: bool,
    /// How often to put on the disk how far it is.
    pub checkpoint_every: Duration,
    /// Whom to tell how far it is.
    pub follow: &'r mut dyn Follow,
    /// Who records the firms for the watch list, if anyone; the judges must keep these.
    pub recorder: Option<&'r mut dyn Recorder>,
}

/// Judges everything that the source has left, or until told to stop; says whether it came to the end. `judge` makes a judge
/// for each worker.
///
/// # Errors
/// Where an input cannot be read, the output not be written, or a firm not be recorded. What was written until then has a
/// checkpoint, where one waits for it; where writing failed, what was written until the last one.
pub fn run(source: &mut Source, judge: &Judging<'_, '_>, output: &mut Output, how: Run<'_>) -> Result<bool, RescreenError> {
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let unsummed = source.unsummed().filter(|_| output.whole().is_none());
    run_by(workers, source, judge, Writer { output, how, sum: Sum::of(unsummed), spare: &Spare::default(), clock: Instant::now })
}

/// The same with so many workers at most, and this writer.
fn run_by(workers: usize, source: &mut Source, judge: &Judging<'_, '_>, mut writer: Writer<'_, '_>) -> Result<bool, RescreenError> {
    let ended = match on_threads(workers, source, judge, &mut writer) {
        Some(ended) => ended,
        None => here(source, judge(), &mut writer),
    };
    let kept = if is_last(&ended) { Ok(()) } else { writer.keep_all(ended.as_ref().err()) };
    writer.how.follow.end();
    ended.and_then(|end| kept.map(|()| end)) // why it ended comes first
}

/// Reads on a thread of its own and judges on others, at most so many; none where there are no threads to be had.
fn on_threads(
    workers: usize,
    source: &mut Source,
    judge: &Judging<'_, '_>,
    writer: &mut Writer<'_, '_>,
) -> Option<Result<bool, RescreenError>> {
    let (tasks, taken) = sync_channel::<Task>(workers);
    let (places, outcomes) = sync_channel::<Receiver<Outcome>>(2 * workers);
    let (taken, stop, spare) = (&Mutex::new(taken), writer.how.stop, writer.spare);
    thread::scope(|scope| {
        let worker = || thread::Builder::new().spawn_scoped(scope, || work(taken, judge(), spare));
        if (0..workers).map_while(|_| worker().ok()).count() == 0 {
            return None;
        }
        let reader = thread::Builder::new().spawn_scoped(scope, move || read(source, &tasks, &places, stop)).ok()?;
        // where a worker panicked there is no outcome, and the scope passes it on
        let written = writer.write(outcomes.into_iter().map_while(|place| place.recv().ok()));
        let read = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Some(written.and(read))
    })
}

/// Reads, judges and writes on this thread alone.
fn here(source: &mut Source, mut judge: Judge<'_>, writer: &mut Writer<'_, '_>) -> Result<bool, RescreenError> {
    let (stop, spare, mut read) = (writer.how.stop, writer.spare, Ok(false));
    let outcomes = std::iter::from_fn(|| {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        match source.next_job() {
            Ok(Some(job)) => return Some(judge.judge(&job, spare.take()).map(|judged| (judged, job.position))),
            Ok(None) => read = Ok(true),
            Err(error) => read = Err(error),
        }
        None
    });
    writer.write(outcomes).and(read)
}

/// Whether no checkpoint follows here: behind the end comes the last one of all, and what could not be written, or is another's, has
/// none.
const fn is_last(ended: &Result<bool, RescreenError>) -> bool {
    matches!(ended, Ok(true) | Err(RescreenError::Output { .. } | RescreenError::Lost(_)))
}

/// Hands out pieces; says whether it came to the end.
fn read(
    source: &mut Source,
    tasks: &SyncSender<Task>,
    places: &SyncSender<Receiver<Outcome>>,
    stop: &AtomicBool,
) -> Result<bool, RescreenError> {
    while !stop.load(Ordering::Relaxed) {
        let Some(job) = source.next_job()? else { return Ok(true) };
        let (outcome, place) = sync_channel(1);
        if places.send(place).is_err() || tasks.send((job, outcome)).is_err() {
            return Ok(false); // writing or recording failed, and says so itself
        }
    }
    Ok(false)
}

fn work(taken: &Mutex<Receiver<Task>>, mut judge: Judge<'_>, spare: &Spare) {
    loop {
        let task = taken.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((job, outcome)) = task else { return };
        let judged = judge.judge(&job, spare.take()).map(|judged| (judged, job.position));
        let _ = outcome.send(judged); // nobody waits for it where writing or recording failed
    }
}

/// What writes the outcomes, in their order.
struct Writer<'w, 'r> {
    output: &'w mut Output,
    how: Run<'r>,
    sum: Sum,
    spare: &'w Spare,
    clock: fn() -> Instant,
}

impl Writer<'_, '_> {
    fn write(&mut self, outcomes: impl Iterator<Item = Outcome>) -> Result<(), RescreenError> {
        let mut kept = (self.clock)();
        for outcome in outcomes {
            let (mut judged, position) = outcome.map_err(|error| self.output.failed(error))?;
            if let Some(recorder) = self.how.recorder.as_deref_mut() {
                // before it is written: what a checkpoint covers is on the watch list
                let tally = recorder.record(std::mem::take(&mut judged.watched), self.output.ledger())?;
                judged.counts.recorded += tally.recorded;
                judged.counts.known += tally.known;
            }
            self.output.write(&judged, position)?;
            self.spare.give(judged.flagged);
            self.how.follow.tell(self.output.counts(), self.output.position());
            let since = (self.clock)() - kept;
            if since >= self.how.checkpoint_every / 2 {
                self.sum.begin(); // in a short run it never does
            }
            if since >= self.how.checkpoint_every && self.has_sum() {
                self.output.checkpoint()?;
                self.how.follow.kept(self.output.counts(), self.output.position());
                kept = (self.clock)();
            }
        }
        Ok(())
    }

    /// Whether the sum is there without which there is no checkpoint. It is not waited for: others write meanwhile.
    fn has_sum(&mut self) -> bool {
        let summed = self.sum.look();
        self.take(summed)
    }

    fn take(&mut self, summed: Summed) -> bool {
        match summed {
            Ok(None) => {}
            Ok(whole) => *self.output.whole() = whole,
            Err(error) => self.how.follow.note(&format!("{error}: this run can be gone on with from its last checkpoint only")),
        }
        self.output.whole().is_some()
    }

    /// Puts on the disk how far it is, where a run is cut short, or fails for this reason.
    fn keep_all(&mut self, failed: Option<&RescreenError>) -> Result<(), RescreenError> {
        // what is wrong in an input cannot be mended without changing it, and then nobody goes on
        let waits = self.how.waits && !matches!(failed, Some(RescreenError::Input { error, .. }) if is_of_the_content(error));
        if !self.has_sum() && waits && self.sum.is_open() && !self.output.position().is_beginning() {
            let stopped = self.how.stop.load(Ordering::Relaxed);
            if let Some(error) = failed {
                self.how.follow.note(&error.to_string()); // it may take long until the run ends and says so
            }
            self.how.follow.note("the inputs are read to their ends for the checkpoint; Ctrl-C leaves an earlier one");
            let summed = self.sum.wait(|| !stopped && self.how.stop.load(Ordering::Relaxed));
            self.take(summed);
        }
        self.output.checkpoint()
    }
}

#[cfg(test)]
mod tests;
