//! The wordlists inside the binary, and wordlists in a folder.

use std::{fs, io, path::Path};

use include_dir::{Dir, include_dir};

use crate::{
    problem::{Problem, Problems},
    wordlist::{Files, decides},
};

static WORDLISTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/wordlists");

/// Every file of the wordlists inside the binary, documents and notices included.
pub fn all() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    files_of(&WORDLISTS)
}

/// The wordlists inside the binary.
#[must_use]
pub fn files() -> Files {
    all().filter_map(|(path, bytes)| Some((path.to_owned(), std::str::from_utf8(bytes).ok()?.to_owned()))).collect()
}

fn files_of(dir: &'static Dir<'static>) -> Box<dyn Iterator<Item = (&'static str, &'static [u8])>> {
    let here = dir.files().filter_map(|file| Some((file.path().to_str()?, file.contents())));
    Box::new(here.chain(dir.dirs().flat_map(files_of)))
}

/// Reads a wordlists folder.
///
/// # Errors
/// The files that cannot be read or are no UTF-8.
pub fn read(folder: &Path) -> Result<Files, Problems> {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    if let Err(error) = walk(folder, folder, &mut files, &mut problems) {
        problems.push(Problem::new(&folder.display().to_string(), 0, error.to_string()));
    }
    Problems::check(problems)?;
    Ok(files.into_iter().collect())
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<(String, String)>, problems: &mut Vec<Problem>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(root, &path, files, problems)?;
            continue;
        }
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if !decides(&name) {
            continue;
        }
        match fs::read_to_string(&path) {
            Ok(text) => files.push((name, text)),
            Err(error) => problems.push(Problem::new(&name, 0, error.to_string())),
        }
    }
    Ok(())
}
