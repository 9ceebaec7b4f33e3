//! The registry core: pure, so every test here is a log and what becomes of it.
//!
//! Owns nothing of its own: a file a subject under `registry/`.

mod registry {
    mod against_the_model;
    mod change_log;
    mod determinism;
    mod heartbeats;
    mod leases;
    mod log;
    mod model;
    mod new_history;
    mod overrides;
    mod promises;
    mod protection;
    mod queries;
    mod quotas;
    mod random;
    mod registrations;
    mod snapshots;
}
