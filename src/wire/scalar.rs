//! How Eureka reads numbers, flags and words, which clients write in many ways.
//!
//! Owns the rules by which text becomes a number, a flag or a status, for JSON and XML alike. It may
//! not know which field it reads: each field has its own answer to [`Integer::Garbage`].

use std::fmt::{self, Write as _};

use crate::registry::{InstanceStatus, LeaseTerms};

/// How deep a document may nest, in any part of it: Eureka's own nest five deep.
pub const MAX_DEPTH: usize = 64;

/// What a text says when an integer is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Integer {
    /// An integer, or the whole part of a decimal number.
    Value(i64),
    /// A number beyond 64 bits.
    TooLarge,
    /// Not a number.
    Garbage,
}

/// Reads `text` as Jackson's `getValueAsLong` would, except that it tells garbage from 0.
fn integer(text: &str) -> Integer {
    let text = text.trim();
    if let Ok(value) = text.parse() {
        return Integer::Value(value);
    }
    match decimal(text) {
        // 2^63 is the first positive integer that is none of i64's.
        Some(value) if value.abs() < 9_223_372_036_854_775_808.0 => Integer::Value(value as i64),
        Some(_) => Integer::TooLarge,
        None => Integer::Garbage,
    }
}

/// A decimal number; `f64` alone would also read "inf" and "NaN".
fn decimal(text: &str) -> Option<f64> {
    let numeric = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    let value = text.parse().ok()?;
    text.bytes().all(numeric).then_some(value)
}

/// Reads a 32-bit integer of the field `name`, as a number of JSON or a text of XML; garbage is `None`.
///
/// # Errors
/// A sentence, if it is beyond 32 bits: Eureka's parser refuses the document.
pub(super) fn int32(name: &str, text: &str) -> Result<Option<i32>, String> {
    let too_large = || format!("{name} is out of range: {}", excerpt(text));
    match integer(text) {
        Integer::Value(value) => i32::try_from(value).map(Some).map_err(|_| too_large()),
        Integer::TooLarge => Err(too_large()),
        Integer::Garbage => Ok(None),
    }
}

/// Reads an integer that JSON has as a string, as Jackson's `getValueAsLong` does: garbage is 0, whole
/// digits beyond 64 bits are garbage, and a decimal number beyond them is the nearest.
pub(super) fn quoted_int64(text: &str) -> i64 {
    let text = text.trim();
    let digits = |byte: u8| byte.is_ascii_digit() || b"+-".contains(&byte);
    text.parse().unwrap_or_else(|_| match decimal(text) {
        Some(value) if !text.bytes().all(digits) => value as i64,
        _ => 0,
    })
}

/// The same in 32 bits (`getValueAsInt`).
pub(super) fn quoted_int32(text: &str) -> i32 {
    let text = text.trim();
    let digits = |byte: u8| byte.is_ascii_digit() || b"+-".contains(&byte);
    text.parse().unwrap_or_else(|_| match decimal(text) {
        Some(value) if !text.bytes().all(digits) => value as i32,
        _ => 0,
    })
}

/// Reads an integer that may be beyond 32 bits as the nearest that is not; garbage is 0.
pub(super) fn nearest_int32(text: &str) -> i32 {
    decimal(text.trim()).map_or(0, |value| value as i32)
}

/// Reads `lastDirtyTimestamp`, in ms, as a number of JSON or a text of XML; empty is absent, and a
/// negative one is older than any record: 0.
///
/// # Errors
/// A sentence, if it is not a number or beyond 64 bits. Eureka's XML parser would make garbage "now",
/// which lets the sender win over every later registration: we refuse it.
pub(super) fn timestamp(text: &str) -> Result<Option<u64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    match integer(text) {
        Integer::Value(value) => Ok(Some(past(value))),
        Integer::TooLarge | Integer::Garbage => {
            Err(format!("lastDirtyTimestamp is no time: {}", excerpt(text)))
        }
    }
}

/// A time in ms since 1970, never before it.
pub(super) fn past(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Reads a status in any case; what is none is UNKNOWN.
pub(super) fn status(text: &str) -> InstanceStatus {
    let text = text.trim();
    InstanceStatus::ALPHABETIC
        .into_iter()
        .find(|status| status.as_str().eq_ignore_ascii_case(text))
        .unwrap_or(InstanceStatus::Unknown)
}

/// Reads a flag that is no string in JSON: `true`, or an integer other than 0.
pub(super) fn bare_flag(text: &str) -> bool {
    text == "true" || text.parse().is_ok_and(|value: i64| value != 0)
}

/// Whether `text` is the word `word`, in any case.
pub(super) fn is_word(text: &str, word: &str) -> bool {
    text.trim().eq_ignore_ascii_case(word)
}

/// Sets the lease term called `name`, in seconds; what is below 1 is the default (`LeaseInfo.java`), and
/// the other fields of a lease are the server's.
pub(super) fn set_lease(lease: &mut LeaseTerms, name: &str, seconds: i32) {
    let default = LeaseTerms::default();
    let or = |default: u32| {
        u32::try_from(seconds)
            .ok()
            .filter(|s| *s > 0)
            .unwrap_or(default)
    };
    match name {
        "renewalIntervalInSecs" => lease.renewal_interval_secs = or(default.renewal_interval_secs),
        "durationInSecs" => lease.duration_secs = or(default.duration_secs),
        _ => {}
    }
}

/// Whether a field of a lease is its client's.
pub(super) fn is_lease_term(name: &str) -> bool {
    matches!(name, "renewalIntervalInSecs" | "durationInSecs")
}

/// The beginning of a client's text, short enough for a log line.
pub(super) fn excerpt(text: &str) -> String {
    const LETTERS: usize = 40;
    text.chars().take(LETTERS).collect()
}

/// The beginning of what a parser says of a document. It may quote all of it, each letter as an
/// escape, which would cost several times the document.
pub(super) fn sentence(error: &impl fmt::Display) -> String {
    let mut beginning = Beginning(String::new());
    // An error here is the end of the room, and wanted.
    let _ = write!(beginning, "{error}");
    beginning.0
}

/// A text that takes no more once it is long enough for a log line.
struct Beginning(String);

impl fmt::Write for Beginning {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        const BYTES: usize = 200;
        let room = BYTES.saturating_sub(self.0.len());
        self.0.push_str(&more[..more.floor_char_boundary(room)]);
        if more.len() > room {
            return Err(fmt::Error);
        }
        Ok(())
    }
}
