//! What is understood although it is odd: the bodies that some client sends, row by row.

use eureka_raft::registry::{DataCenter, Instance, InstanceStatus, LeaseTerms, Port};
use eureka_raft::wire::{self, Format};

use crate::support::{MINIMAL_JSON, MINIMAL_XML, json, json_with, xml, xml_with};

/// Decodes a minimal body followed by `field`.
fn with(field: &str) -> Instance {
    json(&format!("{MINIMAL_JSON},{field}")).expect(field)
}

fn entries(metadata: &[(Box<str>, Box<str>)]) -> Vec<(&str, &str)> {
    metadata
        .iter()
        .map(|(key, value)| (&**key, &**value))
        .collect()
}

#[test]
fn a_minimal_body_gets_eurekas_defaults_in_both_formats() {
    let bodies = [json(MINIMAL_JSON).unwrap(), xml(MINIMAL_XML).unwrap()];
    for minimal in bodies {
        assert_eq!(minimal.id.as_str(), "h");
        assert_eq!(minimal.status, InstanceStatus::Up);
        assert_eq!(minimal.overridden, InstanceStatus::Unknown);
        assert_eq!(minimal.port, port(7001, true));
        assert_eq!(minimal.secure_port, port(7002, false));
        assert_eq!(minimal.country_id, 1);
        assert_eq!(minimal.lease, lease(30, 90));
        assert_eq!(minimal.data_center, DataCenter::MyOwn);
        assert_eq!(minimal.last_dirty_ms, None);
        assert!(minimal.metadata.is_empty());
        assert_eq!((minimal.sid, minimal.vip_address), (None, None));
    }
}

fn port(number: i32, enabled: bool) -> Port {
    Port { number, enabled }
}

fn lease(renewal_interval_secs: u32, duration_secs: u32) -> LeaseTerms {
    LeaseTerms {
        renewal_interval_secs,
        duration_secs,
    }
}

#[test]
fn ports_are_read_as_clients_write_them() {
    let rows = [
        (r#"{"$":8080,"@enabled":"true"}"#, port(8080, true)),
        (r#"{"@enabled":"false","$":"8080"}"#, port(8080, false)),
        (r#"{"$":8080,"@enabled":false}"#, port(8080, false)),
        (r#"{"$":8080,"@enabled":"False"}"#, port(8080, false)),
        (r#"{"$":8080,"@enabled":"TRUE"}"#, port(8080, true)),
        (r#"{"$":8080,"@enabled":1}"#, port(8080, true)),
        (r#"{"$":8080,"@enabled":0}"#, port(8080, false)),
        (r#"{"$":8080,"@enabled":"maybe"}"#, port(8080, false)),
        (r#"{"$":null,"@enabled":null}"#, port(0, false)),
        (r#"{"$":"abc"}"#, port(0, true)),
        (r#"{"$":""}"#, port(0, true)),
        (r#"{"$":"inf"}"#, port(0, true)),
        (r#"{"$":8080.9}"#, port(8080, true)),
        (r#"{"$":-1}"#, port(-1, true)),
        (r#"{"port":1,"enabled":true}"#, port(7001, true)),
        (r#"{"$":8080,"x":{"$":1},"y":[1]}"#, port(8080, true)),
        (r#"{"$":1,"$":2}"#, port(2, true)),
        ("{}", port(7001, true)),
        ("null", port(7001, true)),
        ("8080", port(8080, true)),
        ("\"8080\"", port(8080, true)),
    ];
    for (value, expected) in rows {
        let field = format!(r#""port":{value}"#);
        assert_eq!(with(&field).port, expected, "{value}");
    }
    assert_eq!(with(r#""securePort":{"$":1}"#).secure_port, port(1, false));
    assert_eq!(with(r#""securePort":9443"#).secure_port, port(9443, false));
}

#[test]
fn xml_ports_are_read_as_clients_write_them() {
    let rows = [
        (r#"<port enabled="true">8080</port>"#, port(8080, true)),
        (r#"<port enabled='FALSE'>8080</port>"#, port(8080, false)),
        ("<port>8080</port>", port(8080, true)),
        ("<port enabled=\"yes\">1</port>", port(1, true)),
        ("<port enabled=\"\">1</port>", port(1, true)),
        (r#"<port x="1" enabled="false">1</port>"#, port(1, false)),
    ];
    for (element, expected) in rows {
        assert_eq!(xml_with(element).unwrap().port, expected, "{element}");
    }
    for element in [
        "<securePort>8443</securePort>",
        "<securePort enabled=\"yes\">8443</securePort>",
    ] {
        assert_eq!(xml_with(element).unwrap().secure_port, port(8443, false));
    }
}

#[test]
fn statuses_are_read_in_any_case_and_unknown_ones_are_unknown() {
    let rows = [
        ("UP", InstanceStatus::Up),
        ("up", InstanceStatus::Up),
        ("Out_Of_Service", InstanceStatus::OutOfService),
        ("STARTING", InstanceStatus::Starting),
        ("DOWN", InstanceStatus::Down),
        ("UNKNOWN", InstanceStatus::Unknown),
        ("bogus", InstanceStatus::Unknown),
        ("", InstanceStatus::Unknown),
    ];
    for (word, expected) in rows {
        let in_json = with(&format!(r#""status":"{word}""#));
        let in_xml = xml_with(&format!("<status>{word}</status>")).unwrap();
        assert_eq!(in_json.status, expected, "{word}");
        assert_eq!(in_xml.status, expected, "{word}");
    }
    assert_eq!(with(r#""status":null"#).status, InstanceStatus::Up);
    assert_eq!(with(r#""status":7"#).status, InstanceStatus::Unknown);
}

#[test]
fn of_both_spellings_of_the_override_the_last_wins() {
    let down = InstanceStatus::Down;
    for field in [
        r#""overriddenStatus":"DOWN""#,
        r#""overriddenstatus":"DOWN""#,
        r#""overriddenStatus":"UP","overriddenstatus":"DOWN""#,
        r#""overriddenstatus":"UP","overriddenStatus":"DOWN""#,
        r#""overriddenstatus":"DOWN","overriddenStatus":null"#,
    ] {
        assert_eq!(with(field).overridden, down, "{field}");
    }
    let elements =
        "<overriddenStatus>UP</overriddenStatus><overriddenstatus>DOWN</overriddenstatus>";
    assert_eq!(xml_with(elements).unwrap().overridden, down);
    let empty = with(r#""overriddenstatus":"""#);
    assert_eq!(empty.overridden, InstanceStatus::Unknown);
}

#[test]
fn lease_terms_are_read_from_numbers_and_texts() {
    let rows = [
        (
            r#"{"renewalIntervalInSecs":10,"durationInSecs":40}"#,
            lease(10, 40),
        ),
        (
            r#"{"renewalIntervalInSecs":"10","durationInSecs":"40"}"#,
            lease(10, 40),
        ),
        (
            r#"{"renewalIntervalInSecs":0,"durationInSecs":-5}"#,
            lease(30, 90),
        ),
        (
            r#"{"renewalIntervalInSecs":null,"durationInSecs":"x"}"#,
            lease(30, 90),
        ),
        (
            r#"{"durationInSecs":40.9,"x":{"durationInSecs":1}}"#,
            lease(30, 40),
        ),
        (r#"{"durationInSecs":2147483647}"#, lease(30, 2_147_483_647)),
        (
            r#"{"registrationTimestamp":"junk","lastRenewalTimestamp":99999999999999999999}"#,
            lease(30, 90),
        ),
        ("{}", lease(30, 90)),
        ("null", lease(30, 90)),
    ];
    for (value, expected) in rows {
        let field = format!(r#""leaseInfo":{value}"#);
        assert_eq!(with(&field).lease, expected, "{value}");
    }
    let rows = [
        ("<durationInSecs>40</durationInSecs>", lease(30, 40)),
        ("<durationInSecs>x</durationInSecs>", lease(30, 90)),
        ("<durationInSecs/>", lease(30, 90)),
        ("<x><durationInSecs>1</durationInSecs></x>", lease(30, 90)),
    ];
    for (element, expected) in rows {
        let found = xml_with(&format!("<leaseInfo>{element}</leaseInfo>")).unwrap();
        assert_eq!(found.lease, expected, "{element}");
    }
}

#[test]
fn timestamps_are_read_from_numbers_and_texts() {
    let rows = [
        ("1700000000000", Some(1_700_000_000_000)),
        ("\"1700000000000\"", Some(1_700_000_000_000)),
        ("1.7e12", Some(1_700_000_000_000)),
        ("1700000000000.9", Some(1_700_000_000_000)),
        ("0", Some(0)),
        // Jackson reads garbage as 0: older than any other.
        ("\"\"", Some(0)),
        ("\"soon\"", Some(0)),
        ("\"NaN\"", Some(0)),
        ("\"10000000000000000000\"", Some(0)),
        ("\"1e30\"", Some(9_223_372_036_854_775_807)),
        ("true", Some(1)),
        ("false", Some(0)),
        ("null", None),
    ];
    for (value, expected) in rows {
        let field = format!(r#""lastDirtyTimestamp":{value}"#);
        assert_eq!(with(&field).last_dirty_ms, expected, "{value}");
    }
    let in_xml = xml_with("<lastDirtyTimestamp>5</lastDirtyTimestamp>").unwrap();
    assert_eq!(in_xml.last_dirty_ms, Some(5));
    let empty = xml_with("<lastDirtyTimestamp/>").unwrap();
    assert_eq!(empty.last_dirty_ms, None);
}

#[test]
fn metadata_values_become_text_as_they_were_written() {
    let found = with(
        r#""metadata":{"@class":"x","a":1,"b":true,"c":1.10,"d":"s","e":null,"f":1e3,"a":"\u00e4\n"}"#,
    );
    assert_eq!(
        entries(&found.metadata),
        [
            ("a", "ä\n"),
            ("b", "true"),
            ("c", "1.10"),
            ("d", "s"),
            ("f", "1e3")
        ]
    );
    for empty in [
        "null",
        "{}",
        r#"{"@class":"java.util.Collections$EmptyMap"}"#,
    ] {
        assert!(with(&format!(r#""metadata":{empty}"#)).metadata.is_empty());
    }
    let replaced = with(r#""metadata":{"a":"1"},"metadata":{"b":"2"}"#);
    assert_eq!(entries(&replaced.metadata), [("b", "2")]);
}

#[test]
fn unknown_fields_are_skipped_whole_wherever_they_stand() {
    for junk in [
        r#""u":1"#,
        r#""u":"x""#,
        r#""u":[1,{"status":"DOWN"}]"#,
        r#""u":{"status":"DOWN","instance":{"app":"B"}}"#,
        r#""actionType":{"a":[]}"#,
        r#""isCoordinatingDiscoveryServer":true"#,
        r#""lastUpdatedTimestamp":"junk""#,
    ] {
        let first = json_with(junk).expect(junk);
        let last = with(junk);
        let without = json(MINIMAL_JSON).unwrap();
        assert_eq!((&first, &last), (&without, &without), "{junk}");
    }
    let junk = "<u>t<status>DOWN</status><!-- c --><![CDATA[d]]>&amp;</u><actionType/>";
    assert_eq!(xml_with(junk).unwrap(), xml(MINIMAL_XML).unwrap());
}

#[test]
fn the_effective_id_falls_back_to_amazons_and_the_host() {
    let amazon = r#""dataCenterInfo":{"name":"Amazon","metadata":{"instance-id":"i-1"}}"#;
    let both = format!(r#"{amazon},"instanceId":"own""#);
    assert_eq!(with(&both).id.as_str(), "own");
    assert_eq!(with(amazon).id.as_str(), "i-1");
    let empty = format!(r#"{amazon},"instanceId":"""#);
    assert_eq!(with(&empty).id.as_str(), "i-1");
    assert_eq!(with(r#""instanceId":"""#).id.as_str(), "h");
    assert_eq!(with(r#""instanceId":null"#).id.as_str(), "h");
    assert_eq!(with(r#""instanceId":77"#).id.as_str(), "77");
    let metadata = with(r#""metadata":{"instanceId":"m"}"#);
    assert_eq!(metadata.id.as_str(), "h", "metadata is metadata");
}

#[test]
fn amazon_is_amazon_by_name_alone_and_gets_an_instance_id() {
    let rows = [
        r#"{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"Amazon"}"#,
        r#"{"name":"Amazon","metadata":null}"#,
        r#"{"name":"Amazon","metadata":{"@class":"x"}}"#,
        r#"{"metadata":{},"name":"Amazon","x":[{}]}"#,
    ];
    for center in rows {
        let found = with(&format!(r#""dataCenterInfo":{center}"#));
        let DataCenter::Amazon(metadata) = &found.data_center else {
            panic!("{center}");
        };
        assert_eq!(entries(metadata), [("instance-id", "h")], "{center}");
    }
    let kept = with(r#""dataCenterInfo":{"metadata":{"b":1,"instance-id":""},"name":"Amazon"}"#);
    let DataCenter::Amazon(metadata) = &kept.data_center else {
        panic!("not Amazon");
    };
    assert_eq!(entries(metadata), [("b", "1"), ("instance-id", "")]);
}

#[test]
fn other_data_centers_drop_their_metadata_unread() {
    for center in [
        r#"{"name":"MyOwn"}"#,
        r#"{"@class":"com.example.Unknown","name":"MyOwn","x":{"y":[]}}"#,
        r#"{"name":"MyOwn","metadata":{"a":{"b":[]}}}"#,
        r#"{"metadata":[],"name":"MyOwn"}"#,
    ] {
        let found = with(&format!(r#""dataCenterInfo":{center}"#));
        assert_eq!(found.data_center, DataCenter::MyOwn, "{center}");
    }
    let netflix = with(r#""dataCenterInfo":{"name":"Netflix"}"#);
    assert_eq!(netflix.data_center, DataCenter::Netflix);
    let center = |inner: &str| {
        let element = format!("<dataCenterInfo>{inner}</dataCenterInfo>");
        let body = format!("{MINIMAL_XML}{element}");
        xml(&body).unwrap().data_center
    };
    let fargo = center("<name>MyOwn</name><metadata></metadata>");
    let junk = center("<name>MyOwn</name><metadata><a><b/></a></metadata><x/>");
    assert_eq!((fargo, junk), (DataCenter::MyOwn, DataCenter::MyOwn));
}

#[test]
fn a_data_center_is_read_from_xml_whatever_its_class() {
    let center = r#"<dataCenterInfo class="x"><name>Amazon</name><metadata><instance-id>i-1</instance-id><a__b>c</a__b></metadata></dataCenterInfo>"#;
    let body = MINIMAL_XML.replace(
        "<dataCenterInfo><name>MyOwn</name></dataCenterInfo>",
        center,
    );
    let found = xml(&body).unwrap();
    assert_eq!(found.id.as_str(), "i-1");
    let DataCenter::Amazon(metadata) = &found.data_center else {
        panic!("not Amazon");
    };
    assert_eq!(entries(metadata), [("instance-id", "i-1"), ("a_b", "c")]);
}

#[test]
fn group_names_are_upper_cased_from_json_only() {
    let in_json = with(r#""appGroupName":"pay""#);
    let in_xml = xml_with("<appGroupName>pay</appGroupName>").unwrap();
    assert_eq!(in_json.app_group_name.as_deref(), Some("PAY"));
    assert_eq!(in_xml.app_group_name.as_deref(), Some("pay"));
}

#[test]
fn the_default_sid_is_no_sid() {
    assert_eq!(with(r#""sid":"na""#).sid, None);
    assert_eq!(with(r#""sid":"x""#).sid.as_deref(), Some("x"));
}

#[test]
fn xml_text_is_not_trimmed_and_references_are_resolved() {
    let found = xml_with(
        "<vipAddress> a&amp;b &#x41;&#66;<!-- c --><![CDATA[<&>]]>\r\n&lt;&gt;&quot;&apos;&#xd; </vipAddress><sid/>",
    )
    .unwrap();
    assert_eq!(found.vip_address.as_deref(), Some(" a&b AB<&>\n<>\"'\r "));
    assert_eq!(found.sid.as_deref(), Some(""));
}

#[test]
fn what_stands_around_the_document_does_not_matter() {
    let decode = |format, body: String| wire::decode_registration(format, body.as_bytes(), "a");
    let in_json = format!("\u{feff} \n{{\"instance\" : {{{MINIMAL_JSON}}} }} trailing {{");
    decode(Format::Json, in_json).expect("Eureka stops reading at the brace");
    let in_xml = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c -->\n<instance>\n{MINIMAL_XML}\n</instance>\n<!-- c --><?p i?>\n"
    );
    decode(Format::Xml, in_xml).expect("XML allows no more around its root");
}

#[test]
fn application_names_match_in_any_case() {
    let body = format!(
        r#"{{"instance":{{{}}}}}"#,
        MINIMAL_JSON.replace("\"A\"", "\"päY\"")
    );
    let found = wire::decode_registration(Format::Json, body.as_bytes(), "PäY").unwrap();
    assert_eq!(found.app.as_str(), "PÄY");
}

#[test]
fn bodies_as_real_clients_send_them_are_understood() {
    let fargo = r#""instanceId":"","app":"A","hostName":"h","ipAddr":"1.1.1.1","vipAddress":"","secureVipAddress":"","status":"UP","overriddenstatus":"","port":{"$":"9090","@enabled":"true"},"securePort":{"$":"0","@enabled":"false"},"homePageUrl":"","countryId":0,"dataCenterInfo":{"name":"MyOwn","@class":"com.netflix.appinfo.MyDataCenterInfo"},"leaseInfo":{"renewalIntervalInSecs":0,"durationInSecs":0,"registrationTimestamp":0},"metadata":{"@class":"","zone":"z"}"#;
    let found = json(fargo).unwrap();
    assert_eq!(found.id.as_str(), "h");
    assert_eq!(
        (found.port, found.secure_port),
        (port(9090, true), port(0, false))
    );
    assert_eq!((found.country_id, found.lease), (0, lease(30, 90)));
    assert_eq!(entries(&found.metadata), [("zone", "z")]);

    let javascript = r#""app":"a","hostName":"localhost","ipAddr":"127.0.0.1","port":8080,"vipAddress":"jq.test.something.com","dataCenterInfo":{"name":"MyOwn"},"status":"UP""#;
    let found = json(javascript).unwrap();
    assert_eq!(
        (found.id.as_str(), found.port),
        ("localhost", port(8080, true))
    );

    let old_java = r#""hostName":"h","app":"A","ipAddr":"1.1.1.1","overriddenstatus":"UNKNOWN","port":{"@enabled":true,"$":"8080"},"dataCenterInfo":{"@class":"com.netflix.appinfo.MyDataCenterInfo","name":"MyOwn"},"metadata":{"n":8080},"lastDirtyTimestamp":1700000000000"#;
    let found = json(old_java).unwrap();
    assert_eq!(entries(&found.metadata), [("n", "8080")]);
    assert_eq!(found.last_dirty_ms, Some(1_700_000_000_000));
}

/// XStream reads the text of an element and nothing else: text beside elements, and elements inside text, mean nothing.
#[test]
fn xml_text_in_odd_places_is_passed_over() {
    let found = xml_with(
        "x<metadata>a<k>b<c>d</c>e</k>f</metadata>y<port>1<z/>2</port><leaseInfo>></leaseInfo>",
    )
    .unwrap();
    assert_eq!(entries(&found.metadata), [("k", "be")]);
    assert_eq!((found.port, found.lease), (port(12, true), lease(30, 90)));
}

/// What is no whole number of seconds is the default in XML, whatever is wrong with it.
#[test]
fn xml_lease_terms_that_are_none_are_the_default() {
    for seconds in ["x", "", "100.5", " 100 ", "2147483648", "0", "-1"] {
        let element = format!("<leaseInfo><durationInSecs>{seconds}</durationInSecs></leaseInfo>");
        assert_eq!(
            xml_with(&element).unwrap().lease,
            lease(30, 90),
            "{seconds}"
        );
    }
}

/// Jackson calls the setter with null or not at all, and the builder ignores both.
#[test]
fn a_field_that_comes_again_as_null_keeps_what_it_was() {
    let found = with(
        r#""metadata":{"a":"1"},"metadata":null,"leaseInfo":{"durationInSecs":100},"leaseInfo":null,"dataCenterInfo":null,"hostName":"","lastDirtyTimestamp":5,"lastDirtyTimestamp":null"#,
    );
    assert_eq!(entries(&found.metadata), [("a", "1")]);
    assert_eq!(found.lease, lease(30, 100));
    assert_eq!((&*found.host_name, found.last_dirty_ms), ("h", Some(5)));
}
