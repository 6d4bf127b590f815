//! Whose operations are whose, and which firms.

use std::fs;

use mingcha::{
    auth::TokenHash,
    wire::{
        longrunning::{
            CancelOperationRequest, DeleteOperationRequest, GetOperationRequest, ListOperationsRequest, WaitOperationRequest,
            operations_client::OperationsClient,
        },
        v1::{ReadOutputRequest, RescreenOptions, StartRescreenRequest, rescreen_service_client::RescreenServiceClient},
    },
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tonic::{
    Code, Request,
    transport::{Certificate, Channel, ClientTlsConfig},
};

use super::{metadata, options, refused, response};
use crate::{
    certificates::Authority,
    rescreen::{Bureau, rows},
    server::Server,
};

const IDENTITIES: [(&str, &[&str], &str); 7] = [
    ("nanjing", &["registrar"], "320100"),
    ("zhejiang", &["registrar"], "330000"),
    ("nation", &["registrar"], "000000"),
    ("auditor", &["auditor"], "000000"),
    ("inspector", &["auditor", "registrar"], "000000"),
    ("local-auditor", &["auditor"], "320000"),
    ("office", &["finance"], "320100"),
];

/// Firms in 南京, in 杭州, and nobody knows where.
const FIRMS: &str = "企业名称,省份,城市\n\
    某地众诚理财有限公司,江苏,南京\n某地众诚日用品有限公司,江苏,南京\n\
    某地众诚支付有限公司,浙江,杭州\n某地众诚百货有限公司,浙江,杭州\n\
    某地众诚担保有限公司,,\n";

struct Confined {
    bureau: Bureau,
    channel: Channel,
    server: Server,
    authority: Authority,
    folder: TempDir,
}

impl Confined {
    /// A service over TLS whose callers go by the token that is their name.
    async fn open() -> Self {
        let (authority, folder) = (Authority::new("bureaus"), tempfile::tempdir().expect("a folder"));
        authority.server().write(folder.path(), "server");
        Self::serve(Bureau::new(), authority, folder, &IDENTITIES).await
    }

    async fn serve(bureau: Bureau, authority: Authority, folder: TempDir, identities: &[(&str, &[&str], &str)]) -> Self {
        let path = |name: &str| folder.path().join(name).to_str().expect("a plain name").to_owned();
        let mut config = format!("[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n", path("server.pem"), path("server.key"));
        for (id, roles, region) in identities {
            let hash = TokenHash(Sha256::digest(id).into());
            let table =
                format!("[[auth.identity]]\nid = \"{id}\"\ntoken_sha256 = [\"{hash}\"]\nroles = {roles:?}\nregions = [\"{region}\"]\n");
            config.push_str(&table);
        }
        fs::write(path("mingcha.toml"), config).expect("written");
        let registers = bureau.path("");
        let folder_of = ["--rescreen-folder", registers.to_str().expect("a plain name"), "--rescreen-gentle=false"];
        let server = Server::start(&[&["--config", &path("mingcha.toml"), "--data", &path("data")][..], &folder_of].concat());
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.certificate())).domain_name("localhost");
        let port = server.address.rsplit_once(':').expect("a port").1;
        let endpoint = Channel::from_shared(format!("https://localhost:{port}")).expect("an address").tls_config(tls).expect("TLS");
        Self { channel: endpoint.connect().await.expect("it listens"), bureau, server, authority, folder }
    }

    /// The same, started again with other identities.
    async fn again(self, identities: &[(&str, &[&str], &str)]) -> Self {
        let Self { bureau, authority, folder, server, .. } = self;
        server.stop();
        Self::serve(bureau, authority, folder, identities).await
    }

    async fn read(&self, who: &str, name: &str) -> Result<Vec<u8>, tonic::Status> {
        let request = ReadOutputRequest { name: name.to_owned(), ..Default::default() };
        let mut pieces = RescreenServiceClient::new(self.channel.clone()).read_output(by(who, request)).await?.into_inner();
        Ok(pieces.message().await?.expect("one at least").content)
    }

    async fn start(&self, who: &str, output: &str, options: RescreenOptions) -> Result<String, tonic::Status> {
        let request = StartRescreenRequest { inputs: vec!["firms.csv".to_owned()], output: output.to_owned(), options: Some(options) };
        let started = RescreenServiceClient::new(self.channel.clone()).start_rescreen(by(who, request)).await?;
        Ok(started.into_inner().name)
    }

    fn operations(&self) -> OperationsClient<Channel> {
        OperationsClient::new(self.channel.clone())
    }

    async fn ended(&self, who: &str, name: &str) -> mingcha::wire::longrunning::Operation {
        let wait = WaitOperationRequest { name: name.to_owned(), timeout: None };
        self.operations().wait_operation(by(who, wait)).await.expect("it is there").into_inner()
    }
}

fn by<T>(who: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {who}").parse().expect("a header"));
    request
}

#[tokio::test]
async fn firms_elsewhere_are_rejected() {
    let confined = Confined::open().await;
    confined.bureau.write("firms.csv", FIRMS);
    let flagged = |output: &str| rows(&confined.bureau.read(output), &["企业名称"]).concat();
    let whole = confined.start("nation", "whole.csv", options()).await.expect("it starts");
    let said = response(&confined.ended("nation", &whole).await);
    assert_eq!((said.read, said.passed, said.flagged, said.rejected), (5, 2, 3, 0));

    let theirs = confined.start("nanjing", "nanjing.csv", RescreenOptions { record: true, ..options() }).await.expect("it starts");
    let said = response(&confined.ended("nanjing", &theirs).await);
    assert_eq!((said.read, said.passed, said.flagged, said.rejected, said.recorded), (5, 1, 1, 3, 1));
    assert_eq!(flagged("nanjing.csv"), ["某地众诚理财有限公司"]);
    let rejects = confined.bureau.read("nanjing.csv.rejects.csv");
    assert!(rejects.matches("登记地不在办理人辖区内").count() == 3 && !rejects.contains("某地众诚"), "{rejects}");

    // a place that is said for those whose place nothing tells is one of the caller's
    let said = RescreenOptions { region: "320105".to_owned(), ..options() };
    let name = confined.start("nanjing", "said.csv", said).await.expect("it starts");
    assert_eq!(response(&confined.ended("nanjing", &name).await).flagged, 2);
    let elsewhere = RescreenOptions { region: "330100".to_owned(), ..options() };
    refused(confined.start("nanjing", "no.csv", elsewhere).await, Code::PermissionDenied, "options.region");
}

#[tokio::test]
async fn nothing_is_seen_of_rows_elsewhere_that_are_no_firms() {
    let confined = Confined::open().await;
    let long = "某地众诚".repeat(2_000);
    confined.bureau.write("firms.csv", format!("企业名称,省份,城市\n某地众诚坏行\n{long},浙江,杭州\n,江苏,南京\n"));
    let name = confined.start("nanjing", "out.csv", options()).await.expect("it starts");
    assert_eq!(response(&confined.ended("nanjing", &name).await).rejected, 3);
    let rejects = confined.bureau.read("out.csv.rejects.csv");
    assert!(!rejects.contains("某地众诚") && rejects.contains("登记地不在办理人辖区内"), "{rejects}");
    assert!(rejects.contains("企业名称为空"), "{rejects}");
}

#[tokio::test]
async fn operations_are_seen_by_who_started_them_and_by_auditors() {
    let confined = Confined::open().await;
    confined.bureau.write("firms.csv", FIRMS);
    refused(confined.start("office", "out.csv", options()).await, Code::PermissionDenied, "ROLE_MISSING");
    refused(confined.start("auditor", "out.csv", options()).await, Code::PermissionDenied, "ROLE_MISSING");
    let name = confined.start("nanjing", "out.csv", options()).await.expect("it starts");
    confined.ended("nanjing", &name).await;
    let mut operations = confined.operations();
    let get = || GetOperationRequest { name: name.clone() };
    for who in ["nanjing", "auditor", "inspector"] {
        let seen = operations.get_operation(by(who, get())).await.expect("it is there").into_inner();
        assert_eq!(metadata(&seen).identity, "nanjing");
        let listed = operations.list_operations(by(who, ListOperationsRequest::default())).await.expect("listed").into_inner();
        assert_eq!(listed.operations.len(), 1, "{who}");
    }
    for who in ["zhejiang", "nation", "local-auditor"] {
        refused(operations.get_operation(by(who, get())).await, Code::NotFound, "no operation");
        let wait = WaitOperationRequest { name: name.clone(), timeout: None };
        refused(operations.wait_operation(by(who, wait)).await, Code::NotFound, "no operation");
        let listed = operations.list_operations(by(who, ListOperationsRequest::default())).await.expect("listed").into_inner();
        assert!(listed.operations.is_empty(), "{who}");
    }
    for (who, code, why) in [
        ("zhejiang", Code::NotFound, "no operation"),
        ("nation", Code::NotFound, "no operation"),
        ("auditor", Code::PermissionDenied, "ROLE_MISSING"),
        ("inspector", Code::PermissionDenied, "NOT_THE_OWNER"),
        ("office", Code::PermissionDenied, "ROLE_MISSING"),
    ] {
        let cancel = CancelOperationRequest { name: name.clone() };
        refused(operations.cancel_operation(by(who, cancel)).await, code, why);
        let delete = DeleteOperationRequest { name: name.clone() };
        refused(operations.delete_operation(by(who, delete)).await, code, why);
        refused(confined.read(who, &name).await, code, why);
    }
    let own = confined.read("nanjing", &name).await.expect("its own");
    assert_eq!(String::from_utf8(own).expect("UTF-8"), confined.bureau.read("out.csv"));
    operations.delete_operation(by("nanjing", DeleteOperationRequest { name: name.clone() })).await.expect("it is deleted");
    refused(operations.get_operation(by("nanjing", get())).await, Code::NotFound, "no operation");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reaches_fewer_firms_than_it_did_reads_nothing_of_the_others() {
    let confined = Confined::open().await;
    confined.bureau.write("firms.csv", FIRMS);
    let theirs = confined.start("nanjing", "nanjing.csv", options()).await.expect("it starts");
    let whole = confined.start("nation", "whole.csv", options()).await.expect("it starts");
    for (who, name) in [("nanjing", &theirs), ("nation", &whole)] {
        confined.ended(who, name).await;
        confined.read(who, name).await.expect("its own");
    }
    let shrunk = IDENTITIES.map(|(id, roles, region)| match id {
        "nanjing" => (id, roles, "320105"),
        "nation" => (id, roles, "320000"),
        _ => (id, roles, region),
    });
    let confined = confined.again(&shrunk).await;
    refused(confined.read("nanjing", &theirs).await, Code::PermissionDenied, "REGION_OUTSIDE");
    refused(confined.read("nation", &whole).await, Code::PermissionDenied, "REGION_OUTSIDE");
    let confined = confined.again(&IDENTITIES).await;
    assert_eq!(
        String::from_utf8(confined.read("nanjing", &theirs).await.expect("its own")).expect("UTF-8"),
        confined.bureau.read("nanjing.csv")
    );
}
