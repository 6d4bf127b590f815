//! The store on the disk (磁盘索引), in sled: one ordered map, laid out as `layout` says.
//!
//! Who has a value is a bitmap in chunks of 16 384 numbers, so that a change touches small values and a page reads only
//! the chunks that it shows. Names lie in a column that is searched by the processor's own speed.

mod apply;
mod bits;
mod layout;
mod select;

use std::{panic::AssertUnwindSafe, path::Path};

use super::{Answered, Batch, Numbers, StoreError, WatchStore};
use crate::{
    journal::{Head, reader::Place},
    watch::{
        attribute::Dimension,
        file::File,
        key::{FirmId, FirmKey, ReferralId, RequestKey},
        query::{Count, Page, Query},
    },
};

/// How much of the index sled keeps in memory, in bytes.
const CACHE: u64 = 128 << 20;

/// See the module.
#[derive(Debug)]
pub struct Sled(::sled::Db);

impl From<::sled::Error> for StoreError {
    fn from(error: ::sled::Error) -> Self {
        Self(error.to_string())
    }
}

/// What is not what was written there.
fn damaged(what: &str) -> StoreError {
    StoreError(format!("{what} is damaged"))
}

impl Sled {
    /// Opens the index in a folder, or makes an empty one.
    ///
    /// # Errors
    /// [`StoreError`] where it cannot be read: it is damaged, or of another version.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let opened = guarded(|| Ok(::sled::Config::new().path(folder).cache_capacity(CACHE).flush_every_ms(Some(1000)).open()?))?;
        let store = Self(opened);
        store.meta()?; // of another version?
        Ok(store)
    }

    fn meta(&self) -> Result<(Head, Numbers), StoreError> {
        let Some(bytes) = self.get(layout::META)? else { return Ok((Head::default(), Numbers::default())) };
        layout::read_meta(&bytes).ok_or_else(|| damaged("the head, or the version of the layout,"))
    }

    fn get(&self, key: &[u8]) -> Result<Option<::sled::IVec>, StoreError> {
        guarded(|| Ok(self.0.get(key)?))
    }
}

/// sled panics on some damage where it could return an error: both are the same to us.
fn guarded<T>(what: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    std::panic::catch_unwind(AssertUnwindSafe(what)).unwrap_or_else(|_| Err(StoreError("sled panicked".to_owned())))
}

impl WatchStore for Sled {
    fn head(&self) -> Result<Head, StoreError> {
        Ok(self.meta()?.0)
    }

    fn numbers(&self) -> Result<Numbers, StoreError> {
        Ok(self.meta()?.1)
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        guarded(|| apply::apply(&self.0, batch))
    }

    fn file(&self, firm: FirmId) -> Result<Option<File>, StoreError> {
        let Some(bytes) = self.get(&layout::file(firm))? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|_| damaged("a file"))
    }

    fn firm_by(&self, key: &FirmKey) -> Result<Option<FirmId>, StoreError> {
        let found = self.get(&layout::firm_key(key))?;
        found.map(|bytes| layout::read_firm(&bytes).ok_or_else(|| damaged("a key"))).transpose()
    }

    fn firm_of(&self, referral: ReferralId) -> Result<Option<FirmId>, StoreError> {
        let found = self.get(&layout::referral(referral))?;
        found.map(|bytes| layout::read_firm(&bytes).ok_or_else(|| damaged("a referral"))).transpose()
    }

    fn request(&self, key: &RequestKey) -> Result<Option<Answered>, StoreError> {
        let found = self.get(&layout::request(key))?;
        found.map(|bytes| layout::read_answered(&bytes).ok_or_else(|| damaged("a request"))).transpose()
    }

    fn records(&self, firm: FirmId) -> Result<Vec<Place>, StoreError> {
        guarded(|| {
            let places = self.0.scan_prefix(layout::records(firm)).values();
            places.map(|bytes| layout::read_place(&bytes?).ok_or_else(|| damaged("a place"))).collect()
        })
    }

    fn select(&self, query: &Query, give_up: &dyn Fn() -> bool) -> Result<Page, StoreError> {
        let numbers = self.numbers()?;
        guarded(|| select::select(&self.0, query, numbers, give_up))
    }

    fn count(&self, query: &Query, first: Dimension, second: Option<Dimension>) -> Result<Vec<Count>, StoreError> {
        guarded(|| select::count(&self.0, query, first, second))
    }

    fn read_through(&self, give_up: &dyn Fn() -> bool) -> Result<(), StoreError> {
        guarded(|| {
            for (count, pair) in self.0.iter().enumerate() {
                let (key, value) = pair?;
                let good = match key.first() {
                    Some(b'F') => serde_json::from_slice::<File>(&value).is_ok(),
                    Some(b'B' | b'D') => bits::Bits::decode(&value).is_some(),
                    _ => true,
                };
                if !good {
                    return Err(damaged("a value"));
                }
                if count % 1024 == 0 && give_up() {
                    return Ok(());
                }
            }
            Ok(())
        })
    }

    fn flush(&self) -> Result<(), StoreError> {
        guarded(|| self.0.flush().map(|_| ()).map_err(Into::into))
    }
}
