//! The promises P1 to P10, each held by at least one test that names it, on real processes.
//!
//! Owns nothing of its own: a file a promise under `promises/`.

mod support;

mod promises {
    mod a_full_queue_refuses;
    mod p10_a_404_is_a_statement;
    mod p1_acknowledged_means_kept;
    mod p2_reads_are_linearizable;
    mod p4_the_cursor_is_the_log_index;
    mod p6_who_renews_is_never_evicted;
    mod p7_a_kill_while_a_snapshot_comes_in;
    mod p7_a_snapshot_gives_the_whole_registry;
    mod p8_a_wiped_node_does_not_take_part;
    mod p9_any_node_serves_any_client;
}
