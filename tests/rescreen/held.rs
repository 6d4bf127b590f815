//! Runs that are held open: a register is standard input and has no end before the run is stopped, however fast it is.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

const HEADER: &str = "企业名称,注册号,经营范围\n";

/// A row of a firm, and sometimes a bad one behind it.
pub(crate) fn row(number: usize) -> String {
    let scope = "日用百货零售；建筑装饰工程设计、施工；企业管理咨询；".repeat(6);
    let name = if number.is_multiple_of(5) { "理财" } else { "日用品" };
    let business = if number.is_multiple_of(7) { "融资担保" } else { "" };
    let mut row = format!("某地众诚{name}{number}有限公司,{number},\"{scope}\n{business}\"\n");
    if number % 1000 == 3 {
        row += "坏行,1\n";
    }
    row
}

/// A register of so many rows.
pub(crate) fn register(rows: usize) -> String {
    register_of(rows, row)
}

pub(crate) fn register_of(rows: usize, row: fn(usize) -> String) -> String {
    (0..rows).fold(HEADER.to_owned(), |text, number| text + &row(number))
}

/// A run that is held open.
pub(crate) struct Held {
    child: Child,
    input: ChildStdin,
    row: fn(usize) -> String,
    /// How many rows were sent.
    rows: usize,
}

impl Held {
    /// Begins it; one of its inputs is `-`.
    pub(crate) fn begin(mut command: Command, row: fn(usize) -> String) -> Self {
        let mut child = command.stdin(Stdio::piped()).spawn().expect("mingcha runs");
        let input = child.stdin.take().expect("piped");
        Self { child, input, row, rows: 0 }
    }

    /// Sends more rows; says whether anybody still reads.
    fn send(&mut self) -> bool {
        let mut text = if self.rows == 0 { HEADER.to_owned() } else { String::new() };
        for number in self.rows..self.rows + 100 {
            write!(text, "{}", (self.row)(number)).expect("memory");
        }
        self.rows += 100;
        self.input.write_all(text.as_bytes()).is_ok()
    }

    /// Sends rows until something is so.
    pub(crate) fn until(mut self, is_so: impl Fn() -> bool) -> Self {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < Duration::from_secs(120), "it does not come to it");
            assert!(self.send(), "it ended: {:?}", self.ended().0);
        }
        self
    }

    /// Waits, without sending anything, until something is so.
    pub(crate) fn waiting_until(mut self, is_so: impl Fn() -> bool) -> Self {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < Duration::from_secs(120), "it does not come to it");
            assert!(self.child.try_wait().expect("it can be asked").is_none(), "it ended: {:?}", self.ended().0);
            std::thread::sleep(Duration::from_millis(1));
        }
        self
    }

    /// Sends it a signal.
    pub(crate) fn signalled(self, sign: &str) -> Self {
        let sent = Command::new("kill").args([sign, &self.child.id().to_string()]).status().expect("there is kill");
        assert!(sent.success());
        self
    }

    /// Interrupts it, and once more when it has said something; rows come without end.
    pub(crate) fn interrupted_twice(self, between: &str) -> ExitStatus {
        let Self { mut child, mut input, row, .. } = self.signalled("-INT");
        let sending = std::thread::spawn(move || while input.write_all(row(1).as_bytes()).is_ok() {});
        let mut said = BufReader::new(child.stderr.take().expect("piped")).lines();
        assert!(said.any(|line| line.expect("a text").contains(between)), "it does not say it");
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("there is kill");
        assert!(sent.success());
        let status = child.wait().expect("it ended");
        sending.join().expect("nobody reads");
        status
    }

    /// Ends its register; and how many rows that has.
    pub(crate) fn closed(self) -> (Output, usize) {
        drop(self.input);
        (self.child.wait_with_output().expect("it ended"), self.rows)
    }

    /// Sends rows until it ends, which it does by itself; and how many it was sent.
    pub(crate) fn ended(mut self) -> (Output, usize) {
        while self.send() {}
        drop(self.input);
        (self.child.wait_with_output().expect("it ended"), self.rows)
    }
}

/// Runs with a text as standard input.
pub(crate) fn fed(mut command: Command, text: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("mingcha runs");
    let _ = child.stdin.take().expect("piped").write_all(text.as_bytes()); // where it does not read, it says why
    child.wait_with_output().expect("it ends")
}
