//! What is on disk survives what disks and power supplies do.
#![expect(clippy::unwrap_used, reason = "a broken given of a test may end it")]

#[path = "store/support.rs"]
mod support;

#[path = "store/damage_is_seen.rs"]
mod damage_is_seen;
#[path = "store/identity_survives_crashes.rs"]
mod identity_survives_crashes;
#[path = "store/log_behaves_as_a_list.rs"]
mod log_behaves_as_a_list;
#[path = "store/log_is_walked_at_open.rs"]
mod log_is_walked_at_open;
#[path = "store/log_keeps_what_it_acknowledged.rs"]
mod log_keeps_what_it_acknowledged;
#[path = "store/log_refuses_what_is_doubtful.rs"]
mod log_refuses_what_is_doubtful;
#[path = "store/log_survives_kills.rs"]
mod log_survives_kills;
#[cfg(target_os = "linux")]
#[path = "store/log_survives_power_cuts.rs"]
mod log_survives_power_cuts;
#[path = "store/memory_of_peers.rs"]
mod memory_of_peers;
#[path = "store/room_is_kept_back.rs"]
mod room_is_kept_back;
#[path = "store/snapshots_survive_crashes.rs"]
mod snapshots_survive_crashes;
