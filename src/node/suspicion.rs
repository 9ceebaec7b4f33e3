//! From Raft's suspects to the alarm board.
//!
//! Owns the alarm `identity`: up about a member as long as something is held against its data directory.
//! It may not judge who is whom.

use std::sync::Arc;

use crate::raft::{Accused, Raft};

use super::alarms::{AlarmBoard, AlarmKind};

/// What helps a member whose directory is not the one the cluster knows.
const HINT: &str =
    "put its own data directory back, or run `eureka-raft recover replace-disk` there";

/// Keeps the board up to date until Raft has ended.
pub(super) async fn watch(raft: Raft, alarms: Arc<AlarmBoard>) {
    let mut suspects = raft.suspects();
    drop(raft);
    let mut shown = Accused::new();
    loop {
        let accused = suspects.borrow_and_update().clone();
        for name in shown.keys().filter(|name| !accused.contains_key(*name)) {
            alarms.clear(AlarmKind::Identity, name);
        }
        for (name, why) in &accused {
            alarms.raise(AlarmKind::Identity, name, why.clone(), HINT);
        }
        shown = accused;
        if suspects.changed().await.is_err() {
            return;
        }
    }
}
