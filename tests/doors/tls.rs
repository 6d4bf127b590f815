//! Certificates: whose are taken, and how they are renewed while the service runs.

use std::{fs, path::Path, sync::Arc, time::Duration};

use mingcha::{
    auth::{Identity, Role, SubjectName},
    config::Tls,
    jurisdiction::Region,
    server::{
        connection::Closed,
        tls::{Certificates, TlsError},
    },
};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};
use tonic::Code;

use super::{Client, House, PATIENCE, Plan, SCREEN};
use crate::certificates::{Authority, Certified};

pub(super) fn paths(folder: &Path) -> Tls {
    Tls {
        certificate: folder.join("server.pem"),
        key: folder.join("server.key"),
        client_ca: Some(folder.join("ca.pem")),
        client_required: true,
        crl: Some(folder.join("crl.pem")),
        watch: Duration::from_secs(3600),
    }
}

/// A folder with everything a service needs.
pub(super) fn folder(authority: &Authority) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    authority.server().write(folder.path(), "server");
    fs::write(folder.path().join("ca.pem"), authority.certificate()).expect("written");
    fs::write(folder.path().join("crl.pem"), authority.revocations(&[])).expect("written");
    folder
}

pub(super) async fn encrypted(house: &House, authority: &Authority, client: Option<&Certified>) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.certificate().as_bytes()).expect("PEM")).expect("a root");
    let builder =
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions().expect("TLS");
    let builder = builder.with_root_certificates(roots);
    let mut config = match client {
        Some(client) => {
            let chain = vec![CertificateDer::from_pem_slice(client.certificate.as_bytes()).expect("PEM")];
            let key = PrivateKeyDer::from_pem_slice(client.key.as_bytes()).expect("PEM");
            builder.with_client_auth_cert(chain, key).expect("a pair")
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, house.connect().await).await
}

/// Calls over a new connection; none where the connection is refused.
async fn calls(house: &House, authority: &Authority, client: Option<&Certified>) -> Option<(Code, Option<String>)> {
    let stream = encrypted(house, authority, client).await.ok()?;
    let mut client = Client::over(stream).await.ok()?;
    let response = timeout(PATIENCE, client.send(SCREEN, &[])).await.expect("an answer in time").ok()?;
    let code = tonic::Status::from_header_map(response.headers())?.code();
    let caller = response.headers().get("x-caller").map(|value| value.to_str().expect("ASCII").to_owned());
    Some((code, caller))
}

pub(super) fn identity(id: &str, names: Vec<SubjectName>) -> Identity {
    Identity {
        id: id.to_owned(),
        names,
        tokens: Vec::new(),
        roles: Role::ALL.iter().copied().collect(),
        regions: vec![Region::NATION],
        body: None,
    }
}

fn nanjing() -> Vec<Identity> {
    vec![
        identity("nanjing", vec![SubjectName::Uri("spiffe://bureau/nanjing".to_owned())]),
        identity("suzhou", vec![SubjectName::Dns("suzhou.bureau.example".to_owned())]),
    ]
}

#[tokio::test]
async fn certificates_say_who_calls() {
    let authority = Authority::new("bureaus");
    let folder = folder(&authority);
    let tls = Arc::new(Certificates::load(&paths(folder.path())).expect("good files"));
    let house = Plan { tls: Some(tls), callers: Some(nanjing()), ..Plan::default() }.build().await;
    let ok = |id: &str| Some((Code::Ok, Some(id.to_owned())));
    assert_eq!(calls(&house, &authority, Some(&authority.client("URI:spiffe://bureau/nanjing", 10))).await, ok("nanjing"));
    assert_eq!(calls(&house, &authority, Some(&authority.client("DNS:SuZhou.bureau.example", 11))).await, ok("suzhou"));
    let stranger = calls(&house, &authority, Some(&authority.client("URI:spiffe://bureau/nanjing/x", 12))).await;
    assert_eq!(stranger, Some((Code::Unauthenticated, None)));
    assert_eq!(calls(&house, &authority, None).await, None, "a certificate is required");
    let forger = Authority::new("bureaus");
    assert_eq!(calls(&house, &authority, Some(&forger.client("URI:spiffe://bureau/nanjing", 10))).await, None);
    house.until_closed(Closed::Handshake).await;
}

#[tokio::test]
async fn a_handshake_that_stops_is_shown_out() {
    let authority = Authority::new("bureaus");
    let folder = folder(&authority);
    let tls = Arc::new(Certificates::load(&paths(folder.path())).expect("good files"));
    let limits = mingcha::config::Limits { silence: Duration::from_millis(200), ..Default::default() };
    let house = Plan { tls: Some(tls), limits, ..Plan::default() }.build().await;
    for said in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00"] {
        let mut stream = house.connect().await;
        stream.write_all(said).await.expect("the house listens");
        let mut rest = Vec::new();
        let ended = timeout(PATIENCE, tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest)).await;
        assert!(ended.is_ok(), "{}", said.escape_ascii());
    }
    let mut plain = house.connect().await;
    plain.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("the house listens");
    house.until_closed(Closed::Handshake).await;
}

#[tokio::test]
async fn a_revoked_client_is_shown_out_and_stays_out() {
    let authority = Authority::new("bureaus");
    let folder = folder(&authority);
    let tls = Arc::new(Certificates::load(&paths(folder.path())).expect("good files"));
    let house =
        Plan { tls: Some(Arc::clone(&tls)), callers: Some(nanjing()), grace: Duration::from_millis(200), ..Plan::default() }.build().await;
    let (nanjing, suzhou) = (authority.client("URI:spiffe://bureau/nanjing", 10), authority.client("DNS:suzhou.bureau.example", 11));
    let mut before = Client::over(encrypted(&house, &authority, Some(&nanjing)).await.expect("taken")).await.expect("HTTP/2");
    assert_eq!(before.call(SCREEN, &[]).await.code, Code::Ok);

    assert!(!tls.reload().expect("nothing changed"));
    fs::write(folder.path().join("crl.pem"), authority.revocations(&[10])).expect("written");
    assert!(tls.reload().expect("a good list"));

    let ended = timeout(PATIENCE, async { while before.send(SCREEN, &[]).await.is_ok() {} }).await;
    assert!(ended.is_ok(), "the connection of before goes on");
    assert_eq!(calls(&house, &authority, Some(&nanjing)).await, None);
    assert!(calls(&house, &authority, Some(&suzhou)).await.is_some_and(|(code, _)| code == Code::Ok));
}

#[tokio::test]
async fn bad_files_are_named_and_the_old_ones_stay() {
    let authority = Authority::new("bureaus");
    let folder = folder(&authority);
    let paths = paths(folder.path());
    let tls = Arc::new(Certificates::load(&paths).expect("good files"));
    let house = Plan { tls: Some(Arc::clone(&tls)), callers: Some(nanjing()), ..Plan::default() }.build().await;
    let client = authority.client("URI:spiffe://bureau/nanjing", 10);
    let other = Authority::new("others").server();
    let good = |name: &str| fs::read(folder.path().join(name)).expect("read");
    let files = ["server.pem", "server.key", "ca.pem", "crl.pem"].map(|name| (name, good(name)));
    let bad: [(&str, &[u8]); 6] = [
        ("server.pem", b""),
        ("server.pem", other.certificate.as_bytes()), // not of this key
        ("server.key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        ("ca.pem", b"-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n"),
        ("crl.pem", b"no list"),
        ("crl.pem", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"),
    ];
    for (name, content) in bad {
        fs::write(folder.path().join(name), content).expect("written");
        let error = tls.reload().expect_err("a bad file").to_string();
        let blamed = if content == other.certificate.as_bytes() { "server.key" } else { name };
        assert!(error.contains(blamed), "{name}: {error}");
        assert!(calls(&house, &authority, Some(&client)).await.is_some(), "{name}");
        for (name, content) in &files {
            fs::write(folder.path().join(name), content).expect("written");
        }
    }
    fs::remove_file(&paths.key).expect("removed");
    assert!(matches!(tls.reload(), Err(TlsError::Read { path, .. }) if path == paths.key));
    assert!(calls(&house, &authority, Some(&client)).await.is_some());
}
