//! Mingcha (明察) screens the names (名称) and business scopes (经营范围) of firms for words that Chinese law keeps
//! for licensed finance.
//!
//! The way the data goes, module by module:
//!
//! 1. [`wordlist`]: legal instruments, tables and language data become checked lists ([`Engine::build`]).
//! 2. [`normalize`]: every character to what it stands for ([`characters`]), with the way back.
//! 3. [`matcher`]: every overlapping occurrence of every term.
//! 4. [`boundary`] (with [`lexicon`]), [`clause`], [`mention`]: is it really the term?
//! 5. [`reach`] (with [`licence`] and [`jurisdiction`]): does a rule reach this firm?
//! 6. [`routing`]: who must be told.
//! 7. [`screen`]: the spine that calls them, and the answer.
//!
//! [`calendar`] counts working days, for the deadlines of what was handed over.
//!
//! All of these are pure: no clock, no files, no network, no globals. The edges are [`grpc`], [`http`] and [`cli`]; they
//! meet the core in [`wire`], the only module that maps protobuf to domain types and back.
//!
//! [`Engine::build`]: screen::Engine::build

pub mod boundary;
pub mod calendar;
pub mod characters;
pub mod clause;
pub mod day;
pub mod encoding;
pub mod firm_name;
pub mod hex;
pub mod jurisdiction;
pub mod lexicon;
pub mod licence;
pub mod matcher;
pub mod mention;
pub mod normalize;
pub mod problem;
pub mod reach;
pub mod routing;
pub mod screen;
pub mod set;
pub mod uscc;
pub mod vocabulary;
pub mod watch;
pub mod wire;
pub mod wordlist;

pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod embedded;
pub mod grpc;
pub mod http;
pub mod journal;
pub mod library;
pub mod office;
pub mod operations;
pub mod register;
pub mod rescreen;
pub mod server;
pub mod sheet;
pub mod storage;
pub mod telemetry;

/// Files, answers and the index are made of many small pieces: what it is worth stands in `docs/measured.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
