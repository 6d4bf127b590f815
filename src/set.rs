//! Small sets of values of a closed vocabulary.

use std::marker::PhantomData;

/// A value that a [`Set`] can hold: one of at most 32.
pub trait Member: Copy + 'static {
    /// Every value there is.
    const ALL: &'static [Self];
    /// How the wordlists spell it.
    fn id(self) -> &'static str;
    /// Its place among them.
    fn place(self) -> u32;
}

/// A set of values of a closed vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Set<T>(u32, PhantomData<T>);

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self(0, PhantomData)
    }
}

impl<T: Member> Set<T> {
    /// Whether `value` is in it.
    #[must_use]
    pub fn contains(self, value: T) -> bool {
        self.0 & (1 << value.place()) != 0
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in it, in the vocabulary's order.
    pub fn iter(self) -> impl Iterator<Item = T> {
        T::ALL.iter().copied().filter(move |value| self.contains(*value))
    }
}

impl<T: Member> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self(values.into_iter().fold(0, |bits, value| bits | 1 << value.place()), PhantomData)
    }
}
