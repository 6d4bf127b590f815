//! Finishing (收尾): what is written beside its place is put there, once all rows are written.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};

use super::{
    Checkpoint, Claim, RescreenError,
    columns::Layout,
    output::{REJECTS_ENDING, made_of, sync_folder},
    spool,
};
use crate::{day::Date, jurisdiction::Divisions, sheet::beside};

/// An output of which all rows are written. Each step that puts it in its place is known by what it leaves, so that it can be
/// gone on with wherever it was cut off: what is not beside its place any more is there.
pub(super) struct Finishing<'f> {
    /// Where it goes.
    pub(super) path: &'f Path,
    /// Its format and its columns.
    pub(super) layout: Layout,
    /// The day that a workbook says.
    pub(super) day: Date,
    /// The names of places.
    pub(super) divisions: &'f Divisions,
    /// Whether it takes the place of files that lie there.
    pub(super) replaces: bool,
    /// The claim on it, without which nothing is put anywhere.
    pub(super) claim: &'f Claim,
}

impl Finishing<'_> {
    /// Puts everything in its place that is not there yet, all but the checkpoint; then that is on the disk.
    pub(super) fn finish(&self, checkpoint: &Checkpoint) -> Result<(), RescreenError> {
        let (part, rejects) = (beside(self.path, "part"), beside(self.path, REJECTS_ENDING));
        if spool::is_used(self.layout.format) {
            self.convert(&part, checkpoint)?;
            self.put_in_place(&made_of(self.path, checkpoint), self.path)?;
        } else {
            self.put_in_place(&whole(part, checkpoint.flagged_bytes)?, self.path)?;
        }
        self.put_in_place(&whole(beside(&rejects, "part"), checkpoint.rejects_bytes)?, &rejects)?;
        sync_folder(self.path).map_err(RescreenError::writing(self.path))
    }

    /// Puts a file in its place; where it is beside it no more, that was done.
    fn put_in_place(&self, from: &Path, place: &Path) -> Result<(), RescreenError> {
        self.claim.holds()?;
        match if self.replaces { fs::rename(from, place) } else { move_to_free(from, place) } {
            Err(error) if error.kind() == io::ErrorKind::NotFound && place.exists() => Ok(()),
            put => put.map_err(in_the_way(place)),
        }
    }

    /// Makes the output from the spool beside it, which goes when that is on the disk.
    fn convert(&self, part: &Path, checkpoint: &Checkpoint) -> Result<(), RescreenError> {
        if !part.exists() {
            return Ok(()); // it was made
        }
        whole(part.to_owned(), checkpoint.flagged_bytes)?;
        let new = made_of(self.path, checkpoint);
        let spool = spool::Spool { part, place: &new, layout: self.layout };
        spool.convert(self.day, &checkpoint.counts, self.divisions).map_err(|error| {
            let _ = fs::remove_file(&new); // half of it is of no use; the spool stays
            RescreenError::output(self.path)(error)
        })?;
        self.claim.holds()?; // that took its time
        sync_folder(part).and_then(|()| fs::remove_file(part)).map_err(RescreenError::writing(part))
    }
}

/// Something is there already that is not this run's, or it failed otherwise.
pub(super) fn in_the_way(place: &Path) -> impl Fn(io::Error) -> RescreenError {
    move |error| match error.kind() {
        io::ErrorKind::AlreadyExists => RescreenError::InTheWay(place.to_owned()),
        _ => RescreenError::writing(place)(error),
    }
}

/// A file that is as long as a checkpoint says, where it is there.
fn whole(part: PathBuf, bytes: u64) -> Result<PathBuf, RescreenError> {
    match fs::metadata(&part) {
        Ok(data) if data.len() != bytes => {
            let error = io::Error::new(io::ErrorKind::InvalidData, "it is not as long as the checkpoint says");
            Err(RescreenError::writing(&part)(error))
        }
        _ => Ok(part),
    }
}

/// Moves a file to a place where nothing is.
fn move_to_free(from: &Path, place: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, place, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {} // this file system cannot: look first
        moved => return Ok(moved?),
    }
    match fs::symlink_metadata(place) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, place),
    }
}
