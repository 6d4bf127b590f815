//! Re-screening a register against others who read the same file, in one run.
//!
//! (a) the `csv` crate, parsing alone; (b) `rg -c -F -f terms`, where there is ripgrep; (c) `DuckDB` with one `regexp_matches` over
//! both columns, where Python has it; (d) the full verdict with the flagged firms as CSV. The ratios of the medians are printed
//! at the end, with the most memory that the process ever had.
//!
//! `MINGCHA_REGISTER=firms.tsv MINGCHA_ROWS=3000000 cargo bench --bench rescreen` is the full form; without them it takes 100 000
//! invented firms.

#![allow(clippy::expect_used, clippy::cast_precision_loss)] // a benchmark that cannot go on says why; counts are far below 2^52

mod register;

use std::{
    env,
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    process::{Command, Stdio},
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use mingcha::{
    day, embedded,
    jurisdiction::Region,
    register::Options,
    rescreen::{
        Counts, Defaults, Fingerprint, Judge, Layout, Output, Rosters, Source,
        columns::FLAGGED,
        pipeline::{Run, run},
        progress::Progress,
    },
    screen::Engine,
    sheet::{CsvOptions, Format},
    vocabulary::{EntityKind, Event},
};

const ROUNDS: usize = 5;

fn main() {
    let rows: usize = env::var("MINGCHA_ROWS").map_or(100_000, |rows| rows.parse().expect("MINGCHA_ROWS is a number"));
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::build(&embedded::files()).expect("the embedded lists are checked by the tests");
    let path = folder.path().join("firms.tsv");
    let bytes = write_register(&path, rows);
    let terms = folder.path().join("terms.txt");
    let texts: Vec<&str> = engine.lists().terms().iter().map(|term| term.text.as_str()).collect();
    fs::write(&terms, texts.join("\n")).expect("written");
    println!("{rows} firms, {bytes} bytes; seconds, median of {ROUNDS}");
    let rg = installed(Command::new("rg").arg("--version"));
    let duckdb = installed(Command::new("python3").args(["-c", "import duckdb"]));
    let mut times: [Vec<f64>; 4] = Default::default();
    let mut counts = Counts::default();
    for _ in 0..ROUNDS {
        times[0].push(timed(|| assert_eq!(parsed(&path), rows)));
        if rg {
            times[1].push(timed(|| finished(Command::new("rg").args(["-c", "-F", "-f"]).args([&terms, &path]))));
        }
        if duckdb {
            times[2].push(timed(|| finished(Command::new("python3").args(["-c", DUCKDB]).args([&path, &terms]))));
        }
        times[3].push(timed(|| counts = rescreened(&engine, &path, folder.path())));
    }
    assert_eq!(counts.rows, rows as u64);
    report(&mut times, rows, &counts);
}

/// Writes so many firms, those of the register over and over.
fn write_register(path: &Path, rows: usize) -> u64 {
    let firms = register::firms(rows.min(200_000));
    let mut out = BufWriter::new(File::create(path).expect("a file"));
    out.write_all(b"name\tuscc\tscope\n").expect("written");
    for firm in firms.iter().cycle().take(rows) {
        writeln!(out, "{}\t91320113580493701R\t{}", firm.name, firm.scope).expect("written");
    }
    out.flush().expect("written");
    fs::metadata(path).expect("it is there").len()
}

fn timed(what: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    what();
    begun.elapsed().as_secs_f64()
}

fn parsed(path: &Path) -> usize {
    let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').quoting(false).from_path(path).expect("a file");
    let (mut record, mut rows) = (csv::ByteRecord::new(), 0);
    while reader.read_byte_record(&mut record).expect("a record") {
        rows += usize::from(record.len() == 3);
    }
    rows
}

fn rescreened(engine: &Engine, path: &Path, folder: &Path) -> Counts {
    let mut source = Source::new(vec![path.to_owned()], Options::default());
    let day = day::parse("2026-11-01").expect("a day");
    let defaults = Defaults { day, event: Event::Existing, region: Region::NATION, kind: EntityKind::Enterprise };
    let layout = Layout { format: Format::Csv, csv: CsvOptions::default(), columns: FLAGGED };
    let mut output = Output::begin(&folder.join("out.csv"), Fingerprint::default(), layout).expect("begun");
    let mut progress = Progress::new(source.read(), None, 0);
    let rosters = Rosters::default();
    let how = Run { stop: &AtomicBool::new(false), checkpoint_every: Duration::from_secs(5), follow: &mut progress, recorder: None };
    assert!(run(&mut source, &|| Judge::new(engine, None, &rosters, defaults, layout), &mut output, how).expect("screened"));
    output.finish(day, engine.lists().divisions()).expect("written")
}

const DUCKDB: &str = "
import sys, duckdb
terms = '|'.join(open(sys.argv[2], encoding='utf-8').read().split())
duckdb.sql(f\"select count(*) from read_csv('{sys.argv[1]}', delim='\\t', quote='', header=true, all_varchar=true) \
where regexp_matches(name, '{terms}') or regexp_matches(scope, '{terms}')\").fetchall()
";

fn installed(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn finished(command: &mut Command) {
    assert!(command.stdout(Stdio::null()).status().expect("it runs").success(), "{command:?}");
}

fn report(times: &mut [Vec<f64>; 4], rows: usize, counts: &Counts) {
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied()
    };
    let [parsing, rg, duckdb, verdict] = times.each_mut().map(median);
    let verdict = verdict.expect("it was timed");
    let named = [("csv parsing alone", parsing), ("rg -c -F -f terms", rg), ("DuckDB regexp_matches", duckdb)];
    for (name, seconds) in named {
        match seconds {
            Some(seconds) => println!("  {name:<22} {seconds:8.3}   verdict / it {:.2}", verdict / seconds),
            None => println!("  {name:<22} not installed"),
        }
    }
    println!("  {:<22} {verdict:8.3}   {:.0} firms a second, {} flagged", "full verdict", rows as f64 / verdict, counts.flagged);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("  most memory: {}", status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown").trim());
}
