//! Taking records in (写入索引): what changed is gathered first, then written at once.

use ::sled::{Db, IVec};
use rustc_hash::FxHashMap;

use super::{
    bits::{Bits, place},
    damaged,
    digest::Digest,
    layout::{self, BLOCK, Meta, PLACE},
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

/// What is to be written, at once.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) batch: ::sled::Batch,
    /// By how much each key changes the digest.
    pub(super) changes: Vec<(Vec<u8>, Digest)>,
    /// How many bytes of values there are.
    pub(super) bytes: u64,
}

/// What a batch comes to. Nothing is written yet.
pub(super) fn gathered(db: &Db, before: Meta, batch: &Batch) -> Result<Gathered, StoreError> {
    let mut writing = Writing {
        db,
        bits: Cached::default(),
        names: Cached::default(),
        keys: Cached::default(),
        firms: Cached::default(),
        out: Cached::default(),
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
        writing.out.insert(layout::request(key), Some(layout::answered(answered)));
    }
    let mut gathered = Gathered::default();
    let mut digest = before.digest;
    for (key, value) in writing.finish() {
        let was = db.get(&key)?.map_or(Digest::default(), |was| Digest::of(&key, &was));
        let is = value.as_ref().map_or(Digest::default(), |value| Digest::of(&key, value));
        let by = is.without(was);
        digest = digest.and(by);
        match value {
            Some(value) => {
                gathered.bytes += value.len() as u64;
                gathered.batch.insert(key.as_slice(), value);
            }
            None => gathered.batch.remove(key.as_slice()),
        }
        gathered.changes.push((key, by));
    }
    gathered.batch.insert(layout::META, layout::meta(Meta { head: batch.head, numbers: batch.numbers, digest }));
    Ok(gathered)
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
    /// Each key once, with its value; none where it goes.
    out: Cached<Vec<u8>, Option<Vec<u8>>>,
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
        self.out.insert(key.to_vec(), Some(value));
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

    /// Every key that is written, with its value.
    fn finish(self) -> Cached<Vec<u8>, Option<Vec<u8>>> {
        let mut out = self.out;
        out.extend(self.bits.into_iter().map(|(key, bits)| (key, (!bits.is_empty()).then(|| bits.encode()))));
        out.extend(self.keys.into_iter().map(|(key, firms)| {
            let value = (!firms.is_empty()).then(|| layout::bearers(&firms));
            (layout::firm_key(&key), value)
        }));
        out.extend(self.firms.into_iter().map(|(block, firms)| (layout::referrals(block).to_vec(), Some(firms))));
        out.extend(self.names.into_iter().map(|((collection, block), lines)| {
            let text: String = lines.into_iter().map(|line| line + "\n").collect();
            (layout::names(collection, block), Some(text.into_bytes()))
        }));
        out
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
