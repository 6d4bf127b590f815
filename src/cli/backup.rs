//! `mingcha backup` and `mingcha restore` (备份与恢复).

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Component, Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::Args;

use super::{
    Lists,
    client::{LARGEST, Line, To},
    print,
    watch::said,
};
use crate::{
    journal::{Head, disk::Folder, verify::verify},
    office,
    wire::v1::{BackupRequest, journal_service_client::JournalServiceClient},
};

/// The last file of a backup that is whole: its head.
const WHOLE: &str = "head";

/// Back up a running service.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// A folder that is not there yet.
    folder: PathBuf,
    #[command(flatten)]
    to: To,
}

/// Make a data folder of a backup.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The folder of the backup.
    folder: PathBuf,
    /// The data folder: not there yet, or empty.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

impl Backup {
    pub(super) fn run(&self, lists: &Lists) -> anyhow::Result<ExitCode> {
        if self.folder.exists() {
            bail!("{} is there already", self.folder.display());
        }
        let head = self.to.with(lists, |line| fetch(line, &self.folder))?;
        print(&format!("backup of {} records in {}, head {head}\n", head.sequence, self.folder.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Restore {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let head = whole(&self.folder)?;
        if fs::read_dir(&self.data).is_ok_and(|mut entries| entries.next().is_some()) {
            bail!("{} is not empty", self.data.display());
        }
        let lock = office::lock(&self.data)?;
        copy(&self.folder.join("lists"), &self.data.join("lists"))?;
        copy(&self.folder.join("journal"), &self.data.join("journal"))?;
        check(&self.data, head)?;
        drop(lock);
        print(&format!("{} records restored to {}, head {head}\n", head.sequence, self.data.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn fetch(line: Line, folder: &Path) -> anyhow::Result<Head> {
    let mut client = JournalServiceClient::new(line).max_decoding_message_size(LARGEST);
    let mut pieces = client.backup(BackupRequest {}).await.map_err(|status| said(&status))?.into_inner();
    made(folder)?;
    made(&folder.join("journal"))?; // there even where nothing was recorded yet
    let mut writing = Writing { folder, file: None };
    while let Some(piece) = pieces.message().await.map_err(|status| said(&status))? {
        if let Some(head) = piece.head {
            writing.end()?;
            let head: Head = format!("{}:{}", head.sequence, head.hash).parse().context("the service's head is none")?;
            check(folder, head)?;
            let mut file = new_file(&folder.join(WHOLE))?;
            file.write_all(format!("{head}\n").as_bytes()).and_then(|()| file.sync_all()).context("cannot write the head")?;
            return Ok(head);
        }
        writing.piece(&piece.path, &piece.content)?;
    }
    bail!("the backup ended before its end: it is not whole")
}

/// A backup while it is written.
struct Writing<'f> {
    folder: &'f Path,
    file: Option<(String, File)>,
}

impl Writing<'_> {
    fn piece(&mut self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        if self.file.as_ref().is_none_or(|(of, _)| of != path) {
            self.end()?;
            let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
            if !plain || path.is_empty() {
                bail!("the service named a file outside of the backup: '{}'", path.escape_debug());
            }
            let target = self.folder.join(path);
            made(target.parent().unwrap_or(self.folder))?;
            self.file = Some((path.to_owned(), new_file(&target)?));
        }
        let Some((_, file)) = &mut self.file else { return Ok(()) }; // it was just opened
        file.write_all(content).with_context(|| format!("cannot write {path}"))
    }

    fn end(&mut self) -> anyhow::Result<()> {
        match self.file.take() {
            Some((path, file)) => file.sync_all().with_context(|| format!("cannot write {path}")),
            None => Ok(()),
        }
    }
}

/// The head of a backup that is whole.
fn whole(folder: &Path) -> anyhow::Result<Head> {
    let path = folder.join(WHOLE);
    let head = fs::read_to_string(&path).with_context(|| format!("{} is no whole backup", folder.display()))?;
    let head: Head = head.trim().parse().with_context(|| format!("{} has no head", path.display()))?;
    check(folder, head)?;
    Ok(head)
}

/// Checks the journal of a folder: nothing in it was changed, and it goes up to the head.
fn check(folder: &Path, head: Head) -> anyhow::Result<()> {
    let disk = Folder::open(&folder.join("journal")).with_context(|| format!("cannot read {}", folder.display()))?;
    let report = verify(&disk, &[])?;
    if let Some(finding) = report.findings.first() {
        bail!("the journal is not as it was: {finding}");
    }
    if report.head != head {
        bail!("the journal ends at {}, not at {head}", report.head);
    }
    Ok(())
}

fn made(folder: &Path) -> anyhow::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// A file for the owner only, which must not be there yet.
fn new_file(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(|| format!("cannot write {}", path.display()))
}

/// Copies the files of a folder, and those below; of a folder that is not there, none.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let Ok(entries) = fs::read_dir(from) else { return Ok(()) };
    made(to)?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", from.display()))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().with_context(|| format!("cannot read {}", source.display()))?.is_dir() {
            copy(&source, &target)?;
            continue;
        }
        let mut file = new_file(&target)?;
        let copied = File::open(&source).and_then(|mut source| io::copy(&mut source, &mut file));
        copied.and_then(|_| file.sync_all()).with_context(|| format!("cannot copy {}", source.display()))?;
    }
    Ok(())
}
