//! The watch list and the hand-over to the finance office, over a real server on a real data folder.

mod command_line;
mod confined;
mod over_http;
mod streams;

use mingcha::wire::v1::{
    AcceptRequest, AddEvidenceRequest, ConcludeRequest, CountBy, CountRequest, Disposition, EscalateRequest, Field, GetFileRequest,
    LinkRequest, ListOrder, NewEvidence, OpenRequest, Opinion, OverruleRequest, ReceiveRequest, ReconcileRequest, RecordScreeningRequest,
    RecordScreeningResponse, RedirectRequest, Referral, ReferralServiceListRequest, ReferralState, ReturnRequest, RevokeRequest,
    ScreenRequest, UpdateEntryRequest, WatchFilter, WatchListServiceGetRequest, WatchListServiceListRequest, WatchSource, WatchStatus,
    referral_service_client::ReferralServiceClient, screening_service_client::ScreeningServiceClient,
    watch_list_service_client::WatchListServiceClient,
};
use prost_types::FieldMask;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;

use crate::server::Server;

/// A service with a data folder, where anyone may do everything.
struct Office {
    server: Server,
    data: TempDir,
    firms: WatchListServiceClient<Channel>,
    referrals: ReferralServiceClient<Channel>,
}

impl Office {
    async fn open() -> Self {
        Self::over(tempfile::tempdir().expect("a folder")).await
    }

    async fn over(data: TempDir) -> Self {
        let server = Server::start(&["--data", data.path().to_str().expect("a plain name")]);
        let channel = Channel::from_shared(format!("http://{}", server.address)).expect("an address").connect().await.expect("it listens");
        Self { server, data, firms: WatchListServiceClient::new(channel.clone()), referrals: ReferralServiceClient::new(channel) }
    }

    async fn record(&mut self, firm: ScreenRequest, id: &str) -> RecordScreeningResponse {
        let request = RecordScreeningRequest { screen: Some(firm), request_id: id.to_owned(), ..Default::default() };
        self.firms.record_screening(request).await.expect("recorded").into_inner()
    }

    /// Takes a referral from SENT to CONCLUDED.
    async fn conclude(&mut self, referral: &Referral, disposition: Disposition) -> Referral {
        let id = referral.id.clone();
        self.referrals.receive(ReceiveRequest { referral: id.clone(), ..Default::default() }).await.expect("received");
        self.referrals.accept(AcceptRequest { referral: id.clone(), ..Default::default() }).await.expect("accepted");
        let opinion = Some(Opinion { disposition: disposition.into(), ..Default::default() });
        let concluded = self.referrals.conclude(ConcludeRequest { referral: id, opinion, ..Default::default() }).await;
        concluded.expect("concluded").into_inner().referral.expect("a referral")
    }

    async fn entry(&mut self, firm: &str) -> mingcha::wire::v1::WatchEntry {
        let got = self.firms.get(WatchListServiceGetRequest { firm: firm.to_owned() }).await.expect("an answer").into_inner();
        got.entry.expect("an entry")
    }

    async fn update(&mut self, request: UpdateEntryRequest, paths: &[&str]) -> Result<mingcha::wire::v1::WatchEntry, Status> {
        let update_mask = Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() });
        let updated = self.firms.update_entry(UpdateEntryRequest { update_mask, reason: "核查".to_owned(), ..request }).await?;
        Ok(updated.into_inner().entry.expect("an entry"))
    }
}

/// A firm of 南京 whose name has 支付: two bodies are told.
fn payment() -> ScreenRequest {
    ScreenRequest { name: "某地明日支付有限公司".to_owned(), region: "320104".to_owned(), ..Default::default() }
}

fn named(name: &str, region: &str) -> ScreenRequest {
    ScreenRequest { name: name.to_owned(), region: region.to_owned(), ..Default::default() }
}

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flagged_firm_goes_to_the_finance_office_and_stays_in_sight_until_it_is_determined() {
    let mut office = Office::open().await;
    let recorded = office.record(payment(), "a-1").await;
    let entry = recorded.entry.clone().expect("an entry");
    assert!(recorded.recorded && recorded.head.clone().expect("a head").sequence == 1);
    assert_eq!((entry.status(), entry.firm.as_str(), entry.round), (WatchStatus::Open, "F1", 1));
    assert_eq!(entry.reasons.iter().map(|reason| reason.term.as_str()).collect::<Vec<_>>(), ["支付"]);
    assert!(entry.reasons[0].rules.contains(&"cn-768/payment".to_owned()), "{:?}", entry.reasons[0].rules);
    let bodies: Vec<&str> = entry.referrals.iter().map(|referral| referral.body.as_str()).collect();
    assert_eq!(bodies, ["320100/finance-office", "320100/central-bank"]);
    assert!(entry.referrals.iter().all(|referral| referral.state() == ReferralState::Sent && !referral.due_on.is_empty()));

    let again = office.record(payment(), "a-1").await;
    assert!(!again.recorded);
    assert_eq!((again.screening, again.entry, again.head), (recorded.screening, recorded.entry, recorded.head), "the same answer");
    let other =
        RecordScreeningRequest {
            screen: Some(named("某地甲有限公司", "320104")), request_id: "a-1".to_owned(), ..Default::default()
        };
    let refused = office.firms.record_screening(other).await.expect_err("another request with the same id");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::AlreadyExists, "REQUEST_ID_USED"));

    let too_early = ConcludeRequest {
        referral: "R1".to_owned(),
        opinion: Some(Opinion { disposition: Disposition::Ban.into(), ..Default::default() }),
        ..Default::default()
    };
    let refused = office.referrals.conclude(too_early).await.expect_err("it was not received");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "STATE"));
    office.conclude(&entry.referrals[0], Disposition::Revoke).await;
    assert_eq!(office.entry("F1").await.status(), WatchStatus::UnderReview, "one body is still at work");
    office.conclude(&entry.referrals[1], Disposition::Revoke).await;
    let determined = office.entry("F1").await;
    assert_eq!(determined.status(), WatchStatus::Determined);
    assert_eq!(determined.determined.expect("an opinion").disposition(), Disposition::Revoke);
    let revoke = RevokeRequest { firm: "F1".to_owned(), reason: "认定意见".to_owned(), ..Default::default() };
    assert!(!office.firms.revoke(revoke).await.expect("revoked").into_inner().entry.expect("an entry").revoked_on.is_empty());

    let file = office.firms.get_file(GetFileRequest { firm: "F1".to_owned(), ..Default::default() }).await.expect("a file").into_inner();
    let kinds: Vec<&str> = file.records.iter().map(|record| record.kind.as_str()).collect();
    let steps = ["referral-received", "referral-accepted", "referral-concluded"];
    assert_eq!(kinds, [&["screening"][..], &steps, &steps, &["revoked"]].concat());
    let then = GetFileRequest { firm: "F1".to_owned(), as_of: file.records[0].at.clone(), ..Default::default() };
    let then = office.firms.get_file(then).await.expect("a file").into_inner();
    assert_eq!((then.entry.expect("an entry").status(), then.records.len()), (WatchStatus::Open, 1));
    let before = GetFileRequest { firm: "F1".to_owned(), as_of: "2020-01-01T00:00:00Z".to_owned(), ..Default::default() };
    assert_eq!(office.firms.get_file(before).await.expect_err("there was none").code(), Code::NotFound);

    let day = String::new();
    let sum = ReconcileRequest { body: "320100/central-bank".to_owned(), date: day };
    let sum = office.referrals.reconcile(sum).await.expect("a sum").into_inner();
    let last = file.records[6].head.clone().expect("a head").sequence;
    let line = format!("R2\tCONCLUDED\t{last}\n");
    let expected = Sha256::digest(line).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    assert_eq!((sum.count, sum.sha256), (1, expected));
    assert!(office.server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn disagreement_goes_to_the_place_above_and_a_wrong_body_sends_back() {
    let mut office = Office::open().await;
    let entry = office.record(payment(), "").await.entry.expect("an entry");
    office.conclude(&entry.referrals[0], Disposition::Ban).await;
    let early = EscalateRequest { referral: "R1".to_owned(), reason: "分歧".to_owned(), ..Default::default() };
    assert_eq!(reason(&office.referrals.escalate(early.clone()).await.expect_err("nobody disagrees yet")), "NO_DISAGREEMENT");
    office.conclude(&entry.referrals[1], Disposition::Compliant).await;
    let split = office.entry("F1").await;
    assert!(split.disagreement && split.status() == WatchStatus::UnderReview);
    let above = office.referrals.escalate(early).await.expect("escalated").into_inner().referral.expect("a referral");
    assert_eq!((above.body.as_str(), above.after.as_str()), ("320000/finance-office", "R1"));
    office.conclude(&above, Disposition::Ban).await;
    let determined = office.entry("F1").await;
    assert_eq!((determined.status(), determined.disagreement), (WatchStatus::Determined, false));
    assert!(determined.referrals.iter().filter(|referral| referral.opinion.is_some()).count() == 3, "each opinion is kept");

    let second = office.record(named("某地后日支付有限公司", "320104"), "").await.entry.expect("an entry");
    let id = second.referrals[0].id.clone();
    office.referrals.receive(ReceiveRequest { referral: id.clone(), ..Default::default() }).await.expect("received");
    let without_reason = ReturnRequest { referral: id.clone(), ..Default::default() };
    assert_eq!(office.referrals.r#return(without_reason).await.expect_err("no reason").code(), Code::InvalidArgument);
    let back = ReturnRequest { referral: id.clone(), reason: "非本部门职责".to_owned(), ..Default::default() };
    let back = office.referrals.r#return(back).await.expect("returned").into_inner().referral.expect("a referral");
    assert_eq!((back.state(), back.due_on.as_str()), (ReferralState::Returned, ""));
    let on =
        RedirectRequest { referral: id, body: "320100/banking-regulator".to_owned(), reason: "改送".to_owned(), ..Default::default() };
    let on = office.referrals.redirect(on).await.expect("redirected").into_inner().referral.expect("a referral");
    assert_eq!((on.state(), on.body.as_str()), (ReferralState::Sent, "320100/banking-regulator"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_firm_that_was_let_go_is_opened_again_by_what_is_new_only() {
    let mut office = Office::open().await;
    let attention = office.record(named("某地信德投资有限公司", "320500"), "").await.entry.expect("an entry");
    assert!(attention.status() == WatchStatus::Open && attention.referrals.is_empty(), "ATTENTION tells nobody");
    let passed = office.record(named("某地众邦服饰有限公司", "320500"), "").await;
    assert!(passed.recorded && passed.entry.expect("a file").status() == WatchStatus::Unspecified);

    let flagged = office.record(payment(), "").await.entry.expect("an entry");
    let release = UpdateEntryRequest { firm: flagged.firm.clone(), status: WatchStatus::Released.into(), ..Default::default() };
    let released = office.update(UpdateEntryRequest { etag: "99".to_owned(), ..release.clone() }, &["status"]).await;
    assert_eq!(released.expect_err("another etag").code(), Code::Aborted);
    let etag = flagged.etag.clone();
    assert_eq!(office.update(UpdateEntryRequest { etag, ..release }, &["status"]).await.expect("released").status(), WatchStatus::Released);
    let same = office.record(payment(), "").await.entry.expect("an entry");
    assert_eq!((same.status(), same.round), (WatchStatus::Released, 1), "nothing is new");
    let changed = ScreenRequest { scope: "服装零售".to_owned(), ..payment() };
    let reopened = office.record(changed, "").await.entry.expect("an entry");
    assert_eq!((reopened.status(), reopened.round), (WatchStatus::Open, 2), "the text has changed");

    let overrule = OverruleRequest {
        firm: flagged.firm.clone(),
        term: "支付".to_owned(),
        field: Field::Name.into(),
        reason: "地名".to_owned(),
        ..Default::default()
    };
    office.firms.overrule(overrule.clone()).await.expect("overruled");
    let unknown = OverruleRequest { term: "理财".to_owned(), ..overrule };
    assert_eq!(reason(&office.firms.overrule(unknown).await.expect_err("no such hit")), "NO_SUCH_HIT");
    let shown = office.record(payment(), "").await.entry.expect("an entry").overruled;
    assert_eq!((shown.len(), shown[0].reason.as_str()), (1, "地名"), "shown at each later screening");
    office.entry(&flagged.firm).await; // the index has it
    let channel =
        Channel::from_shared(format!("http://{}", office.server.address)).expect("an address").connect().await.expect("it listens");
    let mut screening = ScreeningServiceClient::new(channel);
    let mut overruled = async |firm: ScreenRequest| {
        let answer = screening.screen(firm).await.expect("an answer").into_inner();
        assert!(answer.hits.iter().any(|hit| hit.term == "支付"), "it counts all the same");
        answer.overruled.into_iter().map(|known| known.reason).collect::<Vec<_>>()
    };
    assert_eq!(overruled(payment()).await, ["地名"], "also where nothing is recorded");
    assert_eq!(overruled(named("某地别家支付有限公司", "320104")).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_firm_gets_its_code_and_complaints_come_in() {
    const CODE: &str = "91350100M000100Y43";
    let mut office = Office::open().await;
    let by_name = office.record(payment(), "").await.entry.expect("an entry");
    let by_code = ScreenRequest { uscc: CODE.to_owned(), ..named("某地明日理财有限公司", "320104") };
    let by_code = office.record(by_code, "").await.entry.expect("an entry");
    assert_ne!(by_name.firm, by_code.firm);
    let link = LinkRequest { firm: by_name.firm.clone(), uscc: CODE.to_owned(), ..Default::default() };
    let joined = office.firms.link(link.clone()).await.expect("linked").into_inner().entry.expect("an entry");
    assert_eq!((joined.firm.as_str(), &joined.joined), (by_code.firm.as_str(), &vec![by_name.firm.clone()]));
    assert!(joined.reasons.len() == 2 && joined.referrals.len() == by_name.referrals.len() + by_code.referrals.len());
    assert_eq!(office.entry(CODE).await.firm, by_code.firm);
    let gone = office.firms.link(link).await.expect_err("it goes on elsewhere");
    assert_eq!(reason(&gone), "FILE_JOINED");

    let told = OpenRequest {
        name: "某地理想家居有限公司".to_owned(),
        region: "320104".to_owned(),
        source: WatchSource::Complaint.into(),
        business_fields: vec![8],
        evidence: Some(NewEvidence {
            reference: "举报〔2026〕1号".to_owned(), text: "承诺保本".to_owned(), informant: "某甲".to_owned()
        }),
        ..Default::default()
    };
    let told = office.firms.open(told).await.expect("opened").into_inner().entry.expect("an entry");
    assert_eq!(told.referrals.iter().map(|sent| sent.body.as_str()).collect::<Vec<_>>(), ["320100/finance-office"]);
    let more = NewEvidence { reference: "照片".to_owned(), ..Default::default() };
    let more = AddEvidenceRequest { firm: told.firm.clone(), evidence: Some(more), ..Default::default() };
    assert_eq!(office.firms.add_evidence(more).await.expect("added").into_inner().entry.expect("an entry").evidence.len(), 2);
    let bad = OpenRequest { name: String::new(), source: WatchSource::Rescreening.into(), ..Default::default() };
    let bad = office.firms.open(bad).await.expect_err("bad fields").get_error_details();
    let fields: Vec<String> = bad.bad_request().expect("a BadRequest").field_violations.iter().map(|wrong| wrong.field.clone()).collect();
    assert_eq!(fields, ["name", "region", "source", "evidence"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_on_page_by_page_while_firms_are_added() {
    let mut office = Office::open().await;
    for number in 0..7 {
        office.record(named(&format!("某地第{number}支付有限公司"), "320104"), "").await;
    }
    let first = WatchListServiceListRequest { page_size: 3, ..Default::default() };
    let page = office.firms.list(first.clone()).await.expect("a page").into_inner();
    assert_eq!(page.entries.iter().map(|entry| entry.firm.as_str()).collect::<Vec<_>>(), ["F7", "F6", "F5"]);
    office.record(named("某地第八支付有限公司", "320104"), "").await;
    let token = page.next_page_token;
    let next = office.firms.list(WatchListServiceListRequest { page_token: token.clone(), ..first.clone() }).await.expect("a page");
    let next = next.into_inner();
    assert_eq!(next.entries.iter().map(|entry| entry.firm.as_str()).collect::<Vec<_>>(), ["F4", "F3", "F2"], "stable");
    let other = WatchListServiceListRequest { page_token: token, order: ListOrder::OldestFirst.into(), ..first };
    assert_eq!(office.firms.list(other).await.expect_err("another question's token").code(), Code::InvalidArgument);

    let filter = WatchFilter { name_contains: "第 ３".to_owned(), region: "江苏".to_owned(), ..Default::default() };
    let found = WatchListServiceListRequest { filter: Some(filter.clone()), ..Default::default() };
    let found = office.firms.list(found).await.expect("a page").into_inner();
    assert_eq!(found.entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["某地第3支付有限公司"]);
    let count = CountRequest { filter: None, by: vec![CountBy::Status.into(), CountBy::Region.into()] };
    let counts = office.firms.count(count).await.expect("counts").into_inner().counts;
    let at = |region: &str| counts.iter().find(|count| count.second == region && count.first == "OPEN").map(|count| count.count);
    assert_eq!((at("320104"), at("320000"), at("000000"), at("330000")), (Some(8), Some(8), Some(8), None));
    let named = ReferralServiceListRequest { name_contains: "第３支付".to_owned(), ..Default::default() };
    let named = office.referrals.list(named).await.expect("a page").into_inner().referrals;
    assert!(named.len() == 2 && named.iter().all(|referral| referral.firm_name == "某地第3支付有限公司"), "{named:?}");
    let overdue = ReferralServiceListRequest { overdue: true, ..Default::default() };
    assert!(office.referrals.list(overdue).await.expect("a page").into_inner().referrals.is_empty(), "none is late yet");
    let large = WatchListServiceListRequest { page_size: 1001, ..Default::default() };
    assert_eq!(office.firms.list(large).await.expect_err("too large").code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_a_data_folder_says_so() {
    let server = Server::start(&[]);
    let mut firms = WatchListServiceClient::connect(format!("http://{}", server.address)).await.expect("it listens");
    let refused = firms.list(WatchListServiceListRequest::default()).await.expect_err("there is none");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("data"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_is_there_after_a_restart() {
    let mut office = Office::open().await;
    let recorded = office.record(payment(), "a-1").await;
    let Office { server, data, .. } = office;
    assert!(server.stop().success());
    let mut office = Office::over(data).await;
    assert_eq!(Some(office.entry("F1").await), recorded.entry);
    let again = office.record(payment(), "a-1").await;
    assert_eq!((again.recorded, again.screening, again.head), (false, recorded.screening, recorded.head), "ids are remembered");
}
