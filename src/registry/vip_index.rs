//! Which instances a virtual address leads to.
//!
//! Owns the index from each member of a comma list to the instances that name it. It may not know why a record
//! changed. The invariant: it finds what a look at every record would find, in the order of keys, and costs
//! memory in proportion to the number of instances, whatever their lists say.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::instance::Record;
use super::names::{AppName, InstanceId};

/// How many addresses of one instance are indexed. The instances that name more are few, and looked at one by one:
/// a list of 256 KiB may not cost 100,000 places.
const ADDRESSES_MAX: usize = 32;

/// Under which name an instance is registered.
pub(super) type Key = (AppName, InstanceId);

/// Which of its lists a record is indexed by.
pub(super) type ListOf = fn(&Record) -> Option<&str>;

/// The instances of each address. A clone shares everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct VipIndex {
    by_address: OrdMap<Arc<str>, OrdSet<Key>>,
    /// The instances that name more than [`ADDRESSES_MAX`].
    long: OrdSet<Key>,
}

impl VipIndex {
    /// Puts `new` in the place of `old`, two records of one instance or none; both by the same list.
    pub(super) fn replace(&mut self, old: Option<&Record>, new: Option<&Record>, list: ListOf) {
        let (before, after) = (old.and_then(list), new.and_then(list));
        if before == after {
            return;
        }
        if let (Some(record), Some(addresses)) = (old, before) {
            self.remove(&key(record), addresses);
        }
        if let (Some(record), Some(addresses)) = (new, after) {
            self.insert(&key(record), addresses);
        }
    }

    /// The instances that may name `address`, in order; of those with long lists all.
    pub(super) fn candidates(&self, address: &str) -> impl Iterator<Item = &Key> {
        let mut named = self
            .by_address
            .get(address)
            .into_iter()
            .flatten()
            .peekable();
        let mut long = self.long.iter().peekable();
        std::iter::from_fn(move || match (named.peek(), long.peek()) {
            (Some(one), Some(other)) if one > other => long.next(),
            (None, _) => long.next(),
            _ => named.next(),
        })
    }

    fn insert(&mut self, key: &Key, addresses: &str) {
        if is_long(addresses) {
            self.long.insert(key.clone());
            return;
        }
        for address in addresses.split(',') {
            if let Some(instances) = self.by_address.get_mut(address) {
                instances.insert(key.clone());
            } else {
                let instances = OrdSet::unit(key.clone());
                self.by_address.insert(address.into(), instances);
            }
        }
    }

    fn remove(&mut self, key: &Key, addresses: &str) {
        if is_long(addresses) {
            self.long.remove(key);
            return;
        }
        for address in addresses.split(',') {
            let Some(instances) = self.by_address.get_mut(address) else {
                // The list names it twice.
                continue;
            };
            instances.remove(key);
            if instances.is_empty() {
                self.by_address.remove(address);
            }
        }
    }
}

/// Whether the comma list `addresses` has the member `wanted`, untrimmed (`AbstractVIPResource.java:54`).
pub(super) fn lists(addresses: Option<&str>, wanted: &str) -> bool {
    addresses.is_some_and(|addresses| addresses.split(',').any(|address| address == wanted))
}

fn is_long(addresses: &str) -> bool {
    addresses.split(',').nth(ADDRESSES_MAX).is_some()
}

fn key(record: &Record) -> Key {
    (record.instance.app.clone(), record.instance.id.clone())
}
