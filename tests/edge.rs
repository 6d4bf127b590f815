//! The HTTP edge on a socket of its own, and a client for it.

use std::net::SocketAddr;

use axum::Router;
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use tokio::{net::TcpListener, runtime::Runtime};

/// A router that listens on loopback until it is dropped.
pub(crate) struct Served {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    _runtime: Runtime,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Served {
    /// Serves what `router` makes inside the runtime.
    pub(crate) fn start(router: Router) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, _runtime: runtime }
    }

    /// Sends a request with these headers.
    pub(crate) fn send(&self, verb: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true).build().new_agent();
        let mut request = Request::builder().method(verb).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answered = match verb {
            "GET" | "HEAD" => agent.run(request.body(()).expect("a request")),
            _ => agent.run(request.body(body).expect("a request")),
        };
        let (parts, mut body) = answered.unwrap_or_else(|error| panic!("{verb} {path}: {error}")).into_parts();
        let text = body.with_config().limit(64 << 20).read_to_string().expect("a text");
        Answer { status: parts.status, headers: parts.headers, text }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], body.as_bytes())
    }
}

impl Answer {
    /// The answer as JSON; it says that it is.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json", "{}", self.text);
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The JSON of an answer that is well.
    pub(crate) fn good(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// The violations of a bad request, as `field: description`.
    pub(crate) fn violations(&self) -> Vec<String> {
        let error = self.error(400, 3);
        let details = error["details"].as_array().unwrap_or_else(|| panic!("no details: {error}"));
        let detail = details.iter().find(|detail| detail["@type"] == "type.googleapis.com/google.rpc.BadRequest").expect("a BadRequest");
        let said = |violation: &Value, key: &str| violation[key].as_str().unwrap_or_default().to_owned();
        let violations = detail["fieldViolations"].as_array().expect("violations");
        violations.iter().map(|violation| format!("{}: {}", said(violation, "field"), said(violation, "description"))).collect()
    }

    /// The error, with this HTTP status and this code.
    pub(crate) fn error(&self, status: u16, code: i64) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        let error = self.json();
        assert_eq!(error["code"], code, "{error}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
        error
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a text"))
    }
}
