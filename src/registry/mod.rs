//! The domain and its state machine: applications, instances, leases.
//!
//! Owns what a registry is and every rule that changes it, as a deterministic function of the log:
//! the same entries give the same state, byte for byte, on every node. It may not touch a clock,
//! tokio, I/O, logging, randomness, hash-map order or floating point; time enters only as the
//! [`LogTime`] of an entry. The one door is [`Registry::apply`].
//!
//! | file | owns |
//! |---|---|
//! | `apply` | the order of things in one entry |
//! | `registration`, `renewal`, `status`, `removal` | the rules of each command |
//! | `catalogue`, `vip_index` | applications and instances, as readers see them and by virtual address |
//! | `lease`, `expiry` | the lease table, and finding who is due |
//! | `self_preservation` | when nobody is evicted |
//! | `change_log`, `recent_names` | what happened lately |
//! | `query` | [`View`]: what readers may ask |
//! | `snapshot`, `restore`, `state_hash` | the whole state as plain data, and its fingerprint |
//! | `new_history` | the same instances under another cluster's name |

mod apply;
mod catalogue;
mod change_log;
mod command;
mod expiry;
mod instance;
mod invariants;
mod lease;
mod lease_rows;
mod names;
mod new_history;
mod query;
mod recent_names;
mod registration;
mod removal;
mod renewal;
mod restore;
mod self_preservation;
mod settings;
mod snapshot;
mod state;
mod state_hash;
mod status;
mod time;
mod vip_index;

pub use catalogue::Application;
pub use change_log::{Change, HistoryGone};
pub use command::{Command, Entry, Origin, Outcome, Registration};
pub use instance::{
    ActionType, DataCenter, Instance, InstanceStatus, LeaseTerms, METADATA_BYTES_MAX,
    METADATA_ENTRIES_MAX, Port, Record,
};
pub use lease::Lease;
pub use names::{AppName, InstanceId};
pub use new_history::NEW_HISTORY_STEP;
pub use query::View;
pub use recent_names::{Named, RECENT_NAMES_MAX};
pub use removal::EVICTIONS_MAX;
pub use self_preservation::Protection;
pub use settings::Settings;
pub use snapshot::{ChangeRecord, Held, SnapshotData, SnapshotHeader, SnapshotRecord};
pub use state::{Registry, Renewal};
pub use time::LogTime;
