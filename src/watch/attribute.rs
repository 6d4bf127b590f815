//! What files and referrals are listed by (检索项): values, and days.

use super::{file::File, referral::Referral};
use crate::{
    day::{self, Date},
    vocabulary::vocabulary,
};

vocabulary! {
    /// What is listed.
    Collection {
        /// Watch entries, by the numbers of their files.
        Entries = "ENTRIES", "重点监管对象";
        /// Referrals, by their numbers.
        Referrals = "REFERRALS", "移送";
    }
}

vocabulary! {
    /// What has a value by which it can be listed.
    Dimension {
        /// Everything has this one value: the empty one.
        All = "ALL", "全部";
        /// Status of an entry.
        Status = "STATUS", "状态";
        /// What was determined.
        Disposition = "DISPOSITION", "处置";
        /// Strongest decision.
        Level = "LEVEL", "结论";
        /// Terms that count.
        Term = "TERM", "字样";
        /// Fields of business.
        Field = "FIELD", "业态";
        /// Places that it concerns, each with every place above it.
        Region = "REGION", "地区";
        /// How it came here.
        Source = "SOURCE", "来源";
        /// Tags.
        Tag = "TAG", "标签";
        /// The body that is told.
        Body = "BODY", "接收部门";
        /// State of a referral.
        State = "STATE", "移送状态";
    }
}

vocabulary! {
    /// What has a day by which it can be listed.
    DayOf {
        /// When an entry was opened, or a referral sent.
        Opened = "OPENED", "列入日期";
        /// When the file was last changed.
        Changed = "CHANGED", "变更日期";
        /// When the next step is due.
        Due = "DUE", "到期日";
    }
}

/// What one thing is listed by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Its values, sorted, each once.
    pub values: Vec<(Dimension, String)>,
    /// Its days, sorted.
    pub days: Vec<(DayOf, Date)>,
}

impl Attributes {
    fn of(mut values: Vec<(Dimension, String)>, mut days: Vec<(DayOf, Date)>) -> Self {
        values.push((Dimension::All, String::new()));
        values.sort_unstable();
        values.dedup();
        days.sort_unstable();
        Self { values, days }
    }
}

/// What a file's watch entry is listed by. Nothing where it has none, or goes on in another file.
#[must_use]
pub fn of_entry(file: &File) -> Attributes {
    let Some(entry) = file.entry.as_ref().filter(|_| file.joined_to.is_none()) else { return Attributes::default() };
    let value = |dimension, id: &str| (dimension, id.to_owned());
    let mut values = vec![value(Dimension::Status, entry.status.id()), value(Dimension::Level, entry.level.id())];
    values.extend(entry.determined.iter().map(|opinion| value(Dimension::Disposition, opinion.disposition.id())));
    values.extend(entry.reasons.iter().map(|reason| value(Dimension::Term, &reason.term)));
    values.extend(file.fields().iter().map(|field| value(Dimension::Field, field.id())));
    values.extend(regions(file));
    values.extend(entry.sources.iter().map(|source| value(Dimension::Source, source.id())));
    values.extend(entry.tags.iter().map(|tag| value(Dimension::Tag, tag)));
    let mut days = vec![(DayOf::Opened, day::of(entry.opened.at)), (DayOf::Changed, day::of(file.changed.at))];
    days.extend(file.due().map(|due| (DayOf::Due, due)));
    Attributes::of(values, days)
}

/// What a referral is listed by.
#[must_use]
pub fn of_referral(file: &File, referral: &Referral) -> Attributes {
    if file.joined_to.is_some() {
        return Attributes::default(); // it is listed with the file that took it
    }
    let mut values = vec![(Dimension::Body, referral.body.to_string()), (Dimension::State, referral.state().id().to_owned())];
    values.extend(referral.fields.iter().map(|field| (Dimension::Field, field.id().to_owned())));
    values.extend(regions(file));
    let mut days: Vec<_> = referral.steps.first().map(|step| (DayOf::Opened, day::of(step.at))).into_iter().collect();
    days.extend(referral.steps.last().map(|step| (DayOf::Changed, day::of(step.at))));
    days.extend(referral.due.map(|due| (DayOf::Due, due)));
    Attributes::of(values, days)
}

fn regions(file: &File) -> impl Iterator<Item = (Dimension, String)> {
    file.places().flat_map(crate::jurisdiction::Region::chain).map(|place| (Dimension::Region, place.to_string()))
}
