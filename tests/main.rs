//! All tests beside the unit tests, in one binary.

#![allow(clippy::expect_used)] // a test that cannot go on says why

mod calendar;
mod certificates;
mod clients;
mod command_line;
mod configuration;
mod disguises;
mod doors;
mod edge;
mod folder;
mod hand_over;
mod journal;
mod json_over_http;
mod library;
mod lists;
mod matching;
mod office;
mod openapi;
mod oracle;
mod rescreen;
mod rescreen_service;
mod rules;
mod server;
mod service;
mod storage;
mod support;
mod tables;
mod telemetry;
mod transcoding;
mod watch_docs;
mod wordlist_service;
