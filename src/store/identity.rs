//! Who this node is, whom it voted for, and how far its log is known to reach.
//!
//! Owns the two slots `META.a` and `META.b` and the rule that a vote never goes back. It may not know
//! what a term means. Calls block on the disk.
//!
//! Each slot is one whole copy: generation, envelope, checksum. The older slot is overwritten, never
//! the newer, so a torn write costs nothing that was acknowledged. Everything but the durable mark is
//! acknowledged only when *both* slots hold it: one rotten slot can then lose neither vote nor name,
//! where a single copy would silently fall back to an older vote.

mod look;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::error::OpenError;
use super::files::SharedFiles;
use super::rebuild::REBUILD_DIR;
use crate::codec::{self, CodecError, Format, Stored};

pub use look::{SlotDamage, SlotView, look, newest};

/// The two slots, in the order of their first write.
pub const SLOTS: [&str; 2] = ["META.a", "META.b"];
/// Bytes of one slot: one page.
pub const SLOT_BYTES: usize = 4_096;
/// The name under which the first slot is written before it is whole.
const SLOT_TEMP: &str = "META.tmp";
/// The first bytes of a slot.
const SLOT_MAGIC: &[u8; 8] = b"EURAFT-1";
/// Magic, generation u64, envelope length u32, checksum u32 over these and the envelope that follows;
/// integers little-endian.
const SLOT_HEADER: usize = 24;

/// A vote: never goes back on one disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct StoredVote {
    /// The term.
    pub term: u64,
    /// The node voted for.
    pub node_id: u64,
    /// Whether that node became leader of the term.
    pub committed: bool,
}

/// One member of the first-start plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedMember {
    /// The numeric id: its place in `initial_members`, from 1.
    pub id: u64,
    /// The operator's name for it.
    pub name: String,
    /// Its data directory's incarnation.
    pub incarnation: u128,
    /// Where its peers reach it.
    pub peer_addr: String,
    /// Where its clients reach it.
    pub http_addr: String,
}

/// What the identity file holds. Written whole, to the two slots in turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Made when the directory was created; never changes.
    pub incarnation: u128,
    /// The operator's name for this node.
    pub name: String,
    /// The cluster, once known.
    pub cluster_id: Option<u128>,
    /// This node's id in it, once known.
    pub node_id: Option<u64>,
    /// The first-start plan, once the first node of the list made it.
    pub plan: Vec<PlannedMember>,
    /// The highest vote.
    pub vote: Option<StoredVote>,
    /// An index known to be synced and committed: a log that ends below it went backwards.
    pub durable_mark: u64,
    /// Set on an empty directory that is to join a running cluster, whatever `[cluster]` says.
    pub join: Option<JoinMark>,
}

impl Stored for Identity {
    const FORMAT: Format = Format::IDENTITY;
}

/// How an empty directory comes into a running cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JoinMark {
    /// Peer addresses of members, `host:port`; at most [`JOIN_ADDRESSES_MAX`].
    pub via: Vec<String>,
    /// The member whose lost disk this directory stands for: it takes that one's place, in one change.
    pub replaces: Option<u64>,
}

/// Addresses a [`JoinMark`] may hold.
pub const JOIN_ADDRESSES_MAX: usize = 8;

/// [`Identity`] in its first form.
#[derive(Serialize, Deserialize)]
struct Identity1 {
    incarnation: u128,
    name: String,
    cluster_id: Option<u128>,
    node_id: Option<u64>,
    plan: Vec<PlannedMember>,
    vote: Option<StoredVote>,
    durable_mark: u64,
}

impl Stored for Identity1 {
    const FORMAT: Format = Format::IDENTITY_1;
}

impl From<Identity1> for Identity {
    fn from(older: Identity1) -> Self {
        Self {
            incarnation: older.incarnation,
            name: older.name,
            cluster_id: older.cluster_id,
            node_id: older.node_id,
            plan: older.plan,
            vote: older.vote,
            durable_mark: older.durable_mark,
            join: None,
        }
    }
}

/// The identity of one data directory, shared by the log's writer and the node. Cheap to clone.
#[derive(Clone)]
pub struct IdentityFile {
    inner: Arc<Mutex<Inner>>,
}

impl std::fmt::Debug for IdentityFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdentityFile").finish_non_exhaustive()
    }
}

struct Inner {
    files: SharedFiles,
    identity: Identity,
    /// The generation of the newest slot.
    generation: u64,
    /// Which slot is overwritten next: the older one.
    next_slot: usize,
    /// The first error. After it nothing is written any more.
    failed: Option<String>,
}

impl IdentityFile {
    /// Reads the identity, or answers that this directory has none yet.
    ///
    /// # Errors
    /// [`OpenError::Corrupt`] if slots exist but none is valid, or if there is none although a log or
    /// snapshots exist; [`OpenError::Interrupted`]; [`OpenError::Newer`]; [`OpenError::Io`].
    pub fn open(files: SharedFiles) -> Result<Option<Self>, OpenError> {
        let names = files
            .list("")
            .map_err(OpenError::io("list the data directory"))?;
        if names.iter().any(|name| name == REBUILD_DIR) {
            let dir = REBUILD_DIR.to_owned();
            return Err(OpenError::Interrupted { dir });
        }
        let mut slots = Vec::new();
        for name in SLOTS {
            if names.iter().any(|found| found == name) {
                slots.push((name, read_slot(&files, name)?));
            }
        }
        if slots.is_empty() {
            return refuse_orphans(&names).map(|()| None);
        }
        refuse_strangers(&slots)?;
        let newest = slots
            .iter()
            .filter_map(|(name, slot)| Some((*name, slot.as_ref().ok()?)))
            .max_by_key(|(_, slot)| slot.generation);
        let Some((name, slot)) = newest else {
            return Err(unreadable(&slots));
        };
        let mut inner = Inner {
            identity: slot.identity.clone(),
            generation: slot.generation,
            next_slot: usize::from(name == SLOTS[0]),
            failed: None,
            files,
        };
        if !both_slots_hold(&slots, &inner.identity) {
            inner.heal()?;
        }
        Ok(Some(Self::new(inner)))
    }

    /// Makes the identity of an empty directory: durable, its name included, when this returns.
    /// `incarnation` is random, from the caller's source of randomness.
    ///
    /// # Errors
    /// [`OpenError::Corrupt`] if there is an identity, a log or a snapshot already;
    /// [`OpenError::Io`].
    pub fn create(files: SharedFiles, name: &str, incarnation: u128) -> Result<Self, OpenError> {
        let names = files
            .list("")
            .map_err(OpenError::io("list the data directory"))?;
        refuse_orphans(&names)?;
        if let Some(slot) = SLOTS.iter().find(|slot| names.iter().any(|n| n == *slot)) {
            return Err(OpenError::corrupt(
                *slot,
                "its name",
                "an identity exists already",
            ));
        }
        let identity = Identity {
            incarnation,
            name: name.to_owned(),
            cluster_id: None,
            node_id: None,
            plan: Vec::new(),
            vote: None,
            durable_mark: 0,
            join: None,
        };
        let mut inner = Inner {
            files,
            identity,
            generation: 1,
            next_slot: 1,
            failed: None,
        };
        inner
            .create_slots()
            .map_err(OpenError::io("create the identity file"))?;
        Ok(Self::new(inner))
    }

    fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// The identity as last made durable.
    pub fn get(&self) -> Identity {
        self.lock().identity.clone()
    }

    /// Changes the identity; durable in both slots when this returns. Blocks for two `fdatasync`.
    ///
    /// # Errors
    /// `InvalidInput` if the change moves the vote or the mark back, alters the incarnation, or makes
    /// the identity too long for a slot: nothing has changed then. Any other error is the disk's, and
    /// every later update fails too.
    pub fn update(&self, change: impl FnOnce(&mut Identity)) -> io::Result<()> {
        let mut inner = self.lock();
        let mut next = inner.identity.clone();
        change(&mut next);
        inner.check_change(&next)?;
        if next == inner.identity {
            return Ok(());
        }
        inner.write(&next)?;
        inner.write(&next)?;
        inner.identity = next;
        Ok(())
    }

    /// Raises the durable mark, in one slot with one `fdatasync`: losing it costs a second of memory,
    /// and the other slot has everything else. A lower mark is ignored.
    ///
    /// # Errors
    /// The disk's; every later update fails too.
    pub fn raise_mark(&self, index: u64) -> io::Result<()> {
        let mut inner = self.lock();
        if index <= inner.identity.durable_mark {
            return Ok(());
        }
        let mut next = inner.identity.clone();
        next.durable_mark = index;
        inner.check_change(&next)?;
        inner.write(&next)?;
        inner.identity = next;
        Ok(())
    }

    /// A panic while the lock was held left `identity` as it was: it is replaced last.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn check_change(&self, next: &Identity) -> io::Result<()> {
        let refuse = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, why.to_owned()));
        if let Some(first) = &self.failed {
            return Err(io::Error::other(format!(
                "the identity file failed before: {first}"
            )));
        }
        if next.vote < self.identity.vote {
            return refuse("a vote never goes back");
        }
        if next.durable_mark < self.identity.durable_mark {
            return refuse("the durable mark never goes back");
        }
        if next.incarnation != self.identity.incarnation {
            return refuse("an incarnation never changes");
        }
        if codec::encode(next).len() > SLOT_BYTES - SLOT_HEADER {
            return refuse("the identity does not fit its slot of 4 KiB");
        }
        Ok(())
    }

    /// Overwrites the older slot; from then on it is the newer one.
    fn write(&mut self, identity: &Identity) -> io::Result<()> {
        let generation = self.generation + 1;
        let written = overwrite_slot(
            &self.files,
            SLOTS[self.next_slot],
            &slot_bytes(generation, identity),
        );
        if let Err(error) = written {
            self.failed = Some(error.to_string());
            return Err(error);
        }
        self.generation = generation;
        self.next_slot = 1 - self.next_slot;
        Ok(())
    }

    /// The first slot appears by rename, so that a crash leaves either nothing or a whole identity;
    /// the second may be torn at any time, being the older.
    fn create_slots(&mut self) -> io::Result<()> {
        let bytes = slot_bytes(self.generation, &self.identity);
        let mut file = self.files.create(SLOT_TEMP)?;
        file.write_at(0, &bytes)?;
        file.sync()?;
        self.files.rename(SLOT_TEMP, SLOTS[0])?;
        self.files.sync_dir("")?;
        let identity = self.identity.clone();
        self.write(&identity)?;
        self.files.sync_dir("")
    }

    /// After a torn write or rot only one slot holds the identity: writes the other anew.
    fn heal(&mut self) -> Result<(), OpenError> {
        let identity = self.identity.clone();
        self.write(&identity)
            .and_then(|()| self.files.sync_dir(""))
            .map_err(OpenError::io("rewrite the older identity slot"))
    }
}

struct Slot {
    generation: u64,
    identity: Identity,
}

/// Why one slot has no identity: torn by a crash, or rotten.
type SlotError = CodecError;

/// The outer error is one on which nothing may be decided; the inner one invalidates this slot.
fn read_slot(files: &SharedFiles, name: &str) -> Result<Result<Slot, SlotError>, OpenError> {
    let mut bytes = vec![0; SLOT_BYTES];
    let read = files
        .open(name)
        .and_then(|mut file| file.read_at(0, &mut bytes))
        .map_err(OpenError::io(format!("read {name}")))?;
    match parse_slot(&bytes[..read]) {
        // An older release must not overwrite what a newer one wrote, whichever slot it is in.
        Err(error @ CodecError::Newer { .. }) => Err(OpenError::codec(name, "byte 0", &error)),
        other => Ok(other),
    }
}

fn parse_slot(bytes: &[u8]) -> Result<Slot, SlotError> {
    if bytes.len() < SLOT_HEADER {
        return Err(CodecError::Truncated {
            need: SLOT_HEADER,
            have: bytes.len(),
        });
    }
    let (header, rest) = bytes.split_at(SLOT_HEADER);
    if !header.starts_with(SLOT_MAGIC) {
        return Err(CodecError::ForeignMagic(header[0]));
    }
    let generation = u64::from_le_bytes(header[8..16].try_into().expect("eight bytes"));
    let len = u32::from_le_bytes(header[16..20].try_into().expect("four bytes")) as usize;
    let stored = u32::from_le_bytes(header[20..24].try_into().expect("four bytes"));
    let envelope = rest.get(..len).ok_or(CodecError::Truncated {
        need: SLOT_HEADER + len,
        have: bytes.len(),
    })?;
    let computed = slot_checksum(&header[..20], envelope);
    if stored != computed {
        return Err(CodecError::Checksum { stored, computed });
    }
    let identity = codec::decode_since::<Identity, Identity1>(envelope, codec::IDENTITY_MAX)?;
    Ok(Slot {
        generation,
        identity,
    })
}

/// One whole slot, padded with zeros to its page.
fn slot_bytes(generation: u64, identity: &Identity) -> Vec<u8> {
    let envelope = codec::encode(identity);
    let len = u32::try_from(envelope.len()).expect("check_change bounds it by the slot");
    let mut bytes = Vec::with_capacity(SLOT_BYTES);
    bytes.extend_from_slice(SLOT_MAGIC);
    bytes.extend_from_slice(&generation.to_le_bytes());
    bytes.extend_from_slice(&len.to_le_bytes());
    let crc = slot_checksum(&bytes, &envelope);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(&envelope);
    bytes.resize(SLOT_BYTES, 0);
    bytes
}

fn slot_checksum(header: &[u8], envelope: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(envelope);
    hasher.finalize()
}

fn overwrite_slot(files: &SharedFiles, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = match files.open(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => files.create(name)?,
        other => other?,
    };
    file.write_at(0, bytes)?;
    file.sync()
}

fn both_slots_hold(slots: &[(&str, Result<Slot, SlotError>)], identity: &Identity) -> bool {
    slots.len() == SLOTS.len()
        && slots.iter().all(|(_, slot)| {
            slot.as_ref()
                .is_ok_and(|slot| both_hold(&slot.identity, identity))
        })
}

/// Two whole slots of two data directories: nobody can say which of them belongs beside this log, and
/// writing one over the other would destroy the right one half of the time.
fn refuse_strangers(slots: &[(&str, Result<Slot, SlotError>)]) -> Result<(), OpenError> {
    let mut whole = slots.iter().filter_map(|(_, slot)| slot.as_ref().ok());
    match (whole.next(), whole.next()) {
        (Some(one), Some(other)) if one.identity.incarnation != other.identity.incarnation => {
            Err(OpenError::foreign(
                "META.a or META.b",
                format!(
                    "they are of two incarnations, {:032x} and {:032x}",
                    one.identity.incarnation, other.identity.incarnation
                ),
            ))
        }
        _ => Ok(()),
    }
}

/// Whether two slots say the same; the mark is written to one at a time.
fn both_hold(one: &Identity, other: &Identity) -> bool {
    let with_other_mark = Identity {
        durable_mark: other.durable_mark,
        ..one.clone()
    };
    with_other_mark == *other
}

/// A log or snapshots without an identity are somebody's data whose vote is lost: a node that started
/// over on top of them could vote twice in one term.
fn refuse_orphans(names: &[String]) -> Result<(), OpenError> {
    let orphan = names
        .iter()
        .find(|name| ["log", "LOG.end", "snapshots"].contains(&name.as_str()));
    match orphan {
        None => Ok(()),
        Some(orphan) => Err(OpenError::corrupt(
            SLOTS[0],
            "its name",
            format!("there is no identity file beside {orphan}"),
        )),
    }
}

fn unreadable(slots: &[(&str, Result<Slot, SlotError>)]) -> OpenError {
    let reasons = slots
        .iter()
        .filter_map(|(name, slot)| Some(format!("{name}: {}", slot.as_ref().err()?)));
    OpenError::corrupt(
        "META.a and META.b",
        "byte 0",
        reasons.collect::<Vec<_>>().join("; "),
    )
}
