//! Whatever happens to the index costs a rebuild, never data and never a person's help; and no folder has two masters.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command as Process, Stdio},
};

use mingcha::{
    office::{Office, OpenError},
    watch::{command::Command, file::File as FirmFile, key::FirmId, transition::ReferralAction},
};

use super::{
    Desk, index,
    people::{OFFICE, evidence, of, record, refer, registrar, screening, screening_for_two},
    settings, verified,
};

/// Enough that sled writes more than one segment of its own.
fn filled(data: &Path) -> Vec<FirmFile> {
    let mut desk = Desk::open(data);
    for number in 0..60 {
        desk.submit(&registrar(), &format!("r-{number}"), &record(&screening_for_two(&format!("某地{number}理财公司")))).expect("recorded");
    }
    for number in (1..40).step_by(3) {
        desk.does(&of(OFFICE), &refer(number * 2 - 1, ReferralAction::Receive));
        desk.does(&registrar(), &Command::AddEvidence { firm: FirmId(number), evidence: evidence() });
    }
    let files = desk.files();
    desk.close();
    files
}

/// Opens it, and sees that all is there, is asked for as before, and goes on.
fn is_whole(data: &Path, files: &[FirmFile]) {
    let mut desk = Desk::open(data);
    assert_eq!(desk.files(), files);
    let again = desk.submit(&registrar(), "r-7", &record(&screening_for_two("某地7理财公司"))).expect("answered");
    assert_eq!((again.done == mingcha::office::Done::Recorded, again.file.id), (false, FirmId(8)), "the request is remembered");
    let next = u32::try_from(files.len()).expect("few") + 1;
    assert_eq!(desk.does(&registrar(), &record(&screening(&format!("第{next}家")))).file.id, FirmId(next));
    assert_eq!(desk.files().len(), files.len() + 1);
    desk.close();
    verified(data);
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copied(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// The files of an index, the largest first.
fn parts(index: &Path) -> Vec<PathBuf> {
    let mut parts: Vec<(u64, PathBuf)> = Vec::new();
    let mut folders = vec![index.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                parts.push((entry.metadata().expect("it is there").len(), entry.path()));
            }
        }
    }
    parts.sort();
    parts.into_iter().rev().map(|(_, path)| path).collect()
}

fn cut(path: &Path, length: u64) {
    File::options().write(true).open(path).and_then(|file| file.set_len(length)).expect("cut");
}

/// Bytes that look like nothing, the same each time.
fn garbage(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn over(path: &Path, at: u64, bytes: &[u8]) {
    use std::os::unix::fs::FileExt;
    File::options().write(true).open(path).and_then(|file| file.write_all_at(bytes, at)).expect("written");
}

/// Lets harm come to copies of a folder, one after the other.
fn after_each(harms: impl IntoIterator<Item = (String, Box<dyn Fn(&Path)>)>) {
    let whole = tempfile::tempdir().expect("a folder");
    let files = filled(&whole.path().join("data"));
    for (harm, does) in harms {
        println!("{harm}"); // shown where the test fails
        let copy = tempfile::tempdir().expect("a folder");
        let data = copy.path().join("data");
        copied(&whole.path().join("data"), &data);
        does(&data);
        is_whole(&data, &files);
    }
}

type Harm = (String, Box<dyn Fn(&Path)>);

fn harm(name: impl Into<String>, does: impl Fn(&Path) + 'static) -> Harm {
    (name.into(), Box::new(does))
}

#[test]
fn an_index_that_is_gone_or_another_s_is_made_again() {
    let other = tempfile::tempdir().expect("a folder");
    let (shorter, same_length) = (other.path().join("shorter"), other.path().join("same"));
    let mut desk = Desk::open(&shorter);
    desk.does(&registrar(), &record(&screening("别家的理财公司")));
    desk.close();
    filled(&same_length); // at other instants: its hashes are others
    let of = |data: PathBuf| {
        move |harmed: &Path| {
            fs::remove_dir_all(index(harmed)).expect("removed");
            copied(&index(&data), &harmed.join("index.1"));
        }
    };
    after_each([
        harm("nothing", |_: &Path| {}),
        harm("deleted", |data: &Path| fs::remove_dir_all(index(data)).expect("removed")),
        harm("emptied", |data: &Path| parts(&index(data)).iter().for_each(|part| fs::remove_file(part).expect("removed"))),
        harm("a file in its place", |data: &Path| {
            fs::remove_dir_all(index(data)).expect("removed");
            fs::write(data.join("index.1"), "nothing").expect("written");
        }),
        harm("of another journal, shorter", of(shorter)),
        harm("of another journal, as long", of(same_length)),
        harm("of another version", |data: &Path| {
            let db = sled::open(index(data)).expect("it opens");
            let meta = db.get(b"M").expect("read").expect("it is there");
            db.insert(b"M", [&[0, 0, 0, 99][..], &meta[4..]].concat()).expect("written");
            db.flush().expect("flushed");
        }),
        harm("behind the journal", |data: &Path| {
            let old = data.with_file_name("old");
            copied(data, &old);
            let mut desk = Desk::open(data);
            desk.close();
            fs::remove_dir_all(index(data)).expect("removed");
            copied(&index(&old), &data.join("index.1"));
        }),
        harm("left half-made", |data: &Path| fs::create_dir(data.join("index.2")).expect("made")),
    ]);
}

#[test]
fn an_index_cut_anywhere_is_made_again() {
    let shares = [0, 1, 7, 20, 50, 75, 90, 97, 99];
    after_each(shares.into_iter().flat_map(|share| {
        (0..3).map(move |which| {
            harm(format!("file {which} cut to {share} %"), move |data: &Path| {
                if let Some(part) = parts(&index(data)).get(which) {
                    cut(part, part.metadata().expect("it is there").len() * share / 100);
                }
            })
        })
    }));
}

#[test]
fn an_index_with_garbage_in_it_is_made_again() {
    let whole = (0..3).map(|which| {
        harm(format!("file {which} filled with garbage"), move |data: &Path| {
            if let Some(part) = parts(&index(data)).get(which) {
                let length = usize::try_from(part.metadata().expect("it is there").len()).expect("small");
                fs::write(part, garbage(length, 7)).expect("written");
            }
        })
    });
    let spots = (0..12u32).map(|seed| {
        harm(format!("garbage at spot {seed}"), move |data: &Path| {
            let part = &parts(&index(data))[0];
            let length = part.metadata().expect("it is there").len();
            over(part, length * u64::from(seed) / 12 + 13, &garbage(100, seed));
        })
    });
    let strange = [harm("a strange file in it", |data: &Path| fs::write(index(data).join("snap.0000"), garbage(500, 3)).expect("written"))];
    after_each(whole.chain(spots).chain(strange));
}

/// Garbage in any part of an index of a service that was killed, and killed again: sled then leaves out what it cannot
/// read, and says nothing. No request is forgotten, no file is older than it was.
#[test]
fn garbage_after_an_unclean_stop_is_never_believed() {
    let folder = tempfile::tempdir().expect("a folder");
    let firm = |number| format!("某地{number}理财公司");
    let ids = |run: u32| (0..40).map(move |number| run * 40 + number);
    for run in 0..4 {
        let mut desk = Desk::open(&folder.path().join(run.to_string()));
        for number in ids(run) {
            desk.submit(&registrar(), &format!("r-{number}"), &record(&screening_for_two(&firm(number)))).expect("recorded");
            desk.does(&registrar(), &Command::AddEvidence { firm: FirmId(number + 1), evidence: evidence() });
        }
        desk.settled().flush().expect("flushed");
        copied(&desk.data, &folder.path().join((run + 1).to_string())); // as it lies there where the service is killed now
        desk.close();
    }
    let killed = folder.path().join("4");
    let length = parts(&index(&killed))[0].metadata().expect("it is there").len();
    let spots: u64 = std::env::var("MINGCHA_SPOTS").ok().and_then(|spots| spots.parse().ok()).unwrap_or(8);
    for spot in 0..spots {
        let data = folder.path().join("harmed");
        copied(&killed, &data);
        over(&parts(&index(&data))[0], length * spot / spots, &[0xa5; 512]);
        for round in 0..3 {
            let mut desk = Desk::open(&data);
            for number in (0..4).flat_map(ids) {
                let again =
                    desk.submit(&registrar(), &format!("r-{number}"), &record(&screening_for_two(&firm(number)))).expect("answered");
                assert!(
                    matches!(again.done, mingcha::office::Done::Before(_)),
                    "spot {spot}, start {round}: request {number} is forgotten"
                );
            }
            for file in desk.files() {
                assert_eq!(desk.history(file.id).file.as_deref(), Some(&file), "spot {spot}, start {round}");
            }
            for number in 0..10 {
                let name = format!("又{round}之{number}理财公司");
                desk.submit(&registrar(), &format!("{round}-{number}"), &record(&screening_for_two(&name))).expect("recorded");
            }
            desk.settled().flush().expect("flushed");
            let next = data.with_extension("next"); // killed again: what lay behind the garbage may come up again
            copied(&data, &next);
            desk.close();
            fs::remove_dir_all(&data).expect("removed");
            fs::rename(&next, &data).expect("renamed");
        }
        fs::remove_dir_all(&data).expect("removed");
    }
}

/// What the journal is made of is not the office's to mend: it says what is wrong, and changes nothing.
#[test]
fn a_damaged_journal_is_refused_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    filled(folder.path());
    let segment = folder.path().join("journal/00000000000000000001.jsonl");
    let text = fs::read_to_string(&segment).expect("text");
    fs::write(&segment, text.replacen("某地3理财", "某地3理则", 1)).expect("written");
    let error = Office::open(&settings(folder.path())).expect_err("it was changed").to_string();
    assert!(error.contains("line 4") && error.contains("was changed"), "{error}");
    fs::write(&segment, text).expect("mended");
    Desk::open(folder.path()).close();
}

#[test]
fn two_in_one_process_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut desk = Desk::open(folder.path());
    let second = Office::open(&settings(folder.path()));
    assert!(matches!(second, Err(OpenError::InUse(_))), "{second:?}");
    desk.does(&registrar(), &record(&screening("甲")));
    desk.close();
    Desk::open(folder.path()).close();
}

/// Holds a folder in another process, until its standard input ends.
pub(super) fn holder(data: &Path) -> Child {
    super::crash::again("office::damage::holds_a_folder", data).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts")
}

#[test]
fn two_processes_are_told_apart() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().expect("a folder");
    let mut other = holder(folder.path());
    let mut said = BufReader::new(other.stdout.take().expect("piped")).lines().map_while(Result::ok);
    assert!(said.any(|line| line.contains("held")));
    let second = Office::open(&settings(folder.path()));
    assert!(matches!(second, Err(OpenError::InUse(_))), "{second:?}");
    assert_eq!(second.expect_err("refused").to_string(), format!("{} is in use by another process", folder.path().display()));
    other.stdin.take().expect("piped").write_all(b"\n").expect("told");
    assert!(other.wait().expect("it ends").success());
    Desk::open(folder.path()).close();
}

/// Does nothing but where it was started to hold a folder.
#[test]
fn holds_a_folder() {
    let Some(data) = super::crash::data() else { return };
    let mut desk = Desk::open(&data);
    println!("\nheld");
    std::io::stdin().read_line(&mut String::new()).expect("told");
    desk.close();
}

#[test]
fn what_is_kept_is_for_the_owner_only() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("set");
    filled(folder.path());
    let mut desk = Desk::open(folder.path()); // also what is there only while it works
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    for name in ["lock", "running"] {
        assert_eq!(mode(&folder.path().join(name)), 0o600, "{name}");
    }
    assert_eq!((mode(&folder.path().join("journal")), mode(&index(folder.path()))), (0o700, 0o700));
    desk.close();
    assert!(!folder.path().join("running").exists());
}

/// A full disk, by a limit of the file system: said clearly, nothing acknowledged is lost, and with room it goes on.
#[test]
fn a_full_disk_is_said_and_survived() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let Some(_mounted) = Mounted::tmpfs(&data, "8m") else { return };
    let mut desk = Desk::open(&data);
    let mut acknowledged = Vec::new();
    let error = loop {
        let long = format!("某地{}理财公司{}", acknowledged.len(), "长".repeat(2_000));
        match desk.submit_once(&registrar(), "", &record(&screening(&long))) {
            Ok(answer) => acknowledged.push(answer.file.name.clone()),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("No space left") || error.contains("made again"), "{error}");
    let refused = desk.submit_once(&registrar(), "", &record(&screening("甲"))).expect_err("it takes no more").to_string();
    assert!(refused.contains("journal") || refused.contains("index"), "{refused}");
    desk.close();
    match Desk::over(&data, Office::open(&settings(&data))) {
        Err(error) => assert!(error.to_string().contains("No space left"), "{error}"),
        Ok(mut desk) => {
            // there may be a little room again, or the index cannot be made and nothing is taken
            let outcome = desk.submit_once(&registrar(), "", &record(&screening("丙")));
            acknowledged.extend(outcome.ok().map(|answer| answer.file.name.clone()));
            desk.close();
        }
    }
    assert!(fs::read_dir(&data).expect("a folder").count() <= 4, "what was begun in vain is left behind");
    assert!(Process::new("mount").args(["-o", "remount,size=64m"]).arg(&data).status().expect("mount").success());
    let mut desk = Desk::open(&data);
    let names: Vec<String> = desk.files().into_iter().map(|file| file.name).collect();
    assert!(names.len() <= acknowledged.len() + 2, "{} of {}", names.len(), acknowledged.len());
    assert!(acknowledged.iter().all(|name| names.contains(name)));
    desk.does(&registrar(), &record(&screening("乙")));
    desk.close();
    verified(&data);
}

#[test]
fn a_read_only_folder_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let Some(_mounted) = Mounted::tmpfs(&data, "16m") else { return };
    Desk::open(&data).close();
    let read_only = || Process::new("mount").args(["-o", "remount,ro"]).arg(&data).stderr(Stdio::null()).status().expect("mount").success();
    let done = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50)); // sled lets its files go a little later
        read_only()
    });
    assert!(done, "the file system cannot be made read-only");
    let error = Office::open(&settings(&data)).expect_err("it cannot be written").to_string();
    assert!(error.contains("Read-only file system") && error.contains("data"), "{error}");
}

/// A file system in memory, where this user may mount one.
struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(path: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(path).expect("a folder");
        let status =
            Process::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(path).stderr(Stdio::null()).status();
        let mounted = status.is_ok_and(|status| status.success());
        if !mounted {
            println!("not tested: this user may not mount a file system");
        }
        mounted.then(|| Self(path.to_path_buf()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Process::new("umount").arg("-l").arg(&self.0).status();
    }
}
