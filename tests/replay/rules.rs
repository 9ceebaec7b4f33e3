//! The differences we want, as far as the recorded conversations show them.
//!
//! Owns one rule a row of `docs/compatibility.md`: what a recorded answer must look like to fall under it, and what we
//! answer instead. A rule rewrites the recorded answer and nothing excuses ours: what is left must be equal.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::meaning::Meaning;
use crate::recording::Exchange;

/// A difference we want.
struct Rule {
    /// The row's id.
    id: &'static str,
    /// Makes of the recorded meaning ours, if it is one of those the row is about.
    rewrite: fn(&Exchange, &mut Meaning),
}

/// In this order: a later rule sees what an earlier one made.
const RULES: [Rule; 7] = [
    Rule {
        id: "D-01",
        rewrite: refusals_are_empty,
    },
    Rule {
        id: "D-02",
        rewrite: bad_parameters_are_the_clients_mistake,
    },
    Rule {
        id: "D-03",
        rewrite: allow_names_head,
    },
    Rule {
        id: "D-14",
        rewrite: xml_says_the_status_it_is,
    },
    Rule {
        id: "D-15",
        rewrite: every_instance_has_its_id,
    },
    Rule {
        id: "D-17",
        rewrite: compact_says_whether_it_is_empty,
    },
    Rule {
        id: "D-28",
        rewrite: unknown_fields_are_skipped,
    },
];

/// Every id of [`RULES`].
pub(crate) fn ids() -> BTreeSet<&'static str> {
    RULES.iter().map(|rule| rule.id).collect()
}

/// What we mean to answer where the released server answered `exchange`, and by which rows.
pub(crate) fn wanted(exchange: &Exchange) -> (Meaning, BTreeSet<&'static str>) {
    let mut meaning = Meaning::of(exchange);
    let mut used = BTreeSet::new();
    for rule in &RULES {
        let before = meaning.clone();
        (rule.rewrite)(exchange, &mut meaning);
        if meaning != before {
            used.insert(rule.id);
        }
    }
    (meaning, used)
}

/// Spring Boot's error document, in JSON or HTML.
fn refusals_are_empty(exchange: &Exchange, meaning: &mut Meaning) {
    let json: Option<Value> = serde_json::from_str(&exchange.body).ok();
    let names = ["error", "path", "status", "timestamp"];
    let is_document =
        json.is_some_and(|json| json.as_object().is_some_and(|json| json.keys().eq(names)));
    let is_page = exchange.body.contains("<h1>Whitelabel Error Page</h1>");
    if [404, 405, 406, 415, 500].contains(&exchange.status) && (is_document || is_page) {
        (meaning.has_body, meaning.content_type) = (false, None);
    }
}

fn bad_parameters_are_the_clients_mistake(exchange: &Exchange, meaning: &mut Meaning) {
    let (path, query) = exchange
        .path
        .split_once('?')
        .unwrap_or((&exchange.path, ""));
    let is_bad =
        query == "lastDirtyTimestamp=abc" || path.ends_with("/status") && query == "value=bogus";
    if exchange.status == 500 && exchange.method == "PUT" && is_bad {
        meaning.status = 400;
    }
}

fn allow_names_head(exchange: &Exchange, meaning: &mut Meaning) {
    if exchange.status == 405 && meaning.allow.contains("GET") {
        meaning.allow.insert("HEAD".to_owned());
    }
}

/// One instance in XML, DOWN by accident: the override beside it says what it is.
fn xml_says_the_status_it_is(exchange: &Exchange, meaning: &mut Meaning) {
    if exchange.method != "GET" || meaning.body[0] != "instance" {
        return;
    }
    let text = |name: &str| child(&meaning.body, name).map(|found| found[2].clone());
    let overridden = text("overriddenstatus");
    if text("status") == Some(json!("DOWN")) && overridden == Some(json!("OUT_OF_SERVICE")) {
        let children = meaning.body[3].as_array_mut().unwrap();
        let status = children.iter_mut().find(|child| child[0] == "status");
        status.unwrap()[2] = json!("OUT_OF_SERVICE");
    }
}

/// An instance without `instanceId`: its id is the host name.
fn every_instance_has_its_id(_: &Exchange, meaning: &mut Meaning) {
    add_ids(&mut meaning.body);
}

fn add_ids(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.contains_key("app") && !members.contains_key("instanceId") {
                let host = members["hostName"].clone();
                members.insert("instanceId".to_owned(), host);
            }
            members.values_mut().for_each(add_ids);
        }
        Value::Array(items) => {
            items.iter_mut().for_each(add_ids);
            if value[0] == "instance" && child(value, "instanceId").is_none() {
                let host = child(value, "hostName").expect("an instance has a host")[2].clone();
                value[3]
                    .as_array_mut()
                    .unwrap()
                    .push(json!(["instanceId", {}, host, []]));
            }
        }
        _ => {}
    }
}

/// A compact list of Eureka 2.0.5.
fn compact_says_whether_it_is_empty(exchange: &Exchange, meaning: &mut Meaning) {
    const FIELD: &str = "registeredApplicationsEmpty";
    let compact = exchange
        .request_headers
        .get("X-Eureka-Accept")
        .is_some_and(|form| form == "compact");
    if !compact {
        return;
    }
    if let Some(Value::Object(list)) = meaning.body.get_mut("applications") {
        let is_empty = list["application"] == json!([]);
        list.entry(FIELD).or_insert(json!(is_empty));
    } else if meaning.body[0] == "applications" && child(&meaning.body, FIELD).is_none() {
        let is_empty = child(&meaning.body, "application").is_none();
        let field = json!([FIELD, {}, is_empty.to_string(), []]);
        meaning.body[3].as_array_mut().unwrap().push(field);
    }
}

/// A registration refused for nothing but a field that no Eureka knows.
fn unknown_fields_are_skipped(exchange: &Exchange, meaning: &mut Meaning) {
    let body: Value = serde_json::from_str(exchange.request_body.as_deref().unwrap_or_default())
        .unwrap_or_default();
    if exchange.status == 400 && body["instance"]["extra"].is_array() {
        (meaning.status, meaning.has_body) = (204, false);
        (meaning.content_type, meaning.body) = (None, Value::Null);
    }
}

/// The first child of an element with that tag.
fn child<'a>(element: &'a Value, tag: &str) -> Option<&'a Value> {
    element[3].as_array()?.iter().find(|child| child[0] == tag)
}
