//! Taking records in (写入索引): what changed is gathered first, then written at once.

use ::sled::{Db, IVec};
use rustc_hash::FxHashMap;

use super::{
    bits::{Bits, place},
    damaged,
    layout::{self, BLOCK, PLACE},
};
use crate::{
    journal::reader::Place,
    storage::{Batch, FileChange, StoreError, rekeyed},
    watch::{
        attribute::{Attributes, Collection, of_entry, of_referral},
        file::File,
        key::{FirmId, FirmKey, ReferralId, comparable},
    },
};

/// What a batch comes to. Nothing is written yet.
pub(super) fn gathered(db: &Db, batch: &Batch) -> Result<::sled::Batch, StoreError> {
    let mut writing = Writing {
        db,
        bits: Cached::default(),
        names: Cached::default(),
        keys: Cached::default(),
        firms: Cached::default(),
        out: ::sled::Batch::default(),
    };
    let mut files: FxHashMap<FirmId, Changed<'_>> = FxHashMap::default();
    for change in &batch.changes {
        writing.change(change)?;
        let changed = files.entry(change.after.id).or_insert_with(|| Changed {
            file: &change.after,
            new: change.before.is_none(),
            places: Vec::new(),
        });
        changed.file = &change.after;
    }
    for (firm, place) in &batch.records {
        if let Some(changed) = files.get_mut(firm) {
            changed.places.push(*place);
        }
    }
    for changed in files.values() {
        writing.file(changed)?;
    }
    for (key, answered) in &batch.requests {
        writing.out.insert(layout::request(key), layout::answered(answered));
    }
    writing.out.insert(layout::META, layout::meta(batch.head, batch.numbers));
    Ok(writing.finish())
}

/// A file that a batch changes, and the records that speak of it.
struct Changed<'b> {
    /// As it is in the end.
    file: &'b File,
    /// Whether it was not there before.
    new: bool,
    places: Vec<Place>,
}

type Cached<K, V> = FxHashMap<K, V>;

/// What is to be written, each value once however often it changes.
struct Writing<'d> {
    db: &'d Db,
    bits: Cached<Vec<u8>, Bits>,
    names: Cached<(Collection, u32), Vec<String>>,
    keys: Cached<FirmKey, Vec<FirmId>>,
    /// Firms of referrals, by block.
    firms: Cached<u32, Vec<u8>>,
    out: ::sled::Batch,
}

impl Writing<'_> {
    fn change(&mut self, change: &FileChange) -> Result<(), StoreError> {
        let FileChange { before, after } = change;
        let before = before.as_deref();
        self.keys(before, after)?;
        let named = before.is_none_or(|before| before.name != after.name);
        if named {
            self.name(Collection::Entries, after.id.0, &after.name)?;
        }
        let was = before.map(of_entry).unwrap_or_default();
        self.attributes(Collection::Entries, after.id.0, &was, &of_entry(after))?;
        for referral in &after.referrals {
            let was = before.and_then(|before| Some(of_referral(before, before.referral(referral.id)?))).unwrap_or_default();
            self.attributes(Collection::Referrals, referral.id.0, &was, &of_referral(after, referral))?;
            let new = was.values.is_empty() && after.joined_to.is_none();
            if new {
                self.referral(referral.id, after.id)?;
            }
            if new || named && after.joined_to.is_none() {
                self.name(Collection::Referrals, referral.id.0, &after.name)?;
            }
        }
        Ok(())
    }

    /// Writes a file, and where its records lie: behind those that lie there already.
    fn file(&mut self, changed: &Changed<'_>) -> Result<(), StoreError> {
        let mut value = serde_json::to_vec(changed.file).map_err(|error| StoreError(error.to_string()))?;
        value.push(b'\n');
        let key = layout::file(changed.file.id);
        if !changed.new
            && let Some(before) = self.db.get(key)?
        {
            value.extend_from_slice(layout::parts(&before).ok_or_else(|| damaged("a file"))?.1);
        }
        // a batch that was taken in before, after a rebuild, is taken in again
        let last = value.len().checked_sub(PLACE).and_then(|at| layout::read_place(&value[at..])).map_or(0, |place| place.sequence);
        let behind = changed.places.iter().filter(|place| changed.new || place.sequence > last);
        value.extend(behind.flat_map(|place| layout::place(*place)));
        self.out.insert(&key, value);
        Ok(())
    }

    /// Writes whose a referral is.
    fn referral(&mut self, id: ReferralId, firm: FirmId) -> Result<(), StoreError> {
        use std::collections::hash_map::Entry;
        let block = match self.firms.entry(id.0 / BLOCK) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let bytes = self.db.get(layout::referrals(id.0 / BLOCK))?.unwrap_or_default();
                unknown.insert(bytes.to_vec())
            }
        };
        layout::set_firm(block, id, firm);
        Ok(())
    }

    /// Writes the firm's name where it is searched for.
    fn name(&mut self, collection: Collection, number: u32, name: &str) -> Result<(), StoreError> {
        let line = (number % BLOCK) as usize;
        let lines = self.block(collection, number / BLOCK)?;
        lines.resize(lines.len().max(line + 1), String::new());
        lines[line] = comparable(name); // has no line ends: they are blanks
        Ok(())
    }

    fn keys(&mut self, before: Option<&File>, after: &File) -> Result<(), StoreError> {
        let (db, known) = (self.db, &self.keys);
        let changes = rekeyed(before, after, |key| match known.get(key) {
            Some(bearers) => Ok(bearers.clone()),
            None => read_bearers(db.get(layout::firm_key(key))?),
        })?;
        self.keys.extend(changes);
        Ok(())
    }

    fn attributes(&mut self, collection: Collection, number: u32, was: &Attributes, is: &Attributes) -> Result<(), StoreError> {
        let (chunk, place) = place(number);
        for (of, value) in was.values.iter().filter(|value| !is.values.contains(value)) {
            self.bits(layout::value(collection, *of, value, chunk))?.set(place, false);
        }
        for (of, value) in is.values.iter().filter(|value| !was.values.contains(value)) {
            self.bits(layout::value(collection, *of, value, chunk))?.set(place, true);
        }
        for (of, day) in was.days.iter().filter(|day| !is.days.contains(day)) {
            self.bits(layout::day(collection, *of, *day, chunk))?.set(place, false);
        }
        for (of, day) in is.days.iter().filter(|day| !was.days.contains(day)) {
            self.bits(layout::day(collection, *of, *day, chunk))?.set(place, true);
        }
        Ok(())
    }

    fn bits(&mut self, key: Vec<u8>) -> Result<&mut Bits, StoreError> {
        use std::collections::hash_map::Entry;
        Ok(match self.bits.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let bits = read_bits(self.db.get(unknown.key())?)?.unwrap_or_default();
                unknown.insert(bits)
            }
        })
    }

    fn block(&mut self, collection: Collection, block: u32) -> Result<&mut Vec<String>, StoreError> {
        use std::collections::hash_map::Entry;
        Ok(match self.names.entry((collection, block)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let bytes = self.db.get(layout::names(collection, block))?.unwrap_or_default();
                let text = std::str::from_utf8(&bytes).map_err(|_| damaged("a block of names"))?;
                unknown.insert(text.lines().map(str::to_owned).collect())
            }
        })
    }

    fn finish(mut self) -> ::sled::Batch {
        for (key, bits) in self.bits {
            if bits.is_empty() { self.out.remove(key) } else { self.out.insert(key, bits.encode()) }
        }
        for (key, firms) in self.keys {
            let key = layout::firm_key(&key);
            if firms.is_empty() { self.out.remove(key) } else { self.out.insert(key, layout::bearers(&firms)) }
        }
        for (block, firms) in self.firms {
            self.out.insert(&layout::referrals(block), firms);
        }
        for ((collection, block), lines) in self.names {
            let text: String = lines.into_iter().map(|line| line + "\n").collect();
            self.out.insert(layout::names(collection, block), text.as_str());
        }
        self.out
    }
}

/// Who bears a key, as it was written.
pub(super) fn read_bearers(bytes: Option<IVec>) -> Result<Vec<FirmId>, StoreError> {
    bytes.map_or(Ok(Vec::new()), |bytes| layout::read_bearers(&bytes).ok_or_else(|| damaged("a key")))
}

/// Bits as they were written.
pub(super) fn read_bits(bytes: Option<IVec>) -> Result<Option<Bits>, StoreError> {
    bytes.map(|bytes| Bits::decode(&bytes).ok_or_else(|| damaged("a bitmap"))).transpose()
}
