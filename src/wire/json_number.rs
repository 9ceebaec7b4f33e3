//! How Jackson reads numbers and flags, which clients write in many ways.
//!
//! Owns the difference between `8080`, `"8080"`, `true` and garbage, as `getValueAsInt`, `getValueAsLong` and
//! `getValueAsBoolean` have it. It may not know a field. The invariant: a quoted text never refuses a document, because it does
//! not there; a bare number out of range always does.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::value::RawValue;

use super::json_decode::Raw;
use super::scalar::{self, Integer};

/// A JSON value in the place of a number or a flag.
pub(super) enum Number<'a> {
    /// `null`.
    Null,
    /// A string, unescaped.
    Quoted(Cow<'a, str>),
    /// A number, `true` or `false`, as it was written.
    Bare(&'a str),
}

impl<'de> Deserialize<'de> for Number<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(json)?.get();
        match raw.as_bytes() {
            [b'n', ..] => Ok(Self::Null),
            [b'"', ..] => match serde_json::from_str(raw).map_err(D::Error::custom)? {
                Raw::Text(text) => Ok(Self::Quoted(text)),
                Raw::Null | Raw::Nested(_) => Err(D::Error::custom("a string that is none")),
            },
            [b'{' | b'[', ..] => Err(D::Error::custom("an object or array in place of a number")),
            _ => Ok(Self::Bare(raw)),
        }
    }
}

impl Number<'_> {
    /// As a 32-bit integer; null is `None`.
    ///
    /// # Errors
    /// A sentence, if a bare number is beyond 32 bits.
    pub(super) fn int32(&self, name: &str) -> Result<Option<i32>, String> {
        match self {
            Self::Null => Ok(None),
            Self::Bare(text) => scalar::int32(name, digits_of(text)),
            Self::Quoted(text) => Ok(Some(quoted(text, |decimal| decimal as i32))),
        }
    }

    /// As a 64-bit integer; null is `None`.
    ///
    /// # Errors
    /// A sentence, if a bare number is beyond 64 bits.
    pub(super) fn int64(&self, name: &str) -> Result<Option<i64>, String> {
        match self {
            Self::Null => Ok(None),
            Self::Quoted(text) => Ok(Some(quoted(text, |decimal| decimal as i64))),
            Self::Bare(text) => match scalar::integer(digits_of(text)) {
                Integer::Value(value) => Ok(Some(value)),
                Integer::TooLarge | Integer::Garbage => {
                    Err(format!("{name} is out of range: {}", scalar::excerpt(text)))
                }
            },
        }
    }

    /// As a flag: `true`, `"true"` in any case (there in lower case only), a bare number other than 0. Null is false.
    pub(super) fn flag(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Quoted(text) => text.trim().eq_ignore_ascii_case("true"),
            Self::Bare(text) => scalar::integer(digits_of(text)) != Integer::Value(0),
        }
    }
}

/// `true` counts as 1 and `false` as 0 wherever a number is expected.
fn digits_of(bare: &str) -> &str {
    match bare {
        "true" => "1",
        "false" => "0",
        number => number,
    }
}

/// A quoted number (`NumberInput.parseAsInt`): garbage is 0, and so are digits alone that are out of range; a decimal number is
/// cut off, and as large as can be if it is larger.
fn quoted<T: Default + std::str::FromStr>(text: &str, cut: impl Fn(f64) -> T) -> T {
    let text = text.trim();
    if let Ok(value) = text.parse() {
        return value;
    }
    let is_decimal = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) || !text.bytes().all(is_decimal) {
        return T::default();
    }
    text.parse().map_or_else(|_| T::default(), cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(json: &str) -> Number<'_> {
        serde_json::from_str(json).expect(json)
    }

    #[test]
    fn a_quoted_number_is_never_refused() {
        let table = [
            (r#""8080""#, 8080),
            (r#"" 12 ""#, 12),
            (r#""+7""#, 7),
            (r#""-7""#, -7),
            (r#""1.9""#, 1),
            (r#""1e3""#, 1000),
            (r#""1e30""#, i32::MAX),
            (r#""99999999999""#, 0),
            (r#""-99999999999""#, 0),
            (r#""""#, 0),
            (r#""abc""#, 0),
            (r#""true""#, 0),
            (r#""inf""#, 0),
            (r#""\u0031""#, 1),
        ];
        for (json, expected) in table {
            assert_eq!(number(json).int32("n"), Ok(Some(expected)), "{json}");
        }
        assert_eq!(number(r#""1e30""#).int64("n"), Ok(Some(i64::MAX)));
        assert_eq!(number(r#""99999999999999999999""#).int64("n"), Ok(Some(0)));
    }

    #[test]
    fn a_bare_number_out_of_range_is() {
        assert_eq!(number("2147483647").int32("n"), Ok(Some(i32::MAX)));
        assert!(number("2147483648").int32("n").is_err());
        assert!(number("1e30").int32("n").is_err());
        assert!(number("10000000000000000000").int64("n").is_err());
        assert_eq!(number("1.9e12").int64("n"), Ok(Some(1_900_000_000_000)));
    }

    #[test]
    fn flags_are_numbers_and_numbers_are_flags() {
        assert_eq!(number("true").int32("n"), Ok(Some(1)));
        assert_eq!(number("false").int64("n"), Ok(Some(0)));
        assert_eq!(number("null").int32("n"), Ok(None));
        for (json, expected) in [
            ("true", true),
            ("false", false),
            ("1", true),
            ("0", false),
            ("null", false),
            (r#""true""#, true),
            (r#""True""#, true),
            (r#""1""#, false),
            (r#""""#, false),
        ] {
            assert_eq!(number(json).flag(), expected, "{json}");
        }
    }
}
