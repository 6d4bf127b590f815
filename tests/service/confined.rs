//! Callers are confined to their roles and regions, over gRPC and over HTTP.

use std::fs;

use mingcha::{
    auth::TokenHash,
    wire::v1::{
        BatchScreenRequest, PreviewRequest, ScreenRequest, screening_service_client::ScreeningServiceClient,
        wordlist_service_client::WordlistServiceClient,
    },
};
use sha2::{Digest, Sha256};
use tonic::{
    Code, Request, Status,
    metadata::MetadataValue,
    transport::{Certificate, Channel, ClientTlsConfig, Identity},
};
use tonic_types::StatusExt;

use super::firm;
use crate::{certificates::Authority, server::Server};

/// The hash of a token, as `sha256sum` gives it.
fn sha256(token: &str) -> String {
    TokenHash(Sha256::digest(token).into()).to_string()
}

struct Bureau {
    server: Server,
    authority: Authority,
    _folder: tempfile::TempDir,
}

impl Bureau {
    fn open() -> Self {
        let authority = Authority::new("bureaus");
        let folder = tempfile::tempdir().expect("a folder");
        authority.server().write(folder.path(), "server");
        let path = |name: &str| folder.path().join(name).to_str().expect("a plain name").to_owned();
        fs::write(path("ca.pem"), authority.certificate()).expect("written");
        let config = format!(
            "[tls]\ncertificate = \"{}\"\nkey = \"{}\"\nclient_ca = \"{}\"\nclient_required = false\n\
             [[auth.identity]]\nid = \"nanjing\"\nsan = [\"URI:spiffe://bureau/nanjing\"]\nroles = [\"registrar\"]\nregions = [\"320100\"]\n\
             [[auth.identity]]\nid = \"suzhou\"\ntoken_sha256 = [\"{}\"]\nroles = [\"registrar\"]\nregions = [\"320500\", \"310000\"]\n\
             [[auth.identity]]\nid = \"steward\"\ntoken_sha256 = [\"{}\"]\nroles = [\"steward\"]\nregions = [\"320000\"]\n",
            path("server.pem"),
            path("server.key"),
            path("ca.pem"),
            sha256("a token of suzhou"),
            sha256("a steward's token"),
        );
        fs::write(path("mingcha.toml"), config).expect("written");
        let server = Server::start(&["--config", &path("mingcha.toml")]);
        Self { server, authority, _folder: folder }
    }

    fn port(&self) -> &str {
        self.server.address.rsplit_once(':').expect("a port").1
    }

    async fn channel(&self, name: Option<&str>) -> Channel {
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(self.authority.certificate())).domain_name("localhost");
        if let Some(name) = name {
            let certified = self.authority.client(name, 7);
            tls = tls.identity(Identity::from_pem(certified.certificate, certified.key));
        }
        let endpoint =
            Channel::from_shared(format!("https://localhost:{}", self.port())).expect("an address").tls_config(tls).expect("TLS");
        endpoint.connect().await.expect("it listens")
    }
}

fn by<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", MetadataValue::try_from(format!("Bearer {token}")).expect("ASCII"));
    request
}

fn at(region: &str) -> ScreenRequest {
    ScreenRequest { region: region.to_owned(), ..firm("某地苹果有限公司") }
}

fn outside(status: &Status, field: &str, region: &str) {
    let details = status.get_error_details();
    let info = details.error_info().expect("an ErrorInfo");
    assert_eq!((status.code(), info.reason.as_str()), (Code::PermissionDenied, "REGION_OUTSIDE"), "{status}");
    assert_eq!((info.metadata["field"].as_str(), info.metadata["region"].as_str()), (field, region));
}

#[tokio::test]
async fn regions_hold_with_every_place_below() {
    let bureau = Bureau::open();
    let mut nanjing = ScreeningServiceClient::new(bureau.channel(Some("URI:spiffe://bureau/nanjing")).await);
    for region in ["320100", "320106", "南京市鼓楼区"] {
        nanjing.screen(at(region)).await.unwrap_or_else(|status| panic!("{region}: {status}"));
    }
    for (region, code) in [("320500", "320500"), ("320000", "320000"), ("", "000000"), ("上海", "310000")] {
        outside(&nanjing.screen(at(region)).await.expect_err(region), "region", code);
    }
    let batch = BatchScreenRequest { requests: vec![at("320106"), at("320100"), at("320505")], ..Default::default() };
    outside(&nanjing.batch_screen(batch).await.expect_err("a batch"), "requests[2].region", "320505");

    let mut suzhou = ScreeningServiceClient::new(bureau.channel(None).await);
    for region in ["320505", "310115"] {
        suzhou.screen(by("a token of suzhou", at(region))).await.unwrap_or_else(|status| panic!("{region}: {status}"));
    }
    outside(&suzhou.screen(by("a token of suzhou", at("320100"))).await.expect_err("not theirs"), "region", "320100");
    let mut lists = WordlistServiceClient::new(bureau.channel(None).await);
    let preview = |region: &str| by("a steward's token", PreviewRequest { firms: vec![at("320100"), at(region)], ..Default::default() });
    lists.preview(preview("320500")).await.expect("theirs");
    outside(&lists.preview(preview("110000")).await.expect_err("not theirs"), "firms[1].region", "110000");
}

#[tokio::test]
async fn http_calls_need_what_their_methods_need() {
    let bureau = Bureau::open();
    let (port, root) = (bureau.port().to_owned(), bureau.authority.certificate());
    let post = move |path: &str, token: Option<&str>, body: &str| {
        let root = ureq::tls::Certificate::from_pem(root.as_bytes()).expect("PEM");
        let tls = ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::new_with_certs(&[root])).build();
        let agent = ureq::Agent::config_builder().http_status_as_error(false).tls_config(tls).build().new_agent();
        let mut request = agent.post(format!("https://localhost:{port}{path}")).header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut answer = request.send(body).expect("an answer");
        let text = answer.body_mut().read_to_string().expect("text");
        (answer.status().as_u16(), answer.headers().get("www-authenticate").is_some(), text)
    };
    let answers = tokio::task::spawn_blocking(move || {
        let body = r#"{"name":"某地苹果有限公司","region":"320505"}"#;
        [
            post("/v1/screen", Some("a token of suzhou"), body),
            post("/v1/screen", None, body),
            post("/v1/screen", Some("nobody's"), body),
            post("/v1/screen", Some("a steward's token"), body),
            post("/v1/screen", Some("a token of suzhou"), r#"{"name":"某地苹果有限公司","region":"320100"}"#),
            post("/v1/lists:reload", Some("a token of suzhou"), "{}"),
        ]
    });
    let answers = answers.await.expect("no panic");
    let expected = [
        (200, false, "DECISION_PASS"),
        (401, true, "NO_CREDENTIALS"),
        (401, true, "TOKEN_UNKNOWN"),
        (403, false, "ROLE_MISSING"),
        (403, false, "REGION_OUTSIDE"),
        (403, false, "ROLE_MISSING"),
    ];
    for ((status, challenge, text), (expected_status, expected_challenge, part)) in answers.iter().zip(expected) {
        assert_eq!((*status, *challenge), (expected_status, expected_challenge), "{text}");
        assert!(text.contains(part), "{part}: {text}");
    }
}
