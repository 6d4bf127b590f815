//! A folder of wordlists that a test may change.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mingcha::embedded;

/// The lists inside the binary, in a folder.
pub(crate) struct ListsFolder(tempfile::TempDir);

/// A rule that names one more term, of 南京, in force since 2020.
pub(crate) fn more(term: &str) -> String {
    format!(
        r#"id = "more"
title = "某办法"
document_number = "某发〔2020〕1号"
issuer = "某市人民政府"
jurisdiction = "320100"
from = "2020-01-01"
source = "a test"
wording = "verbatim"

[[rule]]
id = "names"
article = "第一条"
clause = "名称不得使用"
where = ["NAME"]
whom = ["ENTERPRISE"]
force = "PROHIBIT"
inform = ["320100/finance-office"]
terms = [{{ term = "{term}", field = "finance" }}]

[[canary]]
text = "某地{term}有限公司"
terms = ["{term}"]
"#
    )
}

impl ListsFolder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in embedded::all() {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("it is inside")).expect("made");
            fs::write(path, bytes).expect("written");
        }
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn text(&self) -> &str {
        self.path().to_str().expect("a temporary folder has a plain name")
    }

    /// The file that [`more`] is written to.
    pub(crate) fn more(&self) -> PathBuf {
        self.path().join("local/more.toml")
    }

    /// Has these lists name one more term.
    pub(crate) fn name(&self, term: &str) {
        self.put(&more(term));
    }

    pub(crate) fn put(&self, content: &str) {
        let draft = self.path().join("local/.more"); // whole or not at all
        fs::write(&draft, content).and_then(|()| fs::rename(draft, self.more())).expect("written");
    }
}
