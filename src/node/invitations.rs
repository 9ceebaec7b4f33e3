//! What operators want nodes to be that have not come yet.
//!
//! Owns the invitations of this leader. They are hints: one that is lost makes an order be repeated, and
//! nothing else. It may not admit anybody.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::operator::{MEMBERS_MAX, Seat};

/// How long an invitation holds; repeating the order renews it.
const HOLDS: Duration = Duration::from_secs(60);

/// Seats by name.
#[derive(Default)]
pub(super) struct Invitations {
    /// Guards the seats; held for a map operation. At most [`MEMBERS_MAX`].
    seats: Mutex<BTreeMap<String, (Seat, Instant)>>,
}

impl Invitations {
    /// Keeps a seat for `name`.
    pub(super) fn keep(&self, name: &str, seat: Seat) {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        seats.retain(|_, (_, until)| *until > Instant::now());
        if seats.len() < MEMBERS_MAX || seats.contains_key(name) {
            seats.insert(name.to_owned(), (seat, Instant::now() + HOLDS));
        }
    }

    /// The seat kept for `name`; a voter's if nobody said anything.
    pub(super) fn seat_of(&self, name: &str) -> Seat {
        let seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        match seats.get(name) {
            Some((seat, until)) if *until > Instant::now() => *seat,
            _ => Seat::Voter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_invitation_holds_for_a_minute_and_there_are_not_endlessly_many() {
        let invitations = Invitations::default();
        invitations.keep("a", Seat::Learner);
        assert_eq!(invitations.seat_of("a"), Seat::Learner);
        for other in 0..2 * MEMBERS_MAX {
            invitations.keep(&format!("b{other}"), Seat::Learner);
        }
        let kept = (0..2 * MEMBERS_MAX)
            .filter(|other| invitations.seat_of(&format!("b{other}")) == Seat::Learner)
            .count();
        assert_eq!(kept, MEMBERS_MAX - 1);
        tokio::time::advance(HOLDS).await;
        assert_eq!(invitations.seat_of("a"), Seat::Voter);
    }
}
