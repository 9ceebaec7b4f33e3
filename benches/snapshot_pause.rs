//! How long apply pauses when a snapshot of a large registry is taken and written.
//!
//! Owns the measurement: entries of renewals are applied one after the other while another thread writes
//! the snapshot. Each round measures the same entries without and with a snapshot, one after the other,
//! so that a neighbour's load falls on both.
//!
//! `cargo bench --bench snapshot_pause [-- INSTANCES]`

mod registry_load;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eureka_raft::registry::{Command, Registry, Settings, SnapshotData};
use eureka_raft::store::files::SharedFiles;
use eureka_raft::store::snapshot_files::SnapshotName;
use eureka_raft::store::{DirFiles, SnapshotFiles};
use tokio::time::Instant;

use registry_load::{Slots, entry, register, renew};

/// Instances, unless the command line says otherwise.
const INSTANCES: u32 = 1_000_000;
/// Renewals in an entry: what a leader's batch holds under heavy traffic.
const BATCH: usize = 100;
const ROUNDS: u32 = 5;

/// What applying entries one after the other took.
#[derive(Default)]
struct Pauses(Vec<Duration>);

impl Pauses {
    fn line(&mut self, what: &str) -> String {
        self.0.sort_unstable();
        let at = |share: f64| self.0[((self.0.len() - 1) as f64 * share) as usize];
        format!(
            "{what}: {} entries of {BATCH} renewals, p50 {:?}, p99 {:?}, p99.9 {:?}, longest {:?}",
            self.0.len(),
            at(0.5),
            at(0.99),
            at(0.999),
            at(1.0),
        )
    }
}

/// Applies entries and notes how long each takes.
struct Applying {
    registry: Registry,
    slots: Slots,
}

impl Applying {
    fn one(&mut self, pauses: &mut Pauses) {
        let commands = (0..BATCH).map(|_| renew(self.slots.next())).collect();
        let index = self.registry.index() + 1;
        let entry = entry(self.registry.lease_ms() + 1, commands);
        let started = Instant::now();
        self.registry.apply_owned(index, entry);
        pauses.0.push(started.elapsed());
    }

    /// Applies while `data` is written, until it is on disk.
    fn during(&mut self, data: SnapshotData, files: &SnapshotFiles, pauses: &mut Pauses) -> usize {
        let written = Arc::new(AtomicBool::new(false));
        let mut entries = 0;
        std::thread::scope(|threads| {
            let done = Arc::clone(&written);
            threads.spawn(move || {
                write(files, &data);
                done.store(true, Ordering::SeqCst);
            });
            while !written.load(Ordering::SeqCst) {
                self.one(pauses);
                entries += 1;
            }
        });
        entries
    }
}

/// A registry of `count` instances, registered in batches.
fn fill(count: u32) -> Registry {
    let mut registry = Registry::new();
    let mut settings = Settings::default();
    settings.instances_max = settings.instances_max.max(2 * u64::from(count));
    settings.applications_max = settings.applications_max.max(u64::from(count));
    registry.apply_owned(1, entry(0, vec![Command::Settings(settings)]));
    for first in (0..count).step_by(100) {
        let commands = (first..count.min(first + 100)).map(register).collect();
        registry.apply_owned(registry.index() + 1, entry(u64::from(first), commands));
    }
    assert_eq!(registry.view().instance_count(), u64::from(count));
    registry
}

fn write(files: &SnapshotFiles, data: &SnapshotData) {
    let name = SnapshotName {
        term: 1,
        index: data.index(),
        id: 1,
    };
    let mut writer = files.begin(name, b"bench").expect("a snapshot can begin");
    for record in data.records() {
        writer.append(&record).expect("the disk takes a record");
    }
    writer.finish().expect("the snapshot is whole");
}

fn main() {
    let instances = std::env::args().find_map(|argument| argument.parse().ok());
    let instances: u32 = instances.unwrap_or(INSTANCES);
    let directory = tempfile::tempdir_in("target").expect("a directory");
    let files = DirFiles::open(directory.path()).expect("the directory opens");
    let files: SharedFiles = Arc::new(files);
    let files = SnapshotFiles::open(files, None).expect("it holds no snapshot yet");
    let mut applying = Applying {
        registry: fill(instances),
        slots: Slots::new(7, instances),
    };
    println!("{instances} leases");
    let (mut without, mut with, mut views) = (Pauses::default(), Pauses::default(), Vec::new());
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let data = applying.registry.snapshot();
        views.push(started.elapsed());
        let started = Instant::now();
        let entries = applying.during(data, &files, &mut with);
        let built = started.elapsed();
        (0..entries).for_each(|_| applying.one(&mut without));
        println!(
            "a view took {:?}; written in {built:?}",
            views[views.len() - 1]
        );
    }
    println!("{}", without.line("without a snapshot"));
    println!("{}", with.line("while one is written"));
    println!(
        "the longest view took {:?}",
        views.iter().max().unwrap_or(&Duration::ZERO)
    );
}
