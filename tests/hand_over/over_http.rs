//! The same over HTTP, as JSON.

use serde_json::{Value, json};

use super::Office;

fn call(method: &str, url: &str, body: Option<Value>) -> (u16, Value) {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let builder = ureq::http::Request::builder().method(method).uri(url).header("content-type", "application/json");
    let mut answer = match body {
        Some(body) => agent.run(builder.body(body.to_string()).expect("a request")),
        None => agent.run(builder.body(()).expect("a request")),
    }
    .expect("an answer");
    let text = answer.body_mut().read_to_string().expect("a text");
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_an_http_call_too() {
    let office = Office::open().await;
    let base = format!("http://{}/v1", office.server.address);
    let screen = json!({"name": "某地明日支付有限公司", "region": "南京"});
    let (status, recorded) = call("POST", &format!("{base}/firms:record"), Some(json!({"screen": screen, "requestId": "h-1"})));
    assert_eq!((status, &recorded["entry"]["firm"], &recorded["head"]["sequence"]), (200, &json!("F1"), &json!("1")), "{recorded}");
    let (_, again) = call("POST", &format!("{base}/firms:record"), Some(json!({"screen": screen, "requestId": "h-1"})));
    assert_eq!(again["screening"], recorded["screening"]);
    let (status, listed) = call("GET", &format!("{base}/firms?filter.statuses=OPEN&filter.region=320000&pageSize=5"), None);
    assert_eq!((status, listed["entries"].as_array().map(Vec::len)), (200, Some(1)), "{listed}");
    let (status, counted) = call("GET", &format!("{base}/firms:count?by=TERM"), None);
    assert_eq!((status, &counted["counts"][0]["first"]), (200, &json!("支付")), "{counted}");
    let (status, updated) = call(
        "PATCH",
        &format!("{base}/firms/F1"),
        Some(json!({"updateMask": "tags,note", "tags": ["重点"], "note": "已约谈", "reason": "核查"})),
    );
    assert_eq!(
        (status, &updated["entry"]["tags"], &updated["entry"]["notes"][0]["text"]),
        (200, &json!(["重点"]), &json!("已约谈")),
        "{updated}"
    );
    let (status, stale) = call("PATCH", &format!("{base}/firms/F1"), Some(json!({"updateMask": "tags", "etag": "1", "reason": "核查"})));
    assert_eq!((status, &stale["code"]), (409, &json!(10)), "{stale}");
    let (status, received) = call("POST", &format!("{base}/referrals/R1:receive"), Some(json!({})));
    assert_eq!((status, &received["referral"]["state"]), (200, &json!("REFERRAL_STATE_RECEIVED")), "{received}");
    let (status, file) = call("GET", &format!("{base}/firms/F1/file"), None);
    assert_eq!((status, file["records"].as_array().map(Vec::len)), (200, Some(3)), "{file}");
    let (status, head) = call("GET", &format!("{base}/journal/head"), None);
    assert_eq!((status, &head["head"]["sequence"]), (200, &json!("3")), "{head}");
    let (status, missing) = call("GET", &format!("{base}/firms/F9"), None);
    assert_eq!((status, &missing["code"]), (404, &json!(5)), "{missing}");
    let (status, _) = call("GET", &format!("{base}/firms/nobody"), None);
    assert_eq!(status, 400);
}
