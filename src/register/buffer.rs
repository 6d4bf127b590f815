//! Buffers (缓冲区): memory that serves again when a block, or what became of it, is done with. A register is thousands of blocks, and
//! memory that is asked for anew each time is emptied by the system each time.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
};

/// Memory that nobody uses now.
#[derive(Debug, Default)]
pub struct Spare(Mutex<Vec<Vec<u8>>>);

impl Spare {
    /// Some of it, empty or with what it held before; new, where there is none.
    pub fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Takes memory that is done with.
    pub fn give(&self, memory: Vec<u8>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}

/// Bytes of a register; their memory goes back to where it came from when they are dropped.
pub struct Buffer {
    /// The bytes, and behind them what an earlier block has left.
    bytes: Vec<u8>,
    len: usize,
    spare: Arc<Spare>,
}

impl Buffer {
    /// An empty one, to which buffers come back.
    pub(super) fn new() -> Self {
        Self::from(Vec::new())
    }

    /// An empty one whose memory served another one of the same origin, where such is free.
    pub(super) fn another(&self) -> Self {
        Self { bytes: self.spare.take(), len: 0, spare: Arc::clone(&self.spare) }
    }

    /// Room behind its bytes, until there are `most` of them.
    pub(super) fn room(&mut self, most: usize) -> &mut [u8] {
        if self.bytes.len() < most {
            self.bytes.resize(most, 0);
        }
        &mut self.bytes[self.len..most.max(self.len)]
    }

    /// Takes in so many bytes of its room.
    pub(super) fn take_in(&mut self, read: usize) {
        self.len = (self.len + read).min(self.bytes.len());
    }

    /// Cuts all but its first bytes off.
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Cuts its first bytes off.
    pub(super) fn cut_off(&mut self, first: usize) {
        self.bytes.copy_within(first..self.len, 0);
        self.len -= first;
    }

    /// Adds bytes.
    pub(super) fn extend(&mut self, more: &[u8]) {
        self.room(self.len + more.len()).copy_from_slice(more);
        self.len += more.len();
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self { len: bytes.len(), bytes, spare: Arc::default() }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.spare.give(std::mem::take(&mut self.bytes));
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Buffer {}

impl fmt::Debug for Buffer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_serves_again_and_shows_nothing_of_before() {
        let mut first = Buffer::new();
        first.extend(b"abcdef");
        first.cut_off(2);
        first.truncate(3);
        assert_eq!(*first, *b"cde");
        let memory = first.as_ptr();
        let origin = first.another();
        drop(first);
        let mut second = origin.another();
        assert!(second.is_empty());
        second.extend(b"xy");
        assert_eq!((&*second, second.as_ptr()), (&b"xy"[..], memory));
        assert_eq!(second.room(4), b"ef");
        second.take_in(1);
        assert_eq!(*second, *b"xye");
    }
}
