//! What a released server accepts, we accept, and make the same of it.
//!
//! Each row was sent to Spring Cloud Netflix 5.0.2 (Eureka 2.0.6) and is what it showed afterwards; five hundred
//! bodies of the generated family were answered 204 there, each.
//! Where ours is more lenient or says otherwise on purpose is in `lenient_input` and `refusals`.

use eureka_raft::registry::{DataCenter, Instance, InstanceStatus, LeaseTerms, Port};
use eureka_raft::wire::{self, Format};
use proptest::prelude::*;

use crate::support::{MINIMAL_JSON, MINIMAL_XML, json, xml_with};

fn with(field: &str) -> Instance {
    json(&format!("{MINIMAL_JSON},{field}")).expect(field)
}

fn duration(instance: &Instance) -> u32 {
    instance.lease.duration_secs
}

#[test]
fn integers_in_strings_are_read_as_jackson_reads_them() {
    // Text, what a port makes of it: whole digits out of range are garbage, decimals the nearest.
    let rows = [
        ("8080", 8080),
        (" 80 ", 80),
        ("+5", 5),
        ("-1", -1),
        ("80.9", 80),
        ("1e3", 1000),
        ("1e300", i32::MAX),
        ("99999999999", 0),
        ("0x50", 0),
        ("abc", 0),
        ("", 0),
    ];
    for (text, expected) in rows {
        let port = with(&format!(r#""port":{{"$":"{text}"}}"#)).port;
        assert_eq!(port.number, expected, "{text:?}");
        let country = with(&format!(r#""countryId":"{text}""#)).country_id;
        assert_eq!(country, expected, "{text:?}");
    }
    for (flag, expected) in [("true", 1), ("false", 0)] {
        let port = with(&format!(r#""port":{{"$":{flag}}}"#)).port;
        assert_eq!(port.number, expected, "{flag}");
    }
}

#[test]
fn lease_terms_in_strings_are_read_as_jackson_reads_them() {
    let rows = [
        (r#""40""#, 40),
        (r#"" 5 ""#, 5),
        (r#""5.9""#, 5),
        (r#""2147483648""#, 90),
        (r#""1e300""#, 2_147_483_647),
        ("true", 1),
        ("false", 90),
    ];
    for (value, expected) in rows {
        let found = with(&format!(r#""leaseInfo":{{"durationInSecs":{value}}}"#));
        assert_eq!(duration(&found), expected, "{value}");
    }
}

#[test]
fn times_in_strings_are_read_as_jackson_reads_them() {
    let rows = [
        (r#""x""#, 0),
        (r#""""#, 0),
        (r#""0x5""#, 0),
        (r#"" 5 ""#, 5),
        (r#""+5""#, 5),
        (r#""9223372036854775808""#, 0),
        (r#""1e300""#, i64::MAX.unsigned_abs()),
        ("true", 1),
        ("false", 0),
        ("9223372036854775807", i64::MAX.unsigned_abs()),
    ];
    for (value, expected) in rows {
        let found = with(&format!(r#""lastDirtyTimestamp":{value}"#));
        assert_eq!(found.last_dirty_ms, Some(expected), "{value}");
    }
}

#[test]
fn a_flag_that_is_no_word_is_false_and_a_number_is_true() {
    let rows = [
        ("1", true),
        ("2", true),
        ("0", false),
        (r#""1""#, false),
        (r#""yes""#, false),
        (r#""""#, false),
        (r#"" true ""#, true),
    ];
    for (value, expected) in rows {
        let found = with(&format!(r#""port":{{"$":1,"@enabled":{value}}}"#));
        assert_eq!(found.port.enabled, expected, "{value}");
    }
}

#[test]
fn an_xml_port_is_on_unless_it_says_false_and_a_secure_one_off_unless_it_says_true() {
    let rows = [
        ("true", true, true),
        ("false", false, false),
        ("yes", true, false),
        ("0", true, false),
        ("", true, false),
    ];
    for (word, plain, secure) in rows {
        let elements = format!(
            r#"<port enabled="{word}">1</port><securePort enabled="{word}">2</securePort>"#
        );
        let found = xml_with(&elements).expect(word);
        let enabled = |number, enabled| Port { number, enabled };
        assert_eq!(found.port, enabled(1, plain), "{word:?}");
        assert_eq!(found.secure_port, enabled(2, secure), "{word:?}");
    }
}

#[test]
fn null_leaves_what_was_said_before() {
    let fields = [
        r#""metadata":{"a":"1"},"metadata":null"#,
        r#""metadata":{"a":"1"},"leaseInfo":{"durationInSecs":5},"leaseInfo":null"#,
        r#""metadata":{"a":"1"},"dataCenterInfo":null"#,
        r#""metadata":{"a":"1"},"port":null,"status":null,"vipAddress":null"#,
    ];
    for field in fields {
        let found = with(field);
        assert_eq!(found.metadata.len(), 1, "{field}");
        assert_eq!(found.data_center, DataCenter::MyOwn, "{field}");
    }
    assert_eq!(duration(&with(fields[1])), 5);
}

#[test]
fn an_empty_host_name_leaves_the_one_before() {
    let in_json = with(r#""hostName":"""#);
    let in_xml = xml_with("<hostName>h</hostName><hostName/>").unwrap();
    assert_eq!((&*in_json.host_name, &*in_xml.host_name), ("h", "h"));
}

#[test]
fn a_data_center_may_be_named_by_its_place_and_amazon_by_its_class() {
    const AMAZON: &str = r#""@class":"com.netflix.appinfo.AmazonInfo""#;
    let rows = [
        (r#""name":0"#.to_owned(), DataCenter::Netflix),
        (r#""name":"2""#.to_owned(), DataCenter::MyOwn),
        (r#""name":" MyOwn""#.to_owned(), DataCenter::MyOwn),
        (format!(r#"{AMAZON},"metadata":{{}}"#), amazon("h")),
        (
            format!(r#"{AMAZON},"name":"MyOwn","metadata":{{"instance-id":"i"}}"#),
            amazon("i"),
        ),
    ];
    for (center, expected) in rows {
        let found = with(&format!(r#""dataCenterInfo":{{{center}}}"#));
        assert_eq!(found.data_center, expected, "{center}");
    }
}

fn amazon(id: &str) -> DataCenter {
    DataCenter::Amazon(vec![("instance-id".into(), id.into())])
}

#[test]
fn xml_between_and_inside_texts_is_passed_over() {
    let plain = xml_with("").unwrap();
    for between in ["text", "<![CDATA[t]]>", "&#32;", "&amp;", "<u>t<v/></u>"] {
        assert_eq!(xml_with(between).unwrap(), plain, "{between}");
    }
    let rows = [
        ("<sid>a<b>x</b>c</sid>", "ac"),
        ("<sid><b>x</b></sid>", ""),
        ("<sid><b>x</b>c</sid>", "c"),
        ("<sid a='b'>s</sid>", "s"),
    ];
    for (element, expected) in rows {
        let found = xml_with(element).unwrap();
        assert_eq!(found.sid.as_deref(), Some(expected), "{element}");
    }
    let metadata = xml_with(
        "<metadata>text<a>x<b>c</b>y</a><d class='z'>e</d></metadata><leaseInfo>text</leaseInfo>",
    )
    .unwrap();
    let entries = [("a", "xy"), ("d", "e")].map(|(key, value)| (key.into(), value.into()));
    assert_eq!(metadata.metadata, entries);
    assert_eq!(metadata.lease, LeaseTerms::default());
}

#[test]
fn an_xml_root_may_be_the_class_itself() {
    let name = "com.netflix.appinfo.InstanceInfo";
    for attributes in ["", " a='b'", " xmlns='urn:x'"] {
        let body = format!("<{name}{attributes}>{MINIMAL_XML}</{name} >");
        let found = wire::decode_registration(Format::Xml, body.as_bytes(), "A");
        assert_eq!(found, xml_with(""), "{body}");
    }
}

/// A value of a scalar field, as a released server takes it in every such field but `port`s and times.
fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9 _.:/-]{0,12}".prop_map(|text| format!("{text:?}")),
        any::<i32>().prop_map(|number| number.to_string()),
        any::<i32>().prop_map(|number| format!("\"{number}\"")),
        (-1.0e9..1.0e9).prop_map(|number: f64| number.to_string()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("null".to_owned()),
        Just(r#""\u00e4\n\"\ud83d\ude42""#.to_owned()),
    ]
}

/// A field that every client may send in any of these forms, seen to be 204 there.
fn field() -> impl Strategy<Value = String> {
    let texts = prop::sample::select(vec![
        "sid",
        "homePageUrl",
        "statusPageUrl",
        "healthCheckUrl",
        "secureHealthCheckUrl",
        "vipAddress",
        "secureVipAddress",
        "asgName",
        "appGroupName",
        "status",
        "overriddenStatus",
        "overriddenstatus",
        "countryId",
        "isCoordinatingDiscoveryServer",
        "lastUpdatedTimestamp",
        "unknown",
        "Port",
        "name",
    ]);
    let ports = prop::sample::select(vec!["port", "securePort"]);
    let port = prop_oneof![
        (scalar(), scalar()).prop_map(|(n, e)| format!(r#"{{"$":{n},"@enabled":{e}}}"#)),
        (scalar(), scalar()).prop_map(|(n, e)| format!(r#"{{"@enabled":{e},"$":{n}}}"#)),
        Just("{}".to_owned()),
        Just("null".to_owned()),
    ];
    let lease = (scalar(), scalar(), scalar()).prop_map(|(one, two, three)| {
        format!(
            r#""leaseInfo":{{"renewalIntervalInSecs":{one},"durationInSecs":{two},"evictionTimestamp":{three}}}"#
        )
    });
    let metadata = prop::collection::vec(("[a-z@_$ .:-]{0,8}", scalar()), 0..5).prop_map(|map| {
        let entries = map.iter().map(|(key, value)| format!("{key:?}:{value}"));
        format!(
            r#""metadata":{{{}}}"#,
            entries.collect::<Vec<_>>().join(",")
        )
    });
    // A negative one is refused: row D-35 of docs/compatibility.md.
    let time = prop_oneof![
        any::<u32>().prop_map(|time| format!(r#""lastDirtyTimestamp":{time}"#)),
        any::<u32>().prop_map(|time| format!(r#""lastDirtyTimestamp":"{time}""#)),
        "[a-z .:x]{0,9}".prop_map(|time| format!(r#""lastDirtyTimestamp":"{time}""#)),
        (0.0..1.0e15).prop_map(|time: f64| format!(r#""lastDirtyTimestamp":{time}"#)),
    ];
    prop_oneof![
        1 => time,
        4 => (texts, scalar()).prop_map(|(name, value)| format!("\"{name}\":{value}")),
        2 => (ports, port).prop_map(|(name, value)| format!("\"{name}\":{value}")),
        1 => lease,
        1 => metadata,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whatever_clients_write_in_any_form_is_accepted(fields in prop::collection::vec(field(), 0..8)) {
        let body = [&[MINIMAL_JSON.to_owned()][..], &fields].concat().join(",");
        let found = json(&body);
        prop_assert!(found.is_ok(), "{:?} for {}", found, body);
    }
}

#[test]
fn a_status_that_is_none_is_unknown_and_still_registers() {
    for value in [r#""bogus""#, "7", "true", r#""""#] {
        let found = with(&format!(r#""status":{value}"#));
        assert_eq!(found.status, InstanceStatus::Unknown, "{value}");
    }
}
