//! Requests of millions of tiny values: refused before they take memory.

use crate::server::Server;

/// Bytes of a request; the limit is 8 MiB.
const LARGE: usize = 8_000_000;
/// Most that the service may need for one of them: itself, and a decoder's buffers.
const MOST: usize = 48 << 20;

/// Sends a body; the status of the answer, and what it says.
fn sent(server: &Server, path: &str, kind: &str, body: &[u8]) -> (u16, String) {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let request = http::Request::post(format!("http://{}{path}", server.address)).header("content-type", kind);
    let mut answer = agent.run(request.body(body).expect("a request")).expect("an answer");
    let said = String::from_utf8_lossy(&answer.body_mut().read_to_vec().expect("a body")).into_owned();
    let message = answer.headers().get("grpc-message").map(|message| message.to_str().unwrap_or_default().to_owned());
    (answer.status().as_u16(), message.unwrap_or_default() + &said)
}

/// `before`, and `value` as often as fits, and `after`.
fn many(before: &str, value: &str, after: &str) -> Vec<u8> {
    let count = (LARGE - before.len() - after.len()) / value.len() - 1;
    format!("{before}{}{after}", value.repeat(count)).into_bytes()
}

#[test]
fn json_of_millions_of_values_is_refused_before_it_is_read() {
    let server = Server::start(&[]);
    let before = server.peak();
    let bodies =
        [many(r#"{"requests":["#, "{},", "{}]}"), many(r#"{"name":"x","licences":["#, "0,", "0]}"), many("{", "\"a\":1,", "\"b\":1}")];
    for body in bodies {
        let (status, said) = sent(&server, "/v1/screen:batch", "application/json", &body);
        assert!(status == 400 && said.contains("more than 100000 values"), "{status} {said}");
    }
    let need = server.peak() - before;
    assert!(need < MOST, "{} MiB", need >> 20);
}

#[test]
fn millions_of_empty_messages_are_refused_before_they_are_decoded() {
    let server = Server::start(&[]);
    let before = server.peak();
    let licences = [0x4a, 0x00].repeat(LARGE / 2); // in a firm
    let firm = [&[0x0a][..], &varint(licences.len()), &licences].concat(); // in a batch
    let firms = [0x0a, 0x00].repeat(LARGE / 2);
    for (method, message) in [("Screen", licences), ("BatchScreen", firm), ("BatchScreen", firms)] {
        let length = u32::try_from(message.len()).expect("short").to_be_bytes();
        let framed = [&[0][..], &length, &message].concat();
        let path = format!("/mingcha.v1.ScreeningService/{method}");
        let (_, said) = sent(&server, &path, "application/grpc-web+proto", &framed);
        assert!(said.replace("%20", " ").contains("more than 100000 fields"), "{method}: {said}");
    }
    let need = server.peak() - before;
    assert!(need < MOST, "{} MiB", need >> 20);
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).expect("seven bits") | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).expect("seven bits"));
    bytes
}
