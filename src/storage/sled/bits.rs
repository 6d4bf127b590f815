//! A set of numbers within a chunk (位图块): how the index says who has a value.

/// How many numbers a chunk spans.
pub(super) const CHUNK: u32 = 1 << 14;
const WORDS: usize = CHUNK as usize / 64;
/// From so many numbers on, the bits themselves are shorter than a list of them.
const DENSE: usize = CHUNK as usize / 16;

/// Some numbers of one chunk, by their place in it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Bits(Box<[u64; WORDS]>);

impl Default for Bits {
    fn default() -> Self {
        Self(Box::new([0; WORDS]))
    }
}

/// The chunk of a number, and its place in it.
pub(super) fn place(number: u32) -> (u32, u16) {
    (number / CHUNK, u16::try_from(number % CHUNK).unwrap_or(0)) // below 2^14
}

impl Bits {
    /// Reads what [`encode`](Self::encode) wrote. None where it is something else.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut bits = Self::default();
        if bytes.len() == WORDS * 8 {
            for (word, bytes) in bits.0.iter_mut().zip(bytes.chunks_exact(8)) {
                *word = u64::from_le_bytes(bytes.try_into().ok()?);
            }
            return Some(bits);
        }
        let (pairs, rest) = bytes.as_chunks::<2>();
        for pair in pairs {
            let place = u16::from_le_bytes(*pair);
            if u32::from(place) >= CHUNK {
                return None;
            }
            bits.set(place, true);
        }
        rest.is_empty().then_some(bits)
    }

    /// Calls `each` with every number, in order, of what [`encode`](Self::encode) wrote that this set has too: a short list is not
    /// made a set for that. None where it is something else.
    pub(super) fn each_of(&self, bytes: &[u8], mut each: impl FnMut(u16)) -> Option<()> {
        if bytes.len() == WORDS * 8 {
            let mut bits = Self::decode(bytes)?;
            bits.and(self);
            bits.ascending().for_each(each);
            return Some(());
        }
        let (pairs, rest) = bytes.as_chunks::<2>();
        for place in pairs.iter().map(|pair| u16::from_le_bytes(*pair)) {
            let word = self.0.get(usize::from(place) / 64)?;
            if word & (1 << (place % 64)) != 0 {
                each(place);
            }
        }
        rest.is_empty().then_some(())
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        if self.count() < DENSE {
            return self.ascending().flat_map(u16::to_le_bytes).collect();
        }
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    pub(super) fn set(&mut self, place: u16, on: bool) {
        let (word, bit) = (usize::from(place) / 64, 1u64 << (place % 64));
        if on { self.0[word] |= bit } else { self.0[word] &= !bit }
    }

    pub(super) fn and(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(word, other)| *word &= other);
    }

    pub(super) fn or(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(word, other)| *word |= other);
    }

    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(super) fn ascending(&self) -> impl Iterator<Item = u16> {
        self.0.iter().enumerate().flat_map(|(index, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                u16::try_from(index * 64 + bit as usize).ok()
            })
        })
    }

    pub(super) fn descending(&self) -> impl Iterator<Item = u16> {
        self.0.iter().enumerate().rev().flat_map(|(index, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.ilog2())?;
                left ^= 1 << bit;
                u16::try_from(index * 64 + bit as usize).ok()
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_are_a_set_of_numbers(a in proptest::collection::btree_set(0u16..16_384, 0..2000), b in proptest::collection::btree_set(0u16..16_384, 0..64)) {
            let of = |set: &BTreeSet<u16>| set.iter().fold(Bits::default(), |mut bits, place| { bits.set(*place, true); bits });
            let (bits, other) = (of(&a), of(&b));
            prop_assert_eq!(bits.ascending().collect::<Vec<_>>(), a.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(bits.descending().collect::<Vec<_>>(), a.iter().rev().copied().collect::<Vec<_>>());
            prop_assert_eq!(bits.count(), a.len());
            prop_assert_eq!(bits.is_empty(), a.is_empty());
            prop_assert!(Bits::decode(&bits.encode()).as_ref() == Some(&bits));
            let mut met = Vec::new();
            prop_assert_eq!(other.each_of(&bits.encode(), |place| met.push(place)), Some(()));
            prop_assert_eq!(met.into_iter().collect::<BTreeSet<_>>(), &a & &b);
            let (mut and, mut or) = (bits.clone(), bits.clone());
            and.and(&other);
            or.or(&other);
            prop_assert_eq!(and.ascending().collect::<BTreeSet<_>>(), &a & &b);
            prop_assert_eq!(or.ascending().collect::<BTreeSet<_>>(), &a | &b);
        }
    }

    #[test]
    fn what_is_no_set_is_not_read() {
        assert!(Bits::decode(&[1]).is_none() && Bits::default().each_of(&[1], |_| ()).is_none());
        assert!(Bits::default().each_of(&[0xff, 0xff], |_| ()).is_none(), "beyond the chunk");
        assert!(Bits::decode(&[0xff, 0xff]).is_none(), "beyond the chunk");
        assert!(Bits::decode(&[]).is_some_and(|bits| bits.is_empty()));
    }
}
