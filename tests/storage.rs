//! The index: one suite holds every store to the same answers.

mod book;
mod conformance;
mod paging;
mod random;

use mingcha::storage::{WatchStore, memory::Memory, sled::Sled};

/// Every kind of store, empty, in turn.
fn on_each(test: impl Fn(&dyn WatchStore)) {
    println!("in memory"); // shown where the test fails
    test(&Memory::default());
    println!("in sled");
    let folder = tempfile::tempdir().expect("a folder");
    test(&Sled::open(&folder.path().join("index")).expect("it opens"));
}
