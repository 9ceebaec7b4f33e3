//! State hashes at the points that all nodes share.
//!
//! Owns which entries are such points, and the last of them that were applied here. It may not compare
//! anything. Invariant: whether an entry is a point follows from the log alone, so that two nodes have
//! points in common however they lag, restart or idle.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Each entry at which the lease clock passes a multiple of this is a point, ms.
const POINT_EVERY_MS: u64 = 2_000;
/// Points kept: two minutes of lease time.
pub const HASH_POINTS_MAX: usize = 64;

/// The state hash at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashPoint {
    /// The log index of the point's entry.
    pub index: u64,
    /// The state hash behind it.
    pub hash: u128,
}

/// Whether an entry that moved the lease clock so, in ms, is a point.
pub(super) fn is_point(before_ms: u64, after_ms: u64) -> bool {
    before_ms / POINT_EVERY_MS != after_ms / POINT_EVERY_MS
}

/// The newest points of one node, oldest first.
#[derive(Debug, Default)]
pub(super) struct HashRing(VecDeque<HashPoint>);

impl HashRing {
    pub(super) fn push(&mut self, point: HashPoint) {
        if self.0.len() == HASH_POINTS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(point);
    }

    /// After another state took the place of the one they are of.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn points(&self) -> Vec<HashPoint> {
        self.0.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_where_lease_time_passes_a_multiple_and_the_oldest_go() {
        assert!(!is_point(0, 1_999) && is_point(1_999, 2_000));
        assert!(is_point(2_500, 9_000) && !is_point(4_000, 4_000));
        let mut ring = HashRing::default();
        for index in 1..=100 {
            ring.push(HashPoint { index, hash: 0 });
        }
        let points = ring.points();
        assert_eq!((points.len(), points[0].index), (HASH_POINTS_MAX, 37));
    }
}
