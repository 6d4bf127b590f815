//! The watch list as the issue tells it, as plainly as can be: firms in a row, looked through from one end to the other.

mod handover;

use std::collections::{BTreeMap, BTreeSet};

use mingcha::{
    auth::{Identity, Role},
    jurisdiction::Region,
    vocabulary::{BusinessField, Decision, Event as Asked, Field},
    watch::{
        Disposition, ReferralState as State, Source, Status,
        command::{Command, Inform, Screening, Told, Update},
        file::Reason,
        key::comparable,
        transition::EntryAction,
    },
    wordlist::tables::BodyId,
};

/// What a command came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    Recorded,
    Nothing,
    Before,
    Refused,
}

/// A firm, with what can be compared of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Firm {
    pub(super) name: String,
    pub(super) code: Option<String>,
    pub(super) place: Option<Region>,
    pub(super) operates: BTreeSet<Region>,
    pub(super) former: BTreeSet<Region>,
    pub(super) goes_on_in: Option<u32>,
    pub(super) overruled: usize,
    pub(super) watched: Option<Watched>,
    pub(super) referrals: BTreeMap<u32, Sent>,
    pub(super) last: Option<(String, String, Decision)>,
    /// The record with which it came by its name, or its place.
    pub(super) named: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watched {
    pub(super) round: u32,
    pub(super) status: Status,
    pub(super) level: Decision,
    pub(super) sources: BTreeSet<Source>,
    /// Rules of each term in each text, with its field of business.
    pub(super) terms: BTreeMap<(String, Field), (BusinessField, BTreeSet<String>)>,
    pub(super) suspected: BTreeSet<BusinessField>,
    pub(super) determined: Option<Disposition>,
    pub(super) disagreement: bool,
    pub(super) revoked: bool,
    pub(super) tags: BTreeSet<String>,
    pub(super) notes: usize,
    pub(super) evidence: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) body: BodyId,
    pub(super) round: u32,
    pub(super) state: State,
    pub(super) opinion: Option<Disposition>,
    pub(super) after: Option<u32>,
    pub(super) next: Option<u32>,
    pub(super) fields: Vec<BusinessField>,
}

impl Firm {
    fn places(&self) -> BTreeSet<Region> {
        self.place.iter().chain(&self.operates).chain(&self.former).copied().collect()
    }

    fn is_home_of(&self, identity: &Identity) -> bool {
        self.place.is_some_and(|place| identity.regions.iter().any(|region| region.covers(place)))
    }

    /// Whether a body other than the caller's is at work on it.
    fn others_work(&self, identity: &Identity) -> bool {
        let round = self.watched.as_ref().map_or(0, |watched| watched.round);
        let works = |sent: &&Sent| sent.round == round && sent.next.is_none() && is_open(sent.state);
        self.referrals.values().filter(works).any(|sent| identity.body != Some(sent.body))
    }

    fn is_within_reach_of(&self, identity: &Identity) -> bool {
        self.places().iter().any(|place| identity.regions.iter().any(|region| region.covers(*place)))
    }
}

impl Watched {
    fn at_work(&self) -> bool {
        matches!(self.status, Status::Open | Status::UnderReview)
    }

    fn let_go(&self) -> bool {
        self.status == Status::Released || self.status == Status::Determined && self.determined == Some(Disposition::Compliant)
    }

    fn learn(&mut self, reasons: &[Reason]) {
        for reason in reasons {
            let known = self.terms.entry((reason.term.clone(), reason.field)).or_insert((reason.business, BTreeSet::new()));
            known.0 = reason.business;
            known.1.extend(reason.rules.iter().cloned());
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) firms: Vec<Firm>,
    pub(super) records: usize,
    requests: BTreeMap<(String, String), String>,
    referrals: u32,
}

/// Why nothing happens.
struct Refused;

type Outcome = Result<bool, Refused>;

fn wants(holds: bool) -> Result<(), Refused> {
    if holds { Ok(()) } else { Err(Refused) }
}

impl Model {
    pub(super) fn submit(&mut self, identity: &Identity, request_id: &str, command: &Command) -> Came {
        let key = (identity.id.clone(), request_id.to_owned());
        let body = format!("{command:?}");
        if let Some(known) = self.requests.get(&key).filter(|_| !request_id.is_empty()) {
            return if *known == body { Came::Before } else { Came::Refused };
        }
        let before = self.clone();
        self.records += 1;
        match self.carry_out(identity, command) {
            Ok(true) => {
                self.requests.insert(key, body);
                Came::Recorded
            }
            Ok(false) => {
                *self = before;
                Came::Nothing
            }
            Err(Refused) => {
                *self = before;
                Came::Refused
            }
        }
    }

    fn carry_out(&mut self, identity: &Identity, command: &Command) -> Outcome {
        match command {
            Command::Record(screening) => Ok(self.record(screening)),
            Command::Open(told) => self.open(identity, told),
            Command::Refer(refer) => self.refer(identity, refer),
            Command::Link { firm, uscc } => self.link(identity, firm.0, uscc),
            Command::AddEvidence { firm, .. } => {
                self.watched(identity, firm.0)?.evidence += 1;
                Ok(true)
            }
            Command::Overrule { firm, term, field, .. } => {
                wants(self.watched(identity, firm.0)?.terms.contains_key(&(term.clone(), *field)))?;
                wants(self.firm(firm.0)?.is_home_of(identity))?;
                self.firm(firm.0)?.overruled += 1;
                Ok(true)
            }
            Command::Revoke { firm, .. } => {
                wants(self.firm(firm.0)?.is_home_of(identity))?;
                let watched = self.watched(identity, firm.0)?;
                wants(watched.status == Status::Determined && watched.determined == Some(Disposition::Revoke))?;
                watched.revoked = true;
                Ok(true)
            }
            Command::Update(update) => self.update(identity, update),
        }
    }

    fn firm(&mut self, number: u32) -> Result<&mut Firm, Refused> {
        let firm = self.firms.get_mut(number as usize - 1).ok_or(Refused)?;
        wants(firm.goes_on_in.is_none())?;
        Ok(firm)
    }

    fn watched(&mut self, identity: &Identity, number: u32) -> Result<&mut Watched, Refused> {
        let firm = self.firm(number)?;
        wants(firm.is_within_reach_of(identity))?;
        firm.watched.as_mut().ok_or(Refused)
    }

    /// By its code, else by its name where it is registered: of several that have the name, who came by it last.
    fn find(&self, wanted: &mingcha::watch::command::Firm) -> Option<usize> {
        let coded = self.firms.iter().position(|firm| wanted.uscc.is_some() && firm.code == wanted.uscc);
        let named = |firm: &Firm| firm.place == Some(wanted.registered) && comparable(&firm.name) == comparable(&wanted.name);
        let mut bearers: Vec<(usize, usize)> =
            (0..).zip(&self.firms).filter(|(_, firm)| named(firm)).map(|(index, firm)| (firm.named, index)).collect();
        bearers.sort_unstable();
        let goes_on = |index: usize| self.firms[index].goes_on_in.map_or(index, |number| number as usize - 1);
        let mut found = bearers.into_iter().rev().map(|(_, index)| goes_on(index));
        coded.or_else(|| found.find(|index| wanted.uscc.is_none() || self.firms[*index].code.is_none()))
    }

    fn found_or_new(&mut self, wanted: &mingcha::watch::command::Firm) -> (usize, bool) {
        if let Some(index) = self.find(wanted) {
            return (index, false);
        }
        let (name, code, place, named) = (wanted.name.clone(), wanted.uscc.clone(), Some(wanted.registered), self.records);
        self.firms.push(Firm { name, code, place, named, ..Firm::default() });
        (self.firms.len() - 1, true)
    }

    fn record(&mut self, screening: &Screening) -> bool {
        let (index, new) = self.found_or_new(&screening.firm);
        let before = self.firms[index].clone();
        self.who_and_where(index, screening);
        let now = (screening.screened.texts.clone(), screening.screened.lists_hash.clone(), screening.screened.decision);
        let news = news(&before, screening);
        let same = !new && self.firms[index] == before && news.is_none() && before.last.as_ref() == Some(&now);
        if same && screening.source == Source::Rescreening {
            return false;
        }
        self.firms[index].last = Some(now);
        let Some((reasons, reopens)) = news else { return true };
        let decision = screening.screened.decision;
        self.watch(index, screening.source, decision, reopens).learn(&reasons);
        let concerned =
            |inform: &&Inform| decision >= Decision::Restricted && reasons.iter().any(|reason| inform.fields.contains(&reason.business));
        self.tell(index, screening.inform.iter().filter(concerned), reopens);
        true
    }

    fn who_and_where(&mut self, index: usize, screening: &Screening) {
        let (told, records) = (&screening.firm, self.records);
        let firm = &mut self.firms[index];
        let (place, key) = (firm.place.expect("it has one"), (firm.place, comparable(&firm.name)));
        let stands = screening.event == Asked::Existing || screening.screened.decision < Decision::Restricted;
        if stands {
            firm.name.clone_from(&told.name);
        }
        firm.code = firm.code.clone().or(told.uscc.clone());
        if stands && screening.event == Asked::MoveIn || place.covers(told.registered) {
            if !place.covers(told.registered) {
                firm.former.insert(place);
            }
            firm.former.remove(&told.registered);
            firm.operates.remove(&told.registered);
            firm.place = Some(told.registered);
        } else if !told.registered.covers(place) {
            firm.operates.insert(told.registered);
        }
        let elsewhere: Vec<Region> = screening.operates.iter().copied().filter(|place| Some(*place) != firm.place).collect();
        firm.operates.extend(elsewhere);
        if key != (firm.place, comparable(&firm.name)) {
            firm.named = records;
        }
    }

    /// Opens its entry, or opens it again, or has it as it is.
    fn watch(&mut self, index: usize, source: Source, level: Decision, reopens: bool) -> &mut Watched {
        let watched = self.firms[index].watched.get_or_insert_with(|| Watched {
            round: 1,
            status: Status::Open,
            level,
            sources: BTreeSet::new(),
            terms: BTreeMap::new(),
            suspected: BTreeSet::new(),
            determined: None,
            disagreement: false,
            revoked: false,
            tags: BTreeSet::new(),
            notes: 0,
            evidence: 0,
        });
        if reopens {
            watched.round += 1;
            watched.status = Status::Open;
            watched.determined = None;
            watched.disagreement = false;
        }
        watched.level = watched.level.max(level);
        watched.sources.insert(source);
        watched
    }

    fn tell<'i>(&mut self, index: usize, informs: impl Iterator<Item = &'i Inform>, reopens: bool) {
        let before = self.firms[index].clone();
        let round = before.watched.as_ref().map_or(0, |watched| watched.round);
        for inform in informs {
            let works = |sent: &Sent| sent.body == inform.body && sent.round == round && sent.next.is_none() && is_open(sent.state);
            if reopens || !before.referrals.values().any(works) {
                self.send(index, inform.body, inform.fields.clone(), None);
            }
        }
    }

    fn send(&mut self, index: usize, body: BodyId, fields: Vec<BusinessField>, after: Option<u32>) -> u32 {
        self.referrals += 1;
        let round = self.firms[index].watched.as_ref().map_or(0, |watched| watched.round);
        let sent = Sent { body, round, state: State::Sent, opinion: None, after, next: None, fields };
        self.firms[index].referrals.insert(self.referrals, sent);
        self.referrals
    }

    fn open(&mut self, identity: &Identity, told: &Told) -> Outcome {
        let is = |role| identity.roles.contains(role);
        match told.source {
            Source::Complaint => wants(is(Role::Finance) || is(Role::Registrar))?,
            _ => wants(is(Role::Finance) || told.evidence.informant.is_empty())?,
        }
        let (index, _) = self.found_or_new(&told.firm);
        let reopens = self.firms[index].watched.as_ref().is_some_and(Watched::let_go);
        let watched = self.watch(index, told.source, Decision::Attention, reopens);
        watched.suspected.extend(&told.suspected);
        watched.evidence += 1;
        self.tell(index, told.inform.iter(), reopens);
        Ok(true)
    }

    fn update(&mut self, identity: &Identity, update: &Update) -> Outcome {
        self.watched(identity, update.firm.0)?;
        let firm = self.firm(update.firm.0)?;
        let notes_only = update.tags.is_none() && update.operates.is_none() && update.step.is_none();
        wants(notes_only || firm.is_home_of(identity))?;
        let others_work = firm.others_work(identity);
        if let Some(places) = &update.operates {
            firm.operates = places.iter().copied().filter(|place| Some(*place) != firm.place).collect();
        }
        let watched = firm.watched.as_mut().ok_or(Refused)?;
        if let Some(tags) = &update.tags {
            watched.tags = tags.iter().cloned().collect();
        }
        watched.notes += usize::from(update.note.is_some());
        if let Some((action, opinion)) = &update.step {
            wants(identity.roles.contains(Role::Finance))?;
            wants(!others_work || !matches!(action, EntryAction::Release | EntryAction::Determine))?;
            match (action, watched.status) {
                (EntryAction::Review, Status::Open) => watched.status = Status::UnderReview,
                (EntryAction::Release, Status::Open | Status::UnderReview | Status::Determined) => watched.status = Status::Released,
                (EntryAction::Determine, Status::Open | Status::UnderReview | Status::Determined) => {
                    watched.status = Status::Determined;
                    watched.determined = opinion.as_ref().map(|opinion| opinion.disposition);
                    watched.disagreement = false;
                }
                (EntryAction::Reopen, Status::Released | Status::Determined) => {
                    watched.round += 1;
                    watched.status = Status::Open;
                    watched.determined = None;
                    watched.disagreement = false;
                }
                _ => return Err(Refused),
            }
        }
        Ok(update.tags.is_some() || update.note.is_some() || update.operates.is_some() || update.step.is_some())
    }
}

/// What a screening says that was not known of the firm, and whether it was let go.
fn news(before: &Firm, screening: &Screening) -> Option<(Vec<Reason>, bool)> {
    let decision = screening.screened.decision;
    if decision == Decision::Pass {
        return None;
    }
    let all = screening.reasons.clone();
    let Some(watched) = &before.watched else { return Some((all, false)) };
    let known = |reason: &Reason| {
        let rules = watched.terms.get(&(reason.term.clone(), reason.field));
        rules.is_some_and(|(_, rules)| reason.rules.iter().all(|rule| rules.contains(rule)))
    };
    let new: Vec<Reason> = all.iter().filter(|reason| !known(reason)).cloned().collect();
    let changed = before.last.as_ref().is_none_or(|(texts, ..)| *texts != screening.screened.texts);
    if !new.is_empty() {
        Some((new, watched.let_go()))
    } else if watched.let_go() && changed {
        Some((all, true))
    } else if watched.at_work() && decision > watched.level {
        Some((all, false))
    } else {
        None
    }
}

fn is_open(state: State) -> bool {
    matches!(state, State::Sent | State::Received | State::Accepted)
}
