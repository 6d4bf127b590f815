//! Thrift's compact protocol (二进制结构), as headers and footers are written in, read strictly: each field once, in the order of
//! their numbers. The crate that reads them again takes the last of a field that stands twice; what was weighed would be another.

use std::io::{self, Read};

/// A field's kind, as the protocol numbers them.
pub(super) type Kind = u8;
pub(super) const I32: Kind = 5;
pub(super) const LIST: Kind = 9;
pub(super) const STRUCT: Kind = 12;
/// A truth's kind is its value.
pub(super) const TRUE: Kind = 1;
pub(super) const FALSE: Kind = 2;

/// Most fields within fields, of those that are passed over.
const DEEPEST: u8 = 32;

/// Reads values, and how far it has come.
#[derive(Clone)]
pub(super) struct Thrift<R> {
    input: R,
    read: u64,
}

/// The number of the last field.
#[derive(Default)]
pub(super) struct Fields(u16);

/// Why something is not as anybody writes it.
pub(super) fn odd(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

impl<R: Read> Thrift<R> {
    pub(super) const fn new(input: R) -> Self {
        Self { input, read: 0 }
    }

    /// How many bytes were read.
    pub(super) const fn at(&self) -> u64 {
        self.read
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.input.read_exact(&mut byte)?;
        self.read += 1;
        Ok(byte[0])
    }

    fn pass(&mut self, length: u64) -> io::Result<()> {
        if io::copy(&mut self.input.by_ref().take(length), &mut io::sink())? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read += length;
        Ok(())
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        self.byte().and_then(|last| if last <= 1 { Ok(number | u64::from(last) << 63) } else { Err(odd("a number is too long")) })
    }

    /// A number of 32 bits that is not below zero.
    pub(super) fn number(&mut self) -> io::Result<u64> {
        let zigzag = self.varint()?;
        if zigzag & 1 == 0 && zigzag >> 1 <= i32::MAX.unsigned_abs().into() { Ok(zigzag >> 1) } else { Err(odd("a number is below zero")) }
    }

    /// The next field's number and kind; none behind the last.
    pub(super) fn field(&mut self, fields: &mut Fields) -> io::Result<Option<(u16, Kind)>> {
        let byte = self.byte()?;
        let (further, kind) = (u16::from(byte >> 4), byte & 0x0F);
        match (further, kind) {
            (_, 0) => Ok(None),
            // by its number, which any may have: as is written only of those that are further from the last than 15
            (0, _) => match i16::try_from(self.number()?).map(i16::unsigned_abs) {
                Ok(number) if number > fields.0.saturating_add(15) => {
                    fields.0 = number;
                    Ok(Some((number, kind)))
                }
                _ => Err(odd("its fields are not in their order")),
            },
            _ => {
                fields.0 = fields.0.checked_add(further).ok_or_else(|| odd("too many fields"))?;
                Ok(Some((fields.0, kind)))
            }
        }
    }

    /// How many there are in a list, and of which kind.
    pub(super) fn list(&mut self) -> io::Result<(u64, Kind)> {
        let byte = self.byte()?;
        let many = u64::from(byte >> 4);
        Ok((if many == 15 { self.varint()? } else { many }, byte & 0x0F))
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self, kind: Kind) -> io::Result<()> {
        self.skip_within(kind, DEEPEST)
    }

    fn skip_within(&mut self, kind: Kind, deeper: u8) -> io::Result<()> {
        match kind {
            TRUE | FALSE => Ok(()),
            3 => self.pass(1),
            4..=6 => self.varint().map(drop),
            7 => self.pass(8),
            8 => self.varint().and_then(|length| self.pass(length)),
            LIST if deeper > 0 => {
                let (many, kind) = self.list()?;
                if many > 0 && !(3..=STRUCT).contains(&kind) {
                    return Err(odd("a list of what nobody writes")); // truths take no room: any number of them
                }
                (0..many).try_for_each(|_| self.skip_within(kind, deeper - 1))
            }
            STRUCT if deeper > 0 => {
                let mut fields = Fields::default();
                while let Some((_, kind)) = self.field(&mut fields)? {
                    self.skip_within(kind, deeper - 1)?;
                }
                Ok(())
            }
            _ => Err(odd("a field of a kind that nobody writes")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_stands_once_and_what_is_not_asked_for_is_passed_over() {
        // 1: 300, 2: true, 4: "ab", 5: a list of two structs, of which the second has a number
        let bytes = [0x15, 0xD8, 4, 0x11, 0x28, 2, b'a', b'b', 0x19, 0x2C, 0, 0x25, 1, 0, 0x00];
        let (mut thrift, mut fields) = (Thrift::new(&bytes[..]), Fields::default());
        assert_eq!(thrift.field(&mut fields).expect("a field"), Some((1, I32)));
        assert_eq!(thrift.number().expect("a number"), 300);
        let mut found = Vec::new();
        while let Some((number, kind)) = thrift.field(&mut fields).expect("a field") {
            thrift.skip(kind).expect("passed over");
            found.push((number, kind));
        }
        assert_eq!((found, thrift.at()), (vec![(2, TRUE), (4, 8), (5, LIST)], bytes.len() as u64));
        // a union of its 16th
        assert_eq!(Thrift::new(&[0x0C, 32][..]).field(&mut Fields::default()).expect("a field"), Some((16, STRUCT)));
        for (bytes, why) in [
            (&[0x05, 4, 0x04, 0][..], "not in their order"),         // 2, in the long form
            (&[0x05, 0x84, 0x80, 8, 0x04, 0], "not in their order"), // 2 for who reads 16 bits of it
            (&[0x28, 200, 1, 0][..], "end of file"),                 // a text that is cut off
            (&[0x19, 0xF1, 0xFF, 0xFF, 3][..], "nobody writes"),     // 65 535 truths
            (&[0x1B, 0xFF, 0xFF, 3, 0x11][..], "nobody writes"),     // a map
            (&[0x15, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2][..], "too long"),
            (&[0x1C; 64][..], "nobody writes"), // deeper than anybody writes
        ] {
            let (mut thrift, mut fields) = (Thrift::new(bytes), Fields::default());
            let said = thrift.field(&mut fields).and_then(|field| field.map_or(Ok(()), |(_, kind)| thrift.skip(kind)));
            let said = said.and_then(|()| if thrift.at() < bytes.len() as u64 { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) });
            let error = said.expect_err("refused").to_string();
            assert!(error.contains(why), "{bytes:?}: {error}");
        }
        assert!(Thrift::new(&[1][..]).number().is_err() && Thrift::new(&[0xFE, 0xFF, 0xFF, 0xFF, 0x1F][..]).number().is_err());
    }
}
