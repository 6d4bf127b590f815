//! The service against what it could be at best, in one run on loopback.
//!
//! (1) Unary `Screen` against a method of the same request and answer through the same layers, without the engine.
//! (2) `BatchScreen` of 1 000 firms, client included, against the engine called in process.
//! (3) Overload: ten times as many callers as there are places, against one caller alone.
//! (4) A hundred reloads under load, against none.
//! (5) Unary `Screen` beside a re-screening in the same service, against without.
//!
//! `MINGCHA_REGISTER=firms.tsv cargo bench --bench service` measures on real firms, without it on invented ones.

#![allow(clippy::expect_used, clippy::cast_precision_loss)] // a benchmark that cannot go on says why; counts are far below 2^52

mod beside;
mod register;

use std::{
    collections::HashMap,
    fs,
    hint::black_box,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use mingcha::{
    clock::today,
    config::Limits,
    embedded,
    grpc::{self, Desk},
    library::{Library, Source},
    server::{Listening, caller::Callers, listen, stack::layered},
    telemetry::Metrics,
    wire::{
        understand,
        v1::{
            BatchScreenRequest, BatchScreenResponse, ScreenRequest, ScreenResponse, ScreenStreamRequest, ScreenStreamResponse,
            screening_service_client::ScreeningServiceClient,
            screening_service_server::{ScreeningService, ScreeningServiceServer},
        },
    },
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status, Streaming, service::Routes, transport::Channel};

const FIRMS: usize = 5_000;
const ROUNDS: usize = 10;
const CALLS: usize = 4_000;

/// Answers as the engine did once.
struct Echo(HashMap<String, ScreenResponse>);

#[tonic::async_trait]
impl ScreeningService for Echo {
    type ScreenStreamStream = tokio_stream::Empty<Result<ScreenStreamResponse, Status>>;

    async fn screen(&self, request: Request<ScreenRequest>) -> Result<Response<ScreenResponse>, Status> {
        Ok(Response::new(self.0[&request.into_inner().name].clone()))
    }

    async fn batch_screen(&self, _: Request<BatchScreenRequest>) -> Result<Response<BatchScreenResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn screen_stream(&self, _: Request<Streaming<ScreenStreamRequest>>) -> Result<Response<Self::ScreenStreamStream>, Status> {
        Err(Status::unimplemented("not measured"))
    }
}

async fn serve(routes: Routes, limits: Limits, metrics: &Arc<Metrics>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = layered(routes.into_axum_router(), &limits, Arc::new(Callers::new(None)), metrics);
    let listening = Listening { router, limits, tls: None, grace: Duration::from_secs(1), metrics: Arc::clone(metrics) };
    tokio::spawn(listen(listener, listening, CancellationToken::new()));
    address
}

async fn client(address: SocketAddr) -> ScreeningServiceClient<Channel> {
    let channel = Channel::from_shared(format!("http://{address}")).expect("an address").connect().await.expect("it listens");
    ScreeningServiceClient::new(channel).max_decoding_message_size(32 << 20)
}

/// Calls from `callers` tasks over connections of their own; every latency in seconds, and calls a second.
async fn load(address: SocketAddr, requests: &Arc<Vec<ScreenRequest>>, callers: usize, calls: usize) -> (Vec<f64>, f64) {
    let start = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let requests = Arc::clone(requests);
            tokio::spawn(async move {
                let mut client = client(address).await;
                let mut latencies = Vec::with_capacity(calls / callers);
                for call in 0..calls / callers {
                    let request = requests[(caller * 7919 + call) % requests.len()].clone();
                    let start = Instant::now();
                    black_box(client.screen(request).await.expect("an answer"));
                    latencies.push(start.elapsed().as_secs_f64());
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::with_capacity(calls);
    for task in tasks {
        latencies.extend(task.await.expect("no panic"));
    }
    let rate = latencies.len() as f64 / start.elapsed().as_secs_f64();
    (latencies, rate)
}

/// The p-th quantile.
fn quantile(values: &mut [f64], p: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // an index
    values[((values.len() - 1) as f64 * p) as usize]
}

fn micros(seconds: f64) -> f64 {
    seconds * 1e6
}

#[tokio::main(flavor = "multi_thread")]
async fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        return; // `cargo test --benches` only builds it
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in embedded::all() {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("inside")).and_then(|()| fs::write(path, bytes)).expect("written");
    }
    let library = Arc::new(Library::open(Source::Folder(folder.path().to_owned()), None).expect("good lists"));
    let requests: Vec<ScreenRequest> = register::firms(FIRMS)
        .into_iter()
        .map(|firm| ScreenRequest { name: firm.name, region: "320100".to_owned(), date: "2026-11-01".to_owned(), ..Default::default() })
        .filter(|request| understand(request.clone(), library.current().engine(), today()).is_ok())
        .collect();
    let requests = Arc::new(requests);
    let metrics = Metrics::new().expect("metrics");
    let desk = Desk::new(Arc::clone(&library), Arc::clone(&metrics));
    let (routes, _) = grpc::routes(&desk, &Limits::default()).await.expect("routes");
    let screening = serve(routes, Limits::default(), &metrics).await;
    let answers = answers(screening, &requests).await;
    let echo = serve(Routes::new(ScreeningServiceServer::new(Echo(answers))), Limits::default(), &metrics).await;

    unary(screening, echo, &requests).await;
    batch(screening, &library).await;
    overload(&requests).await;
    reloads(screening, &library, folder.path(), &requests).await;
    beside::a_rescreening(&requests).await;
}

async fn answers(address: SocketAddr, requests: &[ScreenRequest]) -> HashMap<String, ScreenResponse> {
    let mut client = client(address).await;
    let mut answers = HashMap::new();
    for request in requests {
        let answer = client.screen(request.clone()).await.expect("an answer").into_inner();
        answers.insert(request.name.clone(), answer);
    }
    answers
}

async fn unary(screening: SocketAddr, echo: SocketAddr, requests: &Arc<Vec<ScreenRequest>>) {
    for callers in [1, 16] {
        let (mut rates, mut p99s) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for round in 0..ROUNDS {
            let mut pair = [(0, screening), (1, echo)];
            pair.rotate_left(round % 2); // each goes first as often as the other
            for (which, address) in pair {
                let (mut latencies, rate) = load(address, requests, callers, CALLS).await;
                rates[which].push(rate);
                p99s[which].push(quantile(&mut latencies, 0.99));
            }
        }
        let [rate, echo_rate] = rates.each_mut().map(|rates| quantile(rates, 0.5));
        let [p99, echo_p99] = p99s.each_mut().map(|p99s| quantile(p99s, 0.5));
        println!(
            "unary, {callers} callers: {rate:.0} calls/s, {:.2} of an echo's {echo_rate:.0} (target: at least 0.95)",
            rate / echo_rate
        );
        println!(
            "  p99 {:.0} µs, {:+.0} µs over an echo's {:.0} (target: at most +50)",
            micros(p99),
            micros(p99 - echo_p99),
            micros(echo_p99)
        );
    }
}

async fn batch(address: SocketAddr, library: &Arc<Library>) {
    let requests: Vec<ScreenRequest> = register::firms(1000)
        .into_iter()
        .map(|firm| ScreenRequest { name: firm.name, scope: firm.scope, region: "320100".to_owned(), ..Default::default() })
        .filter(|request| understand(request.clone(), library.current().engine(), today()).is_ok())
        .collect();
    let version = library.current();
    let firms: Vec<_> = requests.iter().map(|request| understand(request.clone(), version.engine(), today()).expect("good").firm).collect();
    let mut client = client(address).await;
    let (mut in_process, mut over_grpc) = (Vec::new(), Vec::new());
    for _ in 0..30 {
        let start = Instant::now();
        black_box(firms.iter().map(|firm| version.engine().screen(firm).hits.len()).sum::<usize>());
        in_process.push(start.elapsed().as_secs_f64());
        let message = BatchScreenRequest { requests: requests.clone(), ..Default::default() };
        let start = Instant::now();
        black_box(client.batch_screen(message).await.expect("an answer"));
        over_grpc.push(start.elapsed().as_secs_f64());
    }
    let [in_process, over_grpc] = [&mut in_process, &mut over_grpc].map(|times| quantile(times, 0.5));
    println!(
        "batch of {}: {:.2} ms over gRPC, {:.2} ms in process: {:.2} of its throughput (target: at least 0.3)",
        requests.len(),
        over_grpc * 1e3,
        in_process * 1e3,
        in_process / over_grpc
    );
}

/// A service in a process of its own, so that what it takes of the processors can be told from what the callers take.
struct Process {
    child: Child,
    address: SocketAddr,
    _output: BufReader<ChildStdout>,
}

impl Process {
    fn start(more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mingcha"))
            .args(["serve", "--listen", "127.0.0.1:0", "--telemetry-log", "error"])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut first = String::new();
        output.read_line(&mut first).expect("it speaks");
        let address = first.split_whitespace().nth(3).and_then(|address| address.trim_end_matches(',').parse().ok()).expect("an address");
        Self { child, address, _output: output }
    }

    /// Seconds of processors that a process has taken, in hundredths, and its resident memory, in MB.
    fn taken(process: &str) -> (f64, u64) {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or_default();
        let pages = ticks(21);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // megabytes
        (ticks(11) + ticks(12), (pages * 4096.0 / 1e6) as u64)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ten times as many callers as places. Those that are shed come again sooner than they are told, to press harder.
async fn overload(requests: &Arc<Vec<ScreenRequest>>) {
    const PLACES: usize = 4;
    let process = Process::start(&["--limits-concurrency", &PLACES.to_string()]);
    let (address, id) = (process.address, process.child.id().to_string());
    let (mut alone, _) = load(address, requests, PLACES, CALLS).await;
    let (before, own_before) = (Process::taken(&id), Process::taken("self"));
    let (done, shed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let callers: Vec<_> = (0..PLACES * 10)
        .map(|caller| tokio::spawn(press(address, caller, Arc::clone(requests), Arc::clone(&done), Arc::clone(&shed))))
        .collect();
    tokio::time::sleep(Duration::from_secs(10)).await;
    done.store(true, Ordering::Relaxed);
    let mut served = Vec::new();
    for caller in callers {
        served.extend(caller.await.expect("no panic"));
    }
    let (after, own_after) = (Process::taken(&id), Process::taken("self"));
    let (service, generator) = (after.0 - before.0, own_after.0 - own_before.0);
    let (p99, alone) = (quantile(&mut served, 0.99), quantile(&mut alone, 0.99));
    let shed = shed.load(Ordering::Relaxed);
    println!(
        "overload, {} callers for {PLACES} places: p99 of served calls {:.0} µs, {:.1} times the {:.0} µs of {PLACES} callers (target: at most 3)",
        PLACES * 10,
        micros(p99),
        p99 / alone,
        micros(alone)
    );
    println!(
        "  {} served, {shed} shed; the callers took {:.0} % of the processor time; memory of the service {} MB before, {} MB after",
        served.len(),
        100.0 * generator / (service + generator),
        before.1,
        after.1
    );
}

async fn press(
    address: SocketAddr,
    caller: usize,
    requests: Arc<Vec<ScreenRequest>>,
    done: Arc<AtomicBool>,
    shed: Arc<AtomicU64>,
) -> Vec<f64> {
    let mut client = client(address).await;
    let mut latencies = Vec::new();
    for call in 0.. {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let start = Instant::now();
        match client.screen(requests[(caller * 7919 + call) % requests.len()].clone()).await {
            Ok(answer) => {
                black_box(answer);
                latencies.push(start.elapsed().as_secs_f64());
            }
            Err(status) => {
                assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
                shed.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    latencies
}

async fn reloads(address: SocketAddr, library: &Arc<Library>, folder: &std::path::Path, requests: &Arc<Vec<ScreenRequest>>) {
    let (mut quiet, _) = load(address, requests, 2, CALLS * 4).await;
    let done = Arc::new(AtomicBool::new(false));
    let reloading = {
        let (library, done, path) = (Arc::clone(library), Arc::clone(&done), folder.join("fields.toml"));
        tokio::task::spawn_blocking(move || {
            let content = fs::read_to_string(&path).expect("read");
            let mut reloads = 0;
            while !done.load(Ordering::Relaxed) || reloads < 100 {
                reloads += 1;
                fs::write(&path, format!("{content}# {reloads}\n")).expect("written");
                library.reload().expect("good lists");
            }
            reloads
        })
    };
    let mut loaded = Vec::new();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        loaded.extend(load(address, requests, 2, CALLS).await.0);
    }
    done.store(true, Ordering::Relaxed);
    let reloads = reloading.await.expect("no panic");
    let (p99, quiet) = (quantile(&mut loaded, 0.99), quantile(&mut quiet, 0.99));
    println!(
        "{reloads} reloads one after the other under load: p99 {:.0} µs, {:.1} times the {:.0} µs without (target: at most 2); no call failed",
        micros(p99),
        p99 / quiet,
        micros(quiet)
    );
}
