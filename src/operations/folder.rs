//! Folders (目录) in which callers name files: nothing outside of them can be named, by `..` or by a link.
//!
//! Who can make links inside the folder, on this machine, is trusted not to change them under a file that is being opened.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use crate::register::OpenError;

/// A folder in which callers name files.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

/// Why a path is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// There is none.
    #[error("is missing")]
    Empty,
    /// It is no relative path of plain names.
    #[error("is no relative path of plain names: no '..', no name that begins with a dot, at most 1 024 bytes")]
    Form,
    /// It leads out of the folder.
    #[error("leads out of the folder")]
    Leaves,
    /// There is nothing.
    #[error("there is no such file")]
    Missing,
    /// It is a folder, a pipe, a device.
    #[error("is no regular file")]
    NotAFile,
    /// Its folder is not there.
    #[error("its folder is not there")]
    NoFolder,
    /// Something is there already.
    #[error("'{0}' is there already")]
    Exists(String),
    /// It is no register.
    #[error("cannot be used: {0}")]
    Unusable(OpenError),
    /// It cannot be looked at.
    #[error("cannot be looked at: {0}")]
    Io(io::Error),
}

/// How the name begins of a file that is being brought.
pub const HALF_BROUGHT: &str = ".mingcha-upload-";
/// Longest path, in bytes.
const LONGEST: usize = 1024;

impl Folder {
    /// Opens a folder, which must be there.
    ///
    /// # Errors
    /// Where it is not, or is none.
    pub fn open(path: &Path) -> io::Result<Self> {
        let root = fs::canonicalize(path)?;
        if root.is_dir() { Ok(Self { root }) } else { Err(io::Error::new(io::ErrorKind::NotADirectory, "it is no folder")) }
    }

    /// Takes away what was being brought when the service ended.
    ///
    /// # Errors
    /// Where it cannot be looked through.
    pub(super) fn sweep(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(HALF_BROUGHT.as_bytes()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A regular file that is there, under the name by which it was asked for.
    ///
    /// # Errors
    /// [`PathError`] where it is none, or elsewhere.
    pub fn file(&self, name: &str) -> Result<PathBuf, PathError> {
        let path = self.named(name)?;
        let real = fs::canonicalize(&path).map_err(|error| missing(error, PathError::Missing))?;
        if !real.starts_with(&self.root) {
            return Err(PathError::Leaves);
        }
        let is_file = fs::metadata(&real).map_err(PathError::Io)?.is_file();
        if is_file { Ok(path) } else { Err(PathError::NotAFile) }
    }

    /// A place for files that are not there yet: those that `beside` gives for it.
    ///
    /// # Errors
    /// [`PathError`] where something is there, even a link that leads nowhere, or the place is elsewhere.
    pub fn place(&self, name: &str, beside: impl Fn(&Path) -> Vec<PathBuf>) -> Result<PathBuf, PathError> {
        let path = self.named(name)?;
        let folder = path.parent().unwrap_or(&self.root);
        let real = fs::canonicalize(folder).map_err(|error| missing(error, PathError::NoFolder))?;
        if !real.starts_with(&self.root) {
            return Err(PathError::Leaves);
        }
        for file in beside(&path) {
            match fs::symlink_metadata(&file) {
                Ok(_) => return Err(PathError::Exists(file.strip_prefix(&self.root).unwrap_or(&file).display().to_string())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(missing(error, PathError::NoFolder)),
            }
        }
        Ok(path)
    }

    /// Where the file of a name is, or would be, whatever links lead there.
    pub(super) fn real(&self, name: &str) -> Option<PathBuf> {
        let path = self.named(name).ok()?;
        Some(fs::canonicalize(path.parent()?).ok()?.join(path.file_name()?))
    }

    /// The path of a name, as it is written.
    fn named(&self, name: &str) -> Result<PathBuf, PathError> {
        if name.is_empty() {
            return Err(PathError::Empty);
        }
        let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('\0');
        let path = Path::new(name);
        let normal = path.components().all(|part| matches!(part, Component::Normal(_)));
        if name.len() > LONGEST || !normal || !name.split('/').all(plain) {
            return Err(PathError::Form);
        }
        Ok(self.root.join(path))
    }
}

fn missing(error: io::Error, otherwise: PathError) -> PathError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => otherwise,
        _ => PathError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::{Folder, PathError};

    #[test]
    fn what_is_outside_cannot_be_named() {
        let outside = tempfile::tempdir().expect("a folder");
        fs::write(outside.path().join("secret.csv"), "x").expect("written");
        let within = tempfile::tempdir().expect("a folder");
        let at = |name: &str| within.path().join(name);
        fs::create_dir(at("below")).expect("made");
        fs::write(at("below/firms.csv"), "x").expect("written");
        symlink("below/firms.csv", at("inside.csv")).expect("linked");
        symlink(outside.path().join("secret.csv"), at("out.csv")).expect("linked");
        symlink(outside.path(), at("away")).expect("linked");
        symlink("nothing", at("dangling.csv")).expect("linked");
        let folder = Folder::open(within.path()).expect("a folder");
        for name in ["below/firms.csv", "inside.csv"] {
            assert!(folder.file(name).is_ok(), "{name}");
        }
        let secret = outside.path().join("secret.csv");
        let secret = secret.to_str().expect("a plain name");
        for name in [secret, "../x", "below/../below/firms.csv", "./inside.csv", ".hidden", "below//firms.csv", "below/", "a\0b", "/"] {
            assert!(matches!(folder.file(name), Err(PathError::Form)), "{name}");
            assert!(matches!(folder.place(name, |_| Vec::new()), Err(PathError::Form)), "{name}");
        }
        assert!(matches!(folder.file(&"x".repeat(1025)), Err(PathError::Form)));
        assert!(matches!(folder.file(""), Err(PathError::Empty)));
        assert!(matches!(folder.file("out.csv"), Err(PathError::Leaves)));
        assert!(matches!(folder.file("away/secret.csv"), Err(PathError::Leaves)));
        assert!(matches!(folder.file("below"), Err(PathError::NotAFile)));
        assert!(matches!(folder.file("dangling.csv"), Err(PathError::Missing)));
        let itself = |path: &Path| vec![path.to_owned()];
        assert!(folder.place("below/new.csv", itself).is_ok());
        assert!(matches!(folder.place("away/new.csv", itself), Err(PathError::Leaves)));
        assert!(matches!(folder.place("inside.csv/new.csv", itself), Err(PathError::NoFolder)));
        assert!(matches!(folder.place("none/new.csv", itself), Err(PathError::NoFolder)));
        assert!(matches!(folder.place("dangling.csv", itself), Err(PathError::Exists(name)) if name == "dangling.csv"));
        assert!(Folder::open(&at("inside.csv")).is_err() && Folder::open(&at("none")).is_err());
    }
}
