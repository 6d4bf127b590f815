//! What is news of a firm, and what a firm that was let go is opened again by.

use mingcha::{
    day,
    vocabulary::{BusinessField, Decision, Event as Asked},
    watch::{Disposition, ReferralState, Source, Status, command::Screening, decide::Refused, transition::EntryAction},
};

use super::{
    decide::{Files, flagged},
    people::{BANK, OFFICE, firm, inform, of, opinion, reason, record, registrar, screened, screening, step, told},
};

/// 告知后无新情况不重复列入: a firm that was let go is opened again by a new term, a new rule or a changed text only.
#[test]
fn a_firm_that_was_let_go_is_opened_again_by_news_only() {
    let name = "某地甲理财公司";
    let same = screening(name);
    let mut longer = same.clone();
    longer.screened.texts = "another text".to_owned();
    let mut term = same.clone();
    term.reasons.push(reason("财富", BusinessField::WealthManagement, "list/rule"));
    let mut rule = same.clone();
    rule.reasons[0].rules.push("list/new".to_owned());
    let mut lists = same.clone();
    lists.screened.lists_hash = "2".to_owned();
    let mut passed = same.clone();
    passed.screened = screened(Decision::Pass, "nothing");
    passed.reasons.clear();
    let release = step(1, EntryAction::Release, None);
    let determine = |disposition| step(1, EntryAction::Determine, Some(opinion(disposition)));
    let compliant = determine(Disposition::Compliant);
    for (settle, screening, reopens) in [
        (&release, &same, false),
        (&release, &lists, false),
        (&release, &passed, false),
        (&release, &longer, true),
        (&release, &term, true),
        (&release, &rule, true),
        (&compliant, &same, false),
        (&compliant, &longer, true),
        (&compliant, &rule, true),
        (&determine(Disposition::Ban), &longer, false),
    ] {
        let mut files = flagged();
        files.does(&of(OFFICE), settle);
        let settled = files.status(1);
        files.does(&registrar(), &record(screening));
        let expected = if reopens { (Status::Open, 2, 2) } else { (settled, 1, 1) };
        assert_eq!((files.status(1), files.entry(1).round, files.file(1).referrals.len()), expected, "{settle:?} {screening:?}");
        assert_eq!(files.entry(1).determined.is_some(), !reopens && settled == Status::Determined);
    }
}

/// What was determined against a firm stands until the finance side determines otherwise; what is new is told all the same.
#[test]
fn a_determination_is_not_undone_by_a_screening() {
    let mut files = flagged();
    files.does(&of(OFFICE), &step(1, EntryAction::Determine, Some(opinion(Disposition::Revoke))));
    let mut more = screening("某地甲理财公司");
    more.reasons.push(reason("财富", BusinessField::WealthManagement, "list/rule"));
    files.brings(1, ReferralState::Concluded);
    files.does(&registrar(), &record(&more));
    let entry = files.entry(1);
    assert_eq!((entry.status, entry.round, entry.reasons.len()), (Status::Determined, 1, 2));
    assert!(entry.determined.as_ref().is_some_and(|determined| determined.disposition == Disposition::Revoke));
    assert_eq!(files.file(1).referrals.len(), 2);
}

/// What the earlier opening left over hinders nothing: the body is told again, and its new opinion counts.
#[test]
fn a_firm_opened_again_is_determined_anew() {
    let mut files = flagged();
    files.does(&of(OFFICE), &step(1, EntryAction::Release, None)); // its referral is still open
    let mut term = screening("某地甲理财公司");
    term.reasons.push(reason("财富", BusinessField::WealthManagement, "list/rule"));
    files.does(&registrar(), &record(&term));
    files.brings(1, ReferralState::Concluded);
    assert_eq!(files.status(1), Status::Open, "an opinion on the earlier opening");
    files.brings(2, ReferralState::Concluded);
    assert_eq!(files.status(1), Status::Determined);
}

#[test]
fn a_body_at_work_is_not_told_again_until_there_is_news_for_it() {
    let mut files = flagged();
    let mut term = screening("某地甲理财公司");
    term.reasons.push(reason("支付", BusinessField::Payment, "list/pay"));
    term.inform.push(inform(BANK, &[BusinessField::Payment]));
    files.does(&registrar(), &record(&term));
    assert_eq!(files.file(1).referrals.iter().map(|referral| referral.body.to_string()).collect::<Vec<_>>(), [OFFICE, BANK]);
    files.does(&registrar(), &record(&term));
    assert_eq!(files.file(1).referrals.len(), 2);
}

#[test]
fn what_grew_graver_is_told() {
    let mut files = Files::default();
    let name = "某地甲理财公司";
    files.does(&registrar(), &record(&Screening { screened: screened(Decision::Attention, name), ..screening(name) }));
    assert_eq!(files.file(1).referrals.len(), 0);
    files.does(&registrar(), &record(&screening(name)));
    assert_eq!((files.entry(1).level, files.file(1).referrals.len(), files.entry(1).round), (Decision::Restricted, 1, 1));
}

#[test]
fn screening_the_register_again_changes_nothing_where_nothing_changed() {
    let again = Screening { source: Source::Rescreening, event: Asked::Existing, ..screening("某地甲理财公司") };
    let mut files = flagged();
    let before = files.file(1).clone();
    assert_eq!(files.does(&registrar(), &record(&again)), []);
    assert_eq!(files.file(1), &before);
    let mut later = again.clone();
    later.screened.day = day::parse("2026-12-01").expect("a day");
    assert_eq!(files.does(&registrar(), &record(&later)), []);
    for other in [
        Screening { source: Source::NameApproval, ..again.clone() },
        Screening { screened: mingcha::watch::file::Screened { lists_hash: "2".to_owned(), ..again.screened.clone() }, ..again.clone() },
        Screening { screened: screened(Decision::Restricted, "another text"), ..again.clone() },
        Screening { screened: screened(Decision::Pass, "某地甲理财公司"), ..again.clone() },
        Screening { operates: vec![super::people::region("320200")], ..again.clone() },
        Screening { firm: firm("某地甲理财公司", Some("91320100A"), "320100"), ..again.clone() },
    ] {
        assert_ne!(flagged().does(&registrar(), &record(&other)), [], "{other:?}");
    }
    let passed = Screening {
        screened: screened(Decision::Pass, "乙"),
        reasons: vec![],
        ..Screening { source: Source::Rescreening, ..screening("乙") }
    };
    assert_ne!(files.does(&registrar(), &record(&passed)), [], "it was never screened before");
    assert_eq!(files.does(&registrar(), &record(&passed)), []);
}

#[test]
fn a_complaint_opens_an_entry_and_opens_it_again() {
    let mut files = Files::default();
    let complaint = |informant: &str| told(firm("甲", None, "320100"), Source::Complaint, informant, &[OFFICE]);
    files.does(&of(OFFICE), &complaint("张三"));
    assert_eq!((files.status(1), files.entry(1).level, files.file(1).referrals.len()), (Status::Open, Decision::Attention, 1));
    assert_eq!(files.entry(1).evidence[0].informant, "张三");
    for settle in [step(1, EntryAction::Release, None), step(1, EntryAction::Determine, Some(opinion(Disposition::Compliant)))] {
        let round = files.entry(1).round;
        files.does(&of(OFFICE), &settle);
        files.does(&of(OFFICE), &complaint(""));
        assert_eq!((files.status(1), files.entry(1).round), (Status::Open, round + 1));
    }
    let roster = told(firm("乙", None, "320100"), Source::Roster, "李四", &[]);
    assert_eq!(
        files.tries(&registrar(), &roster),
        Err(Refused::RoleMissing(mingcha::auth::Role::Finance)),
        "who informed is for finance only"
    );
}
