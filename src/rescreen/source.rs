//! The registers of a run, one after the other, and how far they were read.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};

use super::{
    RescreenError,
    sum::{Summing, Whole},
};
use crate::register::{Options, Piece, Records, Register};

/// How far the registers were read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Which register, from 0.
    pub input: usize,
    /// How many of its pieces.
    pub pieces: u64,
    /// The CRC-32 of these pieces.
    pub crc: u32,
}

impl Position {
    /// Whether nothing was read yet.
    #[must_use]
    pub const fn is_beginning(&self) -> bool {
        self.input == 0 && self.pieces == 0
    }
}

/// A piece of a register, and all that is needed to read it.
pub struct Job {
    /// The piece.
    pub piece: Piece,
    /// How to read its records.
    pub records: Arc<Records>,
    /// The register's name.
    pub input: Arc<str>,
    /// How far the registers are read behind it.
    pub position: Position,
}

/// The registers of a run.
pub struct Source {
    inputs: Vec<PathBuf>,
    options: Options,
    open: Option<Open>,
    position: Position,
    /// Whether a run may go on later from where this one is stopped.
    resumable: bool,
    /// Bytes that were read of the registers that are done.
    done: u64,
    /// Bytes that were read, for those who ask how far it is.
    read: Arc<AtomicU64>,
}

struct Open {
    register: Register,
    records: Arc<Records>,
    name: Arc<str>,
    crc: crc32fast::Hasher,
}

impl Source {
    /// Reads these registers.
    #[must_use]
    pub fn new(inputs: Vec<PathBuf>, options: Options) -> Self {
        Self { inputs, options, open: None, position: Position::default(), resumable: true, done: 0, read: Arc::default() }
    }

    /// Does not sum the registers up: nothing will go on from where a run over them is stopped.
    #[must_use]
    pub fn once(self) -> Self {
        Self { resumable: false, ..self }
    }

    /// How many bytes of the registers were read, of [`size`](Self::size).
    #[must_use]
    pub fn read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    /// The size of each register in bytes; none of a stream.
    #[must_use]
    pub fn sizes(&self) -> Vec<Option<u64>> {
        let size = |data: std::fs::Metadata| data.is_file().then_some(data.len());
        self.inputs.iter().map(|input| std::fs::metadata(input).ok().and_then(size)).collect()
    }

    /// Opens every register that is a file, and closes it again: what cannot be read is better known before the first hour.
    ///
    /// # Errors
    /// The first that cannot be opened, or whose columns cannot be told.
    pub fn check(&self) -> Result<(), RescreenError> {
        for (input, _) in self.inputs.iter().zip(self.sizes()).filter(|(input, size)| size.is_some() || !input.exists()) {
            if input.as_os_str() != "-" {
                Open::new(input, &self.options).map_err(|error| RescreenError::Input { input: input.clone(), error })?;
            }
        }
        Ok(())
    }

    /// Steps over what an earlier run has read of registers that had this sum as a whole; says whether it came there before it was
    /// told to stop.
    ///
    /// # Errors
    /// [`RescreenError::Changed`] where they are not what that run has read.
    pub fn skip_to(&mut self, to: Position, whole: Option<u32>, stop: &AtomicBool) -> Result<bool, RescreenError> {
        self.position.input = to.input;
        self.done = self.sizes().into_iter().take(to.input).flatten().sum();
        self.read.store(self.done, Ordering::Relaxed);
        if !to.is_beginning() {
            let Some(sum) = Whole::of(&self.inputs).sum(stop)? else { return Ok(false) };
            if Some(sum) != whole {
                return Err(RescreenError::Changed("what is in the inputs".to_owned()));
            }
        }
        while self.position.pieces < to.pieces {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            if self.next_job()?.is_none_or(|job| job.position.input != to.input) {
                break;
            }
        }
        if self.position == to { Ok(true) } else { Err(RescreenError::Changed(format!("the input {}", self.name(to.input)))) }
    }

    /// How the registers are summed up, before a run can go on later from where this one is stopped.
    pub(super) fn unsummed(&self) -> Option<Arc<Summing>> {
        let whole = Whole::of(&self.inputs);
        self.resumable.then(|| -> Arc<Summing> { Arc::new(move |stop: &AtomicBool| whole.sum(stop)) })
    }

    fn name(&self, input: usize) -> String {
        self.inputs.get(input).map_or_else(String::new, |input| input.display().to_string())
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// Where an input cannot be read.
    pub fn next_job(&mut self) -> Result<Option<Job>, RescreenError> {
        while let Some(input) = self.inputs.get(self.position.input).cloned() {
            let failed = |error| RescreenError::Input { input: input.clone(), error };
            let open = match &mut self.open {
                Some(open) => open,
                none => none.insert(Open::new(&input, &self.options).map_err(failed)?),
            };
            let piece = open.register.pieces.next_piece().map_err(failed)?;
            let read = open.register.read.load(Ordering::Relaxed).min(open.register.size.unwrap_or(u64::MAX));
            self.read.store(self.done + read, Ordering::Relaxed);
            if let Some(piece) = piece {
                open.crc.update(if let Piece::Block(block) = &piece { &block.bytes } else { b"\0" });
                self.position.pieces += 1;
                self.position.crc = open.crc.clone().finalize();
                let (records, input) = (Arc::clone(&open.records), Arc::clone(&open.name));
                return Ok(Some(Job { piece, records, input, position: self.position }));
            }
            self.done += read;
            self.open = None;
            self.position = Position { input: self.position.input + 1, pieces: 0, crc: 0 };
        }
        Ok(None)
    }
}

impl Open {
    fn new(input: &std::path::Path, options: &Options) -> Result<Self, crate::register::OpenError> {
        let register = Register::open(input, options)?;
        let records = Arc::new(register.records.clone());
        let name = input.file_name().filter(|name| *name != "-").unwrap_or("stdin".as_ref()).to_string_lossy().into();
        Ok(Self { register, records, name, crc: crc32fast::Hasher::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stepped_over_counts_as_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let inputs = ["one.csv", "two.csv", "three.csv"].map(|name| folder.path().join(name));
        for input in &inputs {
            std::fs::write(input, "企业名称\n甲\n").expect("written");
        }
        let size = "企业名称\n甲\n".len() as u64;
        let source = || Source::new(inputs.to_vec(), Options::default());
        let (mut one, mut positions) = (source(), Vec::new());
        while let Some(job) = one.next_job().expect("it is read") {
            positions.push((job.position, one.read().load(Ordering::Relaxed)));
        }
        assert_eq!(positions.iter().map(|(_, read)| *read).collect::<Vec<_>>(), [size, 2 * size, 3 * size]);
        let go_on = AtomicBool::new(false);
        let whole = Whole::of(&inputs).sum(&go_on).expect("they are read");
        for (position, read) in positions {
            let mut other = source();
            assert!(other.skip_to(position, whole, &go_on).expect("they are the same"));
            assert_eq!(other.read().load(Ordering::Relaxed), read);
        }
        let mut other = source();
        let last = Position { input: 2, ..Position::default() };
        assert!(other.skip_to(last, whole, &go_on).expect("they are the same"));
        assert_eq!(other.read().load(Ordering::Relaxed), 2 * size);
        for to in [last, Position { pieces: 1, ..Position::default() }] {
            assert!(!source().skip_to(to, whole, &AtomicBool::new(true)).expect("it is stopped"));
        }
    }
}
