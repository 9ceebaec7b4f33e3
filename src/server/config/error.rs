//! What can be wrong with a configuration.
//!
//! Owns the sentences an operator reads on exit 78. It may not decide what is wrong.

use std::path::PathBuf;

use super::layers::Source;

/// Why a configuration was refused. Every variant ends the process with exit 78.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The file of `--config`.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// The text is not TOML.
    #[error("{source_of_text} is not TOML: {reason}")]
    Syntax {
        /// The file and line.
        source_of_text: Source,
        /// What the parser said.
        reason: String,
    },
    /// A `--set` without `=`.
    #[error("--set {argument} has no `=`: write --set {argument}=VALUE")]
    NotAnAssignment {
        /// The argument as given.
        argument: String,
    },
    /// A key nobody knows.
    #[error("unknown key {key} ({source_of_key}){hint}")]
    UnknownKey {
        /// The key as given.
        key: String,
        /// Where it stands.
        source_of_key: Source,
        /// ` (did you mean X?)`, the reason of a reserved key, or nothing when no known key is near.
        hint: String,
    },
    /// A value of the wrong type or out of range.
    #[error("{key} = {value} ({source_of_value}): expected {expected}")]
    Invalid {
        /// The key.
        key: String,
        /// The value as given, as TOML.
        value: String,
        /// Where it stands.
        source_of_value: Source,
        /// What would have been accepted.
        expected: String,
    },
    /// Values that are fine alone and wrong together.
    #[error("{keys}: {reason}")]
    Conflict {
        /// The keys concerned.
        keys: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
}
