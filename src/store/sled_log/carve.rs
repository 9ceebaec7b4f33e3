//! Records found in the bytes of a log that sled cannot open.
//!
//! Owns the search for what looks like a record and whose checksum proves it. It may not say which of
//! two versions of an entry counts: sled leaves old pages behind, a truncated entry among them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;

use super::super::log::LogRecord;
use super::open::DB_FILE;
use super::value::{RECORD_HEADER, WHOLE_MAX, take_record};

/// Bytes looked through at a time, 1 MiB, and what the next piece looks at again: the longest record.
const PIECE_BYTES: usize = 1 << 20;
const OVERLAP_BYTES: usize = RECORD_HEADER + WHOLE_MAX;
/// No log has more entries: a larger index is chance.
const INDEX_MAX: u64 = 1 << 48;
/// Versions of entries remembered: 40 bytes each.
const VERSIONS_MAX: usize = 10_000_000;

/// Where a version of an entry lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    index: u64,
    /// Tells versions of one index apart.
    crc: u32,
    at: u64,
    bytes: usize,
}

/// Hands out every version of every whole record in the log file below `root`, by index; records too
/// long for one value are not found. Blocks.
///
/// # Errors
/// The disk's.
pub fn carve(root: &Path, mut visit: impl FnMut(LogRecord) -> io::Result<()>) -> io::Result<()> {
    let file = File::open(root.join(DB_FILE))?;
    let mut last = None;
    for place in places(&file)? {
        if last == Some((place.index, place.crc)) {
            continue;
        }
        last = Some((place.index, place.crc));
        let mut bytes = vec![0; place.bytes];
        file.read_exact_at(&mut bytes, place.at)?;
        visit(LogRecord {
            index: place.index,
            bytes: Bytes::from(bytes),
        })?;
    }
    Ok(())
}

fn places(file: &File) -> io::Result<BTreeSet<Place>> {
    let mut places = BTreeSet::new();
    let (mut start, end) = (0, file.metadata()?.len());
    while start < end && places.len() < VERSIONS_MAX {
        let wanted = usize::try_from(end - start).unwrap_or(usize::MAX);
        let mut piece = vec![0; wanted.min(PIECE_BYTES + OVERLAP_BYTES)];
        file.read_exact_at(&mut piece, start)?;
        search(&piece, start, &mut places);
        start += PIECE_BYTES as u64;
    }
    Ok(places)
}

/// Adds what begins in the first [`PIECE_BYTES`] of `piece`, which lies at `start` in the file.
fn search(piece: &[u8], start: u64, places: &mut BTreeSet<Place>) {
    let mut at = 0;
    while at < piece.len().min(PIECE_BYTES) {
        let Some((record, crc)) = record_at(&piece[at..]) else {
            at += 1;
            continue;
        };
        places.insert(Place {
            index: record.index,
            crc,
            at: start + (at + RECORD_HEADER) as u64,
            bytes: record.bytes.len(),
        });
        at += RECORD_HEADER + record.bytes.len();
    }
}

fn record_at(bytes: &[u8]) -> Option<(LogRecord, u32)> {
    let header = bytes.first_chunk::<RECORD_HEADER>()?;
    let index = u64::from_le_bytes(*header.first_chunk()?);
    let len = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
    let plausible = index < INDEX_MAX && (1..=WHOLE_MAX).contains(&(len as usize));
    // Before anything is summed: most places are no record.
    if !plausible {
        return None;
    }
    let crc = u32::from_le_bytes([header[12], header[13], header[14], header[15]]);
    let (record, _behind) = take_record(bytes).ok()?;
    Some((record, crc))
}

#[cfg(test)]
mod tests {
    use super::super::value::Packer;
    use super::*;

    fn record(index: u64, byte: u8) -> LogRecord {
        LogRecord {
            index,
            bytes: Bytes::from(vec![byte; 100]),
        }
    }

    #[test]
    fn records_are_found_among_rubbish_across_pieces_and_once_each() {
        let mut packer = Packer::default();
        let mut value = Vec::new();
        let mut put = |_key, bytes: Vec<u8>| {
            value.extend(bytes);
            Ok::<_, io::Error>(())
        };
        for index in 7..27 {
            packer.push(&record(index, 1), &mut put).unwrap();
        }
        packer.push(&record(27, 2), &mut put).unwrap();
        packer.finish(&mut put).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("log")).unwrap();
        // Twice, the second time across the end of a piece.
        let gap = PIECE_BYTES - value.len() - 1_000;
        let file = [&[0xAB; 13][..], &value, &vec![0; gap], &value].concat();
        std::fs::write(dir.path().join(DB_FILE), file).unwrap();
        let mut found = Vec::new();
        let carved = carve(dir.path(), |record| {
            found.push(record);
            Ok(())
        });
        carved.unwrap();
        let expected: Vec<_> = (7..27).map(|index| record(index, 1)).collect();
        assert_eq!(found, [&expected[..], &[record(27, 2)]].concat());
    }
}
