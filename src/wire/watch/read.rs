//! From messages to commands and queries, or everything that is wrong with them.

use jiff::Timestamp;

use crate::{
    day::Date,
    jurisdiction::Region,
    office::Until,
    screen::Engine,
    set::Member,
    vocabulary::{BusinessField, Decision, EntityKind, Field},
    watch::{
        Disposition, ReferralState, Source, Status,
        attribute::{DayOf, Dimension},
        command::{Command, Evidence, Firm, Refer, Update},
        key::FirmId,
        query::Condition,
        transition::ReferralAction,
    },
    wire::{
        Violation,
        request::{LONGEST_SHORT, Reader},
        v1,
    },
    wordlist::tables::BodyId,
};

/// Longest text that people write, in bytes.
pub(super) const LONGEST_TEXT: usize = 8 << 10;
/// Most values of a list.
pub(super) const MOST: usize = 64;
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

/// Where else a firm operates.
///
/// # Errors
/// What is wrong with the field.
pub fn places(field: &str, texts: &[String], engine: &Engine) -> Read<Vec<Region>> {
    let mut reader = Reader::new(engine);
    let places = reader.places(field, texts);
    reader.done(places)
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

/// More evidence.
///
/// # Errors
/// What is wrong with the request.
pub fn addendum(firm: FirmId, request: v1::AddEvidenceRequest, engine: &Engine) -> Read<Command> {
    let mut reader = Reader::new(engine);
    let evidence = reader.evidence("evidence", request.evidence.unwrap_or_default());
    reader.done(Command::AddEvidence { firm, evidence })
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
pub fn noted(action: ReferralAction, referral: &str, field: &str, note: String, engine: &Engine) -> Read<Command> {
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
pub fn conclusion(request: &v1::ConcludeRequest, engine: &Engine) -> Read<Command> {
    let mut reader = Reader::new(engine);
    let referral = reader.referral(&request.referral);
    let opinion = reader.opinion("opinion", request.opinion.as_ref());
    reader.done(Command::Refer(Box::new(Refer { referral, action: ReferralAction::Conclude, opinion, to: None, note: String::new() })))
}

/// A referral to another body.
///
/// # Errors
/// What is wrong with the request.
pub fn redirected(request: v1::RedirectRequest, engine: &Engine) -> Read<Command> {
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
