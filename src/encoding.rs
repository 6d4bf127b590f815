//! Encodings (编码) of texts and tables: UTF-8, or GB18030, which older spreadsheets and bureaus' systems take for granted.

use std::borrow::Cow;

use encoding_rs::GB18030;
use serde::{Deserialize, Serialize};

/// An encoding. GB18030 holds every character that UTF-8 holds, but for one of private use (U+E5E5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// UTF-8, with a byte order mark where a table begins that is written: spreadsheets take it for GBK otherwise.
    #[default]
    Utf8,
    /// GB18030; GBK and GB2312 are parts of it.
    Gb18030,
}

/// The byte order mark of UTF-8.
pub const MARK: &[u8] = "\u{FEFF}".as_bytes();

impl Encoding {
    /// The encoding that a register's beginning speaks for: that in which more of the lines beyond ASCII can be read.
    ///
    /// Text in GBK is hardly ever UTF-8 by accident, while half of all UTF-8 can be read as GBK; so UTF-8 is asked first.
    #[must_use]
    pub fn detect(beginning: &[u8]) -> Self {
        if beginning.starts_with(MARK) {
            return Self::Utf8;
        }
        let whole = memchr::memrchr2(b'\r', b'\n', beginning).map_or(beginning, |end| &beginning[..end]);
        let (mut good, mut bad) = (0, 0);
        for line in whole.split(|byte| matches!(byte, b'\r' | b'\n')).filter(|line| !line.is_ascii()) {
            *(if std::str::from_utf8(line).is_ok() { &mut good } else { &mut bad }) += 1;
        }
        if bad > good { Self::Gb18030 } else { Self::Utf8 }
    }

    /// The bytes as text; none where they are no text in this encoding.
    #[must_use]
    pub fn read(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Self::Utf8 => simdutf8::basic::from_utf8(bytes).ok().map(Cow::Borrowed),
            Self::Gb18030 => GB18030.decode_without_bom_handling_and_without_replacement(bytes),
        }
    }

    /// A text in it.
    #[must_use]
    pub fn encode(self, text: &str) -> Cow<'_, [u8]> {
        match self {
            Self::Utf8 => Cow::Borrowed(text.as_bytes()),
            Self::Gb18030 => GB18030.encode(text).0,
        }
    }

    /// What a table in it begins with that is written.
    #[must_use]
    pub const fn mark(self) -> &'static [u8] {
        match self {
            Self::Utf8 => MARK,
            Self::Gb18030 => b"",
        }
    }

    /// The bytes as text, with U+FFFD for what is none.
    #[must_use]
    pub fn read_lossily(self, bytes: &[u8]) -> Cow<'_, str> {
        match self {
            Self::Utf8 => String::from_utf8_lossy(bytes),
            Self::Gb18030 => GB18030.decode_without_bom_handling(bytes).0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_detected() {
        let text = "企业名称,经营范围\n某地众诚理财有限公司,日用百货\n某地,";
        let gbk = GB18030.encode(text).0.into_owned();
        assert_eq!(Encoding::detect(text.as_bytes()), Encoding::Utf8);
        assert_eq!(Encoding::detect(&gbk), Encoding::Gb18030);
        assert_eq!(Encoding::detect(&text.as_bytes()[..text.len() - 2]), Encoding::Utf8); // cut within a character
        assert_eq!(Encoding::detect(b"name,scope\n"), Encoding::Utf8);
        let old = [text.replace('\n', "\r").as_bytes(), b"\xFF\r"].concat(); // one bad line of three
        assert_eq!(Encoding::detect(&old), Encoding::Utf8);
        let mut broken = gbk;
        broken.extend(b"\n\xFF\xFF,\x80\n");
        assert_eq!(Encoding::detect(&broken), Encoding::Gb18030);
        assert_eq!(Encoding::Gb18030.read(&broken), None);
    }

    #[test]
    fn what_is_written_is_read() {
        let text = "某地众诚理财有限公司，𠀀";
        for (encoding, name) in [(Encoding::Utf8, "\"Utf8\""), (Encoding::Gb18030, "\"Gb18030\"")] {
            assert_eq!(encoding.read(&encoding.encode(text)).as_deref(), Some(text));
            assert_eq!(serde_json::to_string(&encoding).expect("JSON"), name); // as it stands in records of operations
        }
    }
}
