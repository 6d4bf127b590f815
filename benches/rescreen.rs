//! Re-screening a register against others who read the same file, in one run.
//!
//! (a) the `csv` crate, parsing alone; (b) `rg -c -F -f terms`, where there is ripgrep; (c) `DuckDB` with one `regexp_matches` over
//! both columns, where `MINGCHA_PYTHON` has it (its query alone is timed); (d) the full verdict with the flagged firms as CSV. The
//! ratios of the medians are printed, both of the time that passed and of the processors' time, which others on the machine hardly
//! change; and the most memory that the verdict ever had.
//!
//! `MINGCHA_REGISTER=firms.tsv MINGCHA_ROWS=10000,100000,1000000,3000000,10000000 cargo bench --bench rescreen` is the full form;
//! without them it takes 100 000 invented firms. `MINGCHA_ROUNDS` says how many rounds.

#![allow(clippy::expect_used, clippy::cast_precision_loss)] // a benchmark that cannot go on says why; counts are far below 2^52

mod register;

use std::{
    env,
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
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
use tempfile::TempDir;

/// What is timed, in this order.
const NAMES: [&str; 4] = ["csv parsing alone", "rg -c -F -f terms", "DuckDB regexp_matches", "full verdict"];

/// What every run needs.
struct Setting {
    folder: TempDir,
    engine: Engine,
    terms: PathBuf,
    rounds: usize,
    python: String,
    rg: bool,
    duckdb: bool,
}

fn main() {
    let args: Vec<String> = env::args().collect();
    if let [_, write, path, rows] = &args[..]
        && write == "--write"
    {
        return write_register(Path::new(path), rows.parse().expect("a number"));
    }
    let rows = env::var("MINGCHA_ROWS").unwrap_or_else(|_| "100000".to_owned());
    let setting = Setting::new();
    for rows in rows.split(',') {
        setting.run(rows.trim().parse().expect("MINGCHA_ROWS are numbers"));
    }
}

impl Setting {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Engine::build(&embedded::files()).expect("the embedded lists are checked by the tests");
        let terms = folder.path().join("terms.txt");
        let texts: Vec<&str> = engine.lists().terms().iter().map(|term| term.text.as_str()).collect();
        fs::write(&terms, texts.join("\n")).expect("written");
        let rounds = env::var("MINGCHA_ROUNDS").map_or(5, |rounds| rounds.parse().expect("MINGCHA_ROUNDS is a number"));
        let python = env::var("MINGCHA_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let rg = installed(Command::new("rg").arg("--version"));
        let duckdb = installed(Command::new(&python).args(["-c", "import duckdb"]));
        Self { folder, engine, terms, rounds, python, rg, duckdb }
    }

    fn run(&self, rows: usize) {
        let path = self.folder.path().join("firms.tsv");
        // another process: what it takes is not to be counted here
        let write = Command::new(env::current_exe().expect("itself")).arg("--write").arg(&path).arg(rows.to_string()).status();
        assert!(write.expect("it runs").success());
        let mut times: [Vec<Seconds>; 4] = Default::default();
        let mut counts = Counts::default();
        for _ in 0..self.rounds {
            times[0].push(timed(|| assert_eq!(parsed(&path), rows)));
            if self.rg {
                let mut rg = Command::new("rg");
                rg.args(["-c", "-F", "-f"]).args([&self.terms, &path]);
                times[1].push(timed(|| assert!(rg.output().expect("it runs").status.success())));
            }
            if self.duckdb {
                times[2].push(self.duckdb(&path));
            }
            times[3].push(timed(|| counts = rescreened(&self.engine, &path, self.folder.path())));
        }
        assert_eq!(counts.rows, rows as u64);
        println!("{rows} firms, {} bytes; seconds, median of {}", fs::metadata(&path).expect("it is there").len(), self.rounds);
        report(&times, rows, &counts);
    }

    /// The seconds that the query takes, without Python's own beginning.
    fn duckdb(&self, path: &Path) -> Seconds {
        let output = Command::new(&self.python).args(["-c", DUCKDB]).args([path, &self.terms]).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut seconds = said.split_whitespace().map(|seconds| seconds.parse().expect("seconds"));
        Seconds { passed: seconds.next().expect("two"), worked: seconds.next().expect("two") }
    }
}

/// Writes so many firms: the lines of the register over and over.
fn write_register(path: &Path, rows: usize) {
    let text = if let Ok(register) = env::var("MINGCHA_REGISTER") {
        fs::read_to_string(register).expect("MINGCHA_REGISTER is a file of text")
    } else {
        let firms = register::firms(rows.min(200_000));
        let line = |firm: &register::Firm| format!("{}\t91320113580493701R\t{}\n", firm.name, firm.scope);
        "name\tuscc\tscope\n".to_owned() + &firms.iter().map(line).collect::<String>()
    };
    let (header, lines) = text.split_once('\n').expect("a header");
    let mut out = BufWriter::new(File::create(path).expect("a file"));
    writeln!(out, "{header}").expect("written");
    for line in lines.lines().collect::<Vec<_>>().iter().cycle().take(rows) {
        writeln!(out, "{line}").expect("written");
    }
    out.flush().expect("written");
}

/// How long something took.
#[derive(Clone, Copy)]
struct Seconds {
    /// By the clock.
    passed: f64,
    /// Of the processors.
    worked: f64,
}

/// Seconds that processors worked for this process and for its children that ended.
fn worked() -> f64 {
    const TICKS: f64 = 100.0; // a second, on every Linux
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(4).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS
}

fn timed(what: impl FnOnce()) -> Seconds {
    let (begun, before) = (Instant::now(), worked());
    what();
    Seconds { passed: begun.elapsed().as_secs_f64(), worked: worked() - before }
}

fn parsed(path: &Path) -> usize {
    let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').quoting(false).from_path(path).expect("a file");
    let (mut record, mut rows) = (csv::ByteRecord::new(), 0);
    while reader.read_byte_record(&mut record).expect("a record") {
        rows += usize::from(record.len() >= 3);
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
    let stop = AtomicBool::new(false);
    let how = Run { stop: &stop, waits: false, checkpoint_every: Duration::from_secs(5), follow: &mut progress, recorder: None };
    assert!(run(&mut source, &|| Judge::new(engine, None, &rosters, defaults, layout), &mut output, how).expect("screened"));
    output.finish(day, engine.lists().divisions()).expect("written").0
}

const DUCKDB: &str = "
import sys, time, duckdb
terms = '|'.join(open(sys.argv[2], encoding='utf-8').read().split())
duckdb.sql('set enable_progress_bar = false')
begun, before = time.time(), time.process_time()
duckdb.sql(f\"select count(*) from read_csv('{sys.argv[1]}', delim='\\t', quote='', header=true, all_varchar=true) \
where regexp_matches(name, '{terms}') or regexp_matches(scope, '{terms}')\").fetchall()
print(time.time() - begun, time.process_time() - before)
";

fn installed(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn report(times: &[Vec<Seconds>; 4], rows: usize, counts: &Counts) {
    let median = |times: &[Seconds], of: fn(&Seconds) -> f64| {
        let mut times: Vec<f64> = times.iter().map(of).collect();
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied()
    };
    let (passed, worked) = (|seconds: &Seconds| seconds.passed, |seconds: &Seconds| seconds.worked);
    let medians = times.each_ref().map(|times| Some(Seconds { passed: median(times, passed)?, worked: median(times, worked)? }));
    let verdict = medians[3].expect("it was timed");
    println!("  {:22} {:>8}  {:>8}   verdict / it", "", "passed", "worked");
    for (name, median) in NAMES.iter().zip(medians) {
        let Some(Seconds { passed, worked }) = median else {
            println!("  {name:<22} not installed");
            continue;
        };
        println!("  {name:<22} {passed:8.3}  {worked:8.3}   {:.2}  {:.2}", verdict.passed / passed, verdict.worked / worked);
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown").trim();
    let (rate, busy) = (rows as f64 / verdict.passed, verdict.worked / verdict.passed);
    println!("  {rate:.0} firms a second, {} flagged, {busy:.2} processors busy, most memory {memory}", counts.flagged);
}
