//! Why a document or a media type was refused, and the words Eureka says it in.
//!
//! Owns the verbatim texts of Eureka's 400 answers. It may not choose a status code: that is `http`'s.

use thiserror::Error;

use super::draft::{MAX_METADATA_ENTRIES, MAX_NAME_BYTES};
use super::format::Format;

/// No media type we can write is acceptable to the client: 406, with an empty body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("neither application/json nor application/xml is acceptable")]
pub struct NotAcceptable;

/// A body of a type we cannot read: 415, with an empty body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the body is neither application/json nor application/xml")]
pub struct UnsupportedMediaType;

/// Why a registration is refused: always 400, nothing changed.
///
/// [`RegistrationError::message`] is the body of the answer; the `Display` text says more, for logs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RegistrationError {
    /// Not a document, not one of an instance, or without `app`. Says what was wrong.
    #[error("cannot parse request body: {0}")]
    Unparsable(String),
    /// Neither `instanceId` nor what stands in for it.
    #[error("Missing instanceId")]
    MissingInstanceId,
    /// `hostName` is absent or blank.
    #[error("Missing hostname")]
    MissingHostName,
    /// `ipAddr` is absent or blank.
    #[error("Missing ip address")]
    MissingIpAddress,
    /// `app` is there but blank.
    #[error("Missing appName")]
    MissingAppName,
    /// The document's application is not the one of the path. Both are upper case.
    #[error("Mismatched appName, expecting {expected} but was {found}")]
    MismatchedAppName {
        /// The path's.
        expected: String,
        /// The document's.
        found: String,
    },
    /// No `dataCenterInfo`.
    #[error("Missing dataCenterInfo")]
    MissingDataCenter,
    /// A `dataCenterInfo` without `name`.
    #[error("Missing dataCenterInfo Name")]
    MissingDataCenterName,
    /// An application name or instance id over [`MAX_NAME_BYTES`]. Ours: Eureka has no limit.
    #[error("{field} is {bytes} bytes long: names are at most {MAX_NAME_BYTES} bytes")]
    NameTooLong {
        /// Which field.
        field: &'static str,
        /// Its length in UTF-8, in bytes.
        bytes: usize,
    },
    /// A control character in an application name or instance id. Ours: Eureka stores them.
    #[error("{field} has a control character")]
    ControlCharacter {
        /// Which field.
        field: &'static str,
    },
    /// More than [`MAX_METADATA_ENTRIES`] entries in a metadata map. Ours: Eureka has no limit.
    #[error("more than {MAX_METADATA_ENTRIES} metadata entries")]
    TooMuchMetadata,
}

impl RegistrationError {
    /// The body of the 400 answer to a body in `format`, verbatim as Eureka words it
    /// (`ApplicationResource.java:145`). Every refusal has one.
    pub fn message(&self, format: Format) -> Option<String> {
        Some(match (self, format) {
            (Self::Unparsable(_), Format::Json) => {
                r#"{"error": "cannot parse request body"}"#.to_owned()
            }
            (Self::Unparsable(_), Format::Xml) => {
                "<error><message>cannot parse request body</message></error>".to_owned()
            }
            (other, _) => other.to_string(),
        })
    }
}
