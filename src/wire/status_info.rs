//! The document of GET status.
//!
//! Owns the shape of Eureka's `StatusInfo`. It may not collect the figures.

use crate::registry::Record;

use super::format::{Form, Format};
use super::xml_encode::XmlWriter;
use super::{json_encode, xml_encode};

/// What GET status shows (`StatusInfo.java`), as words ready to print.
#[derive(Debug, Clone)]
pub struct StatusInfo<'a> {
    /// `environment`, as configured.
    pub environment: &'a str,
    /// `num-of-cpus`.
    pub num_of_cpus: &'a str,
    /// `total-avail-memory`, such as `463mb`.
    pub total_avail_memory: &'a str,
    /// `current-memory-usage`, such as `120mb (25%)`.
    pub current_memory_usage: &'a str,
    /// `server-uptime`, such as `2 days 03:04`.
    pub server_uptime: &'a str,
    /// `registered-replicas`: URLs of the other nodes, joined by `, `.
    pub registered_replicas: &'a str,
    /// `available-replicas`: each followed by a comma.
    pub available_replicas: &'a str,
    /// `unavailable-replicas`: each followed by a comma.
    pub unavailable_replicas: &'a str,
    /// `instanceInfo`: this server described as an instance.
    pub instance: &'a Record,
    /// `healthy`.
    pub healthy: bool,
}

/// The answer of GET status: JSON keys as `StatusResource` writes them, XML elements by XStream's
/// field names (so `isHeathly`). Unlike Netflix's, the JSON is whole and valid.
pub fn status_info_document(format: Format, status: &StatusInfo<'_>) -> Vec<u8> {
    match format {
        Format::Json => json(status),
        Format::Xml => xml(status),
    }
}

impl<'a> StatusInfo<'a> {
    fn general(&self) -> [(&'static str, &'a str); 5] {
        [
            ("environment", self.environment),
            ("num-of-cpus", self.num_of_cpus),
            ("total-avail-memory", self.total_avail_memory),
            ("current-memory-usage", self.current_memory_usage),
            ("server-uptime", self.server_uptime),
        ]
    }

    fn replicas(&self) -> [(&'static str, &'a str); 3] {
        [
            ("registered-replicas", self.registered_replicas),
            ("available-replicas", self.available_replicas),
            ("unavailable-replicas", self.unavailable_replicas),
        ]
    }
}

fn json(status: &StatusInfo<'_>) -> Vec<u8> {
    let mut out = br#"{"generalStats":"#.to_vec();
    json_encode::pairs(&mut out, status.general().into_iter());
    out.extend_from_slice(br#","applicationStats":"#);
    json_encode::pairs(&mut out, status.replicas().into_iter());
    out.extend_from_slice(br#","instanceInfo":"#);
    json_encode::full_instance(&mut out, status.instance, status.instance.renewed_ms);
    out.extend_from_slice(match status.healthy {
        true => br#","healthy":true}"#,
        false => br#","healthy":false}"#,
    });
    json_encode::escape_supplementary(out)
}

fn xml(status: &StatusInfo<'_>) -> Vec<u8> {
    const ROOT: &str = "com.netflix.eureka.util.StatusInfo";
    let mut xml = XmlWriter::new(Form::Full, 0);
    xml.open(ROOT);
    map(&mut xml, "generalStats", &status.general());
    map(&mut xml, "applicationStats", &status.replicas());
    let renewed_ms = status.instance.renewed_ms;
    xml_encode::full_instance(&mut xml, "instanceInfo", status.instance, renewed_ms);
    let healthy = if status.healthy { "true" } else { "false" };
    xml.leaf("isHeathly", healthy);
    xml.close(ROOT);
    xml.finish()
}

fn map(xml: &mut XmlWriter, name: &str, entries: &[(&str, &str)]) {
    xml.open(name);
    for (key, value) in entries {
        xml.leaf(key, value);
    }
    xml.close(name);
}
