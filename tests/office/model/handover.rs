//! Referrals, and files that join.

use std::collections::BTreeMap;

use mingcha::{
    auth::{Identity, Role},
    watch::{Disposition, ReferralState as State, Status, command::Refer, transition::ReferralAction as Action},
    wordlist::tables::BodyId,
};

use super::{Firm, Model, Outcome, Refused, Sent, Watched, is_open, wants};

impl Model {
    pub(super) fn refer(&mut self, identity: &Identity, refer: &Refer) -> Outcome {
        let id = refer.referral.0;
        let has = |firm: &Firm| firm.goes_on_in.is_none() && firm.referrals.contains_key(&id);
        let index = self.firms.iter().position(has).ok_or(Refused)?;
        let (firm, sent) = (self.firms[index].clone(), self.firms[index].referrals[&id].clone());
        let sender = refer.action == Action::Redirect && identity.roles.contains(Role::Registrar) && firm.is_within_reach_of(identity);
        wants(identity.body == Some(sent.body) || sender)?;
        let disagree = firm.watched.as_ref().is_some_and(|watched| watched.disagreement);
        let state = match (refer.action, sent.state) {
            (Action::Receive, State::Sent) => State::Received,
            (Action::Accept, State::Received) => State::Accepted,
            (Action::Conclude, State::Accepted) => State::Concluded,
            (Action::Return, State::Received | State::Accepted) => State::Returned,
            (Action::Redirect, State::Returned) => return self.goes_on(index, id, refer.to.ok_or(Refused)?),
            (Action::Escalate, State::Accepted) => return self.goes_up(index, id),
            (Action::Escalate, State::Concluded) if disagree => return self.goes_up(index, id),
            _ => return Err(Refused),
        };
        let opinion = refer.opinion.as_ref().map(|opinion| opinion.disposition);
        let stored = self.firms[index].referrals.get_mut(&id).ok_or(Refused)?;
        (stored.state, stored.opinion) = (state, opinion.or(sent.opinion));
        self.follows(index, id);
        Ok(true)
    }

    fn goes_up(&mut self, index: usize, id: u32) -> Outcome {
        let body = self.firms[index].referrals[&id].body;
        let region = body.region.parent().ok_or(Refused)?;
        self.goes_on(index, id, BodyId { region, ..body })
    }

    fn goes_on(&mut self, index: usize, id: u32, to: BodyId) -> Outcome {
        let firm = self.firms[index].clone();
        let sent = &firm.referrals[&id];
        wants(
            sent.next.is_none()
                && sent.body != to
                && !firm
                    .referrals
                    .values()
                    .any(|other| other.body == to && other.round == sent.round && other.next.is_none() && is_open(other.state)),
        )?;
        let next = self.send(index, to, sent.fields.clone(), Some(id));
        self.firms[index].referrals.get_mut(&id).ok_or(Refused)?.next = Some(next);
        Ok(true)
    }

    /// What a body's step means for the entry.
    fn follows(&mut self, index: usize, id: u32) {
        let firm = &mut self.firms[index];
        let sent = firm.referrals[&id].clone();
        let Some(watched) = firm.watched.as_mut().filter(|watched| watched.round == sent.round && watched.at_work()) else { return };
        let beside =
            firm.referrals.iter().filter(|(other, sent)| **other != id && sent.round == watched.round && sent.state != State::Returned);
        let others: Vec<Option<Disposition>> = beside.map(|(_, sent)| sent.opinion).collect();
        let before = sent.after.and_then(|before| firm.referrals.get(&before));
        let above = before.is_some_and(|before| before.state != State::Returned);
        let all: Option<Vec<Disposition>> = match sent.state {
            State::Accepted => {
                watched.status = Status::UnderReview;
                return;
            }
            State::Concluded if above => Some(sent.opinion.into_iter().collect()),
            State::Concluded => others.into_iter().chain([sent.opinion]).collect(),
            State::Returned => others.into_iter().collect(),
            State::Sent | State::Received => return,
        };
        let Some(all) = all.filter(|all| !all.is_empty()) else { return };
        if all.iter().all(|one| *one == all[0]) {
            (watched.status, watched.determined, watched.disagreement) = (Status::Determined, Some(all[0]), false);
        } else {
            watched.disagreement = true;
        }
    }

    pub(super) fn link(&mut self, identity: &Identity, number: u32, code: &str) -> Outcome {
        let firm = self.firm(number)?.clone();
        wants(firm.is_home_of(identity))?;
        if let Some(own) = &firm.code {
            wants(own == code)?;
            return Ok(false);
        }
        let Some(index) = self.firms.iter().position(|other| other.code.as_deref() == Some(code)) else {
            self.firm(number)?.code = Some(code.to_owned());
            return Ok(true);
        };
        wants(self.firms[index].is_home_of(identity))?;
        self.firm(number)?.goes_on_in = u32::try_from(index + 1).ok();
        joins(&mut self.firms[index], firm);
        Ok(true)
    }
}

fn joins(into: &mut Firm, mut firm: Firm) {
    let known = into.places();
    into.operates.extend(firm.operates.iter().filter(|place| !known.contains(place)));
    let known = into.places();
    into.former.extend(firm.places().iter().filter(|place| !known.contains(place)));
    into.overruled += firm.overruled;
    into.last = into.last.take().or(firm.last);
    let works = |watched: &Option<Watched>| watched.as_ref().is_some_and(Watched::at_work);
    let (ours, theirs) = (works(&into.watched), works(&firm.watched));
    let rounds = (into.watched.as_ref().map_or(0, |watched| watched.round), firm.watched.as_ref().map_or(0, |watched| watched.round));
    let both = into.watched.is_some() && firm.watched.is_some();
    let round = rounds.0.max(rounds.1) + u32::from(both && ours != theirs);
    let renumber = |referrals: &mut BTreeMap<u32, Sent>, works: bool, from: u32| {
        referrals.values_mut().filter(|sent| works && sent.round == from).for_each(|sent| sent.round = round);
    };
    renumber(&mut into.referrals, ours, rounds.0);
    renumber(&mut firm.referrals, theirs, rounds.1);
    into.referrals.extend(firm.referrals);
    let Some(other) = firm.watched else { return };
    let Some(own) = &mut into.watched else {
        into.watched = Some(other);
        return;
    };
    match (ours, theirs) {
        (true, true) => {
            own.status = own.status.max(other.status);
            own.disagreement |= other.disagreement;
        }
        (false, true) => (own.status, own.determined, own.disagreement) = (other.status, other.determined, other.disagreement),
        (false, false) if other.status == Status::Determined && own.status == Status::Released => {
            (own.status, own.determined, own.disagreement) = (other.status, other.determined, other.disagreement);
        }
        _ => {}
    }
    own.round = round;
    own.level = own.level.max(other.level);
    own.sources.extend(other.sources);
    own.suspected.extend(other.suspected);
    own.tags.extend(other.tags);
    for (term, (field, rules)) in other.terms {
        let known = own.terms.entry(term).or_insert((field, rules.clone()));
        known.0 = field;
        known.1.extend(rules);
    }
    own.revoked |= other.revoked;
    own.notes += other.notes;
    own.evidence += other.evidence;
}
