//! What a reader can rely on in an answer.
//!
//! Owns the port of `unordered` of the script that recorded the conversations: no order of applications, instances and
//! members, and of error documents only that there is one. It may not excuse a difference.

use std::collections::BTreeSet;

use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use serde_json::{Value, json};

use crate::normalise::normalised;
use crate::recording::Exchange;

/// The statuses whose bodies mean something.
const TELLING: [u16; 3] = [200, 400, 409];

/// An answer without what nobody can rely on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Meaning {
    pub(crate) status: u16,
    /// Without parameters.
    pub(crate) content_type: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) allow: BTreeSet<String>,
    pub(crate) has_body: bool,
    /// JSON as it is; an XML element as `[tag, attributes, text, children]`; any other text as a string; null for a
    /// body that tells nothing.
    pub(crate) body: Value,
}

impl Meaning {
    /// What `exchange` answers.
    pub(crate) fn of(exchange: &Exchange) -> Self {
        let content_type = exchange.header("content-type");
        let first = |value: &str| value.split(';').next().unwrap_or_default().to_owned();
        let allow = exchange.header("allow").unwrap_or_default();
        let told = TELLING.contains(&exchange.status) && !exchange.body.is_empty();
        Self {
            status: exchange.status,
            content_type: content_type.map(first),
            content_encoding: exchange.header("content-encoding").map(str::to_owned),
            allow: allow
                .split(',')
                .map(|method| method.trim().to_owned())
                .filter(|m| !m.is_empty())
                .collect(),
            has_body: !exchange.body.is_empty(),
            body: if told {
                document(&normalised(exchange))
            } else {
                Value::Null
            },
        }
    }

    /// The same without any order: two of these are equal if they mean the same.
    pub(crate) fn unordered(mut self) -> Self {
        sort(&mut self.body);
        self
    }
}

fn document(text: &str) -> Value {
    match text.as_bytes().first() {
        Some(b'{') => serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")),
        Some(b'<') => element(text),
        _ => Value::from(text),
    }
}

/// Object keys are sorted already: `Value` keeps them so.
fn sort(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(sort);
            // An element's four parts have their places.
            if !matches!(
                items.as_slice(),
                [
                    Value::String(_),
                    Value::Object(_),
                    Value::String(_),
                    Value::Array(_)
                ]
            ) {
                items.sort_by_key(Value::to_string);
            }
        }
        Value::Object(members) => members.values_mut().for_each(sort),
        _ => {}
    }
}

/// The root element of an XML document.
fn element(text: &str) -> Value {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Value> = vec![opened("", &json!({}))];
    loop {
        match reader
            .read_event()
            .unwrap_or_else(|error| panic!("{error}: {text}"))
        {
            Event::Start(start) => open.push(opened(start.name().as_ref(), &attributes(&start))),
            Event::Empty(start) => {
                let empty = opened(start.name().as_ref(), &attributes(&start));
                add_child(&mut open, empty);
            }
            Event::End(_) => {
                let closed = open.pop().expect("an end has a start");
                add_child(&mut open, closed);
            }
            Event::Text(part) => add_text(&mut open, &part),
            Event::GeneralRef(part) => {
                let character = part
                    .resolve_char_ref()
                    .expect("a reference")
                    .map(String::from);
                let entity = || {
                    resolve_xml_entity(&part)
                        .expect("one of XML's five")
                        .to_owned()
                };
                add_text(&mut open, &character.unwrap_or_else(entity));
            }
            Event::Eof => return trimmed(open.remove(0)[3][0].take()),
            _ => {}
        }
    }
}

fn opened(tag: &str, attributes: &Value) -> Value {
    json!([tag, attributes, "", []])
}

fn attributes(start: &BytesStart<'_>) -> Value {
    let attributes = start
        .attributes()
        .map(|attribute| attribute.expect("an attribute"));
    let pair = |a: quick_xml::events::attributes::Attribute<'_>| {
        (a.key.as_ref().to_owned(), Value::from(a.value.into_owned()))
    };
    Value::Object(attributes.map(pair).collect())
}

fn add_child(open: &mut [Value], child: Value) {
    let parent = open.last_mut().expect("the document holds the root");
    parent[3].as_array_mut().unwrap().push(child);
}

/// Text counts up to an element's first child, as in `ElementTree`.
fn add_text(open: &mut [Value], part: &str) {
    let parent = open.last_mut().expect("the document holds the root");
    if parent[3] == json!([]) {
        let text = parent[2].as_str().unwrap().to_owned() + part;
        parent[2] = Value::from(text);
    }
}

fn trimmed(mut element: Value) -> Value {
    element[2] = Value::from(element[2].as_str().unwrap().trim());
    let children = element[3].as_array_mut().unwrap();
    children
        .iter_mut()
        .for_each(|child| *child = trimmed(child.take()));
    element
}

#[test]
fn order_means_nothing_and_everything_else_does() {
    let meaning = |body: &str| {
        let mut exchange = crate::recording::exchanges(crate::recording::RECORDINGS[0].1).remove(0);
        exchange.body = body.to_owned();
        Meaning::of(&exchange).unordered()
    };
    let same = [
        (
            r#"{"a":[{"x":1},{"x":2}],"b":0}"#,
            r#"{"b":0,"a":[{"x":2},{"x":1}]}"#,
        ),
        (
            "<a><b>1</b><c d=\"e\"/></a>",
            "<a>\n  <c d=\"e\"></c>\n  <b>1</b>\n</a>",
        ),
    ];
    for (one, two) in same {
        assert_eq!(meaning(one), meaning(two));
    }
    let others = [
        (r#"{"a":[1,1]}"#, r#"{"a":[1]}"#),
        (r#"{"a":"1"}"#, r#"{"a":1}"#),
        ("<a><b>1</b></a>", "<a><b>2</b></a>"),
        ("<a b=\"1\"/>", "<a b=\"2\"/>"),
        ("<a>&lt;</a>", "<a>&gt;</a>"),
        ("<a>b c</a>", "<b>a c</b>"),
    ];
    for (one, two) in others {
        assert_ne!(meaning(one), meaning(two));
    }
}
