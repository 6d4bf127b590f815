//! Carrying an operation out (执行): the order that it comes to, the lists that it judges by, who records.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    folder::{Folder, PathError},
    operation::{Beginning, Following, Live, Operation, Rows},
    record::{Asked, Failure, FailureKind, Record},
};
use crate::{
    library::{Library, Version},
    problem::Problem,
    register::{Kind, OpenError, Options, Register, columns::Said, expand::Limits},
    rescreen::{
        Checkpoint, Claim, Delta, Order, RescreenError, is_of_the_content,
        order::{Ended, Found, Hands, Judging},
        output::{beside_of, checkpoint_of, take_away},
        record::Recorder,
        roster::{Meaning, RosterError},
    },
    screen::ENGINE_VERSION,
    sheet::{CsvOptions, SheetError},
    telemetry::Metrics,
};

/// Most rows of the rosters of an operation: they lie in memory.
const MOST_ROSTER_ROWS: usize = 500_000;

/// The folders in which callers name files.
#[derive(Debug, Clone)]
pub struct Folders {
    /// That of registers and rosters.
    pub registers: Folder,
    /// That of outputs.
    pub outputs: Folder,
}

/// Who records firms on the watch list, for an identity.
pub trait Recording: Send + Sync {
    /// A recorder for the identity with this id, which judges by this version of the lists. It tries again whatever will be
    /// possible later, until `stop` is set.
    ///
    /// # Errors
    /// Why it may not record, for people.
    fn recorder(&self, owner: &str, version: &Arc<Version>, stop: &Arc<AtomicBool>) -> Result<Box<dyn Recorder + Send>, String>;
}

/// What carries operations out.
pub(super) struct Runner {
    pub(super) library: Arc<Library>,
    pub(super) folders: Folders,
    pub(super) checkpoint_every: Duration,
    pub(super) recording: Box<dyn Recording>,
    pub(super) metrics: Arc<Metrics>,
}

/// A path that is not accepted, by the field that has it.
#[derive(Debug, thiserror::Error)]
#[error("{field}: {error}")]
pub struct BadPath {
    /// `inputs[0]`, `output`, `options.rosters[2].path`.
    pub field: String,
    /// What is wrong with it.
    pub error: PathError,
}

impl Folders {
    /// The place of a register that is brought, where everything else that was asked for is in order.
    ///
    /// # Errors
    /// Every path that is not accepted.
    pub fn place(&self, asked: &Asked) -> Result<PathBuf, Vec<BadPath>> {
        let input = asked.inputs.first().map_or("", String::as_str);
        let place = self.registers.place(input, |path| vec![path.to_owned()]);
        let others = self.new_order(&Asked { inputs: Vec::new(), ..asked.clone() }).err().unwrap_or_default();
        match place {
            Ok(place) if others.is_empty() => Ok(place),
            Ok(_) => Err(others),
            Err(error) => Err(std::iter::once(BadPath { field: "header.input".to_owned(), error }).chain(others).collect()),
        }
    }

    /// The files of what was asked for, in place of their names. `output` says where the output is.
    fn order(&self, asked: &Asked, output: PathBuf) -> Result<Order, Vec<BadPath>> {
        let mut bad = Vec::new();
        let mut file = |field: String, name: &str| self.registers.file(name).map_err(|error| bad.push(BadPath { field, error })).ok();
        let inputs = asked.inputs.iter().enumerate();
        let inputs: Vec<PathBuf> = inputs.filter_map(|(index, name)| file(format!("inputs[{index}]"), name)).collect();
        let rosters = asked.rosters.iter().enumerate();
        let rosters: Vec<(PathBuf, Meaning)> = rosters
            .filter_map(|(index, (name, meaning))| {
                Some((file(format!("options.rosters[{index}].path"), name)?, Meaning::parse(meaning).ok()?))
            })
            .collect();
        if !bad.is_empty() {
            return Err(bad);
        }
        Ok(Order {
            inputs,
            out: output,
            reading: reading(asked),
            writing: CsvOptions { encoding: asked.writing, raw: asked.raw },
            region: asked.region,
            kind: asked.kind,
            event: asked.event,
            rosters,
            roster_rows: MOST_ROSTER_ROWS,
            recorded: asked.record.then(|| "the service's own".to_owned()),
            replaces: false,
            within: asked.within.clone(),
        })
    }

    /// That the headers of the registers tell their columns: of those that are there, or of the one that was `brought` and lies
    /// elsewhere still. What cannot be read at all is left to the run, which may find it better.
    pub(super) fn have_headers(&self, asked: &Asked, brought: Option<&Path>) -> Result<(), Vec<BadPath>> {
        let mut bad = Vec::new();
        for (index, name) in asked.inputs.iter().enumerate() {
            let field = if brought.is_some() { "content".to_owned() } else { format!("inputs[{index}]") };
            let Some(path) = brought.map_or_else(|| self.registers.file(name).ok(), |path| Some(path.to_owned())) else { continue };
            match Register::open(&path, &Options { kind: Kind::of(Path::new(name)), ..reading(asked) }) {
                Err(error) if is_of_the_content(&error) => bad.push(BadPath { field, error: PathError::Unusable(error) }),
                _ => {}
            }
        }
        if bad.is_empty() { Ok(()) } else { Err(bad) }
    }

    /// The same, where nothing of the output is there yet.
    pub(super) fn new_order(&self, asked: &Asked) -> Result<Order, Vec<BadPath>> {
        let place = self.outputs.place(&asked.output, beside_of).map_err(|error| BadPath { field: "output".to_owned(), error });
        match (place, self.order(asked, PathBuf::new())) {
            (Ok(out), Ok(order)) => Ok(Order { out, ..order }),
            (Err(bad), Ok(_)) => Err(vec![bad]),
            (Ok(_), Err(more)) => Err(more),
            (Err(bad), Err(mut more)) => {
                more.push(bad);
                Err(more)
            }
        }
    }

    /// Where the output of an operation is, which may have been begun.
    pub(super) fn output(&self, asked: &Asked) -> Result<PathBuf, BadPath> {
        self.outputs.place(&asked.output, |_| Vec::new()).map_err(|error| BadPath { field: "output".to_owned(), error })
    }

    /// The checkpoint of an operation, where it has one.
    pub(super) fn checkpoint(&self, record: &Record) -> Option<Checkpoint> {
        let output = self.output(&record.asked).ok().filter(|_| record.begun)?;
        Checkpoint::read(&checkpoint_of(&output)).filter(|checkpoint| may_own(record, checkpoint))
    }

    /// That nothing lies where an operation writes.
    pub(super) fn is_free(&self, asked: &Asked) -> Result<(), RescreenError> {
        let output = self.outputs.root().join(&asked.output);
        let there = beside_of(&output).into_iter().find(|file| std::fs::symlink_metadata(file).is_ok());
        there.map_or(Ok(()), |file| Err(RescreenError::InTheWay(file)))
    }

    /// Takes away what an operation has written, where it has begun to: where the checkpoint that lies there is its own, and no other
    /// run goes on with it. Without one nobody knows whose the files are.
    pub(super) fn discard(&self, record: &Record) {
        let Some(output) = self.output(&record.asked).ok().filter(|_| record.begun) else { return };
        let own = |checkpoint: &Checkpoint| !record.mark.is_empty() && checkpoint.ledger.run() == record.mark;
        let discarded = Claim::take(&output).and_then(|claim| match claim.map(|claim| Ok((claim.checkpoint()?, claim))).transpose()? {
            Some((checkpoint, claim)) if own(&checkpoint) => take_away(&output, claim, checkpoint).map(|()| true),
            _ => Ok(false),
        });
        match discarded {
            Ok(true) => {}
            Ok(false) => tracing::warn!(operation = record.name(), "what lies where an operation wrote is not known as its own, and stays"),
            Err(error) => tracing::warn!(operation = record.name(), %error, "what is left of an operation is not removed"),
        }
    }
}

/// How registers are read.
fn reading(asked: &Asked) -> Options {
    let columns = Said::parse(&asked.columns).unwrap_or_default(); // checked when it was asked for
    Options { kind: None, encoding: asked.encoding, columns, limits: Limits::default() }
}

/// Whether a checkpoint may be that of an operation, which has begun: an earlier version did not note its mark.
fn may_own(record: &Record, checkpoint: &Checkpoint) -> bool {
    record.mark.is_empty() || checkpoint.ledger.run() == record.mark
}

impl Runner {
    /// Carries an operation out, or goes on with it; `beginning` is told when something is written.
    pub(super) fn carry_out(&self, operation: &Operation, beginning: &dyn Beginning) -> Result<Ended, Failure> {
        let record = operation.record();
        let Record { owner, asked, .. } = &*record;
        let changed = |error: &dyn std::fmt::Display| Failure { kind: FailureKind::Changed, message: error.to_string() };
        let output = self.folders.output(asked).map_err(|error| changed(&error))?;
        let order = self.folders.order(asked, output).map_err(|bad| bad.first().map_or_else(|| changed(&"a path"), |bad| changed(bad)))?;
        let version = self.library.version(&asked.lists).map_err(|error| changed(&error))?;
        let before = asked.since.as_ref().map(|since| self.library.version(since)).transpose().map_err(|error| changed(&error))?;
        let files = |hash: &str| self.library.files(hash).map_err(|error| changed(&error));
        let texts = match &asked.since {
            Some(since) => Some((files(since)?, files(&asked.lists)?)),
            None => None,
        };
        let delta = match (&before, &texts) {
            (Some(before), Some((old, new))) => {
                let internal = |error: Problem| Failure { kind: FailureKind::Internal, message: error.to_string() };
                Some(Delta::between((before.engine(), old), (version.engine(), new)).map_err(internal)?)
            }
            _ => None,
        };
        let refused = |message| Failure { kind: FailureKind::NotPermitted, message };
        let recorder = asked.record.then(|| self.recording.recorder(owner, &version, &operation.stop).map_err(refused));
        let mut recorder = recorder.transpose()?;
        let judging = Judging { engine: version.engine(), delta: delta.as_ref(), day: asked.day };
        let mut following = Following {
            beginning,
            operation,
            live: Live::clone(&operation.live()),
            more: |before: Rows, now: Rows| self.metrics.rescreened(before, now),
        };
        let hands = Hands {
            stop: &operation.stop,
            waits: false,
            checkpoint_every: self.checkpoint_every,
            follow: &mut following,
            recorder: recorder.as_mut().map(|recorder| &mut **recorder as &mut dyn Recorder),
        };
        if operation.stop.load(Ordering::Relaxed) {
            return Ok(Ended::Stopped { counts: Box::new(record.counts.clone()), kept: 0 });
        }
        let found = found(&record, &order);
        found.and_then(|found| order.carry_out(judging, found, hands)).map_err(|error| self.failure(&error))
    }

    /// Why a run failed, without where the folders are on this machine.
    fn failure(&self, error: &RescreenError) -> Failure {
        let Folders { registers, outputs } = &self.folders;
        let roots = [registers, outputs].map(|folder| format!("{}/", folder.root().display()));
        let message = roots.iter().fold(error.to_string(), |message, root| message.replace(root.as_str(), ""));
        Failure { kind: kind(error), message }
    }
}

/// What an operation finds where it writes. By another engine the rest would not go with what is there: it begins anew.
fn found(record: &Record, order: &Order) -> Result<Found, RescreenError> {
    let claim = if record.begun { Claim::take(&order.out)? } else { None };
    let begun = claim.and_then(|claim| Some((claim.checkpoint().ok()?, claim)));
    let begun = begun.filter(|(checkpoint, _)| checkpoint.fingerprint.engine == ENGINE_VERSION && may_own(record, checkpoint));
    Ok(begun.map_or(Found::Nothing, |(checkpoint, claim)| Found::Begun(claim, Box::new(checkpoint))))
}

/// Whose matter it is that a run failed.
fn kind(error: &RescreenError) -> FailureKind {
    let disk = |error: &io::Error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => FailureKind::NoRoom,
        _ => FailureKind::Disk,
    };
    match error {
        RescreenError::Input { error: OpenError::Io(error), .. }
        | RescreenError::Roster { error: RosterError::Open(OpenError::Io(error)), .. }
        | RescreenError::Output { error: SheetError::Io(error), .. } => disk(error),
        RescreenError::Input { .. } | RescreenError::Roster { .. } | RescreenError::OwnInput { .. } => FailureKind::Input,
        RescreenError::Output { .. } => FailureKind::Internal,
        RescreenError::InTheWay(_)
        | RescreenError::Begun(_)
        | RescreenError::InUse(_)
        | RescreenError::Lost(_)
        | RescreenError::NoCheckpoint(_)
        | RescreenError::DamagedCheckpoint(_)
        | RescreenError::Changed(_)
        | RescreenError::OtherLists { .. } => FailureKind::Changed,
        RescreenError::Unrecorded(_) => FailureKind::Unrecorded,
    }
}
