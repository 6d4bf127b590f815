//! All tests beside the unit tests, in one binary.

mod clients;
mod command_line;
mod disguises;
mod lists;
mod oracle;
mod rules;
mod server;
mod support;
mod tables;
