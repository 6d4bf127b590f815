//! A run as it is ordered (排查任务): what decides what it writes, and how it is carried out, or gone on with. The command line
//! and the service carry out their orders here, so that both write the same bytes.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};

use super::{
    Checkpoint, Claim, Counts, Defaults, Delta, Fingerprint, Judge, Layout, Output, RescreenError, Rosters, Source,
    columns::{CHANGED, FLAGGED},
    finish::Finishing,
    output::{beside_of, sync_folder},
    pipeline::{Run, run},
    record::Recorder,
    roster::Meaning,
    source::Position,
    sum::add_all,
};
use crate::{
    day::{self, Date},
    jurisdiction::Region,
    register::Options,
    screen::{ENGINE_VERSION, Engine},
    sheet::{CsvOptions, Format},
    vocabulary::{EntityKind, Event},
};

/// What is to be re-screened, and how.
#[derive(Debug, Clone)]
pub struct Order {
    /// The registers, in this order.
    pub inputs: Vec<PathBuf>,
    /// Where the flagged firms go; its ending says the format.
    pub out: PathBuf,
    /// How the registers are read.
    pub reading: Options,
    /// How CSV is written.
    pub writing: CsvOptions,
    /// Where firms are registered whose place nothing tells.
    pub region: Region,
    /// What firms are whose kind nothing tells.
    pub kind: EntityKind,
    /// What is asked for.
    pub event: Event,
    /// The rosters that the registers are compared with.
    pub rosters: Vec<(PathBuf, Meaning)>,
    /// Most rows that the rosters may have together.
    pub roster_rows: usize,
    /// The name of the watch list on which firms are recorded, where they are.
    pub recorded: Option<String>,
    /// Whether the output takes the place of files that lie there.
    pub replaces: bool,
    /// Where firms must be, themselves or by a place above them: others are rejected. `None`: anywhere.
    pub within: Option<Vec<Region>>,
}

/// By what a run judges.
#[derive(Clone, Copy)]
pub struct Judging<'e> {
    /// The lists.
    pub engine: &'e Engine,
    /// What changes are measured against, where only they are wanted.
    pub delta: Option<&'e Delta<'e>>,
    /// The day as of which to judge.
    pub day: Date,
}

/// Whoever follows how far a run is.
pub trait Follow {
    /// Nothing is written so far, and will be from now on.
    ///
    /// # Errors
    /// Why nothing must be written: the run ends.
    fn begins(&mut self) -> Result<(), RescreenError> {
        Ok(())
    }
    /// The files in which it writes are made: they are this run's, which has this mark, and nobody else's.
    ///
    /// # Errors
    /// Why nothing more must be written: they go, and the run ends.
    fn begun(&mut self, _mark: &str) -> Result<(), RescreenError> {
        Ok(())
    }
    /// It begins, or goes on, behind these counts: `read` says how many bytes of the registers were read, of `size` where that
    /// is known.
    fn begin(&mut self, read: Arc<AtomicU64>, size: Option<u64>, counts: &Counts);
    /// So far it is.
    fn tell(&mut self, counts: &Counts, position: Position);
    /// So far it is on the disk.
    fn kept(&mut self, _counts: &Counts, _position: Position) {}
    /// Something is to be said about it, in a sentence.
    fn note(&mut self, _what: &str) {}
    /// It ends.
    fn end(&mut self);
}

/// Who does something about a run while it goes on.
pub struct Hands<'h> {
    /// Set when it is to stop before the end.
    pub stop: &'h AtomicBool,
    /// Whether it waits, where it is cut short, for what the checkpoint of all that it has written needs. Else it can be gone on with
    /// from its last one.
    pub waits: bool,
    /// How often to put on the disk how far it is.
    pub checkpoint_every: Duration,
    /// Whom to tell how far it is.
    pub follow: &'h mut dyn Follow,
    /// Who records the firms for the watch list, if anyone.
    pub recorder: Option<&'h mut dyn Recorder>,
}

/// What a run finds where it writes.
#[derive(Debug)]
pub enum Found {
    /// Nothing of another.
    Nothing,
    /// What an earlier run left, which is to be thrown away.
    Left(Claim),
    /// What an earlier run left, with its checkpoint, which is to be gone on with.
    Begun(Claim, Box<Checkpoint>),
}

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    /// Everything is in its place.
    Done {
        /// What became of the rows.
        counts: Box<Counts>,
        /// The checkpoint still lies there, for whoever must first note that all is done: then [`end`](Claim::end).
        claim: Claim,
    },
    /// It was stopped, and can be gone on with.
    Stopped {
        /// What became of the rows.
        counts: Box<Counts>,
        /// How many rows its checkpoint covers.
        kept: u64,
    },
}

impl Order {
    /// Re-screens; behind the checkpoint of an earlier run, where there is one.
    ///
    /// # Errors
    /// Where an input cannot be read, the output not be written, or a firm not be recorded; [`RescreenError::Changed`] where
    /// the checkpoint is of another run.
    pub fn carry_out(&self, judging: Judging<'_>, found: Found, hands: Hands<'_>) -> Result<Ended, RescreenError> {
        let Judging { engine, delta, day } = judging;
        self.spares_its_inputs()?;
        let format = Format::of(&self.out).map_err(RescreenError::output(&self.out))?;
        let layout = Layout { format, csv: self.writing, columns: if delta.is_some() { CHANGED } else { FLAGGED } };
        let rosters = self.rosters(engine)?;
        let mut source = Source::new(self.inputs.clone(), self.reading.clone());
        source.check()?;
        let fingerprint = self.fingerprint(judging, &source.sizes());
        let mut output = match found {
            Found::Nothing => self.begin(None, fingerprint, layout, hands.follow)?,
            Found::Left(claim) => self.begin(Some(claim), fingerprint, layout, hands.follow)?,
            Found::Begun(claim, earlier) => {
                match self.go_on((claim, *earlier), (&fingerprint, judging), (&mut source, hands.stop), layout)? {
                    Earlier::Ended(ended) => return Ok(ended),
                    Earlier::GoesOn(output) => *output,
                }
            }
        };
        let Hands { stop, waits, checkpoint_every, follow, recorder } = hands;
        if recorder.is_some() {
            output.checkpoint()?; // what is recorded from now on is known as this run's, wherever it is cut off
            sync_folder(&self.out).map_err(RescreenError::writing(&self.out))?; // by a power cut too
        }
        follow.begin(source.read(), source.sizes().into_iter().sum(), output.counts());
        let defaults = Defaults { day, event: self.event, region: self.region, kind: self.kind };
        let (within, keeps) = (self.within.as_deref(), recorder.is_some());
        let judge = || Judge::new(engine, delta, &rosters, defaults, layout).within(within).keeping(keeps);
        if !run(&mut source, &judge, &mut output, Run { stop, waits, checkpoint_every, follow, recorder })? {
            return Ok(Ended::Stopped { counts: Box::new(output.counts().clone()), kept: output.kept() });
        }
        let (counts, claim) = output.finish(day, engine.lists().divisions())?;
        Ok(Ended::Done { counts: Box::new(counts), claim })
    }

    /// Begins, over what an earlier run left, if one did.
    fn begin(
        &self,
        left: Option<Claim>,
        fingerprint: Fingerprint,
        layout: Layout,
        follow: &mut dyn Follow,
    ) -> Result<Output, RescreenError> {
        follow.begins()?;
        let mut output = Output::begin_over(&self.out, left, fingerprint, layout, self.replaces)?;
        let begun = follow.begun(output.ledger().run());
        if let Err(error) = begun {
            output.discard();
            return Err(error);
        }
        Ok(output)
    }

    /// Goes on where an earlier run was stopped.
    fn go_on(
        &self,
        (claim, mut earlier): (Claim, Checkpoint),
        (fingerprint, judging): (&Fingerprint, Judging<'_>),
        (source, stop): (&mut Source, &AtomicBool),
        layout: Layout,
    ) -> Result<Earlier, RescreenError> {
        if let Some(part) = fingerprint.difference(&earlier.fingerprint) {
            return Err(RescreenError::Changed(part.to_owned()));
        }
        if earlier.finished {
            let divisions = judging.engine.lists().divisions();
            Finishing { path: &self.out, layout, day: judging.day, divisions, replaces: self.replaces, claim: &claim }.finish(&earlier)?;
            return Ok(Earlier::Ended(Ended::Done { counts: Box::new(earlier.counts), claim }));
        }
        if !source.skip_to(earlier.position, earlier.whole, stop)? {
            let kept = earlier.counts.rows;
            return Ok(Earlier::Ended(Ended::Stopped { counts: Box::new(earlier.counts), kept }));
        }
        earlier.whole = earlier.whole.filter(|_| !earlier.position.is_beginning()); // else nothing was compared with it
        Ok(Earlier::GoesOn(Box::new(Output::resume(&self.out, (claim, earlier), layout, self.replaces)?)))
    }

    /// That nothing is read which is written too, whatever names and links lead there.
    fn spares_its_inputs(&self) -> Result<(), RescreenError> {
        let file = |path: &Path| fs::metadata(path).ok().map(|data| (data.dev(), data.ino()));
        let written: Vec<_> = beside_of(&self.out).into_iter().filter_map(|output| Some((file(&output)?, output))).collect();
        for input in self.inputs.iter().chain(self.rosters.iter().map(|(roster, _)| roster)) {
            let read = file(if input.as_os_str() == "-" { Path::new("/dev/stdin") } else { input });
            if let Some((_, output)) = written.iter().find(|(written, _)| Some(*written) == read) {
                return Err(RescreenError::OwnInput { input: input.clone(), output: output.clone() });
            }
        }
        Ok(())
    }

    fn rosters(&self, engine: &Engine) -> Result<Rosters, RescreenError> {
        let mut rosters = Rosters::of_at_most(self.roster_rows);
        for (roster, meaning) in &self.rosters {
            rosters.add(roster, *meaning, engine)?;
        }
        Ok(rosters)
    }

    fn fingerprint(&self, judging: Judging<'_>, sizes: &[Option<u64>]) -> Fingerprint {
        let Self { region, kind, event, reading, writing, .. } = self;
        let names = self.inputs.iter().map(|input| input.display().to_string());
        let read = |roster: &Path| {
            let mut crc = crc32fast::Hasher::new();
            let sum = File::open(roster).and_then(|file| add_all(&file, &mut crc, &AtomicBool::new(false)));
            sum.map_or(0, |_| crc.finalize())
        };
        let roster = |(roster, meaning): &(PathBuf, Meaning)| format!("{} {:08x} {meaning:?}", roster.display(), read(roster));
        let rosters = self.rosters.iter().map(roster).collect::<Vec<_>>().join(" ");
        let recorded = self.recorded.as_deref().unwrap_or_default(); // what another watch list was told, this one would lack
        let within = self.within.as_deref().unwrap_or_default();
        let since = judging.delta.map(|delta| delta.before().lists().hash());
        Fingerprint {
            engine: ENGINE_VERSION.to_owned(),
            lists: judging.engine.lists().hash().to_owned(),
            inputs: names.zip(sizes.iter().copied()).collect(),
            day: judging.day.to_string(),
            options: format!("{region} {kind:?} {event:?} {reading:?} {writing:?} {since:?} {rosters} {recorded} {within:?}"),
        }
    }
}

/// What an earlier run left.
enum Earlier {
    /// All was done but the tidying up; or it was stopped again before it went on.
    Ended(Ended),
    /// An output to go on with.
    GoesOn(Box<Output>),
}

/// The day of the run that a checkpoint is of.
#[must_use]
pub fn day_of(checkpoint: &Checkpoint) -> Option<Date> {
    day::parse(&checkpoint.fingerprint.day).ok()
}
