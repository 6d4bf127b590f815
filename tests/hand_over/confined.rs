//! Who sees what, and who may do what.

use std::fs;

use mingcha::{
    auth::TokenHash,
    wire::v1::{
        NewEvidence, OpenRequest, ReceiveRequest, RecordScreeningRequest, ReferralServiceListRequest, ReturnRequest, ScreenRequest,
        UpdateEntryRequest, WatchListServiceGetRequest, WatchListServiceListRequest, WatchSource, WatchStatus,
        referral_service_client::ReferralServiceClient, watch_list_service_client::WatchListServiceClient,
    },
};
use prost_types::FieldMask;
use sha2::{Digest, Sha256};
use tonic::{
    Code, Request,
    transport::{Certificate, Channel, ClientTlsConfig},
};

use super::{payment, reason};
use crate::{certificates::Authority, server::Server};

const IDENTITIES: [(&str, &str, &str, &str); 6] = [
    ("registrar", "registrar", "320100", ""),
    ("office", "finance", "320100", "320100/finance-office"),
    ("bank", "finance", "320100", "320100/central-bank"),
    ("bodiless", "finance", "320100", ""),
    ("elsewhere", "registrar", "330000", ""),
    ("auditor", "auditor", "000000", ""),
];

/// A service over TLS whose callers go by the token that is their name.
struct Confined {
    server: Server,
    channel: Channel,
    _folder: tempfile::TempDir,
}

impl Confined {
    async fn open() -> Self {
        let (authority, folder) = (Authority::new("bureaus"), tempfile::tempdir().expect("a folder"));
        authority.server().write(folder.path(), "server");
        let path = |name: &str| folder.path().join(name).to_str().expect("a plain name").to_owned();
        let mut config = format!("[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n", path("server.pem"), path("server.key"));
        for (id, role, region, body) in IDENTITIES {
            let hash = TokenHash(Sha256::digest(id).into());
            let body = if body.is_empty() { String::new() } else { format!("body = \"{body}\"\n") };
            let table =
                format!("[[auth.identity]]\nid = \"{id}\"\ntoken_sha256 = [\"{hash}\"]\nroles = [\"{role}\"]\nregions = [\"{region}\"]\n");
            config = config + &table + &body;
        }
        fs::write(path("mingcha.toml"), config).expect("written");
        let server = Server::start(&["--config", &path("mingcha.toml"), "--data", &path("data")]);
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.certificate())).domain_name("localhost");
        let port = server.address.rsplit_once(':').expect("a port").1;
        let endpoint = Channel::from_shared(format!("https://localhost:{port}")).expect("an address").tls_config(tls).expect("TLS");
        Self { channel: endpoint.connect().await.expect("it listens"), server, _folder: folder }
    }

    fn firms(&self) -> WatchListServiceClient<Channel> {
        WatchListServiceClient::new(self.channel.clone())
    }

    fn referrals(&self) -> ReferralServiceClient<Channel> {
        ReferralServiceClient::new(self.channel.clone())
    }
}

fn by<T>(id: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {id}").parse().expect("a header"));
    request
}

fn record(firm: ScreenRequest) -> RecordScreeningRequest {
    RecordScreeningRequest { screen: Some(firm), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_confined_to_their_regions_and_bodies() {
    let service = Confined::open().await;
    let (mut firms, mut referrals) = (service.firms(), service.referrals());
    firms.record_screening(by("registrar", record(payment()))).await.expect("recorded");
    let refused = firms.record_screening(by("elsewhere", record(payment()))).await.expect_err("not theirs");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::PermissionDenied, "REGION_OUTSIDE"));
    let refused = firms.record_screening(by("office", record(payment()))).await.expect_err("no registrar");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::PermissionDenied, "ROLE_MISSING"));

    let all = WatchListServiceListRequest::default;
    for (id, seen) in [("registrar", 1), ("office", 1), ("auditor", 1), ("elsewhere", 0)] {
        assert_eq!(firms.list(by(id, all())).await.expect("a page").into_inner().entries.len(), seen, "{id}");
    }
    let get = WatchListServiceGetRequest { firm: "F1".to_owned() };
    let refused = firms.get(by("elsewhere", get.clone())).await.expect_err("not theirs");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::PermissionDenied, "REGION_OUTSIDE"));

    let own = ReferralServiceListRequest::default;
    for (id, seen) in [("office", vec!["R1"]), ("bank", vec!["R2"]), ("auditor", vec!["R2", "R1"])] {
        let page = referrals.list(by(id, own())).await.expect("a page").into_inner();
        assert_eq!(page.referrals.iter().map(|referral| referral.id.as_str()).collect::<Vec<_>>(), seen, "{id}");
    }
    let banks = ReferralServiceListRequest { body: "320100/central-bank".to_owned(), ..Default::default() };
    for (id, asked) in [("office", banks.clone()), ("bodiless", own()), ("bodiless", banks)] {
        let refused = referrals.list(by(id, asked)).await.expect_err("another body's");
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::PermissionDenied, "BODY_OTHER"), "{id}");
    }
    let receive = ReceiveRequest { referral: "R1".to_owned(), ..Default::default() };
    let refused = referrals.receive(by("bank", receive.clone())).await.expect_err("the office's");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::PermissionDenied, "BODY_OTHER"));
    referrals.receive(by("office", receive)).await.expect("received");

    let release = UpdateEntryRequest {
        firm: "F1".to_owned(),
        update_mask: Some(FieldMask { paths: vec!["status".to_owned()] }),
        reason: "核查".to_owned(),
        status: WatchStatus::Released.into(),
        ..Default::default()
    };
    let refused = firms.update_entry(by("registrar", release.clone())).await.expect_err("the finance side's");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::PermissionDenied, "ROLE_MISSING"));
    let refused = firms.update_entry(by("office", release.clone())).await.expect_err("the bank has not answered");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "AT_WORK"));
    referrals.receive(by("bank", ReceiveRequest { referral: "R2".to_owned(), ..Default::default() })).await.expect("received");
    let back = ReturnRequest { referral: "R2".to_owned(), reason: "不属本部门".to_owned(), ..Default::default() };
    referrals.r#return(by("bank", back)).await.expect("returned");
    firms.update_entry(by("office", release)).await.expect("released");
    assert!(service.server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_firm_that_operates_elsewhere_is_shared_and_informants_are_the_finance_sides() {
    let service = Confined::open().await;
    let mut firms = service.firms();
    firms.record_screening(by("registrar", record(payment()))).await.expect("recorded");
    let get = WatchListServiceGetRequest { firm: "F1".to_owned() };
    assert!(firms.get(by("elsewhere", get.clone())).await.is_err());
    let operates = UpdateEntryRequest {
        firm: "F1".to_owned(),
        update_mask: Some(FieldMask { paths: vec!["places_of_operation".to_owned()] }),
        places_of_operation: vec!["杭州".to_owned()],
        reason: "异地经营".to_owned(),
        ..Default::default()
    };
    firms.update_entry(by("registrar", operates)).await.expect("updated");
    let seen = firms.get(by("elsewhere", get)).await.expect("shared").into_inner().entry.expect("an entry");
    assert_eq!(seen.places_of_operation, ["330100"]);

    let told = OpenRequest {
        name: "某地理想家居有限公司".to_owned(),
        region: "320104".to_owned(),
        source: WatchSource::Complaint.into(),
        evidence: Some(NewEvidence { reference: "举报1号".to_owned(), informant: "某甲".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    firms.open(by("office", told)).await.expect("opened");
    let file = |id| {
        let request = mingcha::wire::v1::GetFileRequest { firm: "F2".to_owned(), ..Default::default() };
        let mut firms = firms.clone();
        async move { firms.get_file(by(id, request)).await.expect("a file").into_inner() }
    };
    for (id, sees) in [("office", true), ("registrar", false), ("auditor", false)] {
        let file = file(id).await;
        let informant = &file.entry.expect("an entry").evidence[0].informant;
        assert_eq!((informant == "某甲", file.records[0].payload.contains("某甲")), (sees, sees), "{id}");
    }
}
