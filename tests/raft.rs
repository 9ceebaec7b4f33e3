//! Raft on real disks and real sockets, several nodes in one process; each property a file.

#![allow(missing_docs, reason = "tests are named by what they prove")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "raft/support.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared by all files of the suite"
)]
mod support;

#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared by all files of the suite"
)]
#[path = "raft/black_hole.rs"]
mod black_hole;
#[allow(unreachable_pub, reason = "shared by all files of the suite")]
#[path = "raft/failing_disk.rs"]
mod failing_disk;

#[path = "raft/a_leader_steps_aside.rs"]
mod a_leader_steps_aside;
#[path = "raft/a_pulled_cable.rs"]
mod a_pulled_cable;
#[path = "raft/disks_are_remembered.rs"]
mod disks_are_remembered;
#[path = "raft/handshake_refuses_strangers.rs"]
mod handshake_refuses_strangers;
#[path = "raft/hellos.rs"]
mod hellos;
#[path = "raft/leaders_change_hands.rs"]
mod leaders_change_hands;
#[path = "raft/members_change.rs"]
mod members_change;
#[path = "raft/one_node_alone.rs"]
mod one_node_alone;
#[path = "raft/proposals_are_fenced.rs"]
mod proposals_are_fenced;
#[path = "raft/reads_share_rounds.rs"]
mod reads_share_rounds;
#[path = "raft/restarts_in_any_order.rs"]
mod restarts_in_any_order;
#[path = "raft/snapshots_bring_back_the_lost.rs"]
mod snapshots_bring_back_the_lost;
#[path = "raft/the_first_storage_error.rs"]
mod the_first_storage_error;
#[path = "raft/three_nodes_agree.rs"]
mod three_nodes_agree;
#[path = "raft/what_is_bounded.rs"]
mod what_is_bounded;
