//! A register compared with rosters.

use super::{Bureau, FIRMS, rows};

const LICENSED: &str = "\
机构名称,统一社会信用代码,许可证种类,许可证编号,有效期至
某地众诚支付有限公司,,PAYMENT,Z1,2030年1月1日
某地众诚理財有限公司,,支付业务许可证,Z2,长期
";

fn flagged(bureau: &Bureau, more: &[&str]) -> Vec<Vec<String>> {
    bureau.rescreen(&["firms.tsv"], "out.csv", more);
    rows(&bureau.read("out.csv"), &["企业名称", "提示"])
}

#[test]
fn the_licensed_are_exempt_within_their_kind_and_time() {
    let bureau = Bureau::new();
    bureau.write("firms.tsv", FIRMS);
    bureau.write("licensed.csv", LICENSED.replacen("机构名称", "企业名称", 1));
    let names = |rows: Vec<Vec<String>>| rows.into_iter().map(|row| row[0].clone()).collect::<Vec<_>>();
    let without = names(flagged(&bureau, &[]));
    assert!(without.iter().any(|name| name == "某地众诚支付有限公司"));
    let with = flagged(&bureau, &["--roster", "licensed.csv", "--as", "licensed"]);
    let note = with.iter().find(|row| row[0] == "某地众诚理财有限公司").expect("a payment licence exempts no 理财").clone();
    assert_eq!(note[1], "持牌名单：licensed.csv"); // found by its name in traditional characters
    assert_eq!(names(with), without.iter().filter(|name| *name != "某地众诚支付有限公司").cloned().collect::<Vec<_>>());
    let later = flagged(&bureau, &["--roster", "licensed.csv", "--as", "licensed", "--date", "2030-01-02"]);
    assert!(names(later).iter().any(|name| name == "某地众诚支付有限公司"));
}

#[test]
fn a_code_goes_before_a_name() {
    let bureau = Bureau::new();
    bureau.write("firms.tsv", FIRMS);
    bureau.write("complaints.tsv", "name\tuscc\n另一名称\t91320113580493701r\n某地众诚支付有限公司\t91110105MA00000000\n");
    bureau.write("trade.jsonl", "{\"name\":\"某地众诚支付有限公司\"}\n");
    let more = ["--roster", "complaints.tsv", "--as", "complaint", "--roster", "trade.jsonl", "--as", "industry"];
    let rows = flagged(&bureau, &more);
    let warnings = |name: &str| rows.iter().find(|row| row[0] == name).expect("it is flagged")[1].clone();
    assert_eq!(warnings("某地众诚理财有限公司"), "投诉名单：complaints.tsv");
    assert!(warnings("某地众诚支付有限公司").ends_with("；行业名单：trade.jsonl"), "{rows:?}"); // another code: not the one complained of
    assert!(!warnings("某地众诚支付有限公司").contains("投诉"));
}

#[test]
fn an_old_registration_number_is_no_other_code() {
    let bureau = Bureau::new();
    let firms = [("一", "440301102937392"), ("二", "无"), ("三", "91320113580493701R"), ("四", "91320113580493701R"), ("五", "")];
    let firm = |(which, code): &(&str, &str)| format!("某地众诚理财{which}有限公司\t{code}\n");
    bureau.write("firms.tsv", format!("企业名称\t注册号\n{}", firms.iter().map(firm).collect::<String>()));
    let listed = [("一", "91320113580493701R"), ("二", "440301102937392"), ("三", "不详"), ("四", "91110105MA00000000"), ("六", "无")];
    bureau.write("complaints.tsv", format!("企业名称\t统一社会信用代码\n{}", listed.iter().map(firm).collect::<String>()));
    let rows = flagged(&bureau, &["--roster", "complaints.tsv", "--as", "complaint"]);
    let noted: Vec<bool> = rows.iter().map(|row| row[1].contains("投诉名单：complaints.tsv")).collect();
    // the fourth has the code of the one on the roster that is called otherwise now
    assert_eq!(noted, [true, true, true, true, false], "{rows:?}");
    bureau.write("complaints.tsv", "企业名称\t统一社会信用代码\n\t440301102937392\n");
    let output = bureau.run(&["firms.tsv"], "out.csv", &["--roster", "complaints.tsv", "--as", "complaint"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 2: it has neither a name nor a code"), "{output:?}");
}

#[test]
fn a_roster_is_understood_or_refused() {
    let bureau = Bureau::new();
    bureau.write("firms.tsv", FIRMS);
    bureau.write("licensed.csv", "名称,有效期至\n甲,2030-01-01\n乙,某日\n");
    let said = |more: &[&str]| {
        let output = bureau.run(&["firms.tsv"], "out.csv", more);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(said(&["--roster", "licensed.csv", "--as", "licensed"]).contains("licensed.csv: line 2: its kind"));
    assert!(said(&["--roster", "licensed.csv", "--as", "licensed:pawn"]).contains("licensed.csv: line 3: its last day"));
    assert!(said(&["--roster", "licensed.csv"]).contains("--as"));
}
