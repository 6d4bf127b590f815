//! Normalising (规范化): a text as the engine reads it, with the way back to the original.
//!
//! Terms and texts go through the same reading: every character to what it stands for, soft separators and
//! bracketed readings dropped. What is kept knows its place in the original.

use crate::characters::{Characters, Reading, is_ideograph};

/// A character that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// What it is read as.
    pub read: char,
    /// Its first byte in the original.
    pub byte: u32,
    /// Its place in the original in Unicode scalars.
    pub scalar: u32,
}

/// A stretch of the original text. Ends are exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start_byte: u32,
    /// One past the last byte.
    pub end_byte: u32,
    /// First Unicode scalar.
    pub start_char: u32,
    /// One past the last Unicode scalar.
    pub end_char: u32,
}

impl Span {
    /// The text it covers, of the text it was made from.
    #[must_use]
    pub fn of<'t>(&self, text: &'t str) -> &'t str {
        &text[self.start_byte as usize..self.end_byte as usize]
    }

    /// Whether it covers all of `other`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.start_byte <= other.start_byte && other.end_byte <= self.end_byte
    }
}

/// A normalised text.
#[derive(Debug)]
pub struct Normalized<'t> {
    original: &'t str,
    kept: Vec<Kept>,
}

impl<'t> Normalized<'t> {
    /// Normalises a text of at most `u32::MAX` bytes.
    #[must_use]
    pub fn of(original: &'t str, characters: &Characters) -> Self {
        let mut kept: Vec<Kept> = Vec::with_capacity(original.len() / 3 + 1);
        let mut scalar = 0u32;
        let mut chars = original.char_indices();
        while let Some((byte, c)) = chars.next() {
            if characters.is_plain(c) {
                kept.push(Kept { read: c, byte: count(byte), scalar });
            } else if let Reading::As(read) = characters.read(c) {
                match reading_at(kept.last().copied(), read, chars.as_str(), characters) {
                    Some(length) => {
                        let skipped = chars.as_str()[..length].chars().count();
                        scalar += count(skipped);
                        chars.nth(skipped - 1); // a reading has at least a letter and a bracket
                    }
                    None => kept.push(Kept { read, byte: count(byte), scalar }),
                }
            }
            scalar += 1;
        }
        Self { original, kept }
    }

    /// The characters that were kept.
    #[must_use]
    pub fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// The normalised text as a string.
    #[must_use]
    pub fn text(&self) -> String {
        self.kept.iter().map(|kept| kept.read).collect()
    }

    /// The stretch of the original from the first to the last of some kept characters, both inclusive.
    ///
    /// # Panics
    /// Where `last` is not an index of [`kept`](Self::kept).
    #[must_use]
    pub fn span(&self, first: usize, last: usize) -> Span {
        let (start, end) = (self.kept[first], self.kept[last]);
        let width = self.original[end.byte as usize..].chars().next().map_or(0, char::len_utf8);
        Span {
            start_byte: start.byte,
            end_byte: end.byte + u32::try_from(width).unwrap_or(0),
            start_char: start.scalar,
            end_char: end.scalar + 1,
        }
    }
}

/// A bracketed reading stands after the Chinese character that it reads.
fn reading_at(before: Option<Kept>, open: char, rest: &str, characters: &Characters) -> Option<usize> {
    before.filter(|before| is_ideograph(before.read))?;
    characters.bracketed_reading(open, rest)
}

/// An offset; texts are far below 4 GiB.
fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}
