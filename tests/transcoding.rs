//! How HTTP calls become gRPC calls and back, on an invented contract (`tests/data/things.proto`), before services
//! that answer byte by byte what a test wants.

use std::convert::Infallible;

use axum::{Extension, body::Body, extract::Request};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use mingcha::{
    http::{ContractError, Edge},
    server::deadline::Until,
};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::{Value, json};
use tonic::Status;
use tower::service_fn;

use crate::edge::Served;

fn pool_of(folders: &[&str], file: &str) -> DescriptorPool {
    let mut compiler = protox::Compiler::new(folders).expect("folders");
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files([file, "google/rpc/status.proto", "google/rpc/error_details.proto"]).unwrap_or_else(|error| panic!("{error:?}"));
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).expect("descriptors")
}

fn edge() -> Edge {
    Edge::of(&pool_of(&["proto", "tests/data"], "things.proto")).expect("an edge")
}

/// A frame of a gRPC body.
fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("short").to_be_bytes();
    [&[flag], length.as_slice(), message].concat()
}

fn thing(id: &str) -> Vec<u8> {
    let mut message = vec![0x0A];
    prost::encoding::encode_varint(id.len() as u64, &mut message);
    [message, id.as_bytes().to_vec()].concat()
}

fn trailers(code: &str) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().expect("a name"), HeaderValue::from_str(code).expect("a value"))])
}

/// A gRPC answer in these pieces, with these trailers.
fn pieces(pieces: Vec<Vec<u8>>, trailers: Option<HeaderMap>) -> Response<Body> {
    let data = pieces.into_iter().map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from(piece))));
    let frames: Vec<_> = data.chain(trailers.map(Frame::trailers).map(Ok)).collect();
    let mut response = Response::new(Body::new(StreamBody::new(tokio_stream::iter(frames))));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// Answers every call with the message that it sent, or with the status that its body ends in.
async fn echo(request: Request) -> Result<Response<Body>, Infallible> {
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.headers()["content-type"], "application/grpc");
    assert_eq!(request.headers()["te"], "trailers");
    Ok(match request.into_body().collect().await {
        Ok(body) => pieces(vec![body.to_bytes().to_vec()], Some(trailers("0"))),
        Err(error) => Status::from_error(error.into()).into_http(),
    })
}

/// A server that gives every call the same answer.
fn always(answer: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static) -> Served {
    Served::start(edge().routes(service_fn(move |_: Request| {
        let answered = answer();
        async move { Ok::<_, Infallible>(answered) }
    })))
}

#[test]
fn fields_travel_in_path_query_and_body() {
    let served = Served::start(edge().routes(service_fn(echo)));
    let cases = [
        ("/v1/things/7", json!({"id": "7"})),
        ("/v1/things/a:b", json!({"id": "a:b"})),
        ("/v1/shelves/3/books/4", json!({"inner": {"text": "3"}, "name": "books/4"})),
        ("/v1/things?kinds=GOOD&kinds=KIND_BAD&kinds=1", json!({"kinds": ["KIND_GOOD", "KIND_BAD", "KIND_GOOD"]})),
        (
            "/v1/things?flag=true&perhaps=false&small=7&big=-9007199254740993",
            json!({"flag": true, "perhaps": false, "small": 7, "big": "-9007199254740993"}),
        ),
        (
            "/v1/things?inner.kind=BAD&self.self.inner.text=x",
            json!({"inner": {"kind": "KIND_BAD"}, "self": {"self": {"inner": {"text": "x"}}}}),
        ),
        ("/v1/things?at=2026-01-01T00:00:00Z&raw=aGk&ratio=0.5", json!({"at": "2026-01-01T00:00:00Z", "raw": "aGk=", "ratio": 0.5})),
        ("/v1/things?two_words=a&tags=&tags=%E6%98%8E", json!({"twoWords": "a", "tags": ["", "明"]})),
        ("/v1/things?flag=false&small=0", json!({})),
    ];
    for (path, expected) in cases {
        assert_eq!(served.get(path).good(), expected, "{path}");
    }
    let put = served.send("PUT", "/v1/things/7?tags=x", &[("content-type", "application/json")], br#"{"text":"t","kind":"GOOD"}"#);
    assert_eq!(put.good(), json!({"id": "7", "tags": ["x"], "inner": {"text": "t", "kind": "KIND_GOOD"}}));
    let closed = served.post("/v1/things/7:close", r#"{"id":"8","named":{"a":{"kind":"BAD"}},"inners":[{"kind":"GOOD"}]}"#);
    assert_eq!(closed.good(), json!({"id": "7", "named": {"a": {"kind": "KIND_BAD"}}, "inners": [{"kind": "KIND_GOOD"}]}));
}

#[test]
fn bad_parameters_are_named() {
    let served = Served::start(edge().routes(service_fn(echo)));
    let deep = format!("/v1/things?{}id=1", "self.".repeat(5000));
    let cases = [
        ("/v1/things?flag=yes", "flag: 'yes' is neither true nor false"),
        ("/v1/things?small=-1", "small: "),
        ("/v1/things?small=x", "small: "),
        ("/v1/things?kinds=UGLY", "kinds[0]: unrecognized enum value 'UGLY'"),
        ("/v1/things?inner=x", "inner: it has fields of its own"),
        ("/v1/things?named=x", "named: it has fields of its own"),
        ("/v1/things?inners.text=x", "inners.text: unknown parameter"),
        ("/v1/things?inner.=x", "inner.: unknown parameter"),
        ("/v1/things?at=yesterday", "at: "),
        ("/v1/things?=", ": unknown parameter"),
        (&deep, "self.self."),
    ];
    for (path, expected) in cases {
        let violations = served.get(path).violations();
        assert!(violations[0].starts_with(expected), "{path}: {violations:?}");
    }
    let put = |path: &str| served.send("PUT", path, &[("content-type", "application/json")], b"{}").violations();
    assert_eq!(put("/v1/things/7?inner.text=x"), ["inner.text: unknown parameter: this field is in the body"]);
}

#[test]
fn verbs_of_a_path_are_listed() {
    let served = Served::start(edge().routes(service_fn(echo)));
    let answer = served.send("PATCH", "/v1/things/7", &[], b"");
    answer.error(405, 12);
    assert_eq!(answer.header("allow"), "GET, PUT");
    assert_eq!(served.get("/things.v1.ThingService/Hidden").status, 404);
}

#[test]
fn headers_and_extensions_go_through() {
    #[derive(Clone)]
    struct Peer(&'static str);
    let router = edge().routes(service_fn(|request: Request| async move {
        let peer = request.extensions().get::<Peer>().expect("the caller's extension").0;
        let headers = request.headers();
        assert!(headers.get("cookie").is_none() && headers.get("x-forwarded-for").is_none(), "{headers:?}");
        let seen = ["authorization", "traceparent", "tracestate", "x-request-id", "grpc-timeout"];
        let seen: Vec<&str> = seen.iter().map(|name| headers[*name].to_str().expect("text")).collect();
        let seen = format!("{peer} {} {}", request.uri(), seen.join(" "));
        let mut response = pieces(vec![frame(0, &thing(&seen))], Some(trailers("0")));
        response.headers_mut().insert("x-request-id", headers["x-request-id"].clone());
        response.headers_mut().insert("grpc-encoding", HeaderValue::from_static("identity"));
        response.headers_mut().insert("key-bin", HeaderValue::from_static("AA"));
        Ok::<_, Infallible>(response)
    }));
    let served = Served::start(router.layer(Extension(Peer("peer"))));
    let headers = [
        ("authorization", "Bearer t"),
        ("traceparent", "00-1"),
        ("tracestate", "a=b"),
        ("x-request-id", "r1"),
        ("grpc-timeout", "1S"),
        ("cookie", "c"),
        ("x-forwarded-for", "1.1.1.1"),
    ];
    let answer = served.send("GET", "/v1/things", &headers, b"");
    assert_eq!(answer.good()["id"], "peer /things.v1.ThingService/List Bearer t 00-1 a=b r1 1S");
    assert_eq!(answer.header("x-request-id"), "r1");
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("grpc-") && name != "key-bin"), "{:?}", answer.headers);
}

#[test]
fn a_body_is_read_only_when_the_service_asks() {
    let served = always(|| Status::unauthenticated("who are you?").into_http());
    let answer = served.send("POST", "/v1/things/7:close", &[("content-type", "text/plain")], b"no JSON");
    answer.error(401, 16);
    assert_eq!(answer.header("www-authenticate"), "Bearer");
}

#[test]
fn a_body_without_a_length_is_cut_off_at_the_limit() {
    let served = Served::start(edge().request_bytes(1000).routes(service_fn(echo)));
    let body = |length: usize| format!("{{\"name\":\"{}\"}}", "x".repeat(length - 11)).into_bytes();
    let send = |length: usize| {
        served.send("POST", "/v1/things/7:close", &[("content-type", "application/json"), ("transfer-encoding", "chunked")], &body(length))
    };
    send(1000).good();
    assert_eq!(send(1001).error(413, 11)["details"][0]["metadata"]["limit"], "1000");
}

#[test]
fn every_code_has_its_status() {
    let statuses = [499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
    for (code, status) in (1..).zip(statuses) {
        let mut answer = pieces(Vec::new(), None);
        answer.headers_mut().insert("grpc-status", HeaderValue::from(code));
        answer.headers_mut().insert("grpc-message", HeaderValue::from_static("%E4%B8%8D%E5%BE%97 100%25"));
        answer.headers_mut().insert("x-request-id", HeaderValue::from_static("r2"));
        let headers = answer.headers().clone();
        let served = always(move || {
            let mut answer = pieces(Vec::new(), None);
            *answer.headers_mut() = headers.clone();
            answer
        });
        let answered = served.get("/v1/things");
        assert_eq!(answered.error(status, i64::from(code))["message"], "不得 100%");
        assert_eq!(answered.header("x-request-id"), "r2");
        assert_eq!(answered.header("www-authenticate") == "Bearer", code == 16);
    }
}

#[test]
fn details_are_json() {
    use tonic_types::{ErrorDetails, StatusExt};
    let served = always(|| {
        let mut details = ErrorDetails::with_retry_info(Some(std::time::Duration::from_millis(1500)));
        details.set_error_info("BUSY", "mingcha", std::collections::HashMap::new());
        Status::with_error_details(tonic::Code::ResourceExhausted, "busy", details).into_http()
    });
    let answer = served.get("/v1/things");
    let details = answer.error(429, 8)["details"].clone();
    let details = details.as_array().expect("details");
    assert!(details.contains(&json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.500s"})), "{details:?}");
    assert!(details.contains(&json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "BUSY", "domain": "mingcha"})));
    assert_eq!(answer.header("retry-after"), "2");

    let strange = [0x08, 3, 0x12, 1, b'm', 0x1A, 7, 0x0A, 3, b'a', b'/', b'b', 0x12, 0];
    let served = always(move || Status::with_details(tonic::Code::InvalidArgument, "m", Bytes::copy_from_slice(&strange)).into_http());
    assert_eq!(served.get("/v1/things").error(400, 3)["details"], json!([{"@type": "a/b"}]));
    let served = always(|| Status::with_details(tonic::Code::InvalidArgument, "m", Bytes::from_static(b"\xFF")).into_http());
    assert_eq!(served.get("/v1/things").error(400, 3)["details"], Value::Null);
}

#[test]
fn frames_may_come_in_any_pieces() {
    let whole = frame(0, &thing("seven"));
    for size in 1..=whole.len() {
        let chunks: Vec<Vec<u8>> = whole.chunks(size).map(<[u8]>::to_vec).collect();
        let served = always(move || pieces(chunks.clone(), Some(trailers("0"))));
        assert_eq!(served.get("/v1/things").good(), json!({"id": "seven"}), "{size}");
    }
}

#[test]
fn broken_answers_are_errors_of_the_service() {
    let message = thing("seven");
    let cut = frame(0, &message)[..8].to_vec();
    let cases = [
        ("compressed without a word", vec![frame(1, &message)], "0"),
        ("an unknown flag", vec![frame(9, &message)], "0"),
        ("cut off", vec![cut], "0"),
        ("nothing", vec![], "0"),
        ("no protobuf", vec![frame(0, b"\xFF\xFF")], "0"),
        ("bad UTF-8", vec![frame(0, &[0x0A, 1, 0xFF])], "0"),
        ("failed after its message", vec![frame(0, &message)], "13"),
    ];
    for (what, body, end) in cases {
        let served = always(move || pieces(body.clone(), Some(trailers(end))));
        let answer = served.get("/v1/things");
        assert_eq!((answer.status.as_u16(), answer.json()["code"].clone()), (500, json!(13)), "{what}");
    }
    let served = Served::start(edge().answer_bytes(20).routes(service_fn(|_: Request| async {
        Ok::<_, Infallible>(pieces(vec![frame(0, &thing("more than twenty bytes"))], Some(trailers("0"))))
    })));
    assert!(served.get("/v1/things").error(400, 11)["message"].to_string().contains("too large"));
}

#[test]
fn a_service_that_fails_is_an_error() {
    let served = Served::start(edge().routes(service_fn(|_: Request| async { Err::<Response<Body>, _>(std::io::Error::other("gone")) })));
    served.get("/v1/things").error(500, 2);
}

#[test]
fn a_stream_is_lines() {
    let lines = |end: &'static str| {
        let body = [frame(0, &thing("1")), frame(0, b""), frame(0, &thing("明"))].concat();
        let served = always(move || pieces(body.chunks(3).map(<[u8]>::to_vec).collect(), Some(trailers(end))));
        let answer = served.get("/v1/things:watch");
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/x-ndjson"));
        answer.text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")).collect::<Vec<_>>()
    };
    let mut expected = vec![json!({"result": {"id": "1"}}), json!({"result": {}}), json!({"result": {"id": "明"}})];
    assert_eq!(lines("0"), expected);
    expected.push(json!({"error": {"code": 14, "message": ""}}));
    assert_eq!(lines("14"), expected);
    let served = always(|| Status::permission_denied("no").into_http());
    served.get("/v1/things:watch").error(403, 7);
}

#[test]
fn what_is_read_is_the_message() {
    let pool = pool_of(&["proto", "tests/data"], "things.proto");
    let edge = Edge::of(&pool).expect("an edge");
    let read = edge.read(&Method::POST, "/v1/things/7:close", "", "application/json", br#"{"selfish":1}"#).expect("a call");
    assert_eq!(read.expect_err("an unknown field").code(), tonic::Code::InvalidArgument);
    let read = edge.read(&Method::POST, "/v1/things/7:close", "", "application/json", br#"{"small":1}"#).expect("a call").expect("bytes");
    let message = DynamicMessage::decode(pool.get_message_by_name("things.v1.Thing").expect("a thing"), read.as_slice()).expect("a thing");
    assert_eq!(message.encode_to_vec(), read);
    assert_eq!(message.get_field_by_name("small").expect("small").as_u32(), Some(1));
    assert!(edge.read(&Method::POST, "/v1/nothing", "", "application/json", b"{}").is_none());
}

#[test]
fn an_annotation_that_cannot_be_followed_is_refused() {
    let refused = |rpc: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "syntax = \"proto3\"; package bad.v1; import \"google/api/annotations.proto\";\n\
             service S {{ rpc M({rpc} }}; }} }} message A {{ string id = 1; A a = 2; repeated string list = 3; }}"
        );
        std::fs::write(folder.path().join("bad.proto"), text).expect("written");
        let pool = pool_of(&["proto", folder.path().to_str().expect("a text")], "bad.proto");
        match Edge::of(&pool) {
            Err(ContractError::Rule { method, reason }) if method == "bad.v1.S.M" => reason,
            other => panic!("{rpc}: {other:?}"),
        }
    };
    let unary = |rule: &str| refused(&format!("A) returns (A) {{ option (google.api.http) = {{ {rule}"));
    assert_eq!(unary("get: \"/v1/{id\""), "'/v1/{id' is no path template");
    assert_eq!(unary("get: \"/v1/{x}\""), "'x' is no field with one plain value");
    assert_eq!(unary("get: \"/v1/{list}\""), "'list' is no field with one plain value");
    assert_eq!(unary("get: \"/v1/{a}\""), "'a' is no field with one plain value");
    assert_eq!(unary("post: \"/v1/x\" body: \"x\""), "the request has no field 'x'");
    assert_eq!(unary("get: \"/v1/x\" response_body: \"id\""), "response_body is not known here");
    assert_eq!(unary("body: \"*\""), "it names none of get, put, post, delete, patch");
    let stream = refused("stream A) returns (A) { option (google.api.http) = { get: \"/v1/x\"");
    assert_eq!(stream, "a method that takes a stream cannot be called so");
}

#[test]
fn the_document_says_where_fields_travel() {
    let document: Value = serde_json::from_slice(edge().openapi()).expect("JSON");
    let names = |path: &str, verb: &str, place: &str| -> Vec<String> {
        let parameters = document["paths"][path][verb]["parameters"].as_array().unwrap_or_else(|| panic!("{verb} {path}: {document}"));
        parameters.iter().filter(|p| p["in"] == place).map(|p| p["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names("/v1/things/{id}", "get", "path"), ["id"]);
    assert_eq!(names("/v1/shelves/{inner.text}/books/{name}", "get", "path"), ["inner.text", "name"]);
    let query = names("/v1/shelves/{inner.text}/books/{name}", "get", "query");
    assert!(
        ["inner.kind", "kinds", "flag", "at", "perhaps", "twoWords", "self.id", "self.self.id"]
            .iter()
            .all(|name| query.contains(&(*name).to_owned()))
    );
    assert!(
        ["inner.text", "name", "inner", "named", "inners", "self"].iter().all(|name| !query.contains(&(*name).to_owned())),
        "{query:?}"
    );
    let query = names("/v1/things/{id}", "put", "query");
    assert!(query.contains(&"tags".to_owned()) && !query.iter().any(|name| name.starts_with("inner.")), "{query:?}");
    assert_eq!(names("/v1/things/{id}:close", "post", "query"), [""; 0]);
    let body = &document["paths"]["/v1/things/{id}"]["put"]["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(body["$ref"], "#/components/schemas/things.v1.Inner");
    let ids =
        ["/v1/things/{id}", "/v1/shelves/{inner.text}/books/{name}"].map(|path| document["paths"][path]["get"]["operationId"].clone());
    assert_eq!(ids, ["ThingService_Get", "ThingService_Get_1"]);
    assert!(document["paths"]["/v1/things:watch"]["get"]["responses"]["200"]["content"]["application/x-ndjson"].is_object());
    let thing = &document["components"]["schemas"]["things.v1.Thing"];
    assert_eq!(thing["description"], "A thing.");
    assert_eq!(thing["properties"]["big"], json!({"type": "string", "format": "int64"}));
    assert_eq!(thing["properties"]["named"]["additionalProperties"]["$ref"], "#/components/schemas/things.v1.Inner");
}

/// A long answer is written while its call has time; a short one at once.
#[test]
fn an_answer_is_not_written_after_its_deadline() {
    for (length, late) in [(10, false), (100_000, true)] {
        let served = Served::start(edge().routes(service_fn(move |_: Request| async move {
            let mut answer = pieces(vec![frame(0, &thing(&"x".repeat(length)))], Some(trailers("0")));
            answer.extensions_mut().insert(Until(tokio::time::Instant::now()));
            answer.headers_mut().insert("x-request-id", "mine".parse().expect("a value"));
            Ok::<_, Infallible>(answer)
        })));
        let answer = served.get("/v1/things");
        if late {
            answer.error(504, 4);
        } else {
            answer.good();
        }
        assert_eq!(answer.header("x-request-id"), "mine");
    }
}
