//! The index (索引): what queries read. It holds nothing that the journal cannot make again.
//!
//! [`WatchStore`] is all that the service asks of a store; [`sled`] keeps it on the disk, [`memory`] in memory for
//! tests. One conformance suite holds both to the same answers.

pub mod memory;
pub mod sled;

use std::{fmt, sync::Arc};

use crate::{
    journal::{Hash, Head, reader::Place},
    watch::{
        attribute::Dimension,
        file::File,
        key::{FirmId, FirmKey, ReferralId, RequestKey},
        query::{Condition, Count, Page, Query},
    },
};

/// Why a store cannot answer: it is damaged, or its disk fails. It is then made again from the journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("index: {0}")]
pub struct StoreError(pub String);

/// What the store knows of a request that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// The firm that it was about.
    pub firm: FirmId,
    /// SHA-256 of the request.
    pub body: Hash,
    /// Its record.
    pub place: Place,
}

/// How many there are of what is numbered: the last number that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Numbers {
    /// Files.
    pub firms: u32,
    /// Referrals.
    pub referrals: u32,
}

/// A file before and after a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Before; none where it was opened.
    pub before: Option<Arc<File>>,
    /// After.
    pub after: Arc<File>,
}

/// What some records come to, in their order. All of it is there afterwards, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// The last of the records.
    pub head: Head,
    /// The numbers that are given with it.
    pub numbers: Numbers,
    /// Every change of a file, in order; the `before` of each is the `after` of the one before.
    pub changes: Vec<FileChange>,
    /// Which records speak of which firm.
    pub records: Vec<(FirmId, Place)>,
    /// Requests that were answered.
    pub requests: Vec<(RequestKey, Answered)>,
}

impl Batch {
    /// Adds what follows it.
    pub fn append(&mut self, mut more: Self) {
        (self.head, self.numbers) = (more.head, more.numbers);
        self.changes.append(&mut more.changes);
        self.records.append(&mut more.records);
        self.requests.append(&mut more.requests);
    }
}

/// See the module.
pub trait WatchStore: Send + Sync + fmt::Debug {
    /// The last record that it has.
    ///
    /// # Errors
    /// [`StoreError`].
    fn head(&self) -> Result<Head, StoreError>;

    /// The last numbers that it has.
    ///
    /// # Errors
    /// [`StoreError`].
    fn numbers(&self) -> Result<Numbers, StoreError>;

    /// Takes records in.
    ///
    /// # Errors
    /// [`StoreError`]; nothing of them is there then.
    fn apply(&self, batch: &Batch) -> Result<(), StoreError>;

    /// A firm's file.
    ///
    /// # Errors
    /// [`StoreError`].
    fn file(&self, firm: FirmId) -> Result<Option<File>, StoreError>;

    /// The firms whose files bear a key, whoever came to bear it last last; also those that go on in another.
    ///
    /// # Errors
    /// [`StoreError`].
    fn bearers(&self, key: &FirmKey) -> Result<Vec<FirmId>, StoreError>;

    /// The firm that is found by a key: of several the last, and for a file that goes on in another that other.
    ///
    /// # Errors
    /// [`StoreError`].
    fn firm_by(&self, key: &FirmKey) -> Result<Option<FirmId>, StoreError> {
        let Some(firm) = self.bearers(key)?.pop() else { return Ok(None) };
        Ok(Some(self.file(firm)?.and_then(|file| file.joined_to).unwrap_or(firm)))
    }

    /// The firm of a referral.
    ///
    /// # Errors
    /// [`StoreError`].
    fn firm_of(&self, referral: ReferralId) -> Result<Option<FirmId>, StoreError>;

    /// What a request was answered with.
    ///
    /// # Errors
    /// [`StoreError`].
    fn request(&self, key: &RequestKey) -> Result<Option<Answered>, StoreError>;

    /// Every record that speaks of a firm, in order.
    ///
    /// # Errors
    /// [`StoreError`].
    fn records(&self, firm: FirmId) -> Result<Vec<Place>, StoreError>;

    /// A page of what is asked for. `give_up` is asked now and then whether to stop; each page goes on by something.
    ///
    /// # Errors
    /// [`StoreError`].
    fn select(&self, query: &Query, give_up: &dyn Fn() -> bool) -> Result<Page, StoreError>;

    /// How often values occur, alone or in pairs, sorted. Of `query` the conditions count.
    ///
    /// # Errors
    /// [`StoreError`].
    fn count(&self, query: &Query, first: Dimension, second: Option<Dimension>) -> Result<Vec<Count>, StoreError>;

    /// Reads everything there is: where this succeeds, the index is whole, or `give_up` said to stop.
    ///
    /// # Errors
    /// [`StoreError`] at the first thing that cannot be read.
    fn read_through(&self, give_up: &dyn Fn() -> bool) -> Result<(), StoreError>;

    /// Returns when all that it was given is on the disk: for an orderly stop.
    ///
    /// # Errors
    /// [`StoreError`].
    fn flush(&self) -> Result<(), StoreError>;
}

/// Who bears a key, once a file has changed: of each key that it came to bear or that it left, all its bearers, the last
/// last. `bearers` says who bears a key so far.
pub(crate) fn rekeyed<E>(
    before: Option<&File>,
    after: &File,
    mut bearers: impl FnMut(&FirmKey) -> Result<Vec<FirmId>, E>,
) -> Result<Vec<(FirmKey, Vec<FirmId>)>, E> {
    let same = |before: &File| (&before.name, &before.uscc, before.registered) == (&after.name, &after.uscc, after.registered);
    if before.is_some_and(same) {
        return Ok(Vec::new());
    }
    let was: Vec<FirmKey> = before.into_iter().flat_map(File::keys).collect();
    let is: Vec<FirmKey> = after.keys().collect();
    let left = was.iter().filter(|key| !is.contains(key)).map(|key| (key, false));
    let came = is.iter().filter(|key| !was.contains(key)).map(|key| (key, true));
    left.chain(came)
        .map(|(key, bears)| {
            let mut firms = bearers(key)?;
            firms.retain(|firm| *firm != after.id);
            firms.extend(bears.then_some(after.id));
            Ok((key.clone(), firms))
        })
        .collect()
}

/// The texts that conditions want in the name. An empty one is in every name.
fn names_in(conditions: &[Condition]) -> impl Iterator<Item = &str> {
    conditions
        .iter()
        .filter_map(|condition| if let Condition::Name(text) = condition { Some(text.as_str()) } else { None })
        .filter(|text| !text.is_empty())
}
