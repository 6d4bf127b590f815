//! `WordlistService` and `lists_hash`, over a real server.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mingcha::wire::v1::{
    self, BatchScreenRequest, Decision, Draft, FindTermRequest, GetInstrumentRequest, ListFile, ListInstrumentsRequest, PreviewRequest,
    ReloadRequest, ScreenRequest, ValidateRequest, screening_service_client::ScreeningServiceClient,
    wordlist_service_client::WordlistServiceClient,
};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;

use crate::{
    folder::{ListsFolder, more},
    server::Server,
};

struct Clients {
    lists: WordlistServiceClient<Channel>,
    screening: ScreeningServiceClient<Channel>,
}

async fn clients(server: &Server) -> Clients {
    let channel = Channel::from_shared(format!("http://{}", server.address)).expect("an address").connect().await.expect("it listens");
    Clients { lists: WordlistServiceClient::new(channel.clone()), screening: ScreeningServiceClient::new(channel) }
}

fn firm(name: &str) -> ScreenRequest {
    ScreenRequest { name: name.to_owned(), region: "320100".to_owned(), date: "2026-11-01".to_owned(), ..Default::default() }
}

fn draft(files: &[(&str, &str)]) -> Draft {
    let files = files.iter().map(|(path, content)| ListFile { path: (*path).to_owned(), content: (*content).to_owned() });
    Draft { files: files.collect(), ..Default::default() }
}

fn fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    let details = status.get_error_details();
    details.bad_request().expect("a BadRequest").field_violations.iter().map(|violation| violation.field.clone()).collect()
}

#[tokio::test]
async fn instruments_and_terms_are_shown() {
    let server = Server::start(&[]);
    let Clients { mut lists, .. } = clients(&server).await;
    let all = lists.list_instruments(ListInstrumentsRequest::default()).await.expect("an answer").into_inner();
    assert!(all.instruments.len() > 20 && all.instruments.is_sorted_by_key(|instrument| instrument.id.clone()));
    let only = ListInstrumentsRequest { region: "南京".to_owned(), date: "2016-06-01".to_owned(), ..Default::default() };
    let nanjing = lists.list_instruments(only).await.expect("an answer").into_inner().instruments;
    let ids: Vec<&str> = nanjing.iter().map(|instrument| instrument.id.as_str()).collect();
    assert!(nanjing.len() < all.instruments.len() && !ids.iter().any(|id| id.starts_with("beijing")), "{ids:?}");
    assert!(nanjing.iter().all(|instrument| ["000000", "320000", "320100"].contains(&instrument.jurisdiction.as_str())), "{ids:?}");

    let found =
        lists.find_term(FindTermRequest { text: "Ｐ·二·Ｐ".to_owned(), ..Default::default() }).await.expect("an answer").into_inner();
    assert_eq!((found.term.as_str(), found.business_field()), ("P2P", v1::BusinessField::P2p));
    let basis = &found.bases[0];
    let id = GetInstrumentRequest { id: basis.list.clone(), ..Default::default() };
    let full = lists.get_instrument(id).await.expect("an answer").into_inner();
    let head = full.instrument.expect("a head");
    assert_eq!((head.id.as_str(), head.rule_count as usize, full.lists_hash), (basis.list.as_str(), full.rules.len(), all.lists_hash));
    let rule = full.rules.iter().find(|rule| rule.id == basis.rule).expect("the rule of the basis");
    assert!(rule.terms.iter().any(|term| term.text == "P2P") && rule.clause == basis.clause);
    assert!(full.content.contains(&format!("id = \"{}\"", head.id)) && full.content.contains("[[rule]]"));

    let missing = lists.find_term(FindTermRequest { text: "苹果".to_owned(), ..Default::default() }).await.expect_err("no term");
    assert_eq!(missing.code(), Code::NotFound);
    let missing =
        lists.get_instrument(GetInstrumentRequest { id: "nothing\u{7}".to_owned(), ..Default::default() }).await.expect_err("none");
    assert_eq!(missing.code(), Code::NotFound);
    let bad = ListInstrumentsRequest { region: "某地".to_owned(), date: "2026-02-30".to_owned(), ..Default::default() };
    assert_eq!(fields(&lists.list_instruments(bad).await.expect_err("bad fields")), ["region", "date"]);
    for text in [String::new(), "长".repeat(257)] {
        assert_eq!(fields(&lists.find_term(FindTermRequest { text, ..Default::default() }).await.expect_err("bad")), ["text"]);
    }
    let reload = lists.reload(ReloadRequest {}).await.expect_err("the lists are inside the binary");
    assert_eq!(reload.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn drafts_are_validated_and_previewed() {
    let server = Server::start(&[]);
    let Clients { mut lists, .. } = clients(&server).await;
    let path = "local/more.toml";
    let good = lists.validate(ValidateRequest { draft: Some(draft(&[(path, &more("明日链"))])) }).await.expect("an answer").into_inner();
    assert_eq!((good.problems.len(), good.lists_hash.len()), (0, 64));
    let bad = more("明日链").replace("PROHIBIT", "FORBID").replace("第一条", "");
    let bad = lists.validate(ValidateRequest { draft: Some(draft(&[(path, &bad)])) }).await.expect("an answer").into_inner();
    assert!(bad.problems.len() > 1 && bad.problems.iter().all(|problem| problem.file == path), "{bad:?}");
    assert!(bad.problems.iter().any(|problem| problem.message.contains("FORBID") && problem.line == 16), "{bad:?}");

    let firms: Vec<_> = ["某地明日链有限公司", "某地苹果有限公司", "某地理财有限公司"].map(firm).into();
    let request = PreviewRequest { draft: Some(draft(&[(path, &more("明日链"))])), firms: firms.clone() };
    let preview = lists.preview(request).await.expect("an answer").into_inner();
    assert_eq!((preview.unchanged_count, preview.lists_hash_after.as_str()), (2, good.lists_hash.as_str()));
    let [change] = &preview.changes[..] else { panic!("{preview:?}") };
    let decisions = [&change.before, &change.after].map(|answer| answer.as_ref().expect("an answer").decision());
    assert_eq!((change.index, decisions), (0, [Decision::Pass, Decision::Prohibited]));

    let request = PreviewRequest { draft: Some(draft(&[(path, "nothing")])), firms: firms.clone() };
    let refused = lists.preview(request).await.expect_err("bad lists");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.get_error_details().precondition_failure().expect("details").violations[0].subject.starts_with(path));
    let removed = Draft { removed: vec!["fields.toml".to_owned()], ..Default::default() };
    let refused = lists.validate(ValidateRequest { draft: Some(removed) }).await.expect("an answer").into_inner();
    assert!(refused.problems.iter().any(|problem| problem.file == "fields.toml"));

    let mut firms = firms;
    firms[1].name = String::new();
    let request = PreviewRequest { draft: Some(draft(&[])), firms };
    assert_eq!(fields(&lists.preview(request).await.expect_err("a bad firm")), ["firms[1].name", "firms[1].name"][..1]);
    let request = PreviewRequest { draft: Some(draft(&[])), firms: vec![firm("某地有限公司"); 1001] };
    assert_eq!(fields(&lists.preview(request).await.expect_err("too many")), ["firms"]);
    let request = ValidateRequest { draft: Some(draft(&[("../x.toml", ""), ("a.toml", ""), ("a.toml", ""), ("a.md", "")])) };
    let paths = ["draft.files[0].path", "draft.files[2].path", "draft.files[3].path"];
    assert_eq!(fields(&lists.validate(request).await.expect_err("bad paths")), paths);
    let many: Vec<(String, String)> = (0..65).map(|number| (format!("local/{number}.toml"), String::new())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
    assert_eq!(fields(&lists.validate(ValidateRequest { draft: Some(draft(&many)) }).await.expect_err("too many")), ["draft.files"]);
}

/// A decision can be asked again by the lists that made it, also after a restart; unless they are gone.
#[tokio::test]
async fn old_lists_answer_on() {
    let (folder, data) = (ListsFolder::new(), tempfile::tempdir().expect("a folder"));
    let data_text = data.path().to_str().expect("a plain name");
    folder.name("明日链");
    let server = Server::start(&["--wordlists", folder.text(), "--data", data_text]);
    let Clients { mut lists, mut screening } = clients(&server).await;
    let name = "某地明日链有限公司";
    let before = screening.screen(firm(name)).await.expect("an answer").into_inner();
    assert_eq!(before.decision(), Decision::Prohibited);

    folder.put("bad");
    let refused = lists.reload(ReloadRequest {}).await.expect_err("bad lists");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(screening.screen(firm(name)).await.expect("an answer").into_inner().lists_hash, before.lists_hash);

    fs::remove_file(folder.more()).expect("removed");
    let reloaded = lists.reload(ReloadRequest {}).await.expect("good lists").into_inner();
    assert_eq!(reloaded.lists_hash_before, before.lists_hash);
    let now = screening.screen(firm(name)).await.expect("an answer").into_inner();
    assert_eq!((now.decision(), &now.lists_hash), (Decision::Pass, &reloaded.lists_hash));
    server.stop();

    let server = Server::start(&["--data", data_text]);
    let Clients { mut screening, .. } = clients(&server).await;
    let asked = |lists_hash: &str| ScreenRequest { lists_hash: lists_hash.to_owned(), ..firm(name) };
    let again = screening.screen(asked(&before.lists_hash)).await.expect("an answer").into_inner();
    assert_eq!(again, before);
    let batch = BatchScreenRequest { requests: vec![firm(name), asked(&before.lists_hash)], lists_hash: before.lists_hash.clone() };
    let batch = screening.batch_screen(batch).await.expect("an answer").into_inner();
    assert!(batch.responses.iter().all(|answer| answer.decision() == Decision::Prohibited && answer.lists_hash == before.lists_hash));
    let mixed = BatchScreenRequest { requests: vec![asked(&before.lists_hash)], lists_hash: String::new() };
    assert_eq!(fields(&screening.batch_screen(mixed).await.expect_err("mixed")), ["requests[0].lists_hash"]);

    assert_eq!(fields(&screening.screen(asked("x")).await.expect_err("no hash")), ["lists_hash"]);
    let unknown = screening.screen(asked(&"0".repeat(64))).await.expect_err("unknown lists");
    assert_eq!(unknown.code(), Code::FailedPrecondition);
    server.stop();

    let damaged = data.path().join("lists").join(&before.lists_hash).join("fields.toml");
    fs::write(damaged, "").expect("written");
    let server = Server::start(&["--data", data_text]);
    let Clients { mut screening, .. } = clients(&server).await;
    let status = screening.screen(asked(&before.lists_hash)).await.expect_err("damaged lists");
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("damaged") && status.message().contains(&before.lists_hash), "{status}");
}

/// Renewed again and again under load: no call fails, and every answer belongs to the lists it names.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_reloads_under_load() {
    let folder = ListsFolder::new();
    let server = Server::start(&["--wordlists", folder.text()]);
    let Clients { mut lists, screening } = clients(&server).await;
    let plain = lists.reload(ReloadRequest {}).await.expect("good lists").into_inner().lists_hash;
    let done = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (mut screening, done, plain) = (screening.clone(), Arc::clone(&done), plain.clone());
            tokio::spawn(async move {
                let mut answers = [0_u32; 2];
                while !done.load(Ordering::Relaxed) {
                    let answer = screening.screen(firm("某地明日链有限公司")).await.expect("no call fails").into_inner();
                    let expected = if answer.lists_hash == plain { Decision::Pass } else { Decision::Prohibited };
                    assert_eq!(answer.decision(), expected, "by {}", answer.lists_hash);
                    answers[usize::from(answer.lists_hash == plain)] += 1;
                }
                answers
            })
        })
        .collect();
    for round in 0..100 {
        if round % 2 == 0 {
            folder.name("明日链");
        } else {
            fs::remove_file(folder.more()).expect("removed");
        }
        let reloaded = lists.reload(ReloadRequest {}).await.expect("good lists").into_inner();
        assert_eq!(reloaded.lists_hash == plain, round % 2 == 1);
    }
    done.store(true, Ordering::Relaxed);
    for caller in callers {
        let answers = tokio::time::timeout(Duration::from_secs(60), caller).await.expect("it ends").expect("no panic");
        assert!(answers.iter().all(|count| *count > 0), "{answers:?}");
    }
}
