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
pub const MARK: &str = "\u{FEFF}";

impl Encoding {
    /// The encoding that a register's beginning speaks for. It may be cut off anywhere.
    ///
    /// Text in GBK is hardly ever UTF-8 by accident, while half of all UTF-8 can be read as GBK, and says nothing then that a rule
    /// could reach. So it is GB18030 only where half of the lines beyond ASCII are no UTF-8, and much in them is none: text whose
    /// characters are cut here and there, by a system that counts bytes, is UTF-8 still.
    #[must_use]
    pub fn detect(beginning: &[u8]) -> Self {
        if beginning.starts_with(MARK.as_bytes()) {
            return Self::Utf8;
        }
        let looked_at = &beginning[..beginning.len() - begun(beginning)];
        let (mut lines, mut bad_lines, mut characters, mut bad) = (0, 0, 0, 0);
        for line in looked_at.split(|byte| matches!(byte, b'\r' | b'\n')).filter(|line| !line.is_ascii()) {
            let bad_before = bad;
            for chunk in line.utf8_chunks() {
                characters += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
                bad += usize::from(!chunk.invalid().is_empty());
            }
            lines += 1;
            bad_lines += usize::from(bad > bad_before);
        }
        if 2 * bad_lines >= lines && 4 * bad > characters { Self::Gb18030 } else { Self::Utf8 }
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
            Self::Utf8 => MARK.as_bytes(),
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

/// How many bytes at the end begin a character of UTF-8 and do not end it.
fn begun(bytes: &[u8]) -> usize {
    let begins = |tail: &[u8]| std::str::from_utf8(tail).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none());
    (1..=bytes.len().min(3)).find(|length| begins(&bytes[bytes.len() - length..])).unwrap_or(0)
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
    fn where_the_beginning_is_cut_off_decides_nothing() {
        let line = "{\"name\":\"某地众诚日用品有限公司\",\"note\":\"日用百货𠀀é\"}";
        for text in [line.to_owned(), format!("{{\"name\":\"a\"}}\n{line}"), format!("{line}\n{line}\r\n{line}")] {
            for cut in 0..=text.len() {
                assert_eq!(Encoding::detect(&text.as_bytes()[..cut]), Encoding::Utf8, "{cut} of {text}");
            }
            let gbk = GB18030.encode(&text).0;
            let told = gbk.iter().position(|byte| !byte.is_ascii()).expect("Chinese") + 4; // 某 alone could be ĳ
            for cut in told..=gbk.len() {
                assert_eq!(Encoding::detect(&gbk[..cut]), Encoding::Gb18030, "{cut} of {text}");
            }
        }
    }

    #[test]
    fn characters_that_are_cut_in_most_lines_make_no_gb18030() {
        let line = &"某地众诚理财有限公司,日用百货".as_bytes()[..41];
        let text = [line, b"\n"].concat().repeat(20);
        assert!(std::str::from_utf8(line).is_err());
        assert_eq!(Encoding::detect(&text), Encoding::Utf8);
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
