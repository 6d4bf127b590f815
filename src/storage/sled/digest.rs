//! The digest (摘要): all that the index holds as one number, which each write carries on.
//!
//! Where sled cannot read what it wrote, after an unclean stop or on a bad disk, it may leave it out and say nothing: half
//! of a batch is then there. The digest is written with the head, in one value; what is read through afterwards must come
//! to the same.

use std::hash::Hasher;

use rustc_hash::FxHasher;

/// The sum of the hashes of all pairs, in whatever order they came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Digest(pub(super) u64);

impl Digest {
    /// Of one pair. Where the hash is another one day, the index is made again.
    pub(super) fn of(key: &[u8], value: &[u8]) -> Self {
        let mut hasher = FxHasher::default();
        hasher.write(key);
        hasher.write_usize(key.len());
        hasher.write(value);
        // the hasher by itself adds up: two values that change places would come to the same
        let mixed = (hasher.finish() ^ (hasher.finish() >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        Self(mixed ^ (mixed >> 32))
    }

    /// With another part.
    pub(super) fn and(self, part: Self) -> Self {
        Self(self.0.wrapping_add(part.0))
    }

    /// Without a part.
    pub(super) fn without(self, part: Self) -> Self {
        Self(self.0.wrapping_sub(part.0))
    }
}

/// How far somebody has read through the index, while others write to it.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// The last key that was read.
    pub(super) to: Vec<u8>,
    /// What was read, as it is now.
    pub(super) sum: Digest,
}

impl Reading {
    /// Takes a write to a key into account, where it was read already.
    pub(super) fn changed(&mut self, key: &[u8], by: Digest) {
        if key <= self.to.as_slice() {
            self.sum = self.sum.and(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_knows_what_is_missing_and_not_the_order() {
        let [a, b, c] = [(&b"a"[..], &b"1"[..]), (b"b", b"1"), (b"a1", b"")].map(|(key, value)| Digest::of(key, value));
        assert_eq!(a.and(b).and(c), c.and(b).and(a));
        assert_eq!(a.and(b).without(a), b);
        assert!(a != b && a != c && b != c, "the border between key and value counts");
    }

    #[test]
    fn values_that_change_places_are_seen() {
        for number in 0..10_000u32 {
            let (one, other) = (number.to_be_bytes(), (number ^ 1).to_be_bytes());
            let (right, wrong) =
                (Digest::of(b"a", &one).and(Digest::of(b"b", &other)), Digest::of(b"a", &other).and(Digest::of(b"b", &one)));
            assert_ne!(right, wrong, "{number}");
        }
    }
}
