//! What follows from a command, without a disk: every row of the table of transitions, and what opens an entry again.

use std::collections::BTreeMap;

use mingcha::{
    auth::{Identity, Role},
    day,
    vocabulary::{Decision, Event as Asked},
    watch::{
        Disposition, ReferralState, Source, Status,
        command::{Command, Screening, Subject, Update},
        deadline::Deadlines,
        decide::{Context, MOST_WORDS, Refused, Seen, decide},
        event::{Event, Recorded},
        file::{Entry, File},
        key::{FirmId, ReferralId},
        referral::Referral,
        transition::{ENTRY_STEPS, EntryAction, REFERRAL_STEPS, ReferralAction},
    },
};

use super::people::{
    BANK, OFFICE, PROVINCE, conclude, of, opinion, record, redirect, refer, registrar, screened, screening, screening_for_two, step,
    stranger, update,
};

/// Files in memory, and what is decided on them.
#[derive(Default)]
pub(super) struct Files {
    files: BTreeMap<FirmId, File>,
    sequence: u64,
}

impl Files {
    fn subject(&self, subject: &Subject) -> Option<&File> {
        match subject {
            Subject::Firm(firm) => self.files.get(firm),
            Subject::Referral(id) => self.files.values().find(|file| file.joined_to.is_none() && file.referral(*id).is_some()),
            Subject::Found(keys) => keys.iter().find_map(|key| self.files.values().find(|file| file.keys().any(|own| own == *key))),
        }
    }

    /// Decides a command on Tuesday, 24 November 2026, and folds what comes of it.
    pub(super) fn tries(&mut self, identity: &Identity, command: &Command) -> Result<Vec<Event>, Refused> {
        let last = |numbers: Vec<u32>| numbers.into_iter().max().unwrap_or(0);
        let referrals = self.files.values().flat_map(|file| &file.referrals).map(|referral| referral.id.0).collect();
        let version = super::version();
        let context = Context {
            identity,
            today: day::parse("2026-11-24").expect("a day"),
            deadlines: Deadlines::default(),
            lists: version.engine().lists(),
            next_firm: FirmId(last(self.files.keys().map(|firm| firm.0).collect()) + 1),
            next_referral: ReferralId(last(referrals) + 1),
        };
        let coded = match command {
            Command::Link { uscc, .. } => self.files.values().find(|file| file.uscc.as_ref() == Some(uscc)),
            _ => None,
        };
        let changes = decide(command, Seen { file: self.subject(&command.subject()), coded }, &context)?;
        self.sequence += u64::from(!changes.is_empty());
        let record = Recorded { sequence: self.sequence, at: "2026-11-24T02:00:00Z".parse().expect("an instant"), by: &identity.id };
        for change in &changes {
            let file = File::after(self.files.remove(&change.firm), change, record).expect("a file");
            self.files.insert(change.firm, file);
        }
        Ok(changes.into_iter().flat_map(|change| change.events).collect())
    }

    pub(super) fn does(&mut self, identity: &Identity, command: &Command) -> Vec<Event> {
        self.tries(identity, command).unwrap_or_else(|refused| panic!("{command:?}: {refused}"))
    }

    pub(super) fn file(&self, firm: u32) -> &File {
        &self.files[&FirmId(firm)]
    }

    pub(super) fn entry(&self, firm: u32) -> &Entry {
        self.file(firm).entry.as_ref().expect("it is watched")
    }

    pub(super) fn status(&self, firm: u32) -> Status {
        self.entry(firm).status
    }

    pub(super) fn referral(&self, id: u32) -> &Referral {
        let open = self.files.values().filter(|file| file.joined_to.is_none());
        open.into_iter().find_map(|file| file.referral(ReferralId(id))).expect("there is one")
    }

    /// Brings the referral of a body to a state.
    pub(super) fn brings(&mut self, id: u32, to: ReferralState) {
        let body = of(&self.referral(id).body.to_string());
        let steps: &[ReferralAction] = match to {
            ReferralState::Sent => &[],
            ReferralState::Received => &[ReferralAction::Receive],
            ReferralState::Accepted | ReferralState::Concluded => &[ReferralAction::Receive, ReferralAction::Accept],
            ReferralState::Returned => &[ReferralAction::Receive, ReferralAction::Return],
        };
        for action in steps {
            self.does(&body, &refer(id, *action));
        }
        if to == ReferralState::Concluded {
            self.does(&body, &conclude(id, Disposition::Rectify));
        }
    }
}

/// A firm with one referral.
pub(super) fn flagged() -> Files {
    let mut files = Files::default();
    files.does(&registrar(), &record(&screening("某地甲理财公司")));
    files
}

#[test]
fn a_screening_opens_what_its_decision_leads_to() {
    for (decision, watched, told) in [
        (Decision::Pass, false, 0),
        (Decision::Attention, true, 0),
        (Decision::Restricted, true, 1),
        (Decision::Suspended, true, 1),
        (Decision::Prohibited, true, 1),
    ] {
        let mut files = Files::default();
        files.does(&registrar(), &record(&Screening { screened: screened(decision, "甲"), ..screening("甲") }));
        assert_eq!((files.file(1).entry.is_some(), files.file(1).referrals.len()), (watched, told), "{decision:?}");
        if watched {
            assert_eq!((files.status(1), files.entry(1).level, files.entry(1).round), (Status::Open, decision, 1));
        }
    }
}

#[test]
fn every_step_of_a_referral_is_in_the_table_or_refused() {
    for from in ReferralState::ALL {
        for action in ReferralAction::ALL {
            let mut files = flagged();
            files.brings(1, *from);
            let command = match action {
                ReferralAction::Conclude => conclude(1, Disposition::Ban),
                ReferralAction::Redirect => redirect(1, BANK),
                _ => refer(1, *action),
            };
            let legal = REFERRAL_STEPS.iter().find(|step| step.action == *action && step.from.contains(from));
            match (legal, files.tries(&of(OFFICE), &command)) {
                (None, outcome) => assert_eq!(outcome, Err(Refused::ReferralStep { action: *action, state: *from })),
                // one body alone disagrees with nobody
                (Some(_), outcome) if (*action, *from) == (ReferralAction::Escalate, ReferralState::Concluded) => {
                    assert_eq!(outcome, Err(Refused::NoDisagreement));
                }
                (Some(step), outcome) => {
                    outcome.unwrap_or_else(|refused| panic!("{from:?} {action:?}: {refused}"));
                    assert_eq!(files.referral(1).state(), step.to, "{from:?} {action:?}");
                }
            }
        }
    }
}

#[test]
fn every_step_of_an_entry_is_in_the_table_or_refused() {
    let path: BTreeMap<Status, &[EntryAction]> = [
        (Status::Open, &[][..]),
        (Status::UnderReview, &[EntryAction::Review]),
        (Status::Determined, &[EntryAction::Determine]),
        (Status::Released, &[EntryAction::Release]),
    ]
    .into();
    let with_opinion = |action: &EntryAction| (*action == EntryAction::Determine).then(|| opinion(Disposition::Rectify));
    for (from, steps) in path {
        for action in EntryAction::ALL {
            let mut files = flagged();
            for before in steps {
                files.does(&of(OFFICE), &step(1, *before, with_opinion(before)));
            }
            assert_eq!(files.status(1), from);
            let command = step(1, *action, with_opinion(action));
            assert_eq!(files.tries(&registrar(), &command), Err(Refused::RoleMissing(Role::Finance)));
            let legal = ENTRY_STEPS.iter().find(|step| step.action == *action && step.from.contains(&from));
            match (legal, files.tries(&of(OFFICE), &command)) {
                (None, outcome) => assert_eq!(outcome, Err(Refused::EntryStep { action: *action, status: from })),
                (Some(legal), outcome) => {
                    outcome.unwrap_or_else(|refused| panic!("{from:?} {action:?}: {refused}"));
                    assert_eq!(files.status(1), legal.to);
                    let kept = legal.to == Status::Determined || (from, legal.to) == (Status::Determined, Status::Released);
                    assert_eq!(files.entry(1).determined.is_some(), kept);
                    assert_eq!(files.entry(1).round, if *action == EntryAction::Reopen { 2 } else { 1 });
                }
            }
        }
    }
}

#[test]
fn each_step_has_its_deadline_in_working_days() {
    let mut files = flagged();
    let due = |files: &Files| files.referral(1).due.map(|day| day.to_string());
    assert_eq!(due(&files).as_deref(), Some("2026-11-26"), "two to receive");
    files.brings(1, ReferralState::Received);
    assert_eq!(due(&files).as_deref(), Some("2026-12-01"), "five to accept, a weekend between");
    files.does(&of(OFFICE), &refer(1, ReferralAction::Accept));
    assert_eq!(due(&files).as_deref(), Some("2026-12-22"), "twenty to conclude");
    files.does(&of(OFFICE), &conclude(1, Disposition::Ban));
    assert_eq!(due(&files), None);
}

#[test]
fn only_the_body_takes_its_steps() {
    let mut files = flagged();
    for other in [registrar(), of(BANK), of(PROVINCE), stranger()] {
        let outcome = files.tries(&other, &refer(1, ReferralAction::Receive));
        assert_eq!(outcome, Err(Refused::NotTheBody(super::people::body(OFFICE))), "{}", other.id);
    }
    files.brings(1, ReferralState::Returned);
    assert_eq!(files.tries(&stranger(), &redirect(1, BANK)), Err(Refused::Outside(super::people::region("320100"))));
    files.does(&registrar(), &redirect(1, BANK)); // the sender may send it on
    assert_eq!(files.referral(2).body.to_string(), BANK);
}

#[test]
fn a_change_needs_the_etag_of_now() {
    let mut files = flagged();
    let note = |etag| Command::Update(Box::new(Update { etag, note: Some("注".to_owned()), ..update(1) }));
    files.does(&registrar(), &note(Some(1)));
    assert_eq!(files.tries(&registrar(), &note(Some(1))), Err(Refused::Changed { found: 2 }));
    files.does(&registrar(), &note(Some(2)));
    files.does(&registrar(), &note(None));
    assert_eq!(files.entry(1).notes.len(), 3);
    assert_eq!(files.does(&registrar(), &Command::Update(Box::new(update(1)))), [], "nothing to change");
    assert_eq!(files.tries(&stranger(), &note(None)), Err(Refused::Outside(super::people::region("320100"))));
}

#[test]
fn a_hit_is_overruled_where_there_is_one() {
    let overrule = |term: &str| {
        let (term, reason) = (term.to_owned(), "是地名".to_owned());
        Command::Overrule { firm: FirmId(1), term, field: mingcha::vocabulary::Field::Name, reason }
    };
    let mut files = flagged();
    files.does(&registrar(), &overrule("理财"));
    assert_eq!((files.file(1).overruled[0].by.as_str(), files.file(1).overruled[0].reason.as_str()), ("nanjing", "是地名"));
    assert_eq!(files.tries(&registrar(), &overrule("支付")), Err(Refused::NoSuchHit("支付".to_owned())));
}

/// 国办发〔2016〕21号 三（一）: who was told answers first.
#[test]
fn nobody_determines_or_releases_while_another_body_is_at_work() {
    let mut files = Files::default();
    files.does(&registrar(), &record(&screening_for_two("某地甲理财支付公司")));
    let at_work = |body: &str, id: u32| Err(Refused::AtWork { body: super::people::body(body), referral: ReferralId(id) });
    let (determine, release) = (step(1, EntryAction::Determine, Some(opinion(Disposition::Ban))), step(1, EntryAction::Release, None));
    for command in [&determine, &release] {
        assert_eq!(files.tries(&of(OFFICE), command), at_work(BANK, 2));
        assert_eq!(files.tries(&of(BANK), command), at_work(OFFICE, 1));
        assert_eq!(files.tries(&of(PROVINCE), command), at_work(OFFICE, 1));
    }
    files.brings(2, ReferralState::Returned);
    files.does(&of(OFFICE), &determine);
    assert_eq!(files.status(1), Status::Determined);
}

/// The place where a firm only operates adds what it sees; what is said of the firm is for the place that registered it.
#[test]
fn where_it_only_operates_there_are_notes_and_evidence_and_no_more() {
    let mut files = Files::default();
    let place = super::people::region("110105");
    files.does(&registrar(), &record(&Screening { operates: vec![place], ..screening("甲") }));
    let there = super::people::identity("there", &[Role::Registrar, Role::Finance], "110105", None);
    let note = Update { note: Some("注".to_owned()), ..update(1) };
    files.does(&there, &Command::Update(Box::new(note.clone())));
    files.does(&there, &Command::AddEvidence { firm: FirmId(1), evidence: super::people::evidence() });
    let overrule =
        Command::Overrule {
            firm: FirmId(1), term: "理财".to_owned(), field: mingcha::vocabulary::Field::Name, reason: "缘由".to_owned()
        };
    let tagged = Command::Update(Box::new(Update { tags: Some(Vec::new()), ..note }));
    let revoke = Command::Revoke { firm: FirmId(1), day: day::FIRST, reason: "文号".to_owned() };
    let link = Command::Link { firm: FirmId(1), uscc: "91A".to_owned() };
    for command in [overrule, tagged, revoke, link, step(1, EntryAction::Release, None)] {
        assert_eq!(files.tries(&there, &command), Err(Refused::Outside(super::people::region("320100"))), "{command:?}");
    }
}

/// What is refused is not carried out: the firm keeps its name and its place.
#[test]
fn a_name_or_a_move_that_is_refused_is_none() {
    let uscc = Some("91A");
    for (decision, stands) in [(Decision::Attention, true), (Decision::Restricted, false), (Decision::Prohibited, false)] {
        let mut files = Files::default();
        files.does(&registrar(), &record(&Screening { firm: super::people::firm("甲", uscc, "320100"), ..screening("甲") }));
        let renamed = Screening {
            firm: super::people::firm("甲理财", uscc, "320100"),
            event: Asked::Change,
            screened: screened(decision, "甲理财"),
            ..screening("甲理财")
        };
        files.does(&registrar(), &record(&renamed));
        assert_eq!(files.file(1).name, if stands { "甲理财" } else { "甲" });
        let moved = Screening { firm: super::people::firm("甲", uscc, "110105"), event: Asked::MoveIn, ..renamed.clone() };
        files.does(&stranger(), &record(&moved));
        let (home, there) = (super::people::region("320100"), super::people::region("110105"));
        assert_eq!(files.file(1).registered, if stands { there } else { home });
        assert!(files.file(1).places().any(|place| place == there), "both places see it");
        let existing = Screening { firm: super::people::firm("甲理财", uscc, "320100"), event: Asked::Existing, ..renamed };
        files.does(&registrar(), &record(&existing));
        assert_eq!(files.file(1).name, "甲理财", "on the register it is what it is");
    }
}

#[test]
fn a_file_has_room_for_so_many_words() {
    let mut files = flagged();
    let long = |bytes: usize| Command::Update(Box::new(Update { note: Some("a".repeat(bytes)), ..update(1) }));
    files.does(&registrar(), &long(MOST_WORDS - 10));
    assert_eq!(files.tries(&registrar(), &long(11)), Err(Refused::Full));
    let evidence = super::people::evidence();
    assert!(evidence.words() > 10);
    assert_eq!(files.tries(&registrar(), &Command::AddEvidence { firm: FirmId(1), evidence }), Err(Refused::Full));
    let complaint = super::people::told(super::people::firm("某地甲理财公司", None, "320100"), Source::Complaint, "", &[]);
    assert_eq!(files.tries(&registrar(), &complaint), Err(Refused::Full));
    files.does(&registrar(), &long(10));
}

/// Two files that were joined may have more words than one may be given: all else goes on.
#[test]
fn a_full_file_is_still_determined() {
    let mut files = flagged();
    let long = |firm: u32| Command::Update(Box::new(Update { note: Some("a".repeat(MOST_WORDS)), ..update(firm) }));
    files.does(&registrar(), &long(1));
    files.does(&registrar(), &record(&Screening { firm: super::people::firm("乙", Some("91A"), "320100"), ..screening("乙") }));
    files.does(&registrar(), &long(2));
    files.does(&registrar(), &Command::Link { firm: FirmId(1), uscc: "91A".to_owned() });
    assert!(files.entry(2).words() > MOST_WORDS);
    let tagged = Update { tags: Some(vec!["重点".to_owned()]), ..update(2) };
    files.does(&registrar(), &Command::Update(Box::new(tagged)));
    files.does(&of(OFFICE), &step(2, EntryAction::Review, None));
    assert_eq!(files.tries(&registrar(), &long(2)), Err(Refused::Full));
}

#[test]
fn a_licence_is_revoked_where_that_was_determined() {
    let revoke = Command::Revoke { firm: FirmId(1), day: day::parse("2026-11-24").expect("a day"), reason: "文号".to_owned() };
    let mut files = flagged();
    assert_eq!(files.tries(&registrar(), &revoke), Err(Refused::NotToBeRevoked));
    files.does(&of(OFFICE), &step(1, EntryAction::Determine, Some(opinion(Disposition::Ban))));
    assert_eq!(files.tries(&registrar(), &revoke), Err(Refused::NotToBeRevoked));
    files.does(&of(OFFICE), &step(1, EntryAction::Determine, Some(opinion(Disposition::Revoke))));
    files.does(&registrar(), &revoke);
    assert_eq!(files.entry(1).revoked, day::parse("2026-11-24").ok());
}

#[test]
fn a_year_without_a_calendar_is_an_error() {
    let mut files = flagged();
    let far = Deadlines { receive: 0, accept: u16::MAX, conclude: 0 };
    let version = super::version();
    let context = Context {
        identity: &of(OFFICE),
        today: day::parse("2026-11-24").expect("a day"),
        deadlines: far,
        lists: version.engine().lists(),
        next_firm: FirmId(2),
        next_referral: ReferralId(2),
    };
    let seen = Seen { file: Some(files.file(1)), coded: None };
    assert!(matches!(decide(&refer(1, ReferralAction::Receive), seen, &context), Err(Refused::NoCalendar(_))));
    files.brings(1, ReferralState::Received);
}
