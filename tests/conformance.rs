//! The 94 cases of the Eureka API, each by its number, on one node and through a follower of three.
//!
//! Owns nothing of its own: a file for each part of the contract under `conformance/`. What is expected is
//! what released Eureka servers answer, or what `docs/compatibility.md` says instead.

mod support;

mod conformance {
    #[macro_use]
    mod targets;
    mod documents;
    mod house_rules;
    mod schema;
    mod strict_xml;

    mod cancel;
    mod documents_read;
    mod every_case_is_here;
    mod heartbeat;
    mod paths_and_headers;
    mod re_registration;
    mod registration;
    mod replication_and_cluster;
    mod status_and_metadata;
    mod time;
}
