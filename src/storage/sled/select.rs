//! Answering queries (检索): chunk by chunk, in the order asked for, until the page is full.

use std::{collections::BTreeMap, ops::Bound};

use ::sled::{Db, IVec};
use memchr::memmem::Finder;
use rustc_hash::FxHashMap;

use super::{
    Steady,
    apply::read_bits,
    bits::{Bits, CHUNK, place},
    damaged,
    layout::{self, BLOCK},
};
use crate::{
    day::Date,
    storage::{Numbers, StoreError, names_in},
    watch::{
        attribute::{Collection, DayOf, Dimension},
        query::{Condition, Count, Page, Query},
    },
};

pub(super) fn select(db: &Steady, query: &Query, numbers: Numbers, give_up: &dyn Fn() -> bool) -> Result<Page, StoreError> {
    let last = match query.collection {
        Collection::Entries => numbers.firms,
        Collection::Referrals => numbers.referrals,
    };
    let names: Vec<Finder<'_>> = names_in(&query.conditions).map(Finder::new).collect();
    let mut page = Filling { query, numbers: Vec::new() };
    let mut before = query.after; // where the next page would go on, were the search stopped here
    for chunk in chunks(query, last) {
        if before != query.after && give_up() {
            return Ok(Page { next: before, numbers: page.numbers, partial: true });
        }
        let found = db.steadily(|db| matching(db, query, &names, chunk))?;
        if page.fill(chunk, &found) {
            let next = page.numbers.last().copied();
            return Ok(Page { numbers: page.numbers, next, partial: false });
        }
        before = Some(if query.oldest_first { chunk * CHUNK + (CHUNK - 1) } else { chunk * CHUNK });
    }
    Ok(Page { numbers: page.numbers, next: None, partial: false })
}

/// The chunks that may hold what is asked for, in the order asked for.
fn chunks(query: &Query, last: u32) -> Box<dyn Iterator<Item = u32>> {
    let (first, last) = match query.after {
        Some(after) if query.oldest_first => (place(after).0, place(last).0),
        Some(after) => (0, place(after.min(last)).0),
        None => (0, place(last).0),
    };
    if query.oldest_first { Box::new(first..=last) } else { Box::new((first..=last).rev()) }
}

/// A page that is being filled.
struct Filling<'q> {
    query: &'q Query,
    numbers: Vec<u32>,
}

impl Filling<'_> {
    /// Adds what a chunk has; says whether the page is full and there is more.
    fn fill(&mut self, chunk: u32, found: &Bits) -> bool {
        if self.query.oldest_first { self.add(chunk, found.ascending()) } else { self.add(chunk, found.descending()) }
    }

    fn add(&mut self, chunk: u32, places: impl Iterator<Item = u16>) -> bool {
        for number in places.map(|place| chunk * CHUNK + u32::from(place)) {
            let beyond = self.query.after.is_none_or(|after| if self.query.oldest_first { number > after } else { number < after });
            if beyond && self.numbers.len() == self.query.most {
                return true;
            }
            if beyond {
                self.numbers.push(number);
            }
        }
        false
    }
}

/// Who in a chunk meets all conditions; `names` finds those on the name.
fn matching(db: &Db, query: &Query, names: &[Finder<'_>], chunk: u32) -> Result<Bits, StoreError> {
    let collection = query.collection;
    let Some(mut found) = read_bits(db.get(layout::value(collection, Dimension::All, "", chunk))?)? else { return Ok(Bits::default()) };
    for condition in &query.conditions {
        match condition {
            Condition::OneOf(of, values) => found.and(&one_of(db, collection, *of, values, chunk)?),
            Condition::Within(of, from, to) => found.and(&within(db, collection, *of, (*from, *to), chunk)?),
            Condition::Name(_) => {}
        }
        if found.is_empty() {
            break;
        }
    }
    for name in names {
        found.and(&named(db, query.collection, name, chunk, &found)?);
    }
    Ok(found)
}

fn one_of(db: &Db, collection: Collection, of: Dimension, values: &[String], chunk: u32) -> Result<Bits, StoreError> {
    let mut any = Bits::default();
    for value in values {
        if let Some(bits) = read_bits(db.get(layout::value(collection, of, value, chunk))?)? {
            any.or(&bits);
        }
    }
    Ok(any)
}

fn within(db: &Db, collection: Collection, of: DayOf, days: (Option<Date>, Option<Date>), chunk: u32) -> Result<Bits, StoreError> {
    let key = |day: Date| layout::day(collection, of, day, chunk);
    let begin = days.0.map_or_else(|| layout::days(collection, of, chunk), key);
    let end = days.1.map_or_else(|| [layout::days(collection, of, chunk), vec![0xff; 4]].concat(), key);
    let mut any = Bits::default();
    for pair in db.range((Bound::Included(begin), Bound::Included(end))) {
        any.or(&Bits::decode(&pair?.1).ok_or_else(|| damaged("a bitmap"))?);
    }
    Ok(any)
}

/// Who of `among` has the text in its name.
fn named(db: &Db, collection: Collection, text: &Finder<'_>, chunk: u32, among: &Bits) -> Result<Bits, StoreError> {
    let mut found = Bits::default();
    let mut blocks: Vec<u16> = among.ascending().map(|place| place / 256).collect();
    blocks.dedup();
    for block in blocks {
        let Some(lines) = db.get(layout::names(collection, chunk * (CHUNK / BLOCK) + u32::from(block)))? else { continue };
        let (mut line, mut from) = (0u16, 0);
        for at in text.find_iter(&lines) {
            line += u16::try_from(memchr::memchr_iter(b'\n', &lines[from..at]).count()).unwrap_or(0); // at most 256 lines
            from = at;
            found.set(block * 256 + line, true);
        }
    }
    Ok(found)
}

/// How often each value, or each pair of values, occurs.
pub(super) fn count(db: &Db, query: &Query, first: Dimension, second: Option<Dimension>) -> Result<Vec<Count>, StoreError> {
    let names: Vec<Finder<'_>> = names_in(&query.conditions).map(Finder::new).collect();
    let firsts = Values::read(db, query.collection, first)?;
    let seconds = second.map(|of| Values::read(db, query.collection, of)).transpose()?;
    let mut counts: FxHashMap<(u32, u32), u64> = FxHashMap::default();
    for chunk in firsts.chunks.keys() {
        let among = matching(db, query, &names, *chunk)?;
        let beside = seconds.as_ref().map(|seconds| seconds.by_place(*chunk, &among)).transpose()?;
        firsts.each(*chunk, &among, |value, place| match &beside {
            None => *counts.entry((value, 0)).or_default() += 1,
            Some(beside) => beside.at(place).iter().for_each(|other| *counts.entry((value, *other)).or_default() += 1),
        })?;
    }
    let second = |id| seconds.as_ref().map_or_else(String::new, |seconds| seconds.names[id as usize].clone());
    let written = |((a, b), count): ((u32, u32), u64)| Count { first: firsts.names[a as usize].clone(), second: second(b), count };
    let mut counts: Vec<Count> = counts.into_iter().map(written).collect();
    counts.sort_unstable();
    Ok(counts)
}

/// Every value of a dimension, with who has it as it was written.
#[derive(Default)]
struct Values {
    names: Vec<String>,
    chunks: BTreeMap<u32, Vec<(u32, IVec)>>,
}

impl Values {
    fn read(db: &Db, collection: Collection, of: Dimension) -> Result<Self, StoreError> {
        let mut values = Self::default();
        for pair in db.scan_prefix(layout::dimension(collection, of)) {
            let (key, bits) = pair?;
            let (value, chunk) = layout::value_of(&key).ok_or_else(|| damaged("a key"))?;
            if values.names.last().is_none_or(|last| last != value) {
                values.names.push(value.to_owned()); // the chunks of a value stand together
            }
            let id = u32::try_from(values.names.len() - 1).map_err(|_| damaged("a dimension"))?;
            values.chunks.entry(chunk).or_default().push((id, bits));
        }
        Ok(values)
    }

    /// Calls `each` with every value that something of `among` has.
    fn each(&self, chunk: u32, among: &Bits, mut each: impl FnMut(u32, u16)) -> Result<(), StoreError> {
        for (id, bits) in self.chunks.get(&chunk).into_iter().flatten() {
            among.each_of(bits, |place| each(*id, place)).ok_or_else(|| damaged("a bitmap"))?;
        }
        Ok(())
    }

    /// The values of each place of a chunk.
    fn by_place(&self, chunk: u32, among: &Bits) -> Result<ByPlace, StoreError> {
        let mut pairs: Vec<(u16, u32)> = Vec::new();
        self.each(chunk, among, |value, place| pairs.push((place, value)))?;
        let mut begins = vec![0; CHUNK as usize + 1];
        for (place, _) in &pairs {
            begins[usize::from(*place) + 1] += 1;
        }
        for place in 1..begins.len() {
            begins[place] += begins[place - 1];
        }
        let (mut free, mut values) = (begins.clone(), vec![0; pairs.len()]);
        for (place, value) in pairs {
            let at = &mut free[usize::from(place)];
            values[*at] = value;
            *at += 1;
        }
        Ok(ByPlace { begins, values })
    }
}

/// Values by place, one place behind the other.
struct ByPlace {
    /// Where those of each place begin, and where all end.
    begins: Vec<usize>,
    values: Vec<u32>,
}

impl ByPlace {
    fn at(&self, place: u16) -> &[u32] {
        let place = usize::from(place);
        &self.values[self.begins[place]..self.begins[place + 1]]
    }
}
