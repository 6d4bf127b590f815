//! `mingcha journal`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::Subcommand;

use super::{bad_use, print};
use crate::journal::{Head, anchor, disk::Folder, verify::verify};

/// Exit status for a journal that is not as it was.
const NOT_AS_IT_WAS: u8 = 1;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check a journal: find what was changed, reordered, dropped, cut off or rewritten.
    Verify {
        /// The folder of its segments.
        folder: PathBuf,
        /// A head that a caller was given: it must still be there.
        #[arg(long = "head", value_name = "SEQUENCE:HASH")]
        heads: Vec<Head>,
        /// A file of anchored heads: each must still be there, and signed with --key.
        #[arg(long, value_name = "FILE", requires = "key")]
        anchors: Option<PathBuf>,
        /// The public key that anchors are signed with: `anchor.pub`.
        #[arg(long, value_name = "FILE", requires = "anchors")]
        key: Option<PathBuf>,
    },
}

impl Command {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self::Verify { folder, mut heads, anchors, key } = self;
        if let (Some(anchors), Some(key)) = (&anchors, &key) {
            heads.extend(anchored(anchors, key)?);
        }
        if !folder.is_dir() {
            return Ok(bad_use(&format!("{} is no folder", folder.display())));
        }
        let disk = Folder::open(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let report = verify(&disk, &heads)?;
        let findings: Vec<String> = report.findings.iter().map(|finding| finding.to_string() + "\n").collect();
        let torn = report.torn.as_ref().map_or_else(String::new, |torn| {
            format!("{}: an unfinished last line of {} bytes, never acknowledged\n", torn.segment, torn.bytes.len())
        });
        let verdict = if report.findings.is_empty() { "no finding" } else { "NOT AS IT WAS" };
        print(&format!(
            "{}{torn}{} records in {} segments, head {}: {verdict}\n",
            findings.concat(),
            report.records,
            report.segments,
            report.head
        ))?;
        Ok(if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(NOT_AS_IT_WAS) })
    }
}

/// The heads of a file of anchors. Whoever anchors may have been stopped while it wrote: a line without a whole signature
/// is unfinished, and says nothing.
fn anchored(anchors: &Path, key: &Path) -> anyhow::Result<Vec<Head>> {
    let read = |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let (text, key) = (read(anchors)?, read(key)?);
    let whole = |line: &&str| line.rsplit_once(' ').is_some_and(|(_, signature)| signature.len() == 128);
    let lines = text.lines().enumerate().filter(|(_, line)| whole(line));
    lines
        .map(|(index, line)| anchor::read(line, &key).map_err(|what| anyhow::anyhow!("{}, line {}: {what}", anchors.display(), index + 1)))
        .collect()
}
