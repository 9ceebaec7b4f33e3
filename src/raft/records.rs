//! How Raft's own data looks in the log, beside a snapshot and on the wire.
//!
//! Owns plain shapes for openraft's values, so that neither a disk nor a peer of another release
//! depends on how openraft spells them. Variants and fields are only ever appended (`codec::FORMATS`).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use openraft::vote::{RaftLeaderId, RaftVote};
use serde::{Deserialize, Serialize};

use crate::codec::{self, CodecError, Format, Stored};
use crate::store::identity::StoredVote;
use crate::store::log::LogRecord;

use super::removed::Removed;
use super::types::{
    Blob, Goal, LeaderId, LogEntry, LogId, Member, Membership, Payload, RaftMeta, StoredMembership,
    Vote,
};

/// The longest record of the log: an entry, or a membership of some thousand members.
pub(super) const RECORD_MAX: usize = codec::ENTRY_MAX + codec::CONTROL_MAX;

/// A place in the log and who led when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) term: u64,
    pub(super) node: u64,
    pub(super) index: u64,
}

impl From<LogId> for Position {
    fn from(id: LogId) -> Self {
        let leader = id.committed_leader_id();
        Self {
            term: leader.term(),
            node: *leader.node_id(),
            index: id.index(),
        }
    }
}

impl From<Position> for LogId {
    fn from(at: Position) -> Self {
        Self::new(LeaderId::new(at.term, at.node), at.index)
    }
}

/// An entry of the log, also on its way to a follower.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredEntry {
    at: Position,
    payload: StoredPayload,
}

impl Stored for StoredEntry {
    const FORMAT: Format = Format::RAFT_LOG;
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum StoredPayload {
    /// The first entry of a term.
    Blank,
    /// A `registry::Entry`, encoded.
    Normal(Blob),
    Membership(StoredMembers),
    /// The same, with what some of the members are on their way to.
    MembershipWithGoals(StoredMembers, BTreeMap<u64, Goal>),
}

/// Who the members are; two sets of voters while one replaces the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredMembers {
    voters: Vec<BTreeSet<u64>>,
    members: BTreeMap<u64, StoredMember>,
}

/// A member without its goal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct StoredMember {
    id: u64,
    name: String,
    incarnation: u128,
    peer_addr: String,
    http_addr: String,
}

impl From<&Member> for StoredMember {
    fn from(member: &Member) -> Self {
        Self {
            id: member.id,
            name: member.name.clone(),
            incarnation: member.incarnation,
            peer_addr: member.peer_addr.clone(),
            http_addr: member.http_addr.clone(),
        }
    }
}

impl StoredMember {
    fn with(self, goal: Goal) -> Member {
        Member {
            id: self.id,
            name: self.name,
            incarnation: self.incarnation,
            peer_addr: self.peer_addr,
            http_addr: self.http_addr,
            goal,
        }
    }
}

/// What members are on their way to; only those that are.
fn goals(membership: &Membership) -> BTreeMap<u64, Goal> {
    membership
        .nodes()
        .filter(|(_, member)| member.goal != Goal::Stay)
        .map(|(id, member)| (*id, member.goal))
        .collect()
}

impl From<&Membership> for StoredMembers {
    fn from(membership: &Membership) -> Self {
        Self {
            voters: membership.get_joint_config().clone(),
            members: membership
                .nodes()
                .map(|(id, node)| (*id, node.into()))
                .collect(),
        }
    }
}

impl StoredMembers {
    fn with(self, goals: &BTreeMap<u64, Goal>) -> Result<Membership, CodecError> {
        let goal = |id: u64| goals.get(&id).copied().unwrap_or_default();
        let members = self.members.into_iter();
        let members: BTreeMap<u64, Member> = members
            .map(|(id, member)| (id, member.with(goal(id))))
            .collect();
        Membership::new(self.voters, members).map_err(|error| CodecError::Malformed {
            what: "membership",
            reason: error.to_string(),
        })
    }
}

impl From<LogEntry> for StoredEntry {
    fn from(entry: LogEntry) -> Self {
        let payload = match entry.payload {
            EntryPayload::Blank => StoredPayload::Blank,
            EntryPayload::Normal(blob) => StoredPayload::Normal(blob),
            EntryPayload::Membership(membership) => to_payload(&membership),
        };
        Self {
            at: entry.log_id.into(),
            payload,
        }
    }
}

impl TryFrom<StoredEntry> for LogEntry {
    type Error = CodecError;

    fn try_from(stored: StoredEntry) -> Result<Self, CodecError> {
        let payload: Payload = match stored.payload {
            StoredPayload::Blank => EntryPayload::Blank,
            StoredPayload::Normal(blob) => EntryPayload::Normal(blob),
            StoredPayload::Membership(members) => {
                EntryPayload::Membership(members.with(&BTreeMap::new())?)
            }
            StoredPayload::MembershipWithGoals(members, goals) => {
                EntryPayload::Membership(members.with(&goals)?)
            }
        };
        Ok(Self::new(stored.at.into(), payload))
    }
}

/// In the older form where it says everything.
fn to_payload(membership: &Membership) -> StoredPayload {
    let goals = goals(membership);
    match goals.is_empty() {
        true => StoredPayload::Membership(membership.into()),
        false => StoredPayload::MembershipWithGoals(membership.into(), goals),
    }
}

/// The record of an entry.
pub(super) fn to_record(entry: LogEntry) -> LogRecord {
    let stored = StoredEntry::from(entry);
    LogRecord {
        index: stored.at.index,
        bytes: Bytes::from(codec::encode(&stored)),
    }
}

/// The entry of a record.
pub(super) fn from_record(record: &LogRecord) -> Result<LogEntry, CodecError> {
    let stored: StoredEntry = codec::decode(&record.bytes, RECORD_MAX)?;
    if stored.at.index != record.index {
        let reason = format!("it holds entry {}", stored.at.index);
        return Err(CodecError::Malformed {
            what: "raft log record",
            reason,
        });
    }
    stored.try_into()
}

/// What stands beside a purge or a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Note {
    /// The last purged entry.
    Purged(Position),
    /// What a snapshot covers.
    Snapshot(Covered),
    /// The same as [`Note::Snapshot`], with what the members are on their way to and who was removed.
    SnapshotWithPast(Covered, BTreeMap<u64, Goal>, Vec<Removed>),
    /// What a backup covers, and of which cluster it is.
    Backup(u128, Covered),
}

impl Stored for Note {
    const FORMAT: Format = Format::RAFT_NOTE;
}

/// The last entry of a snapshot and the membership as of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Covered {
    last: Option<Position>,
    members_at: Option<Position>,
    members: StoredMembers,
}

impl From<&RaftMeta> for Covered {
    fn from(meta: &RaftMeta) -> Self {
        Self {
            last: meta.last_log_id.map(Position::from),
            members_at: meta.last_membership.log_id().map(Position::from),
            members: meta.last_membership.membership().into(),
        }
    }
}

impl Covered {
    fn with(self, goals: &BTreeMap<u64, Goal>) -> Result<RaftMeta, CodecError> {
        let members_at = self.members_at.map(LogId::from);
        Ok(RaftMeta {
            last_log_id: self.last.map(LogId::from),
            last_membership: StoredMembership::new(members_at, self.members.with(goals)?),
        })
    }
}

/// The note of a snapshot, in the older form where that says everything.
pub(super) fn snapshot_note(meta: &RaftMeta, removed: Vec<Removed>) -> Vec<u8> {
    let goals = goals(meta.last_membership.membership());
    codec::encode(&match goals.is_empty() && removed.is_empty() {
        true => Note::Snapshot(meta.into()),
        false => Note::SnapshotWithPast(meta.into(), goals, removed),
    })
}

/// What a snapshot's note says.
pub(super) fn parse_snapshot_note(bytes: &[u8]) -> Result<(RaftMeta, Vec<Removed>), CodecError> {
    match codec::decode(bytes, codec::CONTROL_MAX)? {
        Note::Snapshot(covered) => Ok((covered.with(&BTreeMap::new())?, Vec::new())),
        Note::SnapshotWithPast(covered, goals, removed) => Ok((covered.with(&goals)?, removed)),
        Note::Purged(_) | Note::Backup(..) => Err(wrong_note()),
    }
}

/// The note of a backup of `cluster`.
pub(super) fn backup_note(cluster: u128, meta: &RaftMeta) -> Vec<u8> {
    codec::encode(&Note::Backup(cluster, meta.into()))
}

/// What the note of a backup, or of a snapshot, says: the cluster, if it is in it, and what is covered.
pub(super) fn parse_backup_note(bytes: &[u8]) -> Result<(Option<u128>, RaftMeta), CodecError> {
    let nothing = BTreeMap::new();
    match codec::decode(bytes, codec::CONTROL_MAX)? {
        Note::Backup(cluster, covered) => Ok((Some(cluster), covered.with(&nothing)?)),
        Note::Snapshot(covered) => Ok((None, covered.with(&nothing)?)),
        Note::SnapshotWithPast(covered, goals, _) => Ok((None, covered.with(&goals)?)),
        Note::Purged(_) => Err(wrong_note()),
    }
}

/// The note of a purge.
pub(super) fn purge_note(last: LogId) -> Bytes {
    Bytes::from(codec::encode(&Note::Purged(last.into())))
}

/// What a purge's note says.
pub(super) fn parse_purge_note(bytes: &[u8]) -> Result<LogId, CodecError> {
    match codec::decode(bytes, codec::CONTROL_MAX)? {
        Note::Purged(last) => Ok(last.into()),
        Note::Snapshot(_) | Note::SnapshotWithPast(..) | Note::Backup(..) => Err(wrong_note()),
    }
}

fn wrong_note() -> CodecError {
    CodecError::Malformed {
        what: "raft note",
        reason: "a note of another kind".to_owned(),
    }
}

/// A vote as it is stored and sent.
pub(super) fn to_stored_vote(vote: &Vote) -> StoredVote {
    let leader = vote.leader_id();
    StoredVote {
        term: leader.term(),
        node_id: *leader.node_id(),
        committed: vote.is_committed(),
    }
}

/// openraft's form of a vote.
pub(super) fn to_vote(stored: StoredVote) -> Vote {
    Vote::from_leader_id(LeaderId::new(stored.term, stored.node_id), stored.committed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_survives_the_log() {
        let at = LogId::new(LeaderId::new(3, 2), 7);
        for payload in [
            EntryPayload::Blank,
            EntryPayload::Normal(Blob(Bytes::from_static(b"x"))),
            EntryPayload::Membership(members()),
            EntryPayload::Membership(on_their_way()),
        ] {
            let entry = LogEntry::new(at, payload);
            assert_eq!(from_record(&to_record(entry.clone())).unwrap(), entry);
        }
    }

    /// What is on some disk already: a change here needs a new format version.
    #[test]
    fn the_bytes_of_a_record_and_of_both_notes_are_frozen() {
        let at = LogId::new(LeaderId::new(3, 2), 700);
        let blob = Blob(Bytes::from_static(b"entry"));
        let record = to_record(LogEntry::new(at, EntryPayload::Normal(blob)));
        assert_eq!(
            hex(&record.bytes),
            "e501040101000c0000009ce3ab900302fbbc020105656e747279"
        );
        let members = StoredMembership::new(Some(at), members());
        let meta = RaftMeta {
            last_log_id: Some(at),
            last_membership: members,
        };
        assert_eq!(
            hex(&snapshot_note(&meta, Vec::new())),
            "e5010b010100180000006c4836b401010302fbbc02010302fbbc020101020102020162000000"
        );
        let read = parse_snapshot_note(&snapshot_note(&meta, Vec::new())).unwrap();
        assert_eq!(read, (meta.clone(), Vec::new()));
        assert_eq!(
            hex(&backup_note(0xC1, &meta)),
            "e5010b010100190000007131308e03c1010302fbbc02010302fbbc020101020102020162000000"
        );
        let backup = parse_backup_note(&backup_note(0xC1, &meta)).unwrap();
        assert_eq!(backup, (Some(0xC1), meta.clone()));
        assert!(parse_snapshot_note(&backup_note(0xC1, &meta)).is_err());
        assert_eq!(
            hex(&purge_note(at)),
            "e5010b010100060000006a5df6bc000302fbbc02"
        );
        assert_eq!(parse_purge_note(&purge_note(at)).unwrap(), at);
        assert!(parse_purge_note(&snapshot_note(&meta, Vec::new())).is_err());
    }

    #[test]
    fn the_bytes_of_goals_and_of_who_was_removed_are_frozen() {
        let at = LogId::new(LeaderId::new(3, 2), 700);
        let record = to_record(LogEntry::new(at, EntryPayload::Membership(on_their_way())));
        assert_eq!(
            hex(&record.bytes),
            "e5010401010022000000aa59ae970302fbbc02030101020202020162000000fbed03fbed03016200000001fbed030202"
        );
        let meta = RaftMeta {
            last_log_id: Some(at),
            last_membership: StoredMembership::new(Some(at), on_their_way()),
        };
        let removed = vec![Removed {
            id: 1,
            incarnation: 9,
            index: 600,
            name: "a".to_owned(),
        }];
        let note = snapshot_note(&meta, removed.clone());
        assert_eq!(
            hex(&note),
            "e5010b01010031000000250c25c902010302fbbc02010302fbbc020101020202020162000000fbed03fbed03016200000001fbed030202010109fb58020161"
        );
        assert_eq!(parse_snapshot_note(&note).unwrap(), (meta, removed));
    }

    /// A voter, and a learner that is to take its place.
    fn on_their_way() -> Membership {
        let member = |id, goal| Member {
            id,
            name: "b".into(),
            goal,
            ..Member::default()
        };
        let members = [
            (2, member(2, Goal::Stay)),
            (1_005, member(1_005, Goal::Replace(2))),
        ];
        Membership::new(vec![BTreeSet::from([2])], BTreeMap::from(members)).unwrap()
    }

    fn members() -> Membership {
        let member = Member {
            id: 2,
            name: "b".into(),
            ..Member::default()
        };
        Membership::new(vec![BTreeSet::from([2])], BTreeMap::from([(2, member)])).unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_record_under_another_index_is_refused() {
        let entry = LogEntry::new(LogId::new(LeaderId::new(1, 1), 4), EntryPayload::Blank);
        let mut record = to_record(entry);
        record.index = 5;
        assert!(from_record(&record).is_err());
    }
}
