//! The header of a page (页头): what it expands to is known before it is expanded.

use std::io::{self, Read};

use super::thrift::{FALSE, Fields, I32, STRUCT, TRUE, Thrift, odd};

/// Most bytes of a header: it has the least and the greatest text of its page, twice each.
const LONGEST: u64 = 1 << 20;

/// What the header of a page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// How long it is.
    pub(super) length: u64,
    /// The page's size expanded.
    pub(super) page: u64,
    /// Its size as it lies there.
    pub(super) packed: u64,
    /// How many values it has.
    pub(super) values: u64,
    pub(super) content: Content,
}

/// What is in a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Dictionary,
    Data {
        encoding: u64,
        /// How much of it lies there as it is, whatever the rest.
        bare: u64,
        /// Whether the rest is compressed where the column is.
        packed: bool,
    },
}

impl Header {
    /// Reads a header: as the crate does, or not at all.
    pub(super) fn read(input: impl Read) -> io::Result<Self> {
        let mut thrift = Thrift::new(input.take(LONGEST));
        let (mut kind, mut page, mut packed, mut content) = (None, None, None, None);
        let mut fields = Fields::default();
        while let Some(field) = thrift.field(&mut fields)? {
            match field {
                (1, I32) => kind = Some(thrift.number()?),
                (2, I32) => page = Some(thrift.number()?),
                (3, I32) => packed = Some(thrift.number()?),
                // of the contents one alone, that of the page's kind: the crate looks at others too
                (number @ (5 | 7 | 8), STRUCT) if content.is_none() && kind == kind_of(number) => {
                    content = Some(read_content(number, &mut thrift)?);
                }
                (4, I32) => thrift.skip(I32)?, // its checksum
                (1..=8, _) => return Err(unclear()),
                (_, kind) => thrift.skip(kind)?,
            }
        }
        let (values, content) = content.ok_or_else(unclear)?;
        Ok(Self { length: thrift.at(), page: page.ok_or_else(unclear)?, packed: packed.ok_or_else(unclear)?, values, content })
    }
}

fn unclear() -> io::Error {
    odd("it does not say its sizes once each")
}

/// The kind of page whose content this field has.
const fn kind_of(number: u16) -> Option<u64> {
    match number {
        5 => Some(0),
        7 => Some(2),
        8 => Some(3),
        _ => None,
    }
}

/// How many values a page has, and what is in it.
fn read_content(number: u16, thrift: &mut Thrift<impl Read>) -> io::Result<(u64, Content)> {
    // how many numbers there are, and which of them is the encoding
    let (many, encoding) = match number {
        5 => (4, 2),
        7 => (2, 2),
        _ => (6, 4),
    };
    let (mut numbers, mut packed) = ([None; 7], true);
    let mut fields = Fields::default();
    while let Some(field) = thrift.field(&mut fields)? {
        match field {
            (at, I32) if at <= many => numbers[usize::from(at)] = Some(thrift.number()?),
            (7, TRUE | FALSE) if number == 8 => packed = field.1 == TRUE,
            (at, _) if at <= many || (at, number) == (7, 8) => return Err(unclear()),
            (_, kind) => thrift.skip(kind)?, // statistics
        }
    }
    let number_of = |at: usize| numbers[at].ok_or_else(unclear);
    let content = match number {
        7 => Content::Dictionary,
        5 => Content::Data { encoding: number_of(encoding)?, bare: 0, packed },
        _ => Content::Data { encoding: number_of(encoding)?, bare: number_of(5)? + number_of(6)?, packed },
    };
    Ok((number_of(1)?, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of 10 bytes in 11, its checksum, and what is said of its content.
    fn header(kind: u8, content: &[u8]) -> Vec<u8> {
        [&[0x15, kind << 1, 0x15, 20, 0x15, 22, 0x15, 0x81, 1][..], content, &[0]].concat()
    }

    #[test]
    fn a_page_says_its_sizes_and_what_is_in_it() {
        let statistics = [0x1C, 0x18, 1, b'a', 0x18, 1, b'b', 0x16, 4, 0];
        let first = [&[0x1C, 0x15, 8, 0x15, 12, 0x15, 6, 0x15, 6][..], &statistics, &[0]].concat();
        let second = [0x4C, 0x15, 8, 0x15, 0, 0x15, 8, 0x15, 14, 0x15, 4, 0x15, 0, 0x12, 0];
        let data = |encoding, bare, packed| Content::Data { encoding, bare, packed };
        for (kind, content, said) in [
            (0, &first[..], data(6, 0, true)),
            (2, &[0x3C, 0x15, 8, 0x15, 0, 0x12, 0][..], Content::Dictionary),
            (3, &second[..], data(7, 2, false)),
        ] {
            let bytes = header(kind, content);
            let expected = Header { length: bytes.len() as u64, page: 10, packed: 11, values: 4, content: said };
            assert_eq!(Header::read(&bytes[..]).expect("a header"), expected);
            for cut in 0..bytes.len() {
                assert!(Header::read(&bytes[..cut]).is_err(), "{cut}");
            }
        }
    }

    #[test]
    fn a_header_that_could_be_read_in_two_ways_is_refused() {
        let content = [0x1C, 0x15, 8, 0x15, 0, 0x15, 6, 0x15, 6, 0];
        let whole = header(0, &content);
        assert!(Header::read(&whole[..]).is_ok());
        let twice = [&whole[..whole.len() - 1], &[0x05, 4, 0x80, 1], &[0]].concat(); // its size again, in the long form
        let others = [&whole[..whole.len() - 1], &[0x3C, 0x15, 0, 0x15, 0, 0x15, 0, 0x15, 0, 0x15, 0, 0x15, 0, 0, 0]].concat();
        let within = header(0, &[0x1C, 0x15, 8, 0x15, 0, 0x15, 6, 0x15, 6, 0x05, 2, 9, 0]); // as many values again
        for odd in [twice, others, within, header(2, &content), header(0, &[]), header(1, &[0x2C, 0]), header(0, &[0x1C, 0x16, 8, 0])] {
            assert!(Header::read(&odd[..]).is_err(), "{odd:?}");
        }
    }
}
