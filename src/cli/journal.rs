//! `mingcha journal`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Subcommand;

use super::{bad_use, print};
use crate::journal::{Head, disk::Folder, verify::verify};

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
    },
}

impl Command {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self::Verify { folder, heads } = self;
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
