//! The columns (表头) of exported tables, and their rows.

use super::chinese;
use crate::{
    sheet::{Column, SEPARATOR},
    vocabulary::{BusinessField, Decision},
    watch::{Disposition, ReferralState, Source, Status},
    wire::v1::{Referral, WatchEntry},
};

/// Of watch entries.
pub(super) const ENTRY: &[Column] = &[
    Column::new("编号", "firm", 8),
    Column::new("企业名称", "name", 36),
    Column::new("统一社会信用代码", "uscc", 20),
    Column::new("登记地代码", "region", 10),
    Column::new("登记地", "regionName", 20),
    Column::list("经营地代码", "placesOfOperation", 12),
    Column::new("状态", "status", 8),
    Column::new("结论", "level", 10),
    Column::list("字样", "terms", 20),
    Column::list("业态", "businessFields", 20),
    Column::list("依据", "rules", 36),
    Column::list("来源", "sources", 12),
    Column::new("处置", "disposition", 10),
    Column::new("整改期限", "deadline", 12),
    Column::new("认定意见", "opinion", 30),
    Column::new("意见分歧", "disagreement", 8),
    Column::list("移送", "referrals", 36),
    Column::new("到期日", "dueOn", 12),
    Column::new("吊销日期", "revokedOn", 12),
    Column::list("标签", "tags", 12),
    Column::list("备注", "notes", 30),
    Column::new("列入时间", "openedAt", 24),
    Column::new("变更时间", "changedAt", 24),
];

/// Of referrals.
pub(in super::super) const REFERRAL: &[Column] = &[
    Column::new("移送编号", "id", 8),
    Column::new("企业编号", "firm", 8),
    Column::new("企业名称", "firmName", 36),
    Column::new("统一社会信用代码", "uscc", 20),
    Column::new("登记地代码", "region", 10),
    Column::new("接收部门代码", "body", 24),
    Column::new("接收部门", "bodyName", 24),
    Column::new("移送原因", "why", 30),
    Column::list("业态", "businessFields", 20),
    Column::new("移送状态", "state", 8),
    Column::new("到期日", "dueOn", 12),
    Column::new("逾期", "overdue", 6),
    Column::new("处置", "disposition", 10),
    Column::new("整改期限", "deadline", 12),
    Column::new("认定意见", "opinion", 30),
    Column::new("移送时间", "sentAt", 24),
    Column::new("变更时间", "changedAt", 24),
];

/// The row of an entry.
pub(super) fn entry(entry: &WatchEntry) -> Vec<String> {
    let determined = entry.determined.clone().unwrap_or_default();
    let told = |referral: &Referral| format!("{} {}", referral.body_name, chinese::<ReferralState>(referral.state));
    vec![
        entry.firm.clone(),
        entry.name.clone(),
        entry.uscc.clone(),
        entry.region.clone(),
        entry.region_name.clone(),
        joined(entry.places_of_operation.iter().cloned()),
        chinese::<Status>(entry.status).to_owned(),
        chinese::<Decision>(entry.level).to_owned(),
        joined(entry.reasons.iter().map(|reason| reason.term.clone())),
        fields(&entry.business_fields),
        joined(entry.reasons.iter().flat_map(|reason| reason.rules.iter().cloned())),
        joined(entry.sources.iter().map(|source| chinese::<Source>(*source).to_owned())),
        chinese::<Disposition>(determined.disposition).to_owned(),
        determined.deadline,
        determined.text,
        yes(entry.disagreement),
        joined(entry.referrals.iter().map(told)),
        entry.due_on.clone(),
        entry.revoked_on.clone(),
        joined(entry.tags.iter().cloned()),
        joined(entry.notes.iter().map(|note| note.text.clone())),
        entry.opened_at.clone(),
        entry.changed_at.clone(),
    ]
}

/// The row of a referral.
pub(in super::super) fn referral(referral: &Referral) -> Vec<String> {
    let opinion = referral.opinion.clone().unwrap_or_default();
    let at = |step: Option<&crate::wire::v1::ReferralStep>| step.map(|step| step.at.clone()).unwrap_or_default();
    vec![
        referral.id.clone(),
        referral.firm.clone(),
        referral.firm_name.clone(),
        referral.uscc.clone(),
        referral.region.clone(),
        referral.body.clone(),
        referral.body_name.clone(),
        referral.why.clone(),
        fields(&referral.business_fields),
        chinese::<ReferralState>(referral.state).to_owned(),
        referral.due_on.clone(),
        yes(referral.overdue),
        chinese::<Disposition>(opinion.disposition).to_owned(),
        opinion.deadline,
        opinion.text,
        at(referral.steps.first()),
        at(referral.steps.last()),
    ]
}

fn fields(numbers: &[i32]) -> String {
    joined(numbers.iter().map(|field| chinese::<BusinessField>(*field).to_owned()))
}

fn yes(yes: bool) -> String {
    if yes { "是".to_owned() } else { String::new() }
}

/// Each value once, in the order of its first.
fn joined(values: impl Iterator<Item = String>) -> String {
    let mut once: Vec<String> = Vec::new();
    for value in values {
        if !once.contains(&value) {
            once.push(value);
        }
    }
    once.join(SEPARATOR)
}
