//! P1: a process killed in the middle of anything leaves a log that has all it acknowledged; and of a
//! bit flipped after the kill, either nothing is lost or the log refuses to open.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use eureka_raft::store::log::LogStorage;

use crate::log_refuses_what_is_doubtful::copy_dir;
use crate::support::{append, open, read_all, record, save_vote};

const DIR: &str = "EUREKA_RAFT_TEST_KILLED_DIR";
const SEED: &str = "EUREKA_RAFT_TEST_KILLED_SEED";
/// How the child's lines begin; the test harness says other things too.
const VERBS: [&str; 4] = ["ack ", "cut ", "vote ", "purge "];

/// A sequence of numbers that follows from its seed (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Says something to the parent at once.
fn say(line: &str) {
    println!("\n{line}");
    std::io::stdout().flush().unwrap();
}

/// Not a test: the process that [`killed`] starts and kills.
#[test]
fn the_child_writes_until_it_is_killed() {
    let Ok(dir) = std::env::var(DIR) else {
        return;
    };
    let seed: u64 = std::env::var(SEED).unwrap().parse().unwrap();
    let mut numbers = Numbers(seed);
    let node = open(Path::new(&dir)).unwrap();
    let bounds = node.log.bounds().unwrap();
    let (mut next, mut first) = (
        bounds.last.map_or(0, |last| last + 1),
        bounds.first.unwrap_or(0),
    );
    let generation = seed as u8;
    for round in 1.. {
        if numbers.below(12) == 0 && next > first + 200 {
            let last_kept = next - 1 - numbers.below(100);
            say(&format!("cut {last_kept}"));
            node.log.truncate_after(last_kept);
            next = last_kept + 1;
        }
        if numbers.below(12) == 0 && next > first + 1_000 {
            first = next - 600;
            say(&format!("purge {}", first - 1));
            node.log.purge_upto(first - 1, Bytes::new());
        }
        if numbers.below(12) == 0 {
            let term = seed * 1_000_000 + round;
            save_vote(&node.log, term).unwrap();
            say(&format!("vote {term}"));
        }
        let batch = (0..numbers.below(64) + 1).map(|at| {
            let long = numbers.below(40) == 0;
            record(
                next + at,
                generation,
                if long { 30_000 } else { 100 + at as usize },
            )
        });
        let batch: Vec<_> = batch.collect();
        next += batch.len() as u64;
        append(&node.log, batch).unwrap();
        say(&format!("ack {} {generation}", next - 1));
    }
}

/// What the child acknowledged, over all its lives.
#[derive(Default)]
pub(crate) struct Acknowledged {
    /// Index to generation.
    records: BTreeMap<u64, u8>,
    /// What may or may not have happened: a truncation announced and not followed by an `ack`.
    cutting: Option<u64>,
    purged: u64,
    term: u64,
}

impl Acknowledged {
    fn hear(&mut self, line: &str) {
        let mut words = line.split(' ');
        let verb = words.next().unwrap_or_default();
        let mut number = || words.next().unwrap().parse::<u64>().unwrap();
        match verb {
            "cut" => self.cutting = Some(number()),
            "purge" => self.purged = number() + 1,
            "vote" => self.term = number(),
            "ack" => {
                if let Some(last_kept) = self.cutting.take() {
                    self.records.split_off(&(last_kept + 1));
                }
                let (last, generation) = (number(), number() as u8);
                let from = self
                    .records
                    .last_key_value()
                    .map_or(0, |(last, _)| last + 1);
                self.records
                    .extend((from..=last).map(|index| (index, generation)));
            }
            _ => {}
        }
    }

    /// Checks an opened log against it; the log may have more.
    pub(crate) fn check(&mut self, dir: &Path, context: &str) {
        let node = open(dir).unwrap_or_else(|error| panic!("{context}: {error}"));
        let found = read_all(&node.log);
        assert!(
            node.log.vote().map_or(0, |vote| vote.term) >= self.term,
            "{context}"
        );
        let first = found.first().map_or(self.purged, |record| record.index);
        assert!(first <= self.purged.max(1), "{context}: begins at {first}");
        for (expected, record) in (first..).zip(&found) {
            assert_eq!(record.index, expected, "{context}");
        }
        let must_have = self.cutting.map_or(u64::MAX, |last_kept| last_kept);
        for (index, generation) in self.records.range(self.purged..=must_have) {
            let record = &found[(index - first) as usize];
            let expected = crate::support::record(*index, *generation, record.bytes.len());
            assert_eq!(record, &expected, "{context}");
        }
    }

    /// Takes over what is there: it was written, if not acknowledged.
    pub(crate) fn adopt(&mut self, dir: &Path, generation: u8) {
        let node = open(dir).unwrap();
        let bounds = node.log.bounds().unwrap();
        let last = bounds.last.unwrap_or(0);
        self.records.split_off(&(last + 1));
        if let Some(last_kept) = self.cutting.take() {
            // Which of the two lives they come from cannot be told from here.
            self.records.split_off(&(last_kept + 1));
            self.purged = self.purged.max(last + 1);
        }
        let from = self
            .records
            .last_key_value()
            .map_or(0, |(last, _)| last + 1);
        self.records
            .extend((from..=last).map(|index| (index, generation)));
    }
}

/// Starts the child on `dir`, ends it by `end` once it has said `lines` lines, and hears all of them.
pub(crate) fn life(
    dir: &Path,
    seed: u64,
    lines: usize,
    acknowledged: &mut Acknowledged,
    end: impl Fn(&mut Child),
) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "log_survives_kills::the_child_writes_until_it_is_killed",
            "--exact",
            "--nocapture",
        ])
        .env(DIR, dir)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = |line: &String| VERBS.iter().any(|verb| line.starts_with(verb));
    let mut heard = 0;
    for line in output.map_while(Result::ok).filter(said) {
        acknowledged.hear(&line);
        heard += 1;
        if heard == lines {
            // It goes on writing until this takes effect; what it says meanwhile is heard too.
            end(&mut child);
        }
    }
    child.wait().unwrap();
    assert!(
        heard >= lines,
        "the child ended by itself after {heard} lines"
    );
}

/// A life ended by kill -9.
fn killed(dir: &Path, seed: u64, lines: usize, acknowledged: &mut Acknowledged) {
    life(dir, seed, lines, acknowledged, |child| {
        child.kill().unwrap()
    });
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::default();
    for seed in 1..=8 {
        let lines = 40 + 17 * seed as usize;
        killed(dir.path(), seed, lines, &mut acknowledged);
        acknowledged.check(dir.path(), &format!("seed {seed}"));
        acknowledged.adopt(dir.path(), seed as u8);
    }
}

#[test]
fn a_bit_flipped_after_a_kill_loses_nothing_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    let killed_dir = dir.path().join("killed");
    let mut acknowledged = Acknowledged::default();
    killed(&killed_dir, 3, 60, &mut acknowledged);
    let db = killed_dir.join("log/db");
    let bits = std::fs::metadata(&db).unwrap().len() * 8;
    let (mut whole, mut refused) = (0, 0);
    for round in 0..40 {
        let copy = dir.path().join("copy");
        copy_dir(&killed_dir, &copy);
        let mut bytes = std::fs::read(&db).unwrap();
        let bit = Numbers(round + 1).below(bits) as usize;
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(copy.join("log/db"), bytes).unwrap();
        match open(&copy) {
            Ok(node) => {
                drop(node);
                acknowledged.check(&copy, &format!("bit {bit}"));
                whole += 1;
            }
            Err(error) => {
                assert!([74, 77].contains(&error.exit_code()), "bit {bit}: {error}");
                refused += 1;
            }
        }
        std::fs::remove_dir_all(&copy).unwrap();
    }
    println!("{whole} whole, {refused} refused");
    assert!(refused > 0, "no flip hit anything");
}
