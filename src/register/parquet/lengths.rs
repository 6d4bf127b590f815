//! The lengths of texts (长度) that lie before them, in two encodings: how many there are is said in the page, and the crate makes
//! room for as many before it looks for one. So they are counted here first.

use parquet::{basic::Encoding, column::page::Page};

/// Whether a page has no more lengths than values, wherever it says how many; `levels` says which of its rows have a value.
pub(super) fn are_as_many_as_values(page: &Page, levels: bool) -> bool {
    let (bare, values, encoding) = match page {
        Page::DataPage { buf, num_values, encoding, def_level_encoding, .. } => {
            let bare = if !levels {
                Some(0)
            } else if *def_level_encoding == Encoding::RLE {
                buf.first_chunk().map(|length| u64::from(u32::from_le_bytes(*length)) + 4)
            } else {
                None // as nobody writes them with these encodings
            };
            (bare, *num_values, *encoding)
        }
        Page::DataPageV2 { num_values, encoding, def_levels_byte_len, rep_levels_byte_len, .. } => {
            (Some(u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len)), *num_values, *encoding)
        }
        Page::DictionaryPage { .. } => return true,
    };
    let stream = || Some(Stream(page.buffer().get(usize::try_from(bare?).ok()?..)?));
    match encoding {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => stream().and_then(|mut lengths| lengths.begin(values)).is_some(),
        // those of what a text begins with, as the one before it does, and of the rest
        Encoding::DELTA_BYTE_ARRAY => stream().and_then(|mut lengths| lengths.pass(values)?.begin(values)).is_some(),
        _ => true,
    }
}

/// Numbers as `DELTA_BINARY_PACKED` has them, and what is behind them.
struct Stream<'a>(&'a [u8]);

/// What numbers begin with.
struct Beginning {
    /// How many there are in a block, and how many blocks have a width of their own in it.
    per_width: u64,
    widths: usize,
    count: u64,
}

impl Stream<'_> {
    fn varint(&mut self) -> Option<u64> {
        let length = self.0.iter().take(9).position(|byte| byte & 0x80 == 0)? + 1;
        Some(self.take(length)?.iter().rev().fold(0, |sum, byte| sum << 7 | u64::from(byte & 0x7F)))
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// Reads how many there are: at most so many.
    fn begin(&mut self, most: u32) -> Option<Beginning> {
        let (block, widths, count) = (self.varint()?, self.varint()?, self.varint()?);
        self.varint()?; // the first number
        let per_width = block.checked_div(widths).filter(|numbers| *numbers > 0 && numbers % 32 == 0)?;
        (count <= most.into()).then_some(Beginning { per_width, widths: usize::try_from(widths).ok()?, count })
    }

    /// Passes over them.
    fn pass(&mut self, most: u32) -> Option<&mut Self> {
        let Beginning { per_width, widths, count } = self.begin(most)?;
        let mut left = count.saturating_sub(1);
        while left > 0 {
            self.varint()?; // the least step of the block
            let (widths, rest) = self.0.split_at_checked(widths)?;
            self.0 = rest;
            for width in widths {
                if left > 0 {
                    self.take(usize::try_from((per_width / 8).checked_mul(u64::from(*width))?).ok()?)?;
                    left = left.saturating_sub(per_width);
                }
            }
        }
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// So many numbers, all alike, and what is behind them.
    fn alike(count: u8, behind: &[u8]) -> Vec<u8> {
        let head = [0x80, 1, 4, count, 6]; // blocks of 128, in four parts
        let block = [0, 0, 0, 0, 0]; // no step, no width
        [&head[..], if count > 1 { &block } else { &[] }, behind].concat()
    }

    fn page(buf: Vec<u8>, encoding: Encoding) -> Page {
        let (def_level_encoding, rep_level_encoding) = (Encoding::RLE, Encoding::RLE);
        Page::DataPage { buf: buf.into(), num_values: 9, encoding, def_level_encoding, rep_level_encoding, statistics: None }
    }

    #[test]
    fn lengths_are_counted_wherever_they_are() {
        let (length, both) = (Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY);
        // the first block has a width of 3 bits, for 32 numbers; that of the others, which there are none of, is of no account
        let wide = |suffixes: &[u8]| [&[0x80, 1, 4, 9, 6, 0, 3, 7, 7, 7][..], &[0; 12], suffixes].concat();
        let levels = |data: &[u8]| [&[2, 0, 0, 0, 18, 1], data].concat();
        for (data, encoding, fine) in [
            (alike(9, b"abc"), length, true),
            (alike(10, b"abc"), length, false),
            (vec![0x80, 1, 4, 0x80, 0x80, 0x80, 0x80, 0x80, 8, 6], length, false), // 2^38
            (alike(9, &alike(9, b"abc")), both, true),
            (alike(10, &alike(9, b"abc")), both, false),
            (alike(9, &alike(10, b"abc")), both, false),
            (alike(1, &alike(1, b"abc")), both, true),
            (alike(0, &alike(10, b"abc")), both, false),
            (wide(&alike(9, b"abc")), both, true),
            (wide(&alike(10, b"abc")), both, false),
            (vec![0x80, 1, 0, 9, 6], length, false),
            (vec![0x80, 1, 4], length, false),
            (vec![0x80, 1, 4, 9, 6, 0, 0xFF], both, false),
            (vec![0xFF], Encoding::PLAIN, true),
        ] {
            assert_eq!(are_as_many_as_values(&page(data.clone(), encoding), false), fine, "{data:?}");
            assert_eq!(are_as_many_as_values(&page(levels(&data), encoding), true), fine, "{data:?}");
            let buf = Bytes::from([&[18, 1][..], &data].concat());
            let (num_nulls, num_rows, def_levels_byte_len, rep_levels_byte_len) = (0, 9, 2, 0);
            let second = Page::DataPageV2 {
                buf,
                num_values: 9,
                encoding,
                num_nulls,
                num_rows,
                def_levels_byte_len,
                rep_levels_byte_len,
                is_compressed: true,
                statistics: None,
            };
            assert_eq!(are_as_many_as_values(&second, true), fine, "{data:?}");
        }
        assert!(!are_as_many_as_values(&page(vec![9, 0, 0, 0, 1], length), true)); // levels that are cut off
    }
}
