//! Pages: in order, whole, and the same while entries are added.

use std::cell::Cell;

use mingcha::{
    storage::{WatchStore, sled::Sled},
    watch::{
        Status,
        attribute::Dimension,
        file::File,
        query::{Condition, Query},
    },
};

use super::{
    book::{Book, all_pages, entries, one_of, watched},
    on_each,
};

/// Numbers at the borders of blocks of names (256) and of chunks of bitmaps (16 384).
pub(super) const BORDERS: &[u32] =
    &[1, 2, 254, 255, 256, 257, 511, 512, 16_382, 16_383, 16_384, 16_385, 16_639, 16_640, 32_767, 32_768, 32_769, 65_536];

fn full(store: &dyn WatchStore) -> Book {
    let mut book = Book::default();
    for number in BORDERS {
        let mut file = watched(*number, &format!("某地{number}号{}公司", if number % 2 == 0 { "双" } else { "单" }));
        if number % 4 == 0
            && let Some(entry) = &mut file.entry
        {
            entry.status = Status::Released;
        }
        book.put([file]);
    }
    book.give(store);
    book
}

fn ordered(oldest_first: bool, meets: impl Fn(&u32) -> bool) -> Vec<u32> {
    let numbers = BORDERS.iter().copied().filter(|number| meets(number));
    if oldest_first { numbers.collect() } else { numbers.rev().collect() }
}

#[test]
fn pages_of_any_length_make_up_the_whole() {
    on_each(|store| {
        full(store);
        for oldest_first in [true, false] {
            for most in [1, 2, 3, 7, BORDERS.len() - 1, BORDERS.len(), BORDERS.len() + 1] {
                let query = Query { oldest_first, most, ..entries(&[]) };
                assert_eq!(all_pages(store, &query, &|| false), (ordered(oldest_first, |_| true), BORDERS.len().div_ceil(most)));
                let even = Query { conditions: vec![Condition::Name("双".to_owned())], ..query.clone() };
                assert_eq!(all_pages(store, &even, &|| false).0, ordered(oldest_first, |number| number % 2 == 0));
                let released = Query { conditions: vec![one_of(Dimension::Status, &["RELEASED"])], ..query };
                assert_eq!(all_pages(store, &released, &|| false).0, ordered(oldest_first, |number| number % 4 == 0));
            }
        }
    });
}

#[test]
fn names_are_found_in_their_own_place() {
    on_each(|store| {
        full(store);
        for number in BORDERS {
            let query = entries(&[Condition::Name(format!("地{number}号"))]);
            assert_eq!(all_pages(store, &query, &|| false).0, [*number]);
        }
    });
}

/// A search that is stopped, whenever it is, goes on where it was.
#[test]
fn a_search_that_gives_up_goes_on_with_the_next_page() {
    on_each(|store| {
        full(store);
        for oldest_first in [true, false] {
            for (most, patience) in [(100, 0), (100, 1), (100, 2), (4, 0), (4, 1), (1, 0)] {
                let asked = Cell::new(0);
                let impatient = || {
                    asked.set(asked.get() + 1);
                    asked.get() % (patience + 1) == 0
                };
                let query = Query { oldest_first, most, ..entries(&[one_of(Dimension::Status, &["OPEN"])]) };
                assert_eq!(all_pages(store, &query, &impatient).0, ordered(oldest_first, |number| number % 4 != 0));
            }
        }
    });
}

#[test]
fn a_partial_page_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Sled::open(folder.path()).expect("it opens");
    full(&store);
    let nobody = entries(&[one_of(Dimension::Status, &["DETERMINED"])]);
    let page = store.select(&nobody, &|| true).expect("a page");
    assert_eq!((page.numbers, page.partial, page.next), (vec![], true, Some(16_383)));
    assert!(all_pages(&store, &nobody, &|| true).1 > 2, "each page goes on by something");
}

/// Newest first, entries that are added meanwhile come before the first page, and nothing is told twice or left out.
#[test]
fn pages_are_stable_while_entries_are_added() {
    on_each(|store| {
        let mut book = full(store);
        for oldest_first in [true, false] {
            let mut query = Query { oldest_first, most: 3, ..entries(&[]) };
            let mut numbers = Vec::new();
            let mut added = 70_000 + u32::from(oldest_first) * 1_000;
            loop {
                let page = store.select(&query, &|| false).expect("a page");
                numbers.extend(page.numbers.into_iter().filter(|number| BORDERS.contains(number)));
                let Some(next) = page.next.filter(|_| numbers.len() < BORDERS.len()) else { break };
                query.after = Some(next);
                added += 1;
                book.put([watched(added, "新来")]);
                let old = book.file(255).cloned().expect("it is there");
                book.put([File { kind: mingcha::vocabulary::EntityKind::FarmerCooperative, ..old }]);
                book.give(store);
            }
            assert_eq!(numbers, ordered(oldest_first, |_| true));
        }
    });
}

#[test]
fn a_store_on_the_disk_is_the_same_when_it_is_opened_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Sled::open(folder.path()).expect("it opens");
    let mut book = full(&store);
    let place = book.put([watched(3, "某地三号公司")]);
    let (key, answered) = book.answer("nanjing", "r", 3, place);
    book.give(&store);
    let (head, numbers) = (store.head(), store.numbers());
    store.flush().expect("flushed");
    drop(store);
    let store = Sled::open(folder.path()).expect("it opens again");
    assert_eq!((store.head(), store.numbers()), (head, numbers));
    assert_eq!(store.request(&key), Ok(Some(answered)));
    assert_eq!(store.file(answered.firm).expect("read").as_ref(), book.file(3));
    assert_eq!(all_pages(&store, &entries(&[]), &|| false).0.len(), BORDERS.len() + 1);
    assert_eq!(store.read_through(&|| false), Ok(()));
}
