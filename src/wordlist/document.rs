//! Reading one TOML file so that every problem in it is found, each with its line.

use std::cell::RefCell;

use toml_span::{
    Span, Value,
    value::{Table, ValueInner},
};

use crate::{
    day::{self, Date},
    problem::Problem,
};

/// A value and the line it stands on.
#[derive(Debug, Clone)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) line: usize,
}

/// One TOML file being read; collects its problems.
pub(crate) struct Document<'s> {
    file: &'s str,
    /// Where each line after the first begins.
    line_starts: Vec<usize>,
    problems: RefCell<Vec<Problem>>,
}

impl<'s> Document<'s> {
    /// Reads `source`; `read` takes from its root table what it knows, the rest is reported as unknown.
    pub(crate) fn read<T>(file: &'s str, source: &'s str, read: impl FnOnce(&mut Entry<'s, '_>) -> T) -> (Option<T>, Vec<Problem>) {
        let line_starts = source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1).collect();
        let document = Document { file, line_starts, problems: RefCell::default() };
        let result = match toml_span::parse(source) {
            Ok(mut root) => document.entry(&mut root).map(|mut entry| {
                let result = read(&mut entry);
                entry.finish();
                result
            }),
            Err(error) => {
                let line = error.line_info.map_or_else(|| document.line(error.span), |(line, _)| line + 1);
                document.report(line, error.to_string());
                None
            }
        };
        (result, document.problems.into_inner())
    }

    fn line(&self, span: Span) -> usize {
        1 + self.line_starts.partition_point(|start| *start <= span.start)
    }

    fn report(&self, line: usize, message: impl Into<String>) {
        self.problems.borrow_mut().push(Problem::new(self.file, line, message));
    }

    fn entry<'d>(&'d self, value: &mut Value<'s>) -> Option<Entry<'s, 'd>> {
        let line = self.line(value.span);
        match value.take() {
            ValueInner::Table(table) => Some(Entry { document: self, table, line, asked: Vec::new() }),
            other => {
                self.report(line, format!("expected a table, found {}", other.type_str()));
                None
            }
        }
    }
}

/// One table of a document. What is not taken from it by the time it is finished is an unknown key.
pub(crate) struct Entry<'s, 'd> {
    document: &'d Document<'s>,
    table: Table<'s>,
    line: usize,
    /// The keys that were asked for: what an unknown one may have meant.
    asked: Vec<String>,
}

impl<'s, 'd> Entry<'s, 'd> {
    /// The line the table begins on.
    pub(crate) fn line(&self) -> usize {
        self.line
    }

    /// Reports a problem of this file.
    pub(crate) fn report(&self, line: usize, message: impl Into<String>) {
        self.document.report(line, message);
    }

    /// A text that must be there and must not be empty.
    pub(crate) fn text(&mut self, key: &'static str) -> Located<String> {
        let found = self.optional_text(key);
        match &found {
            None => self.report(self.line, format!("'{key}' is missing")),
            Some(text) if text.value.trim().is_empty() => self.report(text.line, format!("'{key}' is empty")),
            Some(_) => {}
        }
        found.unwrap_or(Located { value: String::new(), line: self.line })
    }

    /// A text that may be left out.
    pub(crate) fn optional_text(&mut self, key: &'static str) -> Option<Located<String>> {
        let (value, line) = self.take(key)?;
        match value {
            ValueInner::String(text) => Some(Located { value: text.into_owned(), line }),
            other => self.wrong_type(key, "a text", &other, line),
        }
    }

    /// A flag; false where it is left out.
    pub(crate) fn flag(&mut self, key: &'static str) -> bool {
        match self.take(key) {
            None => false,
            Some((ValueInner::Boolean(flag), _)) => flag,
            Some((other, line)) => self.wrong_type(key, "true or false", &other, line).unwrap_or(false),
        }
    }

    /// A day that may be left out.
    pub(crate) fn day(&mut self, key: &'static str) -> Option<Date> {
        let text = self.optional_text(key)?;
        day::parse(&text.value).map_err(|error| self.report(text.line, format!("'{key}': {error}"))).ok()
    }

    /// A value of a closed vocabulary that may be left out.
    pub(crate) fn word<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.optional_text(key)?;
        let value = parse(&text.value);
        if value.is_none() {
            self.report(text.line, format!("'{key}': '{}' is not known", text.value));
        }
        value
    }

    /// A value of a closed vocabulary that must be there.
    pub(crate) fn required_word<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        if !self.table.contains_key(key) {
            self.report(self.line, format!("'{key}' is missing"));
        }
        self.word(key, parse)
    }

    /// A list of texts; nothing where it is left out.
    pub(crate) fn texts(&mut self, key: &'static str) -> Option<Vec<Located<String>>> {
        let (value, line) = self.take(key)?;
        let ValueInner::Array(items) = value else { return self.wrong_type(key, "a list of texts", &value, line) };
        Some(items.into_iter().filter_map(|item| self.item(key, item)).collect())
    }

    /// A list of values of a closed vocabulary; nothing where it is left out.
    pub(crate) fn words<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        let texts = self.texts(key)?;
        let mut words = Vec::with_capacity(texts.len());
        for text in texts {
            match parse(&text.value) {
                Some(word) => words.push(word),
                None => self.report(text.line, format!("'{key}': '{}' is not known", text.value)),
            }
        }
        Some(words)
    }

    /// A list of tables, each read by `read`; empty where it is left out.
    pub(crate) fn entries<T>(&mut self, key: &'static str, mut read: impl FnMut(&mut Entry<'s, 'd>) -> T) -> Vec<T> {
        let items = match self.take(key) {
            None => return Vec::new(),
            Some((ValueInner::Array(items), _)) => items,
            Some((other, line)) => return self.wrong_type(key, "a list of tables", &other, line).unwrap_or_default(),
        };
        let mut results = Vec::with_capacity(items.len());
        for mut item in items {
            if let Some(mut entry) = self.document.entry(&mut item) {
                results.push(read(&mut entry));
                entry.finish();
            }
        }
        results
    }

    /// One value as text, whatever its type: a text itself, a number, true or false, a list of texts with commas.
    pub(crate) fn scalar(&mut self, key: &str) -> Option<Located<String>> {
        let (value, line) = self.take(key)?;
        let value = match value {
            ValueInner::String(text) => text.into_owned(),
            ValueInner::Integer(number) => number.to_string(),
            ValueInner::Float(number) => number.to_string(),
            ValueInner::Boolean(flag) => flag.to_string(),
            ValueInner::Array(items) => {
                let texts: Vec<Located<String>> = items.into_iter().filter_map(|item| self.item(key, item)).collect();
                texts.into_iter().map(|text| text.value).collect::<Vec<_>>().join(",")
            }
            other @ ValueInner::Table(_) => return self.wrong_type(key, "a value", &other, line),
        };
        Some(Located { value, line })
    }

    /// A table inside this one, where it is there.
    pub(crate) fn section<T>(&mut self, key: &str, read: impl FnOnce(&mut Entry<'s, 'd>) -> T) -> Option<T> {
        self.asked.push(key.to_owned());
        let mut value = self.table.remove(key)?;
        let mut entry = self.document.entry(&mut value)?;
        let result = read(&mut entry);
        entry.finish();
        Some(result)
    }

    /// A list of texts that must be there and must not be empty.
    pub(crate) fn required_texts(&mut self, key: &'static str) -> Vec<Located<String>> {
        let texts = self.texts(key).unwrap_or_default();
        if texts.is_empty() {
            self.report(self.line, format!("'{key}' is missing or empty"));
        }
        texts
    }

    fn item(&self, key: &str, mut item: Value<'s>) -> Option<Located<String>> {
        let line = self.document.line(item.span);
        match item.take() {
            ValueInner::String(text) => Some(Located { value: text.into_owned(), line }),
            other => self.wrong_type(key, "a list of texts", &other, line),
        }
    }

    fn take(&mut self, key: &str) -> Option<(ValueInner<'s>, usize)> {
        self.asked.push(key.to_owned());
        let mut value = self.table.remove(key)?;
        let line = self.document.line(value.span);
        Some((value.take(), line))
    }

    fn wrong_type<T>(&self, key: &str, expected: &str, found: &ValueInner<'_>, line: usize) -> Option<T> {
        self.report(line, format!("'{key}' must be {expected}, found {}", found.type_str()));
        None
    }

    fn finish(self) {
        for key in self.table.keys() {
            let meant = nearest(&key.name, self.asked.iter().map(String::as_str));
            let meant = meant.map_or_else(String::new, |meant| format!("; did you mean '{meant}'?"));
            self.report(self.document.line(key.span), format!("unknown key '{}'{meant}", key.name));
        }
    }
}

/// Of the known words, the one that a misspelled word most likely meant.
pub(crate) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let likeness = |known: &&str| strsim::jaro_winkler(word, known);
    let (likeness, nearest) = known.map(|known| (likeness(&known), known)).max_by(|one, other| one.0.total_cmp(&other.0))?;
    (likeness > 0.8).then_some(nearest)
}
