//! Reading tab-separated tables: `#` begins a comment line, a character may be written U+XXXX.

use crate::problem::Problem;

/// One row of a table.
pub(crate) struct Row<'s> {
    /// 1-based line.
    pub(crate) line: usize,
    /// Its columns.
    pub(crate) columns: Vec<&'s str>,
}

/// The rows of a table, with as many columns each as `columns` says; others are reported.
pub(crate) fn rows<'s>(file: &str, source: &'s str, columns: usize, problems: &mut Vec<Problem>) -> Vec<Row<'s>> {
    let mut rows = Vec::new();
    for (index, text) in source.lines().enumerate() {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let row = Row { line: index + 1, columns: text.split('\t').collect() };
        if row.columns.len() == columns {
            rows.push(row);
        } else {
            let message = format!("expected {columns} columns separated by tabs, found {}", row.columns.len());
            problems.push(Problem::new(file, row.line, message));
        }
    }
    rows
}

/// A single character, as itself or as U+XXXX.
pub(crate) fn character(text: &str) -> Option<char> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(only), None) => Some(only),
        _ => char::from_u32(u32::from_str_radix(text.strip_prefix("U+")?, 16).ok()?),
    }
}
