//! The `OpenAPI` document: its committed copy, and how true it is. With `MINGCHA_UPDATE=1` in the environment the first
//! test writes the copy instead of comparing it.

use std::{fs, path::Path};

use mingcha::http::Edge;
use serde_json::Value;

use crate::{clients::run, edge::Served, json_over_http::router, server::Server};

#[test]
fn the_committed_copy_is_that_of_the_contract() {
    let document: Value = serde_json::from_slice(Edge::new().expect("an edge").openapi()).expect("JSON");
    let text = format!("{document:#}\n");
    let copy = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    if std::env::var_os("MINGCHA_UPDATE").is_some() {
        fs::write(&copy, &text).expect("written");
    }
    let committed = fs::read_to_string(&copy).expect("docs/openapi.json");
    assert!(committed == text, "docs/openapi.json is not that of the contract: run this test with MINGCHA_UPDATE=1 and look at the change");
}

/// The document by a validator, and real answers by the document.
#[test]
fn it_is_openapi_and_answers_are_as_it_says() {
    let served = Served::start(router());
    let data = tempfile::tempdir().expect("a folder");
    let registers = tempfile::tempdir().expect("a folder");
    fs::write(registers.path().join("firms.csv"), "企业名称\n某地众诚理财有限公司\n").expect("written");
    let [data, registers] = [&data, &registers].map(|folder| folder.path().to_str().expect("a plain name"));
    let office = Server::start(&["--data", data, "--rescreen-folder", registers, "--rescreen-gentle=false"]);
    run(".venv/installed", &[".venv/bin/python", "openapi.py"], &[&served.address.to_string(), &office.address]);
}
