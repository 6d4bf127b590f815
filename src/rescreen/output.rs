//! The output (结果) of a run: what is written so far lies beside it, and takes its place when all is there.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{
    Checkpoint, Claim, Counts, Fingerprint, RescreenError,
    columns::{Layout, REJECTS},
    finish::{Finishing, in_the_way},
    judge::Judged,
    record::Ledger,
    source::Position,
};
use crate::{
    day::Date,
    jurisdiction::Divisions,
    sheet::{Csv, Format, SheetError, beside},
};

/// What the name of the rejected rows' file has behind that of the output, and a dot.
pub const REJECTS_ENDING: &str = "rejects.csv";

/// The output of a run.
pub struct Output {
    path: PathBuf,
    layout: Layout,
    flagged: Part,
    rejects: Part,
    checkpoint: Checkpoint,
    claim: Claim,
    /// How many rows the checkpoint covers that lies there.
    kept: u64,
    /// Whether it takes the place of files that lie there.
    replaces: bool,
}

/// A file that is being written, beside its place.
struct Part {
    place: PathBuf,
    out: BufWriter<File>,
    written: u64,
}

impl Part {
    /// Another file than one that lies there: whoever still writes in that one writes into nothing.
    fn begin(place: PathBuf, header: &[u8], replaces: bool) -> Result<Self, RescreenError> {
        let part = beside(&place, "part");
        let create = || {
            if replaces {
                remove(&part).map_err(RescreenError::writing(&part))?;
            }
            let mut out = BufWriter::new(File::create_new(&part).map_err(in_the_way(&part))?);
            out.write_all(header).map_err(RescreenError::writing(&part))?;
            Ok(out)
        };
        create().map(|out| Self { place, out, written: header.len() as u64 })
    }

    /// Takes it away, which is this run's.
    fn discard(self) {
        let _ = fs::remove_file(beside(&self.place, "part")); // why the run ends is told
    }

    /// Goes on behind what a checkpoint vouches for.
    fn resume(place: PathBuf, written: u64) -> Result<Self, RescreenError> {
        let part = beside(&place, "part");
        let open = || {
            let mut file = OpenOptions::new().write(true).open(&part)?;
            if file.metadata()?.len() < written {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it is shorter than the checkpoint says"));
            }
            file.set_len(written)?;
            file.seek(SeekFrom::End(0))?;
            Ok(BufWriter::new(file))
        };
        let out = open().map_err(RescreenError::writing(&part))?;
        Ok(Self { place, out, written })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), RescreenError> {
        self.out.write_all(bytes).map_err(RescreenError::writing(&self.place))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), RescreenError> {
        self.out.flush().and_then(|()| self.out.get_ref().sync_data()).map_err(RescreenError::writing(&self.place))
    }
}

impl Output {
    /// Begins an output that takes the place of files that lie there, from earlier or meanwhile.
    ///
    /// # Errors
    /// Where nothing can be written there.
    pub fn begin(path: &Path, fingerprint: Fingerprint, layout: Layout) -> Result<Self, RescreenError> {
        let earlier = Claim::take(path)?;
        Self::begin_over(path, earlier, fingerprint, layout, true)
    }

    /// The same, over what an earlier run left there, if one did; `replaces` says whether it takes the place of files that lie there.
    /// Its first checkpoint is there before anything else is touched.
    pub(super) fn begin_over(
        path: &Path,
        earlier: Option<Claim>,
        fingerprint: Fingerprint,
        layout: Layout,
        replaces: bool,
    ) -> Result<Self, RescreenError> {
        let checkpoint = Checkpoint { fingerprint, ledger: Ledger::begin(), ..Checkpoint::default() };
        let claim = match earlier {
            Some(claim) => forget(path, claim, &checkpoint)?,
            None => Claim::begin(path, &checkpoint).map_err(|error| match error {
                RescreenError::Begun(checkpoint) if !replaces => RescreenError::InTheWay(checkpoint),
                other => other,
            })?,
        };
        match Self::parts(path, layout, replaces) {
            Ok((flagged, rejects)) => Ok(Self { path: path.to_owned(), layout, flagged, rejects, checkpoint, claim, kept: 0, replaces }),
            Err(error) => {
                let _ = claim.end(); // why the run ends is told
                Err(error)
            }
        }
    }

    /// The files in which it writes, with their headers.
    fn parts(path: &Path, layout: Layout, replaces: bool) -> Result<(Part, Part), RescreenError> {
        let failed = RescreenError::output(path);
        let header = |columns| Csv::begin(Vec::new(), columns, layout.csv)?.finish();
        let flagged_header = if layout.format == Format::Csv { header(layout.columns).map_err(&failed)? } else { Vec::new() };
        let rejects_header = header(REJECTS).map_err(&failed)?;
        let flagged = Part::begin(path.to_owned(), &flagged_header, replaces)?;
        match Part::begin(beside(path, REJECTS_ENDING), &rejects_header, replaces) {
            Ok(rejects) => Ok((flagged, rejects)),
            Err(error) => {
                flagged.discard();
                Err(error)
            }
        }
    }

    /// Takes away what was begun.
    pub(super) fn discard(self) {
        if self.claim.holds().is_ok() {
            self.flagged.discard();
            self.rejects.discard();
            let _ = self.claim.end(); // why the run ends is told
        }
    }

    /// Goes on from the checkpoint of a claim; from the first one it begins anew.
    ///
    /// # Errors
    /// Where what was written is not there any more.
    pub(super) fn resume(
        path: &Path,
        (claim, checkpoint): (Claim, Checkpoint),
        layout: Layout,
        replaces: bool,
    ) -> Result<Self, RescreenError> {
        let (flagged, rejects) = if checkpoint.position.is_beginning() {
            Self::parts(path, layout, true)?
        } else {
            let rejects = beside(path, REJECTS_ENDING);
            (Part::resume(path.to_owned(), checkpoint.flagged_bytes)?, Part::resume(rejects, checkpoint.rejects_bytes)?)
        };
        let kept = checkpoint.counts.rows;
        Ok(Self { path: path.to_owned(), layout, flagged, rejects, checkpoint, claim, kept, replaces })
    }

    /// The error that a row could not be written.
    pub(super) fn failed(&self, error: SheetError) -> RescreenError {
        RescreenError::output(&self.path)(error)
    }

    /// What became of the rows so far.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.checkpoint.counts
    }

    /// What was recorded on the watch list.
    pub(super) const fn ledger(&mut self) -> &mut Ledger {
        &mut self.checkpoint.ledger
    }

    /// The sum of all inputs, which a checkpoint must have of what it vouches for.
    pub(super) const fn whole(&mut self) -> &mut Option<u32> {
        &mut self.checkpoint.whole
    }

    /// How many rows the checkpoint covers that lies there.
    pub(super) const fn kept(&self) -> u64 {
        self.kept
    }

    /// How far the inputs were read.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.checkpoint.position
    }

    /// Writes what became of a piece.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&mut self, judged: &Judged, position: Position) -> Result<(), RescreenError> {
        self.flagged.write(&judged.flagged)?;
        self.rejects.write(&judged.rejects)?;
        self.checkpoint.counts.add(&judged.counts);
        self.checkpoint.ledger.settle();
        self.checkpoint.position = position;
        Ok(())
    }

    /// Puts on the disk what is written so far, and how far that is; but where nobody could go on from there, the last checkpoint
    /// stays.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn checkpoint(&mut self) -> Result<(), RescreenError> {
        if !self.checkpoint.is_of_use() {
            return Ok(());
        }
        self.flagged.sync()?;
        self.rejects.sync()?;
        self.checkpoint.flagged_bytes = self.flagged.written;
        self.checkpoint.rejects_bytes = self.rejects.written;
        self.claim.keep(&self.checkpoint)?;
        self.kept = self.checkpoint.counts.rows;
        Ok(())
    }

    /// Puts everything in its place, all but the checkpoint; `day` is the day that a workbook says. What it came to is another's to
    /// note; then the claim can end.
    ///
    /// # Errors
    /// Where that fails.
    pub fn finish(mut self, day: Date, divisions: &Divisions) -> Result<(Counts, Claim), RescreenError> {
        self.checkpoint.finished = true;
        self.checkpoint()?;
        let Self { path, layout, replaces, claim, .. } = &self;
        Finishing { path, layout: *layout, day, divisions, replaces: *replaces, claim }.finish(&self.checkpoint)?;
        Ok((self.checkpoint.counts, self.claim))
    }
}

/// Puts a first checkpoint in place of the one that vouches for what an earlier run has written, before any of that is written over:
/// nobody goes on with it then.
fn forget(path: &Path, mut claim: Claim, first: &Checkpoint) -> Result<Claim, RescreenError> {
    let earlier = claim.checkpoint().ok();
    claim.keep(first)?;
    sync_folder(path).map_err(RescreenError::writing(path))?;
    let made = earlier.filter(|earlier| earlier.finished).map(|earlier| made_of(path, &earlier));
    made.map_or(Ok(()), |made| remove(&made)).map_err(RescreenError::writing(path))?;
    Ok(claim)
}

/// Empties a file, where it is there.
fn emptied(file: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).truncate(true).open(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes a file, where it is there.
fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The folder of a file.
pub(super) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Puts on the disk what is in the folder of a file.
pub(crate) fn sync_folder(file: &Path) -> io::Result<()> {
    File::open(folder_of(file))?.sync_all()
}

/// Where the checkpoint of an output lies.
#[must_use]
pub fn checkpoint_of(path: &Path) -> PathBuf {
    beside(path, "checkpoint")
}

/// Where an output is made that is not written row by row: under a name that is the run's alone.
#[must_use]
pub fn made_of(path: &Path, checkpoint: &Checkpoint) -> PathBuf {
    match checkpoint.ledger.tag() {
        "" => beside(path, "new"), // begun by an earlier version
        tag => beside(path, &format!("{tag}.new")),
    }
}

/// Every file that a run writes whose output is at `path`, but for that which no other file can be named as ([`made_of`]).
#[must_use]
pub fn beside_of(path: &Path) -> Vec<PathBuf> {
    let (rejects, checkpoint) = (beside(path, REJECTS_ENDING), checkpoint_of(path));
    vec![path.to_owned(), beside(path, "part"), beside(&rejects, "part"), rejects, beside(&checkpoint, "new"), checkpoint]
}

/// Takes away what a run has written, which does not replace any files: all beside the output at `path`, and what it has put in its
/// place. The claim, of which the checkpoint is, goes last: nobody begins there meanwhile.
///
/// # Errors
/// Where something cannot be removed: the checkpoint stays.
pub fn take_away(path: &Path, mut claim: Claim, checkpoint: Checkpoint) -> Result<(), RescreenError> {
    let removed = |file: PathBuf| remove(&file).map_err(RescreenError::writing(&file));
    let (rejects, made) = (beside(path, REJECTS_ENDING), made_of(path, &checkpoint));
    let [part, rejects_part] = [beside(path, "part"), beside(&rejects, "part")];
    if checkpoint.finished {
        if !part.exists() && !made.exists() {
            removed(path.to_owned())?;
        }
        if !rejects_part.exists() {
            removed(rejects)?;
        }
        for file in [&part, &rejects_part, &made] {
            emptied(file).map_err(RescreenError::writing(file))?; // it may be for want of room that it goes
        }
        // where this is cut off, nothing says any more that what lies in the places is its own
        claim.keep(&Checkpoint { finished: false, ..checkpoint })?;
    }
    [part, rejects_part, made, beside(&checkpoint_of(path), "new")].into_iter().try_for_each(removed)?;
    claim.end()
}
