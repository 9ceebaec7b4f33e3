//! What a client says about itself, and what the registry adds to it.
//!
//! Owns [`Instance`] (the client's word) and [`Record`] (that word plus the fields the server owns).
//! It may not know how either is written as JSON or XML.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::names::{AppName, InstanceId};

/// An instance's status (`InstanceInfo.InstanceStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum InstanceStatus {
    /// Ready for traffic.
    Up,
    /// Its health check failed.
    Down,
    /// Not ready yet.
    Starting,
    /// Taken out of traffic on purpose.
    OutOfService,
    /// Not known; a renewal of an instance in this status is answered 404.
    Unknown,
}

impl InstanceStatus {
    /// Every status, in the alphabetic order of its wire name, which `apps__hashcode` uses.
    pub const ALPHABETIC: [Self; 5] = [
        Self::Down,
        Self::OutOfService,
        Self::Starting,
        Self::Unknown,
        Self::Up,
    ];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "UP",
            Self::Down => "DOWN",
            Self::Starting => "STARTING",
            Self::OutOfService => "OUT_OF_SERVICE",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The status with exactly this wire name, if there is one.
    pub fn from_wire(name: &str) -> Option<Self> {
        Self::ALPHABETIC
            .into_iter()
            .find(|status| status.as_str() == name)
    }
}

/// What last happened to an instance (`InstanceInfo.ActionType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ActionType {
    /// Registered, or its metadata was put.
    Added,
    /// Its status was overridden, or the override was removed.
    Modified,
    /// Cancelled or evicted.
    Deleted,
}

impl ActionType {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// A port and whether it is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Port {
    /// The number as the client sent it; Eureka does not check its range.
    pub number: i32,
    /// Whether traffic goes to it.
    pub enabled: bool,
}

/// Where an instance runs (`DataCenterInfo`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DataCenter {
    /// `MyOwn`.
    MyOwn,
    /// `Netflix`.
    Netflix,
    /// `Amazon`, with its metadata in the order sent.
    Amazon(Vec<(Box<str>, Box<str>)>),
}

/// How long an instance's lease is and how often it means to renew, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LeaseTerms {
    /// `renewalIntervalInSecs`, at least 1.
    pub renewal_interval_secs: u32,
    /// `durationInSecs`, at least 1.
    pub duration_secs: u32,
}

impl Default for LeaseTerms {
    /// Eureka's defaults: renew every 30 s, live 90 s (`LeaseInfo.java`).
    fn default() -> Self {
        Self {
            renewal_interval_secs: 30,
            duration_secs: 90,
        }
    }
}

/// Entries in one instance's metadata, at most, however they came in.
pub const METADATA_ENTRIES_MAX: usize = 512;

/// Bytes of keys and values in one instance's metadata, at most, when updates add to it: as many as a
/// registration may have.
pub const METADATA_BYTES_MAX: usize = 768 << 10;

/// One instance in its client's words. Server-owned fields are in [`Record`].
///
/// Compact on purpose (`Box<str>`, no spare capacity): a registry holds a million of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Instance {
    /// The effective id.
    pub id: InstanceId,
    /// The application it belongs to.
    pub app: AppName,
    /// `hostName`.
    pub host_name: Box<str>,
    /// `ipAddr`.
    pub ip_addr: Box<str>,
    /// `sid`, when it is not the default `na`.
    pub sid: Option<Box<str>>,
    /// The status the client reports; what is shown is [`Record::status`].
    pub status: InstanceStatus,
    /// The override in the client's own document; what is shown is [`Record::overridden`].
    pub overridden: InstanceStatus,
    /// `port`.
    pub port: Port,
    /// `securePort`.
    pub secure_port: Port,
    /// `countryId`.
    pub country_id: i32,
    /// `dataCenterInfo`.
    pub data_center: DataCenter,
    /// `leaseInfo`'s client-owned half.
    pub lease: LeaseTerms,
    /// `metadata`, in the order sent, keys unique.
    pub metadata: Vec<(Box<str>, Box<str>)>,
    /// `appGroupName`.
    pub app_group_name: Option<Box<str>>,
    /// `homePageUrl`.
    pub home_page_url: Option<Box<str>>,
    /// `statusPageUrl`.
    pub status_page_url: Option<Box<str>>,
    /// `healthCheckUrl`.
    pub health_check_url: Option<Box<str>>,
    /// `secureHealthCheckUrl`.
    pub secure_health_check_url: Option<Box<str>>,
    /// `vipAddress`, a comma list.
    pub vip_address: Option<Box<str>>,
    /// `secureVipAddress`, a comma list.
    pub secure_vip_address: Option<Box<str>>,
    /// `asgName`.
    pub asg_name: Option<Box<str>>,
    /// `lastDirtyTimestamp`, the client's own version number, ms; `None` if it sent none: the
    /// registering entry's wall clock then stands in.
    pub last_dirty_ms: Option<u64>,
}

/// An instance as the registry holds and shows it. Immutable; a change makes a new one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    /// The client's words.
    pub instance: Arc<Instance>,
    /// The status shown and counted in the hash code.
    pub status: InstanceStatus,
    /// `overriddenStatus` as shown.
    pub overridden: InstanceStatus,
    /// The last thing that happened.
    pub action: ActionType,
    /// `lastDirtyTimestamp` as shown, ms: the client's, or the server's stand-in.
    pub last_dirty_ms: u64,
    /// `lastUpdatedTimestamp`, ms.
    pub last_updated_ms: u64,
    /// `leaseInfo.registrationTimestamp`, ms.
    pub registered_ms: u64,
    /// `leaseInfo.lastRenewalTimestamp` as of this record, ms; the lease table has the real one.
    pub renewed_ms: u64,
    /// `leaseInfo.serviceUpTimestamp`, ms; 0 if it never was UP.
    pub service_up_ms: u64,
    /// `leaseInfo.evictionTimestamp`, ms; 0 while it is registered.
    pub evicted_ms: u64,
    /// Its place in the lease table.
    pub slot: u32,
    /// How often that place has been given away: a renewal names both.
    pub generation: u32,
    /// The log index of the change that made this record.
    pub index: u64,
}
