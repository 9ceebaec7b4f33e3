//! What an operator must know now.
//!
//! Owns the alarms that are up on this node: raised by whoever sees a cause, cleared by the same when the
//! cause is gone. It may not act on them. Invariant: one alarm of a kind and subject at a time, so that
//! the board is as small as the kinds times the members.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmKind {
    /// Less free space than the soft mark.
    DiskLow,
    /// Less free space than the hard mark.
    DiskFull,
    /// Syncs take too long.
    SlowDisk,
    /// A node's state differs from the majority's at the same index.
    Diverged,
    /// States differ, and no majority of voters agrees.
    HashesSplit,
    /// Something on disk is damaged.
    Corrupt,
    /// A data directory that is empty, went back, is another's or is in use twice asked to take part.
    Identity,
}

impl AlarmKind {
    /// Every kind, in the order they are shown.
    pub const ALL: [Self; 7] = [
        Self::DiskLow,
        Self::DiskFull,
        Self::SlowDisk,
        Self::Diverged,
        Self::HashesSplit,
        Self::Corrupt,
        Self::Identity,
    ];

    /// Its name in `/v1/status` and `/metrics`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::DiskLow => "disk_low",
            Self::DiskFull => "disk_full",
            Self::SlowDisk => "slow_disk",
            Self::Diverged => "diverged",
            Self::HashesSplit => "hashes_split",
            Self::Corrupt => "corrupt",
            Self::Identity => "identity",
        }
    }
}

/// An alarm as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// [`AlarmKind::label`].
    pub alarm: String,
    /// The name of the node it is about.
    pub node: String,
    /// What is wrong, with figures.
    pub message: String,
    /// The next command to try.
    pub hint: String,
}

/// The alarms that are up on this node.
#[derive(Debug, Default)]
pub struct AlarmBoard {
    /// Guards the alarms by kind and node; held for a map operation.
    up: Mutex<BTreeMap<(AlarmKind, String), Alarm>>,
}

impl AlarmBoard {
    /// Raises the alarm `kind` about `node`, or renews its words. Only a new one is logged.
    pub fn raise(&self, kind: AlarmKind, node: &str, message: String, hint: &str) {
        let alarm = Alarm {
            alarm: kind.label().to_owned(),
            node: node.to_owned(),
            message,
            hint: hint.to_owned(),
        };
        let mut up = self.up.lock().unwrap_or_else(PoisonError::into_inner);
        let text = alarm.message.clone();
        if up.insert((kind, node.to_owned()), alarm).is_none() {
            tracing::error!(
                alarm = kind.label(),
                about = node,
                hint,
                "alarm raised: {text}"
            );
        }
    }

    /// Clears the alarm `kind` about `node`; not up is fine.
    pub fn clear(&self, kind: AlarmKind, node: &str) {
        let mut up = self.up.lock().unwrap_or_else(PoisonError::into_inner);
        if up.remove(&(kind, node.to_owned())).is_some() {
            tracing::info!(alarm = kind.label(), about = node, "alarm cleared");
        }
    }

    /// What is up, by kind and node.
    pub fn active(&self) -> Vec<Alarm> {
        let up = self.up.lock().unwrap_or_else(PoisonError::into_inner);
        up.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_up_once_until_its_cause_is_gone() {
        let board = AlarmBoard::default();
        board.raise(
            AlarmKind::DiskLow,
            "node-1",
            "9 % free".to_owned(),
            "make room",
        );
        board.raise(
            AlarmKind::DiskLow,
            "node-1",
            "8 % free".to_owned(),
            "make room",
        );
        board.raise(
            AlarmKind::Identity,
            "node-2",
            "went back".to_owned(),
            "replace it",
        );
        let up = board.active();
        assert_eq!(up.len(), 2);
        assert_eq!(
            (up[0].alarm.as_str(), up[0].message.as_str()),
            ("disk_low", "8 % free")
        );
        board.clear(AlarmKind::DiskLow, "node-1");
        board.clear(AlarmKind::DiskLow, "node-1");
        assert_eq!(board.active().len(), 1);
    }
}
