//! What is recorded and not yet in the index (未入索引): the writer decides on it all the same.

use std::{collections::VecDeque, sync::Arc};

use rustc_hash::FxHashMap;

use super::{Shelf, Store};
use crate::{
    storage::{Answered, Numbers, StoreError, WatchStore},
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
    files: FxHashMap<FirmId, (u64, Arc<File>)>,
    keys: FxHashMap<FirmKey, FirmId>,
    referrals: FxHashMap<ReferralId, FirmId>,
    requests: FxHashMap<RequestKey, Answered>,
    /// What to forget when the index has a record, in order.
    forget: VecDeque<(u64, Arc<File>, Option<RequestKey>)>,
}

/// Why nothing can be known: there is no index now, or it is damaged.
#[derive(Debug)]
pub(super) enum Unknown {
    Rebuilding,
    Damaged(Store, StoreError),
}

impl Recent {
    pub(super) fn over(shelf: Shelf) -> Self {
        Self {
            shelf,
            files: FxHashMap::default(),
            keys: FxHashMap::default(),
            referrals: FxHashMap::default(),
            requests: FxHashMap::default(),
            forget: VecDeque::new(),
        }
    }

    /// What the index says.
    fn indexed<T>(&self, ask: impl FnOnce(&dyn WatchStore) -> Result<T, StoreError>) -> Result<T, Unknown> {
        let store = self.shelf.load_full().ok_or(Unknown::Rebuilding)?;
        ask(&**store).map_err(|error| Unknown::Damaged(Store::clone(&store), error))
    }

    pub(super) fn numbers(&self) -> Result<Numbers, Unknown> {
        self.indexed(|store| store.numbers())
    }

    pub(super) fn file(&self, firm: FirmId) -> Result<Option<Arc<File>>, Unknown> {
        match self.files.get(&firm) {
            Some((_, file)) => Ok(Some(Arc::clone(file))),
            None => Ok(self.indexed(|store| store.file(firm))?.map(Arc::new)),
        }
    }

    /// The file that a command is about. A firm with a code is not another of its name that has another code.
    pub(super) fn subject(&self, subject: &Subject) -> Result<Option<Arc<File>>, Unknown> {
        match subject {
            Subject::Firm(firm) => self.file(*firm),
            Subject::Referral(referral) => {
                let firm = match self.referrals.get(referral) {
                    Some(firm) => Some(*firm),
                    None => self.indexed(|store| store.firm_of(*referral))?,
                };
                firm.map_or(Ok(None), |firm| self.file(firm))
            }
            Subject::Found(keys) => {
                let has_code = keys.iter().any(|key| matches!(key, FirmKey::Uscc(_)));
                for key in keys {
                    let found = self.followed(key)?;
                    let by_name = matches!(key, FirmKey::Name(..));
                    if let Some(file) = found.filter(|file| !(by_name && has_code && file.uscc.is_some())) {
                        return Ok(Some(file));
                    }
                }
                Ok(None)
            }
        }
    }

    /// The file that is found by a key, or the one that it goes on in.
    fn followed(&self, key: &FirmKey) -> Result<Option<Arc<File>>, Unknown> {
        let firm = match self.keys.get(key) {
            Some(firm) => Some(*firm),
            None => self.indexed(|store| store.firm_by(key))?,
        };
        let file = firm.map_or(Ok(None), |firm| self.file(firm))?;
        // a name that it bore before, and that the index does not know it has left
        Ok(file.filter(|file| !file.joined.is_empty() || file.keys().any(|own| own == *key)))
    }

    pub(super) fn request(&self, key: &RequestKey) -> Result<Option<Answered>, Unknown> {
        match self.requests.get(key) {
            Some(answered) => Ok(Some(*answered)),
            None => self.indexed(|store| store.request(key)),
        }
    }

    /// Remembers what a record came to.
    pub(super) fn learn(&mut self, sequence: u64, file: &Arc<File>) {
        self.files.insert(file.id, (sequence, Arc::clone(file)));
        let found = file.joined_to.unwrap_or(file.id);
        self.keys.extend(file.keys().map(|key| (key, found)));
        if file.joined_to.is_none() {
            self.referrals.extend(file.referrals.iter().map(|referral| (referral.id, file.id)));
        }
        self.forget.push_back((sequence, Arc::clone(file), None));
    }

    /// Remembers that a request was answered.
    pub(super) fn answered(&mut self, key: RequestKey, answered: Answered, file: &Arc<File>) {
        self.forget.push_back((answered.place.sequence, Arc::clone(file), Some(key.clone())));
        self.requests.insert(key, answered);
    }

    /// Remembers where a record lies, once it is written.
    pub(super) fn located(&mut self, key: &RequestKey, place: crate::journal::reader::Place) {
        if let Some(answered) = self.requests.get_mut(key) {
            answered.place = place;
        }
    }

    /// Forgets what the index has by now.
    pub(super) fn forget(&mut self, indexed: u64) {
        while let Some((sequence, file, request)) = self.forget.pop_front_if(|(sequence, ..)| *sequence <= indexed) {
            if let Some(request) = request {
                self.requests.remove(&request);
                continue;
            }
            if self.files.get(&file.id).is_some_and(|(last, _)| *last == sequence) {
                self.files.remove(&file.id);
            }
            let newer = |firm: &FirmId| self.files.contains_key(firm);
            let found = file.joined_to.unwrap_or(file.id);
            for key in file.keys() {
                if self.keys.get(&key) == Some(&found) && !newer(&found) {
                    self.keys.remove(&key);
                }
            }
            for referral in file.referrals.iter().filter(|_| !self.files.contains_key(&file.id)) {
                self.referrals.remove(&referral.id);
            }
        }
    }
}
