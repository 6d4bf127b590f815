//! The clock: asked at the edges only.

use jiff::{Timestamp, tz::Offset};

use crate::day::Date;

/// Today in UTC+8.
#[must_use]
pub fn today() -> Date {
    Offset::constant(8).to_datetime(Timestamp::now()).date()
}
