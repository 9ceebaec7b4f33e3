//! Which fields a document may have, and of which type: never one more, because Spring's parser refuses
//! a whole registry for a single unknown field.
//!
//! Owns the lists of fields of the full and the compact form. It may not judge a value.

use serde_json::Value;

use super::strict_xml::Element;

/// What a JSON value has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Port,
    DataCenter,
    Lease,
    Metadata,
}

use Kind::{DataCenter, Lease, Metadata, Number, Port, Text};

/// Fields of an instance with their kinds, and whether they are always there.
type Fields = &'static [(&'static str, Kind, Presence)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Always,
    IfSent,
}

use Presence::{Always, IfSent};

const FULL: Fields = &[
    ("instanceId", Text, Always),
    ("hostName", Text, Always),
    ("app", Text, Always),
    ("ipAddr", Text, Always),
    ("sid", Text, IfSent),
    ("status", Text, Always),
    ("overriddenStatus", Text, Always),
    ("port", Port, Always),
    ("securePort", Port, Always),
    ("countryId", Number, Always),
    ("dataCenterInfo", DataCenter, Always),
    ("leaseInfo", Lease, Always),
    ("metadata", Metadata, Always),
    ("appGroupName", Text, IfSent),
    ("homePageUrl", Text, IfSent),
    ("statusPageUrl", Text, IfSent),
    ("healthCheckUrl", Text, IfSent),
    ("secureHealthCheckUrl", Text, IfSent),
    ("vipAddress", Text, IfSent),
    ("secureVipAddress", Text, IfSent),
    ("isCoordinatingDiscoveryServer", Text, Always),
    ("lastUpdatedTimestamp", Text, Always),
    ("lastDirtyTimestamp", Text, Always),
    ("actionType", Text, Always),
    ("asgName", Text, IfSent),
];

const COMPACT: Fields = &[
    ("instanceId", Text, Always),
    ("app", Text, Always),
    ("ipAddr", Text, Always),
    ("vipAddress", Text, IfSent),
    ("secureVipAddress", Text, IfSent),
    ("dataCenterInfo", DataCenter, Always),
    ("hostName", Text, Always),
    ("status", Text, Always),
    ("lastUpdatedTimestamp", Number, Always),
    ("actionType", Text, Always),
    ("asgName", Text, IfSent),
    ("port", Port, Always),
    ("securePort", Port, Always),
];

const LEASE: [&str; 6] = [
    "renewalIntervalInSecs",
    "durationInSecs",
    "registrationTimestamp",
    "lastRenewalTimestamp",
    "evictionTimestamp",
    "serviceUpTimestamp",
];

const STATUSES: [&str; 5] = ["DOWN", "OUT_OF_SERVICE", "STARTING", "UNKNOWN", "UP"];

/// Panics with `what` unless `document` is one of Eureka's, to the field.
pub(super) fn check_json(what: &str, document: &Value) {
    let root = object(what, document);
    assert_eq!(root.len(), 1, "{what}: one root: {document}");
    match root
        .iter()
        .next()
        .map(|(name, inner)| (name.as_str(), inner))
    {
        Some(("applications", list)) => applications(what, list),
        Some(("application", one)) => application(what, one),
        Some(("instance", one)) => instance(what, one, FULL),
        Some(("responseList", items)) => responses(what, items),
        other => panic!("{what}: the root {other:?}"),
    }
}

/// What a peer's batch is answered: the instance of a conflict stands there without its wrapper.
fn responses(what: &str, items: &Value) {
    for item in items.as_array().expect("an array") {
        match item.get("responseEntity") {
            None => same_names(what, item, &["statusCode"]),
            Some(held) => {
                same_names(what, item, &["responseEntity", "statusCode"]);
                instance(what, held, FULL);
            }
        }
        assert!(item["statusCode"].is_u64(), "{what}: {item}");
    }
}

fn applications(what: &str, list: &Value) {
    let compact = list.get("registeredApplicationsEmpty");
    let names: &[&str] = match compact {
        None => &["application", "apps__hashcode", "versions__delta"],
        Some(empty) => {
            assert!(empty.is_boolean(), "{what}: {empty}");
            &[
                "application",
                "apps__hashcode",
                "registeredApplicationsEmpty",
                "versions__delta",
            ]
        }
    };
    same_names(what, list, names);
    assert!(list["versions__delta"].is_string(), "{what}");
    assert!(list["apps__hashcode"].is_string(), "{what}");
    for one in list["application"].as_array().expect("an array") {
        application(what, one);
    }
}

fn application(what: &str, one: &Value) {
    same_names(what, one, &["instance", "name"]);
    for shown in one["instance"].as_array().expect("an array") {
        assert_eq!(shown["app"], one["name"], "{what}");
        let fields = match shown.get("leaseInfo") {
            Some(_) => FULL,
            None => COMPACT,
        };
        instance(what, shown, fields);
    }
}

fn instance(what: &str, shown: &Value, fields: Fields) {
    for name in object(what, shown).keys() {
        let known = fields.iter().any(|(field, ..)| field == name);
        assert!(known, "{what}: the extra field {name}");
    }
    for (name, kind, presence) in fields {
        match shown.get(*name) {
            Some(value) => is(&format!("{what}: {name}"), value, *kind),
            None => assert_eq!(*presence, IfSent, "{what}: no {name}"),
        }
    }
    let status = shown["status"].as_str().unwrap_or_default();
    assert!(STATUSES.contains(&status), "{what}: the status {status}");
    let action = shown["actionType"].as_str().unwrap_or_default();
    assert!(["ADDED", "MODIFIED", "DELETED"].contains(&action), "{what}");
}

fn is(what: &str, value: &Value, kind: Kind) {
    match kind {
        Text => assert!(value.is_string(), "{what}: {value}"),
        Number => assert!(value.is_i64() || value.is_u64(), "{what}: {value}"),
        Port => {
            same_names(what, value, &["$", "@enabled"]);
            assert!(value["$"].is_i64(), "{what}: {value}");
            let enabled = value["@enabled"].as_str().unwrap_or_default();
            assert!(["true", "false"].contains(&enabled), "{what}: {value}");
        }
        DataCenter if value["name"] == "Amazon" => {
            same_names(what, value, &["@class", "metadata", "name"]);
            assert_eq!(value["@class"], "com.netflix.appinfo.AmazonInfo", "{what}");
            texts(what, &value["metadata"]);
        }
        DataCenter => same_names(what, value, &["@class", "name"]),
        Lease => {
            let mut names = LEASE;
            names.sort_unstable();
            same_names(what, value, &names);
            let numbers = object(what, value).values().all(Value::is_u64);
            assert!(numbers, "{what}: {value}");
        }
        Metadata => texts(what, value),
    }
}

fn texts(what: &str, map: &Value) {
    let all = object(what, map).values().all(Value::is_string);
    assert!(all, "{what}: {map}");
}

fn same_names(what: &str, value: &Value, sorted: &[&str]) {
    let names: Vec<&String> = object(what, value).keys().collect();
    assert_eq!(names, sorted, "{what}");
}

fn object<'a>(what: &str, value: &'a Value) -> &'a serde_json::Map<String, Value> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("{what}: no object: {value}"))
}

/// The same for XML, where everything is text and a missing field a missing element.
pub(super) fn check_xml(what: &str, root: &Element) {
    match root.name.as_str() {
        "applications" => {
            for child in &root.children {
                let of_list = [
                    "registeredApplicationsEmpty",
                    "versions__delta",
                    "apps__hashcode",
                ];
                match child.name.as_str() {
                    "application" => xml_application(what, child),
                    name => assert!(of_list.contains(&name), "{what}: {name}"),
                }
            }
        }
        "application" => xml_application(what, root),
        "instance" => xml_instance(what, root),
        other => panic!("{what}: the root {other}"),
    }
}

fn xml_application(what: &str, application: &Element) {
    for child in &application.children {
        match child.name.as_str() {
            "name" => {}
            "instance" => xml_instance(what, child),
            other => panic!("{what}: {other} in an application"),
        }
    }
}

fn xml_instance(what: &str, instance: &Element) {
    let is_full = instance.children.iter().any(|e| e.name == "leaseInfo");
    let fields = if is_full { FULL } else { COMPACT };
    for child in &instance.children {
        // The one field whose name differs between the two languages.
        let name = match child.name.as_str() {
            "overriddenstatus" => "overriddenStatus",
            "overriddenStatus" => panic!("{what}: JSON's spelling in XML"),
            name => name,
        };
        let known = fields.iter().any(|(field, ..)| *field == name);
        assert!(known, "{what}: the extra element {name}");
    }
    for (name, _, presence) in fields {
        let count = |wanted: &str| {
            instance
                .children
                .iter()
                .filter(|e| e.name == wanted)
                .count()
        };
        let found = count(name)
            + count(&name.to_ascii_lowercase()) * usize::from(*name == "overriddenStatus");
        assert!(
            found == 1 || (found == 0 && *presence == IfSent),
            "{what}: {found} {name}"
        );
    }
    assert!(
        instance.child("port").attribute("enabled").is_some(),
        "{what}"
    );
    assert!(
        instance
            .child("dataCenterInfo")
            .attribute("class")
            .is_some(),
        "{what}"
    );
}
