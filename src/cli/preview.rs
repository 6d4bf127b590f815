//! `mingcha lists preview DRAFT --against REGISTER`: what a draft of the lists would do, before anyone publishes it.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::AtomicBool,
    time::Duration,
};

use anyhow::Context;
use serde_json::Value;

use super::{Lists, bad_use, print, reading::Reading, rescreen::refused};
use crate::{
    clock::today,
    embedded,
    jurisdiction::{Divisions, Region},
    rescreen::{
        Counts, Defaults, Delta, Fingerprint, Judge, Layout, Output, RescreenError, Rosters, Source,
        columns::CHANGED,
        pipeline::{Run, run},
        progress::Progress,
    },
    screen::Engine,
    sheet::{CsvOptions, Format},
    vocabulary::Event,
    wordlist::Files,
};

/// Most firms that are shown of each change.
const SAMPLES: usize = 5;
/// Most terms and regions that are shown.
const SHOWN: usize = 30;

/// Previews a draft, which is a folder of lists or one instrument, against registers.
pub(super) fn preview(draft: &Path, against: Vec<PathBuf>, reading: &Reading, lists: &Lists) -> anyhow::Result<ExitCode> {
    let built = lists.files().and_then(|files| {
        let drafted = with_draft(&files, draft)?;
        Ok(((Engine::build(&files)?, files), (Engine::build(&drafted)?, drafted)))
    });
    let ((before, before_files), (after, after_files)) = match built {
        Ok(built) => built,
        Err(problems) => return Ok(bad_use(&problems)),
    };
    let region = match reading.region(&after) {
        Ok(region) => region,
        Err(why) => return Ok(bad_use(&why)),
    };
    let delta = Delta::between((&before, &before_files), (&after, &after_files)).map_err(anyhow::Error::msg)?;
    let folder = tempfile::tempdir().context("there is no place for temporary files")?;
    let out = folder.path().join("preview.jsonl");
    let defaults = Defaults { day: today(), event: Event::Existing, region, kind: reading.entity };
    match changes(&after, &delta, Source::new(against, reading.options()).once(), defaults, &out) {
        Ok(counts) => {
            let samples = fs::read_to_string(&out).context("cannot read what was found")?;
            print(&told(&counts, &samples, after.lists().divisions())?)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Ok(refused(&error)),
    }
}

/// The lists as the draft would have them.
fn with_draft(files: &Files, draft: &Path) -> Result<Files, crate::problem::Problems> {
    if draft.is_dir() {
        return embedded::read(draft);
    }
    let name = draft.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let unreadable = |error: std::io::Error| crate::problem::Problems::of(vec![crate::problem::Problem::new(&name, 0, error.to_string())]);
    let text = fs::read_to_string(draft).map_err(unreadable)?;
    let known = files.iter().map(|(path, _)| path).find(|path| path.rsplit('/').next() == Some(&name)).map(str::to_owned);
    let nation = text.lines().any(|line| line.starts_with("jurisdiction") && line.contains("\"000000\""));
    let path = known.unwrap_or_else(|| format!("{}/{name}", if nation { "national" } else { "local" }));
    Ok(files.overlaid([(path, text)], &[]))
}

fn changes(after: &Engine, delta: &Delta<'_>, mut source: Source, defaults: Defaults, out: &Path) -> Result<Counts, RescreenError> {
    let layout = Layout { format: Format::Jsonl, csv: CsvOptions::default(), columns: CHANGED };
    let mut output = Output::begin(out, Fingerprint::default(), layout)?;
    let mut progress = Progress::new(source.read(), source.sizes().iter().copied().sum(), 0);
    let rosters = Rosters::default();
    let stop = AtomicBool::new(false);
    let how = Run { stop: &stop, waits: false, checkpoint_every: Duration::MAX, follow: &mut progress, recorder: None };
    run(&mut source, &|| Judge::new(after, Some(delta), &rosters, defaults, layout), &mut output, how)?;
    output.finish(defaults.day, after.lists().divisions()).map(|(counts, _)| counts)
}

fn told(counts: &Counts, samples: &str, divisions: &Divisions) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    writeln!(out, "rows in {}, unchanged {}, changed {}, rejected {}", counts.rows, counts.passed, counts.flagged, counts.rejected)?;
    let same = |key: &str| key.to_owned();
    table(&mut out, "changes 变化", &counts.changes, same)?;
    table(&mut out, "terms 字样", &counts.terms, same)?;
    table(&mut out, "fields of business 业态", &counts.fields, same)?;
    let place = |key: &str| {
        let region = key.rsplit(' ').next().and_then(|code| Region::parse(code).ok());
        format!("{key} {}", region.and_then(|region| divisions.full_name(region)).unwrap_or_default())
    };
    table(&mut out, "regions 地区", &counts.regions, place)?;
    sampled(&mut out, samples)?;
    Ok(out)
}

fn table(out: &mut String, title: &str, counts: &BTreeMap<String, u64>, name: impl Fn(&str) -> String) -> std::fmt::Result {
    if counts.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(_, firms)| std::cmp::Reverse(**firms));
    sorted.iter().take(SHOWN).try_for_each(|(key, firms)| writeln!(out, "{firms:>10}  {}", name(key)))?;
    if sorted.len() > SHOWN { writeln!(out, "            … and {} more", sorted.len() - SHOWN) } else { Ok(()) }
}

/// Some firms of each change.
fn sampled(out: &mut String, rows: &str) -> std::fmt::Result {
    let mut shown: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let text = |key: &str| super::paint::visible(row[key].as_str().unwrap_or_default());
        let count = shown.entry(text("change")).or_default();
        if *count == 0 {
            writeln!(out, "\nsamples {}", text("change"))?;
        }
        *count += 1;
        if *count <= SAMPLES {
            let list = |key: &str| {
                row[key].as_array().map_or_else(String::new, |list| list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("、"))
            };
            writeln!(
                out,
                "  {} {}  {} → {}  {}  {}",
                text("line"),
                text("name"),
                text("before"),
                text("decision"),
                list("terms"),
                list("because")
            )?;
        }
    }
    Ok(())
}
