//! How Eureka reads numbers and words, which clients write in many ways.
//!
//! Owns the rules by which text becomes a number or a status. It may not know which field it reads: each
//! field has its own answer to [`Integer::Garbage`].

use std::fmt::{self, Write as _};

use crate::registry::InstanceStatus;

/// How deep a document may nest, in any part of it: Eureka's own nest five deep.
pub const MAX_DEPTH: usize = 64;

/// What a text says when an integer is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Integer {
    /// An integer, or the whole part of a decimal number.
    Value(i64),
    /// A number beyond 64 bits.
    TooLarge,
    /// Not a number.
    Garbage,
}

/// Reads `text` as Jackson's `getValueAsLong` would, except that it tells garbage from 0.
pub(super) fn integer(text: &str) -> Integer {
    let text = text.trim();
    if let Ok(value) = text.parse() {
        return Integer::Value(value);
    }
    // `f64` would also read "inf" and "NaN".
    let numeric = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    match text.parse::<f64>() {
        // 2^63 is the first positive integer that is none of i64's.
        Ok(value) if text.bytes().all(numeric) => {
            if value.abs() < 9_223_372_036_854_775_808.0 {
                Integer::Value(value as i64)
            } else {
                Integer::TooLarge
            }
        }
        _ => Integer::Garbage,
    }
}

/// Reads a 32-bit integer of the field `name`; garbage is `None`.
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

/// A lease term in seconds; below 1 there is none (`LeaseInfo.java`).
pub(super) fn lease_seconds(value: i32) -> Option<u32> {
    (value > 0).then(|| value.unsigned_abs())
}

/// A `lastDirtyTimestamp`, in ms.
///
/// # Errors
/// A sentence, if it is negative.
pub(super) fn not_negative(value: i64) -> Result<u64, String> {
    u64::try_from(value).map_err(|_| format!("lastDirtyTimestamp is no time: {value}"))
}

/// Reads a status in any case; what is none is UNKNOWN.
pub(super) fn status(text: &str) -> InstanceStatus {
    let text = text.trim();
    InstanceStatus::ALPHABETIC
        .into_iter()
        .find(|status| status.as_str().eq_ignore_ascii_case(text))
        .unwrap_or(InstanceStatus::Unknown)
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
