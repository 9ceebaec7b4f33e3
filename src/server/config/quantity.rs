//! Durations and sizes as people write them.
//!
//! Owns the two notations of the configuration, `250ms` and `256KiB`. It may not know any key.

use std::time::Duration;

/// The units of a size, largest last.
const UNITS: [(&str, u64); 4] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Reads `256KiB` and the like: a whole number and one of B, KiB, MiB, GiB. `None` if it is not one
/// or does not fit into 64 bits.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// Reads `250ms`, `30s`, `1m 30s`. `None` if it is not a duration.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_numbers_with_a_binary_unit() {
        let table = [
            ("0B", Some(0)),
            ("1024B", Some(1_024)),
            ("256KiB", Some(262_144)),
            ("256 KiB", Some(262_144)),
            ("2GiB", Some(2_147_483_648)),
            ("", None),
            ("12", None),
            ("1.5MiB", None),
            ("-1KiB", None),
            ("1KB", None),
            ("99999999999GiB", None),
        ];
        for (text, bytes) in table {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
    }
}
