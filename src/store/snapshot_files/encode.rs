//! The bytes of a snapshot, whoever takes them: a file here, or a client's connection.
//!
//! Owns the running count and checksum that the footer states. It may not hold what it has handed out.

use std::io;

use super::SnapshotName;
use super::format::{Footer, Header};
use crate::codec::{self, Stored};

/// Encodes one snapshot, envelope by envelope: the header, the records, the footer, in this order.
#[derive(Default)]
pub struct SnapshotEncoder {
    hasher: crc32fast::Hasher,
    records: u64,
    bytes: u64,
}

impl SnapshotEncoder {
    /// The first envelope; `note` is at most 64 KiB.
    pub fn header(&mut self, name: SnapshotName, note: &[u8]) -> Vec<u8> {
        let note = note.to_vec();
        self.counted(codec::encode(&Header { name, note }))
    }

    /// A record's envelope.
    ///
    /// # Errors
    /// `InvalidInput` if it is longer than [`codec::SNAPSHOT_RECORD_MAX`]; it does not count then.
    pub fn record<T: Stored>(&mut self, record: &T) -> io::Result<Vec<u8>> {
        let bytes = codec::encode(record);
        if bytes.len() - codec::ENVELOPE_BYTES > codec::SNAPSHOT_RECORD_MAX {
            let text = format!("a snapshot record of {} bytes", bytes.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        self.records += 1;
        Ok(self.counted(bytes))
    }

    /// The last envelope: without it the bytes so far are no snapshot.
    pub fn footer(&self) -> Vec<u8> {
        codec::encode(&Footer {
            records: self.records,
            bytes: self.bytes,
            crc: self.hasher.clone().finalize(),
        })
    }

    fn counted(&mut self, envelope: Vec<u8>) -> Vec<u8> {
        self.hasher.update(&envelope);
        self.bytes += envelope.len() as u64;
        envelope
    }
}
