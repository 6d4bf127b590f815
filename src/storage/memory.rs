//! A store in memory: the plainest there can be, for tests and as the measure of the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Answered, Batch, Numbers, StoreError, WatchStore, rekeyed};
use crate::{
    day::Days,
    journal::{Head, reader::Place},
    watch::{
        attribute::{Attributes, Collection, Dimension, of_entry, of_referral},
        file::File,
        key::{FirmId, FirmKey, ReferralId, RequestKey, comparable},
        query::{Condition, Count, Page, Query},
    },
};

/// See the module.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    head: Head,
    numbers: Numbers,
    files: BTreeMap<FirmId, File>,
    keys: BTreeMap<FirmKey, Vec<FirmId>>,
    referrals: BTreeMap<ReferralId, FirmId>,
    requests: BTreeMap<RequestKey, Answered>,
    records: BTreeMap<FirmId, Vec<Place>>,
}

impl Memory {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner) // a panic in a test says enough
    }
}

impl Kept {
    /// Everything of a collection that meets all conditions, by number.
    fn matching(&self, query: &Query) -> BTreeMap<u32, Attributes> {
        let mut all = BTreeMap::new();
        for file in self.files.values() {
            let named = comparable(&file.name);
            let mut add = |number: u32, attributes: Attributes| {
                if !attributes.values.is_empty() && query.conditions.iter().all(|condition| meets(condition, &attributes, &named)) {
                    all.insert(number, attributes);
                }
            };
            match query.collection {
                Collection::Entries => add(file.id.0, of_entry(file)),
                Collection::Referrals => file.referrals.iter().for_each(|referral| add(referral.id.0, of_referral(file, referral))),
            }
        }
        all
    }
}

fn meets(condition: &Condition, attributes: &Attributes, name: &str) -> bool {
    match condition {
        Condition::OneOf(dimension, values) => attributes.values.iter().any(|(of, value)| of == dimension && values.contains(value)),
        Condition::Within(of, from, to) => {
            attributes.days.iter().any(|(which, day)| which == of && Days { from: *from, to: *to }.contains(*day))
        }
        Condition::Name(text) => name.contains(text),
    }
}

impl WatchStore for Memory {
    fn head(&self) -> Result<Head, StoreError> {
        Ok(self.kept().head)
    }

    fn numbers(&self) -> Result<Numbers, StoreError> {
        Ok(self.kept().numbers)
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut kept = self.kept();
        for change in &batch.changes {
            let after = &change.after;
            let bearers = |key: &FirmKey| Ok::<_, StoreError>(kept.keys.get(key).cloned().unwrap_or_default());
            let keys = rekeyed(change.before.as_deref(), after, bearers)?;
            kept.keys.extend(keys);
            if after.joined_to.is_none() {
                kept.referrals.extend(after.referrals.iter().map(|referral| (referral.id, after.id)));
            }
            kept.files.insert(after.id, File::clone(after));
        }
        for (firm, place) in &batch.records {
            kept.records.entry(*firm).or_default().push(*place);
        }
        kept.requests.extend(batch.requests.iter().cloned());
        (kept.head, kept.numbers) = (batch.head, batch.numbers);
        Ok(())
    }

    fn file(&self, firm: FirmId) -> Result<Option<File>, StoreError> {
        Ok(self.kept().files.get(&firm).cloned())
    }

    fn bearers(&self, key: &FirmKey) -> Result<Vec<FirmId>, StoreError> {
        Ok(self.kept().keys.get(key).cloned().unwrap_or_default())
    }

    fn firm_of(&self, referral: ReferralId) -> Result<Option<FirmId>, StoreError> {
        Ok(self.kept().referrals.get(&referral).copied())
    }

    fn request(&self, key: &RequestKey) -> Result<Option<Answered>, StoreError> {
        Ok(self.kept().requests.get(key).copied())
    }

    fn records(&self, firm: FirmId) -> Result<Vec<Place>, StoreError> {
        Ok(self.kept().records.get(&firm).cloned().unwrap_or_default())
    }

    fn select(&self, query: &Query, _give_up: &dyn Fn() -> bool) -> Result<Page, StoreError> {
        let matching = self.kept().matching(query);
        let numbers = matching.keys().copied();
        let beyond = |number: &u32| query.after.is_none_or(|after| if query.oldest_first { *number > after } else { *number < after });
        let mut numbers: Vec<u32> =
            if query.oldest_first { numbers.filter(beyond).collect() } else { numbers.rev().filter(beyond).collect() };
        let more = numbers.len() > query.most;
        numbers.truncate(query.most);
        let next = numbers.last().copied().filter(|_| more);
        Ok(Page { numbers, next, partial: false })
    }

    fn count(&self, query: &Query, first: Dimension, second: Option<Dimension>) -> Result<Vec<Count>, StoreError> {
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        let none = BTreeSet::from([String::new()]);
        for attributes in self.kept().matching(query).values() {
            let of = |dimension: Dimension| -> BTreeSet<String> {
                attributes.values.iter().filter(|(of, _)| *of == dimension).map(|(_, value)| value.clone()).collect()
            };
            let seconds = second.map_or_else(|| none.clone(), of);
            for a in of(first) {
                for b in &seconds {
                    *counts.entry((a.clone(), b.clone())).or_default() += 1;
                }
            }
        }
        Ok(counts.into_iter().map(|((first, second), count)| Count { first, second, count }).collect())
    }

    fn read_through(&self, _give_up: &dyn Fn() -> bool) -> Result<(), StoreError> {
        Ok(())
    }

    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
