//! From files and records to messages.

use jiff::Timestamp;

use crate::{
    day::Date,
    journal::{self, line},
    jurisdiction::Region,
    office::{HistoryEntry, Payload},
    routing::body_name,
    screen::Engine,
    watch::{
        event::Change,
        file::{Entry, Evidence, File, Note, Overruled, Reason, Screened},
        query,
        referral::{Opinion, Referral, Step},
    },
    wire::{number, response::written, v1},
};

/// Who reads, and when: what may be shown, and what is overdue.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'e> {
    /// The lists in use, for the names of places and bodies.
    pub engine: &'e Engine,
    /// Today in UTC+8.
    pub today: Date,
    /// Whether it is of the finance side, which alone sees who informed (举报人).
    pub finance: bool,
}

/// An instant as messages have it.
#[must_use]
pub fn instant(at: Timestamp) -> String {
    line::instant(at)
}

/// How far the journal goes.
#[must_use]
pub fn head(head: journal::Head) -> v1::Head {
    v1::Head { sequence: head.sequence, hash: head.hash.to_string() }
}

/// Counts.
#[must_use]
pub fn counts(counts: Vec<query::Count>) -> v1::CountResponse {
    let written = |query::Count { first, second, count }| v1::Count { first, second, count };
    v1::CountResponse { counts: counts.into_iter().map(written).collect() }
}

impl Reader<'_> {
    fn place(&self, region: Region) -> String {
        self.engine.lists().divisions().full_name(region).unwrap_or_default()
    }

    /// A firm's file.
    #[must_use]
    pub fn entry(&self, file: &File) -> v1::WatchEntry {
        let of_file = v1::WatchEntry {
            firm: file.id.to_string(),
            etag: file.changed.sequence.to_string(),
            name: file.name.clone(),
            uscc: file.uscc.clone().unwrap_or_default(),
            region: file.registered.to_string(),
            region_name: self.place(file.registered),
            entity_kind: number(file.kind),
            places_of_operation: file.operates.iter().map(ToString::to_string).collect(),
            former_regions: file.former.iter().map(ToString::to_string).collect(),
            business_fields: file.fields().into_iter().map(number).collect(),
            overruled: file.overruled.iter().map(overruled).collect(),
            referrals: file.referrals.iter().map(|referral| self.referral(file, referral)).collect(),
            due_on: written(file.due()),
            changed_at: instant(file.changed.at),
            last_screening: file.screened.as_ref().map(screened),
            joined_to: file.joined_to.map(|firm| firm.to_string()).unwrap_or_default(),
            joined: file.joined.iter().map(ToString::to_string).collect(),
            ..v1::WatchEntry::default()
        };
        file.entry.as_ref().map_or(of_file.clone(), |entry| self.watched(entry, of_file))
    }

    fn watched(&self, entry: &Entry, of_file: v1::WatchEntry) -> v1::WatchEntry {
        v1::WatchEntry {
            status: number(entry.status),
            level: number(entry.level),
            sources: entry.sources.iter().copied().map(number).collect(),
            reasons: entry.reasons.iter().map(reason).collect(),
            determined: entry.determined.as_ref().map(opinion),
            disagreement: entry.disagreement,
            revoked_on: written(entry.revoked),
            tags: entry.tags.iter().cloned().collect(),
            notes: entry.notes.iter().map(note).collect(),
            evidence: entry.evidence.iter().map(|evidence| self.evidence(evidence)).collect(),
            round: entry.round,
            opened_at: instant(entry.opened.at),
            ..of_file
        }
    }

    fn evidence(&self, evidence: &Evidence) -> v1::Evidence {
        v1::Evidence {
            reference: evidence.reference.clone(),
            text: evidence.text.clone(),
            informant: if self.finance { evidence.informant.clone() } else { String::new() },
            by: evidence.by.clone(),
            at: instant(evidence.at),
        }
    }

    /// A referral of a firm.
    #[must_use]
    pub fn referral(&self, file: &File, referral: &Referral) -> v1::Referral {
        v1::Referral {
            id: referral.id.to_string(),
            firm: file.id.to_string(),
            firm_name: file.name.clone(),
            uscc: file.uscc.clone().unwrap_or_default(),
            region: file.registered.to_string(),
            body: referral.body.to_string(),
            body_name: body_name(&referral.body, self.today, self.engine.lists()).0,
            why: referral.why.clone(),
            business_fields: referral.fields.iter().copied().map(number).collect(),
            state: number(referral.state()),
            due_on: written(referral.due),
            overdue: referral.is_overdue(self.today),
            steps: referral.steps.iter().map(step).collect(),
            opinion: referral.opinion.as_ref().map(opinion),
            after: referral.after.map(|id| id.to_string()).unwrap_or_default(),
            next: referral.next.map(|id| id.to_string()).unwrap_or_default(),
            round: referral.round,
        }
    }

    /// A record.
    #[must_use]
    pub fn record(&self, entry: HistoryEntry) -> v1::Record {
        let payload = if self.finance { entry.payload } else { entry.payload.without_informants() };
        v1::Record {
            head: Some(head(entry.head)),
            at: instant(entry.at),
            actor: entry.actor,
            request_id: entry.request_id,
            kind: entry.kind,
            firms: firms(&payload),
            payload: payload.write().map(|json| json.get().to_owned()).unwrap_or_default(), // all of it can be written
        }
    }
}

fn firms(payload: &Payload) -> Vec<String> {
    payload.changes.iter().map(|Change { firm, .. }| firm.to_string()).collect()
}

fn reason(reason: &Reason) -> v1::WatchReason {
    v1::WatchReason {
        term: reason.term.clone(),
        field: number(reason.field),
        text: reason.text.clone(),
        business_field: number(reason.business),
        force: number(reason.force),
        rules: reason.rules.clone(),
        lists_hash: reason.lists_hash.clone(),
    }
}

fn screened(screened: &Screened) -> v1::LastScreening {
    v1::LastScreening { decision: number(screened.decision), lists_hash: screened.lists_hash.clone(), date: screened.day.to_string() }
}

fn opinion(opinion: &Opinion) -> v1::Opinion {
    v1::Opinion { disposition: number(opinion.disposition), deadline: written(opinion.deadline), text: opinion.text.clone() }
}

fn note(note: &Note) -> v1::Note {
    v1::Note { text: note.text.clone(), by: note.by.clone(), at: instant(note.at) }
}

/// Those of the hits of an answer that were overruled in the firm's file.
#[must_use]
pub fn overruled_of(file: &File, hits: &[v1::Hit]) -> Vec<v1::OverruledHit> {
    let written = file.overruled.iter().map(overruled);
    written.filter(|known| hits.iter().any(|hit| (&hit.term, hit.field) == (&known.term, known.field))).collect()
}

fn overruled(overruled: &Overruled) -> v1::OverruledHit {
    v1::OverruledHit {
        term: overruled.term.clone(),
        field: number(overruled.field),
        reason: overruled.reason.clone(),
        by: overruled.by.clone(),
        at: instant(overruled.at),
    }
}

fn step(step: &Step) -> v1::ReferralStep {
    v1::ReferralStep {
        state: number(step.state),
        sequence: step.sequence,
        at: instant(step.at),
        by: step.by.clone(),
        note: step.note.clone(),
    }
}
