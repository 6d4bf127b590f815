//! A firm comes to notice: by a screening, or because someone told of it.

use super::{Context, Gathered, Refused, role, room};
use crate::{
    auth::Role,
    vocabulary::{Decision, Event as Asked},
    watch::{
        Disposition, Source, Status,
        command::{Inform, Screening, Told},
        event::{Change, Event},
        file::{Entry, File, Reason, Screened},
        transition::EntryAction,
    },
};

/// What follows from a screening: RESTRICTED and above open an entry and referrals, ATTENTION an entry, PASS is kept.
pub(super) fn screening(screening: &Screening, file: Option<&File>, context: &Context<'_>) -> Result<Vec<Change>, Refused> {
    let mut gathered = Gathered::of_firm(file, &screening.firm, context);
    if let Some(file) = file {
        identity(screening, file, &mut gathered);
    }
    places(screening, file, &mut gathered);
    let news = News::of(screening, file);
    if gathered.events.is_empty() && news.is_none() && is_repeated(screening, file) {
        return Ok(Vec::new());
    }
    gathered.add(Event::Screened(screening.screened.clone()));
    if let Some(news) = news {
        if news.reopens {
            gathered.add(Event::Stepped { action: EntryAction::Reopen, opinion: None });
        }
        let (source, level) = (screening.source, screening.level());
        gathered.add(Event::Watched { source, level, reasons: news.reasons.clone(), suspected: Vec::new() });
        let tells = if level >= Decision::Restricted { screening.inform.as_slice() } else { &[] };
        for inform in tells.iter().filter(|inform| news.concerns(inform) && !is_at_work(inform, file, news.reopens)) {
            gathered.send(inform, None)?;
        }
    }
    Ok(gathered.done())
}

/// Whether the register was screened again and all is as it was: nothing needs to be kept of that.
fn is_repeated(screening: &Screening, file: Option<&File>) -> bool {
    let (now, last) = (&screening.screened, file.and_then(|file| file.screened.as_ref()));
    let same = |last: &Screened| (&now.texts, &now.lists_hash, now.decision) == (&last.texts, &last.lists_hash, last.decision);
    screening.source == Source::Rescreening && last.is_some_and(same)
}

/// Whether the firm is as the screening says: it is on the register so, or nothing stands against what it applies for. A name
/// or a move that is refused is none.
fn stands(screening: &Screening) -> bool {
    screening.event == Asked::Existing || screening.level() < Decision::Restricted
}

/// Whether it moves to where it was screened.
fn moves_in(screening: &Screening) -> bool {
    screening.event == Asked::MoveIn && stands(screening)
}

/// What the screening says of who and where the firm is, where that is new.
fn identity(screening: &Screening, file: &File, gathered: &mut Gathered<'_>) {
    let firm = &screening.firm;
    if firm.name != file.name && stands(screening) {
        gathered.add(Event::Renamed { name: firm.name.clone() });
    }
    if let (Some(uscc), None) = (&firm.uscc, &file.uscc) {
        gathered.add(Event::Coded { uscc: uscc.clone() });
    }
    let nearer = firm.registered != file.registered && file.registered.covers(firm.registered);
    if nearer || moves_in(screening) && firm.registered != file.registered {
        gathered.add(Event::Moved { registered: firm.registered });
    }
}

/// Where else it operates: a place that is neither told as a move nor known is one where it does.
fn places(screening: &Screening, file: Option<&File>, gathered: &mut Gathered<'_>) {
    let elsewhere = screening.firm.registered;
    let stays = |file: &&File| !moves_in(screening) && !file.registered.covers(elsewhere);
    let registered = file.filter(stays).map_or(elsewhere, |file| file.registered); // as it will be
    let mut places = file.map(|file| file.operates.clone()).unwrap_or_default();
    places.retain(|place| *place != registered);
    let known = places.len();
    let moves = registered.covers(elsewhere) || elsewhere.covers(registered);
    let told = screening.operates.iter().copied().chain((!moves).then_some(elsewhere));
    for place in told {
        if place != registered && !places.contains(&place) {
            places.push(place);
        }
    }
    if places.len() > known {
        gathered.add(Event::Operates { places });
    }
}

/// What a screening says that was not known.
struct News {
    reasons: Vec<Reason>,
    /// Whether the firm was let go before.
    reopens: bool,
}

impl News {
    fn of(screening: &Screening, file: Option<&File>) -> Option<Self> {
        if screening.level() < Decision::Attention {
            return None;
        }
        let Some(entry) = file.and_then(|file| file.entry.as_ref()) else {
            return Some(Self { reasons: screening.reasons.clone(), reopens: false });
        };
        let new: Vec<Reason> = screening.reasons.iter().filter(|reason| reason.is_new_beside(&entry.reasons)).cloned().collect();
        let changed = file.and_then(|file| file.screened.as_ref()).is_none_or(|last| last.texts != screening.screened.texts);
        let closed = matches!(entry.status, Status::Released | Status::Determined);
        let graver = screening.level() > entry.level;
        match (new.is_empty(), let_go(entry)) {
            (false, _) => Some(Self { reasons: new, reopens: let_go(entry) }),
            (true, true) if changed => Some(Self { reasons: screening.reasons.clone(), reopens: true }),
            (true, false) if graver && !closed => Some(Self { reasons: screening.reasons.clone(), reopens: false }),
            _ => None,
        }
    }

    fn concerns(&self, inform: &Inform) -> bool {
        self.reasons.iter().any(|reason| inform.fields.contains(&reason.business))
    }
}

/// Whether nobody waits for anything of the firm: it was released, or found to keep the rules.
fn let_go(entry: &Entry) -> bool {
    let compliant = || entry.determined.as_ref().is_some_and(|opinion| opinion.disposition == Disposition::Compliant);
    entry.status == Status::Released || entry.status == Status::Determined && compliant()
}

/// Whether the body is at work on the firm already. Where the entry is opened again, what is left of earlier openings
/// leads to nothing, nor does what went on to another body.
fn is_at_work(inform: &Inform, file: Option<&File>, reopens: bool) -> bool {
    let Some((file, entry)) = file.and_then(|file| Some((file, file.entry.as_ref()?))) else { return false };
    !reopens && file.at_work(entry.round).any(|known| known.body == inform.body)
}

/// What follows where someone told of a firm: a person decided that it is to be watched, so it is reopened where it was let go.
pub(super) fn told(told: &Told, file: Option<&File>, context: &Context<'_>) -> Result<Vec<Change>, Refused> {
    match told.source {
        Source::Complaint => role(context, Role::Finance).or_else(|_| role(context, Role::Registrar))?,
        _ if !told.evidence.informant.is_empty() => role(context, Role::Finance)?,
        _ => {}
    }
    room(file, told.evidence.words())?;
    let mut gathered = Gathered::of_firm(file, &told.firm, context);
    let reopens = file.and_then(|file| file.entry.as_ref()).is_some_and(let_go);
    if reopens {
        gathered.add(Event::Stepped { action: EntryAction::Reopen, opinion: None });
    }
    let (level, suspected) = (Decision::Attention, told.suspected.clone());
    gathered.add(Event::Watched { source: told.source, level, reasons: Vec::new(), suspected });
    let crate::watch::command::Evidence { reference, text, informant } = told.evidence.clone();
    gathered.add(Event::Evidence { reference, text, informant });
    for inform in told.inform.iter().filter(|inform| !is_at_work(inform, file, reopens)) {
        gathered.send(inform, None)?;
    }
    Ok(gathered.done())
}
