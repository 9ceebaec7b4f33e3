//! How log records lie in sled's keys and values.
//!
//! Owns the layout: a value holds up to 32 whole records, or one part of a record too long for a
//! value. It may not touch sled.
//!
//! ```text
//! key   index u64 BE | part u16 BE                    the first record's index; part 0 if whole
//! value 1 | (index u64 | len u32 | crc u32 | bytes)*  whole records, contiguous
//! value 2 | part u16 | parts u16 | index u64 | crc u32 | bytes
//! ```
//! Integers in values are little-endian. Every record and part has its own index and a checksum over
//! it, so that sled handing back the wrong page is seen.

use bytes::{Bytes, BytesMut};

use super::super::log::LogRecord;

/// Records in one value at most.
pub(super) const VALUE_RECORDS: usize = 32;
/// Bytes in one value at most. sled splits a leaf at 17 items whatever their size, and turns a page
/// over 128 KiB into a file that it never syncs: 17 times 7 KiB stays below.
pub(super) const VALUE_BYTES: usize = 7 << 10;

/// The longest record, 16 MiB: parts are counted in 16 bits and a batch is far smaller.
pub const RECORD_BYTES_MAX: usize = 16 << 20;

const WHOLE: u8 = 1;
const PART: u8 = 2;
pub(super) const RECORD_HEADER: usize = 16;
const PART_HEADER: usize = 17;
pub(super) const WHOLE_MAX: usize = VALUE_BYTES - 1 - RECORD_HEADER;
const PART_BYTES: usize = VALUE_BYTES - PART_HEADER;

/// A key of the log tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) index: u64,
    pub(super) part: u16,
}

impl Key {
    pub(super) fn first(index: u64) -> Self {
        Self { index, part: 0 }
    }

    pub(super) fn to_bytes(self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.index.to_be_bytes());
        bytes[8..].copy_from_slice(&self.part.to_be_bytes());
        bytes
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let whole: [u8; 10] = bytes
            .try_into()
            .map_err(|_| format!("a key of {} bytes", bytes.len()))?;
        let (index, part) = whole.split_at(8);
        Ok(Self {
            index: u64::from_be_bytes(index.try_into().expect("eight bytes")),
            part: u16::from_be_bytes(part.try_into().expect("two bytes")),
        })
    }
}

/// Packs records into values, in order.
#[derive(Debug, Default)]
pub(super) struct Packer {
    /// The index of the first record in `value`.
    first: u64,
    records: usize,
    value: Vec<u8>,
}

impl Packer {
    /// Adds a record; hands out what is full.
    pub(super) fn push<E>(
        &mut self,
        record: &LogRecord,
        mut put: impl FnMut(Key, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        if record.bytes.len() > WHOLE_MAX {
            self.finish(&mut put)?;
            return split(record, put);
        }
        let grown = self.value.len() + RECORD_HEADER + record.bytes.len();
        if self.records == VALUE_RECORDS || grown > VALUE_BYTES {
            self.finish(&mut put)?;
        }
        if self.records == 0 {
            self.first = record.index;
            self.value.push(WHOLE);
        }
        put_record(&mut self.value, record);
        self.records += 1;
        Ok(())
    }

    /// Hands out what has been begun.
    pub(super) fn finish<E>(
        &mut self,
        mut put: impl FnMut(Key, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.records == 0 {
            return Ok(());
        }
        self.records = 0;
        put(Key::first(self.first), std::mem::take(&mut self.value))
    }
}

fn put_record(value: &mut Vec<u8>, record: &LogRecord) {
    let len = u32::try_from(record.bytes.len()).expect("a whole record is shorter than a value");
    let start = value.len();
    value.extend_from_slice(&record.index.to_le_bytes());
    value.extend_from_slice(&len.to_le_bytes());
    let crc = checksum(&value[start..], &record.bytes);
    value.extend_from_slice(&crc.to_le_bytes());
    value.extend_from_slice(&record.bytes);
}

fn split<E>(
    record: &LogRecord,
    mut put: impl FnMut(Key, Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let parts = u16::try_from(record.bytes.len().div_ceil(PART_BYTES))
        .expect("a record is refused above RECORD_BYTES_MAX, which is 2,352 parts");
    for (part, bytes) in (0..).zip(record.bytes.chunks(PART_BYTES)) {
        let mut value = Vec::with_capacity(PART_HEADER + bytes.len());
        value.push(PART);
        value.extend_from_slice(&u16::to_le_bytes(part));
        value.extend_from_slice(&parts.to_le_bytes());
        value.extend_from_slice(&record.index.to_le_bytes());
        let crc = checksum(&value, bytes);
        value.extend_from_slice(&crc.to_le_bytes());
        value.extend_from_slice(bytes);
        let index = record.index;
        put(Key { index, part }, value)?;
    }
    Ok(())
}

/// Whether a value is a part of a record.
pub(super) fn is_part(value: &[u8]) -> bool {
    value.first() == Some(&PART)
}

/// The whole records of a value that is no part.
pub(super) fn records(key: Key, value: &[u8]) -> Result<Vec<LogRecord>, String> {
    let [WHOLE, rest @ ..] = value else {
        return Err(format!("a value of kind {:?}", value.first()));
    };
    let mut rest = rest;
    let mut records = Vec::new();
    let mut expected = key.index;
    while !rest.is_empty() {
        let (record, behind) = take_record(rest)?;
        if record.index != expected {
            return Err(format!("entry {} in the place of {expected}", record.index));
        }
        expected += 1;
        rest = behind;
        records.push(record);
    }
    if records.is_empty() || key.part != 0 {
        return Err(format!("an empty value, or part {} of none", key.part));
    }
    Ok(records)
}

pub(super) fn take_record(bytes: &[u8]) -> Result<(LogRecord, &[u8]), String> {
    let Some((header, rest)) = bytes.split_at_checked(RECORD_HEADER) else {
        return Err("a record cut short in its header".to_owned());
    };
    let index = u64::from_le_bytes(header[..8].try_into().expect("eight bytes"));
    let len = u32::from_le_bytes(header[8..12].try_into().expect("four bytes"));
    let stored = u32::from_le_bytes(header[12..].try_into().expect("four bytes"));
    let Some((payload, behind)) = rest.split_at_checked(len as usize) else {
        return Err(format!("entry {index} is cut short"));
    };
    if stored != checksum(&header[..12], payload) {
        return Err(format!("entry {index} fails its checksum"));
    }
    let bytes = Bytes::copy_from_slice(payload);
    Ok((LogRecord { index, bytes }, behind))
}

/// Keeps the records of a value up to and including `last_kept`; `None` if it need not change.
pub(super) fn shorten(key: Key, value: &[u8], last_kept: u64) -> Result<Option<Vec<u8>>, String> {
    if is_part(value) {
        return Ok(None);
    }
    let held = records(key, value)?;
    if held.last().is_none_or(|last| last.index <= last_kept) {
        return Ok(None);
    }
    let mut kept = vec![WHOLE];
    held.iter()
        .take_while(|record| record.index <= last_kept)
        .for_each(|record| put_record(&mut kept, record));
    Ok(Some(kept))
}

/// Puts values, in key order, back together into records.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    /// Index, number of parts, parts seen, bytes of the record being assembled.
    pending: Option<(u64, u16, u16, BytesMut)>,
}

impl Assembler {
    /// The records that this value completes.
    pub(super) fn push(&mut self, key: Key, value: &[u8]) -> Result<Vec<LogRecord>, String> {
        if is_part(value) {
            return Ok(self.push_part(key, value)?.into_iter().collect());
        }
        match &self.pending {
            Some((index, parts, seen, _)) => {
                Err(format!("entry {index} has {seen} of {parts} parts"))
            }
            None => records(key, value),
        }
    }

    /// The index of a record whose last parts have not come.
    pub(super) fn incomplete(&self) -> Option<u64> {
        self.pending.as_ref().map(|(index, ..)| *index)
    }

    fn push_part(&mut self, key: Key, value: &[u8]) -> Result<Option<LogRecord>, String> {
        let (part, parts, bytes) = parse_part(key, value)?;
        let mut pending = match self.pending.take() {
            None => (key.index, parts, 0, BytesMut::new()),
            Some(pending) => pending,
        };
        if (pending.0, pending.1, pending.2) != (key.index, parts, part) {
            return Err(format!(
                "part {part}/{parts} of entry {} where part {}/{} of entry {} belongs",
                key.index, pending.2, pending.1, pending.0
            ));
        }
        pending.3.extend_from_slice(bytes);
        pending.2 += 1;
        if pending.2 < parts {
            self.pending = Some(pending);
            return Ok(None);
        }
        Ok(Some(LogRecord {
            index: key.index,
            bytes: pending.3.freeze(),
        }))
    }
}

fn parse_part(key: Key, value: &[u8]) -> Result<(u16, u16, &[u8]), String> {
    let Some((header, bytes)) = value.split_at_checked(PART_HEADER) else {
        return Err("a part cut short in its header".to_owned());
    };
    let part = u16::from_le_bytes(header[1..3].try_into().expect("two bytes"));
    let parts = u16::from_le_bytes(header[3..5].try_into().expect("two bytes"));
    let index = u64::from_le_bytes(header[5..13].try_into().expect("eight bytes"));
    let stored = u32::from_le_bytes(header[13..].try_into().expect("four bytes"));
    if stored != checksum(&header[..13], bytes) {
        return Err(format!("part {part} of entry {index} fails its checksum"));
    }
    if (index, part) != (key.index, key.part) {
        return Err(format!(
            "part {part} of entry {index} under the key of part {} of {}",
            key.part, key.index
        ));
    }
    Ok((part, parts, bytes))
}

fn checksum(header: &[u8], bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(index: u64, bytes: Vec<u8>) -> LogRecord {
        let bytes = Bytes::from(bytes);
        LogRecord { index, bytes }
    }

    fn pack(records: &[LogRecord]) -> Vec<(Key, Vec<u8>)> {
        let mut packer = Packer::default();
        let mut values = Vec::new();
        let mut put = |key, value| {
            values.push((key, value));
            Ok::<_, String>(())
        };
        for record in records {
            packer.push(record, &mut put).unwrap();
        }
        packer.finish(&mut put).unwrap();
        values
    }

    fn unpack(values: &[(Key, Vec<u8>)]) -> Result<Vec<LogRecord>, String> {
        let mut assembler = Assembler::default();
        let mut records = Vec::new();
        for (key, value) in values {
            records.extend(assembler.push(*key, value)?);
        }
        assert_eq!(assembler.incomplete(), None);
        Ok(records)
    }

    #[test]
    fn a_value_of_whole_records_is_frozen() {
        let values = pack(&[record(258, vec![0xAA]), record(259, vec![])]);
        let key = [0, 0, 0, 0, 0, 0, 1, 2, 0, 0];
        assert_eq!(values.len(), 1);
        assert_eq!(values[0].0.to_bytes(), key);
        let frozen = [
            "01",
            "0201000000000000",
            "01000000",
            "e0dceeff",
            "aa",
            "0301000000000000",
            "00000000",
            "5fcbc5cd",
        ];
        let hex: String = values[0].1.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, frozen.concat());
    }

    #[test]
    fn a_part_of_a_record_is_frozen() {
        let values = pack(&[record(258, vec![7; PART_BYTES + 1])]);
        let hex: String = values[1].1.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(values[1].0.to_bytes(), [0, 0, 0, 0, 0, 0, 1, 2, 0, 1]);
        assert_eq!(
            hex,
            ["02", "0100", "0200", "0201000000000000", "956017c9", "07"].concat()
        );
    }

    #[test]
    fn no_value_is_over_seven_kibibytes_or_thirty_two_records() {
        let lengths = [
            0,
            1,
            100,
            2_000,
            WHOLE_MAX - 1,
            WHOLE_MAX,
            WHOLE_MAX + 1,
            40_000,
        ];
        let records: Vec<_> = (0..400)
            .map(|i| record(i, vec![i as u8; lengths[(i * i % 8) as usize]]))
            .chain((400..600).map(|i| record(i, vec![])))
            .collect();
        let values = pack(&records);
        assert!(values.iter().all(|(_, value)| value.len() <= VALUE_BYTES));
        let keys: Vec<_> = values.iter().map(|(key, _)| key.to_bytes()).collect();
        assert!(keys.is_sorted());
        let most = values.iter().filter(|(_, value)| !is_part(value));
        let most = most.map(|(key, value)| super::records(*key, value).unwrap().len());
        assert_eq!(most.max(), Some(VALUE_RECORDS));
        assert_eq!(unpack(&values), Ok(records));
    }

    #[test]
    fn any_flipped_bit_is_an_error() {
        for records in [
            vec![record(5, vec![1, 2]), record(6, vec![3])],
            vec![record(5, vec![9; PART_BYTES + 3])],
        ] {
            let values = pack(&records);
            for (at, (_, value)) in values.iter().enumerate() {
                for bit in (0..value.len() * 8).step_by(if value.len() > 100 { 97 } else { 1 }) {
                    let mut flipped = values.clone();
                    flipped[at].1[bit / 8] ^= 1 << (bit % 8);
                    assert!(unpack(&flipped).is_err(), "value {at} bit {bit}");
                }
            }
        }
    }

    #[test]
    fn a_missing_swapped_or_misplaced_part_is_an_error() {
        let values = pack(&[record(5, vec![9; 3 * PART_BYTES]), record(6, vec![1])]);
        let without = |at: usize| [&values[..at], &values[at + 1..]].concat();
        for at in 0..3 {
            assert!(unpack(&without(at)).is_err(), "part {at}");
        }
        let mut swapped = values.clone();
        swapped.swap(0, 1);
        assert!(unpack(&swapped).is_err());
        let mut misplaced = values;
        misplaced[3].0.index = 7;
        assert!(unpack(&misplaced).is_err());
    }
}
