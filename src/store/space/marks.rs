//! The soft and the hard mark of a volume.
//!
//! Owns their defaults, which scale with the volume, and the distance kept between entering a state
//! and leaving it. Pure.

use super::{Space, SpaceState};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Inodes below which a volume is low, unless a quarter of all is less.
const INODES_SOFT: u64 = 1_000;
/// Inodes below which a volume is full, unless a tenth of all is less.
const INODES_HARD: u64 = 64;
/// The largest default ballast.
const BALLAST_MAX: u64 = 64 * MIB;

/// What the configuration says about room; `None` follows the volume's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpaceLimits {
    /// `disk.soft_free`, bytes.
    pub soft_free: Option<u64>,
    /// `disk.hard_free`, bytes.
    pub hard_free: Option<u64>,
    /// `disk.ballast`, bytes; 0 keeps none.
    pub ballast: Option<u64>,
}

/// The marks of one volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// Fewer free bytes than this is low.
    pub soft_bytes: u64,
    /// Fewer free bytes than this is full.
    pub hard_bytes: u64,
    /// Fewer free inodes than this is low.
    pub soft_inodes: u64,
    /// Fewer free inodes than this is full.
    pub hard_inodes: u64,
    /// Bytes kept back.
    pub ballast_bytes: u64,
}

impl Marks {
    /// The marks of a volume: as configured, else
    /// soft = 10 % but 1 GiB to 4 GiB, and never more than a quarter of the volume;
    /// hard = 2 % but 256 MiB to 1 GiB, and never more than a tenth;
    /// ballast = 5 %, at most 64 MiB.
    pub fn of(limits: &SpaceLimits, volume: &Space) -> Self {
        let total = volume.total_bytes;
        if total == u64::MAX {
            return Self::NONE;
        }
        let soft = (total / 10).clamp(GIB, 4 * GIB).min(total / 4);
        let hard = (total / 50).clamp(256 * MIB, GIB).min(total / 10);
        let ballast = (total / 20).min(BALLAST_MAX);
        let inodes = |mark: u64, share: u64| match volume.total_inodes {
            u64::MAX => 0,
            total => mark.min(total / share),
        };
        Self {
            soft_bytes: limits.soft_free.unwrap_or(soft),
            hard_bytes: limits.hard_free.unwrap_or(hard),
            soft_inodes: inodes(INODES_SOFT, 4),
            hard_inodes: inodes(INODES_HARD, 10),
            ballast_bytes: limits.ballast.unwrap_or(ballast),
        }
    }

    /// Of a volume without a bound.
    const NONE: Self = Self {
        soft_bytes: 0,
        hard_bytes: 0,
        soft_inodes: 0,
        hard_inodes: 0,
        ballast_bytes: 0,
    };

    /// How `space` stands to the marks. A state is left only a quarter above the mark that began it, so
    /// that a volume at its mark does not flap.
    pub fn judge(&self, before: SpaceState, space: &Space) -> SpaceState {
        let below = |entered: SpaceState, bytes: u64, inodes: u64| {
            let margin = |mark: u64| match before >= entered {
                true => mark.saturating_add(mark / 4),
                false => mark,
            };
            space.free_bytes < margin(bytes) || space.free_inodes < margin(inodes)
        };
        if below(SpaceState::Full, self.hard_bytes, self.hard_inodes) {
            SpaceState::Full
        } else if below(SpaceState::Low, self.soft_bytes, self.soft_inodes) {
            SpaceState::Low
        } else {
            SpaceState::Ok
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(total_bytes: u64) -> Space {
        Space {
            free_bytes: total_bytes,
            total_bytes,
            free_inodes: u64::MAX,
            total_inodes: u64::MAX,
        }
    }

    #[test]
    fn the_defaults_scale_from_a_small_volume_to_a_large_one() {
        let marks = |total| {
            let marks = Marks::of(&SpaceLimits::default(), &volume(total));
            (
                marks.soft_bytes / MIB,
                marks.hard_bytes / MIB,
                marks.ballast_bytes / MIB,
            )
        };
        assert_eq!(marks(100 * MIB), (25, 10, 5));
        assert_eq!(marks(2 * GIB), (512, 204, 64));
        assert_eq!(marks(20 * GIB), (2_048, 409, 64));
        assert_eq!(marks(1_000 * GIB), (4_096, 1_024, 64));
    }

    #[test]
    fn what_is_configured_holds_whatever_the_volume() {
        let limits = SpaceLimits {
            soft_free: Some(7),
            hard_free: Some(3),
            ballast: Some(0),
        };
        let marks = Marks::of(&limits, &volume(GIB));
        assert_eq!(
            (marks.soft_bytes, marks.hard_bytes, marks.ballast_bytes),
            (7, 3, 0)
        );
    }

    #[test]
    fn a_state_is_left_a_quarter_above_the_mark_that_began_it() {
        let limits = SpaceLimits {
            soft_free: Some(1_000),
            hard_free: Some(400),
            ballast: None,
        };
        let whole = volume(100 * MIB);
        let marks = Marks::of(&limits, &whole);
        let steps = [
            (1_000, SpaceState::Ok),
            (999, SpaceState::Low),
            (1_249, SpaceState::Low),
            (400, SpaceState::Low),
            (399, SpaceState::Full),
            (499, SpaceState::Full),
            (500, SpaceState::Low),
            (1_250, SpaceState::Ok),
        ];
        let mut state = SpaceState::Ok;
        for (free_bytes, expected) in steps {
            let now = Space {
                free_bytes,
                ..whole
            };
            state = marks.judge(state, &now);
            assert_eq!(state, expected, "at {free_bytes} bytes free");
        }
    }

    #[test]
    fn a_volume_without_inodes_left_is_full_however_many_bytes_it_has() {
        let whole = Space {
            free_inodes: 50,
            total_inodes: 50,
            ..volume(100 * MIB)
        };
        let marks = Marks::of(&SpaceLimits::default(), &whole);
        let with = |free_inodes| Space {
            free_inodes,
            ..whole
        };
        assert_eq!(marks.judge(SpaceState::Ok, &with(12)), SpaceState::Ok);
        assert_eq!(marks.judge(SpaceState::Ok, &with(11)), SpaceState::Low);
        assert_eq!(marks.judge(SpaceState::Ok, &with(4)), SpaceState::Full);
    }

    #[test]
    fn a_volume_without_a_bound_is_never_low() {
        let marks = Marks::of(&SpaceLimits::default(), &Space::BOUNDLESS);
        assert_eq!(
            marks.judge(SpaceState::Full, &Space::BOUNDLESS),
            SpaceState::Ok
        );
    }
}
