//! Folding events into a file (事件折叠). Cannot fail: whatever stands in the journal happened.

use std::collections::BTreeSet;

use super::{
    Status,
    event::{Change, Event, Recorded, Sent},
    file::{Entry, Evidence, File, Note, Overruled, Reason, Stamp},
    referral::{Referral, Step},
    transition::{EntryAction, entry_after},
};
use crate::vocabulary::Decision;

impl File {
    /// The file of a firm after a change. None where there was no file and the change opens none.
    #[must_use]
    pub fn after(before: Option<Self>, change: &Change, record: Recorded<'_>) -> Option<Self> {
        let mut events = change.events.iter();
        let mut file = match before {
            Some(file) => file,
            None => Self::opened(change, events.next()?, record)?,
        };
        events.for_each(|event| file.apply(event, record));
        file.changed = record.stamp();
        Some(file)
    }

    fn opened(change: &Change, first: &Event, record: Recorded<'_>) -> Option<Self> {
        let Event::Seen { name, uscc, registered, kind } = first else { return None };
        let stamp = record.stamp();
        Some(Self {
            id: change.firm,
            name: name.clone(),
            uscc: uscc.clone(),
            registered: *registered,
            kind: *kind,
            operates: Vec::new(),
            former: Vec::new(),
            screened: None,
            overruled: Vec::new(),
            entry: None,
            referrals: Vec::new(),
            joined_to: None,
            joined: Vec::new(),
            opened: stamp,
            changed: stamp,
        })
    }

    /// Folds one event in.
    pub fn apply(&mut self, event: &Event, record: Recorded<'_>) {
        match event {
            Event::Seen { .. } => {} // it has a file
            Event::Screened(screened) => self.screened = Some(screened.clone()),
            Event::Renamed { name } => self.name.clone_from(name),
            Event::Moved { registered } => self.moved(*registered),
            Event::Operates { places } => self.operates.clone_from(places),
            Event::Coded { uscc } => self.uscc = Some(uscc.clone()),
            Event::JoinedTo { firm } => self.joined_to = Some(*firm),
            Event::Took { file } => self.take(file),
            Event::Overruled { term, field, reason } => {
                let (by, at) = (record.by.to_owned(), record.at);
                self.overruled.push(Overruled { term: term.clone(), field: *field, reason: reason.clone(), by, at });
            }
            Event::Sent(sent) => self.send(sent, record),
            Event::Went { .. } => self.went(event, record),
            Event::Watched { .. } => self.watch(event, record),
            of_entry => {
                self.settle(of_entry);
                if let Some(entry) = &mut self.entry {
                    entry.apply(of_entry, record);
                }
            }
        }
    }

    /// Where the entry is determined, released or opened again, nobody waits any more for what was sent before.
    fn settle(&mut self, event: &Event) {
        if let Event::Stepped { action: EntryAction::Determine | EntryAction::Release | EntryAction::Reopen, .. } = event {
            for referral in &mut self.referrals {
                referral.due = None;
            }
        }
    }

    fn moved(&mut self, registered: crate::jurisdiction::Region) {
        let nearer = self.registered.covers(registered); // it was said less exactly before
        if !nearer && !self.former.contains(&self.registered) {
            self.former.push(self.registered);
        }
        self.former.retain(|place| *place != registered);
        self.operates.retain(|place| *place != registered);
        self.registered = registered;
    }

    /// Everything of the other file, behind what is here.
    fn take(&mut self, other: &Self) {
        let mut known: BTreeSet<_> = self.places().collect();
        self.operates.extend(other.operates.iter().copied().filter(|place| known.insert(*place)));
        self.former.extend(other.places().filter(|place| known.insert(*place)));
        self.overruled.extend(other.overruled.iter().cloned());
        if self.screened.is_none() {
            self.screened.clone_from(&other.screened);
        }
        self.take_referrals(other);
        self.joined.push(other.id);
        self.joined.extend(other.joined.iter().copied());
        match (&mut self.entry, &other.entry) {
            (_, None) => {}
            (none @ None, Some(theirs)) => *none = Some(theirs.clone()),
            (Some(ours), Some(theirs)) => ours.take(theirs),
        }
    }

    /// Those of an entry that is still open are determined jointly with ours, where ours is too.
    fn take_referrals(&mut self, other: &Self) {
        let (ours, theirs) = (self.entry.clone(), other.entry.clone());
        let round = joint_round(ours.as_ref(), theirs.as_ref());
        let rounded = |referral: &Referral, entry: Option<&Entry>| {
            let moves = entry.is_some_and(|entry| entry.is_at_work() && referral.round == entry.round);
            Referral { round: if moves { round } else { referral.round }, ..referral.clone() }
        };
        let all = self.referrals.iter().map(|referral| rounded(referral, ours.as_ref()));
        let mut all: Vec<Referral> = all.chain(other.referrals.iter().map(|referral| rounded(referral, theirs.as_ref()))).collect();
        all.sort_by_key(|referral| referral.id);
        self.referrals = all;
    }

    fn send(&mut self, sent: &Sent, record: Recorded<'_>) {
        if let Some(after) = sent.after
            && let Some(before) = self.referrals.iter_mut().find(|referral| referral.id == after)
        {
            before.next = Some(sent.referral);
            before.due = None;
        }
        let first = Step {
            state: super::ReferralState::Sent,
            sequence: record.sequence,
            at: record.at,
            by: record.by.to_owned(),
            note: String::new(),
        };
        self.referrals.push(Referral {
            id: sent.referral,
            round: self.entry.as_ref().map_or(0, |entry| entry.round),
            body: sent.body,
            why: sent.why.clone(),
            fields: sent.fields.clone(),
            due: Some(sent.due),
            steps: vec![first],
            opinion: None,
            after: sent.after,
            next: None,
        });
    }

    fn went(&mut self, event: &Event, record: Recorded<'_>) {
        let Event::Went { referral, state, due, opinion, note } = event else { return };
        let Some(referral) = self.referrals.iter_mut().find(|known| known.id == *referral) else { return };
        let (by, note) = (record.by.to_owned(), note.clone());
        referral.steps.push(Step { state: *state, sequence: record.sequence, at: record.at, by, note });
        referral.due = *due;
        if opinion.is_some() {
            referral.opinion.clone_from(opinion);
        }
    }

    fn watch(&mut self, event: &Event, record: Recorded<'_>) {
        let Event::Watched { source, level, reasons, suspected } = event else { return };
        let entry = self.entry.get_or_insert_with(|| Entry::opened(record));
        entry.sources.insert(*source);
        entry.level = entry.level.max(*level);
        entry.learn(reasons);
        entry.suspected.extend(suspected.iter().copied());
    }
}

/// The round of two entries that become one: where one is settled and the other is not, it is a new one, so that what
/// was settled does not count in it.
fn joint_round(ours: Option<&Entry>, theirs: Option<&Entry>) -> u32 {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => ours.round.max(theirs.round) + u32::from(ours.is_at_work() != theirs.is_at_work()),
        (one, other) => one.or(other).map_or(0, |entry| entry.round),
    }
}

impl Entry {
    /// Whether it is still to be determined what becomes of the firm.
    fn is_at_work(&self) -> bool {
        matches!(self.status, Status::Open | Status::UnderReview)
    }

    fn opened(record: Recorded<'_>) -> Self {
        Self {
            opened: record.stamp(),
            round: 1,
            status: Status::Open,
            level: Decision::Attention,
            sources: BTreeSet::new(),
            reasons: Vec::new(),
            suspected: BTreeSet::new(),
            determined: None,
            disagreement: false,
            revoked: None,
            tags: BTreeSet::new(),
            notes: Vec::new(),
            evidence: Vec::new(),
        }
    }

    /// Reasons of a known term in the same text say what is known of it now, and keep every rule that ever spoke.
    fn learn(&mut self, reasons: &[Reason]) {
        for reason in reasons {
            let same = self.reasons.iter_mut().find(|known| known.term == reason.term && known.field == reason.field);
            let Some(known) = same else {
                self.reasons.push(reason.clone());
                continue;
            };
            let mut rules = reason.rules.clone();
            rules.extend(known.rules.iter().filter(|rule| !reason.rules.contains(rule)).cloned());
            *known = Reason { rules, force: known.force.max(reason.force), ..reason.clone() };
        }
    }

    fn take(&mut self, other: &Self) {
        self.sources.extend(other.sources.iter().copied());
        self.level = self.level.max(other.level);
        self.learn(&other.reasons);
        self.suspected.extend(other.suspected.iter().copied());
        self.tags.extend(other.tags.iter().cloned());
        self.notes.extend(other.notes.iter().cloned());
        self.evidence.extend(other.evidence.iter().cloned());
        self.round = joint_round(Some(self), Some(other));
        self.revoked = self.revoked.or(other.revoked);
        if other.opened.sequence < self.opened.sequence {
            self.opened = other.opened;
        }
        match (self.is_at_work(), other.is_at_work()) {
            (true, true) => {
                self.disagreement |= other.disagreement;
                self.status = self.status.max(other.status);
            }
            (false, theirs) if theirs || other.status < self.status => {
                self.status = other.status;
                self.disagreement = other.disagreement;
                self.determined.clone_from(&other.determined);
            }
            _ => {} // what is still open stays open
        }
    }

    fn apply(&mut self, event: &Event, record: Recorded<'_>) {
        let (by, at) = (record.by.to_owned(), record.at);
        match event {
            Event::Stepped { action, opinion } => self.step(*action, opinion.clone()),
            Event::Disagreed { disagreement } => self.disagreement = *disagreement,
            Event::Revoked { day } => self.revoked = Some(*day),
            Event::Noted { text } => self.notes.push(Note { text: text.clone(), by, at }),
            Event::Tagged { tags } => self.tags = tags.iter().cloned().collect(),
            Event::Evidence { reference, text, informant } => {
                let (reference, text, informant) = (reference.clone(), text.clone(), informant.clone());
                self.evidence.push(Evidence { reference, text, informant, by, at });
            }
            _ => {} // of the file, not of its entry
        }
    }

    fn step(&mut self, action: EntryAction, opinion: Option<super::referral::Opinion>) {
        self.status = entry_after(action, self.status).unwrap_or(self.status);
        match action {
            EntryAction::Reopen => {
                self.round += 1;
                self.determined = None;
                self.disagreement = false;
            }
            EntryAction::Determine => {
                self.determined = opinion;
                self.disagreement = false;
            }
            EntryAction::Review | EntryAction::Release => {}
        }
    }
}

impl Recorded<'_> {
    fn stamp(&self) -> Stamp {
        Stamp { sequence: self.sequence, at: self.at }
    }
}
