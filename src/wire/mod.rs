//! Eureka's documents: every byte a Eureka client sends or reads, in JSON and XML.
//!
//! Owns content negotiation as a pure function, the decoding of registrations with Eureka's checks in
//! Eureka's order, and the encoding of instances, applications and the status page. It may not know
//! HTTP types, routes, storage or clocks: it turns bytes into [`crate::registry`] types and back.
//!
//! The invariant: what is written has exactly the fields, order and types that released Eureka
//! servers write (one unknown field breaks Spring's strict parser), and is always well-formed,
//! whatever a client has put into its strings.

mod accept;
mod applications;
mod draft;
mod error;
mod format;
mod json_decode;
mod json_encode;
mod json_number;
mod replication;
mod scalar;
mod status_info;
mod xml_cursor;
mod xml_decode;
mod xml_encode;
mod xml_names;

pub use accept::{Accepted, negotiate};
pub use applications::{
    ApplicationParts, ApplicationsHeader, Place, application_document, application_fragment,
    applications_document, instance_document, instances_fragment,
};
pub use draft::{MAX_METADATA_ENTRIES, MAX_NAME_BYTES, decode_registration};
pub use error::{NotAcceptable, RegistrationError, UnsupportedMediaType};
pub use format::{Form, Format, body_format};
pub use replication::{
    ItemAnswer, REPLICATION_ITEMS_MAX, ReplicatedItem, Replication, ReplicationError,
    decode_replication, replication_document,
};
pub use scalar::MAX_DEPTH;
pub use status_info::{StatusInfo, status_info_document};
