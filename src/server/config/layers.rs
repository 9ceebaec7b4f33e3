//! The layers a configuration is merged from.
//!
//! Owns precedence, provenance and the refusal of unknown keys. It may not know what a value means,
//! only whether it is text or TOML.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::Effective;
use super::error::ConfigError;
use super::keys::{self, KEYS, Key, Kind, RESERVED};
use super::nearest::nearest;

/// Environment variables of the configuration start with it.
const ENVIRONMENT_PREFIX: &str = "EUREKA_RAFT__";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// Computed from other keys.
    Derived,
    /// A file, and the line in it, from 1.
    File {
        /// The file as it was named.
        path: String,
        /// The line.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A `--set`.
    Set,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Derived => f.write_str("derived"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Set => f.write_str("--set"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) value: toml::Value,
    pub(super) source: Source,
}

/// The merged layers: every known key has exactly one setting.
#[derive(Debug)]
pub(super) struct Layers {
    settings: BTreeMap<&'static str, Setting>,
}

impl Layers {
    /// The lowest layer.
    pub(super) fn defaults() -> Self {
        let settings = KEYS
            .iter()
            .map(|key| {
                let value = parse_toml(key.default).expect("defaults are TOML: a test reads them");
                let source = Source::Default;
                (key.name, Setting { value, source })
            })
            .collect();
        Self { settings }
    }

    /// Lays the TOML `text` of the file `path` over what is there.
    pub(super) fn add_file(&mut self, path: &str, text: &str) -> Result<(), ConfigError> {
        let file = File { path, text };
        let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            source_of_text: file.source(&error.span().unwrap_or_default()),
            reason: error.message().to_owned(),
        })?;
        self.add_table(&file, "", table.into_inner())
    }

    fn add_table(&mut self, file: &File, path: &str, table: DeTable) -> Result<(), ConfigError> {
        for (name, value) in table {
            let source = file.source(&name.span());
            let key = match path {
                "" => name.into_inner().into_owned(),
                _ => format!("{path}.{}", name.into_inner()),
            };
            match keys::find(&key) {
                Some(known) => self.put(known, owned(value), source),
                None if keys::is_section(&key) => {
                    let table = section(&key, value, source)?;
                    self.add_table(file, &key, table)?;
                }
                None => return Err(unknown(key, source)),
            }
        }
        Ok(())
    }

    /// Lays the variables that start with `EUREKA_RAFT__` over what is there.
    pub(super) fn add_environment(
        &mut self,
        variables: &[(String, String)],
    ) -> Result<(), ConfigError> {
        for (name, text) in variables {
            if let Some(path) = name.strip_prefix(ENVIRONMENT_PREFIX) {
                let key = path.to_lowercase().replace("__", ".");
                self.add_text(key, text, Source::Environment(name.clone()))?;
            }
        }
        Ok(())
    }

    /// Lays `KEY=VALUE` arguments over what is there; a later one wins.
    pub(super) fn add_overrides(&mut self, arguments: &[String]) -> Result<(), ConfigError> {
        for argument in arguments {
            let (key, text) =
                argument
                    .split_once('=')
                    .ok_or_else(|| ConfigError::NotAnAssignment {
                        argument: argument.clone(),
                    })?;
            self.add_text(key.trim().to_owned(), text, Source::Set)?;
        }
        Ok(())
    }

    fn add_text(&mut self, key: String, text: &str, source: Source) -> Result<(), ConfigError> {
        let Some(known) = keys::find(&key) else {
            return Err(unknown(key, source));
        };
        // Text that is not TOML stays text, and the reader says what it expected instead.
        let value = match known.kind {
            // With or without TOML's quotes: a shell takes them away or not.
            Kind::Text => parse_toml(text.trim()).filter(toml::Value::is_str),
            Kind::Toml => parse_toml(text.trim()),
        };
        let value = value.unwrap_or_else(|| toml::Value::String(text.to_owned()));
        self.put(known, value, source);
        Ok(())
    }

    fn put(&mut self, key: &Key, value: toml::Value, source: Source) {
        self.settings.insert(key.name, Setting { value, source });
    }

    /// Replaces an empty default by what was computed from other keys.
    pub(super) fn derive(&mut self, key: &'static str, value: &str) {
        let setting = self.settings.get_mut(key);
        if let Some(setting) = setting
            && setting.source == Source::Default
        {
            setting.value = toml::Value::String(value.to_owned());
            setting.source = Source::Derived;
        }
    }

    /// The setting of a known key.
    pub(super) fn get(&self, key: &'static str) -> &Setting {
        self.settings
            .get(key)
            .expect("only known keys are read: every start reads all of them")
    }

    /// Every key with its value and source, in the order of the documentation.
    pub(super) fn effective(&self) -> Vec<Effective> {
        KEYS.iter()
            .map(|key| {
                let setting = self.get(key.name);
                Effective {
                    key: key.name,
                    value: setting.value.to_string(),
                    source: setting.source.clone(),
                }
            })
            .collect()
    }
}

/// A file's name and text, to turn positions into lines.
struct File<'a> {
    path: &'a str,
    text: &'a str,
}

impl File<'_> {
    fn source(&self, span: &Range<usize>) -> Source {
        let before = self.text.as_bytes().iter().take(span.start);
        Source::File {
            path: self.path.to_owned(),
            line: 1 + before.filter(|byte| **byte == b'\n').count(),
        }
    }
}

/// The table under the section `key`.
fn section<'a>(
    key: &str,
    value: Spanned<DeValue<'a>>,
    source: Source,
) -> Result<DeTable<'a>, ConfigError> {
    match value.into_inner() {
        DeValue::Table(table) => Ok(table),
        other => Err(ConfigError::Invalid {
            key: key.to_owned(),
            value: owned(Spanned::new(0..0, other)).to_string(),
            source_of_value: source,
            expected: format!("a section, written [{key}]"),
        }),
    }
}

/// The value without its borrow from the file. A number that does not fit becomes its text, which
/// the reader refuses with the key's name.
fn owned(value: Spanned<DeValue>) -> toml::Value {
    let fallback = value.get_ref().as_integer().map(ToString::to_string);
    toml::Value::deserialize(ValueDeserializer::from(value))
        .unwrap_or_else(|_| toml::Value::String(fallback.unwrap_or_default()))
}

fn parse_toml(text: &str) -> Option<toml::Value> {
    toml::Value::deserialize(ValueDeserializer::parse(text).ok()?).ok()
}

fn unknown(key: String, source_of_key: Source) -> ConfigError {
    let reserved = RESERVED
        .iter()
        .find(|(name, _)| key == *name || key.starts_with(&format!("{name}.")));
    let hint = match reserved {
        Some((_, reason)) => (*reason).to_owned(),
        None => nearest(&key, KEYS.iter().map(|known| known.name))
            .map(|known| format!(" (did you mean {known}?)"))
            .unwrap_or_default(),
    };
    ConfigError::UnknownKey {
        key,
        source_of_key,
        hint,
    }
}
