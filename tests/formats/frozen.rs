//! The frozen bytes, in hexadecimal, and what they mean.

use std::collections::BTreeSet;
use std::sync::Arc;

use eureka_raft::codec::{self, ENTRY_MAX, FORMATS, SNAPSHOT_RECORD_MAX, Stored};
use eureka_raft::registry::{
    AppName, Command, DataCenter, Entry, Instance, InstanceId, InstanceStatus, LeaseTerms, LogTime,
    Origin, Port, Registration, Registry, Settings, SnapshotRecord,
};
use eureka_raft::store::files::{Files, SharedFiles};
use eureka_raft::store::identity::{
    Identity, IdentityFile, JoinMark, PlannedMember, SLOT_BYTES, SLOTS, StoredVote,
};
use eureka_raft::store::log::{LogRecord, LogStorage};
use eureka_raft::store::peer_memory::{MEMORY_FILES, Memories, Memory};
use eureka_raft::store::sled_log::END_FILE;
use eureka_raft::store::snapshot_files::SnapshotName;
use eureka_raft::store::{Ancestry, DirFiles, MemFiles, MemoryFile, SledLog, SnapshotFiles};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of hexadecimal digits.
fn bytes_of(digits: &str) -> Vec<u8> {
    let digits = digits.replace(char::is_whitespace, "");
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("digits are ASCII");
            u8::from_str_radix(pair, 16).expect("hexadecimal digits")
        })
        .collect()
}

/// Checks that `value` is written as `frozen`, and that `frozen` is read as `value`.
fn assert_frozen<T: Stored + PartialEq + std::fmt::Debug>(value: &T, frozen: &str) {
    let bytes = codec::encode(value);
    assert_eq!(
        hex(&bytes),
        frozen.replace(char::is_whitespace, ""),
        "{value:?}"
    );
    assert_eq!(codec::decode::<T>(&bytes, ENTRY_MAX).as_ref(), Ok(value));
}

#[test]
fn formats_are_listed_once_each() {
    let listed: BTreeSet<_> = FORMATS.iter().map(|f| (f.kind, f.version)).collect();
    assert_eq!(listed.len(), FORMATS.len());
    let oldest: Vec<_> = FORMATS[..11]
        .iter()
        .map(|f| (f.kind, f.version, f.what))
        .collect();
    let frozen = [
        (1, 1, "log entry"),
        (2, 1, "snapshot record"),
        (3, 1, "identity"),
        (4, 1, "raft log record"),
        (5, 1, "peer frame"),
        (6, 1, "peer handshake"),
        (7, 1, "application request"),
        (8, 1, "application answer"),
        (9, 1, "snapshot header"),
        (10, 1, "snapshot footer"),
        (11, 1, "raft note"),
    ];
    assert_eq!(oldest, frozen);
}

fn identity() -> Identity {
    Identity {
        incarnation: 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef,
        name: "node-1".to_owned(),
        cluster_id: Some(300),
        node_id: Some(1),
        plan: vec![PlannedMember {
            id: 1,
            name: "node-1".to_owned(),
            incarnation: 5,
            peer_addr: "127.0.0.1:8763".to_owned(),
            http_addr: "127.0.0.1:8761".to_owned(),
        }],
        vote: Some(StoredVote {
            term: 70_000,
            node_id: 2,
            committed: true,
        }),
        durable_mark: 1_000_000,
        join: Some(JoinMark {
            via: vec!["127.0.0.1:8772".to_owned()],
            replaces: Some(3),
        }),
    }
}

#[test]
fn the_identity_is_frozen() {
    assert_frozen(&identity(), IDENTITY_2);
}

/// What the first release wrote is read, and written anew in today's form.
#[test]
fn an_identity_of_the_first_version_is_read() {
    let slot = bytes_of(&(META_1.to_owned() + IDENTITY_1));
    let files = MemFiles::new();
    for name in SLOTS {
        let mut file = files.create(name).unwrap();
        file.write_at(0, &slot).unwrap();
        file.sync().unwrap();
    }
    let shared: SharedFiles = Arc::new(files);
    let file = IdentityFile::open(Arc::clone(&shared)).unwrap().unwrap();
    let expected = Identity {
        join: None,
        ..identity()
    };
    assert_eq!(file.get(), expected);
    file.update(|stored| stored.durable_mark += 1).unwrap();
    let again = IdentityFile::open(shared).unwrap().unwrap();
    assert_eq!(again.get().durable_mark, expected.durable_mark + 1);
}

#[test]
fn where_a_directory_came_from_is_frozen() {
    let restored = Ancestry::Restored {
        cluster: Some(300),
        index: 7,
    };
    assert_frozen(&restored, "e5011001010006000000695715bd0001fb2c0107");
    let forced = Ancestry::Forced {
        cluster: 300,
        index: 7,
    };
    assert_frozen(&forced, "e5011001010005000000083a760b01fb2c0107");
}

#[test]
fn the_identity_slots_are_frozen() {
    let files = MemFiles::new();
    let shared: SharedFiles = Arc::new(files.clone());
    let file = IdentityFile::create(shared, "node-1", identity().incarnation).unwrap();
    file.update(|stored| *stored = identity()).unwrap();
    let mut bytes = [0; SLOT_BYTES + 1];
    let read = files
        .open("META.b")
        .unwrap()
        .read_at(0, &mut bytes)
        .unwrap();
    assert_eq!(read, SLOT_BYTES);
    let end = 24 + IDENTITY_2.replace(char::is_whitespace, "").len() / 2;
    assert_eq!(hex(&bytes[..24]), META_2);
    assert_eq!(
        hex(&bytes[24..end]),
        IDENTITY_2.replace(char::is_whitespace, "")
    );
    assert!(bytes[end..].iter().all(|byte| *byte == 0));
}

#[test]
fn the_snapshot_file_is_frozen() {
    let files = MemFiles::new();
    let snapshots = SnapshotFiles::open(Arc::new(files.clone()), None).unwrap();
    let name = SnapshotName {
        term: 3,
        index: 1_000,
        id: 0xABCD,
    };
    let mut writer = snapshots.begin(name, b"note").unwrap();
    // The store does not look into records: an entry stands in for one.
    writer.append(&entry(Vec::new())).unwrap();
    let meta = writer.finish().unwrap();
    let mut bytes = vec![0; 1_000];
    let mut file = files
        .open("snapshots/3-1000-000000000000abcd.snap")
        .unwrap();
    let read = file.read_at(0, &mut bytes).unwrap();
    assert_eq!(read as u64, meta.size);
    assert_eq!(
        hex(&bytes[..read]),
        SNAPSHOT_1.replace(char::is_whitespace, "")
    );
}

fn entry(commands: Vec<Command>) -> Entry {
    Entry {
        at: LogTime {
            wall_ms: 1_700_000_000_000,
            lease_ms: 90_000,
        },
        commands,
    }
}

fn instance() -> Instance {
    let text = |text: &str| -> Box<str> { text.into() };
    Instance {
        id: InstanceId::new("i-1"),
        app: AppName::new("orders"),
        host_name: text("host"),
        ip_addr: text("10.0.0.1"),
        sid: None,
        status: InstanceStatus::Up,
        overridden: InstanceStatus::Unknown,
        port: Port {
            number: 8_080,
            enabled: true,
        },
        secure_port: Port {
            number: 443,
            enabled: false,
        },
        country_id: 1,
        data_center: DataCenter::Amazon(vec![(text("instance-id"), text("i-1"))]),
        lease: LeaseTerms::default(),
        metadata: vec![(text("zone"), text("a"))],
        app_group_name: None,
        home_page_url: Some(text("http://host/")),
        status_page_url: None,
        health_check_url: None,
        secure_health_check_url: None,
        vip_address: Some(text("orders")),
        secure_vip_address: None,
        asg_name: None,
        last_dirty_ms: Some(1_699_999_999_999),
    }
}

/// One of each command, in the order of their numbers.
fn commands() -> Vec<Command> {
    let (app, id) = (|| AppName::new("A"), || InstanceId::new("b"));
    vec![
        Command::Register(Box::new(Registration {
            instance: instance(),
            origin: Origin::Replication,
        })),
        Command::Renew {
            slot: 300,
            generation: 2,
        },
        Command::RenewByName {
            app: app(),
            id: id(),
            last_dirty_ms: Some(5),
            origin: Origin::Client,
            overridden: Some(InstanceStatus::OutOfService),
        },
        Command::Cancel {
            app: app(),
            id: id(),
        },
        Command::PutStatus {
            app: app(),
            id: id(),
            status: InstanceStatus::Down,
            last_dirty_ms: None,
        },
        Command::DeleteStatus {
            app: app(),
            id: id(),
            status: InstanceStatus::Starting,
            last_dirty_ms: Some(1),
        },
        Command::PutMetadata {
            app: app(),
            id: id(),
            entries: vec![("k".into(), "v".into())],
        },
        Command::Evict { max: 1_000 },
        Command::Settings(Settings::default()),
    ]
}

#[test]
fn a_log_entry_is_frozen() {
    assert_frozen(&entry(commands()), ENTRY_1);
}

/// A registry after one entry of each command.
fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.apply(7, &entry(commands()));
    registry
}

#[test]
fn a_snapshots_records_are_frozen() {
    let registry = registry();
    let written: Vec<String> = registry
        .snapshot()
        .records()
        .map(|record| hex(&codec::encode(&record)))
        .collect();
    let frozen: Vec<&str> = RECORDS_1.split_whitespace().collect();
    assert_eq!(written, frozen);
}

#[test]
fn a_frozen_snapshot_is_restored() {
    let records = RECORDS_1.split_whitespace().map(|record| {
        codec::decode::<SnapshotRecord>(&bytes_of(record), SNAPSHOT_RECORD_MAX).unwrap()
    });
    let restored = Registry::restore(records).unwrap();
    assert_eq!(restored.index(), 7);
    assert_eq!(restored.view().state_hash(), registry().view().state_hash());
}

/// The note beside a log of one entry, after a vote.
#[test]
fn the_note_of_the_logs_end_is_frozen() {
    let dir = tempfile::tempdir().unwrap();
    let files: SharedFiles = Arc::new(DirFiles::open(dir.path()).unwrap());
    let identity = IdentityFile::create(Arc::clone(&files), "node-1", 300).unwrap();
    let log = SledLog::open(dir.path(), &files, identity).unwrap();
    let entry = LogRecord {
        index: 7,
        bytes: b"entry".as_slice().into(),
    };
    log.append(vec![entry], Box::new(|synced| synced.unwrap()));
    let vote = StoredVote {
        term: 2,
        node_id: 1,
        committed: true,
    };
    log.save_vote(vote, Box::new(|synced| synced.unwrap()));
    log.close().unwrap();
    let bytes = std::fs::read(dir.path().join(END_FILE)).unwrap();
    let (envelope, padding) = bytes.split_at(LOG_END_1.len() / 2);
    assert_eq!(hex(envelope), LOG_END_1);
    assert!(padding.iter().all(|byte| *byte == 0));
    assert_eq!(
        std::fs::read(dir.path().join("log/conf")).unwrap(),
        bytes_of(SLED_CONF)
    );
}

#[test]
fn the_memory_of_the_peers_is_frozen() {
    let files = MemFiles::new();
    let memory = Memory {
        vote: Some(StoredVote {
            term: 2,
            node_id: 1,
            committed: true,
        }),
        mark: 700,
    };
    let mut file = MemoryFile::open(Arc::new(files.clone())).unwrap();
    file.write(&Memories::from([(300, memory)])).unwrap();
    let mut bytes = [0; 100];
    let read = files
        .open(MEMORY_FILES[0])
        .unwrap()
        .read_at(0, &mut bytes)
        .unwrap();
    assert_eq!(hex(&bytes[..read]), PEER_MEMORY_1);
}

/// `LOG.end`, kind 12 version 1, without the zeros behind it.
const LOG_END_1: &str = "e5010c0101000e000000565ea4ecfb2c010701fc709d212b01020101";
/// `PEERS.a`, kind 13 version 1.
const PEER_MEMORY_1: &str = "e5010d0101000c00000082bbe1330101fb2c0101020101fbbc02";
/// sled's settings with their checksum.
const SLED_CONF: &str = "
    7365676d656e745f73697a653a203532343238380a7573655f636f6d7072657373696f6e3a2066616c73650a
    76657273696f6e3a20302e33340a761951c1";
/// The records of a snapshot, kind 2 version 1, one a line.
const RECORDS_1: &str = include_str!("snapshot_records_1.hex");
/// An identity, kind 3 version 1.
const IDENTITY_1: &str = "
    e501030101005300000041452256feefcdab8967452301efcdab8967452301066e6f64652d3101fb2c010101
    0101066e6f64652d31050e3132372e302e302e313a383736330e3132372e302e302e313a3837363101fc7011
    01000201fc40420f00";
/// An identity, kind 3 version 2: with a mark to join.
const IDENTITY_2: &str = "
    e5010302010066000000ec3ebb7afeefcdab8967452301efcdab8967452301066e6f64652d3101fb2c010101
    0101066e6f64652d31050e3132372e302e302e313a383736330e3132372e302e302e313a3837363101fc7011
    01000201fc40420f0001010e3132372e302e302e313a383737320103";
/// The header of a slot with it: magic, generation, length, checksum.
const META_2: &str = "4555524146542d31040000000000000074000000d5a3be58";
/// The header of a slot with the first form of an identity.
const META_1: &str = "4555524146542d31040000000000000061000000e435bfc5";
/// A snapshot file: header (kind 9), one record, footer (kind 10).
const SNAPSHOT_1: &str = "
    e501090101000c000000daeac5b103fbe803fbcdab046e6f7465e501010101000f000000ed5ecdeafd0068e5
    cf8b010000fc905f010000e5010a010100070000004adc46550137fc3b7404f7";
/// A log entry with one of each command, kind 1 version 1.
const ENTRY_1: &str = "
    e50101010100c5000000f8e57122fd0068e5cf8b010000fc905f0100090003692d31064f524445525304686f
    73740831302e302e302e31000004fb203f01fb7603000202010b696e7374616e63652d696403692d311e5a01
    047a6f6e65016100010c687474703a2f2f686f73742f00000001066f7264657273000001fdff67e5cf8b0100
    000101fb2c010202014101620105000103030141016204014101620100050141016202010106014101620101
    6b017607fbe80308fbe80301fb5203fc20bf0200fca0860100fc40420f00fca0860100";
