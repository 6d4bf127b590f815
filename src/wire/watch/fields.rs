//! Fields that requests about the watch list have in common.

use super::read::{LONGEST_TEXT, MOST};
use crate::{
    jurisdiction::Region,
    set::Member,
    uscc,
    watch::{
        Disposition, Status,
        attribute::{DayOf, Dimension},
        command::Evidence,
        key::{ReferralId, comparable},
        query::Condition,
        referral::Opinion,
        transition::EntryAction,
    },
    wire::{
        member,
        request::{LONGEST_SHORT, Reader},
        v1,
    },
    wordlist::tables::BodyId,
};

impl Reader<'_> {
    pub(super) fn needed(&mut self, field: &str, text: &str, most: usize) {
        if self.length(field, text, most) && text.trim().is_empty() {
            self.refuse(field, "is needed");
        }
    }

    pub(super) fn few(&mut self, field: &str, count: usize) -> bool {
        if count > MOST {
            self.refuse(field, format!("{count} values; at most {MOST}"));
        }
        count <= MOST
    }

    pub(super) fn choices<T: Member + PartialEq>(&mut self, field: &str, numbers: &[i32]) -> Vec<T> {
        let mut values = Vec::new();
        if !self.few(field, numbers.len()) {
            return values;
        }
        for (index, number) in numbers.iter().enumerate() {
            match member(*number) {
                Some(value) if !values.contains(&value) => values.push(value),
                Some(_) => {}
                None => self.refuse(&format!("{field}[{index}]"), format!("{number} is not a value of this enum")),
            }
        }
        values
    }

    /// Short texts without control characters.
    pub(super) fn words(&mut self, field: &str, texts: &[String]) -> Vec<String> {
        if !self.few(field, texts.len()) {
            return Vec::new();
        }
        for (index, text) in texts.iter().enumerate() {
            let field = format!("{field}[{index}]");
            self.needed(&field, text, LONGEST_SHORT);
            if text.chars().any(char::is_control) {
                self.refuse(&field, "has control characters");
            }
        }
        texts.to_vec()
    }

    pub(super) fn tags(&mut self, field: &str, texts: &[String]) -> Vec<String> {
        let mut tags = self.words(field, texts);
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    pub(super) fn places(&mut self, field: &str, texts: &[String]) -> Vec<Region> {
        if !self.few(field, texts.len()) {
            return Vec::new();
        }
        let mut places = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let field = format!("{field}[{index}]");
            if text.trim().is_empty() {
                self.refuse(&field, "a place is needed");
            }
            places.push(self.region(&field, text));
        }
        places.dedup();
        places
    }

    pub(super) fn code(&mut self, field: &str, text: &str) -> Option<String> {
        if text.is_empty() || !self.length(field, text, LONGEST_SHORT) {
            return None;
        }
        let code = uscc::code(text);
        if code.is_none() {
            self.refuse(field, "not a unified social credit code of 18 characters");
        }
        code
    }

    pub(super) fn bodies(&mut self, field: &str, texts: &[String]) -> Vec<BodyId> {
        if !self.few(field, texts.len()) {
            return Vec::new();
        }
        let mut bodies = Vec::new();
        for text in texts {
            match BodyId::parse(text) {
                Some(body) if bodies.contains(&body) => {}
                Some(body) => bodies.push(body),
                None => self
                    .refuse(field, format!("'{}' is no body, REGION/FUNCTION", text.chars().take(80).collect::<String>().escape_debug())),
            }
        }
        bodies
    }

    pub(super) fn referral(&mut self, text: &str) -> ReferralId {
        text.parse().unwrap_or_else(|_| {
            self.refuse("referral", "not the number of a referral, such as R17");
            ReferralId(0)
        })
    }

    pub(super) fn evidence(&mut self, field: &str, evidence: v1::NewEvidence) -> Evidence {
        let v1::NewEvidence { reference, text, informant } = evidence;
        self.length(&format!("{field}.reference"), &reference, LONGEST_SHORT);
        self.length(&format!("{field}.text"), &text, LONGEST_TEXT);
        self.length(&format!("{field}.informant"), &informant, LONGEST_SHORT);
        if reference.trim().is_empty() && text.trim().is_empty() {
            self.refuse(field, "a reference or a text is needed");
        }
        Evidence { reference, text, informant }
    }

    pub(super) fn step(&mut self, status: i32, opinion: Option<&v1::Opinion>) -> Option<(EntryAction, Option<Opinion>)> {
        let action = match member::<Status>(status) {
            Some(Status::UnderReview) => EntryAction::Review,
            Some(Status::Released) => EntryAction::Release,
            Some(Status::Determined) => return Some((EntryAction::Determine, self.opinion("opinion", opinion))),
            Some(Status::Open) | None => {
                self.refuse("status", "UNDER_REVIEW, DETERMINED or RELEASED");
                return None;
            }
        };
        if opinion.is_some() {
            self.refuse("opinion", "is given where the status is DETERMINED");
        }
        Some((action, None))
    }

    pub(super) fn opinion(&mut self, field: &str, opinion: Option<&v1::Opinion>) -> Option<Opinion> {
        let Some(opinion) = opinion else {
            self.refuse(field, "what is determined is needed");
            return None;
        };
        let disposition = self.choice(&format!("{field}.disposition"), opinion.disposition, Disposition::Compliant);
        if opinion.disposition == 0 {
            self.refuse(&format!("{field}.disposition"), "is needed");
        }
        let deadline = self.day(&format!("{field}.deadline"), &opinion.deadline);
        match (disposition, deadline) {
            (Disposition::Rectify, None) => self.refuse(&format!("{field}.deadline"), "整改 has a deadline"),
            (Disposition::Rectify, Some(_)) | (_, None) => {}
            (_, Some(_)) => self.refuse(&format!("{field}.deadline"), "only 整改 has a deadline"),
        }
        self.length(&format!("{field}.text"), &opinion.text, LONGEST_TEXT);
        Some(Opinion { disposition, deadline, text: opinion.text.clone() })
    }

    pub(super) fn name_condition(&mut self, field: &str, text: &str) -> Option<Condition> {
        if text.is_empty() {
            return None;
        }
        let wanted = comparable(text);
        if self.length(field, text, LONGEST_SHORT) && wanted.is_empty() {
            self.refuse(field, "nothing but blanks");
        }
        Some(Condition::Name(wanted))
    }

    pub(super) fn region_condition(&mut self, field: &str, text: &str) -> Option<Condition> {
        let region = (!text.is_empty()).then(|| self.region(field, text))?;
        Some(Condition::OneOf(Dimension::Region, vec![region.to_string()]))
    }

    pub(super) fn days(&mut self, of: DayOf, from: (&str, &str), to: (&str, &str)) -> Option<Condition> {
        let (first, last) = (self.day(from.0, from.1), self.day(to.0, to.1));
        if let (Some(first), Some(last)) = (first, last)
            && last < first
        {
            self.refuse(to.0, "the last day is before the first");
        }
        (first.is_some() || last.is_some()).then_some(Condition::Within(of, first, last))
    }
}
