//! Members whose data directory is not the one the cluster knows.
//!
//! Owns who is accused and of what, until a handshake acquits. It may not refuse anybody: the handshake
//! does. Invariant: only members are listed, so the list is as short as the membership.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

/// The accused, by name, and what is held against each.
pub type Accused = BTreeMap<String, String>;

/// The suspects of one node. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Suspects(Arc<watch::Sender<Accused>>);

impl Suspects {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Accused::new())))
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Accused> {
        self.0.subscribe()
    }

    /// Holds `why` against the member `name`.
    pub(super) fn accuse(&self, name: &str, why: &str) {
        self.0.send_if_modified(|accused| {
            let why = why.to_owned();
            accused.insert(name.to_owned(), why.clone()) != Some(why)
        });
    }

    /// The member `name` has proved to be whom the cluster knows.
    pub(super) fn acquit(&self, name: &str) {
        self.0
            .send_if_modified(|accused| accused.remove(name).is_some());
    }

    /// Drops whoever is no member any more.
    pub(super) fn retain(&self, is_member: impl Fn(&str) -> bool) {
        self.0.send_if_modified(|accused| {
            let before = accused.len();
            accused.retain(|name, _| is_member(name));
            accused.len() != before
        });
    }
}

impl super::Raft {
    /// Members whose data directory is not the one the cluster knows, and why, as it changes.
    pub fn suspects(&self) -> watch::Receiver<Accused> {
        self.inner.suspects.subscribe()
    }

    /// Holds against the member `name`, until it shakes hands, that another directory came in its name.
    /// No member is no news.
    pub fn accuse_of_another_disk(&self, name: &str) {
        let members = self.inner.members.all();
        if members.values().any(|member| member.name == name) {
            self.inner.suspects.accuse(name, super::service::FOREIGN);
        }
    }
}
