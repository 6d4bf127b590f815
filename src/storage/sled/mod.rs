//! The store on the disk (磁盘索引), in sled: one ordered map, laid out as `layout` says.
//!
//! Who has a value is a bitmap in chunks of 16 384 numbers, so that a change touches small values and a page reads only
//! the chunks that it shows. Names lie in a column that is searched by the processor's own speed.

mod apply;
mod bits;
mod digest;
mod layout;
mod select;
mod warden;

use std::{
    fs::Permissions,
    ops::Bound,
    os::unix::fs::PermissionsExt,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, RwLock},
    thread,
    time::Duration,
};

use apply::Gathered;
use digest::{Digest, Reading};
use layout::Meta;
use warden::Warden;

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
/// So much of the disk is left free, in bytes, beside what is to be written.
const ROOM: u64 = 4 << 20;
/// How many values are read through before others may write.
const AT_ONCE: usize = 1024;
/// How often it is tried again, 20 ms apart, where the index is still held: sled's own threads let go of it a little
/// after it was closed. No other process can hold it: the data folder has a lock of its own.
const LETTING_GO: u32 = 100;

/// See the module.
#[derive(Debug)]
pub struct Sled {
    map: Steady,
    /// Goes before the map does, and when the map is on the disk.
    warden: Option<Warden>,
    folder: PathBuf,
}

impl Drop for Sled {
    fn drop(&mut self) {
        let _ = self.flush(); // with the warden there: sled would flush without him
        self.warden = None;
    }
}

/// The map, with a lock so that what is read together is of one state: in sled each value is read by itself.
#[derive(Debug)]
struct Steady {
    db: ::sled::Db,
    lock: RwLock<()>,
    /// Somebody reads the whole of it through.
    reading: Mutex<Option<Reading>>,
}

impl Steady {
    /// Reads something while nothing is written.
    fn steadily<T>(&self, read: impl FnOnce(&::sled::Db) -> T) -> T {
        let _steady = self.lock.read().unwrap_or_else(PoisonError::into_inner); // it guards no value
        read(&self.db)
    }

    fn write(&self, gathered: Gathered) -> Result<(), StoreError> {
        let _alone = self.lock.write().unwrap_or_else(PoisonError::into_inner);
        self.db.apply_batch(gathered.batch)?;
        if let Some(reading) = self.reading.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            gathered.changes.iter().for_each(|(key, by)| reading.changed(key, *by));
        }
        Ok(())
    }

    /// Reads on through all there is, a little at a time. Whether there is more.
    fn read_on(&self) -> Result<bool, StoreError> {
        let _steady = self.lock.read().unwrap_or_else(PoisonError::into_inner);
        let mut slot = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = slot.get_or_insert_default();
        let behind = (Bound::Excluded(reading.to.clone()), Bound::Unbounded); // no key is empty
        let mut more = false;
        for pair in self.db.range::<Vec<u8>, _>(behind).take(AT_ONCE) {
            let (key, value) = pair?;
            if key != layout::META {
                reading.sum = reading.sum.and(Digest::of(&key, &value));
            }
            reading.to = key.to_vec();
            more = true;
        }
        if !more {
            let sum = reading.sum;
            *slot = None;
            if sum != meta(&self.db)?.digest {
                return Err(StoreError("it does not hold what was written".to_owned()));
            }
        }
        Ok(more)
    }
}

impl From<::sled::Error> for StoreError {
    fn from(error: ::sled::Error) -> Self {
        Self(error.to_string())
    }
}

fn unlocked(config: &::sled::Config) -> Result<::sled::Db, StoreError> {
    guarded(|| Ok(config.open()?))
}

/// Refuses to write where the disk is nearly full: sled does not bear it well, and what room there is belongs to the journal.
fn room(folder: &Path, bytes: u64) -> Result<(), StoreError> {
    let disk = rustix::fs::statvfs(folder).map_err(|error| StoreError(error.to_string()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < ROOM.saturating_add(bytes) {
        return Err(StoreError(format!("No space left on device: {free} bytes are free in {}", folder.display())));
    }
    Ok(())
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
        room(folder, 0)?;
        let config = ::sled::Config::new().path(folder).cache_capacity(CACHE).flush_every_ms(Some(1000));
        let mut opened = unlocked(&config);
        for _ in 0..LETTING_GO {
            if !opened.as_ref().is_err_and(|error| error.0.contains("could not acquire lock")) {
                break;
            }
            thread::sleep(Duration::from_millis(20));
            opened = unlocked(&config);
        }
        let opened = opened?;
        guarded(|| meta(&opened))?; // of another version?
        let warden = Some(Warden::over(opened.clone(), config));
        let map = Steady { db: opened, lock: RwLock::new(()), reading: Mutex::new(None) };
        let store = Self { map, warden, folder: folder.to_path_buf() };
        own(folder).map_err(|error| StoreError(error.to_string()))?;
        Ok(store)
    }

    fn meta(&self) -> Result<Meta, StoreError> {
        guarded(|| meta(&self.map.db))
    }

    fn get(&self, key: &[u8]) -> Result<Option<::sled::IVec>, StoreError> {
        guarded(|| Ok(self.map.db.get(key)?))
    }
}

/// What it says of itself.
fn meta(db: &::sled::Db) -> Result<Meta, StoreError> {
    let Some(bytes) = db.get(layout::META)? else { return Ok(Meta::default()) };
    layout::read_meta(&bytes).ok_or_else(|| damaged("the head, or the version of the layout,"))
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
        Ok(self.meta()?.head)
    }

    fn numbers(&self) -> Result<Numbers, StoreError> {
        Ok(self.meta()?.numbers)
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        guarded(|| {
            let gathered = apply::gathered(&self.map.db, meta(&self.map.db)?, batch)?;
            room(&self.folder, gathered.bytes)?;
            self.map.write(gathered)
        })
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
        guarded(|| select::select(&self.map, query, numbers, give_up))
    }

    fn count(&self, query: &Query, first: Dimension, second: Option<Dimension>) -> Result<Vec<Count>, StoreError> {
        guarded(|| self.map.steadily(|db| select::count(db, query, first, second)))
    }

    fn read_through(&self, give_up: &dyn Fn() -> bool) -> Result<(), StoreError> {
        guarded(|| {
            while !give_up() && self.map.read_on()? {}
            Ok(())
        })
    }

    fn flush(&self) -> Result<(), StoreError> {
        guarded(|| self.map.db.flush().map(|_| ()).map_err(Into::into))
    }
}
