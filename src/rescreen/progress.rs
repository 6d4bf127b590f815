//! Progress (进度): a bar on a terminal, a line now and then elsewhere, both on standard error.

use std::{
    io::{IsTerminal, stderr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};

use super::{Counts, order::Follow, source::Position};

/// How often a line is written where there is no terminal.
const EVERY: Duration = Duration::from_secs(10);

/// Shows how far a run is.
pub struct Progress {
    bar: Option<ProgressBar>,
    read: Arc<AtomicU64>,
    size: Option<u64>,
    begun: Instant,
    told: Instant,
    /// What an earlier run has done that this one goes on with.
    before: Done,
}

/// So many rows of so many bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    rows: u64,
    bytes: u64,
}

impl Progress {
    /// Shows how many of `size` bytes are `read`, behind so many rows of an earlier run.
    #[must_use]
    pub fn new(read: Arc<AtomicU64>, size: Option<u64>, rows: u64) -> Self {
        let before = Done { rows, bytes: read.load(Ordering::Relaxed) };
        let bar = stderr().is_terminal().then(|| match size {
            Some(size) => ProgressBar::new(size).with_style(style("{wide_bar} {percent:>3} %  {msg}  {eta} left")),
            None => ProgressBar::new_spinner().with_style(style("{spinner} {msg}  {elapsed}")),
        });
        if let Some(bar) = &bar {
            bar.set_position(before.bytes);
            bar.reset_eta(); // what was read before took none of this run's time
        }
        let now = Instant::now();
        Self { bar, read, size, begun: now, told: now, before }
    }

    /// Says how many rows are done.
    fn show(&mut self, rows: u64) {
        let now = Instant::now();
        if let Some(bar) = &self.bar {
            let done = self.done(rows);
            bar.set_position(done.bytes);
            bar.set_message(said(self.before, done, now - self.begun));
        } else if let Some(line) = self.line(rows, now) {
            anstream::eprintln!("{line}");
        }
    }

    /// The line for where there is no terminal, when it is time for one.
    fn line(&mut self, rows: u64, now: Instant) -> Option<String> {
        if now - self.told < EVERY {
            return None;
        }
        self.told = now;
        let (done, since) = (self.done(rows), now - self.begun);
        let left = self.size.and_then(|size| left(self.before, done, size, since));
        Some(format!("mingcha: {}{}", said(self.before, done, since), left.unwrap_or_default()))
    }

    fn done(&self, rows: u64) -> Done {
        Done { rows, bytes: self.read.load(Ordering::Relaxed) }
    }
}

/// How many rows are done, and how many in a second since `before`.
fn said(before: Done, done: Done, since: Duration) -> String {
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a rate for people
    let rate = (done.rows.saturating_sub(before.rows) as f64 / since.as_secs_f64().max(0.001)) as u64;
    format!("{} rows, {} a second", HumanCount(done.rows), HumanCount(rate))
}

/// How much of `size` bytes is done, and how long the rest will take as fast as it went since `before`.
fn left(before: Done, done: Done, size: u64, since: Duration) -> Option<String> {
    let read = done.bytes.checked_sub(before.bytes).filter(|read| *read > 0)?;
    #[allow(clippy::cast_precision_loss)] // a time for people
    let left = since.as_secs_f64() * size.saturating_sub(done.bytes) as f64 / read as f64;
    let left = HumanDuration(Duration::try_from_secs_f64(left).ok()?);
    Some(format!(", {} %, {left} left", done.bytes.saturating_mul(100) / size.max(1)))
}

impl Default for Progress {
    fn default() -> Self {
        Self::new(Arc::default(), None, 0)
    }
}

impl Follow for Progress {
    fn begin(&mut self, read: Arc<AtomicU64>, size: Option<u64>, counts: &Counts) {
        *self = Self::new(read, size, counts.rows);
    }

    fn tell(&mut self, counts: &Counts, _: Position) {
        self.show(counts.rows);
    }

    fn note(&mut self, what: &str) {
        let say = || anstream::eprintln!("mingcha: {what}");
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    fn end(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_every_ten_seconds_with_what_is_left() {
        let (read, counts) = (Arc::new(AtomicU64::new(0)), Counts::default());
        let mut progress = Progress::default();
        progress.begin(Arc::clone(&read), Some(1000), &counts);
        let begun = progress.begun;
        let mut line = |rows, bytes, seconds| {
            read.store(bytes, Ordering::Relaxed);
            progress.line(rows, begun + Duration::from_secs(seconds))
        };
        assert_eq!(line(100, 20, 9), None);
        assert_eq!(line(6_000, 250, 60).as_deref(), Some("mingcha: 6,000 rows, 100 a second, 25 %, 3 minutes left"));
        assert_eq!(line(6_500, 260, 69), None);
        assert_eq!(line(24_000, 1200, 80).as_deref(), Some("mingcha: 24,000 rows, 300 a second, 120 %, 0 seconds left")); // it grew
        progress.begin(Arc::default(), None, &counts);
        let later = progress.begun + EVERY;
        assert_eq!(progress.line(50, later).as_deref(), Some("mingcha: 50 rows, 5 a second")); // of a stream
    }

    #[test]
    fn what_an_earlier_run_has_read_took_none_of_this_ones_time() {
        let read = Arc::new(AtomicU64::new(500));
        let mut progress = Progress::default();
        progress.begin(Arc::clone(&read), Some(1000), &Counts { rows: 12_000, ..Counts::default() });
        let minute = progress.begun + Duration::from_secs(60);
        assert_eq!(progress.line(12_000, minute).as_deref(), Some("mingcha: 12,000 rows, 0 a second")); // it has read nothing yet
        read.store(750, Ordering::Relaxed);
        let line = progress.line(18_000, minute + Duration::from_secs(60));
        assert_eq!(line.as_deref(), Some("mingcha: 18,000 rows, 50 a second, 75 %, 2 minutes left"));
    }
}
