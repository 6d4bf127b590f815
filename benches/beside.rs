//! Unary `Screen` while the same service re-screens a register, against the same while it does not.

use std::{
    fmt::Write,
    fs,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use mingcha::wire::{
    longrunning::{WaitOperationRequest, operations_client::OperationsClient},
    v1::{ScreenRequest, StartRescreenRequest, rescreen_service_client::RescreenServiceClient},
};
use tonic::transport::Channel;

use super::{CALLS, Process, load, micros, quantile, register};

/// Firms of the register: a second or so of re-screening.
const FIRMS: usize = 400_000;
const ROUNDS: usize = 10;
const CALLERS: usize = 2;

pub(crate) async fn a_rescreening(requests: &Arc<Vec<ScreenRequest>>) {
    let (data, registers) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let firms = register::firms(FIRMS);
    let mut text = "企业名称\t经营范围\n".to_owned();
    for firm in firms.iter().cycle().take(FIRMS) {
        writeln!(text, "{}\t{}", firm.name, firm.scope).expect("memory");
    }
    fs::write(registers.path().join("firms.tsv"), text).expect("written");
    let [data, registers] = [&data, &registers].map(|folder| folder.path().to_str().expect("a plain name"));
    let process = Process::start(&["--data", data, "--rescreen-folder", registers]);
    load(process.address, requests, CALLERS, CALLS).await; // warm

    let mut alone = Vec::new();
    for _ in 0..ROUNDS {
        alone.extend(load(process.address, requests, CALLERS, CALLS).await.0);
    }
    let (under_way, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let rescreening = tokio::spawn(again_and_again(process.address, Arc::clone(&under_way), Arc::clone(&done)));
    while !under_way.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
    }
    let mut beside = Vec::new();
    for _ in 0..ROUNDS {
        beside.extend(load(process.address, requests, CALLERS, CALLS).await.0);
    }
    done.store(true, Ordering::Relaxed);
    let rows = rescreening.await.expect("no panic");
    for (p, name) in [(0.5, "p50"), (0.99, "p99")] {
        let [beside, alone] = [&mut beside, &mut alone].map(|latencies| quantile(latencies, p));
        let ratio = beside / alone;
        println!(
            "beside re-screenings of {FIRMS} firms, {CALLERS} callers: {name} {:.0} µs, {ratio:.2} times the {:.0} µs without",
            micros(beside),
            micros(alone)
        );
    }
    println!("  {rows} firms were re-screened from the first of these calls to behind the last");
}

/// Re-screens until it is to end, one operation after the other; how many firms.
async fn again_and_again(address: SocketAddr, under_way: Arc<AtomicBool>, done: Arc<AtomicBool>) -> usize {
    let channel = Channel::from_shared(format!("http://{address}")).expect("an address").connect().await.expect("it listens");
    let (mut starts, mut operations) = (RescreenServiceClient::new(channel.clone()), OperationsClient::new(channel));
    let mut count = 0;
    while !done.load(Ordering::Relaxed) {
        let output = format!("{count}.csv");
        let request = StartRescreenRequest { inputs: vec!["firms.tsv".to_owned()], output, options: None };
        let name = starts.start_rescreen(request).await.expect("it starts").into_inner().name;
        under_way.store(true, Ordering::Relaxed);
        let mut ended = false;
        while !ended {
            let wait = WaitOperationRequest { name: name.clone(), timeout: None };
            ended = operations.wait_operation(wait).await.expect("it is there").into_inner().done;
        }
        count += 1;
    }
    count * FIRMS
}
