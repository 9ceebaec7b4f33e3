//! A snapshot on its way: what an honest line, a cut one, a slow one and a hostile peer do to it.
//!
//! Owns both ends of a connection in memory. It may not need a Raft: judging what came in is `inbound`'s.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::time::{Instant, timeout};

use crate::codec::{Format, Stored};
use crate::net::Connection;
use crate::store::files::{Files, SharedFiles};
use crate::store::snapshot_files::{SNAPSHOT_DIR, SnapshotMeta, SnapshotName};
use crate::store::{MemFiles, SnapshotFiles};

use super::super::inbound::Inbound;
use super::super::types::Blob;
use super::frame::{read_frame, write_frame};
use super::message::{CHUNK_BYTES, SNAPSHOT_FRAME_MAX, SnapshotFrame};
use super::snapshot_channel::{CHUNK_MAX, Incomplete, SendError, WINDOW_BYTES, receive, send_from};

const NAME: SnapshotName = SnapshotName {
    term: 1,
    index: 9,
    id: 5,
};

/// Stands in for the registry's records.
#[derive(Debug, Serialize, Deserialize)]
struct Row(String);

impl Stored for Row {
    const FORMAT: Format = Format::SNAPSHOT_RECORD;
}

/// A node's snapshots and what comes in of them.
struct End {
    disk: MemFiles,
    inbound: Inbound,
}

impl End {
    fn new() -> Self {
        let disk = MemFiles::new();
        let shared: SharedFiles = Arc::new(disk.clone());
        let inbound = Inbound::new(SnapshotFiles::open(shared, None).unwrap());
        Self { disk, inbound }
    }

    /// With a snapshot of twice the window and a bit.
    fn with_a_snapshot() -> (Self, SnapshotMeta) {
        let end = Self::new();
        let mut writer = end.inbound.files().begin(NAME, b"note").unwrap();
        for row in 0..45 {
            writer
                .append(&Row(format!("{row} ").repeat(25_000)))
                .unwrap();
        }
        let meta = writer.finish().unwrap();
        assert!(meta.size > 2 * WINDOW_BYTES);
        (end, meta)
    }

    /// Takes in what comes over `connection`, announced as `meta`.
    async fn receive(
        &self,
        meta: &SnapshotMeta,
        connection: DuplexStream,
    ) -> Result<SnapshotMeta, Incomplete> {
        let mut connection: Connection = Box::new(connection);
        let mut turn = self.inbound.turn().await;
        let receiver = self.inbound.files().receive(meta.name, meta.size).unwrap();
        let receiver = receive(receiver, &mut connection, &mut turn).await?;
        let verified = receiver.verify().map_err(Incomplete::Refused)?;
        verified.publish().map_err(Incomplete::Refused)
    }

    /// Sends what the other end says it has not; answers from where.
    async fn send(&self, meta: &SnapshotMeta, connection: DuplexStream) -> Result<u64, SendError> {
        let mut connection: Connection = Box::new(connection);
        let from = said(&mut connection).await;
        let source = self.inbound.files().source(meta).unwrap();
        send_from(&mut connection, source, from).await?;
        write_frame(&mut connection, &SnapshotFrame::End)
            .await
            .unwrap();
        Ok(from)
    }

    fn files(&self) -> Vec<String> {
        self.disk.list(SNAPSHOT_DIR).unwrap()
    }
}

/// How much the receiver says it has.
async fn said(connection: &mut Connection) -> u64 {
    match read_frame(connection, SNAPSHOT_FRAME_MAX).await {
        Ok(Some(SnapshotFrame::Received(received))) => received,
        other => panic!("{other:?}"),
    }
}

fn chunk(offset: u64, len: usize) -> SnapshotFrame {
    let bytes = Blob(vec![7; len].into());
    SnapshotFrame::Chunk { offset, bytes }
}

/// What becomes of a receiver to which a peer says `frames`.
async fn told(frames: Vec<SnapshotFrame>) -> (End, Result<SnapshotMeta, Incomplete>) {
    let (here, there) = duplex(4 << 20);
    let (end, mut there) = (End::new(), Box::new(there) as Connection);
    for frame in frames {
        write_frame(&mut there, &frame).await.unwrap();
    }
    let meta = SnapshotMeta {
        name: NAME,
        size: 3 * CHUNK_BYTES as u64,
        records: 0,
        note: Vec::new(),
    };
    let received = end.receive(&meta, here).await;
    drop(there);
    (end, received)
}

#[tokio::test]
async fn a_snapshot_is_the_same_at_the_other_end() {
    let (donor, meta) = End::with_a_snapshot();
    let (end, (here, there)) = (End::new(), duplex(64 << 10));
    let (sent, received) = tokio::join!(donor.send(&meta, there), end.receive(&meta, here));
    assert_eq!((sent.unwrap(), received.unwrap()), (0, meta));
}

#[tokio::test]
async fn after_a_cut_only_the_rest_is_sent() {
    let (donor, meta) = End::with_a_snapshot();
    let (end, (here, there)) = (End::new(), duplex(4 << 20));
    let mut there: Connection = Box::new(there);
    let mut source = donor.inbound.files().source(&meta).unwrap();
    let had = 5 * CHUNK_BYTES as u64;
    for offset in (0..had).step_by(CHUNK_BYTES) {
        let bytes = Blob(source.read_at(offset, CHUNK_BYTES).unwrap().into());
        let chunk = SnapshotFrame::Chunk { offset, bytes };
        write_frame(&mut there, &chunk).await.unwrap();
    }
    drop(there);
    let cut = end.receive(&meta, here).await;
    assert!(matches!(cut, Err(Incomplete::Interrupted(_))), "{cut:?}");

    let (here, there) = duplex(64 << 10);
    let (sent, received) = tokio::join!(donor.send(&meta, there), end.receive(&meta, here));
    assert_eq!((sent.unwrap(), received.unwrap()), (had, meta));
}

#[tokio::test]
async fn a_chunk_out_of_place_over_the_size_or_too_small_is_refused_and_leaves_nothing() {
    let whole = CHUNK_BYTES;
    let bad = [
        (
            "a gap",
            vec![chunk(0, whole), chunk(2 * whole as u64, whole)],
        ),
        ("a repetition", vec![chunk(0, whole), chunk(0, whole)]),
        ("a little piece", vec![chunk(0, 1)]),
        ("an empty one", vec![chunk(0, 0)]),
        (
            "an endless stream",
            (0..4).map(|n| chunk(n * whole as u64, whole)).collect(),
        ),
        (
            "an end too early",
            vec![chunk(0, whole), SnapshotFrame::End],
        ),
        ("another beginning", vec![begin()]),
        (
            "no snapshot at all",
            (0..3)
                .map(|n| chunk(n * whole as u64, whole))
                .chain([SnapshotFrame::End])
                .collect(),
        ),
    ];
    for (what, frames) in bad {
        let (end, received) = told(frames).await;
        assert!(
            matches!(received, Err(Incomplete::Refused(_))),
            "{what}: {received:?}"
        );
        assert_eq!(end.files(), Vec::<String>::new(), "{what}");
        assert_eq!(end.inbound.progress(), None, "{what}");
    }
}

fn begin() -> SnapshotFrame {
    SnapshotFrame::Begin {
        vote: crate::store::identity::StoredVote {
            term: 1,
            node_id: 1,
            committed: true,
        },
        name: NAME,
        size: 1,
    }
}

#[tokio::test]
async fn bytes_that_are_no_frame_are_refused() {
    let (here, mut there) = duplex(1 << 20);
    let (end, (_, meta)) = (End::new(), End::with_a_snapshot());
    tokio::io::AsyncWriteExt::write_all(&mut there, &[0x55; 4_096])
        .await
        .unwrap();
    let received = end.receive(&meta, here).await;
    assert!(
        matches!(received, Err(Incomplete::Refused(_))),
        "{received:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_sending_is_given_up_in_time_and_what_came_is_kept() {
    let (here, there) = duplex(4 << 20);
    let (end, (_, meta)) = (End::new(), End::with_a_snapshot());
    let mut there: Connection = Box::new(there);
    write_frame(&mut there, &chunk(0, CHUNK_BYTES))
        .await
        .unwrap();
    let started = Instant::now();
    let received = end.receive(&meta, here).await;
    assert!(
        matches!(received, Err(Incomplete::Interrupted(_))),
        "{received:?}"
    );
    assert!(started.elapsed() <= CHUNK_MAX + Duration::from_secs(1));
    let resumed = end.inbound.files().receive(meta.name, meta.size).unwrap();
    assert_eq!(resumed.received(), CHUNK_BYTES as u64);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_confirms_nothing_gets_no_more_than_the_window() {
    let (donor, meta) = End::with_a_snapshot();
    let (here, mut there) = duplex(8 << 20);
    let mut here: Connection = Box::new(here);
    let source = donor.inbound.files().source(&meta).unwrap();
    let sent = send_from(&mut here, source, 0).await;
    assert!(matches!(sent, Err(SendError::Broken(_))), "{sent:?}");
    drop(here);
    let mut bytes = Vec::new();
    there.read_to_end(&mut bytes).await.unwrap();
    let frames = WINDOW_BYTES as usize / CHUNK_BYTES;
    assert!(
        bytes.len() <= WINDOW_BYTES as usize + frames * 64,
        "{}",
        bytes.len()
    );
}

#[tokio::test]
async fn a_receiver_that_confirms_what_was_not_sent_is_not_believed() {
    let (donor, meta) = End::with_a_snapshot();
    let (here, there) = duplex(8 << 20);
    let (mut here, mut there): (Connection, Connection) = (Box::new(here), Box::new(there));
    let lie = SnapshotFrame::Received(meta.size);
    write_frame(&mut there, &lie).await.unwrap();
    let source = donor.inbound.files().source(&meta).unwrap();
    let sent = send_from(&mut here, source, 0).await;
    assert!(matches!(sent, Err(SendError::Broken(_))), "{sent:?}");
}

#[tokio::test]
async fn who_sends_next_takes_over_from_a_connection_that_hangs() {
    let (donor, meta) = End::with_a_snapshot();
    let (end, (hung, silent)) = (End::new(), duplex(1 << 20));
    let (here, there) = duplex(64 << 10);
    let mut silent: Connection = Box::new(silent);
    let second = async {
        // The first has its turn, and its peer says nothing more.
        assert_eq!(said(&mut silent).await, 0);
        tokio::join!(donor.send(&meta, there), end.receive(&meta, here))
    };
    let both = timeout(CHUNK_MAX / 2, async {
        tokio::join!(end.receive(&meta, hung), second)
    });
    let (first, (_, received)) = both.await.expect("nobody waits for the hanging one");
    assert!(
        matches!(first, Err(Incomplete::Interrupted(_))),
        "{first:?}"
    );
    assert_eq!(received.unwrap(), meta);
}
