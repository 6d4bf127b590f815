//! Any text as the file of an instrument: the lists load, or tell every problem with its place.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use mingcha::{
    embedded,
    wordlist::{Files, Wordlists},
};
use mingcha_fuzz::ENGINE;

const FILE: &str = "national/cn-737.toml";

/// The tables that instruments refer to, with other instruments and language data left out: the engine's own
/// characters are used instead.
static TABLES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let files = embedded::files();
    let tables = files.iter().filter(|(path, _)| !["language/", "national/", "local/"].iter().any(|folder| path.starts_with(folder)));
    tables.map(|(path, text)| (path.to_owned(), text.to_owned())).collect()
});

fuzz_target!(|input: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(input) else { return Corpus::Reject };
    let files: Files = TABLES.iter().cloned().chain([(FILE.to_owned(), text.to_owned())]).collect();
    match Wordlists::load(&files, ENGINE.characters()) {
        Ok(lists) => {
            assert_eq!(lists.instruments().len(), 1);
            for term in lists.terms() {
                assert!(term.read.chars().count() >= 2, "'{}' is no term", term.text);
                assert!(!term.rules.is_empty(), "no rule names '{}'", term.text);
            }
            for rule in lists.rules() {
                assert_eq!(lists.instrument_of(rule).file, FILE);
            }
        }
        Err(problems) => {
            assert!(!problems.list().is_empty(), "refused without a problem");
            let lines = text.lines().count();
            for problem in problems.list() {
                assert!(!problem.message.is_empty(), "a problem without a message");
                assert!(problem.line <= lines.max(1), "{problem}: there are {lines} lines");
            }
        }
    }
    Corpus::Keep
});
