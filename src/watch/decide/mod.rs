//! Deciding (裁决): from a command and what is known of the firm to what happens, or to why nothing does.

mod entry;
mod record;
mod referral;

use super::{
    Status,
    command::{Command, Firm, Inform},
    deadline::Deadlines,
    event::{Change, Event, Sent},
    file::{Entry, File},
    key::{FirmId, ReferralId},
    transition::{EntryAction, ReferralAction},
};
use crate::{
    auth::{Identity, Role},
    calendar::UnknownYear,
    day::Date,
    jurisdiction::Region,
    wordlist::{Wordlists, tables::BodyId},
};

/// Most bytes of notes and evidence of one firm.
pub const MOST_WORDS: usize = 1 << 20;

/// Who asks, when, and by which deadlines.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Who asks.
    pub identity: &'a Identity,
    /// The day of the record in UTC+8.
    pub today: Date,
    /// How long a step may take.
    pub deadlines: Deadlines,
    /// The lists in use: which days are working days, which places there are.
    pub lists: &'a Wordlists,
    /// The number of the next file.
    pub next_firm: FirmId,
    /// The number of the next referral.
    pub next_referral: ReferralId,
}

/// Why a command changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such firm.
    #[error("there is no such firm")]
    NoFirm,
    /// There is no such referral.
    #[error("there is no such referral")]
    NoReferral,
    /// The firm's file goes on in another.
    #[error("the file goes on in {0}")]
    Joined(FirmId),
    /// The firm is not on the watch list.
    #[error("the firm is not on the watch list")]
    NotWatched,
    /// The term is no reason for watching the firm.
    #[error("the firm is not watched for '{0}' in that text")]
    NoSuchHit(String),
    /// Someone else has changed it since.
    #[error("it was changed since: its etag is {found}")]
    Changed {
        /// The etag it has.
        found: u64,
    },
    /// A watch entry that cannot take this step.
    #[error("an entry that is {} cannot be changed by '{}'", status.id(), action.id())]
    EntryStep {
        /// The step.
        action: EntryAction,
        /// What it is.
        status: Status,
    },
    /// A referral that cannot take this step.
    #[error("a referral that is {} cannot be changed by '{}'", state.id(), action.id())]
    ReferralStep {
        /// The step.
        action: ReferralAction,
        /// What it is.
        state: super::ReferralState,
    },
    /// It was redirected or escalated before.
    #[error("the referral went on as {0}")]
    WentOn(ReferralId),
    /// The body has an open referral of this firm, or sent it.
    #[error("{0} has an open referral of this firm")]
    Told(BodyId),
    /// Another body is at work on the firm: it concludes or returns its referral first.
    #[error("{body} is at work on the firm: {referral} is open")]
    AtWork {
        /// The body.
        body: BodyId,
        /// Its referral.
        referral: ReferralId,
    },
    /// There is no more room in the firm's file for words.
    #[error("notes and evidence of this firm fill {MOST_WORDS} bytes: keep more elsewhere, and refer to it")]
    Full,
    /// There is no place above.
    #[error("there is no body above {0}")]
    NoneAbove(BodyId),
    /// Nobody disagrees.
    #[error("no bodies disagree about this firm")]
    NoDisagreement,
    /// A revocation that nobody determined.
    #[error("no revocation (吊销) was determined for this firm")]
    NotToBeRevoked,
    /// The code is another firm's, and both have codes.
    #[error("the firm has another code, {0}")]
    HasCode(String),
    /// The caller may not act where the firm is.
    #[error("the firm's place is outside of the caller's regions")]
    Outside(Region),
    /// The caller acts for another body.
    #[error("the caller does not act for {0}")]
    NotTheBody(BodyId),
    /// The caller's roles do not admit to this change.
    #[error("this change needs the role '{}'", .0.id())]
    RoleMissing(Role),
    /// The calendar does not reach so far.
    #[error(transparent)]
    NoCalendar(#[from] UnknownYear),
}

/// Files that a command needs to see.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen<'a> {
    /// The firm's, where it has one.
    pub file: Option<&'a File>,
    /// For [`Command::Link`]: that of the firm that has the code.
    pub coded: Option<&'a File>,
}

/// What happens by a command, or why nothing does. Nothing to say is nothing changed: no record is needed.
///
/// # Errors
/// [`Refused`].
pub fn decide(command: &Command, seen: Seen<'_>, context: &Context<'_>) -> Result<Vec<Change>, Refused> {
    if let Some(into) = seen.file.and_then(|file| file.joined_to) {
        return Err(Refused::Joined(into));
    }
    match command {
        Command::Record(screening) => record::screening(screening, seen.file, context),
        Command::Open(told) => record::told(told, seen.file, context),
        Command::Link { uscc, .. } => entry::link(seen.file.ok_or(Refused::NoFirm)?, uscc, seen.coded, context),
        Command::AddEvidence { evidence, .. } => entry::evidence(seen.file.ok_or(Refused::NoFirm)?, evidence, context),
        Command::Overrule { term, field, reason, .. } => entry::overrule(seen.file.ok_or(Refused::NoFirm)?, term, *field, reason, context),
        Command::Update(update) => entry::update(seen.file.ok_or(Refused::NoFirm)?, update, context),
        Command::Revoke { day, .. } => entry::revoke(seen.file.ok_or(Refused::NoFirm)?, *day, context),
        Command::Refer(refer) => referral::step(seen.file.ok_or(Refused::NoReferral)?, refer, context),
    }
}

/// Whether the caller may add to the file of a firm that these places concern.
fn within(context: &Context<'_>, file: &File) -> Result<(), Refused> {
    if file.concerns(context.identity) { Ok(()) } else { Err(Refused::Outside(file.registered)) }
}

/// Whether the caller may change what is said of the firm: where it is registered, not where it only operates or once was.
fn at_home(context: &Context<'_>, file: &File) -> Result<(), Refused> {
    if context.identity.reaches(file.registered) { Ok(()) } else { Err(Refused::Outside(file.registered)) }
}

/// Whether there is room for more words in the firm's file.
fn room(file: Option<&File>, more: usize) -> Result<(), Refused> {
    let words = file.and_then(|file| file.entry.as_ref()).map_or(0, Entry::words);
    if more == 0 || words + more <= MOST_WORDS { Ok(()) } else { Err(Refused::Full) } // files that were joined may have more
}

fn role(context: &Context<'_>, role: Role) -> Result<(), Refused> {
    if context.identity.roles.contains(role) { Ok(()) } else { Err(Refused::RoleMissing(role)) }
}

/// The events of one firm, while they are gathered.
struct Gathered<'c> {
    context: &'c Context<'c>,
    firm: FirmId,
    events: Vec<Event>,
    sent: u32,
}

impl<'c> Gathered<'c> {
    fn of(file: &File, context: &'c Context<'c>) -> Self {
        Self { context, firm: file.id, events: Vec::new(), sent: 0 }
    }

    /// Of a firm that may have no file yet.
    fn of_firm(file: Option<&File>, firm: &Firm, context: &'c Context<'c>) -> Self {
        if let Some(file) = file {
            return Self::of(file, context);
        }
        let Firm { name, uscc, registered, kind } = firm.clone();
        Self { context, firm: context.next_firm, events: vec![Event::Seen { name, uscc, registered, kind }], sent: 0 }
    }

    fn add(&mut self, event: Event) {
        self.events.push(event);
    }

    fn send(&mut self, inform: &Inform, after: Option<ReferralId>) -> Result<(), Refused> {
        let due = self.context.lists.calendar().after(self.context.today, self.context.deadlines.receive)?;
        let referral = ReferralId(self.context.next_referral.0 + self.sent);
        self.sent += 1;
        let Inform { body, why, fields } = inform.clone();
        self.add(Event::Sent(Sent { referral, body, why, fields, due, after }));
        Ok(())
    }

    fn done(self) -> Vec<Change> {
        if self.events.is_empty() { Vec::new() } else { vec![Change { firm: self.firm, events: self.events }] }
    }
}
