//! Watching a folder of wordlists (监视). It is looked at, not listened to: network file systems and bind mounts say
//! nothing when a file changes.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{Library, ReloadError, Reloaded, Source};
use crate::wordlist::decides;

/// How a folder looks from outside: of every file that can decide, its path, length, change and identity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look(Vec<(PathBuf, u64, i64, i64, u64)>);

impl Look {
    /// Looks at a folder. What cannot be read looks like nothing.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        let mut files = Vec::new();
        let _ = walk(folder, &mut files); // reloading will say what cannot be read
        files.sort();
        Self(files)
    }
}

fn walk(folder: &Path, files: &mut Vec<(PathBuf, u64, i64, i64, u64)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else if path.file_name().and_then(|name| name.to_str()).is_some_and(decides) {
            let seen = fs::metadata(&path)?;
            files.push((path, seen.len(), seen.mtime(), seen.mtime_nsec(), seen.ino()));
        }
    }
    Ok(())
}

/// Reloads the library whenever its folder has changed and has then stood still for one look, until `stop`. Says what
/// each reload came to; a folder that is bad is reported once, not at every look.
pub async fn watch(library: Arc<Library>, every: Duration, stop: CancellationToken, report: impl Fn(Result<Reloaded, ReloadError>)) {
    let Source::Folder(folder) = library.source().clone() else { return };
    if every.is_zero() {
        return;
    }
    let mut done = Look::default(); // it may have changed since it was read: the first look reloads, at no cost if not
    let mut before = done.clone();
    while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
        let path = folder.clone();
        let Ok(now) = tokio::task::spawn_blocking(move || Look::at(&path)).await else { return };
        if now != done && now == before {
            let reloading = Arc::clone(&library);
            let Ok(reloaded) = tokio::task::spawn_blocking(move || reloading.reload()).await else {
                tracing::error!("a reload of the lists failed by a mistake in the service");
                done = now;
                continue;
            };
            let again = matches!(&reloaded, Err(ReloadError::Keep(_))); // the disk may be well at the next look
            if !matches!(&reloaded, Ok(Reloaded { before, after }) if before == after) {
                report(reloaded);
            }
            if !again {
                done = now.clone();
            }
        }
        before = now;
    }
}
