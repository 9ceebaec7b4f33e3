//! What the wire tests share: bodies, records and recordings. No test is here.

use std::sync::Arc;

use eureka_raft::registry::{ActionType, AppName, Application, Instance, InstanceStatus, Record};
use eureka_raft::wire::{self, ApplicationsHeader, Form, Format, RegistrationError};
use serde_json::Value;
use serde_json::value::RawValue;

pub(crate) const BOTH: [Format; 2] = [Format::Json, Format::Xml];

/// Decodes `{"instance":{fields}}` for application A.
pub(crate) fn json(fields: &str) -> Result<Instance, RegistrationError> {
    let body = format!(r#"{{"instance":{{{fields}}}}}"#);
    wire::decode_registration(Format::Json, body.as_bytes(), "A")
}

/// Decodes a minimal body with `more` fields, which stand first.
pub(crate) fn json_with(more: &str) -> Result<Instance, RegistrationError> {
    json(&format!("{more},{MINIMAL_JSON}"))
}

/// Decodes `<instance>elements</instance>` for application A.
pub(crate) fn xml(elements: &str) -> Result<Instance, RegistrationError> {
    let body = format!("<instance>{elements}</instance>");
    wire::decode_registration(Format::Xml, body.as_bytes(), "A")
}

/// Decodes a minimal body with `more` elements.
pub(crate) fn xml_with(more: &str) -> Result<Instance, RegistrationError> {
    xml(&format!("{more}{MINIMAL_XML}"))
}

/// What a real server needs, and nothing else.
pub(crate) const MINIMAL_JSON: &str = r#""hostName":"h","app":"A","ipAddr":"1.1.1.1","dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"}"#;

/// The same in XML.
pub(crate) const MINIMAL_XML: &str = "<hostName>h</hostName><app>A</app><ipAddr>1.1.1.1</ipAddr><dataCenterInfo><name>MyOwn</name></dataCenterInfo>";

/// A record of `instance` as registered at 1.
pub(crate) fn record(instance: Instance) -> Record {
    Record {
        status: instance.status,
        overridden: instance.overridden,
        last_dirty_ms: instance.last_dirty_ms.unwrap_or(1),
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

/// An application of these records.
pub(crate) fn application(name: &str, records: impl IntoIterator<Item = Record>) -> Application {
    let by_id = |record: Record| (record.instance.id.clone(), Arc::new(record));
    Application {
        name: AppName::new(name),
        version: 1,
        instances: records.into_iter().map(by_id).collect(),
    }
}

/// The list of these applications, made from fragments as the server makes it.
pub(crate) fn list(
    format: Format,
    form: Form,
    header: &ApplicationsHeader<'_>,
    applications: &[(&str, Vec<Record>)],
) -> String {
    let fragments = applications.iter().map(|(name, records)| {
        wire::application_fragment(format, form, &AppName::new(name), records.iter())
    });
    text(wire::applications_document(format, form, header, fragments))
}

pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("documents are UTF-8")
}

/// Rebuilds the record behind an instance of a recorded full JSON answer. Takes its text, because
/// `Value` forgets the order of metadata.
pub(crate) fn recorded(shown: &RawValue) -> Record {
    let body = format!(r#"{{"instance":{}}}"#, shown.get());
    let shown: Value = serde_json::from_str(shown.get()).unwrap();
    let app = shown["app"].as_str().unwrap();
    let instance = wire::decode_registration(Format::Json, body.as_bytes(), app).unwrap();
    let lease = |name: &str| shown["leaseInfo"][name].as_u64().unwrap();
    let stamp = |name: &str| shown[name].as_str().unwrap().parse().unwrap();
    Record {
        status: status(&shown["status"]),
        overridden: status(&shown["overriddenStatus"]),
        action: match shown["actionType"].as_str().unwrap() {
            "ADDED" => ActionType::Added,
            "MODIFIED" => ActionType::Modified,
            _ => ActionType::Deleted,
        },
        last_dirty_ms: stamp("lastDirtyTimestamp"),
        last_updated_ms: stamp("lastUpdatedTimestamp"),
        registered_ms: lease("registrationTimestamp"),
        renewed_ms: lease("lastRenewalTimestamp"),
        service_up_ms: lease("serviceUpTimestamp"),
        evicted_ms: lease("evictionTimestamp"),
        ..record(instance)
    }
}

fn status(shown: &Value) -> InstanceStatus {
    InstanceStatus::from_wire(shown.as_str().unwrap()).unwrap()
}

/// The recorded conversation, one exchange a line.
pub(crate) fn conversation() -> Vec<Value> {
    include_str!("../golden/spring5.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The text of the instance in a recorded JSON answer.
pub(crate) fn instance_of(body: &str) -> Option<Box<RawValue>> {
    #[derive(serde::Deserialize)]
    struct Answer {
        instance: Box<RawValue>,
    }
    let answer: Option<Answer> = serde_json::from_str(body).ok();
    answer.map(|answer| answer.instance)
}

/// The exchange called `name`.
pub(crate) fn exchange<'a>(conversation: &'a [Value], name: &str) -> &'a Value {
    let named = |exchange: &&Value| exchange["name"] == name;
    conversation.iter().find(named).expect("a recorded name")
}
