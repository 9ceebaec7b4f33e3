//! The configuration of a node, parsed once into types that cannot be wrong.
//!
//! Owns every key, its default, where a value came from and what combinations are refused:
//! `--set a.b=v` over environment `EUREKA_RAFT__A__B` over file over default. It may not read
//! anything else, and nothing outside it reads a raw value. A [`Config`] that exists is valid.

mod address;
mod checks;
mod error;
mod keys;
mod layers;
mod nearest;
mod quantity;
mod reader;
mod sections;
mod values;

use std::path::PathBuf;

pub use address::{BaseUrl, HostPort};
pub use error::ConfigError;
pub use layers::Source;
pub use sections::{
    Cluster, Compat, Config, Delta, InitialMember, Lease, Limits, Listen, Log, LogFormat, LogLevel,
    Node, Peer, Protection, Raft, ReadMode, Reads,
};

use layers::Layers;

/// Where the values of a configuration come from, highest precedence last.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file of `--config`.
    pub file: Option<PathBuf>,
    /// Environment variables that start with `EUREKA_RAFT__`; others are ignored.
    pub environment: Vec<(String, String)>,
    /// The `KEY=VALUE` of each `--set`, in order; a later one wins.
    pub overrides: Vec<String>,
}

impl Sources {
    /// `file` and `overrides` of the command line with this process's environment. A variable that
    /// is not UTF-8 is read with replacement characters, which no key accepts.
    pub fn of_process(file: Option<PathBuf>, overrides: Vec<String>) -> Self {
        let environment = std::env::vars_os()
            .map(|(name, value)| {
                (
                    name.to_string_lossy().into_owned(),
                    value.to_string_lossy().into_owned(),
                )
            })
            .collect();
        Self {
            file,
            environment,
            overrides,
        }
    }

    /// Reads, merges and checks everything.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for the first thing that is wrong; all of them are exit 78.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let mut layers = Layers::defaults();
        if let Some(path) = &self.file {
            let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
                path: path.clone(),
                reason: error.to_string(),
            })?;
            layers.add_file(&path.display().to_string(), &text)?;
        }
        layers.add_environment(&self.environment)?;
        layers.add_overrides(&self.overrides)?;
        Loaded::from_layers(layers)
    }
}

/// A valid configuration and where each value of it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Every key, in the order of the documentation.
    pub effective: Vec<Effective>,
}

/// One key as it is in effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// The key, e.g. `raft.heartbeat`.
    pub key: &'static str,
    /// Its value, as TOML.
    pub value: String,
    /// Where it came from.
    pub source: Source,
}

impl Loaded {
    fn from_layers(mut layers: Layers) -> Result<Self, ConfigError> {
        let config = reader::read(&layers)?;
        checks::check(&config)?;
        layers.derive("node.advertise_http", config.node.advertise_http.as_str());
        layers.derive("node.advertise_peer", config.node.advertise_peer.as_str());
        Ok(Self {
            config,
            effective: layers.effective(),
        })
    }
}

impl Config {
    /// Parses a file's text over the defaults; `name` stands for the file in errors.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for the first thing that is wrong.
    pub fn from_toml(name: &str, text: &str) -> Result<Self, ConfigError> {
        let mut layers = Layers::defaults();
        layers.add_file(name, text)?;
        Ok(Loaded::from_layers(layers)?.config)
    }
}

impl Default for Config {
    /// The embedded default: a one-node cluster on 127.0.0.1:8761 and 8771.
    fn default() -> Self {
        Loaded::from_layers(Layers::defaults())
            .expect("the defaults are valid: a test parses them")
            .config
    }
}
