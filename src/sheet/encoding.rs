//! Encodings (编码) of text tables: UTF-8, and GB18030, which older spreadsheets and bureaus' systems take for granted.

use std::io::{self, Write};

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
}

/// Takes UTF-8 in pieces that may end within a character, and writes it in an encoding.
pub(super) struct Encoded<W> {
    pub(super) out: W,
    encoding: Encoding,
    /// The beginning of a character whose end has not come yet.
    begun: Vec<u8>,
}

impl<W: Write> Encoded<W> {
    pub(super) const fn new(out: W, encoding: Encoding) -> Self {
        Self { out, encoding, begun: Vec::new() }
    }

    fn encode(&mut self, piece: &[u8]) -> io::Result<()> {
        self.begun.extend_from_slice(piece);
        let (text, rest) = match std::str::from_utf8(&self.begun) {
            Ok(text) => (text, &[][..]),
            Err(error) if error.error_len().is_some() => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            Err(error) => {
                let (good, rest) = self.begun.split_at(error.valid_up_to());
                (std::str::from_utf8(good).unwrap_or_default(), rest)
            }
        };
        self.out.write_all(&encoding_rs::GB18030.encode(text).0)?;
        self.begun = rest.to_vec();
        Ok(())
    }
}

impl<W: Write> Write for Encoded<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        match self.encoding {
            Encoding::Utf8 => self.out.write(piece),
            Encoding::Gb18030 => self.encode(piece).map(|()| piece.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_may_come_in_pieces() {
        let text = "名称，𠮷㐀€ a\u{E000}";
        let mut encoded = Encoded::new(Vec::new(), Encoding::Gb18030);
        for byte in text.as_bytes() {
            encoded.write_all(&[*byte]).expect("memory");
        }
        let (back, bad) = encoding_rs::GB18030.decode_without_bom_handling(&encoded.out);
        assert_eq!((back.as_ref(), bad), (text, false));
    }
}
