//! Re-screening (存量排查): a whole register against the lists.
//!
//! One thread reads the register in blocks, as many as there are processors judge them ([`judge`]), and one writes what they
//! found in the order of the register ([`pipeline`]). Few blocks are under way at any time, so that memory stays flat. What was
//! written is kept beside the output until all is done, with a checkpoint of how far it goes ([`output`], [`checkpoint`]):
//! a run that was stopped goes on from there, to the same bytes. Nobody else writes there meanwhile ([`claim`]). Where firms are recorded on a watch list ([`record`]), those of
//! a block are before it is written: a checkpoint covers nothing that is not on the list.

mod cells;
pub mod checkpoint;
pub mod claim;
pub mod columns;
pub mod count;
pub mod delta;
mod finish;
pub mod judge;
pub mod order;
pub mod output;
pub mod pipeline;
pub mod progress;
pub mod record;
pub mod roster;
mod sink;
pub mod source;
mod spool;
mod sum;

use std::{io, path::PathBuf};

pub use checkpoint::{Checkpoint, Fingerprint};
pub use claim::Claim;
pub use columns::Layout;
pub use count::Counts;
pub use delta::Delta;
pub use judge::{Defaults, Judge};
pub use order::Order;
pub use output::Output;
pub use roster::Rosters;
pub use source::Source;

use crate::{register::OpenError, sheet::SheetError};

/// A register could not be re-screened.
#[derive(Debug, thiserror::Error)]
pub enum RescreenError {
    /// An input cannot be read.
    #[error("{}: {error}", input.display())]
    Input {
        /// The input.
        input: PathBuf,
        /// Why.
        error: OpenError,
    },
    /// A roster cannot be used.
    #[error("{}: {error}", roster.display())]
    Roster {
        /// The roster.
        roster: PathBuf,
        /// Why.
        error: roster::RosterError,
    },
    /// The output cannot be written.
    #[error("{}: {error}", output.display())]
    Output {
        /// The output, or a file beside it.
        output: PathBuf,
        /// Why.
        error: SheetError,
    },
    /// An input would be written over.
    #[error("{} is read, and would be written over as {}: choose another output", input.display(), output.display())]
    OwnInput {
        /// The input or the roster.
        input: PathBuf,
        /// The output, or a file beside it.
        output: PathBuf,
    },
    /// Something lies where the output goes that is not this run's.
    #[error("{} is there already, and is not of this run", .0.display())]
    InTheWay(PathBuf),
    /// There is a checkpoint of an earlier run.
    #[error("{} is that of an earlier run: --resume goes on with it, --restart begins anew", .0.display())]
    Begun(PathBuf),
    /// Another run has the output.
    #[error("another run is writing {}: nothing was done", .0.display())]
    InUse(PathBuf),
    /// The checkpoint of this run does not lie there any more: another run may have the output.
    #[error("{} was taken away during the run: nothing more was written", .0.display())]
    Lost(PathBuf),
    /// There is no checkpoint to go on from.
    #[error("there is nothing to go on with: {} is missing", .0.display())]
    NoCheckpoint(PathBuf),
    /// What lies there is no checkpoint.
    #[error("there is nothing to go on with: {} is damaged; --restart begins anew", .0.display())]
    DamagedCheckpoint(PathBuf),
    /// The run that was stopped was another.
    #[error("{0} changed since the run that was stopped: begin anew with --restart")]
    Changed(String),
    /// The service would judge otherwise.
    #[error("the service has the lists {theirs}, this run those of {ours}: nothing was recorded")]
    OtherLists {
        /// The hash of the lists of this run.
        ours: String,
        /// The hash of those of the service.
        theirs: String,
    },
    /// Firms could not be recorded on the watch list.
    #[error("not recorded on the watch list: {0}")]
    Unrecorded(String),
}

impl RescreenError {
    /// An output that failed.
    pub(crate) fn output(path: &std::path::Path) -> impl Fn(SheetError) -> Self {
        move |error| Self::Output { output: path.to_owned(), error }
    }

    /// An output that failed in reading or writing.
    pub(crate) fn writing(path: &std::path::Path) -> impl Fn(io::Error) -> Self {
        move |error| Self::Output { output: path.to_owned(), error: error.into() }
    }
}

/// Whether it is what stands in a register that is wrong, and not the reading of it.
pub(crate) fn is_of_the_content(error: &OpenError) -> bool {
    use io::ErrorKind::{InvalidData, Other, UnexpectedEof};
    !matches!(error, OpenError::Io(error) if ![InvalidData, Other, UnexpectedEof].contains(&error.kind()))
}
