//! `mingcha watch`: the watch list on the command line.

mod columns;
mod show;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::{
    Lists,
    client::{LARGEST, Line, To},
    print,
    reading::encoding,
};
use crate::{
    clock::today,
    encoding::Encoding,
    set::Member,
    sheet::{Cell, CsvOptions, Sheet, Table},
    vocabulary::{BusinessField, Decision},
    watch::{Disposition, Source, Status},
    wire::{
        number,
        v1::{self, GetFileRequest, WatchFilter, WatchListServiceListRequest, watch_list_service_client::WatchListServiceClient},
    },
};

/// Entries of a page that is fetched.
const PAGE: u32 = 200;

/// What is done with the watch list.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    to: To,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List entries, the newest first.
    List {
        #[command(flatten)]
        filter: Box<Filter>,
        /// Most entries.
        #[arg(long, value_name = "NUMBER", default_value_t = 50)]
        limit: usize,
        /// One entry a line, as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a firm's file: its entry, and every record that speaks of it.
    Show {
        /// The firm: its number (F17) or its unified social credit code.
        firm: String,
        /// As of which instant, such as 2026-11-24T08:00:00Z.
        #[arg(long, value_name = "INSTANT", default_value = "")]
        as_of: String,
        /// As JSON: the entry on the first line, then a record a line.
        #[arg(long)]
        json: bool,
    },
    /// Write entries to a table: .xlsx, .csv, .jsonl or .parquet.
    Export {
        /// The file.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        filter: Box<Filter>,
        #[command(flatten)]
        style: Style,
    },
}

/// How a table is written.
#[derive(Debug, Args)]
pub(super) struct Style {
    /// Encoding of a CSV: utf-8 (with a byte order mark) or gb18030.
    #[arg(long, value_name = "ENCODING", default_value = "utf-8", value_parser = encoding)]
    encoding: Encoding,
    /// Leaves cells of a CSV that begin like a formula as they are.
    #[arg(long)]
    raw: bool,
}

impl Style {
    pub(super) fn options(&self) -> CsvOptions {
        CsvOptions { encoding: self.encoding, raw: self.raw }
    }
}

/// Which entries.
#[derive(Debug, Args)]
struct Filter {
    /// OPEN, `UNDER_REVIEW`, DETERMINED, RELEASED.
    #[arg(long, value_name = "STATUS", value_parser = one_of::<Status>)]
    status: Vec<Status>,
    /// COMPLIANT, RECTIFY, BAN, REVOKE, POLICE.
    #[arg(long, value_name = "DISPOSITION", value_parser = one_of::<Disposition>)]
    disposition: Vec<Disposition>,
    /// ATTENTION (those of the monthly 会商), RESTRICTED, SUSPENDED, PROHIBITED.
    #[arg(long, value_name = "DECISION", value_parser = one_of::<Decision>)]
    level: Vec<Decision>,
    /// A term that counts.
    #[arg(long, value_name = "TERM")]
    term: Vec<String>,
    /// A field of business, such as payment or 支付.
    #[arg(long, value_name = "FIELD", value_parser = one_of::<BusinessField>)]
    field: Vec<BusinessField>,
    /// A place with all below it: a code or a name.
    #[arg(long, value_name = "PLACE", default_value = "")]
    region: String,
    /// `NAME_APPROVAL`, RESCREENING, COMPLAINT, `OTHER_DISTRICT`, ROSTER.
    #[arg(long, value_name = "SOURCE", value_parser = one_of::<Source>)]
    source: Vec<Source>,
    /// A tag.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Opened on this day or later.
    #[arg(long, value_name = "DAY", default_value = "")]
    from: String,
    /// Opened on this day or earlier.
    #[arg(long, value_name = "DAY", default_value = "")]
    to: String,
    /// Only those of which something was due before today.
    #[arg(long)]
    overdue: bool,
    /// Text in the firm's name.
    #[arg(long, value_name = "TEXT", default_value = "")]
    name: String,
}

impl Filter {
    fn message(&self) -> WatchFilter {
        WatchFilter {
            statuses: numbers(&self.status),
            dispositions: numbers(&self.disposition),
            levels: numbers(&self.level),
            terms: self.term.clone(),
            business_fields: numbers(&self.field),
            region: self.region.clone(),
            sources: numbers(&self.source),
            tags: self.tag.clone(),
            opened_from: self.from.clone(),
            opened_to: self.to.clone(),
            overdue: self.overdue,
            name_contains: self.name.clone(),
            ..WatchFilter::default()
        }
    }
}

fn numbers<T: Member>(values: &[T]) -> Vec<i32> {
    values.iter().copied().map(number).collect()
}

/// Reads a value of a vocabulary by its id, in any case, or its Chinese name.
pub(super) fn one_of<T: Member + Named>(text: &str) -> Result<T, String> {
    let found = T::ALL.iter().find(|value| value.id().eq_ignore_ascii_case(text) || value.chinese() == text);
    found.copied().ok_or_else(|| format!("one of {}", T::ALL.iter().map(|value| value.id()).collect::<Vec<_>>().join(", ")))
}

/// A value with a Chinese name.
pub(super) trait Named {
    /// The name.
    fn chinese(&self) -> &'static str;
}

macro_rules! named {
    ($($vocabulary:ty),+) => {$(
        impl Named for $vocabulary {
            fn chinese(&self) -> &'static str {
                (*self).chinese()
            }
        }
    )+};
}
named!(Status, Disposition, Decision, BusinessField, Source, crate::watch::ReferralState);

/// The Chinese name of a protobuf enum's number; nothing where it is not set.
pub(super) fn chinese<T: Member + Named>(number: i32) -> &'static str {
    crate::wire::member::<T>(number).map_or("", |value| value.chinese())
}

/// What a status says, for people.
pub(super) fn said(status: &tonic::Status) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", format!("{:?}", status.code()).to_lowercase(), status.message())
}

fn client(line: Line) -> WatchListServiceClient<Line> {
    WatchListServiceClient::new(line).max_decoding_message_size(LARGEST)
}

impl Arguments {
    pub(super) fn run(&self, lists: &Lists) -> anyhow::Result<ExitCode> {
        match &self.command {
            Command::List { filter, limit, json } => self.to.with(lists, |line| list(line, filter.message(), *limit, *json))?,
            Command::Show { firm, as_of, json } => self.to.with(lists, |line| show(line, firm, as_of, *json))?,
            Command::Export { out, filter, style } => self.to.with(lists, |line| export(line, filter.message(), out, style.options()))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Calls `each` with every entry, page by page, until it says that it has enough.
async fn each(line: Line, filter: WatchFilter, mut each: impl FnMut(&v1::WatchEntry) -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let mut client = client(line);
    let mut request = WatchListServiceListRequest { filter: Some(filter), page_size: PAGE, ..Default::default() };
    loop {
        let page = client.list(request.clone()).await.map_err(|status| said(&status))?.into_inner();
        for entry in &page.entries {
            if !each(entry)? {
                return Ok(());
            }
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}

async fn list(line: Line, filter: WatchFilter, limit: usize, json: bool) -> anyhow::Result<()> {
    let mut left = limit;
    let mut more = false;
    each(line, filter, |entry| {
        more = left == 0;
        if more {
            return Ok(false);
        }
        left -= 1;
        print(&if json { serde_json::to_string(entry)? + "\n" } else { show::line(entry) })?;
        Ok(true)
    })
    .await?;
    if more {
        anstream::eprintln!("mingcha: there are more than {limit}: --limit shows them, `watch export` writes them all");
    }
    Ok(())
}

async fn show(line: Line, firm: &str, as_of: &str, json: bool) -> anyhow::Result<()> {
    let mut client = client(line);
    let mut request = GetFileRequest { firm: firm.to_owned(), as_of: as_of.to_owned(), page_size: PAGE, ..Default::default() };
    let mut first = true;
    loop {
        let page = client.get_file(request.clone()).await.map_err(|status| said(&status))?.into_inner();
        if let Some(entry) = page.entry.as_ref().filter(|_| first) {
            print(&if json { serde_json::to_string(entry)? + "\n" } else { show::entry(entry) })?;
        }
        first = false;
        for record in &page.records {
            print(&if json { serde_json::to_string(record)? + "\n" } else { show::record(record) })?;
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}

async fn export(line: Line, filter: WatchFilter, out: &Path, options: CsvOptions) -> anyhow::Result<()> {
    let mut sheet = begun(out, "重点监管对象", columns::ENTRY, options)?;
    let mut count = 0u64;
    each(line, filter, |entry| {
        written(&mut sheet, &columns::entry(entry))?;
        count += 1;
        Ok(true)
    })
    .await?;
    finished(sheet, out, count)
}

/// Where a table is written until it is whole: beside, with the same ending.
fn unfinished(out: &Path) -> PathBuf {
    let name = out.file_name().map(std::ffi::OsStr::to_string_lossy).unwrap_or_default();
    out.with_file_name(format!(".unfinished-{name}"))
}

/// Begins a table, which must not be there yet.
pub(super) fn begun(out: &Path, name: &str, columns: &'static [crate::sheet::Column], options: CsvOptions) -> anyhow::Result<Sheet> {
    if out.exists() {
        bail!("{} is there already", out.display());
    }
    Sheet::create(&unfinished(out), name, columns, today(), options).with_context(|| format!("cannot write {}", out.display()))
}

pub(super) fn written(sheet: &mut Sheet, row: &[String]) -> anyhow::Result<()> {
    let cells: Vec<Cell<'_>> = row.iter().map(Cell::from).collect();
    sheet.row(&cells).context("cannot write the table")
}

pub(super) fn finished(sheet: Sheet, out: &Path, count: impl fmt::Display) -> anyhow::Result<()> {
    sheet.finish().with_context(|| format!("cannot write {}", out.display()))?;
    fs::rename(unfinished(out), out).with_context(|| format!("cannot write {}", out.display()))?;
    print(&format!("{count} rows in {}\n", out.display()))
}

pub(super) use columns::{REFERRAL, referral as referral_row};
pub(super) use show::referral as referral_line;
