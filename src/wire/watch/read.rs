//! From messages to commands and queries, or everything that is wrong with them.

use jiff::Timestamp;

use crate::{
    day::Date,
    jurisdiction::Region,
    office::Until,
    screen::Engine,
    set::Member,
    uscc::{self, UsccError},
    vocabulary::{BusinessField, Decision, EntityKind, Field},
    watch::{
        Disposition, ReferralState, Source, Status,
        attribute::{DayOf, Dimension},
        command::{Command, Evidence, Firm, Refer, Update},
        key::{FirmId, ReferralId, comparable},
        query::Condition,
        referral::Opinion,
        transition::{EntryAction, ReferralAction},
    },
    wire::{
        Violation, member,
        request::{LONGEST_SHORT, Reader},
        v1,
    },
    wordlist::tables::BodyId,
};

/// Longest text that people write, in bytes.
const LONGEST_TEXT: usize = 8 << 10;
/// Most values of a list.
const MOST: usize = 64;
/// Largest page.
const LARGEST_PAGE: u32 = 1000;

type Read<T> = Result<T, Vec<Violation>>;

/// What an `OpenRequest` says, but for the bodies.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The firm.
    pub firm: Firm,
    /// How it comes here.
    pub source: Source,
    /// What it is suspected of.
    pub suspected: Vec<BusinessField>,
    /// What there is to see.
    pub evidence: Evidence,
    /// The bodies that the caller names.
    pub bodies: Vec<BodyId>,
}

/// A step of a referral.
pub type Referred = Read<Command>;

/// A code in capitals, where it is one: a wrong check digit is the register's matter.
#[must_use]
pub(crate) fn code(text: &str) -> Option<String> {
    let usable = matches!(uscc::check(text), Ok(()) | Err(UsccError::CheckDigit { .. }));
    usable.then(|| text.to_ascii_uppercase())
}

/// Where else a firm operates.
///
/// # Errors
/// What is wrong with the field.
pub fn places(field: &str, texts: &[String], engine: &Engine) -> Read<Vec<Region>> {
    let mut reader = Reader::new(engine);
    let places = reader.places(field, texts);
    reader.done(places)
}

/// A place that may be left out.
///
/// # Errors
/// What is wrong with the field.
pub fn place(field: &str, text: &str, engine: &Engine) -> Read<Option<Region>> {
    let mut reader = Reader::new(engine);
    let place = (!text.is_empty()).then(|| reader.region(field, text));
    reader.done(place)
}

/// How a screening comes to be recorded.
///
/// # Errors
/// What is wrong with the field.
pub fn source(number: i32, engine: &Engine) -> Read<Source> {
    let mut reader = Reader::new(engine);
    let source = reader.choice("source", number, Source::NameApproval);
    reader.done(source)
}

/// What someone told of a firm.
///
/// # Errors
/// What is wrong with the request.
pub fn opened(request: v1::OpenRequest, engine: &Engine) -> Read<Opened> {
    let mut reader = Reader::new(engine);
    reader.name(&request.name);
    let uscc = reader.code("uscc", &request.uscc);
    if request.region.trim().is_empty() {
        reader.refuse("region", "where the firm is registered is needed");
    }
    let registered = reader.region("region", &request.region);
    let kind = reader.choice("entity_kind", request.entity_kind, EntityKind::Enterprise);
    let source = reader.choice("source", request.source, Source::Complaint);
    if !matches!(source, Source::Complaint | Source::Roster | Source::OtherDistrict) {
        reader.refuse("source", "a complaint, a roster or another district; screenings are recorded by RecordScreening");
    }
    let suspected = reader.choices("business_fields", &request.business_fields);
    let evidence = reader.evidence("evidence", request.evidence.unwrap_or_default());
    let bodies = reader.bodies("bodies", &request.bodies);
    reader.done(Opened { firm: Firm { name: request.name, uscc, registered, kind }, source, suspected, evidence, bodies })
}

/// A code for a firm.
///
/// # Errors
/// What is wrong with the request.
pub fn link(firm: FirmId, request: &v1::LinkRequest, engine: &Engine) -> Read<Command> {
    let mut reader = Reader::new(engine);
    let uscc = reader.code("uscc", &request.uscc);
    if request.uscc.is_empty() {
        reader.refuse("uscc", "a unified social credit code is needed");
    }
    reader.done(Command::Link { firm, uscc: uscc.unwrap_or_default() })
}

/// What there is to see.
///
/// # Errors
/// What is wrong with the field.
pub fn evidence(field: &str, evidence: v1::NewEvidence, engine: &Engine) -> Read<Evidence> {
    let mut reader = Reader::new(engine);
    let evidence = reader.evidence(field, evidence);
    reader.done(evidence)
}

/// More evidence.
///
/// # Errors
/// What is wrong with the request.
pub fn addendum(firm: FirmId, request: v1::AddEvidenceRequest, engine: &Engine) -> Read<Command> {
    Ok(Command::AddEvidence { firm, evidence: evidence("evidence", request.evidence.unwrap_or_default(), engine)? })
}

/// A rejected hit.
///
/// # Errors
/// What is wrong with the request.
pub fn overruled(firm: FirmId, request: v1::OverruleRequest, engine: &Engine) -> Read<Command> {
    let mut reader = Reader::new(engine);
    let field = reader.choice("field", request.field, Field::Name);
    if request.field == 0 {
        reader.refuse("field", "which text the hit stands in is needed");
    }
    reader.needed("term", &request.term, LONGEST_SHORT);
    reader.needed("reason", &request.reason, LONGEST_TEXT);
    reader.done(Command::Overrule { firm, term: request.term, field, reason: request.reason })
}

/// A change of an entry.
///
/// # Errors
/// What is wrong with the request.
pub fn updated(firm: FirmId, request: v1::UpdateEntryRequest, engine: &Engine) -> Read<Command> {
    let mut reader = Reader::new(engine);
    reader.needed("reason", &request.reason, LONGEST_TEXT);
    let etag = (!request.etag.is_empty()).then(|| request.etag.parse().ok());
    if etag == Some(None) {
        reader.refuse("etag", "not an etag of an entry");
    }
    let mut update = Update { firm, etag: etag.flatten(), reason: request.reason, tags: None, note: None, operates: None, step: None };
    let paths = request.update_mask.map(|mask| mask.paths).unwrap_or_default();
    if paths.is_empty() {
        reader.refuse("update_mask", "names the fields that are changed: tags, note, places_of_operation, status, opinion");
    }
    for path in &paths {
        match path.as_str() {
            "tags" => update.tags = Some(reader.tags("tags", &request.tags)),
            "note" => {
                reader.needed("note", &request.note, LONGEST_TEXT);
                update.note = Some(request.note.clone());
            }
            "places_of_operation" => update.operates = Some(reader.places("places_of_operation", &request.places_of_operation)),
            "status" => update.step = reader.step(request.status, request.opinion.as_ref()),
            "opinion" if paths.iter().any(|path| path == "status") => {}
            "opinion" => reader.refuse("update_mask", "an opinion is given with the status WATCH_STATUS_DETERMINED"),
            other => reader.refuse("update_mask", format!("'{}' cannot be changed", other.escape_debug())),
        }
    }
    reader.done(Command::Update(Box::new(update)))
}

/// A revoked business licence.
///
/// # Errors
/// What is wrong with the request.
pub fn revoked(firm: FirmId, request: v1::RevokeRequest, today: Date, engine: &Engine) -> Read<Command> {
    let mut reader = Reader::new(engine);
    reader.needed("reason", &request.reason, LONGEST_TEXT);
    let day = reader.day("date", &request.date).unwrap_or(today);
    if day > today {
        reader.refuse("date", "a day to come");
    }
    reader.done(Command::Revoke { firm, day, reason: request.reason })
}

/// A step of a referral that needs no more than a note.
///
/// # Errors
/// What is wrong with the request.
pub fn noted(action: ReferralAction, referral: &str, field: &str, note: String, engine: &Engine) -> Referred {
    let mut reader = Reader::new(engine);
    if matches!(action, ReferralAction::Receive | ReferralAction::Accept) {
        reader.length(field, &note, LONGEST_TEXT);
    } else {
        reader.needed(field, &note, LONGEST_TEXT);
    }
    let referral = reader.referral(referral);
    reader.done(Command::Refer(Box::new(Refer { referral, action, opinion: None, to: None, note })))
}

/// A body's opinion.
///
/// # Errors
/// What is wrong with the request.
pub fn conclusion(request: &v1::ConcludeRequest, engine: &Engine) -> Referred {
    let mut reader = Reader::new(engine);
    let referral = reader.referral(&request.referral);
    let opinion = reader.opinion("opinion", request.opinion.as_ref());
    reader.done(Command::Refer(Box::new(Refer { referral, action: ReferralAction::Conclude, opinion, to: None, note: String::new() })))
}

/// A referral to another body.
///
/// # Errors
/// What is wrong with the request.
pub fn redirected(request: v1::RedirectRequest, engine: &Engine) -> Referred {
    let mut reader = Reader::new(engine);
    let referral = reader.referral(&request.referral);
    let to = reader.bodies("body", &[request.body]).pop();
    reader.needed("reason", &request.reason, LONGEST_TEXT);
    reader.done(Command::Refer(Box::new(Refer { referral, action: ReferralAction::Redirect, opinion: None, to, note: request.reason })))
}

/// Bodies that a field names.
///
/// # Errors
/// What is wrong with the field.
pub fn bodies(field: &str, texts: &[String], engine: &Engine) -> Read<Vec<BodyId>> {
    let mut reader = Reader::new(engine);
    let bodies = reader.bodies(field, texts);
    reader.done(bodies)
}

/// What entries are asked for.
///
/// # Errors
/// What is wrong with the filter.
pub fn filter(filter: &v1::WatchFilter, today: Date, engine: &Engine) -> Read<Vec<Condition>> {
    let mut reader = Reader::new(engine);
    let mut all = Vec::new();
    let mut one_of = |dimension, values: Vec<String>| {
        if !values.is_empty() {
            all.push(Condition::OneOf(dimension, values));
        }
    };
    one_of(Dimension::Status, ids(&reader.choices::<Status>("filter.statuses", &filter.statuses)));
    one_of(Dimension::Disposition, ids(&reader.choices::<Disposition>("filter.dispositions", &filter.dispositions)));
    one_of(Dimension::Level, ids(&reader.choices::<Decision>("filter.levels", &filter.levels)));
    one_of(Dimension::Term, reader.words("filter.terms", &filter.terms));
    one_of(Dimension::Field, ids(&reader.choices::<BusinessField>("filter.business_fields", &filter.business_fields)));
    one_of(Dimension::Source, ids(&reader.choices::<Source>("filter.sources", &filter.sources)));
    one_of(Dimension::Tag, reader.words("filter.tags", &filter.tags));
    all.extend(reader.region_condition("filter.region", &filter.region));
    all.extend(reader.days(DayOf::Opened, ("filter.opened_from", &filter.opened_from), ("filter.opened_to", &filter.opened_to)));
    all.extend(reader.days(DayOf::Changed, ("filter.changed_from", &filter.changed_from), ("filter.changed_to", &filter.changed_to)));
    all.extend(filter.overdue.then(|| overdue(today)));
    all.extend(reader.name_condition("filter.name_contains", &filter.name_contains));
    reader.done(all)
}

/// What referrals are asked for, but for the body.
///
/// # Errors
/// What is wrong with the request.
pub fn referral_filter(request: &v1::ReferralServiceListRequest, today: Date, engine: &Engine) -> Read<Vec<Condition>> {
    let mut reader = Reader::new(engine);
    let states = ids(&reader.choices::<ReferralState>("states", &request.states));
    let fields = ids(&reader.choices::<BusinessField>("business_fields", &request.business_fields));
    let of = |dimension, values: Vec<String>| (!values.is_empty()).then_some(Condition::OneOf(dimension, values));
    let mut all: Vec<Condition> = [of(Dimension::State, states), of(Dimension::Field, fields)].into_iter().flatten().collect();
    all.extend(reader.region_condition("region", &request.region));
    all.extend(reader.days(DayOf::Opened, ("sent_from", &request.sent_from), ("sent_to", &request.sent_to)));
    all.extend(request.overdue.then(|| overdue(today)));
    all.extend(reader.name_condition("name_contains", &request.name_contains));
    reader.done(all)
}

/// What was due before today.
fn overdue(today: Date) -> Condition {
    Condition::Within(DayOf::Due, None, Some(today.yesterday().unwrap_or(today)))
}

/// By what entries are counted.
///
/// # Errors
/// What is wrong with the field.
pub fn count_by(by: &[i32], engine: &Engine) -> Read<(Dimension, Option<Dimension>)> {
    let mut reader = Reader::new(engine);
    let mut dimensions = by.iter().filter_map(|number| match v1::CountBy::try_from(*number) {
        Ok(v1::CountBy::Status) => Some(Dimension::Status),
        Ok(v1::CountBy::Disposition) => Some(Dimension::Disposition),
        Ok(v1::CountBy::Level) => Some(Dimension::Level),
        Ok(v1::CountBy::Term) => Some(Dimension::Term),
        Ok(v1::CountBy::BusinessField) => Some(Dimension::Field),
        Ok(v1::CountBy::Region) => Some(Dimension::Region),
        Ok(v1::CountBy::Source) => Some(Dimension::Source),
        Ok(v1::CountBy::Tag) => Some(Dimension::Tag),
        Ok(v1::CountBy::Unspecified) | Err(_) => None,
    });
    let (first, second) = (dimensions.next(), dimensions.next());
    let told = usize::from(first.is_some()) + usize::from(second.is_some());
    if by.is_empty() || by.len() > 2 || told != by.len() {
        reader.refuse("by", "one or two values of CountBy");
    }
    reader.done((first.unwrap_or(Dimension::Status), second))
}

/// How much a page holds.
///
/// # Errors
/// Where it is too much.
pub fn page_size(size: u32, default: u32, engine: &Engine) -> Read<usize> {
    let mut reader = Reader::new(engine);
    if size > LARGEST_PAGE {
        reader.refuse("page_size", format!("{size}; at most {LARGEST_PAGE}"));
    }
    reader.done(if size == 0 { default } else { size } as usize)
}

/// As of which instant.
///
/// # Errors
/// Where it is none.
pub fn until(text: &str, engine: &Engine) -> Read<Until> {
    let mut reader = Reader::new(engine);
    let at = (!text.is_empty()).then(|| text.parse::<Timestamp>().ok());
    if at == Some(None) {
        reader.refuse("as_of", "not an instant of RFC 3339, such as 2026-11-24T08:00:00.000Z");
    }
    reader.done(at.flatten().map_or(Until::Now, Until::Instant))
}

fn ids<T: Member>(values: &[T]) -> Vec<String> {
    values.iter().map(|value| value.id().to_owned()).collect()
}

impl Reader<'_> {
    fn needed(&mut self, field: &str, text: &str, most: usize) {
        if self.length(field, text, most) && text.trim().is_empty() {
            self.refuse(field, "is needed");
        }
    }

    fn few(&mut self, field: &str, count: usize) -> bool {
        if count > MOST {
            self.refuse(field, format!("{count} values; at most {MOST}"));
        }
        count <= MOST
    }

    fn choices<T: Member + PartialEq>(&mut self, field: &str, numbers: &[i32]) -> Vec<T> {
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
    fn words(&mut self, field: &str, texts: &[String]) -> Vec<String> {
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

    fn tags(&mut self, field: &str, texts: &[String]) -> Vec<String> {
        let mut tags = self.words(field, texts);
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    fn places(&mut self, field: &str, texts: &[String]) -> Vec<Region> {
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

    fn code(&mut self, field: &str, text: &str) -> Option<String> {
        if text.is_empty() || !self.length(field, text, LONGEST_SHORT) {
            return None;
        }
        let code = code(text);
        if code.is_none() {
            self.refuse(field, "not a unified social credit code of 18 characters");
        }
        code
    }

    fn bodies(&mut self, field: &str, texts: &[String]) -> Vec<BodyId> {
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

    fn referral(&mut self, text: &str) -> ReferralId {
        text.parse().unwrap_or_else(|_| {
            self.refuse("referral", "not the number of a referral, such as R17");
            ReferralId(0)
        })
    }

    fn evidence(&mut self, field: &str, evidence: v1::NewEvidence) -> Evidence {
        let v1::NewEvidence { reference, text, informant } = evidence;
        self.length(&format!("{field}.reference"), &reference, LONGEST_SHORT);
        self.length(&format!("{field}.text"), &text, LONGEST_TEXT);
        self.length(&format!("{field}.informant"), &informant, LONGEST_SHORT);
        if reference.trim().is_empty() && text.trim().is_empty() {
            self.refuse(field, "a reference or a text is needed");
        }
        Evidence { reference, text, informant }
    }

    fn step(&mut self, status: i32, opinion: Option<&v1::Opinion>) -> Option<(EntryAction, Option<Opinion>)> {
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

    fn opinion(&mut self, field: &str, opinion: Option<&v1::Opinion>) -> Option<Opinion> {
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

    fn name_condition(&mut self, field: &str, text: &str) -> Option<Condition> {
        if text.is_empty() {
            return None;
        }
        let wanted = comparable(text);
        if self.length(field, text, LONGEST_SHORT) && wanted.is_empty() {
            self.refuse(field, "nothing but blanks");
        }
        Some(Condition::Name(wanted))
    }

    fn region_condition(&mut self, field: &str, text: &str) -> Option<Condition> {
        let region = (!text.is_empty()).then(|| self.region(field, text))?;
        Some(Condition::OneOf(Dimension::Region, vec![region.to_string()]))
    }

    fn days(&mut self, of: DayOf, from: (&str, &str), to: (&str, &str)) -> Option<Condition> {
        let (first, last) = (self.day(from.0, from.1), self.day(to.0, to.1));
        if let (Some(first), Some(last)) = (first, last)
            && last < first
        {
            self.refuse(to.0, "the last day is before the first");
        }
        (first.is_some() || last.is_some()).then_some(Condition::Within(of, first, last))
    }
}
