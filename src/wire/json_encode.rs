//! Instances and applications as JSON, as Eureka's legacy Jackson codec (full) and its mini codec
//! (compact) write them.
//!
//! Owns the order and types of JSON fields, and JSON's escaping. It may not decide what a list holds.
//! Written by hand into one buffer: a full list of 10,000 instances is the hottest thing we make.

use crate::registry::{AppName, DataCenter, Port, Record};

use super::format::Form;

/// What Java's empty map looks like; Netflix clients tell it from a map with entries by this.
const EMPTY_MAP: &[u8] = br#"{"@class":"java.util.Collections$EmptyMap"}"#;

/// The Amazon metadata that the mini codec keeps (`DataCenterTypeInfoResolver`, `AmazonInfo` mixin).
pub(super) const COMPACT_AMAZON_KEYS: [&str; 5] = [
    "instance-id",
    "public-ipv4",
    "public-hostname",
    "local-ipv4",
    "availability-zone",
];

/// Appends `{"name":…,"instance":[…]}`.
pub(super) fn application<'a>(
    out: &mut Vec<u8>,
    form: Form,
    name: &AppName,
    records: impl Iterator<Item = &'a Record>,
) {
    application_start(out, name);
    instances(out, form, records);
    out.extend_from_slice(b"]}");
}

/// Appends what stands before the first instance.
pub(super) fn application_start(out: &mut Vec<u8>, name: &AppName) {
    text(out, br#"{"name":"#, name.as_str());
    out.extend_from_slice(br#","instance":["#);
}

/// Appends `{…},{…}`.
pub(super) fn instances<'a>(
    out: &mut Vec<u8>,
    form: Form,
    records: impl Iterator<Item = &'a Record>,
) {
    for (at, record) in records.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match form {
            Form::Full => full_instance(out, record, record.renewed_ms),
            Form::Compact => compact_instance(out, record),
        }
    }
}

/// Appends every field, in the order of `EurekaJacksonCodec.InstanceInfoSerializer`.
pub(super) fn full_instance(out: &mut Vec<u8>, record: &Record, renewed_ms: u64) {
    let instance = &*record.instance;
    text(out, br#"{"instanceId":"#, instance.id.as_str());
    text(out, br#","hostName":"#, &instance.host_name);
    text(out, br#","app":"#, instance.app.as_str());
    text(out, br#","ipAddr":"#, &instance.ip_addr);
    optional(out, br#","sid":"#, instance.sid.as_deref());
    word(out, br#","status":""#, record.status.as_str());
    word(out, br#","overriddenStatus":""#, record.overridden.as_str());
    port(out, br#","port":{"$":"#, instance.port);
    port(out, br#","securePort":{"$":"#, instance.secure_port);
    signed(out, br#","countryId":"#, instance.country_id);
    data_center(out, &instance.data_center, |_| true);
    lease(out, record, renewed_ms);
    metadata(out, &instance.metadata);
    addresses(out, record);
    out.extend_from_slice(br#","isCoordinatingDiscoveryServer":"false""#);
    stamp(out, br#","lastUpdatedTimestamp":""#, record.last_updated_ms);
    stamp(out, br#","lastDirtyTimestamp":""#, record.last_dirty_ms);
    word(out, br#","actionType":""#, record.action.as_str());
    optional(out, br#","asgName":"#, instance.asg_name.as_deref());
    out.push(b'}');
}

/// Appends what `MiniInstanceInfoMixIn` leaves, in its order.
fn compact_instance(out: &mut Vec<u8>, record: &Record) {
    let instance = &*record.instance;
    text(out, br#"{"instanceId":"#, instance.id.as_str());
    text(out, br#","app":"#, instance.app.as_str());
    text(out, br#","ipAddr":"#, &instance.ip_addr);
    optional(out, br#","vipAddress":"#, instance.vip_address.as_deref());
    let secure_vip = instance.secure_vip_address.as_deref();
    optional(out, br#","secureVipAddress":"#, secure_vip);
    data_center(out, &instance.data_center, |key| {
        COMPACT_AMAZON_KEYS.contains(&key)
    });
    text(out, br#","hostName":"#, &instance.host_name);
    word(out, br#","status":""#, record.status.as_str());
    number(out, br#","lastUpdatedTimestamp":"#, record.last_updated_ms);
    word(out, br#","actionType":""#, record.action.as_str());
    optional(out, br#","asgName":"#, instance.asg_name.as_deref());
    port(out, br#","port":{"$":"#, instance.port);
    port(out, br#","securePort":{"$":"#, instance.secure_port);
    out.push(b'}');
}

fn addresses(out: &mut Vec<u8>, record: &Record) {
    let instance = &*record.instance;
    let group = instance.app_group_name.as_deref();
    let secure_check = instance.secure_health_check_url.as_deref();
    let secure_vip = instance.secure_vip_address.as_deref();
    optional(out, br#","appGroupName":"#, group);
    optional(
        out,
        br#","homePageUrl":"#,
        instance.home_page_url.as_deref(),
    );
    let status_page = instance.status_page_url.as_deref();
    optional(out, br#","statusPageUrl":"#, status_page);
    let check = instance.health_check_url.as_deref();
    optional(out, br#","healthCheckUrl":"#, check);
    optional(out, br#","secureHealthCheckUrl":"#, secure_check);
    optional(out, br#","vipAddress":"#, instance.vip_address.as_deref());
    optional(out, br#","secureVipAddress":"#, secure_vip);
}

fn data_center(out: &mut Vec<u8>, data_center: &DataCenter, keep: impl Fn(&str) -> bool) {
    const DEFAULT: &[u8] = br#","dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":""#;
    const AMAZON: &[u8] = br#","dataCenterInfo":{"@class":"com.netflix.appinfo.AmazonInfo","name":"Amazon","metadata":"#;
    match data_center {
        DataCenter::MyOwn => word(out, DEFAULT, "MyOwn"),
        DataCenter::Netflix => word(out, DEFAULT, "Netflix"),
        DataCenter::Amazon(entries) => {
            out.extend_from_slice(AMAZON);
            let kept = entries.iter().filter(|(key, _)| keep(key));
            pairs(out, kept.map(|(key, value)| (&**key, &**value)));
        }
    }
    out.push(b'}');
}

fn lease(out: &mut Vec<u8>, record: &Record, renewed_ms: u64) {
    let terms = record.instance.lease;
    let interval = u64::from(terms.renewal_interval_secs);
    number(out, br#","leaseInfo":{"renewalIntervalInSecs":"#, interval);
    let duration = u64::from(terms.duration_secs);
    number(out, br#","durationInSecs":"#, duration);
    number(out, br#","registrationTimestamp":"#, record.registered_ms);
    number(out, br#","lastRenewalTimestamp":"#, renewed_ms);
    number(out, br#","evictionTimestamp":"#, record.evicted_ms);
    number(out, br#","serviceUpTimestamp":"#, record.service_up_ms);
    out.push(b'}');
}

fn metadata(out: &mut Vec<u8>, entries: &[(Box<str>, Box<str>)]) {
    out.extend_from_slice(br#","metadata":"#);
    if entries.is_empty() {
        out.extend_from_slice(EMPTY_MAP);
    } else {
        pairs(out, entries.iter().map(|(key, value)| (&**key, &**value)));
    }
}

/// Appends an object of strings.
pub(super) fn pairs<'a>(out: &mut Vec<u8>, entries: impl Iterator<Item = (&'a str, &'a str)>) {
    out.push(b'{');
    for (at, (key, value)) in entries.enumerate() {
        text(out, if at > 0 { b"," } else { b"" }, key);
        text(out, b":", value);
    }
    out.push(b'}');
}

fn port(out: &mut Vec<u8>, lead: &[u8], port: Port) {
    signed(out, lead, port.number);
    out.extend_from_slice(match port.enabled {
        true => br#","@enabled":"true"}"#,
        false => br#","@enabled":"false"}"#,
    });
}

fn optional(out: &mut Vec<u8>, lead: &[u8], value: Option<&str>) {
    if let Some(value) = value {
        text(out, lead, value);
    }
}

/// Appends `lead`, a word that needs no escaping, and the closing quote of a string `lead` opened.
fn word(out: &mut Vec<u8>, lead: &[u8], word: &str) {
    out.extend_from_slice(lead);
    out.extend_from_slice(word.as_bytes());
    out.push(b'"');
}

/// Appends a number as a string that `lead` opened.
fn stamp(out: &mut Vec<u8>, lead: &[u8], value: u64) {
    number(out, lead, value);
    out.push(b'"');
}

fn number(out: &mut Vec<u8>, lead: &[u8], value: u64) {
    out.extend_from_slice(lead);
    decimal(out, value);
}

fn signed(out: &mut Vec<u8>, lead: &[u8], value: i32) {
    out.extend_from_slice(lead);
    if value < 0 {
        out.push(b'-');
    }
    decimal(out, u64::from(value.unsigned_abs()));
}

/// Appends `value` in decimal, without the formatting machinery: there are a dozen per instance.
pub(super) fn decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends `lead` and `value` as a JSON string, escaped as Jackson does: control characters by
/// their short names or as `\u001F`, everything else raw.
pub(super) fn text(out: &mut Vec<u8>, lead: &[u8], value: &str) {
    out.extend_from_slice(lead);
    out.push(b'"');
    let bytes = value.as_bytes();
    let mut written = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[written..at]);
        escape(out, byte);
        written = at + 1;
    }
    out.extend_from_slice(&bytes[written..]);
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => return unicode_escape(out, u16::from(byte)),
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn unicode_escape(out: &mut Vec<u8>, unit: u16) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(HEX[usize::from(unit >> shift & 0xf)]);
    }
}

/// Rewrites characters beyond the first plane as pairs of `\uD83D\uDE42`.
///
/// Released servers answer a single instance so, but not a list: Jackson writes the one to a byte
/// stream and the other to a string.
pub(super) fn escape_supplementary(document: Vec<u8>) -> Vec<u8> {
    let starts_four_bytes = |byte: &u8| *byte >= 0xf0;
    if !document.iter().any(starts_four_bytes) {
        return document;
    }
    let mut out = Vec::with_capacity(document.len() + 64);
    for letter in String::from_utf8_lossy(&document).chars() {
        if letter.len_utf8() < 4 {
            out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                unicode_escape(&mut out, *unit);
            }
        }
    }
    out
}
