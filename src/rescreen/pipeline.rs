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
    thread::{self, Scope, ScopedJoinHandle},
    time::{Duration, Instant},
};

use super::{
    Judge, Output, RescreenError, Source,
    judge::Judged,
    order::Follow,
    record::Recorder,
    source::{Job, Position, Whole},
};
use crate::{register::Spare, sheet::SheetError};

/// What became of a piece, and how far the registers are read behind it.
type Outcome = Result<(Judged, Position), SheetError>;
/// A piece and where its outcome goes.
type Task = (Job, SyncSender<Outcome>);

/// How a run goes.
pub struct Run<'r> {
    /// Set when it is to stop before the end.
    pub stop: &'r AtomicBool,
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
/// checkpoint; where writing failed, what was written until the last one.
pub fn run<'e>(
    source: &mut Source,
    judge: &(dyn Fn() -> Judge<'e> + Sync),
    output: &mut Output,
    mut how: Run<'_>,
) -> Result<bool, RescreenError> {
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let (tasks, taken) = sync_channel::<Task>(workers);
    let (places, outcomes) = sync_channel::<Receiver<Outcome>>(2 * workers);
    let (taken, stop) = (&Mutex::new(taken), how.stop);
    let spare = Spare::default();
    let unsummed = source.unsummed().filter(|_| output.whole().is_none());
    let ended = thread::scope(|scope| {
        let mut sum = Sum { scope, unsummed, going: None };
        for _ in 0..workers {
            scope.spawn(|| work(taken, judge(), &spare));
        }
        let reader = scope.spawn(move || read(source, &tasks, &places, stop));
        let written = write(outcomes, output, &mut how, (&mut sum, &spare));
        let read = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let ended = written.and(read);
        let summed = if is_last(&ended) { Ok(()) } else { sum.wait(output) };
        ended.and_then(|ended| summed.map(|()| ended))
    });
    how.follow.end();
    if !is_last(&ended) {
        output.checkpoint()?;
    }
    ended
}

/// Whether no checkpoint follows here: behind the end comes the last one of all, and what could not be written has none.
const fn is_last(ended: &Result<bool, RescreenError>) -> bool {
    matches!(ended, Ok(true) | Err(RescreenError::Output { .. }))
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

/// The sum of all registers, which every checkpoint must have but that of the end. They are read for it beside the run, when the
/// first checkpoint draws near, so that a short run reads them once.
struct Sum<'s, 'e> {
    scope: &'s Scope<'s, 'e>,
    unsummed: Option<Whole>,
    going: Option<ScopedJoinHandle<'s, Result<u32, RescreenError>>>,
}

impl Sum<'_, '_> {
    /// Begins, if it has not begun.
    fn begin(&mut self) {
        if let Some(whole) = self.unsummed.take() {
            self.going = Some(self.scope.spawn(move || whole.sum()));
        }
    }

    /// Waits until the sum is there.
    fn wait(&mut self, output: &mut Output) -> Result<(), RescreenError> {
        self.begin();
        if let Some(going) = self.going.take() {
            *output.whole() = Some(going.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(())
    }
}

/// Writes the outcomes in order.
fn write(
    outcomes: Receiver<Receiver<Outcome>>,
    output: &mut Output,
    how: &mut Run<'_>,
    (sum, spare): (&mut Sum<'_, '_>, &Spare),
) -> Result<(), RescreenError> {
    let mut kept = Instant::now();
    for place in outcomes {
        let Ok(outcome) = place.recv() else { break }; // its worker panicked, which the scope passes on
        let (mut judged, position) = outcome.map_err(|error| output.failed(error))?;
        if let Some(recorder) = how.recorder.as_deref_mut() {
            // before it is written: what a checkpoint covers is on the watch list
            let tally = recorder.record(std::mem::take(&mut judged.watched), output.ledger())?;
            judged.counts.recorded += tally.recorded;
            judged.counts.known += tally.known;
        }
        output.write(&judged, position)?;
        spare.give(judged.flagged);
        how.follow.tell(output.counts(), output.position());
        if kept.elapsed() >= how.checkpoint_every / 2 {
            sum.begin();
        }
        if kept.elapsed() >= how.checkpoint_every {
            sum.wait(output)?;
            output.checkpoint()?;
            how.follow.kept(output.counts(), output.position());
            kept = Instant::now();
        }
    }
    Ok(())
}
