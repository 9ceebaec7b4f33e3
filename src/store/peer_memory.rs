//! What this node remembers of the others' disks, on its own.
//!
//! Owns the two files `PEERS.a` and `PEERS.b`, written in turn. It may not judge a peer. Calls block on
//! the disk.
//!
//! Invariant: a row is only ever what the peer itself said was on its disk. Losing rows weakens a check and
//! breaks no promise, so a damaged file is not refused: it is told, and filled again by what peers say.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use super::error::OpenError;
use super::files::SharedFiles;
use super::identity::StoredVote;
use crate::codec::{self, CONTROL_MAX, CodecError, ENVELOPE_BYTES, Format, Stored};

/// The two files, in the order of their first write.
pub const MEMORY_FILES: [&str; 2] = ["PEERS.a", "PEERS.b"];
/// Data directories remembered at most: more than any cluster has members, less than [`CONTROL_MAX`] bytes.
pub const MEMORIES_MAX: usize = 1_024;

/// What is remembered of one data directory. Neither part ever goes back on a healthy disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The highest vote it has stored.
    pub vote: Option<StoredVote>,
    /// An index up to which it has synced entries that are committed.
    pub mark: u64,
}

/// What is remembered, by the incarnation of the data directory.
pub type Memories = BTreeMap<u128, Memory>;

/// One file's content.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    generation: u64,
    memories: Memories,
}

impl Stored for Remembered {
    const FORMAT: Format = Format::PEER_MEMORY;
}

/// The memory of one node.
pub struct MemoryFile {
    files: SharedFiles,
    found: Memories,
    damage: Option<String>,
    /// Of the newest file.
    generation: u64,
    /// Which file is overwritten next: the older one.
    next: usize,
}

impl MemoryFile {
    /// Reads what was remembered; nothing yet, or nothing that can be read, is an empty memory.
    ///
    /// # Errors
    /// [`OpenError::Newer`] if a newer release wrote it; [`OpenError::Io`].
    pub fn open(files: SharedFiles) -> Result<Self, OpenError> {
        let mut memory = Self {
            files,
            found: Memories::new(),
            damage: None,
            generation: 0,
            next: 0,
        };
        for (at, name) in MEMORY_FILES.into_iter().enumerate() {
            match read(&memory.files, name)? {
                None => {}
                Some(Ok(found)) if found.generation > memory.generation => {
                    memory.generation = found.generation;
                    memory.found = found.memories;
                    memory.next = 1 - at;
                }
                Some(Ok(_older)) => {}
                Some(Err(error)) => memory.note_damage(name, &error),
            }
        }
        Ok(memory)
    }

    /// Creates the files that are not there yet, each with a block of its own. From then on a write needs no
    /// inode and, in a cluster of common size, no block, so a disk that fills up does not end the node here.
    ///
    /// # Errors
    /// [`OpenError::Io`].
    pub fn settle(&mut self) -> Result<(), OpenError> {
        let found = self.found.clone();
        for name in MEMORY_FILES {
            match self.files.open(name) {
                // The older file is written next, and one that is not there is older than any.
                Err(error) if error.kind() == io::ErrorKind::NotFound => self
                    .write(&found)
                    .map_err(OpenError::io(format!("create {name}")))?,
                other => drop(other.map_err(OpenError::io(format!("open {name}")))?),
            }
        }
        Ok(())
    }

    /// What was found when this was opened.
    pub fn found(&self) -> &Memories {
        &self.found
    }

    /// Which file could not be read when this was opened, and why: for a warning.
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Replaces the older file by `memories`; durable when this returns. Blocks for one `fdatasync`.
    ///
    /// # Errors
    /// `InvalidInput` for more than [`MEMORIES_MAX`] rows; the disk's. The newer file is as it was then,
    /// and the next call writes the whole of the older one anew.
    pub fn write(&mut self, memories: &Memories) -> io::Result<()> {
        if memories.len() > MEMORIES_MAX {
            let text = format!("a memory of {} directories", memories.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let generation = self.generation + 1;
        let bytes = codec::encode(&Remembered {
            generation,
            memories: memories.clone(),
        });
        let name = MEMORY_FILES[self.next];
        let (mut file, fresh) = match self.files.open(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (self.files.create(name)?, true)
            }
            other => (other?, false),
        };
        file.write_at(0, &bytes)?;
        file.sync()?;
        if fresh {
            self.files.sync_dir("")?;
        }
        self.generation = generation;
        self.next = 1 - self.next;
        Ok(())
    }

    fn note_damage(&mut self, name: &str, error: &CodecError) {
        let reason = format!("{name}: {error}");
        self.damage = Some(match self.damage.take() {
            Some(first) => format!("{first}; {reason}"),
            None => reason,
        });
    }
}

impl std::fmt::Debug for MemoryFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryFile")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// `None` if there is no such file; the outer error is one on which nothing may be decided.
fn read(
    files: &SharedFiles,
    name: &str,
) -> Result<Option<Result<Remembered, CodecError>>, OpenError> {
    let mut file = match files.open(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(OpenError::io(format!("open {name}")))?,
    };
    let mut bytes = vec![0; ENVELOPE_BYTES + CONTROL_MAX];
    let read = file
        .read_at(0, &mut bytes)
        .map_err(OpenError::io(format!("read {name}")))?;
    match parse(&bytes[..read]) {
        Err(error @ CodecError::Newer { .. }) => Err(OpenError::codec(name, "byte 0", &error)),
        parsed => Ok(Some(parsed)),
    }
}

/// A shorter content may lie before the end of a longer one.
fn parse(bytes: &[u8]) -> Result<Remembered, CodecError> {
    let header = codec::envelope_header(bytes, CONTROL_MAX)?;
    let need = ENVELOPE_BYTES + header.len;
    let have = bytes.len();
    let envelope = bytes
        .get(..need)
        .ok_or(CodecError::Truncated { need, have })?;
    codec::decode(envelope, CONTROL_MAX)
}
