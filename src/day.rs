//! Days: civil dates in UTC+8, written YYYY-MM-DD. The core never asks the clock: a day is an argument.

pub use jiff::civil::Date;
use jiff::{Timestamp, civil::date, tz::Offset};

/// First day that can be asked about: the founding of the People's Republic.
pub const FIRST: Date = date(1949, 10, 1);
/// Last day that can be asked about.
pub const LAST: Date = date(2100, 12, 31);

/// How far the clock of China is from UTC.
pub const OFFSET: Offset = Offset::constant(8);

/// The day of an instant.
#[must_use]
pub fn of(at: Timestamp) -> Date {
    OFFSET.to_datetime(at).date()
}

/// A day that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DayError {
    /// Not YYYY-MM-DD, or no day of the calendar.
    #[error("'{0}' is not a day of the calendar, YYYY-MM-DD")]
    NotADay(String),
    /// A day of the calendar, but outside [`FIRST`]..=[`LAST`].
    #[error("{0} is outside 1949-10-01 to 2100-12-31")]
    OutOfRange(Date),
}

/// Reads a day: exactly YYYY-MM-DD in ASCII digits, between [`FIRST`] and [`LAST`].
///
/// # Errors
/// [`DayError`] where it is not.
pub fn parse(text: &str) -> Result<Date, DayError> {
    let not_a_day = || DayError::NotADay(text.chars().take(40).collect());
    let shape = text.len() == 10 && text.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
    if !shape {
        return Err(not_a_day());
    }
    let day: Date = text.parse().map_err(|_| not_a_day())?;
    if (FIRST..=LAST).contains(&day) { Ok(day) } else { Err(DayError::OutOfRange(day)) }
}

/// A stretch of days, both ends inclusive; an absent end is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Days {
    /// First day.
    pub from: Option<Date>,
    /// Last day.
    pub to: Option<Date>,
}

impl Days {
    /// Whether `day` is one of them.
    #[must_use]
    pub fn contains(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }

    /// How many days `day` is away from the nearest of them; 0 if it is one of them.
    #[must_use]
    pub fn distance(&self, day: Date) -> u32 {
        let days = |a: Date, b: Date| (b - a).get_days().unsigned_abs();
        match (self.from, self.to) {
            (Some(from), _) if day < from => days(day, from),
            (_, Some(to)) if day > to => days(to, day),
            _ => 0,
        }
    }
}
