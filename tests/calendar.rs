//! Working days: well-known days, deadlines, and what is wrong with a calendar.

use mingcha::{
    calendar::{Calendar, UnknownYear},
    day::Date,
    screen::Engine,
};

use crate::{lists::with, support::engine};

fn calendar() -> &'static Calendar {
    engine().lists().calendar()
}

fn day(text: &str) -> Date {
    mingcha::day::parse(text).expect("a day")
}

#[test]
fn well_known_days() {
    let cases = [
        ("2018-12-29", true),  // worked for New Year's 2019
        ("2018-12-31", false), // New Year's 2019
        ("2019-04-28", true),  // Labour Day was lengthened in March
        ("2020-01-31", false), // Spring Festival was lengthened
        ("2020-02-01", false), // had been a make-up day before
        ("2020-02-03", true),
        ("2024-02-04", true), // a Sunday
        ("2024-02-09", true), // New Year's Eve was no holiday that year
        ("2024-02-10", false),
        ("2024-02-18", true), // a Sunday
        ("2025-10-06", false),
        ("2025-10-11", true),  // a Saturday
        ("2026-01-02", false), // a Friday
        ("2026-01-04", true),  // a Sunday
        ("2026-02-23", false), // a Monday
        ("2026-11-24", true),
        ("2026-11-28", false), // a Saturday
    ];
    for (text, worked) in cases {
        assert_eq!(calendar().is_working_day(day(text)), Ok(worked), "{text}");
    }
}

/// Working days of each year, as published by others.
#[test]
fn years_have_as_many_working_days_as_they_should() {
    let count = |year: i16| {
        let days = Date::constant(year, 1, 1).series(jiff::Span::new().days(1)).take_while(|day| day.year() == year);
        days.filter(|day| calendar().is_working_day(*day) == Ok(true)).count()
    };
    let counts: Vec<_> = calendar().years().map(|year| (year, count(year))).collect();
    assert_eq!(counts[8..], [(2024, 251), (2025, 248), (2026, 248)]);
    assert_eq!(counts.len(), 11);
}

#[test]
fn deadlines_skip_holidays_and_take_in_make_up_days() {
    let after = |from: &str, days| calendar().after(day(from), days).map(|day| day.to_string());
    assert_eq!(after("2024-02-02", 2).as_deref(), Ok("2024-02-05")); // Sunday the 4th is worked
    assert_eq!(after("2024-02-09", 1).as_deref(), Ok("2024-02-18")); // the Sunday after the festival
    assert_eq!(after("2024-02-12", 5).as_deref(), Ok("2024-02-22"));
    assert_eq!(after("2026-09-30", 2).as_deref(), Ok("2026-10-09"));
    assert_eq!(after("2026-11-24", 20).as_deref(), Ok("2026-12-22"));
    assert_eq!(after("2026-11-28", 0).as_deref(), Ok("2026-11-28"));
}

#[test]
fn a_year_without_a_calendar_is_an_error() {
    let unknown = Err(UnknownYear { year: 2027 });
    assert_eq!(calendar().after(day("2026-12-30"), 1), Ok(day("2026-12-31")));
    assert_eq!(calendar().after(day("2026-12-30"), 2), unknown);
    assert_eq!(calendar().is_working_day(day("2027-01-04")), Err(UnknownYear { year: 2027 }));
    assert!(UnknownYear { year: 2027 }.to_string().contains("2027"));
}

const GOOD: &str = "2027\tyear\t某通知\t某号\n2026-12-27\tworkday\t元旦\t某号\n2027-01-01..2027-01-03\tholiday\t元旦\t某号\n";

/// The lists with this calendar.
fn built(calendar: &str) -> Result<Engine, Vec<String>> {
    Engine::build(&with("calendar.tsv", calendar)).map_err(|problems| problems.list().iter().map(ToString::to_string).collect())
}

#[test]
fn a_new_year_needs_no_new_binary() {
    let engine = built(GOOD).expect("good");
    let calendar = engine.lists().calendar();
    assert_eq!(calendar.after(day("2027-01-01"), 1), Ok(day("2027-01-04")));
    assert_eq!(calendar.is_working_day(day("2026-12-27")), Err(UnknownYear { year: 2026 }));
    assert_ne!(engine.lists().hash(), self::engine().lists().hash());
}

#[test]
fn each_mistake_is_named_with_its_line() {
    let cases = [
        ("2027-02-30\tholiday\t春节\t某号", "4: '2027-02-30' is not a day"),
        ("2027-02-11..2027-02-10\tholiday\t春节\t某号", "4: the last day 2027-02-10 is before"),
        ("2027-02-11\tfestival\t春节\t某号", "4: 'festival' is none of"),
        ("2027-02-11\tholiday\t春节", "4: expected 4 columns"),
        ("2027-02-11\tholiday\t\t某号", "4: the name or the document is missing"),
        ("2027-02-12\tworkday\t春节\t某号", "4: 2027-02-12 is no Saturday or Sunday"),
        ("2027-01-02..2027-01-04\tholiday\t元旦\t某号", "4: 2027-01-02 is a holiday by line 3"),
        ("2027-01-03\tworkday\t元旦\t某号", "4: 2027-01-03 is a holiday by line 3"),
        ("2026-10-01\tholiday\t国庆节\t某号", "4: there is no row '2026 TAB year'"),
        ("2028-01-01\tholiday\t元旦\t某号", "4: there is no row '2028 TAB year'"),
        ("2027\tyear\t某通知\t某号", "4: year 2027 stands in line 1 too"),
        ("27\tyear\t某通知\t某号", "4: '27' is not a year"),
    ];
    for (row, expected) in cases {
        let found = built(&format!("{GOOD}{row}\n")).err().unwrap_or_default();
        assert!(found.iter().any(|problem| problem.starts_with(&format!("calendar.tsv:{expected}"))), "{row}: {found:#?}");
    }
}
