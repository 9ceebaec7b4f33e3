//! What we write we read back, and every reader can parse it, for arbitrary instances.

use eureka_raft::registry::{
    AppName, DataCenter, Instance, InstanceId, InstanceStatus, LeaseTerms, Port, Record,
};
use eureka_raft::wire::{self, ApplicationsHeader, Form, Format};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use quick_xml::events::Event;
use quick_xml::reader::Reader;

use crate::support::{list, record, text};

type Entries = Vec<(Box<str>, Box<str>)>;

/// Any text, often with what is special in XML, JSON, XStream's names or Java's strings.
fn any_text() -> BoxedStrategy<String> {
    let letter = prop_oneof![
        4 => prop::char::range('a', 'z'),
        4 => prop::sample::select(r#"_$:.-@ <>&"'/\0{}[],"#.chars().collect::<Vec<_>>()),
        1 => prop::sample::select(vec!['\t', '\n', '\r', '\0', '\u{1}', '\u{1f}', '\u{7f}', '\u{85}',
            '\u{2028}', '\u{d7ff}', '\u{e000}', '\u{fffd}', '\u{fffe}', '\u{ffff}', '\u{10000}']),
        2 => any::<char>(),
    ];
    vec(letter, 0..12)
        .prop_map(|letters| letters.into_iter().collect())
        .boxed()
}

/// A text that XML can say.
fn xml_text() -> BoxedStrategy<String> {
    any_text()
        .prop_map(|text| text.chars().filter(|letter| is_xml(*letter)).collect())
        .boxed()
}

fn is_xml(letter: char) -> bool {
    let code = u32::from(letter);
    (code >= 0x20 || "\t\n\r".contains(letter)) && code != 0xfffe && code != 0xffff
}

/// An application name or an instance id: not blank, no control characters.
fn name(text: BoxedStrategy<String>) -> BoxedStrategy<String> {
    text.prop_map(|text| {
        let kept: String = text.chars().filter(|letter| !letter.is_control()).collect();
        format!("n{kept}")
    })
    .boxed()
}

fn status() -> impl Strategy<Value = InstanceStatus> {
    prop::sample::select(InstanceStatus::ALPHABETIC.to_vec())
}

fn port() -> impl Strategy<Value = Port> {
    (any::<i32>(), any::<bool>()).prop_map(|(number, enabled)| Port { number, enabled })
}

fn entries(text: BoxedStrategy<String>) -> impl Strategy<Value = Entries> {
    vec((text.clone(), text), 0..6).prop_map(|pairs| {
        let mut entries = Entries::new();
        for (key, value) in pairs {
            let known = entries.iter().any(|(known, _)| **known == *key);
            if !known && !key.is_empty() && key != "@class" {
                entries.push((key.into(), value.into()));
            }
        }
        entries
    })
}

fn data_center(text: BoxedStrategy<String>) -> impl Strategy<Value = DataCenter> {
    let amazon = entries(text).prop_map(|mut entries| {
        entries.push(("instance-id".into(), "i-1".into()));
        DataCenter::Amazon(entries)
    });
    prop_oneof![Just(DataCenter::MyOwn), Just(DataCenter::Netflix), amazon,]
}

/// Any instance whose strings are of `text`.
fn instance(text: BoxedStrategy<String>) -> impl Strategy<Value = Instance> {
    let seconds = || 1..=i32::MAX.unsigned_abs();
    let boxed = |text: String| text.into_boxed_str();
    let optional = vec(option::of(text.clone().prop_map(boxed)), 9);
    let filled = name(text.clone()).prop_map(boxed).boxed();
    let core = (
        name(text.clone()),
        name(text.clone()),
        filled.clone(),
        filled,
    );
    let states = (status(), status(), port(), port(), any::<i32>());
    let lease = (seconds(), seconds());
    let maps = (data_center(text.clone()), entries(text));
    let stamp = 0..=i64::MAX.unsigned_abs();
    (core, states, lease, maps, optional, stamp).prop_map(
        |(core, states, lease, (data_center, metadata), mut optional, stamp)| {
            let (id, app, host_name, ip_addr) = core;
            let (status, overridden, port, secure_port, country_id) = states;
            let mut next = || optional.pop().flatten();
            Instance {
                id: InstanceId::new(&id),
                app: AppName::new(&app),
                host_name,
                ip_addr,
                sid: next().filter(|sid| &**sid != "na"),
                status,
                overridden,
                port,
                secure_port,
                country_id,
                data_center,
                lease: LeaseTerms {
                    renewal_interval_secs: lease.0,
                    duration_secs: lease.1,
                },
                metadata,
                app_group_name: next().map(|group| group.to_uppercase().into()),
                home_page_url: next(),
                status_page_url: next(),
                health_check_url: next(),
                secure_health_check_url: next(),
                vip_address: next(),
                secure_vip_address: next(),
                asg_name: next(),
                last_dirty_ms: Some(stamp),
            }
        },
    )
}

/// Two arbitrary instances, as one application in a list of this form, and one of them alone.
fn documents(format: Format, form: Form, one: &Record, two: &Record) -> [String; 2] {
    let header = ApplicationsHeader {
        version: "1",
        hash_code: "UP_1_",
    };
    let app = one.instance.app.as_str();
    let both = [(app, vec![one.clone(), two.clone()])];
    let single = text(wire::instance_document(format, one, 1));
    [list(format, form, &header, &both), single]
}

/// Parses XML with every check the parser has, and every character and reference by hand.
fn assert_well_formed(document: &str) {
    assert!(
        document.chars().all(is_xml),
        "an illegal character in {document}"
    );
    let mut reader = Reader::from_str(document);
    reader.config_mut().enable_all_checks(true);
    let mut depth = 0_usize;
    loop {
        let event = reader.read_event();
        match event.unwrap_or_else(|error| panic!("{error} in {document}")) {
            Event::Start(element) => {
                assert_name(element.name().as_ref(), document);
                assert!(element.attributes().all(|attribute| attribute.is_ok()));
                depth += 1;
            }
            Event::End(_) => depth -= 1,
            Event::Empty(element) => assert_name(element.name().as_ref(), document),
            Event::GeneralRef(reference) => assert!(is_needed(&reference), "{reference:?}"),
            Event::Text(text) => assert!(!text.contains("]]>"), "{document}"),
            Event::Eof => break,
            other => panic!("{other:?} in {document}"),
        }
    }
    assert_eq!(depth, 0, "{document}");
}

/// Whether XStream writes a reference for this: markup, a carriage return, and what controls since U+007F.
fn is_needed(reference: &str) -> bool {
    let number = reference
        .strip_prefix("#x")
        .and_then(|hex| u32::from_str_radix(hex, 16).ok());
    match number {
        Some(number) => number == 0xd || (0x7f..=0x9f).contains(&number),
        None => ["amp", "lt", "gt", "quot", "apos"].contains(&reference),
    }
}

/// A name without a namespace prefix, as both editions of XML 1.0 allow it.
fn assert_name(name: &str, document: &str) {
    let mut letters = name.chars();
    let first = letters.next().expect("a name is not empty");
    assert!(
        first == '_' || first.is_alphabetic(),
        "{name:?} in {document}"
    );
    let inner = |letter: char| "_-.".contains(letter) || letter.is_alphanumeric();
    assert!(letters.all(inner), "{name:?} in {document}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn json_is_read_back_as_it_was_written(sent in instance(any_text())) {
        let document = wire::instance_document(Format::Json, &record(sent.clone()), 1);
        let read = wire::decode_registration(Format::Json, &document, sent.app.as_str());
        prop_assert_eq!(read, Ok(sent));
    }

    #[test]
    fn xml_is_read_back_as_it_was_written(sent in instance(xml_text())) {
        let document = wire::instance_document(Format::Xml, &record(sent.clone()), 1);
        let read = wire::decode_registration(Format::Xml, &document, sent.app.as_str());
        prop_assert_eq!(read, Ok(sent));
    }

    #[test]
    fn every_xml_document_is_well_formed(one in instance(any_text()), two in instance(any_text())) {
        let (one, two) = (record(one), record(two));
        for form in [Form::Full, Form::Compact] {
            for document in documents(Format::Xml, form, &one, &two) {
                assert_well_formed(&document);
            }
        }
    }

    #[test]
    fn every_json_document_is_valid(one in instance(any_text()), two in instance(any_text())) {
        let (one, two) = (record(one), record(two));
        for form in [Form::Full, Form::Compact] {
            for document in documents(Format::Json, form, &one, &two) {
                let parsed: serde_json::Value = serde_json::from_str(&document).unwrap();
                let shown = &parsed["applications"]["application"][0]["instance"];
                if !shown.is_null() {
                    prop_assert_eq!(shown[0]["instanceId"].as_str(), Some(one.instance.id.as_str()));
                    prop_assert_eq!(shown[1]["hostName"].as_str(), Some(&*two.instance.host_name));
                }
                prop_assert!(!document.contains(":null"), "never null: {}", document);
            }
        }
    }
}
