//! Encodings (编码) of text tables: UTF-8, and GB18030, which older spreadsheets and bureaus' systems take for granted.

use std::borrow::Cow;

/// An encoding of a text table. GB18030 holds every character that UTF-8 holds, but for one of private use (U+E5E5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// UTF-8, with a byte order mark where a table begins: spreadsheets take it for GBK otherwise.
    #[default]
    Utf8,
    /// GB18030; GBK and GB2312 are parts of it.
    Gb18030,
}

impl Encoding {
    /// What a table begins with.
    pub(super) const fn mark(self) -> &'static [u8] {
        match self {
            Self::Utf8 => "\u{FEFF}".as_bytes(),
            Self::Gb18030 => b"",
        }
    }

    /// A text in it.
    pub(super) fn encode(self, text: &str) -> Cow<'_, [u8]> {
        match self {
            Self::Utf8 => Cow::Borrowed(text.as_bytes()),
            Self::Gb18030 => encoding_rs::GB18030.encode(text).0,
        }
    }
}
