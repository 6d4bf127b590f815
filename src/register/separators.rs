//! Separators (分隔符) of a table: where its fields and records end. They stand close together, so that sixty-four bytes are looked at
//! in one go, instead of looking for each anew.

use wide::u8x16;

const LANES: usize = 16;
const STRIDE: usize = 4 * LANES;

/// Where one of two bytes occurs, in order.
pub(super) struct Separators<'t> {
    rest: &'t [u8],
    field: u8x16,
    record: u8x16,
    /// Where the bytes stand of which `found` has a bit each.
    base: usize,
    found: u64,
    /// Where the bytes behind these stand.
    next: usize,
}

impl<'t> Separators<'t> {
    pub(super) fn of(text: &'t [u8], field: u8, record: u8) -> Self {
        Self { rest: text, field: u8x16::splat(field), record: u8x16::splat(record), base: 0, found: 0, next: 0 }
    }

    /// A bit for each byte that is wanted.
    #[inline]
    fn look(&self, bytes: &[u8; STRIDE]) -> u64 {
        let (lanes, _) = bytes.as_chunks::<LANES>();
        let mut found = 0;
        for (index, lanes) in lanes.iter().enumerate() {
            let lanes = u8x16::new(*lanes);
            let wanted = lanes.simd_eq(self.field) | lanes.simd_eq(self.record);
            found |= u64::from(wanted.to_bitmask()) << (index * LANES);
        }
        found
    }
}

impl Iterator for Separators<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.found == 0 {
            let (found, read) = match self.rest.split_first_chunk::<STRIDE>() {
                Some((bytes, rest)) => {
                    self.rest = rest;
                    (self.look(bytes), STRIDE)
                }
                None if self.rest.is_empty() => return None,
                None => {
                    let mut bytes = [0; STRIDE];
                    let last = self.rest.len();
                    bytes[..last].copy_from_slice(self.rest);
                    self.rest = &[];
                    (self.look(&bytes) & ((1 << last) - 1), last)
                }
            };
            (self.base, self.found) = (self.next, found);
            self.next += read;
        }
        let at = self.base + self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::Separators;

    #[test]
    fn each_is_found_wherever_it_stands() {
        let text: Vec<u8> =
            (0..300_u16).map(|at| if at % 7 == 0 || at % 64 == 63 { b'\t' } else { b"a\n\0"[usize::from(at % 11 / 5)] }).collect();
        for begin in 0..70 {
            for end in [begin, begin + 1, begin + 63, begin + 64, begin + 65, 300] {
                let text = &text[begin..end];
                let expected: Vec<usize> = memchr::memchr2_iter(b'\t', b'\n', text).collect();
                assert_eq!(Separators::of(text, b'\t', b'\n').collect::<Vec<_>>(), expected, "{begin}..{end}");
                // a byte that fills up the end is none of the text
                assert_eq!(Separators::of(text, 0, 1).count(), text.iter().filter(|byte| **byte < 2).count());
            }
        }
    }
}
