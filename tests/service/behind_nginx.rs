//! Two instances behind nginx, restarted one after the other under load: no call is lost.

use std::{
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use super::{client, firm};
use crate::server::Server;

/// An nginx of its own, with the configuration of `deploy/` on other ports.
struct Nginx {
    child: Child,
    _folder: tempfile::TempDir,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

impl Nginx {
    fn start(ports: [(&str, u16); 4]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut sites = include_str!("../../deploy/nginx.conf").to_owned();
        for (port, instead) in ports {
            assert!(sites.contains(port));
            sites = sites.replace(port, &instead.to_string());
        }
        let temporary: String =
            ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path temp;\n")).concat();
        let config =
            format!("daemon off;\npid nginx.pid;\nerror_log error.log;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{sites}}}\n");
        fs::write(folder.path().join("nginx.conf"), config).expect("written");
        let program =
            ["nginx", "/usr/sbin/nginx"].into_iter().find(|name| Command::new(name).arg("-v").stderr(Stdio::null()).status().is_ok());
        let child = Command::new(program.expect("there is no nginx: please run tests/clients/install"))
            .args(["-e", "error.log", "-c", "nginx.conf", "-p"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx starts");
        Self { child, _folder: folder }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_no_call() {
    let [one, two, grpc, http] = [free_port(), free_port(), free_port(), free_port()];
    let instance = |port: u16| Server::at(&format!("127.0.0.1:{port}"), &[]);
    let mut instances = [instance(one), instance(two)];
    let _nginx = Nginx::start([("50051", one), ("50052", two), ("50050", grpc), ("50080", http)]);
    let deadline = Instant::now() + Duration::from_secs(30);
    while std::net::TcpStream::connect(("127.0.0.1", grpc)).is_err() {
        assert!(Instant::now() < deadline, "nginx does not listen");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (done, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let mut callers = Vec::new();
    for _ in 0..4 {
        let mut client = client(&format!("127.0.0.1:{grpc}")).await;
        let (done, calls) = (Arc::clone(&done), Arc::clone(&calls));
        callers.push(tokio::spawn(async move {
            while !done.load(Ordering::Relaxed) {
                client.screen(firm("某地众诚理财有限公司")).await.expect("no call is lost");
                calls.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    let over_http = {
        let (done, calls) = (Arc::clone(&done), Arc::clone(&calls));
        tokio::task::spawn_blocking(move || {
            let agent = ureq::Agent::new_with_defaults();
            while !done.load(Ordering::Relaxed) {
                let answer = agent.post(format!("http://127.0.0.1:{http}/v1/screen")).header("content-type", "application/json");
                answer.send(r#"{"name":"某地众诚理财有限公司"}"#).expect("no call is lost");
                calls.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    for round in 0..6 {
        let before = calls.load(Ordering::Relaxed);
        while calls.load(Ordering::Relaxed) < before + 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            assert!(!callers.iter().any(tokio::task::JoinHandle::is_finished) && !over_http.is_finished(), "a call was lost");
            assert!(Instant::now() < deadline + Duration::from_secs(120), "no calls come through");
        }
        let port = [one, two][round % 2];
        let again = tokio::task::block_in_place(|| instance_again(&mut instances[round % 2], || instance(port)));
        assert_eq!(again, Some(0), "round {round}");
    }
    done.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.expect("no panic");
    }
    over_http.await.expect("no panic");
}

/// Stops an instance and starts another in its place; its exit status.
fn instance_again(instance: &mut Server, start: impl FnOnce() -> Server) -> Option<i32> {
    instance.signal("TERM");
    let status = instance.wait();
    *instance = start();
    status.code()
}
