//! Any text as the file of an instrument: the lists load, or tell every problem with its place.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use mingcha::{
    embedded,
    problem::Problems,
    wordlist::{Files, Wordlists},
};
use mingcha_fuzz::ENGINE;

const FILE: &str = "national/cn-737.toml";

/// The tables that instruments refer to, without other instruments, language data (the engine's own characters are
/// used instead), and the places that no table names: what is read anew for every input should be little.
static TABLES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let files = embedded::files();
    let named: String = files.iter().filter(|(path, _)| !path.contains('/')).map(|(_, text)| text).collect();
    let kept = |path: &str, line: &str| match path {
        _ if line.starts_with('#') => true,
        "divisions/gbt2260.tsv" => line.get(..6).is_some_and(|code| code.ends_with("0000") || named.contains(code.trim_end_matches("00"))),
        "divisions/retired.tsv" | "divisions/places.tsv" => false,
        _ => true,
    };
    let tables = files.iter().filter(|(path, _)| !path.contains('/') || path.starts_with("divisions/"));
    tables.map(|(path, text)| (path.to_owned(), text.split_inclusive('\n').filter(|line| kept(path, line)).collect())).collect()
});

fn load(text: &str) -> Result<Wordlists, Problems> {
    let files: Files = TABLES.iter().cloned().chain([(FILE.to_owned(), text.to_owned())]).collect();
    Wordlists::load(&files, ENGINE.characters())
}

/// Loads the file as it is, which must go well: else no input would get anywhere.
static AS_IT_IS: LazyLock<()> = LazyLock::new(|| {
    let files = embedded::files();
    let (_, text) = files.iter().find(|(path, _)| *path == FILE).expect("there is no such file");
    load(text).unwrap_or_else(|problems| panic!("{problems}"));
});

fuzz_target!(|input: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(input) else { return Corpus::Reject };
    LazyLock::force(&AS_IT_IS);
    match load(text) {
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
