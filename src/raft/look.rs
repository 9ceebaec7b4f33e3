//! Raft's records as an operator reads them.
//!
//! Owns plain views of log entries and notes, for the commands that look at a stopped node. It may
//! not know where the bytes lie, nor judge them.

use std::collections::BTreeSet;
use std::io;

use openraft::EntryPayload;

use crate::codec::{self, CodecError};
use crate::registry::{Entry, Registry};
use crate::store::SnapshotFiles;
use crate::store::log::LogRecord;
use crate::store::snapshot_files::SnapshotMeta;

use super::records::{Position, from_record, parse_purge_note, parse_snapshot_note};
use super::snapshots::SnapshotFile;
use super::types::{Member, Membership};

/// A place in the log and who led when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPosition {
    /// The term.
    pub term: u64,
    /// The id of the node that led it.
    pub leader: u64,
    /// The log index.
    pub index: u64,
}

/// One entry of the log.
#[derive(Debug)]
pub struct EntryView {
    /// Its place.
    pub at: LogPosition,
    /// What it holds.
    pub content: EntryContent,
}

/// What an entry holds.
#[derive(Debug)]
pub enum EntryContent {
    /// Nothing: the first entry of a term.
    Blank,
    /// Commands for the registry, or why their bytes are none.
    Commands(Result<Entry, CodecError>),
    /// Who the members are.
    Membership(MembershipView),
}

/// Who the members are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MembershipView {
    /// The voters by id: two sets while one replaces the other.
    pub voters: Vec<BTreeSet<u64>>,
    /// Everybody, in the order of the ids.
    pub members: Vec<Member>,
}

impl From<&Membership> for MembershipView {
    fn from(membership: &Membership) -> Self {
        Self {
            voters: membership.get_joint_config().clone(),
            members: membership.nodes().map(|(_, node)| node.clone()).collect(),
        }
    }
}

/// What a snapshot covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoveredView {
    /// The last entry in it; none in a snapshot of nothing.
    pub last: Option<LogPosition>,
    /// The membership as of it.
    pub membership: MembershipView,
}

impl From<Position> for LogPosition {
    fn from(at: Position) -> Self {
        Self {
            term: at.term,
            leader: at.node,
            index: at.index,
        }
    }
}

/// What the record of the log holds.
///
/// # Errors
/// [`CodecError`] if it is no entry of this index; commands that cannot be read are
/// [`EntryContent::Commands`] with the reason.
pub fn look_at_record(record: &LogRecord) -> Result<EntryView, CodecError> {
    let entry = from_record(record)?;
    let content = match entry.payload {
        EntryPayload::Blank => EntryContent::Blank,
        EntryPayload::Normal(blob) => {
            EntryContent::Commands(codec::decode(&blob.0, codec::ENTRY_MAX))
        }
        EntryPayload::Membership(membership) => EntryContent::Membership((&membership).into()),
    };
    Ok(EntryView {
        at: Position::from(entry.log_id).into(),
        content,
    })
}

/// What the note beside a purge says: the last purged entry.
///
/// # Errors
/// [`CodecError`].
pub fn look_at_purge(note: &[u8]) -> Result<LogPosition, CodecError> {
    parse_purge_note(note).map(|last| Position::from(last).into())
}

/// What the note in a snapshot says.
///
/// # Errors
/// [`CodecError`].
pub fn look_at_snapshot(meta: &SnapshotMeta) -> Result<CoveredView, CodecError> {
    let (covers, _removed) = parse_snapshot_note(&meta.note)?;
    Ok(CoveredView {
        last: covers.last_log_id.map(|last| Position::from(last).into()),
        membership: covers.last_membership.membership().into(),
    })
}

/// Reads the snapshot `meta` of `files` into a registry, its state hash checked. Blocks on the disk.
///
/// # Errors
/// `InvalidData` if it is not the state it says; the disk's.
pub fn restore(files: &SnapshotFiles, meta: &SnapshotMeta) -> io::Result<Registry> {
    let file = SnapshotFile {
        meta: meta.clone(),
        files: files.clone(),
    };
    file.restore()
}
