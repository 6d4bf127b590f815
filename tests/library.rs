//! The library: lists renewed while calls go on, every version kept.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use mingcha::{
    embedded,
    library::{
        Library, ReloadError, Source,
        versions::{VersionError, Versions},
        watch::watch,
    },
    telemetry::{Metrics, reloaded},
};
use tokio_util::sync::CancellationToken;

use crate::folder::ListsFolder;

fn library(folder: &ListsFolder, data: Option<&Path>) -> Library {
    Library::open(Source::Folder(folder.path().to_owned()), data).unwrap_or_else(|error| panic!("{error}"))
}

fn kept(data: &Path, hash: &str) -> PathBuf {
    data.join("lists").join(hash)
}

#[test]
fn a_version_that_was_replaced_answers_on() {
    let (folder, data) = (ListsFolder::new(), tempfile::tempdir().expect("a folder"));
    folder.name("明日链");
    let library = library(&folder, Some(data.path()));
    let first = library.current();
    folder.name("昨日链");
    let reloaded = library.reload().expect("good lists");
    assert_eq!((reloaded.before.as_str(), reloaded.after.as_str()), (first.hash(), library.current().hash()));
    assert_ne!(reloaded.before, reloaded.after);
    assert!(library.current().engine().term("昨日链").is_some() && library.current().engine().term("明日链").is_none());
    let old = library.version(first.hash()).expect("it is kept");
    assert!(old.engine().term("明日链").is_some());
    assert!(Arc::ptr_eq(&old, &library.version(first.hash()).expect("it is held")));
    assert_eq!(library.reload().expect("nothing changed").after, reloaded.after);

    let later = Library::open(Source::Embedded, Some(data.path())).expect("another start, with other lists");
    assert!(later.version(first.hash()).expect("it is kept").engine().term("明日链").is_some());
    assert!(matches!(later.reload(), Err(ReloadError::NoFolder)));
}

/// What is counted of a version's answers is there before the first of them: no call has to make it.
#[test]
fn counters_are_made_when_lists_are_loaded() {
    let folder = ListsFolder::new();
    let library = library(&folder, None);
    let metrics = Metrics::new().expect("metrics");
    let has = |term: &str| metrics.text().expect("text").contains(&format!("mingcha_hits_total{{term=\"{term}\"}} 0"));
    assert!(!has("支付"));
    metrics.lists_of(&library);
    assert!(has("支付") && !has("明日链"));
    folder.name("明日链");
    library.reload().expect("good lists");
    assert!(has("明日链"));
}

/// Only a canary that does not hit says that canaries do not, and good lists say that they do.
#[test]
fn canaries_are_told_from_other_problems() {
    let folder = ListsFolder::new();
    let library = library(&folder, None);
    let metrics = Metrics::new().expect("metrics");
    metrics.canary_ok.set(1);
    let more = folder.path().join("local/more.toml");
    let good = crate::folder::more("明日链");
    let after = |text: &str| {
        fs::write(&more, text).expect("written");
        reloaded(&library.reload(), &library, &metrics);
        metrics.canary_ok.get()
    };
    assert_eq!(after(&good.replace("PROHIBIT", "FORBID")), 1, "another problem");
    assert_eq!(after(&good.replace("某地明日链有限公司", "某地明日、链有限公司")), 0, "the canary is silent");
    assert_eq!(after(&good.replace("PROHIBIT", "FORBID")), 0, "nothing shows that it is not");
    assert_eq!(after(&good), 1);
}

#[test]
fn bad_lists_are_refused_whole() {
    let folder = ListsFolder::new();
    let library = library(&folder, None);
    let before = library.current();
    let good = crate::folder::more("明日链");
    let bad = [
        good.replace("PROHIBIT", "FORBID").replace("320100", "999999"),
        good.replace("terms = [\"明日链\"]", "terms = [\"金融\"]"),
        String::new(),
    ];
    for bad in bad {
        folder.put(&bad);
        let Err(ReloadError::Problems(problems)) = library.reload() else { panic!("these were taken:\n{bad}") };
        assert!(problems.list().iter().all(|problem| problem.file == "local/more.toml"), "{problems}");
        assert!(Arc::ptr_eq(&before, &library.current()));
    }
    fs::remove_file(folder.more()).expect("removed");
    assert_eq!(library.reload().expect("as before").after, before.hash());
}

#[test]
fn lists_that_cannot_be_kept_do_not_serve() {
    let (folder, data) = (ListsFolder::new(), tempfile::tempdir().expect("a folder"));
    let library = library(&folder, Some(data.path()));
    let before = library.current();
    fs::remove_dir_all(data.path().join("lists")).expect("removed");
    fs::write(data.path().join("lists"), "no folder").expect("written");
    folder.name("明日链");
    assert!(matches!(library.reload(), Err(ReloadError::Keep(_))));
    assert!(Arc::ptr_eq(&before, &library.current()));
}

#[test]
fn what_is_damaged_is_said_and_kept_anew() {
    let data = tempfile::tempdir().expect("a folder");
    let versions = Versions::open(data.path()).expect("a folder");
    let files = embedded::files();
    let hash = files.hash();
    assert_eq!(versions.read(&hash), Err(VersionError::Missing { hash: hash.clone() }));
    versions.keep(&files).expect("kept");
    assert_eq!(versions.read(&hash).as_ref(), Ok(&files));
    let harms: [fn(&Path); 4] = [
        |path| fs::write(path.join("fields.toml"), "").expect("truncated"),
        |path| fs::remove_file(path.join("language/dictionary.txt")).expect("removed"),
        |path| fs::write(path.join("fields.toml"), b"\xff\xfe").expect("written"),
        |path| fs::write(path.join("local/more.toml"), "more").expect("added"),
    ];
    for harm in harms {
        harm(&kept(data.path(), &hash));
        let said = versions.read(&hash).expect_err("it is damaged");
        assert!(
            matches!(&said, VersionError::Damaged { .. } | VersionError::Unreadable { .. }) && said.to_string().contains(&hash),
            "{said}"
        );
        versions.keep(&files).expect("kept anew");
        assert_eq!(versions.read(&hash).as_ref(), Ok(&files));
    }
    let aside = fs::read_dir(data.path().join("lists"))
        .expect("read")
        .filter(|entry| entry.as_ref().expect("read").file_name().to_string_lossy().contains("damaged"));
    assert_eq!(aside.count(), harms.len(), "what was damaged is not thrown away");
    let mode = |path: PathBuf| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(kept(data.path(), &hash)), mode(kept(data.path(), &hash).join("fields.toml"))), (0o700, 0o600));
}

/// What a process leaves that was killed while it kept a version is in nobody's way.
#[test]
fn a_half_kept_version_is_no_version() {
    let data = tempfile::tempdir().expect("a folder");
    let versions = Versions::open(data.path()).expect("a folder");
    let files = embedded::files();
    let hash = files.hash();
    let half = data.path().join("lists").join(format!(".{hash}.1.0"));
    fs::create_dir_all(&half).expect("made");
    fs::write(half.join("fields.toml"), "half").expect("written");
    assert_eq!(versions.read(&hash), Err(VersionError::Missing { hash: hash.clone() }));
    versions.keep(&files).expect("kept");
    assert_eq!(versions.read(&hash), Ok(files));
}

#[test]
fn two_who_keep_the_same_version_at_once_do_each_other_no_harm() {
    let data = tempfile::tempdir().expect("a folder");
    let files = embedded::files();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| Versions::open(data.path()).and_then(|versions| versions.keep(&files)).expect("kept"));
        }
    });
    let versions = Versions::open(data.path()).expect("a folder");
    assert_eq!(versions.read(&files.hash()), Ok(files));
    assert_eq!(fs::read_dir(data.path().join("lists")).expect("read").count(), 1);
}

#[test]
fn what_is_no_hash_is_said() {
    let library = Library::open(Source::Embedded, None).expect("the lists inside the binary");
    let long = "0".repeat(65);
    for bad in ["0", "../../etc", &long, &"G".repeat(64), &"A".repeat(64)] {
        assert!(matches!(library.version(bad), Err(VersionError::NoHash(_))), "{bad}");
    }
    assert!(matches!(library.version(&"0".repeat(64)), Err(VersionError::Missing { .. })));
}

/// A changed folder is reloaded once it stands still; a bad one is reported once.
#[tokio::test(flavor = "multi_thread")]
async fn the_folder_is_watched() {
    let folder = ListsFolder::new();
    let library = Arc::new(library(&folder, None));
    let before = library.current().hash().to_owned();
    let said = Arc::new(Mutex::new(Vec::new()));
    let (stop, heard) = (CancellationToken::new(), Arc::clone(&said));
    let watching = tokio::spawn(watch(Arc::clone(&library), Duration::from_millis(20), stop.clone(), move |reloaded| {
        heard.lock().expect("no panic").push(reloaded.map(|reloaded| reloaded.after).map_err(|error| error.to_string()));
    }));
    let until = |count: usize| {
        let said = Arc::clone(&said);
        let wait = async move {
            while said.lock().expect("no panic").len() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        async { tokio::time::timeout(Duration::from_secs(60), wait).await.expect("nothing is said") }
    };
    folder.put("bad = ");
    until(1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(library.current().hash(), before);
    folder.name("明日链");
    until(2).await;
    fs::write(folder.path().join("README.md"), "no list").expect("written");
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.cancel();
    watching.await.expect("no panic");
    let said = said.lock().expect("no panic");
    assert!(said.len() == 2 && said[0].as_ref().is_err_and(|why| why.contains("local/more.toml")), "{said:?}");
    assert_eq!(said[1].as_deref(), Ok(library.current().hash()));
}
