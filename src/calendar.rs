//! The calendar (日历): which days are working days (工作日), for deadlines. Monday to Friday, but for holidays (节假日) and
//! the Saturdays and Sundays that are worked instead (调休), as a yearly notice of the State Council's office lays down.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Weekday;

use crate::{
    day::{self, Date},
    problem::Problem,
    wordlist::{
        Files,
        rows::{Row, rows},
    },
};

const FILE: &str = "calendar.tsv";

/// A year whose notice is not in the lists: none of its days can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("calendar.tsv has no year {year}: its working days are not known")]
pub struct UnknownYear {
    /// The year.
    pub year: i16,
}

/// What a row makes of its days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Holiday,
    Workday,
}

impl Kind {
    fn id(self) -> &'static str {
        match self {
            Self::Holiday => "holiday",
            Self::Workday => "workday",
        }
    }
}

/// The days that differ from Monday to Friday, and the years of which all are known.
#[derive(Debug, Clone, Default)]
pub struct Calendar {
    years: BTreeSet<i16>,
    days: BTreeMap<Date, Kind>,
}

impl Calendar {
    /// Reads `calendar.tsv`, adding what is wrong with it to `problems`.
    pub(crate) fn load(files: &Files, problems: &mut Vec<Problem>) -> Self {
        let rows = rows(FILE, files.text(FILE, problems), 4, problems);
        let mut report = |row: &Row<'_>, message: String| problems.push(Problem::new(FILE, row.line, message));
        let mut reading = Reading::default();
        let (years, days): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.columns[1] == "year");
        for row in years {
            reading.year(row).unwrap_or_else(|message| report(row, message));
        }
        for row in days {
            reading.days(row).unwrap_or_else(|message| report(row, message));
        }
        reading.calendar
    }

    /// The years whose working days are known, in order.
    pub fn years(&self) -> impl Iterator<Item = i16> {
        self.years.iter().copied()
    }

    /// Whether `day` is worked.
    ///
    /// # Errors
    /// [`UnknownYear`] where its year's notice is not in the lists.
    pub fn is_working_day(&self, day: Date) -> Result<bool, UnknownYear> {
        if !self.years.contains(&day.year()) {
            return Err(UnknownYear { year: day.year() });
        }
        Ok(match self.days.get(&day) {
            Some(kind) => *kind == Kind::Workday,
            None => !is_weekend(day),
        })
    }

    /// The n-th working day after `day`, which is not counted itself; `day` for none.
    ///
    /// # Errors
    /// [`UnknownYear`] where the count enters a year whose notice is not in the lists.
    pub fn after(&self, day: Date, working_days: u16) -> Result<Date, UnknownYear> {
        let (mut last, mut left) = (day, working_days);
        while left > 0 {
            last = last.tomorrow().map_err(|_| UnknownYear { year: last.year() })?;
            left -= u16::from(self.is_working_day(last)?);
        }
        Ok(last)
    }
}

fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// The calendar so far, and the line that each day and year stands in.
#[derive(Default)]
struct Reading {
    calendar: Calendar,
    years: BTreeMap<i16, usize>,
    days: BTreeMap<Date, (Kind, usize)>,
}

impl Reading {
    fn year(&mut self, row: &Row<'_>) -> Result<(), String> {
        let text = row.columns[0];
        let last_day = day::parse(&format!("{text}-12-31")).map_err(|_| format!("'{text}' is not a year, YYYY"))?;
        named(row)?;
        if let Some(line) = self.years.insert(last_day.year(), row.line) {
            return Err(format!("year {text} stands in line {line} too"));
        }
        self.calendar.years.insert(last_day.year());
        Ok(())
    }

    /// Takes the days of a row, up to the first that is wrong.
    fn days(&mut self, row: &Row<'_>) -> Result<(), String> {
        let (kind, (first, last)) = (kind(row)?, stretch(row.columns[0])?);
        named(row)?;
        let mut days = first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last);
        days.try_for_each(|day| self.day(day, kind, row.line))
    }

    fn day(&mut self, day: Date, kind: Kind, line: usize) -> Result<(), String> {
        let years = &self.calendar.years;
        let its_year = years.contains(&day.year()) || (day.month() == 12 && years.contains(&(day.year() + 1)));
        if !its_year {
            return Err(format!("there is no row '{0} TAB year' for {day}: enter the notice of {0} in full", day.year()));
        }
        if kind == Kind::Workday && !is_weekend(day) {
            return Err(format!("{day} is no Saturday or Sunday: it is worked anyway"));
        }
        if let Some((before, line)) = self.days.insert(day, (kind, line)) {
            return Err(format!("{day} is a {} by line {line}", before.id()));
        }
        self.calendar.days.insert(day, kind);
        Ok(())
    }
}

fn named(row: &Row<'_>) -> Result<(), String> {
    let missing = row.columns[2..].iter().any(|column| column.trim().is_empty());
    if missing { Err("the name or the document is missing".to_owned()) } else { Ok(()) }
}

fn kind(row: &Row<'_>) -> Result<Kind, String> {
    let kinds = [Kind::Holiday, Kind::Workday];
    let found = kinds.into_iter().find(|kind| kind.id() == row.columns[1]);
    found.ok_or_else(|| format!("'{}' is none of year, holiday, workday", row.columns[1]))
}

/// A day, or the first and the last of a stretch.
fn stretch(text: &str) -> Result<(Date, Date), String> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let day = |text| day::parse(text).map_err(|error| error.to_string());
    let (first, last) = (day(first)?, day(last)?);
    if last < first { Err(format!("the last day {last} is before the first day {first}")) } else { Ok((first, last)) }
}
