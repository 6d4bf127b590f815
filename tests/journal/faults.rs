//! A disk that fails: at every write, fsync, rename and cut, the journal says so, and what it acknowledged is there.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    sync::{Arc, Mutex},
};

use mingcha::journal::{
    Head, JournalError,
    disk::{Appending, Disk},
    recovery,
};

use super::{SEGMENT, numbers, stage};

/// Files in memory, as the program sees them and as they would be found after the power went.
#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    on_disk: BTreeMap<String, Vec<u8>>,
    /// How many operations go well before one fails; afterwards all fail.
    left: usize,
    /// How much of a failing write gets through, as a share of 4.
    part: usize,
}

impl State {
    fn operate(&mut self) -> io::Result<()> {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(io::Error::from(io::ErrorKind::StorageFull)),
        }
    }
}

/// A disk that fails.
#[derive(Debug, Clone)]
pub(crate) struct Failing(Arc<Mutex<State>>);

impl Failing {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no test panics here")
    }

    /// One that fails after so many operations; of a write that fails, `part` quarters get through.
    pub(crate) fn after(left: usize, part: usize) -> Self {
        Self(Arc::new(Mutex::new(State { left, part, ..State::default() })))
    }

    /// The power goes: what was synced stays, and of the rest some share.
    pub(crate) fn power_cut(&self, share: usize) {
        let mut state = self.state();
        let mut found = state.on_disk.clone();
        for (name, content) in &state.files {
            let synced = state.on_disk.get(name).map_or(0, Vec::len);
            if content.len() > synced {
                found.insert(name.clone(), content[..synced + (content.len() - synced) * share / 4].to_vec());
            }
        }
        state.files = found.clone();
        state.on_disk = found;
        state.left = usize::MAX;
    }
}

#[derive(Debug)]
struct FailingFile(Failing, String);

impl Disk for Failing {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.state().files.keys().cloned().collect())
    }

    fn read(&self, name: &str, from: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut content = io::Cursor::new(self.state().files.get(name).cloned().ok_or(io::ErrorKind::NotFound)?);
        content.set_position(from);
        Ok(Box::new(content))
    }

    fn append_to(&self, name: &str) -> io::Result<Box<dyn Appending>> {
        let mut state = self.state();
        state.operate()?;
        state.files.entry(name.to_owned()).or_default();
        Ok(Box::new(FailingFile(self.clone(), name.to_owned())))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        let content = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        self.state().operate()
    }
}

impl Appending for FailingFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.state();
        let outcome = state.operate();
        let through = if outcome.is_ok() { bytes.len() } else { bytes.len() * state.part / 4 };
        state.files.get_mut(&self.1).ok_or(io::ErrorKind::NotFound)?.extend_from_slice(&bytes[..through]);
        outcome
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.0.state();
        state.operate()?;
        let content = state.files.get(&self.1).cloned().ok_or(io::ErrorKind::NotFound)?;
        state.on_disk.insert(self.1.clone(), content);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.state().files.get(&self.1).map_or(0, |content| content.len() as u64))
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.0.state();
        state.operate()?;
        let length = usize::try_from(length).expect("small");
        state.files.get_mut(&self.1).ok_or(io::ErrorKind::NotFound)?.truncate(length);
        Ok(())
    }
}

/// Writes until the disk fails; what was acknowledged comes back.
fn write_until_it_fails(disk: &Failing) -> (Vec<Head>, bool) {
    let mut acknowledged = Vec::new();
    let Ok((mut journal, _)) = recovery::open(Arc::new(disk.clone()), SEGMENT) else { return (acknowledged, true) };
    let first = journal.head().sequence;
    for number in first..first + 30 {
        let staged = match stage(&mut journal, number) {
            Ok(staged) => staged,
            Err(error) => panic!("staging does not touch the disk: {error}"),
        };
        match journal.commit() {
            Ok(places) => {
                assert_eq!((places.len(), journal.head()), (1, staged));
                acknowledged.push(staged);
            }
            Err(JournalError::Io { error, .. }) => {
                assert_eq!(error.kind(), io::ErrorKind::StorageFull);
                assert!(matches!(stage(&mut journal, number), Err(JournalError::Poisoned)), "it goes on as if nothing had been");
                assert!(matches!(journal.commit(), Err(JournalError::Poisoned)));
                return (acknowledged, true);
            }
            Err(other) => panic!("{other}"),
        }
    }
    (acknowledged, false)
}

/// Every operation is once the first that fails, with every share of its bytes and of the unsynced ones surviving.
#[test]
fn whatever_fails_what_was_acknowledged_is_there() {
    for (part, share) in [(0, 0), (2, 0), (2, 2), (4, 4), (0, 4), (3, 1)] {
        for left in 0.. {
            let disk = Failing::after(left, part);
            let (acknowledged, failed) = write_until_it_fails(&disk);
            disk.power_cut(share);
            let (journal, _) = recovery::open(Arc::new(disk.clone()), SEGMENT).unwrap_or_else(|error| panic!("after {left}: {error}"));
            let head = journal.head();
            let reached = acknowledged.last().map_or(0, |head| head.sequence);
            assert!(head.sequence == reached || head.sequence == reached + 1, "after {left}: {head} where {reached} were acknowledged");
            let (found, _) = numbers(&disk, 0).unwrap_or_else(|error| panic!("after {left}: {error}"));
            assert_eq!(found, (0..head.sequence).collect::<Vec<_>>());
            drop(journal);
            let (more, failed_again) = write_until_it_fails(&disk);
            assert_eq!((more.len(), failed_again), (30, false), "after {left} it does not go on");
            assert_eq!(numbers(&disk, 0).expect("good").0.len() as u64, head.sequence + 30);
            if !failed {
                assert!(left > 60, "the disk never failed");
                break;
            }
        }
    }
}

/// A failure while an unfinished line is being set aside leaves it to the next opening.
#[test]
fn setting_aside_may_fail_at_any_step() {
    for left in 0..8 {
        let disk = Failing::after(usize::MAX, 4);
        write_until_it_fails(&disk);
        let torn = b"{\"seq\":31,\"at\":\"20";
        {
            let mut state = disk.state();
            let last = state.files.keys().next_back().cloned().expect("a segment");
            state.files.get_mut(&last).expect("it is there").extend_from_slice(torn);
            state.left = left;
        }
        let _ = recovery::open(Arc::new(disk.clone()), SEGMENT);
        disk.power_cut(4);
        let (journal, _) = recovery::open(Arc::new(disk.clone()), SEGMENT).expect("it opens");
        assert_eq!(journal.head().sequence, 30);
        let kept = disk.state().files.iter().any(|(name, content)| name.contains("torn") && content == torn);
        assert!(kept, "after {left} the line is lost");
    }
}
