//! Query strings.
//!
//! Owns how a query is split and decoded: `&` between pairs, `+` for a blank, the first of equal
//! names wins, as Java's servlets have it. It may not know which names mean what.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Why a query cannot be read: 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadQuery {
    /// Its escapes give no UTF-8.
    NotUtf8,
    /// `lastDirtyTimestamp` is no 64-bit integer.
    NotATime,
    /// More entries than there may be.
    TooManyEntries,
}

/// Decoded names and values.
pub(super) type Entries = Vec<(Box<str>, Box<str>)>;

/// The query of a request, as it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query<'a>(pub(super) &'a str);

impl<'a> Query<'a> {
    /// The first value of `name`, decoded; `""` if it stands without `=`.
    ///
    /// # Errors
    /// [`BadQuery::NotUtf8`] if that value is none.
    pub(super) fn first(self, name: &str) -> Result<Option<Cow<'a, str>>, BadQuery> {
        self.raw_pairs()
            .find(|(key, _)| decoded(key).is_ok_and(|key| key == name))
            .map(|(_, value)| decoded(value))
            .transpose()
    }

    /// Every name with its first value, in the order of the names' first appearance. Reads no further
    /// than `entries_max`: two bytes of query are an entry, and an entry is thirty in memory.
    ///
    /// # Errors
    /// [`BadQuery::NotUtf8`] if a name or value is none, [`BadQuery::TooManyEntries`].
    pub(super) fn entries(self, entries_max: usize) -> Result<Entries, BadQuery> {
        let mut entries = Entries::new();
        for (key, value) in self.raw_pairs() {
            let key = decoded(key)?;
            let repeated = entries.iter().any(|(known, _)| **known == *key);
            if key.is_empty() || repeated {
                continue;
            }
            if entries.len() == entries_max {
                return Err(BadQuery::TooManyEntries);
            }
            entries.push((key.into(), decoded(value)?.into()));
        }
        Ok(entries)
    }

    /// The `lastDirtyTimestamp`, ms. A negative one is older than any record: 0.
    ///
    /// # Errors
    /// [`BadQuery::NotATime`] if it is there and no 64-bit integer, as Java's `Long` parses it.
    pub(super) fn last_dirty_ms(self) -> Result<Option<u64>, BadQuery> {
        let Some(text) = self.first("lastDirtyTimestamp")? else {
            return Ok(None);
        };
        let value: i64 = text.parse().map_err(|_| BadQuery::NotATime)?;
        Ok(Some(u64::try_from(value).unwrap_or(0)))
    }

    fn raw_pairs(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }
}

fn decoded(text: &str) -> Result<Cow<'_, str>, BadQuery> {
    if !text.contains('+') {
        return percent_decode_str(text)
            .decode_utf8()
            .map_err(|_| BadQuery::NotUtf8);
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced)
        .decode_utf8()
        .map_err(|_| BadQuery::NotUtf8)?;
    Ok(Cow::Owned(decoded.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_the_first_of_equal_names_wins() {
        let query = Query("a=1&b=x%20y&c=x+y&d=%2B5&e&a=2&%66=g&=v");
        let first = |name| query.first(name).unwrap().map(Cow::into_owned);
        let table = [
            ("a", "1"),
            ("b", "x y"),
            ("c", "x y"),
            ("d", "+5"),
            ("e", ""),
            ("f", "g"),
        ];
        for (name, value) in table {
            assert_eq!(first(name).as_deref(), Some(value), "{name}");
        }
        assert_eq!(first("x"), None);
        // Found by the fuzz target `query`: a name is compared as decoded, never as sent.
        assert_eq!(Query("+=1&%2B=2").first("+"), Ok(Some(Cow::Borrowed("2"))));
        assert_eq!(Query("a=%ff").first("a"), Err(BadQuery::NotUtf8));
    }

    #[test]
    fn entries_have_a_limit_and_repeated_ones_do_not_count() {
        assert!(Query("a&b&a&=&b").entries(2).is_ok());
        assert_eq!(Query("a&b&c").entries(2), Err(BadQuery::TooManyEntries));
    }

    #[test]
    fn timestamps_are_read_as_java_reads_a_long() {
        let table = [
            ("lastDirtyTimestamp=5", Ok(Some(5))),
            ("lastDirtyTimestamp=%2B5", Ok(Some(5))),
            ("lastDirtyTimestamp=-5", Ok(Some(0))),
            ("", Ok(None)),
            ("lastDirtyTimestamp", Err(BadQuery::NotATime)),
            ("lastDirtyTimestamp=%205", Err(BadQuery::NotATime)),
            (
                "lastDirtyTimestamp=9223372036854775808",
                Err(BadQuery::NotATime),
            ),
        ];
        for (query, expected) in table {
            assert_eq!(Query(query).last_dirty_ms(), expected, "{query}");
        }
    }

    #[test]
    fn entries_are_unique_named_and_in_order() {
        let entries = Query("b=2&a=1&b=3&=v&e").entries(3).unwrap();
        let pairs: Vec<(&str, &str)> = entries.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(pairs, [("b", "2"), ("a", "1"), ("e", "")]);
        assert_eq!(Query("").entries(0), Ok(Vec::new()));
    }
}
