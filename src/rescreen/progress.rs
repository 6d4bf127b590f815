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
    /// Rows of an earlier run that this one goes on with.
    before: u64,
}

impl Progress {
    /// Shows how many of `size` bytes are `read`.
    #[must_use]
    pub fn new(read: Arc<AtomicU64>, size: Option<u64>, before: u64) -> Self {
        let bar = stderr().is_terminal().then(|| match size {
            Some(size) => ProgressBar::new(size).with_style(style("{wide_bar} {percent:>3} %  {msg}  {eta} left")),
            None => ProgressBar::new_spinner().with_style(style("{spinner} {msg}  {elapsed}")),
        });
        let now = Instant::now();
        Self { bar, read, size, begun: now, told: now, before }
    }

    /// Says how many rows are done.
    fn show(&mut self, rows: u64) {
        let now = Instant::now();
        if self.bar.is_none() && now - self.told < EVERY {
            return;
        }
        let seconds = (now - self.begun).as_secs_f64().max(0.001);
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a rate for people
        let rate = ((rows - self.before) as f64 / seconds) as u64;
        let said = format!("{} rows, {} a second", HumanCount(rows), HumanCount(rate));
        let read = self.read.load(Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.set_position(read);
            bar.set_message(said);
            return;
        }
        self.told = now;
        let left = self.size.filter(|_| read > 0).map(|size| {
            #[allow(clippy::cast_precision_loss)] // a time for people
            let left = seconds * size.saturating_sub(read) as f64 / read as f64;
            format!(", {} %, {} left", read * 100 / size.max(1), HumanDuration(Duration::from_secs_f64(left)))
        });
        anstream::eprintln!("mingcha: {said}{}", left.unwrap_or_default());
    }
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

    fn end(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
