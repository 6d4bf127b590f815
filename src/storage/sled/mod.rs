//! The store on the disk (磁盘索引), in sled: one ordered map, laid out as `layout` says.
//!
//! Who has a value is a bitmap in chunks of 16 384 numbers, so that a change touches small values and a page reads only
//! the chunks that it shows. Names lie in a column that is searched by the processor's own speed.

mod apply;
mod bits;
mod layout;
mod select;

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    panic::AssertUnwindSafe,
    path::Path,
    sync::{PoisonError, RwLock},
    thread,
    time::Duration,
};

use super::{Answered, Batch, Numbers, StoreError, WatchStore};
use crate::{
    journal::{Head, disk::Folder, reader::Place},
    watch::{
        attribute::Dimension,
        file::File,
        key::{FirmId, FirmKey, ReferralId, RequestKey},
        query::{Count, Page, Query},
    },
};

/// How much of the index sled keeps in memory, in bytes.
const CACHE: u64 = 128 << 20;
/// How often it is tried again, 20 ms apart, where the index is still held: sled's own threads let go of it a little
/// after it was closed. No other process can hold it: the data folder has a lock of its own.
const LETTING_GO: u32 = 100;

/// See the module.
#[derive(Debug)]
pub struct Sled(Steady);

/// The map, with a lock so that what is read together is of one state: in sled each value is read by itself.
#[derive(Debug)]
struct Steady {
    db: ::sled::Db,
    lock: RwLock<()>,
}

impl Steady {
    /// Reads something while nothing is written.
    fn steadily<T>(&self, read: impl FnOnce(&::sled::Db) -> T) -> T {
        let _steady = self.lock.read().unwrap_or_else(PoisonError::into_inner); // it guards no value
        read(&self.db)
    }

    fn write(&self, batch: ::sled::Batch) -> Result<(), StoreError> {
        let _alone = self.lock.write().unwrap_or_else(PoisonError::into_inner);
        Ok(self.db.apply_batch(batch)?)
    }
}

impl From<::sled::Error> for StoreError {
    fn from(error: ::sled::Error) -> Self {
        Self(error.to_string())
    }
}

fn unlocked(folder: &Path) -> Result<::sled::Db, StoreError> {
    guarded(|| Ok(::sled::Config::new().path(folder).cache_capacity(CACHE).flush_every_ms(Some(1000)).open()?))
}

/// Leaves what sled has made to its owner only, as its folder is.
fn own(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::set_permissions(entry.path(), Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
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
        Folder::open(folder).map_err(|error| StoreError(error.to_string()))?;
        let mut opened = unlocked(folder);
        for _ in 0..LETTING_GO {
            if !opened.as_ref().is_err_and(|error| error.0.contains("could not acquire lock")) {
                break;
            }
            thread::sleep(Duration::from_millis(20));
            opened = unlocked(folder);
        }
        let opened = opened?;
        let store = Self(Steady { db: opened, lock: RwLock::new(()) });
        store.meta()?; // of another version?
        own(folder).map_err(|error| StoreError(error.to_string()))?;
        Ok(store)
    }

    fn meta(&self) -> Result<(Head, Numbers), StoreError> {
        let Some(bytes) = self.get(layout::META)? else { return Ok((Head::default(), Numbers::default())) };
        layout::read_meta(&bytes).ok_or_else(|| damaged("the head, or the version of the layout,"))
    }

    fn get(&self, key: &[u8]) -> Result<Option<::sled::IVec>, StoreError> {
        guarded(|| Ok(self.0.db.get(key)?))
    }
}

/// A file as it was written.
fn read_file(bytes: &[u8]) -> Option<File> {
    serde_json::from_slice(layout::parts(bytes)?.0).ok()
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
        guarded(|| self.0.write(apply::gathered(&self.0.db, batch)?))
    }

    fn file(&self, firm: FirmId) -> Result<Option<File>, StoreError> {
        let Some(bytes) = self.get(&layout::file(firm))? else { return Ok(None) };
        read_file(&bytes).map(Some).ok_or_else(|| damaged("a file"))
    }

    fn bearers(&self, key: &FirmKey) -> Result<Vec<FirmId>, StoreError> {
        apply::read_bearers(self.get(&layout::firm_key(key))?)
    }

    fn firm_of(&self, referral: ReferralId) -> Result<Option<FirmId>, StoreError> {
        let block = self.get(&layout::referrals(referral.0 / layout::BLOCK))?;
        Ok(block.and_then(|block| layout::firm_in(&block, referral)))
    }

    fn request(&self, key: &RequestKey) -> Result<Option<Answered>, StoreError> {
        let found = self.get(&layout::request(key))?;
        found.map(|bytes| layout::read_answered(&bytes).ok_or_else(|| damaged("a request"))).transpose()
    }

    fn records(&self, firm: FirmId) -> Result<Vec<Place>, StoreError> {
        let Some(bytes) = self.get(&layout::file(firm))? else { return Ok(Vec::new()) };
        let places = layout::parts(&bytes).and_then(|(_, places)| layout::read_places(places));
        places.ok_or_else(|| damaged("a file"))
    }

    fn select(&self, query: &Query, give_up: &dyn Fn() -> bool) -> Result<Page, StoreError> {
        let numbers = self.numbers()?;
        guarded(|| select::select(&self.0, query, numbers, give_up))
    }

    fn count(&self, query: &Query, first: Dimension, second: Option<Dimension>) -> Result<Vec<Count>, StoreError> {
        guarded(|| self.0.steadily(|db| select::count(db, query, first, second)))
    }

    fn read_through(&self, give_up: &dyn Fn() -> bool) -> Result<(), StoreError> {
        guarded(|| {
            for (count, pair) in self.0.db.iter().enumerate() {
                let (key, value) = pair?;
                let good = match key.first() {
                    Some(b'F') => read_file(&value).is_some(),
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
        guarded(|| self.0.db.flush().map(|_| ()).map_err(Into::into))
    }
}
