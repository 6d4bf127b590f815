//! A referral goes a step.

use super::{Context, Gathered, Refused, role, within};
use crate::{
    auth::Role,
    routing::above,
    watch::{
        ReferralState, Status,
        command::{Inform, Refer},
        event::{Change, Event},
        file::{Entry, File},
        referral::{Opinion, Referral},
        transition::{EntryAction, ReferralAction, referral_after},
    },
    wordlist::tables::BodyId,
};

pub(super) fn step(file: &File, refer: &Refer, context: &Context<'_>) -> Result<Vec<Change>, Refused> {
    let referral = file.referral(refer.referral).ok_or(Refused::NoReferral)?;
    authority(file, referral, refer.action, context)?;
    let (action, from) = (refer.action, referral.state());
    let state = referral_after(action, from).ok_or(Refused::ReferralStep { action, state: from })?;
    let mut gathered = Gathered::of(file, context);
    match action {
        ReferralAction::Redirect => send_on(file, referral, refer.to.unwrap_or(referral.body), refer, &mut gathered)?,
        ReferralAction::Escalate => escalate(file, referral, refer, &mut gathered)?,
        _ => {
            let due = context.deadlines.after(state, context.today, context.lists.calendar())?;
            let (opinion, note) = (refer.opinion.clone(), refer.note.clone());
            gathered.add(Event::Went { referral: referral.id, state, due, opinion, note });
            follow(file, referral, state, refer.opinion.as_ref(), &mut gathered);
        }
    }
    Ok(gathered.done())
}

/// The body itself takes its steps; the sender, or the body, redirects what was returned.
fn authority(file: &File, referral: &Referral, action: ReferralAction, context: &Context<'_>) -> Result<(), Refused> {
    if context.identity.acts_for(referral.body) {
        return Ok(());
    }
    if action == ReferralAction::Redirect {
        role(context, Role::Registrar)?;
        return within(context, file);
    }
    Err(Refused::NotTheBody(referral.body))
}

/// Above, the same function decides what bodies disagree about, or what one body finds too large for itself.
fn escalate(file: &File, referral: &Referral, refer: &Refer, gathered: &mut Gathered<'_>) -> Result<(), Refused> {
    let disagreement = file.entry.as_ref().is_some_and(|entry| entry.disagreement);
    if referral.state() == ReferralState::Concluded && !disagreement {
        return Err(Refused::NoDisagreement);
    }
    let region = above(referral.body.region, gathered.context.lists).ok_or(Refused::NoneAbove(referral.body))?;
    send_on(file, referral, BodyId { region, ..referral.body }, refer, gathered)
}

fn send_on(file: &File, referral: &Referral, to: BodyId, refer: &Refer, gathered: &mut Gathered<'_>) -> Result<(), Refused> {
    if let Some(next) = referral.next {
        return Err(Refused::WentOn(next));
    }
    if referral.body == to || file.at_work(referral.round).any(|known| known.body == to) {
        return Err(Refused::Told(to));
    }
    let why = format!("{} ({})", refer.note, refer.action.chinese());
    gathered.send(&Inform { body: to, why, fields: referral.fields.clone() }, Some(referral.id))
}

/// What a step of a referral means for the watch entry: whoever accepts reviews; when all have concluded it is determined.
fn follow(file: &File, referral: &Referral, state: ReferralState, opinion: Option<&Opinion>, gathered: &mut Gathered<'_>) {
    let Some(entry) = file.entry.as_ref().filter(|entry| entry.round == referral.round) else { return };
    let at_work = matches!(entry.status, Status::Open | Status::UnderReview);
    match (state, opinion) {
        (ReferralState::Accepted, _) if entry.status == Status::Open => {
            gathered.add(Event::Stepped { action: EntryAction::Review, opinion: None });
        }
        (ReferralState::Concluded, Some(opinion)) if at_work => gathered.events.extend(joint(file, entry, referral, opinion)),
        (ReferralState::Returned, None) if at_work => gathered.events.extend(left(file, entry, referral)),
        _ => {}
    }
}

/// The joint determination (会商): all bodies of this round have concluded and agree, or a body above has decided.
fn joint(file: &File, entry: &Entry, referral: &Referral, opinion: &Opinion) -> Option<Event> {
    let determined = Event::Stepped { action: EntryAction::Determine, opinion: Some(opinion.clone()) };
    if is_above(file, referral) {
        return Some(determined);
    }
    let mut others = beside(file, entry, referral).peekable();
    if others.peek().is_none() {
        return Some(determined);
    }
    let opinions: Option<Vec<&Opinion>> = others.map(|other| other.opinion.as_ref()).collect();
    let agree = opinions?.into_iter().all(|other| other.agrees(opinion));
    Some(if agree { determined } else { Event::Disagreed { disagreement: true } })
}

/// Where the last body that had not concluded returns its referral, the others' opinions decide.
fn left(file: &File, entry: &Entry, returned: &Referral) -> Option<Event> {
    let opinions: Option<Vec<&Opinion>> = beside(file, entry, returned).map(|other| other.opinion.as_ref()).collect();
    let opinions = opinions?;
    let (first, rest) = opinions.split_first()?;
    let agree = rest.iter().all(|other| other.agrees(first));
    let determined = Event::Stepped { action: EntryAction::Determine, opinion: Some((*first).clone()) };
    Some(if agree { determined } else { Event::Disagreed { disagreement: true } })
}

/// The other referrals of this round that were not returned.
fn beside<'f>(file: &'f File, entry: &'f Entry, referral: &'f Referral) -> impl Iterator<Item = &'f Referral> {
    file.referrals
        .iter()
        .filter(move |other| other.id != referral.id && other.round == entry.round && other.state() != ReferralState::Returned)
}

/// Whether a referral was escalated to its body.
fn is_above(file: &File, referral: &Referral) -> bool {
    let before = referral.after.and_then(|before| file.referral(before));
    before.is_some_and(|before| before.state() != ReferralState::Returned)
}
