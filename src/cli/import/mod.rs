//! `config import`: a Eureka server's Spring or Netflix configuration as ours.
//!
//! Owns the way from files to a page of TOML: documents (`yaml`, `java_properties`), what is in effect
//! (`properties`), what each key means here (`meaning`, `peers`), the page (`draft`, `page`). It may not
//! write a file or ask the environment. The invariant: what is printed is a valid configuration.

mod draft;
mod java_properties;
mod meaning;
mod page;
mod peers;
mod properties;
mod yaml;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::output;
use crate::server::config::Config;
use crate::server::exit::ExitReason;
use draft::Draft;
use properties::{Document, Properties};

/// The largest file that is read: hundreds of times a real one.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What to import.
#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// application.yml, application.yaml or a .properties file; of several, the later ones win.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The active profiles. Default: spring.profiles.active of the files.
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    profile: Vec<String>,
}

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
enum ImportError {
    /// It cannot be read.
    #[error("{0}: {1}")]
    Unreadable(String, std::io::Error),
    /// It is larger than [`FILE_BYTES_MAX`].
    #[error("{0}: more than 1 MiB")]
    TooLarge(String),
    /// Its name says neither YAML nor properties.
    #[error("{0}: not a .yml, .yaml or .properties file")]
    UnknownKind(String),
    /// Its text is wrong, at this line.
    #[error("{0}:{1}: {2}")]
    Malformed(String, usize, String),
}

/// Prints the TOML for the files.
///
/// # Errors
/// Exit 78 with file and line if one cannot be read as what its name says.
pub(super) fn run(arguments: &ImportArguments) -> Result<(), ExitReason> {
    let text = imported(arguments).map_err(|error| {
        ExitReason::configuration(
            "nothing was imported",
            error.to_string(),
            "correct the file, then try eureka-raft config import again",
        )
    })?;
    // What contradicts itself there contradicts itself here; it is shown, not printed as if it were fine.
    Config::from_toml("the imported configuration", &text).map_err(|error| {
        ExitReason::configuration(
            "what the files say together is refused",
            error.to_string(),
            "import without the key it names, and set ours by hand",
        )
    })?;
    output::print(&text)
}

fn imported(arguments: &ImportArguments) -> Result<String, ImportError> {
    let mut documents = Vec::new();
    for file in &arguments.files {
        documents.extend(documents_of(file)?);
    }
    let properties = Properties::in_effect(documents, &arguments.profile);
    Ok(page::page(&Draft::of(&properties), &properties))
}

fn documents_of(path: &Path) -> Result<Vec<Document>, ImportError> {
    let name = path.file_name().unwrap_or(path.as_os_str());
    let name = name.to_string_lossy().into_owned();
    let extension = path.extension().and_then(|extension| extension.to_str());
    let bytes = bounded(path)?;
    let malformed = |(line, reason)| ImportError::Malformed(name.clone(), line, reason);
    match extension {
        Some("yml" | "yaml") => {
            let text = String::from_utf8(bytes).map_err(|_| malformed((1, "not UTF-8".into())))?;
            yaml::documents(&name, &text).map_err(malformed)
        }
        Some("properties") => {
            // Java reads these as ISO-8859-1, people write UTF-8.
            let latin = |error: std::string::FromUtf8Error| {
                error.into_bytes().into_iter().map(char::from).collect()
            };
            let text = String::from_utf8(bytes).unwrap_or_else(latin);
            java_properties::documents(&name, &text).map_err(malformed)
        }
        _ => Err(ImportError::UnknownKind(name)),
    }
}

fn bounded(path: &Path) -> Result<Vec<u8>, ImportError> {
    let shown = || path.display().to_string();
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| ImportError::Unreadable(shown(), error))?;
    match bytes.len() as u64 > FILE_BYTES_MAX {
        true => Err(ImportError::TooLarge(shown())),
        false => Ok(bytes),
    }
}
