//! Instances and applications as XML, as Eureka's XStream codec (full, pretty) and its mini codec
//! (compact, one line) write them.
//!
//! Owns the order of XML elements, their layout and XML's escaping. It may not decide what a list
//! holds. The invariant: the output is well-formed XML 1.0 for any strings.

use crate::registry::{AppName, DataCenter, Instance, Port, Record};

use super::format::Form;
use super::json_encode::{COMPACT_AMAZON_KEYS, decimal};
use super::xml_names;

/// What Java's empty map looks like.
const EMPTY_METADATA: &str = r#"metadata class="java.util.Collections$EmptyMap""#;

/// Writes elements in the layout of a form: two spaces an element, or none at all.
///
/// A child begins with a line break rather than ending with one, so that documents, like XStream's,
/// neither begin nor end with one, and a fragment made at depth 1 fits between its neighbours.
pub(super) struct XmlWriter {
    out: Vec<u8>,
    form: Form,
    depth: usize,
}

impl XmlWriter {
    /// A writer whose first element stands `depth` levels below the root.
    pub(super) fn new(form: Form, depth: usize) -> Self {
        Self {
            out: Vec::with_capacity(2_048),
            form,
            depth,
        }
    }

    /// The bytes written.
    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }

    /// Appends what another writer of this form made for this depth.
    pub(super) fn fragment(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// How many bytes are written.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// An element without content, as XStream closes it.
    pub(super) fn empty(&mut self, name: &str) {
        self.line();
        self.out.extend_from_slice(format!("<{name}/>").as_bytes());
    }

    /// Opens an element; `tag` is its name and attributes.
    pub(super) fn open(&mut self, tag: &str) {
        if self.depth > 0 {
            self.line();
        }
        self.start(tag);
        self.depth += 1;
    }

    /// Closes the innermost open element.
    pub(super) fn close(&mut self, name: &str) {
        self.depth -= 1;
        self.line();
        self.end(name);
    }

    /// An element of text only.
    pub(super) fn leaf(&mut self, name: &str, value: &str) {
        self.line();
        self.start(name);
        escape(&mut self.out, value);
        self.end(name);
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.leaf(name, value);
        }
    }

    fn number(&mut self, name: &str, value: u64) {
        self.line();
        self.start(name);
        decimal(&mut self.out, value);
        self.end(name);
    }

    fn signed(&mut self, tag: &str, name: &str, value: i32) {
        self.line();
        self.start(tag);
        if value < 0 {
            self.out.push(b'-');
        }
        decimal(&mut self.out, u64::from(value.unsigned_abs()));
        self.end(name);
    }

    /// An element whose name is a metadata key, escaped. The empty key has no name in XML, and
    /// Eureka's `<>` breaks every reader: it is left out.
    fn entry(&mut self, key: &str, value: &str) {
        if key.is_empty() {
            return;
        }
        self.line();
        self.out.push(b'<');
        let name = self.out.len();
        xml_names::encode(&mut self.out, key);
        let name = name..self.out.len();
        self.out.push(b'>');
        escape(&mut self.out, value);
        self.out.extend_from_slice(b"</");
        self.out.extend_from_within(name);
        self.out.push(b'>');
    }

    fn start(&mut self, tag: &str) {
        self.out.push(b'<');
        self.out.extend_from_slice(tag.as_bytes());
        self.out.push(b'>');
    }

    fn end(&mut self, name: &str) {
        self.out.extend_from_slice(b"</");
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'>');
    }

    fn line(&mut self) {
        const DEEPEST: &[u8] = b"\n            ";
        if self.form == Form::Full {
            let end = (1 + 2 * self.depth).min(DEEPEST.len());
            self.out.extend_from_slice(&DEEPEST[..end]);
        }
    }
}

/// Writes `<application>…</application>`.
pub(super) fn application<'a>(
    xml: &mut XmlWriter,
    name: &AppName,
    records: impl Iterator<Item = &'a Record>,
) {
    application_start(xml, name);
    instances(xml, records);
    xml.close("application");
}

/// Writes what stands before the first instance; the element stays open.
pub(super) fn application_start(xml: &mut XmlWriter, name: &AppName) {
    xml.open("application");
    xml.leaf("name", name.as_str());
}

/// Writes `<instance>…</instance>`, one for each of `records`.
pub(super) fn instances<'a>(xml: &mut XmlWriter, records: impl Iterator<Item = &'a Record>) {
    for record in records {
        match xml.form {
            Form::Full => full_instance(xml, "instance", record, record.renewed_ms),
            Form::Compact => compact_instance(xml, record),
        }
    }
}

/// Writes every field as an element `name`, in the order of `Converters.InstanceInfoConverter`.
pub(super) fn full_instance(xml: &mut XmlWriter, name: &str, record: &Record, renewed_ms: u64) {
    let instance = &*record.instance;
    xml.open(name);
    xml.leaf("instanceId", instance.id.as_str());
    xml.leaf("hostName", &instance.host_name);
    xml.leaf("app", instance.app.as_str());
    xml.leaf("ipAddr", &instance.ip_addr);
    xml.optional("sid", instance.sid.as_deref());
    xml.leaf("status", record.status.as_str());
    xml.leaf("overriddenstatus", record.overridden.as_str());
    ports(xml, instance);
    xml.signed("countryId", "countryId", instance.country_id);
    data_center(xml, &instance.data_center, |_| true);
    lease(xml, record, renewed_ms);
    metadata(xml, &instance.metadata);
    addresses(xml, instance);
    xml.leaf("isCoordinatingDiscoveryServer", "false");
    xml.number("lastUpdatedTimestamp", record.last_updated_ms);
    xml.number("lastDirtyTimestamp", record.last_dirty_ms);
    xml.leaf("actionType", record.action.as_str());
    xml.optional("asgName", instance.asg_name.as_deref());
    xml.close(name);
}

/// Writes what `MiniInstanceInfoMixIn` leaves, in its order.
fn compact_instance(xml: &mut XmlWriter, record: &Record) {
    let instance = &*record.instance;
    xml.open("instance");
    xml.leaf("instanceId", instance.id.as_str());
    xml.leaf("app", instance.app.as_str());
    xml.leaf("ipAddr", &instance.ip_addr);
    xml.optional("vipAddress", instance.vip_address.as_deref());
    xml.optional("secureVipAddress", instance.secure_vip_address.as_deref());
    data_center(xml, &instance.data_center, |key| {
        COMPACT_AMAZON_KEYS.contains(&key)
    });
    xml.leaf("hostName", &instance.host_name);
    xml.leaf("status", record.status.as_str());
    xml.number("lastUpdatedTimestamp", record.last_updated_ms);
    xml.leaf("actionType", record.action.as_str());
    xml.optional("asgName", instance.asg_name.as_deref());
    ports(xml, instance);
    xml.close("instance");
}

fn addresses(xml: &mut XmlWriter, instance: &Instance) {
    xml.optional("appGroupName", instance.app_group_name.as_deref());
    xml.optional("homePageUrl", instance.home_page_url.as_deref());
    xml.optional("statusPageUrl", instance.status_page_url.as_deref());
    xml.optional("healthCheckUrl", instance.health_check_url.as_deref());
    let secure_check = instance.secure_health_check_url.as_deref();
    xml.optional("secureHealthCheckUrl", secure_check);
    xml.optional("vipAddress", instance.vip_address.as_deref());
    xml.optional("secureVipAddress", instance.secure_vip_address.as_deref());
}

fn ports(xml: &mut XmlWriter, instance: &Instance) {
    let tag = |port: Port, on, off| if port.enabled { on } else { off };
    let plain = tag(
        instance.port,
        r#"port enabled="true""#,
        r#"port enabled="false""#,
    );
    xml.signed(plain, "port", instance.port.number);
    let secure = tag(
        instance.secure_port,
        r#"securePort enabled="true""#,
        r#"securePort enabled="false""#,
    );
    xml.signed(secure, "securePort", instance.secure_port.number);
}

fn data_center(xml: &mut XmlWriter, data_center: &DataCenter, keep: impl Fn(&str) -> bool) {
    const DEFAULT: &str =
        r#"dataCenterInfo class="com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo""#;
    const AMAZON: &str = r#"dataCenterInfo class="com.netflix.appinfo.AmazonInfo""#;
    let (tag, name, entries) = match data_center {
        DataCenter::MyOwn => (DEFAULT, "MyOwn", None),
        DataCenter::Netflix => (DEFAULT, "Netflix", None),
        DataCenter::Amazon(entries) => (AMAZON, "Amazon", Some(entries)),
    };
    xml.open(tag);
    xml.leaf("name", name);
    if let Some(entries) = entries {
        xml.open("metadata");
        for (key, value) in entries.iter().filter(|(key, _)| keep(key)) {
            xml.entry(key, value);
        }
        xml.close("metadata");
    }
    xml.close("dataCenterInfo");
}

fn lease(xml: &mut XmlWriter, record: &Record, renewed_ms: u64) {
    let terms = record.instance.lease;
    xml.open("leaseInfo");
    let interval = u64::from(terms.renewal_interval_secs);
    xml.number("renewalIntervalInSecs", interval);
    xml.number("durationInSecs", u64::from(terms.duration_secs));
    xml.number("registrationTimestamp", record.registered_ms);
    xml.number("lastRenewalTimestamp", renewed_ms);
    xml.number("evictionTimestamp", record.evicted_ms);
    xml.number("serviceUpTimestamp", record.service_up_ms);
    xml.close("leaseInfo");
}

fn metadata(xml: &mut XmlWriter, entries: &[(Box<str>, Box<str>)]) {
    if entries.iter().all(|(key, _)| key.is_empty()) {
        xml.line();
        xml.out.push(b'<');
        xml.out.extend_from_slice(EMPTY_METADATA.as_bytes());
        xml.out.extend_from_slice(b"/>");
        return;
    }
    xml.open("metadata");
    for (key, value) in entries {
        xml.entry(key, value);
    }
    xml.close("metadata");
}

/// Appends text as XStream escapes it. Characters that XML 1.0 cannot say become U+FFFD: XStream's
/// `&#x1;` makes strict readers refuse the whole document.
fn escape(out: &mut Vec<u8>, value: &str) {
    let bytes = value.as_bytes();
    let mut written = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let (instead, length): (&[u8], usize) = match byte {
            b'&' => (b"&amp;", 1),
            b'<' => (b"&lt;", 1),
            b'>' => (b"&gt;", 1),
            b'"' => (b"&quot;", 1),
            b'\'' => (b"&apos;", 1),
            b'\r' => (b"&#xd;", 1),
            0x7f => (b"&#x7f;", 1),
            // U+0080 to U+009F, Java's other control characters, are C2 80 to C2 9F.
            0xc2 if bytes[at + 1] < 0xa0 => (&reference(bytes[at + 1]), 2),
            b'\t' | b'\n' => continue,
            0x00..=0x1f => ("\u{fffd}".as_bytes(), 1),
            // U+FFFE and U+FFFF are EF BF BE and EF BF BF.
            0xef if bytes[at + 1] == 0xbf && bytes[at + 2] >= 0xbe => ("\u{fffd}".as_bytes(), 3),
            _ => continue,
        };
        out.extend_from_slice(&bytes[written..at]);
        out.extend_from_slice(instead);
        written = at + length;
    }
    out.extend_from_slice(&bytes[written..]);
}

/// A character below U+0100 by its number.
fn reference(letter: u8) -> [u8; 6] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS[usize::from(nibble & 15)];
    [b'&', b'#', b'x', digit(letter >> 4), digit(letter), b';']
}
