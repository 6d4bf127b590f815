//! What is wrong with a folder of wordlists: every problem at once, each with its place.

use std::fmt;

/// One problem in one file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path of the file inside the wordlists folder.
    pub file: String,
    /// 1-based line; 0 where the problem is of the file as a whole.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub message: String,
    /// Whether it is a text that must hit and does not (canary).
    pub canary: bool,
}

impl Problem {
    /// A problem at a line of a file.
    pub fn new(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, message: message.into(), canary: false }
    }

    /// A canary at a line of a file that does not hit.
    pub(crate) fn silent(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self { canary: true, ..Self::new(file, line, message) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}: {}", self.file, self.message),
        }
    }
}

/// All problems of a folder, sorted by file and line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// These problems, sorted, each once.
    #[must_use]
    pub fn of(mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.dedup();
        Self(problems)
    }

    /// The problems, or nothing if there are none.
    ///
    /// # Errors
    /// The problems, where there is at least one.
    pub fn check(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self::of(problems)) }
    }

    /// The problems, by file and line.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.0
    }
}
