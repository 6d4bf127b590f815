//! Someone changes what is known of a watched firm.

use super::{Context, Gathered, Refused, at_home, role, room, within};
use crate::{
    auth::Role,
    day::Date,
    vocabulary::Field,
    watch::{
        Disposition, Status,
        command::{self, Update},
        event::{Change, Event},
        file::{Entry, File},
        referral::Referral,
        transition::{EntryAction, entry_after},
    },
};

fn watched(file: &File) -> Result<&Entry, Refused> {
    file.entry.as_ref().ok_or(Refused::NotWatched)
}

/// The firm has its code. Where another file has it, the two are one firm: this one goes on in the other.
pub(super) fn link(file: &File, uscc: &str, coded: Option<&File>, context: &Context<'_>) -> Result<Vec<Change>, Refused> {
    at_home(context, file)?;
    match (&file.uscc, coded) {
        (Some(own), _) if own == uscc => Ok(Vec::new()),
        (Some(own), _) => Err(Refused::HasCode(own.clone())),
        (None, None) => {
            let mut gathered = Gathered::of(file, context);
            gathered.add(Event::Coded { uscc: uscc.to_owned() });
            Ok(gathered.done())
        }
        (None, Some(other)) => {
            at_home(context, other)?;
            let (mut here, mut there) = (Gathered::of(file, context), Gathered::of(other, context));
            here.add(Event::JoinedTo { firm: other.id });
            there.add(Event::Took { file: Box::new(file.clone()) });
            Ok(here.done().into_iter().chain(there.done()).collect())
        }
    }
}

pub(super) fn evidence(file: &File, evidence: &command::Evidence, context: &Context<'_>) -> Result<Vec<Change>, Refused> {
    within(context, file)?;
    watched(file)?;
    room(Some(file), evidence.words())?;
    let command::Evidence { reference, text, informant } = evidence.clone();
    let mut gathered = Gathered::of(file, context);
    gathered.add(Event::Evidence { reference, text, informant });
    Ok(gathered.done())
}

pub(super) fn overrule(file: &File, term: &str, field: Field, reason: &str, context: &Context<'_>) -> Result<Vec<Change>, Refused> {
    at_home(context, file)?;
    let entry = watched(file)?;
    if !entry.reasons.iter().any(|known| known.term == term && known.field == field) {
        return Err(Refused::NoSuchHit(term.to_owned()));
    }
    let mut gathered = Gathered::of(file, context);
    gathered.add(Event::Overruled { term: term.to_owned(), field, reason: reason.to_owned() });
    Ok(gathered.done())
}

pub(super) fn update(file: &File, update: &Update, context: &Context<'_>) -> Result<Vec<Change>, Refused> {
    within(context, file)?;
    let entry = watched(file)?;
    let found = file.changed.sequence;
    if update.etag.is_some_and(|etag| etag != found) {
        return Err(Refused::Changed { found });
    }
    let mut gathered = Gathered::of(file, context);
    if update.tags.is_some() || update.operates.is_some() || update.step.is_some() {
        at_home(context, file)?;
    }
    room(Some(file), update.note.as_ref().map_or(0, String::len))?;
    if let Some(tags) = &update.tags {
        gathered.add(Event::Tagged { tags: tags.clone() });
    }
    if let Some(text) = &update.note {
        gathered.add(Event::Noted { text: text.clone() });
    }
    if let Some(places) = &update.operates {
        let elsewhere = places.iter().copied().filter(|place| *place != file.registered);
        gathered.add(Event::Operates { places: elsewhere.collect() });
    }
    if let Some((action, opinion)) = &update.step {
        role(context, Role::Finance)?;
        if matches!(action, EntryAction::Determine | EntryAction::Release) {
            others_are_done(file, entry, context)?;
        }
        entry_after(*action, entry.status).ok_or(Refused::EntryStep { action: *action, status: entry.status })?;
        gathered.add(Event::Stepped { action: *action, opinion: opinion.clone() });
    }
    Ok(gathered.done())
}

/// Nobody determines over the heads of others: where another body is at work on the firm, it concludes or returns first.
fn others_are_done(file: &File, entry: &Entry, context: &Context<'_>) -> Result<(), Refused> {
    match file.at_work(entry.round).find(|referral| !context.identity.acts_for(referral.body)) {
        Some(Referral { body, id, .. }) => Err(Refused::AtWork { body: *body, referral: *id }),
        None => Ok(()),
    }
}

/// 工商部门根据金融管理部门的认定意见依法吊销营业执照: only what was determined is revoked.
pub(super) fn revoke(file: &File, day: Date, context: &Context<'_>) -> Result<Vec<Change>, Refused> {
    at_home(context, file)?;
    let entry = watched(file)?;
    let to_be_revoked = entry.determined.as_ref().is_some_and(|opinion| opinion.disposition == Disposition::Revoke);
    if entry.status != Status::Determined || !to_be_revoked {
        return Err(Refused::NotToBeRevoked);
    }
    let mut gathered = Gathered::of(file, context);
    gathered.add(Event::Revoked { day });
    Ok(gathered.done())
}
