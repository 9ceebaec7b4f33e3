//! P1, P8: whatever happens to a file of a stopped node, the node opens with everything it has
//! acknowledged, or refuses and says which file; never less in silence, never a hang.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

#[path = "damage/harm.rs"]
mod harm;
#[path = "damage/recording.rs"]
mod recording;

use crate::log_refuses_what_is_doubtful::copy_dir;
use harm::{Harm, PAGE};
use recording::{Acknowledged, Moment, Recording, Verdict, judge};

/// `EUREKA_RAFT_TEST_FLIPS` and `EUREKA_RAFT_TEST_SEED` make a longer or another sweep.
const FLIPS: u64 = 8;
const PAGES: u64 = 6;
const SEED: u64 = 4;
/// No start may take longer, whatever the disk holds.
const HANG: Duration = Duration::from_secs(10);

fn setting(name: &str, or: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(or)
}

/// Does damages to copies of one directory and counts what comes of them.
struct Sweep<'a> {
    root: &'a Path,
    of: &'a Moment,
    cases: u32,
    tally: BTreeMap<(String, &'static str), u32>,
    wrong: Vec<String>,
}

impl<'a> Sweep<'a> {
    fn of(root: &'a Path, of: &'a Moment) -> Self {
        Self {
            root,
            of,
            cases: 0,
            tally: BTreeMap::new(),
            wrong: Vec::new(),
        }
    }

    /// Damages a copy and opens it twice: a refusal must not be forgotten at the second start.
    fn case(&mut self, kind: &str, harm: &Harm) {
        self.cases += 1;
        let dir = self.root.join(format!("case-{}", self.cases));
        copy_dir(&self.of.dir, &dir);
        harm.apply(&dir);
        for start in 1..=2 {
            let verdict = judge_in_time(dir.clone(), self.of.known.clone());
            let (name, wrong) = match &verdict {
                None => ("hung", true),
                Some(Verdict::Whole) => ("whole", false),
                Some(Verdict::Lost(_)) => ("LOST", true),
                Some(Verdict::Refused(code, words)) => {
                    ("refused", !matches!(code, 74 | 77) || !names_a_file(words))
                }
            };
            if std::env::var_os("EUREKA_RAFT_TEST_TELL").is_some() || wrong {
                println!("{kind} {harm:?} start {start}: {verdict:?}");
            }
            *self.tally.entry((kind.to_owned(), name)).or_default() += 1;
            if wrong {
                self.wrong
                    .push(format!("{kind} {harm:?} start {start}: {verdict:?}"));
            }
            if name != "refused" {
                break;
            }
        }
        // A refused log may still be held by threads of sled's; the files go with the last of them.
        let _ = std::fs::remove_dir_all(&dir);
    }

    fn end(self) {
        println!("{} damages: {:?}", self.cases, self.tally);
        assert!(self.wrong.is_empty(), "\n{}", self.wrong.join("\n"));
    }
}

fn judge_in_time(dir: PathBuf, known: Acknowledged) -> Option<Verdict> {
    let (sender, verdict) = mpsc::channel();
    let judging = std::thread::Builder::new().spawn(move || {
        let _ = sender.send(judge(&dir, &known));
    });
    let verdict = verdict.recv_timeout(HANG).ok();
    if verdict.is_some() {
        judging.unwrap().join().unwrap();
    }
    verdict
}

fn names_a_file(words: &str) -> bool {
    ["META.", "LOG.end", "log", "snapshots", "LOCK"]
        .iter()
        .any(|file| words.contains(file))
}

fn recordings(root: &Path) -> (Recording, Recording) {
    let dir = |name: &str| {
        let dir = root.join(name);
        std::fs::create_dir(&dir).unwrap();
        dir
    };
    (
        Recording::make(&dir("one"), 7),
        Recording::make(&dir("other"), 90),
    )
}

/// Everything that can happen to one file by itself.
fn single(sweep: &mut Sweep, file: &str, len: u64, rng: &mut StdRng) {
    for _ in 0..setting("EUREKA_RAFT_TEST_FLIPS", FLIPS) {
        if len > 0 {
            let bit = rng.random_range(0..len as usize * 8);
            sweep.case(file, &Harm::Flip(file.to_owned(), bit));
        }
    }
    let mut lengths = vec![0, 1, 4, 8, 15, 16, 24, 100, len / 2];
    lengths.extend([1, 2, 16, 512, PAGE].map(|cut| len.saturating_sub(cut)));
    lengths.retain(|short| *short < len);
    lengths.dedup();
    for short in lengths {
        sweep.case(file, &Harm::Truncate(file.to_owned(), short));
    }
    sweep.case(file, &Harm::Grow(file.to_owned(), len + PAGE));
    let pages = len.div_ceil(PAGE);
    for page in 0..pages.min(PAGES) {
        let page = if pages <= PAGES {
            page
        } else {
            rng.random_range(0..pages)
        };
        sweep.case(file, &Harm::ZeroPage(file.to_owned(), page));
    }
    sweep.case(file, &Harm::Remove(file.to_owned()));
}

#[test]
fn no_damage_to_one_file_loses_anything_in_silence() {
    let seed = setting("EUREKA_RAFT_TEST_SEED", SEED);
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let root = tempfile::tempdir().unwrap();
    let (one, other) = recordings(root.path());
    for moment in [&one.killed, &one.stopped] {
        let mut sweep = Sweep::of(root.path(), moment);
        for (file, len) in harm::files(&moment.dir) {
            single(&mut sweep, &file, len, &mut rng);
            let elsewhere = one.before.iter().chain([&other.killed, &other.stopped]);
            for place in elsewhere.filter(|place| place.dir.join(&file).exists()) {
                let harm = Harm::Replace(vec![file.clone()], place.dir.clone());
                sweep.case(&file, &harm);
            }
        }
        sweep.end();
    }
}

#[test]
fn files_of_two_moments_or_two_nodes_are_told_apart() {
    let root = tempfile::tempdir().unwrap();
    let (one, other) = recordings(root.path());
    let together: &[&[&str]] = &[
        &["META.a", "META.b"],
        &["log"],
        &["snapshots"],
        &["LOG.end"],
        &["META.a", "META.b", "LOG.end"],
        &["META.a", "META.b", "snapshots"],
        &["log", "snapshots"],
        &["LOG.end", "snapshots"],
    ];
    for moment in [&one.shortened, &one.killed, &one.stopped] {
        let mut sweep = Sweep::of(root.path(), moment);
        for names in together {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let kind = names.join("+");
            for name in &names {
                sweep.case(&kind, &Harm::Remove(name.clone()));
            }
            for from in one.before.iter().chain([&other.killed, &other.stopped]) {
                sweep.case(&kind, &Harm::Replace(names.clone(), from.dir.clone()));
            }
        }
        sweep.end();
    }
}

#[test]
fn stray_files_change_nothing_or_are_named() {
    let root = tempfile::tempdir().unwrap();
    let (one, _) = recordings(root.path());
    for moment in [&one.killed, &one.stopped] {
        let mut sweep = Sweep::of(root.path(), moment);
        for name in [
            "stray",
            "META.tmp",
            "META.c",
            "LOG.end.old",
            "log/stray",
            "log/snap.FFFFFFFFFFFFFFFF",
            "log/snap.0000000000000001.generating",
            "log/blobs/17",
            "snapshots/stray",
            "snapshots/9-9999-00000000000000ff.snap",
            "snapshots/9-9999-00000000000000ff.snap.tmp",
        ] {
            for bytes in [Vec::new(), vec![0; 100], vec![0xA5; 5_000]] {
                sweep.case(name, &Harm::Stray(name.to_owned(), bytes));
            }
        }
        sweep.end();
    }
}
