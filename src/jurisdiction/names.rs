//! Names of places as a trie over characters: every name that begins at a place in a text.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::region::Region;

/// One thing a name can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sense {
    pub(super) region: Region,
    /// 0 nation, 1 province, 2 city, 3 county or county-level city, 4 district, 5 zone.
    pub(super) rank: u8,
    /// Without its ending (南京 for 南京市).
    pub(super) short: bool,
}

/// A name, and all it can mean.
#[derive(Debug, Default)]
pub(super) struct Name {
    pub(super) current: Vec<Sense>,
    /// Of names out of use; thought of only when no current sense fits.
    pub(super) old: Vec<Sense>,
    /// The bare name is more often a trade name (字号) than a place.
    pub(super) barred: bool,
}

/// Multiplies its one word; the keys are ours (node and character), so nobody can make them collide
/// at will, and the standard hasher would be most of the cost of a walk.
#[derive(Debug, Default)]
pub(super) struct EdgeHasher(u64);

impl Hasher for EdgeHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

/// The trie. Node 0 is the root; a node's name is at its index.
#[derive(Debug)]
pub(super) struct Names {
    edges: HashMap<u64, usize, BuildHasherDefault<EdgeHasher>>,
    ends: Vec<Option<Box<Name>>>,
}

/// The most characters a name has that is looked at: bounds the work at one place of a hostile text.
const LONGEST: usize = 24;

impl Names {
    pub(super) fn new() -> Self {
        Self { edges: HashMap::with_capacity_and_hasher(32_768, BuildHasherDefault::default()), ends: vec![None] }
    }

    /// Adds a meaning to a name, once.
    pub(super) fn add(&mut self, name: &str, sense: Sense, old: bool) {
        let Name { current, old: past, .. } = self.entry(name);
        let known = |senses: &[Sense]| senses.iter().any(|had| had.region == sense.region && had.rank <= sense.rank);
        if !(known(current) || old && known(past)) {
            (if old { past } else { current }).push(sense);
        }
    }

    /// Bars a bare name from the head of firms' names.
    pub(super) fn bar(&mut self, name: &str) {
        self.entry(name).barred = true;
    }

    fn entry(&mut self, name: &str) -> &mut Name {
        let mut node = 0;
        for c in name.chars() {
            let fresh = self.ends.len();
            node = *self.edges.entry(key(node, c)).or_insert(fresh);
            if node == fresh {
                self.ends.push(None);
            }
        }
        self.ends[node].get_or_insert_default()
    }

    /// The names that begin `text`, shortest first, each with its length in bytes.
    pub(super) fn at<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (usize, &'a Name)> + 'a {
        let mut node = 0;
        text.char_indices()
            .take(LONGEST)
            .map_while(move |(at, c)| {
                node = *self.edges.get(&key(node, c))?;
                Some((at + c.len_utf8(), node))
            })
            .filter_map(|(end, node)| Some((end, self.ends.get(node)?.as_deref()?)))
    }
}

/// An edge: a list of names is far from 2³² nodes, so the two halves cannot run into each other.
fn key(node: usize, c: char) -> u64 {
    ((node as u64) << 32) | u64::from(u32::from(c))
}
