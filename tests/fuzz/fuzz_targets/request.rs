//! Any text as JSON and any bytes as protobuf: a request that can be read is answered, or refused by its fields.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mingcha::wire::{json, understand, v1::ScreenRequest};
use mingcha_fuzz::{ENGINE, check, today};
use prost::Message;

fn answer(request: ScreenRequest) {
    match understand(request, &ENGINE, today()) {
        Ok(understood) => check(&understood),
        Err(violations) => {
            assert!(!violations.is_empty(), "refused without a violation");
            for violation in violations {
                assert!(!violation.field.is_empty() && !violation.message.is_empty(), "{violation:?}");
            }
        }
    }
}

fuzz_target!(|input: &[u8]| {
    if let Ok(request) = std::str::from_utf8(input).map_err(drop).and_then(|text| json::request(text).map_err(drop)) {
        answer(request);
    }
    if let Ok(request) = ScreenRequest::decode(input) {
        assert_eq!(ScreenRequest::decode(request.encode_to_vec().as_slice()).as_ref(), Ok(&request), "protobuf and back");
        if let Ok(text) = serde_json::to_string(&request) {
            assert_eq!(json::request(&text).expect("JSON of ours"), request, "JSON and back");
        }
        answer(request);
    }
});
