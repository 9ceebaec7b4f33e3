//! A cluster whose members change while it runs, on real processes.
//!
//! Owns nothing of its own: a file a theme under `cluster/`.

mod support;

mod cluster {
    mod addresses;
    mod growing_and_shrinking;
    mod identity;
    mod joining;
    mod leaders_that_die_on_the_way;
    mod legacy_peers;
    mod orders;
    mod removal;
    mod transfer;
}
