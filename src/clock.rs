//! The clock: asked at the edges only.

use jiff::Timestamp;

use crate::day::{self, Date};

/// Today in UTC+8.
#[must_use]
pub fn today() -> Date {
    day::of(Timestamp::now())
}
