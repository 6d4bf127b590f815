//! What is recorded and not yet in the index (未入索引): the writer decides on it all the same. Whatever stands here hides
//! what the index says, so that a decision never depends on how far the index has come.

use std::{collections::VecDeque, hash::Hash, sync::Arc};

use rustc_hash::FxHashMap;

use super::{Shelf, Store};
use crate::{
    journal::reader::Place,
    storage::{Answered, Numbers, StoreError, WatchStore, rekeyed},
    watch::{
        command::Subject,
        file::File,
        key::{FirmId, FirmKey, ReferralId, RequestKey},
    },
};

/// See the module.
#[derive(Debug)]
pub(super) struct Recent {
    shelf: Shelf,
    files: Overlay<FirmId, Arc<File>>,
    /// Who bears a key, the last last.
    keys: Overlay<FirmKey, Vec<FirmId>>,
    referrals: Overlay<ReferralId, FirmId>,
    requests: Overlay<RequestKey, Answered>,
}

/// Why nothing can be known: there is no index now, or it is damaged.
#[derive(Debug)]
pub(super) enum Unknown {
    Rebuilding,
    Damaged(Store, StoreError),
}

/// Values with the sequence that they are of, until the index has it.
#[derive(Debug)]
struct Overlay<K, V> {
    values: FxHashMap<K, (u64, V)>,
    /// What was put in, in order.
    order: VecDeque<(u64, K)>,
}

impl<K: Clone + Eq + Hash, V> Overlay<K, V> {
    fn new() -> Self {
        Self { values: FxHashMap::default(), order: VecDeque::new() }
    }

    fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key).map(|(_, value)| value)
    }

    fn put(&mut self, sequence: u64, key: K, value: V) {
        self.order.push_back((sequence, key.clone()));
        self.values.insert(key, (sequence, value));
    }

    fn forget(&mut self, indexed: u64) {
        while self.order.front().is_some_and(|(sequence, _)| *sequence <= indexed) {
            let Some((sequence, key)) = self.order.pop_front() else { return }; // there is one
            if self.values.get(&key).is_some_and(|(last, _)| *last == sequence) {
                self.values.remove(&key);
            }
        }
    }
}

impl Recent {
    pub(super) fn over(shelf: Shelf) -> Self {
        let (files, keys, referrals, requests) = (Overlay::new(), Overlay::new(), Overlay::new(), Overlay::new());
        Self { shelf, files, keys, referrals, requests }
    }

    fn ask<T>(&self, question: impl FnOnce(&dyn WatchStore) -> Result<T, StoreError>) -> Result<T, Unknown> {
        let store = self.shelf.load_full().ok_or(Unknown::Rebuilding)?;
        question(&**store).map_err(|error| Unknown::Damaged(store, error))
    }

    pub(super) fn numbers(&self) -> Result<Numbers, Unknown> {
        self.ask(|store| store.numbers())
    }

    pub(super) fn file(&self, firm: FirmId) -> Result<Option<Arc<File>>, Unknown> {
        match self.files.get(&firm) {
            Some(file) => Ok(Some(Arc::clone(file))),
            None => Ok(self.ask(|store| store.file(firm))?.map(Arc::new)),
        }
    }

    /// The file that a command is about. A firm with a code is not another of its name that has another code.
    pub(super) fn subject(&self, subject: &Subject) -> Result<Option<Arc<File>>, Unknown> {
        match subject {
            Subject::Firm(firm) => self.file(*firm),
            Subject::Referral(referral) => {
                let firm = match self.referrals.get(referral) {
                    Some(firm) => Some(*firm),
                    None => self.ask(|store| store.firm_of(*referral))?,
                };
                firm.map_or(Ok(None), |firm| self.file(firm))
            }
            Subject::Found(keys) => {
                let has_code = keys.iter().any(|key| matches!(key, FirmKey::Uscc(_)));
                for key in keys {
                    let other_code = matches!(key, FirmKey::Name(..)) && has_code;
                    if let Some(file) = self.bearer(key, |file| !other_code || file.uscc.is_none())? {
                        return Ok(Some(file));
                    }
                }
                Ok(None)
            }
        }
    }

    /// The last bearer of a key that fits; for a file that goes on in another, that other.
    fn bearer(&self, key: &FirmKey, fits: impl Fn(&File) -> bool) -> Result<Option<Arc<File>>, Unknown> {
        for firm in self.bearers(key)?.into_iter().rev() {
            let mut file = self.file(firm)?;
            if let Some(into) = file.as_ref().and_then(|file| file.joined_to) {
                file = self.file(into)?;
            }
            if let Some(file) = file.filter(|file| fits(file)) {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    fn bearers(&self, key: &FirmKey) -> Result<Vec<FirmId>, Unknown> {
        match self.keys.get(key) {
            Some(bearers) => Ok(bearers.clone()),
            None => self.ask(|store| store.bearers(key)),
        }
    }

    pub(super) fn request(&self, key: &RequestKey) -> Result<Option<Answered>, Unknown> {
        match self.requests.get(key) {
            Some(answered) => Ok(Some(*answered)),
            None => self.ask(|store| store.request(key)),
        }
    }

    /// Who will bear which key once a file has changed.
    pub(super) fn rekeyed(&self, before: Option<&File>, after: &File) -> Result<Vec<(FirmKey, Vec<FirmId>)>, Unknown> {
        rekeyed(before, after, |key| self.bearers(key))
    }

    /// Remembers what a record came to.
    pub(super) fn learn(&mut self, sequence: u64, file: &Arc<File>, keys: Vec<(FirmKey, Vec<FirmId>)>) {
        self.files.put(sequence, file.id, Arc::clone(file));
        for (key, bearers) in keys {
            self.keys.put(sequence, key, bearers);
        }
        if file.joined_to.is_none() {
            for referral in &file.referrals {
                self.referrals.put(sequence, referral.id, file.id);
            }
        }
    }

    /// Remembers that a request was answered.
    pub(super) fn answered(&mut self, key: RequestKey, answered: Answered) {
        self.requests.put(answered.place.sequence, key, answered);
    }

    /// Remembers where the record of an answered request lies.
    pub(super) fn placed(&mut self, key: &RequestKey, place: Place) {
        if let Some((_, answered)) = self.requests.values.get_mut(key) {
            answered.place = place;
        }
    }

    /// Forgets what the index has by now.
    pub(super) fn forget(&mut self, indexed: u64) {
        self.files.forget(indexed);
        self.keys.forget(indexed);
        self.referrals.forget(indexed);
        self.requests.forget(indexed);
    }
}
