//! Opening after any kind of stop (恢复): finds the end, and sets aside what was never acknowledged.

use std::sync::Arc;

use super::{
    Journal, JournalError,
    disk::Disk,
    reader::{self, End, Torn},
    segment_first,
};

/// What was found on opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// An unfinished last line, which is now in the file named here, and no longer in the journal.
    pub set_aside: Option<(Torn, String)>,
}

/// Opens the journal in a folder, checking its last segment. A segment that has grown to `segment_bytes` will be
/// followed by another.
///
/// # Errors
/// [`JournalError`] where it cannot be read, or a record in its last segment was changed.
pub fn open(disk: Arc<dyn Disk>, segment_bytes: u64) -> Result<(Journal, Opened), JournalError> {
    let segments = reader::segments(&*disk)?;
    let last = segments.last().cloned();
    let from = last.as_deref().and_then(segment_first).unwrap_or(0);
    let mut end = reader::walk(&*disk, from, |_, _| Ok::<(), JournalError>(()))?;
    if end.head.sequence == 0
        && let Some([.., before, _]) = segments.get(..)
        && segments.len() > 1
    {
        // the last segment was begun and nothing in it finished: the end is in the one before
        let torn = end.torn.take();
        let first = segment_first(before).unwrap_or(0);
        end = End { torn, ..reader::walk(&*disk, first, |_, _| Ok::<(), JournalError>(()))? };
    }
    let set_aside = end.torn.take().map(|torn| set_aside(&*disk, torn)).transpose()?;
    let journal = Journal::at(disk, &end, last, segment_bytes)?;
    Ok((journal, Opened { set_aside }))
}

/// Keeps the unfinished line in a file of its own, then cuts it off.
fn set_aside(disk: &dyn Disk, torn: Torn) -> Result<(Torn, String), JournalError> {
    let taken = disk.names().unwrap_or_default();
    let base = format!("{}.{}.torn", torn.segment.trim_end_matches(".jsonl"), torn.at);
    let mut name = base.clone();
    let mut count = 1;
    while taken.contains(&name) {
        count += 1;
        name = format!("{base}.{count}");
    }
    let io = |file: &str| {
        let file = file.to_owned();
        move |error| JournalError::Io { file, error }
    };
    let mut aside = disk.append_to(&name).map_err(io(&name))?;
    aside.append(&torn.bytes).and_then(|()| aside.sync()).map_err(io(&name))?;
    disk.sync_names().map_err(io(&name))?;
    let mut segment = disk.append_to(&torn.segment).map_err(io(&torn.segment))?;
    segment.cut(torn.at).and_then(|()| segment.sync()).map_err(io(&torn.segment))?;
    Ok((torn, name))
}
