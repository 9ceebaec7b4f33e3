//! The judge of request bodies.
//!
//! Owns what must hold of any bytes in place of a registration: an answer, within twice the body in
//! memory; refused, a sentence of bounded length and nothing else; accepted, an instance that is
//! written so that it is read back the same, in both formats.

use std::sync::Arc;

use super::registry::{ActionType, DataCenter, Instance, Record};
use super::wire::{
    self, Format, MAX_METADATA_ENTRIES, MAX_NAME_BYTES, RegistrationError, decode_registration,
};
use super::within_memory;

/// The application of the path, as in the corpus.
const PATH_APP: &str = "demo";

/// The longest answer to a refused body, and log line about it, in bytes: it may repeat two names, whose
/// letters may grow threefold in upper case.
const REFUSAL_BYTES_MAX: usize = 2 * 3 * MAX_NAME_BYTES + 256;

/// Judges `body` as a registration in `format`; true if it is accepted.
pub fn judge(format: Format, body: &[u8]) -> bool {
    let read = |app: &str| {
        let result = || decode_registration(format, body, app);
        within_memory(body.len(), result)
    };
    let mut answer = read(PATH_APP);
    if let Err(RegistrationError::MismatchedAppName { found, .. }) = &answer {
        answer = read(&found.clone());
    }
    match answer {
        Ok(instance) => accepted(instance),
        Err(refusal) => {
            refused(&refusal, format);
            return false;
        }
    }
    true
}

fn refused(refusal: &RegistrationError, format: Format) {
    let message = refusal.message(format).expect("every refusal has a body");
    for text in [message, refusal.to_string()] {
        let shown: String = text.chars().take(200).collect();
        assert!(
            text.len() <= REFUSAL_BYTES_MAX,
            "an endless refusal: {shown}"
        );
    }
}

/// What is accepted stands in the log for ever, and is shown to everybody.
fn accepted(instance: Instance) {
    for name in [instance.id.as_str(), instance.app.as_str()] {
        assert!(!name.trim().is_empty(), "a blank name");
        assert!(!name.chars().any(char::is_control), "{name:?}");
    }
    assert!(instance.metadata.len() <= MAX_METADATA_ENTRIES);
    let record = shown(instance);
    let json = wire::instance_document(Format::Json, &record, 1);
    let parsed: serde_json::Value = serde_json::from_slice(&json).expect("JSON is JSON");
    let id = parsed["instance"]["instanceId"].as_str();
    assert_eq!(id, Some(record.instance.id.as_str()));
    read_back(Format::Json, &json, &upper_grouped(&record.instance));
    let xml = wire::instance_document(Format::Xml, &record, 1);
    read_back(Format::Xml, &xml, &as_xml_says(&record.instance));
}

fn read_back(format: Format, document: &[u8], expected: &Instance) {
    let read = decode_registration(format, document, expected.app.as_str());
    let read = read.unwrap_or_else(|refusal| {
        panic!("{refusal} in {}", String::from_utf8_lossy(document));
    });
    assert_eq!(&read, expected, "in {}", String::from_utf8_lossy(document));
    let again = wire::instance_document(format, &shown(read), 1);
    assert_eq!(again, document, "the second time it is written otherwise");
}

/// Group names are upper-cased when they come as JSON, and only then.
fn upper_grouped(instance: &Instance) -> Instance {
    let mut instance = instance.clone();
    let group = instance.app_group_name.take();
    instance.app_group_name = group.map(|group| group.to_uppercase().into());
    instance
}

/// XML has no words for some characters, and no element for the empty key.
fn as_xml_says(instance: &Instance) -> Instance {
    let mut said = instance.clone();
    let texts = [
        &mut said.sid,
        &mut said.app_group_name,
        &mut said.home_page_url,
        &mut said.status_page_url,
        &mut said.health_check_url,
        &mut said.secure_health_check_url,
        &mut said.vip_address,
        &mut said.secure_vip_address,
        &mut said.asg_name,
    ];
    for text in texts.into_iter().flatten() {
        *text = legal(text);
    }
    said.id = super::registry::InstanceId::new(&legal(said.id.as_str()));
    said.app = super::registry::AppName::new(&legal(said.app.as_str()));
    said.host_name = legal(&said.host_name);
    said.ip_addr = legal(&said.ip_addr);
    said.metadata = named(&said.metadata);
    if let DataCenter::Amazon(entries) = &mut said.data_center {
        *entries = named(entries);
    }
    said
}

fn named(entries: &[(Box<str>, Box<str>)]) -> Vec<(Box<str>, Box<str>)> {
    let named = entries.iter().filter(|(key, _)| !key.is_empty());
    named
        .map(|(key, value)| (key.clone(), legal(value)))
        .collect()
}

fn legal(text: &str) -> Box<str> {
    let replaced = text.chars().map(|letter| match letter {
        '\t' | '\n' | '\r' => letter,
        '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        _ => letter,
    });
    replaced.collect::<String>().into()
}

fn shown(mut instance: Instance) -> Record {
    let last_dirty_ms = *instance.last_dirty_ms.get_or_insert(1);
    Record {
        status: instance.status,
        overridden: instance.overridden,
        last_dirty_ms,
        instance: Arc::new(instance),
        action: ActionType::Added,
        last_updated_ms: 1,
        registered_ms: 1,
        renewed_ms: 1,
        service_up_ms: 1,
        evicted_ms: 0,
        slot: 0,
        generation: 0,
        index: 1,
    }
}
