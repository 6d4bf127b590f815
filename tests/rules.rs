//! What the rules reach, who is told, and what exempts: on the lists inside the binary.

use mingcha::{
    day::{self, Days},
    licence::Licence,
    screen::{Answer, Firm, Reason},
    vocabulary::{Decision, EntityKind, Event, Field, LicenceKind},
};

use crate::support::{circumstances, engine, firm, hit_terms};

fn name(text: &str, region: &str, date: &str) -> Firm {
    firm(Field::Name, text, circumstances(region, date))
}

fn decision(firm: &Firm) -> Decision {
    engine().screen(firm).decision
}

#[test]
fn any_day_answers_with_the_lists_of_that_day() {
    let cases = [
        ("320100", "2016-04-11", Decision::Pass),       // before 国办发〔2016〕21号
        ("320100", "2016-04-12", Decision::Restricted), // its first day
        ("320100", "2016-06-28", Decision::Restricted), // the day before 南京's plan
        ("320100", "2016-06-29", Decision::Prohibited), // 南京 leaves out 原则上
        ("330100", "2021-04-30", Decision::Restricted), // the day before 国令737
        ("330100", "2021-05-01", Decision::Prohibited),
    ];
    for (region, date, expected) in cases {
        assert_eq!(decision(&name("某地明日理财有限公司", region, date)), expected, "{region} {date}");
    }
}

#[test]
fn a_county_inherits_from_its_city_its_province_and_the_nation() {
    for (region, expected) in [("340500", true), ("340521", true), ("341800", false), ("000000", false)] {
        let firm = name("某地明日理财有限公司", region, "2020-01-01");
        let answer = engine().screen(&firm);
        let lists: Vec<&str> = answer
            .hits
            .iter()
            .flat_map(|hit| &hit.rules)
            .map(|id| engine().lists().instrument_of(engine().lists().rule(*id)).id.as_str())
            .collect();
        assert_eq!(lists.contains(&"maanshan-2016"), expected, "{region}: {lists:?}");
        assert!(lists.contains(&"cn-2016-21"), "{region}: {lists:?}");
    }
}

#[test]
fn the_beijing_moratorium_knows_events_and_ends() {
    let asks = |event, date| {
        let mut firm = name("某地东篱投资有限公司", "110105", date);
        firm.circumstances.event = event;
        decision(&firm)
    };
    assert_eq!(asks(Event::Establish, "2016-09-01"), Decision::Suspended);
    assert_eq!(asks(Event::MoveIn, "2016-09-01"), Decision::Suspended);
    assert_eq!(asks(Event::Existing, "2016-09-01"), Decision::Restricted); // 北京 (a): 投资, all events
    assert_eq!(asks(Event::Establish, "2017-04-01"), Decision::Restricted); // the moratorium is over
}

#[test]
fn rules_speak_of_kinds_of_entity() {
    let mut firm = name("某县明日理财店", "330100", "2020-01-01");
    firm.circumstances.kind = EntityKind::IndividualBusiness;
    assert_eq!(decision(&firm), Decision::Pass); // 21号 speaks of 企业
    firm.circumstances.day = day::parse("2021-05-01").expect("a day");
    assert_eq!(decision(&firm), Decision::Prohibited); // 国令737 of 企业、个体工商户
}

#[test]
fn a_recalled_rule_draws_attention_at_most() {
    assert_eq!(decision(&name("某地博远信托公司", "330100", "2010-01-01")), Decision::Attention);
}

#[test]
fn a_repealed_list_no_longer_decides() {
    assert_eq!(decision(&name("某地博远商业保理有限公司", "330100", "2025-04-24")), Decision::Restricted);
    assert_eq!(decision(&name("某地博远商业保理有限公司", "330100", "2025-04-25")), Decision::Attention);
}

#[test]
fn advertising_is_a_text_of_its_own() {
    let advertisement = firm(Field::Advertisement, "投资保本，无风险", circumstances("370100", "2017-01-01"));
    assert_eq!(decision(&advertisement), Decision::Prohibited);
    let scope = firm(Field::Scope, "保本咨询", circumstances("370100", "2017-01-01"));
    let answer = engine().screen(&scope);
    assert!(answer.cleared.iter().any(|cleared| cleared.reason == Reason::NotApplicable), "{answer:?}");
}

fn licence(kind: LicenceKind, until: Option<&str>) -> Licence {
    let to = until.map(|until| day::parse(until).expect("a day"));
    Licence { kind, number: "Z1".to_owned(), issuer: String::new(), days: Days { from: None, to }, terms: Vec::new() }
}

#[test]
fn a_licence_exempts_its_own_field_of_business_while_it_is_valid() {
    let mut firm = name("某地众诚支付有限公司", "330100", "2026-11-01");
    assert_eq!(decision(&firm), Decision::Prohibited); // 国令768
    firm.licences = vec![licence(LicenceKind::Payment, Some("2026-11-01"))];
    let answer = engine().screen(&firm);
    assert_eq!(answer.decision, Decision::Pass);
    assert_eq!(answer.cleared.iter().map(|cleared| &cleared.reason).collect::<Vec<_>>(), [&Reason::Licensed(0)]);
    firm.licences = vec![licence(LicenceKind::Payment, Some("2026-10-31"))]; // expired yesterday
    assert_eq!(decision(&firm), Decision::Prohibited);
    let mut other = name("某地众诚理财有限公司", "330100", "2026-11-01");
    other.licences = vec![licence(LicenceKind::Payment, None)];
    assert_eq!(decision(&other), Decision::Prohibited);
}

#[test]
fn a_licence_covers_the_words_within_its_own() {
    let mut firm = name("某地众诚融资担保有限公司", "330100", "2026-11-01");
    firm.licences = vec![licence(LicenceKind::Guarantee, None)];
    assert_eq!(decision(&firm), Decision::Pass); // 融资 and 担保 stand within 融资担保
    let mut exchange = name("某地证券交易所有限公司", "330100", "2026-11-01");
    exchange.licences = vec![licence(LicenceKind::SecuritiesFutures, None), licence(LicenceKind::TradingVenue, None)];
    assert_eq!(decision(&exchange), Decision::Prohibited); // a broker is no exchange
}

#[test]
fn an_approval_exempts_the_terms_it_names_from_rules_that_leave_room_for_one() {
    let approved =
        |terms: &[&str]| Licence { terms: terms.iter().map(ToString::to_string).collect(), ..licence(LicenceKind::Approval, None) };
    let mut firm = name("某地众诚理财有限公司", "330100", "2020-01-01"); // only 21号 (原则上) reaches it
    firm.licences = vec![approved(&["支付"])];
    assert_eq!(decision(&firm), Decision::Restricted);
    firm.licences = vec![approved(&["理财"])];
    assert_eq!(decision(&firm), Decision::Pass);
    firm.circumstances.day = day::parse("2022-01-01").expect("a day"); // 国令737 art. 9 leaves no room
    assert_eq!(decision(&firm), Decision::Prohibited);
}

fn told(answer: &Answer<'_>) -> Vec<String> {
    let mut bodies: Vec<String> = answer.inform.iter().map(|informed| informed.body.to_string()).collect();
    bodies.sort();
    bodies
}

#[test]
fn the_finance_side_is_told_and_never_the_sender() {
    let cases = [
        ("某地众诚网贷有限公司", "320104", vec!["320100/finance-office"]),
        ("某地众诚支付有限公司", "320100", vec!["320100/central-bank", "320100/finance-office"]),
        ("某地众诚网贷有限公司", "130321", vec!["130321/banking-regulator", "130321/central-bank", "130321/finance-office"]),
        ("某地众诚网贷有限公司", "330106", vec!["000000/banking-regulator", "330100/finance-office"]),
        ("某地众诚日用品有限公司", "320100", vec![]),
    ];
    for (text, region, expected) in cases {
        let firm = name(text, region, "2017-01-01");
        assert_eq!(told(&engine().screen(&firm)), expected, "{text} {region}");
    }
    let advertisement = firm(Field::Advertisement, "投资理财保本", circumstances("370100", "2017-01-01"));
    let bodies = told(&engine().screen(&advertisement));
    assert!(bodies.iter().all(|body| !body.ends_with("/market-regulator")), "{bodies:?}");
}

#[test]
fn a_body_of_two_functions_is_told_once() {
    let firm = |date| firm(Field::Scope, "P2P；互联网保险", circumstances("330106", date));
    let regulators = |date| told(&engine().screen(&firm(date))).into_iter().filter(|body| body.starts_with("000000/")).collect::<Vec<_>>();
    assert_eq!(regulators("2017-01-01"), ["000000/banking-regulator", "000000/insurance-regulator"]); // 银监会, 保监会
    assert_eq!(regulators("2026-11-01"), ["000000/banking-regulator"]); // 国家金融监督管理总局
}

#[test]
fn contained_hits_are_kept_and_say_within() {
    let firm = name("某地众诚互联网保险有限公司", "000000", "2026-11-01");
    let answer = engine().screen(&firm);
    assert_eq!(hit_terms(&answer), ["互联网保险", "保险"]);
    assert_eq!(answer.hits[1].within, Some(0));
}

#[test]
fn every_place_has_a_finance_office_that_can_be_named() {
    for (code, city) in
        [("110105", "110000"), ("310115", "310000"), ("429004", "429004"), ("659001", "659001"), ("320104", "320100"), ("320000", "320000")]
    {
        let firm = name("某地众诚理财有限公司", code, "2026-11-01");
        let answer = engine().screen(&firm);
        let office = answer.inform.iter().find(|informed| informed.body.to_string() == format!("{city}/finance-office"));
        let office = office.unwrap_or_else(|| panic!("{code}: {:?}", answer.inform));
        let (name, _) = mingcha::routing::body_name(&office.body, firm.circumstances.day, engine().lists());
        assert!(!name.starts_with(|c: char| c.is_ascii_digit()), "{code}: {name}");
    }
}
