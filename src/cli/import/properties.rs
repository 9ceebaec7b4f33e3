//! What a set of Spring documents says in effect.
//!
//! Owns relaxed names, profiles, precedence and placeholders. It may not know a key's meaning.

use std::fmt;

/// How deep placeholders may refer to each other.
const PLACEHOLDER_DEPTH_MAX: usize = 8;

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: String,
    /// From 1.
    pub(super) line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One property as it was written, its path joined by dots.
#[derive(Debug, Clone)]
pub(super) struct Property {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) place: Place,
}

/// A file, or the part of one between two `---`.
pub(super) type Document = Vec<Property>;

/// A document that is not in effect.
#[derive(Debug)]
pub(super) struct Skipped {
    pub(super) profiles: String,
    pub(super) place: Place,
}

/// The properties in effect, in the order of the files.
#[derive(Debug)]
pub(super) struct Properties {
    /// Each with its [`canonical`] name.
    entries: Vec<(String, Property)>,
    pub(super) skipped: Vec<Skipped>,
}

/// A value with its placeholders filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) text: String,
    /// Placeholders whose default was taken.
    pub(super) defaulted: Vec<String>,
}

/// A placeholder that nothing in the files fills, and that has no default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unfilled(pub(super) String);

/// The name under which all spellings of a key are one: `renewal-percent-threshold`,
/// `renewalPercentThreshold` and `RENEWAL_PERCENT_THRESHOLD` (Spring's relaxed binding).
pub(super) fn canonical(key: &str) -> String {
    let counted = |c: &char| !matches!(c, '-' | '_');
    key.chars()
        .filter(counted)
        .flat_map(char::to_lowercase)
        .collect()
}

impl Properties {
    /// Merges `documents`, later ones over earlier ones, without those whose profile is not active.
    pub(super) fn in_effect(documents: Vec<Document>, wanted: &[String]) -> Self {
        let profiles = match wanted {
            [] => active_of(&documents),
            _ => wanted.to_vec(),
        };
        let mut merged = Self {
            entries: Vec::new(),
            skipped: Vec::new(),
        };
        for document in documents {
            match condition(&document) {
                Some(needs) if !is_met(&needs.value, &profiles) => merged.skipped.push(Skipped {
                    profiles: needs.value.clone(),
                    place: needs.place.clone(),
                }),
                _ => document
                    .into_iter()
                    .for_each(|property| merged.put(property)),
            }
        }
        merged
    }

    fn put(&mut self, property: Property) {
        let name = canonical(&property.key);
        self.entries.retain(|(known, _)| *known != name);
        self.entries.push((name, property));
    }

    /// Every property with its canonical name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Property)> {
        self.entries
            .iter()
            .map(|(name, property)| (name.as_str(), property))
    }

    /// `text` with its placeholders filled from the files, else by their defaults. The environment is not
    /// asked: what is printed is the same wherever it is printed.
    ///
    /// # Errors
    /// [`Unfilled`] names the first that has neither.
    pub(super) fn resolve(&self, text: &str) -> Result<Resolved, Unfilled> {
        let mut defaulted = Vec::new();
        let text = self.filled(text, PLACEHOLDER_DEPTH_MAX, &mut defaulted)?;
        Ok(Resolved { text, defaulted })
    }

    fn filled(
        &self,
        text: &str,
        depth: usize,
        defaulted: &mut Vec<String>,
    ) -> Result<String, Unfilled> {
        let Some((before, inner, after)) = placeholder(text) else {
            return Ok(text.to_owned());
        };
        let (name, default) = match inner.split_once(':') {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| Unfilled(name.to_owned()))?;
        let wanted = canonical(name);
        let known = self.entries.iter().find(|(known, _)| *known == wanted);
        let value = match (known, default) {
            (Some((_, property)), _) => self.filled(&property.value, depth, defaulted)?,
            (None, Some(default)) => {
                defaulted.push(name.to_owned());
                self.filled(default, depth, defaulted)?
            }
            (None, None) => return Err(Unfilled(name.to_owned())),
        };
        Ok(format!(
            "{before}{value}{}",
            self.filled(after, depth, defaulted)?
        ))
    }
}

/// The first `${…}` of `text`: what is before it, in it, after it.
fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find("${")?;
    let inner = start + 2;
    let mut open = 1_usize;
    for (at, c) in text[inner..].char_indices() {
        match c {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            let end = inner + at;
            return Some((&text[..start], &text[inner..end], &text[end + 1..]));
        }
    }
    None
}

/// The profiles that the files themselves activate.
fn active_of(documents: &[Document]) -> Vec<String> {
    let all = documents.iter().flatten();
    let last = all
        .rev()
        .find(|property| canonical(&property.key) == "spring.profiles.active");
    let names = last.map_or("", |property| &property.value).split(',');
    let names = names.map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// Under which profiles a document counts, if not always; the second key is Boot 2.3's and older.
fn condition(document: &[Property]) -> Option<&Property> {
    let names = ["spring.config.activate.onprofile", "spring.profiles"];
    document
        .iter()
        .find(|property| names.contains(&canonical(&property.key).as_str()))
}

/// Whether `expression` (`a,b`, `a | b`, `a & b`, `!a`) holds. `&` binds closer than `|`; Spring demands
/// parentheses where both stand, and those are no part of a name.
fn is_met(expression: &str, profiles: &[String]) -> bool {
    let holds = |term: &str| {
        let term = term.trim_matches(|c: char| c.is_whitespace() || matches!(c, '(' | ')'));
        match term.strip_prefix('!') {
            Some(name) => !profiles.iter().any(|active| active == name.trim()),
            None => profiles.iter().any(|active| active == term),
        }
    };
    expression
        .split([',', '|'])
        .any(|all| all.split('&').all(holds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(key: &str, value: &str) -> Property {
        Property {
            key: key.to_owned(),
            value: value.to_owned(),
            place: Place {
                file: "application.yml".to_owned(),
                line: 1,
            },
        }
    }

    #[test]
    fn placeholders_are_filled_from_the_files_or_by_their_defaults() {
        let document = vec![
            property("eureka.instance.hostname", "${HOST:peer-1}"),
            property("server.port", "8761"),
            property("loop.a", "${loop.b}"),
            property("loop.b", "${loop.a}"),
        ];
        let properties = Properties::in_effect(vec![document], &[]);
        let table = [
            ("plain", Ok("plain")),
            (
                "http://${eureka.instance.hostname}:${server.port}/",
                Ok("http://peer-1:8761/"),
            ),
            ("${A:${B:deep}}!", Ok("deep!")),
            ("${A:}", Ok("")),
            ("${A:http://x:1}", Ok("http://x:1")),
            ("${NOWHERE}", Err("NOWHERE")),
            ("${unclosed", Ok("${unclosed")),
        ];
        for (text, expected) in table {
            let found = properties.resolve(text).map(|resolved| resolved.text);
            let expected = expected
                .map(str::to_owned)
                .map_err(|name| Unfilled(name.to_owned()));
            assert_eq!(found, expected, "{text}");
        }
        assert!(properties.resolve("${loop.a}").is_err());
    }

    #[test]
    fn a_document_counts_only_under_its_profiles() {
        let active = ["peer1".to_owned(), "prod".to_owned()];
        let table = [
            ("peer1", true),
            ("peer2", false),
            ("peer2,peer1", true),
            ("peer2 | prod", true),
            ("peer1 & prod", true),
            ("peer1 & test", false),
            ("!test", true),
            ("!prod", false),
            ("(peer1 & prod) | test", true),
        ];
        for (expression, met) in table {
            assert_eq!(is_met(expression, &active), met, "{expression}");
        }
    }

    #[test]
    fn every_spelling_of_a_key_is_one_and_the_last_one_wins() {
        let first = vec![property("eureka.server.enable-self-preservation", "true")];
        let second = vec![property("eureka.server.enableSelfPreservation", "false")];
        let properties = Properties::in_effect(vec![first, second], &[]);
        let found: Vec<_> = properties.iter().collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "eureka.server.enableselfpreservation");
        assert_eq!(found[0].1.value, "false");
    }
}
