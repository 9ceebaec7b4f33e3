//! What is refused, in which order, and in which words.

use eureka_raft::wire::{
    self, Format, MAX_DEPTH, MAX_METADATA_ENTRIES, MAX_NAME_BYTES, RegistrationError,
};

use crate::support::{BOTH, MINIMAL_JSON, MINIMAL_XML, json, json_with, xml, xml_with};

const JSON_TEXT: &str = r#"{"error": "cannot parse request body"}"#;
const XML_TEXT: &str = "<error><message>cannot parse request body</message></error>";

fn refusal(format: Format, body: &[u8]) -> RegistrationError {
    let shown = String::from_utf8_lossy(body).into_owned();
    wire::decode_registration(format, body, "A").expect_err(&shown)
}

#[test]
fn what_is_no_instance_cannot_be_parsed() {
    let whole = format!(r#"{{"instance":{{{MINIMAL_JSON}}}}}"#);
    let cut = &whole[..whole.len() - 2];
    let other_key = whole.replace("\"instance\"", "\"Instance\"");
    let second_key = format!(r#"{{"instance":{{{MINIMAL_JSON}}},"x":1}}"#);
    let key_before = format!(r#"{{"x":1,"instance":{{{MINIMAL_JSON}}}}}"#);
    let bodies = [
        "",
        " ",
        "nonsense",
        "[]",
        "{}",
        "null",
        "1",
        "\"x\"",
        r#"{"instance":null}"#,
        r#"{"instance":[]}"#,
        r#"{"instance":"x"}"#,
        r#"{"instance":{}}"#,
        "<instance/>",
        cut,
        &other_key,
        &second_key,
        &key_before,
    ];
    for body in bodies {
        let refusal = refusal(Format::Json, body.as_bytes());
        assert_eq!(
            refusal.message(Format::Json).as_deref(),
            Some(JSON_TEXT),
            "{body}"
        );
    }
}

fn many_attributes(count: usize) -> String {
    (0..count).map(|n| format!("a{n}='' ")).collect()
}

fn minimal_with(inner: &str) -> String {
    format!("<instance>{MINIMAL_XML}{inner}</instance>")
}

#[test]
fn what_is_no_instance_element_cannot_be_parsed() {
    let doctype = format!("<!DOCTYPE instance>{}", minimal_with(""));
    let entities = format!(
        "<!DOCTYPE instance [<!ENTITY a \"b\">]>{}",
        minimal_with("<sid>&a;</sid>")
    );
    let bodies = [
        String::new(),
        "nonsense".to_owned(),
        "<instance/>".to_owned(),
        "<instance>".to_owned(),
        r#"{"instance":{}}"#.to_owned(),
        format!("<Instance>{MINIMAL_XML}</Instance>"),
        format!("<x:instance>{MINIMAL_XML}</x:instance>"),
        format!("<instance>{MINIMAL_XML}"),
        format!("<instance>{MINIMAL_XML}</instanc>"),
        format!("x{}", minimal_with("")),
        format!("{}x", minimal_with("")),
        format!("{}<x/>", minimal_with("")),
        format!("{}</x>", minimal_with("")),
        format!("{}<", minimal_with("")),
        format!("{}&amp;", minimal_with("")),
        format!("<!-- c --><?xml version=\"1.0\"?>{}", minimal_with("")),
        minimal_with("<?xml version=\"1.0\"?>"),
        minimal_with("<!-- a -- b -->"),
        minimal_with("<?\"?>"),
        minimal_with("<?XML?>"),
        format!("<?1?>{}", minimal_with("")),
        format!("<?xml ?>{}", minimal_with("")),
        format!("{}<?\"?>", minimal_with("")),
        minimal_with("&unknown;"),
        minimal_with("<extra>&unknown;</extra>"),
        minimal_with("<1a/>"),
        minimal_with("<-a/>"),
        minimal_with("<.a/>"),
        minimal_with("<a\"b/>"),
        minimal_with("<a b/>"),
        minimal_with(&format!("<a {}/>", many_attributes(65))),
        minimal_with("<a b=c/>"),
        minimal_with("<a b='1' b='2'/>"),
        minimal_with("<a b='<'/>"),
        minimal_with("<a b='&'/>"),
        minimal_with("<a b='&unknown;'/>"),
        minimal_with("<sid>a]]>b</sid>"),
        minimal_with("<extra>a]]>b</extra>"),
        minimal_with("<sid>&unknown;</sid>"),
        minimal_with("<sid>&#0;</sid>"),
        minimal_with("<sid>&#1;</sid>"),
        minimal_with("<sid>&#xfffe;</sid>"),
        minimal_with("<sid>&#xd800;</sid>"),
        minimal_with("<sid>a & b</sid>"),
        minimal_with("<sid>\u{1}</sid>"),
        minimal_with("<sid>\0</sid>"),
        doctype,
        entities,
    ];
    cannot_be_parsed(&bodies);
}

#[test]
fn an_element_whose_value_is_none_cannot_be_parsed() {
    let values = [
        "<port></port>",
        "<port> 1 </port>",
        "<port>1.5</port>",
        "<port>2147483648</port>",
        "<countryId> 1</countryId>",
        "<lastDirtyTimestamp> 5 </lastDirtyTimestamp>",
        "<lastDirtyTimestamp>1.5</lastDirtyTimestamp>",
        "<lastDirtyTimestamp>-5</lastDirtyTimestamp>",
        "<dataCenterInfo><name> MyOwn </name></dataCenterInfo>",
        "<dataCenterInfo><metadata/><name>Amazon</name></dataCenterInfo>",
        "<port>abc</port>",
        "<countryId>abc</countryId>",
        "<metadata><_.zzzz>c</_.zzzz></metadata>",
        "<metadata><_.+041>c</_.+041></metadata>",
    ];
    cannot_be_parsed(&values.map(minimal_with));
}

fn cannot_be_parsed(bodies: &[String]) {
    for body in bodies {
        let refusal = refusal(Format::Xml, body.as_bytes());
        assert_eq!(
            refusal.message(Format::Xml).as_deref(),
            Some(XML_TEXT),
            "{body}"
        );
    }
}

#[test]
fn bytes_that_are_no_utf8_cannot_be_parsed() {
    for format in BOTH {
        let found = refusal(format, b"{\"instance\":{\"hostName\":\"\xe4\"}}");
        assert!(matches!(found, RegistrationError::Unparsable(_)));
    }
}

#[test]
fn values_that_cannot_be_meant_cannot_be_parsed() {
    let fields = [
        r#""metadata":[]"#,
        r#""metadata":"x""#,
        r#""metadata":{"a":{"b":"c"},"z":"1"}"#,
        r#""metadata":{"a":["x"]}"#,
        r#""metadata":{"a":[]}"#,
        r#""leaseInfo":[]"#,
        r#""leaseInfo":"x""#,
        r#""leaseInfo":{"durationInSecs":2147483648}"#,
        r#""leaseInfo":{"durationInSecs":1e300}"#,
        r#""lastDirtyTimestamp":10000000000000000000"#,
        r#""lastDirtyTimestamp":-1"#,
        r#""lastDirtyTimestamp":"-1""#,
        r#""lastDirtyTimestamp":{}"#,
        r#""port":[]"#,
        r#""port":{"$":99999999999}"#,
        r#""port":{"$":{}}"#,
        r#""countryId":99999999999"#,
        r#""vipAddress":{}"#,
        r#""vipAddress":["a"]"#,
        r#""status":{}"#,
        r#""vipAddress":"\ud800""#,
        "\"vipAddress\":\"a\nb\"",
        r#""dataCenterInfo":"MyOwn""#,
        r#""dataCenterInfo":[]"#,
    ];
    for field in fields {
        let found = json(&format!("{MINIMAL_JSON},{field}")).expect_err(field);
        assert!(
            matches!(found, RegistrationError::Unparsable(_)),
            "{field}: {found}"
        );
    }
}

#[test]
fn a_data_center_is_one_of_three_in_exact_case() {
    for name in ["amazon", "MYOWN", "Azure", ""] {
        let minimal = MINIMAL_JSON.replace("MyOwn", name);
        let found = json(&minimal).expect_err(name);
        assert!(matches!(found, RegistrationError::Unparsable(_)), "{found}");
        let minimal = MINIMAL_XML.replace("MyOwn", name);
        let found = xml(&minimal).expect_err(name);
        assert!(matches!(found, RegistrationError::Unparsable(_)), "{found}");
    }
}

/// Decodes `fields`, each a name and a text, as JSON and as XML.
fn decoded(fields: &[(&str, &str)]) -> [Result<(), RegistrationError>; 2] {
    let in_json: Vec<_> = fields
        .iter()
        .map(|(name, value)| match value.starts_with('<') {
            true if value.contains("MyOwn") => format!(r#""{name}":{{"name":"MyOwn"}}"#),
            true => format!(r#""{name}":{{"@class":"x"}}"#),
            false => format!(r#""{name}":"{value}""#),
        })
        .collect();
    let in_xml: String = fields
        .iter()
        .map(|(name, value)| format!("<{name}>{value}</{name}>"))
        .collect();
    [
        json(&in_json.join(",")).map(|_| ()),
        xml(&in_xml).map(|_| ()),
    ]
}

#[test]
fn checks_come_in_eurekas_order_with_eurekas_words() {
    // Each row mends what the row before it was refused for.
    let id = ("instanceId", "i");
    let host = ("hostName", "h");
    let address = ("ipAddr", "1.1.1.1");
    let rows: [(&[(&str, &str)], &str); 10] = [
        (&[("app", "")], "Missing instanceId"),
        (&[("app", ""), ("instanceId", " ")], "Missing instanceId"),
        (&[("app", ""), id], "Missing hostname"),
        (&[("app", ""), id, ("hostName", " ")], "Missing hostname"),
        (&[("app", ""), host], "Missing ip address"),
        (&[("app", ""), host, ("ipAddr", "\t")], "Missing ip address"),
        (&[("app", ""), host, address], "Missing appName"),
        (&[("app", " "), host, address], "Missing appName"),
        (
            &[("app", "b"), host, address],
            "Mismatched appName, expecting A but was B",
        ),
        (&[("app", "a"), host, address], "Missing dataCenterInfo"),
    ];
    for (fields, expected) in rows {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, if *value == "\t" { " " } else { *value }))
            .collect();
        for (result, format) in decoded(&fields).into_iter().zip(BOTH) {
            let message = result.expect_err(expected).message(format);
            assert_eq!(message.as_deref(), Some(expected), "{format:?}");
        }
    }
    // In XML a data center without a name is none at all.
    let nameless = ("dataCenterInfo", "<x>y</x>");
    let [in_json, in_xml] = decoded(&[("app", "a"), host, address, nameless]);
    let message =
        |result: Result<(), RegistrationError>, format| result.unwrap_err().message(format);
    let words = [message(in_json, Format::Json), message(in_xml, Format::Xml)];
    assert_eq!(
        words.map(Option::unwrap_or_default),
        ["Missing dataCenterInfo Name", "Missing dataCenterInfo"]
    );
    let center = ("dataCenterInfo", "<name>MyOwn</name>");
    for result in decoded(&[("app", "a"), host, address, center]) {
        result.expect("nothing is missing any more");
    }
}

#[test]
fn a_missing_app_is_a_parse_error_before_all_checks() {
    for result in decoded(&[("ipAddr", "1.1.1.1")]) {
        assert!(matches!(result, Err(RegistrationError::Unparsable(_))));
    }
    let null = json(r#""app":null,"hostName":"h""#);
    assert!(matches!(null, Err(RegistrationError::Unparsable(_))));
}

#[test]
fn names_have_a_length_limit() {
    let longest = "n".repeat(MAX_NAME_BYTES);
    json_with(&format!(r#""instanceId":"{longest}""#)).expect("just short enough");
    let found = json_with(&format!(r#""instanceId":"{longest}n""#)).unwrap_err();
    assert_eq!(
        found.message(Format::Json).unwrap(),
        "instanceId is 1025 bytes long: names are at most 1024 bytes"
    );
    let found = xml_with(&format!("<instanceId>{longest}n</instanceId>")).unwrap_err();
    let expected = RegistrationError::NameTooLong {
        field: "instanceId",
        bytes: 1025,
    };
    assert_eq!(found, expected);
}

#[test]
fn long_application_names_are_not_repeated_in_the_refusal() {
    let long = "x".repeat(10_240);
    let body = format!(r#"{{"instance":{{{MINIMAL_JSON}}}}}"#);
    let by_path = wire::decode_registration(Format::Json, body.as_bytes(), &long);
    let by_body = json(&MINIMAL_JSON.replace("\"A\"", &format!("\"{long}\"")));
    for found in [by_path, by_body] {
        let message = found.unwrap_err().message(Format::Json).unwrap();
        assert_eq!(
            message,
            "app is 10240 bytes long: names are at most 1024 bytes"
        );
    }
}

#[test]
fn names_have_no_control_characters() {
    for control in ["\\u0000", "a\\nb", "a\\u001fb", "\\u007f", "\\u0085"] {
        let found = json_with(&format!(r#""instanceId":"i{control}""#)).unwrap_err();
        let expected = RegistrationError::ControlCharacter {
            field: "instanceId",
        };
        assert_eq!(found, expected, "{control}");
        let app = MINIMAL_JSON.replace("\"A\"", &format!("\"A{control}\""));
        let found = json(&app).unwrap_err();
        assert_eq!(found, RegistrationError::ControlCharacter { field: "app" });
    }
}

#[test]
fn metadata_has_a_limit() {
    let in_json = |count: usize| {
        let entries: Vec<_> = (0..count).map(|n| format!(r#""k{n}":"v""#)).collect();
        format!(r#"{{{}}}"#, entries.join(","))
    };
    let in_xml =
        |count: usize| -> String { (0..count).map(|n| format!("<k{n}>v</k{n}>")).collect() };
    let (most, over) = (MAX_METADATA_ENTRIES, MAX_METADATA_ENTRIES + 1);

    let full = json_with(&format!(r#""metadata":{}"#, in_json(most))).unwrap();
    assert_eq!(full.metadata.len(), most);
    let full = xml_with(&format!("<metadata>{}</metadata>", in_xml(most))).unwrap();
    assert_eq!(full.metadata.len(), most);

    let amazon = |count| {
        let center = format!(r#"{{"name":"Amazon","metadata":{}}}"#, in_json(count));
        json(&format!(r#"{MINIMAL_JSON},"dataCenterInfo":{center}"#))
    };
    let refused = [
        json_with(&format!(r#""metadata":{}"#, in_json(over))),
        json_with(&format!(r#""metadata":{}"#, in_json(10 * over))),
        xml_with(&format!("<metadata>{}</metadata>", in_xml(over))),
        amazon(over),
    ];
    for found in refused {
        assert_eq!(found.unwrap_err(), RegistrationError::TooMuchMetadata);
    }
}

#[test]
fn nesting_has_a_limit_even_in_what_is_skipped() {
    let in_json = |depth: usize| format!(r#""x":{}{}"#, "[".repeat(depth), "]".repeat(depth));
    json_with(&in_json(MAX_DEPTH)).expect("just shallow enough");
    let brackets = "[".repeat(MAX_DEPTH + 1);
    json_with(&format!(r#""x":["{brackets}","\"{brackets}"]"#))
        .expect("brackets in a string nest nothing");
    let after_a_string = format!(r#""x":["\\",{brackets}{}]"#, "]".repeat(MAX_DEPTH + 1));
    json_with(&after_a_string).expect_err("the string is over at its second quote");
    for depth in [MAX_DEPTH + 1, 1_000, 100_000] {
        let found = json_with(&in_json(depth)).unwrap_err();
        assert!(matches!(found, RegistrationError::Unparsable(_)), "{depth}");
    }
    let in_xml = |depth: usize| format!("{}{}", "<x>".repeat(depth), "</x>".repeat(depth));
    xml_with(&in_xml(MAX_DEPTH - 1)).expect("the root is one");
    for depth in [MAX_DEPTH, 1_000, 100_000] {
        let found = xml_with(&in_xml(depth)).unwrap_err();
        assert!(matches!(found, RegistrationError::Unparsable(_)), "{depth}");
    }
}
