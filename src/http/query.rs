//! Query strings.
//!
//! Owns how a query is split and decoded: `&` between pairs, `+` for a blank, the first of equal
//! names wins, as Java's servlets have it. It may not know which names mean what.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A query whose escapes give no UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadQuery;

/// Decoded names and values.
pub(super) type Entries = Vec<(Box<str>, Box<str>)>;

/// The query of a request, as it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query<'a>(pub(super) &'a str);

impl<'a> Query<'a> {
    /// The first value of `name`, decoded; `""` if it stands without `=`.
    ///
    /// # Errors
    /// [`BadQuery`] if that value is no UTF-8.
    pub(super) fn first(self, name: &str) -> Result<Option<Cow<'a, str>>, BadQuery> {
        self.raw_pairs()
            .find(|(key, _)| *key == name || decoded(key).is_ok_and(|key| key == name))
            .map(|(_, value)| decoded(value))
            .transpose()
    }

    /// Every name with its first value, in the order of the names' first appearance.
    ///
    /// # Errors
    /// [`BadQuery`] if a name or value is no UTF-8.
    pub(super) fn entries(self) -> Result<Entries, BadQuery> {
        let mut entries = Entries::new();
        for (key, value) in self.raw_pairs() {
            let key = decoded(key)?;
            let repeated = entries.iter().any(|(known, _)| **known == *key);
            if !key.is_empty() && !repeated {
                entries.push((key.into(), decoded(value)?.into()));
            }
        }
        Ok(entries)
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
        return percent_decode_str(text).decode_utf8().map_err(|_| BadQuery);
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced)
        .decode_utf8()
        .map_err(|_| BadQuery)?;
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
        assert_eq!(Query("a=%ff").first("a"), Err(BadQuery));
    }

    #[test]
    fn entries_are_unique_named_and_in_order() {
        let entries = Query("b=2&a=1&b=3&=v&e").entries().unwrap();
        let pairs: Vec<(&str, &str)> = entries.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(pairs, [("b", "2"), ("a", "1"), ("e", "")]);
        assert_eq!(Query("").entries(), Ok(Vec::new()));
    }
}
