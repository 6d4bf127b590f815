//! A real `mingcha serve` in a process of its own, on a free port.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Longest that a server may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server; killed where a test ends without stopping it.
pub(crate) struct Server {
    /// Where it listens, as `ADDRESS:PORT`.
    pub(crate) address: String,
    child: Child,
    /// Kept open: a server that cannot say that it stopped would not stop well.
    output: Option<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts a server with these arguments besides its address, on a free port, and waits until it listens.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::at("127.0.0.1:0", args)
    }

    /// The same, at an address.
    pub(crate) fn at(address: &str, args: &[&str]) -> Self {
        Self::of(Command::new(env!("CARGO_BIN_EXE_mingcha")), address, args)
    }

    /// The same on a free port, where no file can grow beyond `mebibytes`, as on a disk without room.
    pub(crate) fn without_room(mebibytes: usize, args: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        let limit = mebibytes * 2048; // in blocks of 512 bytes; without the signal, writing fails
        shell.args(["-c", &format!("trap '' XFSZ; ulimit -S -f {limit}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_mingcha")]);
        Self::of(shell, "127.0.0.1:0", args)
    }

    /// Lets files grow again.
    pub(crate) fn has_room_again(&self) {
        self.limited("--fsize=unlimited");
    }

    /// Gives the process so much more of address space than it has, which is less than the stack of a thread; or as much as it wants.
    pub(crate) fn may_grow_by(&self, bytes: Option<usize>) {
        let most = bytes.map_or("unlimited".to_owned(), |bytes| (self.memory("VmSize") + bytes).to_string());
        self.limited(&format!("--as={most}:"));
    }

    /// Has the kernel kill it where it writes beyond so many bytes of a file: whatever it writes, it is in the middle of it.
    pub(crate) fn dies_writing(&self, bytes: usize) {
        self.limited("--core=0");
        self.limited(&format!("--fsize={bytes}"));
    }

    fn limited(&self, limit: &str) {
        let set = Command::new("prlimit").args(["--pid", &self.child.id().to_string(), limit]).status();
        assert!(set.expect("there is prlimit").success());
    }

    fn of(mut program: Command, address: &str, args: &[&str]) -> Self {
        let mut child = program
            .args(["serve", "--listen", address])
            .args(args)
            .env_remove("MINGCHA_WORDLISTS")
            .env("MINGCHA_TELEMETRY_LOG", "warn") // a line a call would fill the tests' output
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server does not start");
        let mut output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut server = Self { address: String::new(), child, output: None };
        let (first, output) = within_patience("the server says nothing", move || {
            let mut first = String::new();
            output.read_line(&mut first).expect("what the server says is no text");
            (first, output)
        });
        server.output = Some(output);
        let said = first.strip_prefix("mingcha: serving on ").and_then(|rest| rest.split_once(", lists "));
        let (address, _hash) = said.unwrap_or_else(|| panic!("the server's first line is '{first}'"));
        address.clone_into(&mut server.address);
        server
    }

    /// Sends it a signal: `TERM`, `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().expect("there is no kill");
        assert!(sent.success(), "SIG{name} cannot be sent");
    }

    /// Its resident memory, in bytes.
    pub(crate) fn resident(&self) -> usize {
        self.memory("VmRSS:")
    }

    /// The most that its resident memory ever was, in bytes.
    pub(crate) fn peak(&self) -> usize {
        self.memory("VmHWM:")
    }

    /// The scheduling policies of its threads of this name, as the kernel numbers them.
    pub(crate) fn policies(&self, name: &str) -> Vec<u32> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let policy = |folder: std::path::PathBuf| {
            let named = std::fs::read_to_string(folder.join("comm")).ok()?.trim() == name;
            let status = std::fs::read_to_string(folder.join("stat")).ok()?;
            let fields = status.rsplit_once(')')?.1; // a name can hold spaces; the policy is field 41, the state behind the name field 3
            named.then(|| fields.split_whitespace().nth(38)?.parse().ok()).flatten()
        };
        threads.filter_map(|thread| policy(thread.ok()?.path())).collect()
    }

    fn memory(&self, kind: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with(kind)).expect("its memory");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).expect("a number") * 1024
    }

    /// Stops it by SIGTERM; panics where it does not stop, or does not say so.
    pub(crate) fn stop(self) -> ExitStatus {
        self.signal("TERM");
        self.stopped()
    }

    /// Waits until it has stopped, and has said so.
    pub(crate) fn stopped(mut self) -> ExitStatus {
        let status = self.wait();
        let mut rest = String::new();
        self.output.take().expect("it was started").read_to_string(&mut rest).expect("what the server says is no text");
        assert_eq!(rest.lines().last(), Some("mingcha: stopped"), "{status}");
        status
    }

    /// Waits until it has stopped.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("the server cannot be waited for") {
                return status;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("the server does not stop");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended already
        let _ = self.child.wait();
    }
}

/// Does on another thread what may take for ever.
fn within_patience<T: Send + 'static>(otherwise: &str, what: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(what()));
    receive.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{otherwise}"))
}
