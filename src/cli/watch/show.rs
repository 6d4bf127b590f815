//! Entries and records for people.

use super::chinese;
use crate::{
    vocabulary::{BusinessField, Decision, Force},
    watch::{Disposition, ReferralState, Source, Status},
    wire::v1::{Opinion, Record, Referral, WatchEntry, WatchReason},
};

/// An entry as a line of a list.
pub(super) fn line(entry: &WatchEntry) -> String {
    let terms: Vec<&str> = entry.reasons.iter().map(|reason| reason.term.as_str()).collect();
    let status = chinese::<Status>(entry.status);
    let level = chinese::<Decision>(entry.level);
    format!("{}\t{status}\t{level}\t{}\t{}\t{}\t{}\n", entry.firm, entry.due_on, entry.region_name, entry.name, terms.join(" "))
}

/// An entry in full.
pub(super) fn entry(entry: &WatchEntry) -> String {
    let mut text = format!("{} {}\n", entry.firm, entry.name);
    let mut add = |title: &str, value: String| {
        if !value.is_empty() {
            text.push_str(&format!("{title}: {value}\n"));
        }
    };
    add("统一社会信用代码", entry.uscc.clone());
    add("登记地", format!("{} {}", entry.region, entry.region_name));
    add("经营地", entry.places_of_operation.join(" "));
    add("曾登记地", entry.former_regions.join(" "));
    add("状态", format!("{} {}", chinese::<Status>(entry.status), chinese::<Decision>(entry.level)));
    add("来源", entry.sources.iter().map(|source| chinese::<Source>(*source)).collect::<Vec<_>>().join(" "));
    entry.reasons.iter().for_each(|found| add("字样", reason(found)));
    add("业态", entry.business_fields.iter().map(|field| chinese::<BusinessField>(*field)).collect::<Vec<_>>().join(" "));
    add("认定", entry.determined.as_ref().map(opinion).unwrap_or_default());
    add("意见分歧", if entry.disagreement { "是".to_owned() } else { String::new() });
    add("吊销日期", entry.revoked_on.clone());
    entry.referrals.iter().for_each(|sent| add("移送", referral(sent)));
    add("到期日", entry.due_on.clone());
    add("标签", entry.tags.join(" "));
    entry.notes.iter().for_each(|note| add("备注", format!("{} ({} {})", note.text, note.by, note.at)));
    entry.evidence.iter().for_each(|seen| add("线索", format!("{} {} ({} {})", seen.reference, seen.text, seen.by, seen.at)));
    entry.overruled.iter().for_each(|hit| add("人工排除", format!("{}: {} ({} {})", hit.term, hit.reason, hit.by, hit.at)));
    add("并入", entry.joined_to.clone());
    add("合并自", entry.joined.join(" "));
    text
}

fn reason(reason: &WatchReason) -> String {
    let force = crate::wire::member::<Force>(reason.force).map_or("", Force::chinese);
    format!("{} {force} {}", reason.term, reason.rules.join(" "))
}

/// What was determined.
pub(super) fn opinion(opinion: &Opinion) -> String {
    [chinese::<Disposition>(opinion.disposition), &opinion.deadline, &opinion.text].join(" ").trim_end().to_owned()
}

/// A referral as a line.
pub(in super::super) fn referral(sent: &Referral) -> String {
    let late = if sent.overdue { " 逾期" } else { "" };
    let said = sent.opinion.as_ref().map(opinion).unwrap_or_default();
    let state = chinese::<ReferralState>(sent.state);
    format!("{} {} {} {state} {}{late} {said}", sent.id, sent.body, sent.body_name, sent.due_on).trim_end().to_owned()
}

/// A record as a line.
pub(super) fn record(record: &Record) -> String {
    let sequence = record.head.as_ref().map_or(0, |head| head.sequence);
    format!("{sequence}\t{}\t{}\t{}\t{}\n", record.at, record.actor, record.kind, record.payload)
}
