//! `mingcha rescreen`: real files, the real binary.

pub(crate) mod changes;
mod claimed;
mod dirt;
mod finish;
mod forged;
mod formats;
pub(crate) mod held;
mod parquet;
mod record;
pub(crate) mod resume;
mod roster;
mod spared;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// The day as of which the tests judge.
pub(crate) const DAY: &str = "2026-11-01";

/// A folder with registers and what was made of them.
pub(crate) struct Bureau(TempDir);

impl Bureau {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), bytes).expect("written");
        self.path(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        String::from_utf8(bytes).expect("UTF-8")
    }

    /// The arguments of a run in this folder, whose inputs and output are named by files in it.
    pub(crate) fn command(&self, inputs: &[&str], out: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mingcha"));
        command.current_dir(self.0.path()).arg("rescreen").args(inputs).args(["--out", out]).args(more);
        command.env_remove("MINGCHA_WORDLISTS").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if !more.contains(&"--resume") && !more.contains(&"--date") {
            command.args(["--date", DAY]);
        }
        command
    }

    pub(crate) fn run(&self, inputs: &[&str], out: &str, more: &[&str]) -> Output {
        self.command(inputs, out, more).output().expect("mingcha runs")
    }

    /// Runs and gives what it printed; panics where it fails.
    pub(crate) fn rescreen(&self, inputs: &[&str], out: &str, more: &[&str]) -> String {
        let output = self.run(inputs, out, more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{}: {said}", output.status);
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Runs, and gives what it printed and the most memory that it had, in MB; panics where it fails.
    pub(crate) fn measured(&self, inputs: &[&str], out: &str, more: &[&str]) -> (String, u64) {
        let (output, memory) = self.weighed(inputs, out, more);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (String::from_utf8(output.stdout).expect("UTF-8"), memory)
    }

    /// Runs, and gives how that ended and the most memory that it had, in MB.
    pub(crate) fn weighed(&self, inputs: &[&str], out: &str, more: &[&str]) -> (Output, u64) {
        let mut child = self.command(inputs, out, more).spawn().expect("mingcha runs");
        let (status, mut most) = (format!("/proc/{}/status", child.id()), 0);
        while child.try_wait().expect("it can be asked").is_none() {
            let now = fs::read_to_string(&status).unwrap_or_default();
            let peak = now.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
            most = most.max(peak.unwrap_or(0));
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        (child.wait_with_output().expect("it ended"), most / 1024)
    }

    /// The names of all files in the folder.
    pub(crate) fn files(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).expect("a folder").map(|entry| entry.expect("a file").file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// The rows of a CSV by the header's names.
pub(crate) fn rows(csv: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(csv.trim_start_matches('\u{FEFF}').as_bytes());
    let header = reader.headers().expect("a header").clone();
    let at = |column: &&str| header.iter().position(|title| title == *column).unwrap_or_else(|| panic!("no column {column}"));
    let places: Vec<usize> = columns.iter().map(at).collect();
    let picked = |row: csv::StringRecord| places.iter().map(|at| row[*at].to_owned()).collect();
    reader.records().map(|row| picked(row.expect("a row"))).collect()
}

/// How many rows became what, as it is printed: `rows in`, `passed`, `flagged`, `rejected`.
pub(crate) fn told(said: &str) -> [u64; 4] {
    ["rows in", "passed", "flagged", "rejected"].map(|what| {
        let line = said.lines().find_map(|line| line.strip_prefix(what)).unwrap_or_else(|| panic!("{what} is missing: {said}"));
        line.split_whitespace().next().and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{line}"))
    })
}

/// Most memory of a run on a text or a Parquet file, in MB, whatever the file is.
pub(crate) const MEMORY: u64 = 200;

/// Whether a file is there.
pub(crate) fn there(path: &Path) -> bool {
    path.exists()
}

/// Five firms: two pass, one of them because the word is no business.
pub(crate) const FIRMS: &str = "\
企业名称\t统一社会信用代码\t登记机关\t企业类型\t成立日期\t经营范围
某地众诚理财有限公司\t91320113580493701R\t南京市玄武区市场监督管理局\t有限责任公司\t2011-10-18\t日用百货；金融服务
某地众诚日用品有限公司\t\t\t\t\t日用百货
某地众诚家具有限公司\t320113000012345\t\t\t\t保险柜销售
某地众诚支付有限公司\t91320113580493701X\t北京市朝阳区市场监督管理局\t\t\t
某地众诚个体担保店\t92320113580493701R\t\t个体工商户\t\t融资担保
";
