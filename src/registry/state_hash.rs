//! The state hash: one number that is equal on two nodes exactly when their states are.
//!
//! Owns which bytes stand for which item. Each item of the state (a record, a lease row, a change,
//! …) has a digest of its own, and the state's hash is the wrapping sum of them plus one digest of
//! the scalars: so a change costs its own items only, whatever the size of the registry, and a
//! restored snapshot must arrive at the same number from its content. Bytes are written by hand,
//! little-endian, strings with their length: a derived `Hash` may differ between compilers.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

use super::change_log::Change;
use super::instance::{DataCenter, Instance, LeaseTerms, Port, Record};
use super::names::AppName;
use super::recent_names::Named;
use super::settings::Settings;

/// Fixed keys: the hash finds divergence and damage, it keeps no secret.
const KEYS: (u64, u64) = (0x6575_7265_6b61_2d72, 0x6166_745f_7374_6174);

/// What kind of item a digest is of, so that no two kinds can be confused.
#[derive(Debug, Clone, Copy)]
pub(super) enum ItemKind {
    Application = 1,
    Record = 2,
    Lease = 3,
    Single = 4,
    Window = 5,
    Registered = 6,
    Cancelled = 7,
    Scalars = 8,
}

/// An order-independent sum of item digests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct StateSum(u128);

impl StateSum {
    pub(super) fn add(&mut self, digest: u128) {
        self.0 = self.0.wrapping_add(digest);
    }

    pub(super) fn remove(&mut self, digest: u128) {
        self.0 = self.0.wrapping_sub(digest);
    }

    pub(super) fn total(self) -> u128 {
        self.0
    }
}

/// The digest of bytes laid out by the caller, whose first byte is an [`ItemKind`].
pub(super) fn of_bytes(bytes: &[u8]) -> u128 {
    SipHasher13::new_with_keys(KEYS.0, KEYS.1)
        .hash(bytes)
        .as_u128()
}

/// The digest of an application: instances have their own.
pub(super) fn of_application(name: &AppName, version: u64) -> u128 {
    let mut digest = Digest::new(ItemKind::Application);
    digest.text(name.as_str());
    digest.u64(version);
    digest.finish()
}

/// The digest of a record.
pub(super) fn of_record(record: &Record) -> u128 {
    let mut digest = Digest::new(ItemKind::Record);
    digest.record(record);
    digest.finish()
}

/// The digest of a change, once as a member of the single changes and once of the window. Made
/// from its record's digest: a record is long, and a change has it in three places.
pub(super) fn of_change(change: &Change, record_digest: u128, kind: ItemKind) -> u128 {
    let Change {
        index,
        seq,
        at,
        action,
        record: _,
    } = change;
    let mut bytes = [0; 46];
    bytes[0] = kind as u8;
    bytes[1] = *action as u8;
    bytes[2..10].copy_from_slice(&index.to_le_bytes());
    bytes[10..14].copy_from_slice(&seq.to_le_bytes());
    bytes[14..22].copy_from_slice(&at.wall_ms.to_le_bytes());
    bytes[22..30].copy_from_slice(&at.lease_ms.to_le_bytes());
    bytes[30..46].copy_from_slice(&record_digest.to_le_bytes());
    of_bytes(&bytes)
}

/// The digest of the `number`th name ever put into a ring.
pub(super) fn of_named(number: u64, named: &Named, kind: ItemKind) -> u128 {
    let Named { wall_ms, app, id } = named;
    let mut digest = Digest::new(kind);
    digest.u64(number);
    digest.u64(*wall_ms);
    digest.text(app.as_str());
    digest.text(id.as_str());
    digest.finish()
}

/// The digest of everything that is one number, and of the settings.
pub(super) fn of_scalars(numbers: &[u64], settings: &Settings) -> u128 {
    let Settings {
        lease_factor_milli,
        protection_enabled,
        protection_threshold_milli,
        delta_retention_ms,
        delta_retention_changes,
        instances_max,
        applications_max,
    } = settings;
    let mut digest = Digest::new(ItemKind::Scalars);
    for number in numbers {
        digest.u64(*number);
    }
    digest.u32(*lease_factor_milli);
    digest.u8(u8::from(*protection_enabled));
    digest.u32(*protection_threshold_milli);
    digest.u64(*delta_retention_ms);
    digest.u64(*delta_retention_changes);
    digest.u64(*instances_max);
    digest.u64(*applications_max);
    digest.finish()
}

/// One item's bytes on their way into the hash.
struct Digest(SipHasher13);

impl Digest {
    fn new(kind: ItemKind) -> Self {
        let mut digest = Self(SipHasher13::new_with_keys(KEYS.0, KEYS.1));
        digest.u8(kind as u8);
        digest
    }

    fn finish(self) -> u128 {
        self.0.finish128().as_u128()
    }

    fn u8(&mut self, value: u8) {
        self.0.write(&[value]);
    }

    fn u32(&mut self, value: u32) {
        self.0.write(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.write(&value.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.u64(text.len() as u64);
        self.0.write(text.as_bytes());
    }

    fn optional(&mut self, text: Option<&str>) {
        self.u8(u8::from(text.is_some()));
        self.text(text.unwrap_or_default());
    }

    fn pairs(&mut self, pairs: &[(Box<str>, Box<str>)]) {
        self.u64(pairs.len() as u64);
        for (key, value) in pairs {
            self.text(key);
            self.text(value);
        }
    }

    fn port(&mut self, port: Port) {
        self.0.write(&port.number.to_le_bytes());
        self.u8(u8::from(port.enabled));
    }

    fn data_center(&mut self, data_center: &DataCenter) {
        match data_center {
            DataCenter::MyOwn => self.u8(0),
            DataCenter::Netflix => self.u8(1),
            DataCenter::Amazon(metadata) => {
                self.u8(2);
                self.pairs(metadata);
            }
        }
    }

    fn record(&mut self, record: &Record) {
        let Record {
            instance,
            status,
            overridden,
            action,
            last_dirty_ms,
            last_updated_ms,
            registered_ms,
            renewed_ms,
            service_up_ms,
            evicted_ms,
            slot,
            generation,
            index,
        } = record;
        self.0
            .write(&[*status as u8, *overridden as u8, *action as u8]);
        for number in [
            last_dirty_ms,
            last_updated_ms,
            registered_ms,
            renewed_ms,
            service_up_ms,
            evicted_ms,
            index,
        ] {
            self.u64(*number);
        }
        self.u32(*slot);
        self.u32(*generation);
        self.instance(instance);
    }

    fn instance(&mut self, instance: &Instance) {
        let Instance {
            id,
            app,
            host_name,
            ip_addr,
            sid,
            status,
            overridden,
            port,
            secure_port,
            country_id,
            data_center,
            lease,
            metadata,
            app_group_name,
            home_page_url,
            status_page_url,
            health_check_url,
            secure_health_check_url,
            vip_address,
            secure_vip_address,
            asg_name,
            last_dirty_ms,
        } = instance;
        for text in [id.as_str(), app.as_str(), host_name, ip_addr] {
            self.text(text);
        }
        for text in [
            sid,
            app_group_name,
            home_page_url,
            status_page_url,
            health_check_url,
            secure_health_check_url,
            vip_address,
            secure_vip_address,
            asg_name,
        ] {
            self.optional(text.as_deref());
        }
        self.0.write(&[*status as u8, *overridden as u8]);
        self.port(*port);
        self.port(*secure_port);
        self.0.write(&country_id.to_le_bytes());
        self.data_center(data_center);
        self.lease_terms(*lease);
        self.pairs(metadata);
        self.u8(u8::from(last_dirty_ms.is_some()));
        self.u64(last_dirty_ms.unwrap_or_default());
    }

    fn lease_terms(&mut self, terms: LeaseTerms) {
        self.u32(terms.renewal_interval_secs);
        self.u32(terms.duration_secs);
    }
}
