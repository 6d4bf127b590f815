//! The sum (校验和) of all inputs as a whole, which every checkpoint must have but the first and the last: by it a run that goes on
//! knows that nothing in them changed, of what was not read yet too. They are read for it beside the run, and only where there is to
//! be a checkpoint, so that a short run reads them once.

use std::{
    fs::{File, Metadata},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel},
    },
    thread,
    time::Duration,
};

use super::RescreenError;

/// How often one who waits for a sum looks whether to wait on.
const LOOK: Duration = Duration::from_millis(50);

/// The registers that are files, as they were when a run began.
pub(super) struct Whole(Vec<(PathBuf, Seen)>);

/// By what a file is known again.
type Seen = (u64, u64, u64, (i64, i64));

fn seen(data: &Metadata) -> Seen {
    (data.dev(), data.ino(), data.len(), (data.mtime(), data.mtime_nsec()))
}

impl Whole {
    /// The files among these inputs, as they are now.
    pub(super) fn of(inputs: &[PathBuf]) -> Self {
        let file = |input: &PathBuf| std::fs::metadata(input).ok().filter(Metadata::is_file).map(|data| (input.clone(), seen(&data)));
        Self(inputs.iter().filter_map(file).collect())
    }

    /// Their CRC-32, for which all of them are read; none where `stop` is set before the end.
    ///
    /// # Errors
    /// Where one cannot be read, or is not what it was.
    pub(super) fn sum(&self, stop: &AtomicBool) -> Result<Option<u32>, RescreenError> {
        let mut crc = crc32fast::Hasher::new();
        for (input, before) in &self.0 {
            let mut add = || {
                let file = File::open(input)?;
                let whole = add_all(&file, &mut crc, stop)?;
                if seen(&file.metadata()?) == *before { Ok(whole) } else { Err(io::Error::other("it was changed while it was read")) }
            };
            if !add().map_err(|error| RescreenError::Input { input: input.clone(), error: error.into() })? {
                return Ok(None);
            }
        }
        Ok(Some(crc.finalize()))
    }
}

/// Adds all bytes of a file to a sum; says whether it came to the end, before `stop` was set.
pub(super) fn add_all(mut file: &File, crc: &mut crc32fast::Hasher, stop: &AtomicBool) -> io::Result<bool> {
    let mut bytes = vec![0; 1 << 20];
    while !stop.load(Ordering::Relaxed) {
        match file.read(&mut bytes)? {
            0 => return Ok(true),
            read => crc.update(&bytes[..read]),
        }
    }
    Ok(false)
}

/// What comes of summing up.
pub(super) type Summed = Result<Option<u32>, RescreenError>;
/// How it is done; it ends when the flag is set.
pub(super) type Summing = dyn Fn(&AtomicBool) -> Summed + Send + Sync;
/// Has something done on another thread.
type Spawn = fn(Box<dyn FnOnce() + Send>) -> io::Result<()>;

/// The sum of a run: not begun, on its way, or told.
pub(super) struct Sum {
    unsummed: Option<Arc<Summing>>,
    going: Option<Receiver<Summed>>,
    given_up: Arc<AtomicBool>,
    pub(super) spawn: Spawn,
}

impl Sum {
    /// One that is to be had in this way, where there is to be one.
    pub(super) fn of(unsummed: Option<Arc<Summing>>) -> Self {
        Self { unsummed, going: None, given_up: Arc::default(), spawn: |what| thread::Builder::new().spawn(what).map(drop) }
    }

    /// Begins, if it has not begun. The thread is no part of the run, which does not wait for it at its end.
    pub(super) fn begin(&mut self) {
        let Some(summing) = self.unsummed.take() else { return };
        let (done, going) = sync_channel(1);
        let (theirs, given_up) = (Arc::clone(&summing), Arc::clone(&self.given_up));
        match (self.spawn)(Box::new(move || drop(done.send(theirs(&given_up))))) {
            Ok(()) => self.going = Some(going),
            Err(_) => self.unsummed = Some(summing), // there may be a thread later
        }
    }

    /// The sum, or why there will be none, where that became known since this was asked last.
    pub(super) fn look(&mut self) -> Summed {
        match self.going.as_ref().map(Receiver::try_recv) {
            None | Some(Err(TryRecvError::Empty)) => Ok(None),
            Some(told) => {
                self.going = None;
                told.unwrap_or(Ok(None))
            }
        }
    }

    /// Whether it is still to come.
    pub(super) const fn is_open(&self) -> bool {
        self.unsummed.is_some() || self.going.is_some()
    }

    /// Waits for it, until `enough`. Where there is no thread for it, it is summed up here.
    pub(super) fn wait(&mut self, enough: impl Fn() -> bool) -> Summed {
        self.begin();
        if let Some(summing) = self.unsummed.take() {
            return summing(&self.given_up);
        }
        let Some(going) = self.going.take() else { return Ok(None) };
        loop {
            match going.recv_timeout(LOOK) {
                Ok(told) => return told,
                Err(RecvTimeoutError::Timeout) if !enough() => {}
                Err(_) => return Ok(None),
            }
        }
    }
}

impl Drop for Sum {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::mpsc::channel};

    use super::*;

    static NEVER: AtomicBool = AtomicBool::new(false);

    #[test]
    fn files_are_summed_up_as_they_were() {
        let folder = tempfile::tempdir().expect("a folder");
        let inputs = ["one.csv", "two.csv"].map(|name| folder.path().join(name));
        for input in &inputs {
            fs::write(input, "企业名称\n甲\n").expect("written");
        }
        let whole = Whole::of(&inputs);
        let expected = crc32fast::hash("企业名称\n甲\n企业名称\n甲\n".as_bytes());
        assert_eq!(whole.sum(&NEVER).expect("they are there"), Some(expected));
        assert_eq!(whole.sum(&AtomicBool::new(true)).expect("they are there"), None);
        let other = folder.path().join("other.csv");
        fs::write(&other, "企业名称\n乙\n").expect("written");
        fs::rename(&other, &inputs[1]).expect("renamed");
        assert!(whole.sum(&NEVER).expect_err("it is another").to_string().ends_with("two.csv: it was changed while it was read"));
        fs::remove_file(&inputs[1]).expect("removed");
        assert!(matches!(whole.sum(&NEVER), Err(RescreenError::Input { input, .. }) if input == inputs[1]));
        assert_eq!(Whole::of(&inputs).sum(&NEVER).expect("it is there"), Some(crc32fast::hash("企业名称\n甲\n".as_bytes())));
    }

    #[test]
    fn one_that_nobody_needs_any_more_is_given_up() {
        let (told, gave_up) = channel();
        let mut sum = Sum::of(Some(Arc::new(move |given_up: &AtomicBool| {
            while !given_up.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            told.send(()).expect("it is waited for");
            Ok(None)
        })));
        sum.begin();
        assert!(sum.look().expect("it goes on").is_none() && sum.is_open());
        assert!(sum.wait(|| true).expect("it is not waited for").is_none());
        drop(sum);
        gave_up.recv().expect("it is given up");
    }

    #[test]
    fn one_that_finds_no_thread_is_summed_up_by_whoever_waits() {
        let here = thread::current().id();
        let mut sum = Sum::of(Some(Arc::new(move |_: &AtomicBool| Ok((thread::current().id() == here).then_some(7)))));
        sum.spawn = |_| Err(io::Error::other("no thread"));
        sum.begin();
        assert!(sum.look().expect("it has not begun").is_none() && sum.is_open());
        assert_eq!((sum.wait(|| true).expect("it is summed up"), sum.is_open()), (Some(7), false));
    }
}
