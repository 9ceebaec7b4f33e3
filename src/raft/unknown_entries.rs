//! An entry that this release cannot read stops a running node, before it and at every start after it; it
//! is never skipped, or two nodes of different releases would silently differ.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::time::{Duration, timeout};

use crate::codec::{self, Format, Stored};
use crate::net::{Network, TcpNetwork};
use crate::registry::{Command, Entry, LogTime};
use crate::store::files::SharedFiles;
use crate::store::identity::IdentityFile;
use crate::store::{DirFiles, MemoryFile, SledLog, SnapshotFiles};

use super::types::Blob;
use super::{
    Failure, Member, PeerHandler, PeerIdentity, Peers, Raft, RaftParts, RaftSettings, Refusal,
    StartError,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A log entry of the next release.
#[derive(Serialize, Deserialize)]
struct NextEntry(u64);

impl Stored for NextEntry {
    const FORMAT: Format = Format {
        kind: Format::ENTRY.kind,
        version: Format::ENTRY.version + 1,
        what: "log entry of the next release",
    };
}

/// An entry whose one command has a number nobody knows.
#[derive(Serialize, Deserialize)]
struct NextCommand {
    at: LogTime,
    commands: u8,
    number: u8,
}

impl Stored for NextCommand {
    const FORMAT: Format = Format::ENTRY;
}

struct Nobody;

impl PeerHandler for Nobody {
    fn handle(&self, _: PeerIdentity, _: Bytes) -> BoxFuture<'_, Result<Bytes, Refusal>> {
        Box::pin(async { Err(Refusal::NotReady) })
    }
}

/// A node alone, on the directory `dir`.
async fn start(dir: &Path) -> Result<(Raft, Peers), StartError> {
    let files: SharedFiles = Arc::new(DirFiles::open(dir)?);
    let identity = match IdentityFile::open(Arc::clone(&files))? {
        Some(identity) => identity,
        None => IdentityFile::create(Arc::clone(&files), "a", 7)?,
    };
    let log = SledLog::open(dir, &files, identity)?;
    let network = Arc::new(TcpNetwork);
    let listener = network.listen("127.0.0.1:0").await.unwrap();
    let me = Member {
        id: 1,
        name: "a".to_owned(),
        incarnation: 7,
        peer_addr: listener.local_addr().unwrap().to_string(),
        ..Member::default()
    };
    let who = PeerIdentity {
        name: "a".to_owned(),
        incarnation: 7,
        cluster_id: Some(1),
        node_id: Some(1),
    };
    let peers = Peers::start(network, listener, who, Arc::new(Nobody));
    let parts = RaftParts {
        me: me.clone(),
        cluster_id: 1,
        settings: RaftSettings {
            heartbeat: Duration::from_millis(60),
            election_timeout: (Duration::from_millis(250), Duration::from_millis(500)),
            snapshot_every_entries: 0,
            snapshot_every_bytes: 0,
            keep_entries: 0,
        },
        log: Arc::new(log),
        memory: MemoryFile::open(Arc::clone(&files))?,
        snapshots: SnapshotFiles::open(files, None)?,
        peers: peers.clone(),
    };
    let raft = Raft::start(parts).await?;
    raft.initialize(vec![me]).await.unwrap();
    Ok((raft, peers))
}

/// What becomes of a running node whose cluster commits `bytes`, and of its next start.
async fn commits(bytes: Vec<u8>) -> (Failure, Result<Failure, StartError>) {
    let dir = tempfile::tempdir().unwrap();
    let (raft, peers) = start(dir.path()).await.unwrap();
    let mut leadership = raft.leadership();
    let leads = leadership.wait_for(|now| now.ready);
    let term = timeout(PATIENCE, leads).await.unwrap().unwrap().term;
    let tick = Entry {
        at: LogTime {
            wall_ms: 1,
            lease_ms: 1,
        },
        commands: Vec::new(),
    };
    let index = raft.propose(term, &tick).await.unwrap().index;
    // The core is asked itself: `propose` cannot make such an entry.
    let _sent = raft.inner.core.write(Blob(Bytes::from(bytes))).await;
    let running = failed(&raft).await;
    assert_eq!(
        raft.state().view().index(),
        index,
        "the entry was not skipped"
    );
    raft.propose(term, &tick).await.unwrap_err();
    raft.shutdown().await;
    peers.shutdown().await;
    drop(peers);
    let again = match start(dir.path()).await {
        Ok((raft, _peers)) => {
            let failed = failed(&raft).await;
            assert!(
                raft.state().view().index() <= index,
                "nor at the next start"
            );
            Ok(failed)
        }
        Err(error) => Err(error),
    };
    (running, again)
}

async fn failed(raft: &Raft) -> Failure {
    let mut failure = raft.failure();
    let failed = timeout(PATIENCE, failure.wait_for(Option::is_some)).await;
    failed.expect("the node stops").unwrap().clone().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_a_newer_format_stops_a_node_with_the_word_newer() {
    let (running, again) = commits(codec::encode(&NextEntry(1))).await;
    assert!(matches!(running, Failure::Newer(_)), "{running:?}");
    let newer = matches!(again, Err(StartError::Newer(_)) | Ok(Failure::Newer(_)));
    assert!(newer, "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_of_an_unknown_number_stops_a_node_as_damage_does() {
    let unknown = NextCommand {
        at: LogTime {
            wall_ms: 1,
            lease_ms: 1,
        },
        commands: 1,
        number: 200,
    };
    // As far as this release can tell it is an entry.
    let known = Entry {
        at: unknown.at,
        commands: vec![Command::Evict { max: 1 }],
    };
    let (mut bytes, like) = (codec::encode(&unknown), codec::encode(&known));
    assert_eq!(bytes[..4], like[..4]);
    let (running, again) = commits(std::mem::take(&mut bytes)).await;
    assert!(matches!(running, Failure::Storage(_)), "{running:?}");
    let storage = matches!(again, Err(StartError::Storage(_)) | Ok(Failure::Storage(_)));
    assert!(storage, "{again:?}");
}
