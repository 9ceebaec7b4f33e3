//! The bound on writes that wait: so many commands and so many bytes, and then a refusal.
//!
//! Owns the two gauges and the ticket that holds a place in them. It may not wait: who finds no
//! place is refused at once (503), never queued.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::registry::{Command, Instance};

/// How much may wait at once, proposed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingLimits {
    /// Commands.
    pub commands: usize,
    /// Bytes of commands, approximately as in memory.
    pub bytes: usize,
}

/// The gauges.
#[derive(Debug)]
pub(super) struct Admission {
    limits: WaitingLimits,
    commands: AtomicUsize,
    bytes: AtomicUsize,
}

/// A held place; dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Ticket {
    admission: Arc<Admission>,
    commands: usize,
    bytes: usize,
}

impl Admission {
    /// Empty gauges.
    pub(super) fn new(limits: WaitingLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            commands: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        })
    }

    /// A place for `commands`, unless either gauge would pass its limit.
    pub(super) fn admit(self: &Arc<Self>, commands: &[Command]) -> Option<Ticket> {
        let ticket = Ticket {
            admission: Arc::clone(self),
            commands: commands.len(),
            bytes: commands.iter().map(approximate_bytes).sum(),
        };
        // Taken before it is compared: the ticket's drop gives back what was too much.
        let commands_held =
            self.commands.fetch_add(ticket.commands, Ordering::Relaxed) + ticket.commands;
        let bytes_held = self.bytes.fetch_add(ticket.bytes, Ordering::Relaxed) + ticket.bytes;
        (commands_held <= self.limits.commands && bytes_held <= self.limits.bytes).then_some(ticket)
    }
}

impl Ticket {
    /// The bytes it holds.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.admission
            .commands
            .fetch_sub(self.commands, Ordering::Relaxed);
        self.admission
            .bytes
            .fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What a command weighs in memory and, near enough, in the log.
pub(super) fn approximate_bytes(command: &Command) -> usize {
    const FIXED: usize = size_of::<Command>();
    FIXED
        + match command {
            Command::Register(registration) => instance_bytes(&registration.instance),
            Command::RenewByName { app, id, .. }
            | Command::Cancel { app, id }
            | Command::PutStatus { app, id, .. }
            | Command::DeleteStatus { app, id, .. } => app.as_str().len() + id.as_str().len(),
            Command::PutMetadata { app, id, entries } => {
                app.as_str().len() + id.as_str().len() + pairs_bytes(entries)
            }
            Command::Renew { .. } | Command::Evict { .. } | Command::Settings(_) => 0,
        }
}

fn instance_bytes(instance: &Instance) -> usize {
    let optional = [
        &instance.sid,
        &instance.app_group_name,
        &instance.home_page_url,
        &instance.status_page_url,
        &instance.health_check_url,
        &instance.secure_health_check_url,
        &instance.vip_address,
        &instance.secure_vip_address,
        &instance.asg_name,
    ];
    let optional_bytes: usize = optional.into_iter().flatten().map(|text| text.len()).sum();
    let data_center_bytes = match &instance.data_center {
        crate::registry::DataCenter::Amazon(metadata) => pairs_bytes(metadata),
        _ => 0,
    };
    size_of::<Instance>()
        + instance.id.as_str().len()
        + instance.app.as_str().len()
        + instance.host_name.len()
        + instance.ip_addr.len()
        + optional_bytes
        + pairs_bytes(&instance.metadata)
        + data_center_bytes
}

fn pairs_bytes(pairs: &[(Box<str>, Box<str>)]) -> usize {
    pairs
        .iter()
        .map(|(key, value)| size_of::<(Box<str>, Box<str>)>() + key.len() + value.len())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RENEWAL: Command = Command::Renew {
        slot: 0,
        generation: 0,
    };

    #[test]
    fn a_write_beyond_either_limit_is_refused_and_takes_no_place() {
        let admission = Admission::new(WaitingLimits {
            commands: 2,
            bytes: usize::MAX,
        });
        let held = admission.admit(&[RENEWAL, RENEWAL]);
        assert!(held.is_some());
        assert!(admission.admit(&[RENEWAL]).is_none());
        drop(held);
        assert!(
            admission.admit(&[RENEWAL, RENEWAL]).is_some(),
            "the refused one took no place"
        );

        let admission = Admission::new(WaitingLimits {
            commands: 9,
            bytes: size_of::<Command>(),
        });
        let held = admission.admit(&[RENEWAL]);
        assert!(held.is_some());
        assert!(admission.admit(&[RENEWAL]).is_none());
    }

    #[test]
    fn a_dropped_ticket_gives_its_place_back() {
        let admission = Admission::new(WaitingLimits {
            commands: 1,
            bytes: usize::MAX,
        });
        drop(admission.admit(&[RENEWAL]));
        assert!(admission.admit(&[RENEWAL]).is_some());
    }
}
