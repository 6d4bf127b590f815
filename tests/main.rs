//! All tests beside the unit tests, in one binary.

#![allow(clippy::expect_used)] // a test that cannot go on says why

mod clients;
mod command_line;
mod disguises;
mod lists;
mod oracle;
mod rules;
mod server;
mod support;
mod tables;
mod telemetry;
