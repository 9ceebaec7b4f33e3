//! Backups of a running cluster, and clusters that begin from one or from a survivor: real processes.
//!
//! One property a file under `tests/backup`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

#[path = "backup/a_backup_is_whole_or_refused.rs"]
mod a_backup_is_whole_or_refused;
#[path = "backup/a_restored_cluster_is_another.rs"]
mod a_restored_cluster_is_another;
#[path = "backup/a_survivor_goes_on_alone.rs"]
mod a_survivor_goes_on_alone;
