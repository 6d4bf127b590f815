//! Versions that were asked for lately. Each is built once, however many ask for it at the same time.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::{Version, versions::VersionError};

/// How many are held: an engine has some 25 MB.
const HELD: usize = 4;

type Built = Arc<OnceLock<Result<Arc<Version>, VersionError>>>;

/// See the module. The one asked for last stands last.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Vec<(String, Built)>>);

impl Recent {
    /// The version with this hash, built by `build` where it is not held.
    pub(super) fn get(&self, hash: &str, build: impl FnOnce() -> Result<Version, VersionError>) -> Result<Arc<Version>, VersionError> {
        let built = self.place(hash);
        let version = built.get_or_init(|| build().map(Arc::new)).clone();
        if version.is_err() {
            self.forget(&built); // it may be there next time
        }
        version
    }

    fn place(&self, hash: &str) -> Built {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner); // every change is whole
        let place = match held.iter().position(|(known, _)| known == hash) {
            Some(index) => held.remove(index),
            None => (hash.to_owned(), Built::default()),
        };
        let built = Arc::clone(&place.1);
        held.push(place);
        if held.len() > HELD {
            held.remove(0);
        }
        built
    }

    fn forget(&self, built: &Built) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|(_, other)| !Arc::ptr_eq(other, built));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread,
        time::SystemTime,
    };

    use super::{HELD, Recent};
    use crate::{
        embedded,
        library::{Version, versions::VersionError},
    };

    fn version() -> Version {
        Version::build(&embedded::files(), SystemTime::UNIX_EPOCH).expect("the lists inside the binary")
    }

    #[test]
    fn many_who_ask_at_once_share_one_build() {
        let (recent, builds) = (Recent::default(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let built = recent.get("a", || {
                        builds.fetch_add(1, Ordering::SeqCst);
                        Ok(version())
                    });
                    built.expect("it is good");
                });
            }
        });
        assert_eq!(builds.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn few_are_held_and_failures_are_not() {
        let recent = Recent::default();
        let missing = || Err(VersionError::Missing { hash: "x".to_owned() });
        for number in 0..HELD * 2 {
            assert!(recent.get(&number.to_string(), missing).is_err());
        }
        assert!(recent.0.lock().expect("no panic").is_empty());
        for number in 0..=HELD {
            recent.place(&number.to_string());
        }
        recent.place("1");
        let held: Vec<String> = recent.0.lock().expect("no panic").iter().map(|(hash, _)| hash.clone()).collect();
        assert_eq!(held, ["2", "3", "4", "1"]);
    }
}
