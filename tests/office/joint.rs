//! Several bodies, several places, several files: joint determination (会商), escalation (提级), and files that join.

use mingcha::{
    vocabulary::{BusinessField, Decision, Event as Asked},
    watch::{
        Disposition, ReferralState, Source, Status,
        command::{Command, Screening},
        decide::Refused,
        key::FirmId,
        transition::{EntryAction, ReferralAction},
    },
};

use super::{
    decide::{Files, flagged},
    people::{
        BANK, OFFICE, PROVINCE, body, conclude, firm, of, opinion, reason, record, redirect, refer, region, registrar, screened, screening,
        screening_for_two, step, stranger, told,
    },
};

fn two() -> Files {
    let mut files = Files::default();
    files.does(&registrar(), &record(&screening_for_two("某地甲理财支付公司")));
    files
}

/// Brings a referral to its conclusion with an opinion.
fn concludes(files: &mut Files, id: u32, disposition: Disposition) {
    files.brings(id, ReferralState::Accepted);
    let body = files.referral(id).body.to_string();
    files.does(&of(&body), &conclude(id, disposition));
}

#[test]
fn whoever_accepts_reviews_and_one_body_alone_determines() {
    let mut files = flagged();
    files.brings(1, ReferralState::Received);
    assert_eq!(files.status(1), Status::Open);
    files.does(&of(OFFICE), &refer(1, ReferralAction::Accept));
    assert_eq!(files.status(1), Status::UnderReview);
    files.does(&of(OFFICE), &conclude(1, Disposition::Rectify));
    assert_eq!(files.status(1), Status::Determined);
    assert_eq!(files.entry(1).determined, Some(opinion(Disposition::Rectify)));
    assert_eq!(files.file(1).due(), opinion(Disposition::Rectify).deadline, "by then it must put things right");
}

#[test]
fn bodies_that_agree_determine_together() {
    let mut files = two();
    concludes(&mut files, 1, Disposition::Ban);
    assert_eq!((files.status(1), files.entry(1).disagreement), (Status::UnderReview, false), "the other has not concluded");
    concludes(&mut files, 2, Disposition::Ban);
    assert_eq!(
        (files.status(1), files.entry(1).determined.as_ref().map(|opinion| opinion.disposition)),
        (Status::Determined, Some(Disposition::Ban))
    );
}

/// 仙桃, a county right under its province: no bodies are between.
#[test]
fn from_a_county_under_its_province_it_goes_to_the_province() {
    let mut files = Files::default();
    let mut asked = screening("仙桃市甲理财公司");
    asked.firm = firm("仙桃市甲理财公司", None, "429004");
    asked.inform[0].body = body("429004/finance-office");
    files.does(&registrar(), &record(&asked));
    files.brings(1, ReferralState::Accepted);
    files.does(&of("429004/finance-office"), &refer(1, ReferralAction::Escalate));
    assert_eq!(files.referral(2).body, body("420000/finance-office"));
}

#[test]
fn bodies_that_disagree_go_to_the_place_above() {
    let mut files = two();
    concludes(&mut files, 1, Disposition::Ban);
    assert_eq!(files.tries(&of(OFFICE), &refer(1, ReferralAction::Escalate)), Err(Refused::NoDisagreement));
    concludes(&mut files, 2, Disposition::Compliant);
    assert_eq!((files.status(1), files.entry(1).disagreement), (Status::UnderReview, true));
    for id in [1, 2] {
        assert!(files.referral(id).opinion.is_some(), "each body's opinion is kept");
    }
    files.does(&of(OFFICE), &refer(1, ReferralAction::Escalate));
    assert_eq!(
        (files.referral(3).body, files.referral(3).after, files.referral(1).next),
        (body(PROVINCE), Some(files.referral(1).id), Some(files.referral(3).id))
    );
    assert_eq!(files.tries(&of(OFFICE), &refer(1, ReferralAction::Escalate)), Err(Refused::WentOn(files.referral(3).id)));
    concludes(&mut files, 3, Disposition::Compliant);
    assert_eq!((files.status(1), files.entry(1).disagreement), (Status::Determined, false), "the body above decides");
    assert_eq!(files.entry(1).determined, Some(opinion(Disposition::Compliant)));
}

#[test]
fn above_the_nation_there_is_nobody() {
    let mut files = Files::default();
    let national = told(firm("甲", None, "320100"), Source::OtherDistrict, "", &["000000/central-bank"]);
    files.does(&of(OFFICE), &national);
    files.brings(1, ReferralState::Accepted);
    let outcome = files.tries(&of("000000/central-bank"), &refer(1, ReferralAction::Escalate));
    assert_eq!(outcome, Err(Refused::NoneAbove(body("000000/central-bank"))));
}

#[test]
fn what_is_returned_is_sent_to_another() {
    let mut files = flagged();
    files.brings(1, ReferralState::Returned);
    assert_eq!((files.status(1), files.referral(1).due), (Status::Open, None));
    assert_eq!(files.tries(&registrar(), &redirect(1, OFFICE)), Err(Refused::Told(body(OFFICE))));
    files.does(&registrar(), &redirect(1, BANK));
    assert_eq!(files.referral(2).fields, files.referral(1).fields);
    assert_eq!(files.tries(&registrar(), &redirect(1, PROVINCE)), Err(Refused::WentOn(files.referral(2).id)));
    concludes(&mut files, 2, Disposition::Ban);
    assert_eq!(files.status(1), Status::Determined);
}

#[test]
fn where_the_last_body_returns_the_others_opinions_decide() {
    let mut files = two();
    concludes(&mut files, 1, Disposition::Ban);
    files.brings(2, ReferralState::Returned);
    assert_eq!(files.status(1), Status::Determined);
    let mut files = two();
    files.brings(2, ReferralState::Returned);
    assert_eq!(files.status(1), Status::Open, "the other has said nothing yet");
    concludes(&mut files, 1, Disposition::Ban);
    assert_eq!(files.status(1), Status::Determined);
}

#[test]
fn a_code_is_given_once() {
    let link = |firm, code: &str| Command::Link { firm: FirmId(firm), uscc: code.to_owned() };
    let mut files = flagged();
    assert_eq!(files.tries(&stranger(), &link(1, "91A")), Err(Refused::Outside(region("320100"))));
    files.does(&registrar(), &link(1, "91A"));
    assert_eq!(files.does(&registrar(), &link(1, "91A")), []);
    assert_eq!(files.tries(&registrar(), &link(1, "91B")), Err(Refused::HasCode("91A".to_owned())));
    assert_eq!(files.tries(&registrar(), &link(2, "91B")), Err(Refused::NoFirm));
}

/// A firm with a code, watched, with one referral; and one without a code, for which another body works.
fn pair() -> Files {
    let mut files = Files::default();
    files.does(&registrar(), &record(&Screening { firm: firm("甲", Some("91A"), "320100"), ..screening("甲") }));
    let mut other = Screening { operates: vec![region("320500")], ..screening("乙") };
    other.reasons = vec![reason("支付", BusinessField::Payment, "list/pay")];
    other.inform = vec![super::people::inform(BANK, &[BusinessField::Payment])];
    files.does(&registrar(), &record(&other));
    files
}

fn join(files: &mut Files) {
    files.does(&registrar(), &Command::Link { firm: FirmId(2), uscc: "91A".to_owned() });
    assert_eq!((files.file(2).joined_to, files.file(1).joined.as_slice()), (Some(FirmId(1)), &[FirmId(2)][..]));
}

#[test]
fn files_that_join_are_determined_jointly() {
    let mut files = pair();
    join(&mut files);
    assert_eq!((files.file(1).operates.as_slice(), files.file(1).referrals.len()), (&[region("320500")][..], 2));
    assert_eq!(files.entry(1).reasons.iter().map(|reason| reason.term.as_str()).collect::<Vec<_>>(), ["理财", "支付"]);
    let note = step(2, EntryAction::Review, None);
    assert_eq!(files.tries(&of(OFFICE), &note), Err(Refused::Joined(FirmId(1))));
    concludes(&mut files, 1, Disposition::Ban);
    assert_eq!(files.status(1), Status::UnderReview, "the other body has not concluded");
    concludes(&mut files, 2, Disposition::Ban);
    assert_eq!(files.status(1), Status::Determined);
}

#[test]
fn what_is_open_of_one_is_open_of_both_and_what_was_settled_does_not_count() {
    let mut files = pair();
    concludes(&mut files, 1, Disposition::Compliant);
    assert_eq!(files.status(1), Status::Determined);
    join(&mut files);
    assert_eq!((files.status(1), files.entry(1).round, &files.entry(1).determined), (Status::Open, 2, &None));
    concludes(&mut files, 2, Disposition::Ban);
    assert_eq!((files.status(1), files.entry(1).disagreement), (Status::Determined, false));
    let mut files = pair();
    concludes(&mut files, 2, Disposition::Ban);
    join(&mut files);
    assert_eq!((files.status(1), files.entry(1).round), (Status::Open, 2));
    concludes(&mut files, 1, Disposition::Compliant);
    assert_eq!(files.entry(1).determined, Some(opinion(Disposition::Compliant)));
}

#[test]
fn a_firm_that_operates_elsewhere_is_shared_and_one_that_moves_brings_its_file() {
    let mut files = Files::default();
    let coded = |place: &str| firm("甲", Some("91A"), place);
    let passed = Screening { screened: screened(Decision::Pass, "甲"), ..screening("甲") };
    files.does(&registrar(), &record(&Screening { firm: coded("320100"), ..screening("甲") }));
    files.does(&stranger(), &record(&Screening { firm: coded("110105"), event: Asked::Existing, ..screening("甲") }));
    assert_eq!((files.file(1).registered, files.file(1).operates.as_slice()), (region("320100"), &[region("110105")][..]));
    files.does(&stranger(), &Command::AddEvidence { firm: FirmId(1), evidence: super::people::evidence() });
    files.does(&stranger(), &record(&Screening { firm: coded("110105"), event: Asked::MoveIn, ..passed.clone() }));
    assert_eq!((files.file(1).registered, files.file(1).former.as_slice()), (region("110105"), &[region("320100")][..]));
    files.does(&registrar(), &Command::AddEvidence { firm: FirmId(1), evidence: super::people::evidence() });
}
