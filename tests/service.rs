//! The service as a bureau runs it: a real process, its configuration, its signals, a balancer before it.

mod batches;
mod behind_nginx;
mod bounded;
mod confined;

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
    time::Duration,
};

use mingcha::wire::v1::{ScreenRequest, ScreenResponse, screening_service_client::ScreeningServiceClient};
use prost::Message;
use tonic::transport::Channel;

use crate::{certificates::Authority, folder::ListsFolder, server::Server};

fn firm(name: &str) -> ScreenRequest {
    ScreenRequest { name: name.to_owned(), region: "320100".to_owned(), date: "2026-11-01".to_owned(), ..Default::default() }
}

async fn client(address: &str) -> ScreeningServiceClient<Channel> {
    let channel = Channel::from_shared(format!("http://{address}")).expect("an address").connect().await.expect("it listens");
    ScreeningServiceClient::new(channel)
}

fn refuses(args: &[&str]) -> (Option<i32>, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_mingcha")).arg("serve").args(args).env_remove("MINGCHA_WORDLISTS").output().expect("it starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn each_way_to_fail_has_its_exit_status() {
    let folder = ListsFolder::new();
    folder.put("bad");
    let (status, said) = refuses(&["--listen", "127.0.0.1:0", "--wordlists", folder.text()]);
    assert!(status == Some(2) && said.contains("local/more.toml"), "{said}");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (status, said) = refuses(&["--listen", &taken.local_addr().expect("an address").to_string()]);
    assert!(status == Some(3) && said.contains("cannot listen on"), "{said}");
    let certificates = tempfile::tempdir().expect("a folder");
    let path = |name: &str| certificates.path().join(name).to_str().expect("a plain name").to_owned();
    let (certificate, key) = (path("server.pem"), path("server.key"));
    let (status, said) = refuses(&["--listen", "127.0.0.1:0", "--tls-certificate", &certificate, "--tls-key", &key]);
    assert!(status == Some(2) && said.contains("server.pem"), "{said}");
    let file = path("data");
    fs::write(&file, "no folder").expect("written");
    let (status, said) = refuses(&["--listen", "127.0.0.1:0", "--data", &file]);
    assert!(status == Some(3) && said.contains("cannot be kept"), "{said}");
}

/// SIGTERM while a client holds a stream open: the grace passes, the stream is cut off, and the exit status says so.
#[tokio::test]
async fn a_stream_that_does_not_end_is_cut_off() {
    let server = Server::start(&["--grace", "300ms"]);
    let channel = Channel::from_shared(format!("http://{}", server.address)).expect("an address").connect().await.expect("it listens");
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
    let mut watch = health.watch(tonic_health::pb::HealthCheckRequest::default()).await.expect("a stream").into_inner();
    let serving = tonic_health::pb::health_check_response::ServingStatus::Serving;
    assert_eq!(watch.message().await.expect("a message").expect("a message").status(), serving);
    server.signal("TERM");
    let not = watch.message().await.expect("a message").expect("a message");
    assert_eq!(not.status(), tonic_health::pb::health_check_response::ServingStatus::NotServing);
    let code = tokio::task::spawn_blocking(|| server.stopped().code()).await.expect("no panic");
    assert_eq!(code, Some(4));
    assert!(watch.message().await.is_err());
}

/// While `notice` lasts, health says `NOT_SERVING` and calls are still taken; a second signal does not wait.
#[tokio::test]
async fn calls_are_taken_during_the_notice() {
    let server = Server::start(&["--notice", "1h"]);
    let mut client = client(&server.address).await;
    server.signal("TERM");
    tokio::time::sleep(Duration::from_millis(200)).await;
    client.screen(firm("某地苹果有限公司")).await.expect("it is still taken");
    server.signal("TERM");
    let code = tokio::task::spawn_blocking(|| server.stopped().code()).await.expect("no panic");
    assert_eq!(code, Some(4));
}

#[tokio::test]
async fn sighup_reads_the_lists_again() {
    let folder = ListsFolder::new();
    let server = Server::start(&["--wordlists", folder.text(), "--wordlists-watch", "0s"]);
    let mut client = client(&server.address).await;
    let before = client.screen(firm("某地明日链有限公司")).await.expect("an answer").into_inner();
    folder.name("明日链");
    server.signal("HUP");
    let after = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let now = client.screen(firm("某地明日链有限公司")).await.expect("an answer").into_inner();
            if now.lists_hash != before.lists_hash {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert_ne!(after.await.expect("the lists are never renewed").decision(), before.decision());
}

/// A silent connection costs little, and is closed.
#[test]
fn silent_connections_are_cheap() {
    const CONNECTIONS: usize = 500;
    let server = Server::start(&["--limits-silence", "3s"]);
    let before = server.resident();
    let mut silent: Vec<TcpStream> = (0..CONNECTIONS).map(|_| TcpStream::connect(&server.address).expect("it listens")).collect();
    std::thread::sleep(Duration::from_millis(500));
    let each = server.resident().saturating_sub(before) / CONNECTIONS;
    assert!(each < 64 << 10, "{each} bytes a connection");
    for stream in &mut silent {
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
        let mut said = Vec::new();
        assert!(!matches!(stream.read_to_end(&mut said), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock), "it stays open");
    }
}

fn framed(message: &impl Message) -> Vec<u8> {
    let mut frame = vec![0; 5];
    message.encode(&mut frame).expect("room");
    let length = u32::try_from(frame.len() - 5).expect("short");
    frame[1..5].copy_from_slice(&length.to_be_bytes());
    frame
}

/// A browser's call: gRPC-Web over HTTP/1.1, from a page of an origin that may call.
#[test]
fn browsers_may_call() {
    let server = Server::start(&["--http-cors-origins", "https://bureau.example"]);
    let agent = ureq::Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true).build().new_agent();
    let url = format!("http://{}/mingcha.v1.ScreeningService/Screen", server.address);
    for (origin, allowed) in [("https://bureau.example", true), ("https://elsewhere.example", false)] {
        let preflight = http::Request::builder()
            .method("OPTIONS")
            .uri(&url)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,x-grpc-web,authorization");
        let answer = agent.run(preflight.body(()).expect("a request")).expect("an answer");
        assert_eq!(answer.headers().get("access-control-allow-origin").is_some(), allowed, "{origin}");
    }
    let call = http::Request::post(&url).header("content-type", "application/grpc-web+proto").header("x-grpc-web", "1");
    let body = framed(&firm("某地众诚理财有限公司"));
    let mut answer = agent.run(call.body(&body[..]).expect("a request")).expect("an answer");
    assert_eq!(answer.status(), 200);
    let bytes = answer.body_mut().read_to_vec().expect("a body");
    let length = u32::from_be_bytes(bytes[1..5].try_into().expect("four bytes")) as usize;
    let response = ScreenResponse::decode(&bytes[5..5 + length]).expect("an answer");
    assert!(response.hits.iter().any(|hit| hit.term == "理财"));
    let trailers = String::from_utf8_lossy(&bytes[5 + length..]);
    assert!(bytes[5 + length] == 0x80 && trailers.contains("grpc-status:0"), "{trailers}");

    let plain = Server::start(&[]);
    let url = format!("http://{}/mingcha.v1.ScreeningService/Screen", plain.address);
    let preflight = http::Request::builder().method("OPTIONS").uri(&url).header("origin", "https://bureau.example");
    let answer = agent.run(preflight.header("access-control-request-method", "POST").body(()).expect("a request")).expect("an answer");
    assert!(answer.headers().get("access-control-allow-origin").is_none(), "no page may call unless it is said");
}

#[test]
fn certificates_are_renewed_while_it_runs() {
    let authority = Authority::new("bureaus");
    let folder = tempfile::tempdir().expect("a folder");
    authority.server().write(folder.path(), "server");
    let path = |name: &str| folder.path().join(name).to_str().expect("a plain name").to_owned();
    let (certificate, key) = (path("server.pem"), path("server.key"));
    let server = Server::start(&["--tls-certificate", &certificate, "--tls-key", &key, "--tls-watch", "50ms"]);
    let trusts = |authority: &Authority| {
        let root = ureq::tls::Certificate::from_pem(authority.certificate().as_bytes()).expect("PEM");
        let tls = ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::new_with_certs(&[root])).build();
        let agent = ureq::Agent::config_builder().http_status_as_error(false).tls_config(tls).build().new_agent();
        let port = server.address.rsplit_once(':').expect("a port").1;
        agent.get(format!("https://localhost:{port}/v1/openapi.json")).call().is_ok_and(|answer| answer.status() == 200)
    };
    assert!(trusts(&authority));
    let next = Authority::new("next");
    assert!(!trusts(&next));
    next.server().write(folder.path(), "server");
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !trusts(&next) {
        assert!(std::time::Instant::now() < deadline, "the new certificate is never used");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!trusts(&authority));
}

/// What is no gRPC and no JSON call.
#[test]
fn other_requests_are_told_so() {
    let server = Server::start(&[]);
    let mut stream = TcpStream::connect(&server.address).expect("it listens");
    stream.write_all(b"GET /wp-login.php HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("sent");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("text");
    assert!(said.starts_with("HTTP/1.1 404") && said.contains("\"code\":5"), "{said}");
}

/// An answer in JSON that its client does not read: the connection is given up, and the service goes on.
#[test]
fn a_json_client_that_never_reads_is_given_up() {
    let server = Server::start(&["--limits-deadline", "1s"]);
    let firm = format!(r#"{{"name":"某地众诚理财有限公司","scope":"{}"}}"#, "理财；".repeat(100));
    let body = format!(r#"{{"requests":[{}]}}"#, vec![firm; 1000].join(","));
    let mut stream = TcpStream::connect(&server.address).expect("it listens");
    let head = format!(
        "POST /v1/screen:batch HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ngrpc-timeout: 60S\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("sent");
    let mut first = [0; 4096];
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
    let begun = stream.read(&mut first).expect("an answer");
    let head = String::from_utf8_lossy(&first[..begun]).into_owned();
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    assert!(head.starts_with("HTTP/1.1 200") && length.is_some_and(|length| length > 16 << 20), "{head}");
    std::thread::sleep(Duration::from_secs(5)); // five times the deadline
    let mut rest = Vec::new();
    let ended = stream.read_to_end(&mut rest);
    let complete = begun + rest.len() >= length.unwrap_or_default();
    assert!(!complete && !matches!(ended, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock), "{} bytes came", rest.len());
    assert!(TcpStream::connect(&server.address).is_ok());
}
