//! JSON over HTTP, with the real screening service behind it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    sync::{Arc, OnceLock},
};

use axum::Router;
use mingcha::{
    config::{Http, Limits},
    grpc::{Desk, Screening},
    library::{Library, Source},
    server::{
        caller::Callers,
        stack::{doors, layered},
    },
    telemetry::{Metrics, Uncalled},
    wire::v1::{
        FindTermRequest, FindTermResponse, GetInstrumentRequest, GetInstrumentResponse, Instrument, ListInstrumentsRequest,
        ListInstrumentsResponse, PreviewRequest, PreviewResponse, ReloadRequest, ReloadResponse, ValidateRequest, ValidateResponse,
        screening_service_server::ScreeningServiceServer,
        wordlist_service_server::{WordlistService, WordlistServiceServer},
    },
};
use serde_json::{Value, json};
use tonic::{Request, Response, Status, service::Routes};

use crate::edge::Served;

/// Wordlists that say back what they were asked.
struct Asked;

#[tonic::async_trait]
impl WordlistService for Asked {
    async fn list_instruments(&self, request: Request<ListInstrumentsRequest>) -> Result<Response<ListInstrumentsResponse>, Status> {
        let asked = request.into_inner();
        let instruments = vec![Instrument { jurisdiction: asked.region, valid_from: asked.date, ..Instrument::default() }];
        Ok(Response::new(ListInstrumentsResponse { instruments, lists_hash: asked.lists_hash }))
    }

    async fn get_instrument(&self, request: Request<GetInstrumentRequest>) -> Result<Response<GetInstrumentResponse>, Status> {
        let asked = request.into_inner();
        let instrument = Some(Instrument { id: asked.id, ..Instrument::default() });
        Ok(Response::new(GetInstrumentResponse { instrument, lists_hash: asked.lists_hash, ..GetInstrumentResponse::default() }))
    }

    async fn find_term(&self, request: Request<FindTermRequest>) -> Result<Response<FindTermResponse>, Status> {
        let FindTermRequest { text: term, lists_hash } = request.into_inner();
        Ok(Response::new(FindTermResponse { term, lists_hash, ..FindTermResponse::default() }))
    }

    async fn validate(&self, _: Request<ValidateRequest>) -> Result<Response<ValidateResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn preview(&self, _: Request<PreviewRequest>) -> Result<Response<PreviewResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn reload(&self, _: Request<ReloadRequest>) -> Result<Response<ReloadResponse>, Status> {
        Ok(Response::new(ReloadResponse::default()))
    }
}

/// The contract's routes, before real screening and those wordlists.
pub(crate) fn router() -> Router {
    counted_router().0
}

/// The same, and what is counted.
fn counted_router() -> (Router, Arc<Metrics>) {
    static LIBRARY: OnceLock<Arc<Library>> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| Arc::new(Library::open(Source::Embedded, None).unwrap_or_else(|error| panic!("{error}"))));
    let metrics = Metrics::new().expect("metrics");
    let desk = Desk::new(Arc::clone(library), Arc::clone(&metrics));
    let workers = desk.workers.clone();
    let screening = ScreeningServiceServer::new(Screening::new(desk)).max_decoding_message_size(8 << 20);
    let routes = Routes::new(screening).add_service(WordlistServiceServer::new(Asked)).prepare().into_axum_router();
    let limits = Limits::default();
    let grpc = layered(routes, &limits, Arc::new(Callers::new(None)), &metrics);
    (doors(grpc, &workers, &limits, &Http::default(), &metrics).expect("routes"), metrics)
}

fn served() -> &'static Served {
    static SERVED: OnceLock<Served> = OnceLock::new();
    SERVED.get_or_init(|| Served::start(router()))
}

/// A request that finds much: hits, disguises, every kind of cleared, warnings.
fn rich() -> Value {
    json!({
        "name": "鹏远Р·２·Р金融（北京）有限公司", "scope": "投资管理（不含金融业务）；保险柜销售；支付服务；担保", "region": "南京", "date": "2026-01-01",
        "uscc": "91350100M000100Y44", "explain": true,
        "licences": [{"kind": "PAYMENT", "number": "Z1", "validUntil": "2100-01-01"}],
    })
}

#[test]
fn an_answer_is_that_of_the_command_line() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mingcha"))
        .args(["screen", "--jsonl"])
        .env_remove("MINGCHA_WORDLISTS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("mingcha starts");
    child.stdin.take().expect("piped").write_all(rich().to_string().as_bytes()).expect("written");
    let output = child.wait_with_output().expect("mingcha ends");
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");

    let answer = served().post("/v1/screen", &rich().to_string()).good();
    assert_eq!(answer, told);
    assert!(answer["hits"].as_array().is_some_and(|hits| hits.iter().any(|hit| hit["disguise"].is_array())), "{answer}");
    let cleared = answer["cleared"].to_string();
    assert!(["EXCLUDED", "MENTION", "LICENSED"].iter().all(|reason| cleared.contains(reason)), "{cleared}");
    assert_eq!(answer["warnings"][0]["code"], "USCC_CHECK_DIGIT");
}

#[test]
fn names_may_be_spelled_in_any_way_that_json_has() {
    for body in [
        r#"{"name":"某地众诚理财有限公司","entity_kind":"ENTERPRISE","event":"EVENT_EXISTING","date":"2026-01-01","scope":null}"#,
        r#"{"name":"\u67d0\u5730\u4f17\u8bda\u7406\u8d22\u6709\u9650\u516c\u53f8","entityKind":1,"event":4,"date":"2026-01-01"}"#,
    ] {
        let answer =
            served().send("POST", "/v1/screen", &[("content-type", "Application/JSON; charset=\"UTF-8\"")], body.as_bytes()).good();
        assert_eq!(answer["circumstances"]["event"], "EVENT_EXISTING", "{body}");
        assert_eq!(answer["hits"][0]["term"], "理财", "{body}");
    }
}

#[test]
fn a_batch_keeps_its_order() {
    let requests: Vec<Value> = (0..600).map(|at| json!({"name": format!("第{at}理财有限公司"), "date": "2026-01-01"})).collect();
    let answer = served().post("/v1/screen:batch", &json!({ "requests": requests }).to_string()).good();
    let responses = answer["responses"].as_array().expect("responses");
    assert_eq!(responses.len(), 600);
    let first = responses[0]["hits"][0].clone();
    assert_eq!((&first["term"], &first["startChar"]), (&json!("理财"), &json!(2 + "0".len() - 1)));
    assert!(responses.iter().all(|response| response["hits"][0]["basisIndexes"].is_array()));
    assert!(answer["bases"].as_array().is_some_and(|bases| !bases.is_empty()));
    // without hits of its own, the last of the batch would not be told from the first
    assert_eq!(responses[599]["hits"][0]["startChar"], 4);
}

#[test]
fn a_bad_field_is_named() {
    let screen = |body: &str| served().post("/v1/screen", body).violations();
    assert_eq!(screen("{}"), ["name: a firm's name is needed"]);
    assert_eq!(screen(r#"{"name":"x","event":99}"#), ["event: 99 is not a value of this enum"]);
    assert_eq!(screen(r#"{"name":"x","event":"CLUB"}"#), ["event: unrecognized enum value 'CLUB'"]);
    assert_eq!(screen(r#"{"name":"x","colour":"red"}"#), [": unrecognized field name 'colour'"]);
    assert!(screen(r#"{"name":7}"#)[0].starts_with("name: invalid type: integer `7`"));
    assert!(screen(r#"{"name":"x","explain":"yes"}"#)[0].starts_with("explain: invalid type"));
    assert!(screen(r#"{"name":"x","event":99999999999}"#)[0].starts_with("event: "));
    let two = screen(r#"{"name":"x","date":"2016-13-01","region":"月球"}"#);
    assert!(two.len() == 2 && two[0].starts_with("region: ") && two[1].starts_with("date: "), "{two:?}");
    let batch = served().post("/v1/screen:batch", r#"{"requests":[{"name":"x"},{"name":"x","licences":[{"kind":"BOAT"}]}]}"#);
    assert_eq!(batch.violations(), ["requests[1].licences[0].kind: unrecognized enum value 'BOAT'"]);
    let batch = served().post("/v1/screen:batch", r#"{"requests":[{"name":"x"},{}]}"#);
    assert_eq!(batch.violations(), ["requests[1].name: a firm's name is needed"]);
}

#[test]
fn what_a_caller_wrote_is_not_sent_back_at_length() {
    let long = "长".repeat(100_000);
    for body in [format!(r#"{{"name":"x","event":"{long}"}}"#), format!(r#"{{"{long}":1}}"#)] {
        let answer = served().post("/v1/screen", &body);
        assert!(answer.violations()[0].contains('长') && answer.text.len() < 4096, "{} bytes", answer.text.len());
    }
    let answer = served().get(&format!("/v1/instruments?{}", "x&".repeat(4000)));
    assert_eq!(answer.violations().len(), 50);
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "the body is empty"),
        (b"{\n  \"name\": \n}", "at line 3 column 1"),
        (b"{\"name\":\"x\"", "EOF while parsing an object at line 1 column 11"),
        (b"{\"name\":\"x\"} {}", "trailing characters at line 1 column 14"),
        (b"{\"name\":\"\xFF\"}", "invalid unicode code point at line 1"),
        (b"{\"name\":\"\\ud800\"}", "at line 1"),
        (b"[]", "no JSON object"),
        (b"null", "no JSON object"),
        (b"NaN", "at line 1 column 1"),
        (b"\x00", "at line 1 column 1"),
    ];
    for (body, expected) in cases {
        let answer = served().send("POST", "/v1/screen", &[("content-type", "application/json")], body);
        let violations = answer.violations();
        assert!(violations.len() == 1 && violations[0].contains(expected), "{violations:?}, not {expected}");
    }
}

#[test]
fn depth_overflows_nothing() {
    for (open, close, deep) in [("[", "]", 90_000), ("{\"licences\":[", "]}", 45_000), ("{\"x\":", "}", 90_000)] {
        let body = format!("{}{}", open.repeat(deep), close.repeat(deep));
        let violations = served().post("/v1/screen", &body).violations();
        assert!(violations[0].contains("recursion limit exceeded"), "{violations:?}");
    }
    served().post("/v1/screen", r#"{"name":"某地众诚日用品有限公司"}"#).good();
}

#[test]
fn paths_verbs_and_types() {
    let error = served().get("/v1/nothing").error(404, 5);
    assert_eq!(error["message"], "there is nothing at /v1/nothing");
    for path in ["/v1", "/v1/", "/v1/screen/", "/v1/screen/x", "/v1/screen:unbatch", "/v1/instruments/", "/v1/Screen"] {
        served().get(path).error(404, 5);
    }
    let answer = served().get("/v1/screen");
    answer.error(405, 12);
    assert_eq!(answer.header("allow"), "POST");
    let answer = served().send("DELETE", "/v1/instruments/x", &[], b"");
    answer.error(405, 12);
    assert_eq!(answer.header("allow"), "GET");
    assert_eq!(served().send("HEAD", "/v1/instruments", &[], b"").status, 405);
    served().send("POST", "/v1/openapi.json", &[], b"").error(405, 12);
    served().get("/v1/instruments/%FF").violations();

    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=gbk", "application/jsonp", ""] {
        let headers: &[(&str, &str)] = if kind.is_empty() { &[] } else { &[("content-type", kind)] };
        let answer = served().send("POST", "/v1/screen", headers, br#"{"name":"x"}"#);
        answer.error(415, 3);
    }
    served().post("/v1/lists:validate", "{}").error(501, 12);
    assert_eq!(served().post("/v1/lists:reload", "{}").good(), json!({}));
}

#[test]
fn parameters_come_from_path_and_query() {
    let answer = served().get("/v1/instruments/cn-2016-21?listsHash=abc").good();
    assert_eq!(answer, json!({"instrument": {"id": "cn-2016-21"}, "listsHash": "abc"}));
    let answer = served().get("/v1/instruments/%E6%98%8E%E5%AF%9F%2F1?lists_hash=a%26b+c").good();
    assert_eq!(answer, json!({"instrument": {"id": "明察/1"}, "listsHash": "a&b c"}));
    let answer = served().get("/v1/terms:find?text=%EF%BC%B0%C2%B7%EF%BC%92%C2%B7%EF%BC%B0").good();
    assert_eq!(answer, json!({"term": "Ｐ·２·Ｐ"}));
    let answer = served().get("/v1/instruments?region=320100&date=2026-01-01").good();
    assert_eq!(answer, json!({"instruments": [{"jurisdiction": "320100", "validFrom": "2026-01-01"}]}));
    assert_eq!(served().get("/v1/instruments").good(), json!({"instruments": [{}]}));

    let refused = |path: &str| served().get(path).violations();
    assert_eq!(refused("/v1/instruments?colour=red&region=1"), ["colour: unknown parameter"]);
    assert_eq!(refused("/v1/instruments/x?id=y"), ["id: unknown parameter: this field is in the path"]);
    assert_eq!(refused("/v1/instruments?region=1&region=2"), ["region: given twice"]);
    assert_eq!(refused("/v1/instruments?region=%FF"), [": '%FF' in the query is not UTF-8"]);
    assert_eq!(served().post("/v1/screen?colour=x", "{}").violations(), ["colour: unknown parameter"]);
    assert_eq!(served().post("/v1/screen?name=x", "{}").violations(), ["name: unknown parameter: this field is in the body"]);
}

#[test]
fn a_body_over_the_limit_is_not_waited_for() {
    let mut socket = TcpStream::connect(served().address).expect("a connection");
    let head = format!(
        "POST /v1/screen HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        (8 << 20) + 1
    );
    socket.write_all(head.as_bytes()).expect("written");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer, though nothing of the body was sent");
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let error: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!((&error["code"], &error["message"]), (&json!(11), &json!("the body has more than 8388608 bytes")));
    assert_eq!(error["details"][0]["reason"], "REQUEST_TOO_LARGE");
}

#[test]
fn the_openapi_document_is_served() {
    let document = served().get("/v1/openapi.json").good();
    assert_eq!(document["openapi"], "3.1.1");
    assert_eq!(document["paths"]["/v1/screen:batch"]["post"]["operationId"], "ScreeningService_BatchScreen");
}

/// What is no call has a request id all the same, the caller's own where it sent one, and is counted.
#[test]
fn answers_that_are_no_calls_are_seen() {
    let (router, metrics) = counted_router();
    let served = Served::start(router);
    let cases = [
        ("GET", "/v1/openapi.json", 200, Some(Uncalled::OpenApi)),
        ("GET", "/v1/nothing", 404, Some(Uncalled::NoSuchPath)),
        ("GET", "/elsewhere", 404, Some(Uncalled::NoSuchPath)),
        ("GET", "/v1/screen", 405, Some(Uncalled::WrongVerb)),
        ("GET", "/v1/instruments/%FF", 400, Some(Uncalled::BadPath)),
        ("POST", "/v1/screen", 400, None),
        ("GET", "/v1/terms:find?text=x", 200, None),
    ];
    let count = |what| metrics.uncalled.of(what).get();
    let all = || Uncalled::ALL.iter().map(|what| count(*what)).sum::<u64>();
    for (verb, path, status, uncalled) in cases {
        let before = (uncalled.map(count), all());
        let answer = served.send(verb, path, &[("x-request-id", "mine-7"), ("content-type", "application/json")], b"{}");
        assert_eq!((answer.status.as_u16(), answer.header("x-request-id")), (status, "mine-7"), "{path}");
        let more = u64::from(uncalled.is_some());
        assert_eq!((uncalled.map(count), all()), (before.0.map(|count| count + 1), before.1 + more), "{path}");
        let answer = served.send(verb, path, &[("x-request-id", "not one"), ("content-type", "application/json")], b"{}");
        assert_eq!(answer.header("x-request-id").len(), 36, "{path}: a new one is made");
    }
}
