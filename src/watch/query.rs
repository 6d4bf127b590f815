//! What is asked for (查询): conditions that all hold, an order, a page.

use serde::Serialize;

use super::attribute::{Collection, DayOf, Dimension};
use crate::day::Date;

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Condition {
    /// It has one of these values.
    OneOf(Dimension, Vec<String>),
    /// It has a day within these.
    Within(DayOf, Option<Date>, Option<Date>),
    /// Its firm's name has this text, as [`comparable`](super::key::comparable) writes it.
    Name(String),
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// What is listed.
    pub collection: Collection,
    /// All of these hold.
    pub conditions: Vec<Condition>,
    /// Whether the oldest come first, else the newest.
    pub oldest_first: bool,
    /// The number that the page before ended with; none for the first page.
    pub after: Option<u32>,
    /// Most numbers of a page.
    pub most: usize,
}

/// Some of what was asked for, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Numbers of files or referrals.
    pub numbers: Vec<u32>,
    /// Where the next page begins behind. None: there is none.
    pub next: Option<u32>,
    /// Whether the search was stopped before the page was full: the next page goes on.
    pub partial: bool,
}

/// How often a pair of values occurs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count {
    /// Value of the first dimension.
    pub first: String,
    /// Value of the second; empty where only one was asked about.
    pub second: String,
    /// How many have both.
    pub count: u64,
}
