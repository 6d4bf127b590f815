//! `mingcha rescreen`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    thread,
    time::Duration,
};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    CUT_OFF, IO_FAILED, Lists, bad_use,
    reading::{Reading, encoding},
    record::{Place, Recording, WatchList},
    screen::value,
    told::Told,
};
use crate::{
    clock::today,
    day, embedded,
    encoding::Encoding,
    jurisdiction::Region,
    library::versions::Versions,
    problem::Problems,
    register::OpenError,
    rescreen::{
        Claim, Counts, Delta, Order, RescreenError,
        order::{Ended, Found, Hands, Judging, day_of},
        output::checkpoint_of,
        progress::Progress,
        record::Recorder,
        roster::Meaning,
    },
    screen::Engine,
    sheet::CsvOptions,
    vocabulary::Event,
    wordlist::Files,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Registers: CSV, TSV, JSON lines (also compressed by gzip or zstd), XLSX, Parquet; - is standard input.
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Where the flagged firms go, in input order: .xlsx, .csv, .jsonl or .parquet. Bad rows go to OUT.rejects.csv.
    #[arg(long, value_name = "OUT")]
    out: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// establish, change, move-in or existing.
    #[arg(long, value_name = "EVENT", default_value = "existing", value_parser = value::<Event>)]
    event: Event,
    /// The day as of which to judge [default: today in UTC+8; with --resume that of the run].
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<day::Date>,
    /// The encoding of CSV that is written: utf-8 or gb18030.
    #[arg(long, value_name = "ENCODING", default_value = "utf-8", value_parser = encoding)]
    out_encoding: Encoding,
    /// Leave cells of CSV that begin with = + - @ as they are. A spreadsheet takes them for formulas.
    #[arg(long)]
    raw: bool,
    /// A roster that the register is compared with (名单比对), by code or name; with --as for each, in the same order.
    #[arg(long = "roster", value_name = "FILE", requires = "meanings")]
    rosters: Vec<PathBuf>,
    /// What a roster means: licensed or licensed:KIND (exempt within the kind until the last day), complaint, industry (noted).
    #[arg(long = "as", id = "meanings", value_name = "MEANING", value_parser = Meaning::parse, requires = "rosters")]
    meanings: Vec<Meaning>,
    /// Only the firms whose decision changed since the lists of this hash; they are kept in the folder of --data.
    #[arg(long, value_name = "LISTS_HASH", requires = "data", conflicts_with = "from_lists")]
    since: Option<String>,
    /// The service's data folder, where it keeps every version of the lists; with --record see there.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Only the firms whose decision changes from the lists of this folder.
    #[arg(long, value_name = "DIR")]
    from_lists: Option<PathBuf>,
    /// … to those of this folder [default: the lists at hand].
    #[arg(long, value_name = "DIR", requires = "from_lists")]
    to_lists: Option<PathBuf>,
    /// Go on with a run that was stopped.
    #[arg(long, conflicts_with = "restart")]
    resume: bool,
    /// Throw away what a run has done that was stopped.
    #[arg(long)]
    restart: bool,
    /// How often to put on the disk how far the run is, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    checkpoint_every: u64,
    #[command(flatten)]
    recording: Recording,
}

impl Arguments {
    pub(super) fn run(self, lists: &Lists) -> anyhow::Result<ExitCode> {
        if self.rosters.len() != self.meanings.len() {
            return Ok(bad_use(&"each --roster needs its --as"));
        }
        if self.recording.record && self.event != Event::Existing {
            return Ok(bad_use(&"--record records firms that are on the register: --event existing"));
        }
        if let Some(Place::Folder(data)) = self.recording.place(self.data.as_deref())
            && !data.is_dir()
        {
            return Ok(bad_use(&format!("--data: {} is no folder", data.display())));
        }
        let (before, after) = match self.versions(lists) {
            Ok(versions) => versions,
            Err(why) => return Ok(bad_use(&why)),
        };
        let delta = match &before {
            None => None,
            Some(before) => {
                Some(Delta::between((&before.engine, &before.files), (&after.engine, &after.files)).map_err(anyhow::Error::msg)?)
            }
        };
        let region = match self.reading.region(&after.engine) {
            Ok(region) => region,
            Err(why) => return Ok(bad_use(&why)),
        };
        match self.recorded(lists, &after.engine, delta.as_ref(), region) {
            Ok(status) => status,
            Err(error) => {
                let status = refused(&error);
                if matches!(error, RescreenError::Unrecorded(_)) && checkpoint_of(&self.out).exists() {
                    anstream::eprintln!("mingcha: --resume goes on from {}", checkpoint_of(&self.out).display());
                }
                Ok(status)
            }
        }
    }

    /// Re-screens, with whoever is to record the firms.
    fn recorded(
        &self,
        lists: &Lists,
        engine: &Engine,
        delta: Option<&Delta<'_>>,
        region: Region,
    ) -> Result<anyhow::Result<ExitCode>, RescreenError> {
        let Some(place) = self.recording.place(self.data.as_deref()) else { return self.rescreen(engine, delta, region, None) };
        let mut watch_list = WatchList::at(place, lists, engine.lists().hash())?;
        let done = self.rescreen(engine, delta, region, Some(&mut watch_list));
        watch_list.close().and(done)
    }

    /// The lists to measure changes against, if any, and those to judge by.
    fn versions(&self, lists: &Lists) -> Result<(Option<Version>, Version), String> {
        let told = |problems: Problems| problems.to_string();
        let after = match &self.to_lists {
            Some(folder) => embedded::read(folder).map_err(told)?,
            None => lists.files().map_err(told)?,
        };
        let before = match (&self.from_lists, &self.since, &self.data) {
            (Some(folder), ..) => Some(embedded::read(folder).map_err(told)?),
            (_, Some(hash), Some(data)) => {
                let versions = Versions::open(data).map_err(|error| error.to_string())?;
                Some(versions.read(hash).map_err(|error| error.to_string())?)
            }
            _ => None,
        };
        let before = before.map(Version::of).transpose().map_err(told)?;
        Ok((before, Version::of(after).map_err(told)?))
    }

    fn rescreen(
        &self,
        engine: &Engine,
        delta: Option<&Delta<'_>>,
        region: Region,
        watch_list: Option<&mut WatchList>,
    ) -> Result<anyhow::Result<ExitCode>, RescreenError> {
        let told =
            Told { engine, out: &self.out, delta: delta.is_some(), recorded: self.recording.place(self.data.as_deref()).map(Place::name) };
        let found = self.found()?;
        let earlier = if let Found::Begun(_, checkpoint) = &found { day_of(checkpoint) } else { None };
        let day = self.date.or(earlier).unwrap_or_else(today);
        let hands = Hands {
            stop: &stopped_by_signals(),
            waits: true,
            checkpoint_every: Duration::from_secs(self.checkpoint_every),
            follow: &mut Progress::default(),
            recorder: watch_list.map(|watch_list| watch_list as &mut dyn Recorder),
        };
        match self.order(region).carry_out(Judging { engine, delta, day }, found, hands)? {
            Ended::Stopped { counts, kept } => Ok(Ok(interrupted(&counts, kept, &self.out))),
            Ended::Done { counts, claim } => {
                claim.end()?;
                Ok(told.tell(&counts))
            }
        }
    }

    fn order(&self, region: Region) -> Order {
        Order {
            inputs: self.inputs.clone(),
            out: self.out.clone(),
            reading: self.reading.options(),
            writing: self.csv(),
            region,
            kind: self.reading.entity,
            event: self.event,
            rosters: self.rosters.iter().cloned().zip(self.meanings.iter().copied()).collect(),
            recorded: self.recording.place(self.data.as_deref()).map(Place::name),
            roster_rows: usize::MAX,
            replaces: true,
            within: None,
        }
    }

    fn csv(&self) -> CsvOptions {
        CsvOptions { encoding: self.out_encoding, raw: self.raw }
    }

    /// What an earlier run left, and what is to become of it.
    fn found(&self) -> Result<Found, RescreenError> {
        match Claim::take(&self.out)? {
            Some(claim) if self.resume => claim.checkpoint().map(|checkpoint| Found::Begun(claim, Box::new(checkpoint))),
            Some(claim) if self.restart => Ok(Found::Left(claim)),
            Some(_) => Err(RescreenError::Begun(checkpoint_of(&self.out))),
            None if self.resume => Err(RescreenError::NoCheckpoint(checkpoint_of(&self.out))),
            None => Ok(Found::Nothing),
        }
    }
}

/// A version of the lists, and the engine that has it.
struct Version {
    files: Files,
    engine: Engine,
}

impl Version {
    fn of(files: Files) -> Result<Self, Problems> {
        Ok(Self { engine: Engine::build(&files)?, files })
    }
}

fn day(text: &str) -> Result<day::Date, String> {
    day::parse(text).map_err(|error| error.to_string())
}

/// Says what is wrong, and gives the exit status: bad use, or reading or writing that failed.
pub(super) fn refused(error: &RescreenError) -> ExitCode {
    let status = bad_use(error);
    let failed = match error {
        RescreenError::Input { error, .. } => matches!(error, OpenError::Io(_)),
        RescreenError::Output { .. } | RescreenError::Lost(_) | RescreenError::Unrecorded(_) => true,
        _ => false,
    };
    if failed { ExitCode::from(IO_FAILED) } else { status }
}

fn interrupted(counts: &Counts, kept: u64, out: &Path) -> ExitCode {
    let behind = if kept == counts.rows { String::new() } else { format!(", behind row {kept}") };
    anstream::eprintln!("mingcha: stopped after {} rows; --resume goes on from {}{behind}", counts.rows, checkpoint_of(out).display());
    ExitCode::from(CUT_OFF)
}

/// Is set by Ctrl-C and by SIGTERM; a second Ctrl-C ends the process at once.
fn stopped_by_signals() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let (listens, listening) = channel();
    let wait = async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else { return };
        drop(listens);
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if told.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        }
    };
    // without the thread Ctrl-C ends the process as kill -9 does, which is safe
    let _ = thread::Builder::new()
        .spawn(move || tokio::runtime::Builder::new_current_thread().enable_io().build().map(|runtime| runtime.block_on(wait)));
    let _: Result<(), _> = listening.recv(); // from now on, or never
    stop
}
