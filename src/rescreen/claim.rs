//! The claim (占用) on an output: its checkpoint lies there, locked, from before the first byte of a run is written until everything
//! is in its place. No other run writes there meanwhile, nor takes anything away.
//!
//! The lock is on the file, and each checkpoint is another file in place of the one before: it is locked before it gets there, and
//! whoever has locked one looks whether it is still the one that lies there. Nothing keeps people from taking it away: so whoever has
//! it looks again before anything is put in its place.

use std::{
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::io::Errno;

use super::{
    Checkpoint, RescreenError,
    output::{checkpoint_of, folder_of},
};
use crate::sheet::beside;

/// See the module; for as long as it lives.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    /// The checkpoint that lies there.
    file: File,
}

impl Claim {
    /// Claims the output at `out`, where a checkpoint of it lies; none where there is none.
    ///
    /// # Errors
    /// [`RescreenError::InUse`] where another run has it.
    pub fn take(out: &Path) -> Result<Option<Self>, RescreenError> {
        let path = checkpoint_of(out);
        loop {
            let file = match OpenOptions::new().read(true).write(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                opened => opened.map_err(RescreenError::writing(&path))?,
            };
            lock(&file, out)?;
            if is_at(&file, &path).map_err(RescreenError::writing(&path))? {
                return Ok(Some(Self { path, file }));
            }
        }
    }

    /// Claims an output of which no checkpoint lies there, with this one. It is not put on the disk: it vouches for nothing.
    pub(super) fn begin(out: &Path, checkpoint: &Checkpoint) -> Result<Self, RescreenError> {
        let path = checkpoint_of(out);
        let make = || {
            let mode = Permissions::from_mode(0o666); // less what the umask says, as of any other file
            let mut file = tempfile::Builder::new().prefix(".mingcha-").permissions(mode).tempfile_in(folder_of(out))?;
            file.write_all(&checkpoint.to_bytes()?)?;
            Ok(file)
        };
        let new = make().map_err(RescreenError::writing(&path))?;
        lock(new.as_file(), out)?;
        match new.persist_noclobber(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Err(Self::begun(out, path)),
            Err(_) => Self::begin_there(out, checkpoint), // this file system may have neither links nor what renames to a free place
        }
    }

    /// The same, where the checkpoint cannot be moved to its place: it is made there, and locked before anything is in it.
    fn begin_there(out: &Path, checkpoint: &Checkpoint) -> Result<Self, RescreenError> {
        let path = checkpoint_of(out);
        let mut file = match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(Self::begun(out, path)),
            opened => opened.map_err(RescreenError::writing(&path))?,
        };
        lock(&file, out)?;
        if let Err(error) = checkpoint.to_bytes().and_then(|bytes| file.write_all(&bytes)) {
            let _ = fs::remove_file(&path); // why there is none is told
            return Err(RescreenError::writing(&path)(error));
        }
        Ok(Self { path, file })
    }

    /// Why nobody begins where a checkpoint lies.
    fn begun(out: &Path, path: PathBuf) -> RescreenError {
        Self::take(out).err().unwrap_or(RescreenError::Begun(path)) // it says where another run has it
    }

    /// The checkpoint that lies there.
    ///
    /// # Errors
    /// [`RescreenError::DamagedCheckpoint`] where it is none.
    pub fn checkpoint(&self) -> Result<Checkpoint, RescreenError> {
        let mut bytes = Vec::new();
        let mut file = &self.file;
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(RescreenError::writing(&self.path))?;
        Checkpoint::of(&bytes).ok_or_else(|| RescreenError::DamagedCheckpoint(self.path.clone()))
    }

    /// That the checkpoint lies there still.
    ///
    /// # Errors
    /// [`RescreenError::Lost`] where it does not.
    pub(super) fn holds(&self) -> Result<(), RescreenError> {
        match is_at(&self.file, &self.path) {
            Ok(true) => Ok(()),
            Ok(false) => Err(RescreenError::Lost(self.path.clone())),
            Err(error) => Err(RescreenError::writing(&self.path)(error)),
        }
    }

    /// Puts another checkpoint in its place: whole, or not at all.
    pub(super) fn keep(&mut self, checkpoint: &Checkpoint) -> Result<(), RescreenError> {
        self.holds()?;
        let new = beside(&self.path, "new");
        let make = || {
            let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&new)?;
            file.write_all(&checkpoint.to_bytes()?)?;
            file.sync_all()?;
            Ok(file)
        };
        let file = make().map_err(RescreenError::writing(&self.path))?;
        lock(&file, &self.path)?;
        self.holds()?; // that took its time
        fs::rename(&new, &self.path).map_err(RescreenError::writing(&self.path))?;
        self.file = file;
        Ok(())
    }

    /// Takes the checkpoint away: there is nothing to go on with any more.
    ///
    /// # Errors
    /// Where that fails; [`RescreenError::Lost`] where another lies there, or none.
    pub fn end(self) -> Result<(), RescreenError> {
        self.holds()?;
        fs::remove_file(&self.path).map_err(RescreenError::writing(&self.path))
    }
}

impl Drop for Claim {
    /// Lets go at once: a child that this process is just beginning may have the file for an instant, too.
    fn drop(&mut self) {
        let _ = self.file.unlock(); // where nothing can be locked there is nothing to let go of
    }
}

/// Locks a checkpoint of an output.
fn lock(file: &File, out: &Path) -> Result<(), RescreenError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(RescreenError::InUse(out.to_owned())),
        Err(TryLockError::Error(error)) if !has_no_locks(&error) => Err(RescreenError::writing(out)(error)),
        _ => Ok(()),
    }
}

/// Whether nothing can be locked on this file system (`ENOLCK`: NFS without a lock daemon). It is as it was before there were locks then.
fn has_no_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported || Errno::from_io_error(error) == Some(Errno::NOLCK)
}

/// Whether a file is the one that lies there.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((own.dev(), own.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_use<T>(taken: &Result<T, RescreenError>) -> bool {
        matches!(taken, Err(RescreenError::InUse(_)))
    }

    #[test]
    fn where_a_file_system_can_do_less_it_begins_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let (out, first) = (folder.path().join("out.csv"), Checkpoint { flagged_bytes: 7, ..Checkpoint::default() });
        let claim = Claim::begin_there(&out, &first).expect("nobody has it");
        assert!(in_use(&Claim::begin_there(&out, &first)) && in_use(&Claim::take(&out)));
        assert_eq!(claim.checkpoint().expect("it is whole"), first);
        drop(claim);
        assert!(matches!(Claim::begin_there(&out, &first), Err(RescreenError::Begun(_))), "of an earlier run");
        for (errno, no_locks) in [(Errno::NOLCK, true), (Errno::OPNOTSUPP, true), (Errno::IO, false)] {
            assert_eq!(has_no_locks(&errno.into()), no_locks, "{errno}");
        }
    }

    #[test]
    fn whoever_has_lost_it_touches_nothing_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let (out, path) = (folder.path().join("out.csv"), folder.path().join("out.csv.checkpoint"));
        let other = Checkpoint { flagged_bytes: 7, ..Checkpoint::default() };
        for another in [false, true] {
            let mut claims = [(); 2].map(|()| {
                let claim = Claim::begin(&out, &Checkpoint::default()).expect("nobody has it");
                fs::remove_file(&path).expect("it is there"); // by a person
                claim
            });
            let theirs = another.then(|| Claim::begin(&out, &other).expect("nobody has it"));
            assert!(claims.iter_mut().all(|claim| matches!(claim.keep(&Checkpoint::default()), Err(RescreenError::Lost(_)))));
            assert!(claims.into_iter().all(|claim| matches!(claim.end(), Err(RescreenError::Lost(_)))));
            assert_eq!(Checkpoint::read(&path), another.then(|| other.clone()));
            assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), usize::from(another));
            drop(theirs);
        }
    }

    #[test]
    fn who_lets_go_does_so_for_whoever_has_the_file_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("out.csv");
        let claim = Claim::begin(&out, &Checkpoint::default()).expect("nobody has it");
        let _copy = claim.file.try_clone().expect("a copy, as a child has it that is just begun");
        assert!(in_use(&Claim::take(&out)));
        drop(claim);
        assert!(Claim::take(&out).expect("nobody has it").is_some());
    }

    #[test]
    fn one_has_an_output_from_its_first_checkpoint_to_its_last() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("out.csv");
        assert!(Claim::take(&out).expect("it can be asked").is_none());
        let (first, later) = (Checkpoint::default(), Checkpoint { flagged_bytes: 7, ..Checkpoint::default() });
        let mut claim = Claim::begin(&out, &first).expect("nobody has it");
        let others_are_refused = || in_use(&Claim::take(&out)) && in_use(&Claim::begin(&out, &later));
        assert!(others_are_refused());
        let before = OpenOptions::new().read(true).write(true).open(checkpoint_of(&out)).expect("it is there");
        for _ in 0..2 {
            claim.keep(&later).expect("it is kept");
            assert!((0..2).all(|_| claim.checkpoint().expect("it is whole") == later), "however often it is read");
            assert!(others_are_refused(), "another file has the lock");
        }
        // whoever has opened one that was replaced since can lock it, and has nothing
        lock(&before, &out).expect("nobody has it any more");
        assert!(!is_at(&before, &checkpoint_of(&out)).expect("it can be asked"));
        drop(claim);
        assert!(matches!(Claim::begin(&out, &first), Err(RescreenError::Begun(_))), "of an earlier run");
        let claim = Claim::take(&out).expect("nobody has it").expect("it is there");
        assert_eq!(claim.checkpoint().expect("it is whole"), later);
        claim.end().expect("it goes");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
        fs::write(checkpoint_of(&out), "{").expect("written");
        let damaged = Claim::take(&out).expect("nobody has it").expect("it is there");
        assert!(matches!(damaged.checkpoint(), Err(RescreenError::DamagedCheckpoint(_))));
    }
}
