//! `docs/watch.md` shows the tables of `watch::transition`.

use std::fs;

use mingcha::watch::transition::{ENTRY_STEPS, REFERRAL_STEPS};

/// The rows below a mark, up to the first empty line.
fn rows(text: &str, mark: &str) -> Vec<String> {
    let behind = text.split_once(&format!("<!-- {mark} -->\n")).unwrap_or_else(|| panic!("no {mark}")).1;
    behind.lines().take_while(|line| !line.is_empty()).skip(2).map(str::to_owned).collect()
}

#[test]
fn the_documents_show_what_may_follow_what() {
    let text = fs::read_to_string("docs/watch.md").expect("docs/watch.md");
    let entry = ENTRY_STEPS.iter().map(|step| {
        let from: Vec<&str> = step.from.iter().map(|from| from.id()).collect();
        format!("| `{}` {} | {} | {} |", step.action.id(), step.action.chinese(), from.join(", "), step.to.id())
    });
    assert_eq!(rows(&text, "entry steps"), entry.collect::<Vec<_>>());
    let referral = REFERRAL_STEPS.iter().map(|step| {
        let from: Vec<&str> = step.from.iter().map(|from| from.id()).collect();
        format!("| `{}` {} | {} | {} |", step.action.id(), step.action.chinese(), from.join(", "), step.to.id())
    });
    assert_eq!(rows(&text, "referral steps"), referral.collect::<Vec<_>>());
}
