//! 7.1 Registration: what is accepted, what is refused and in which words, and what is made of little.

use serde_json::{Value, json};

use super::documents::{DEFAULT_CLASS, Instance, T, XML, lease_of, listed};
use super::targets::Target;

const JSON_TYPE: &str = "application/json";
const XML_TYPE: &str = "application/xml";

const UNPARSABLE: &str = r#"{"error": "cannot parse request body"}"#;
const UNPARSABLE_XML: &str = "<error><message>cannot parse request body</message></error>";

/// A refusal with exactly these words, after which the application is still unknown.
fn is_refused(at: &Target, instance: &Instance, words: &str) {
    let answer = at.post(instance.app(), JSON_TYPE, &instance.json());
    assert_eq!((answer.status, answer.text().as_str()), (400, words));
    assert_eq!(at.status("GET", &format!("apps/{}", instance.app())), 404);
}

case!(case_01_register_json_is_204_with_zero_bytes);
fn case_01_register_json_is_204_with_zero_bytes(at: &Target) {
    let answer = at.post("C01", JSON_TYPE, &Instance::new("C01", "i-1").json());
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    let shown = at.shown("C01", "i-1");
    let sent = Instance::new("C01", "i-1");
    for field in [
        "instanceId",
        "hostName",
        "ipAddr",
        "port",
        "securePort",
        "metadata",
    ] {
        assert_eq!(&shown[field], sent.field(field), "{field}");
    }
}

case!(case_02_register_xml_is_204_with_zero_bytes);
fn case_02_register_xml_is_204_with_zero_bytes(at: &Target) {
    // As fargo writes it: no class on the data center, and an empty map in it.
    let body = "<instance><instanceId>i-1</instanceId><hostName>host1</hostName><app>C02</app>\
        <ipAddr>10.0.0.5</ipAddr><status>UP</status><overriddenstatus>UNKNOWN</overriddenstatus>\
        <port enabled=\"true\">8080</port><securePort enabled=\"false\">443</securePort>\
        <countryId>1</countryId><dataCenterInfo><name>MyOwn</name><metadata></metadata></dataCenterInfo>\
        <leaseInfo><renewalIntervalInSecs>20</renewalIntervalInSecs><durationInSecs>600</durationInSecs></leaseInfo>\
        <metadata><zone>z1</zone></metadata><vipAddress>c02</vipAddress></instance>";
    let answer = at.post("C02", XML_TYPE, body);
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    let shown = at.shown("C02", "i-1");
    assert_eq!(shown["port"], json!({ "$": 8080, "@enabled": "true" }));
    assert_eq!(shown["metadata"], json!({ "zone": "z1" }));
    assert_eq!(shown["vipAddress"], "c02");
    assert_eq!(lease_of(&shown, "renewalIntervalInSecs"), 20);
    assert_eq!(lease_of(&shown, "durationInSecs"), 600);
}

case!(case_03_a_charset_is_fine_and_another_media_type_is_415);
fn case_03_a_charset_is_fine_and_another_media_type_is_415(at: &Target) {
    let body = Instance::new("C03", "i-1").json();
    let refused = [
        "text/plain",
        "text/json",
        "application/json; charset=utf-16",
    ];
    for media_type in refused {
        let answer = at.post("C03", media_type, &body);
        assert_eq!((answer.status, answer.body.len()), (415, 0), "{media_type}");
    }
    let untyped = at.send("POST", "apps/C03", &[], body.as_bytes());
    assert_eq!((untyped.status, untyped.body.len()), (415, 0));
    assert_eq!(at.status("GET", "apps/C03"), 404, "nothing was registered");
    for media_type in [
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
    ] {
        assert_eq!(
            at.post("C03", media_type, &body).status,
            204,
            "{media_type}"
        );
    }
}

// D-34: `null` is 500 there.
case!(case_04_a_body_that_is_no_instance_is_400);
fn case_04_a_body_that_is_no_instance_is_400(at: &Target) {
    for body in ["nonsense", "", "[]", "{}", "null", "{\"instance\":7}"] {
        let answer = at.post("C04", JSON_TYPE, body);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (400, UNPARSABLE),
            "{body}"
        );
        assert_eq!(answer.header("content-type"), Some(JSON_TYPE));
    }
    for body in ["nonsense", "", "<other/>"] {
        let answer = at.post("C04", XML_TYPE, body);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (400, UNPARSABLE_XML),
            "{body}"
        );
        assert_eq!(answer.header("content-type"), Some(XML_TYPE));
    }
    assert_eq!(at.status("GET", "apps/C04"), 404);
}

case!(case_05_no_instance_id_and_no_host_name_is_a_missing_instance_id);
fn case_05_no_instance_id_and_no_host_name_is_a_missing_instance_id(at: &Target) {
    let body = Instance::new("C05", "i-1")
        .without("instanceId")
        .without("hostName");
    is_refused(at, &body, "Missing instanceId");
}

case!(case_06_no_host_name_is_a_missing_hostname);
fn case_06_no_host_name_is_a_missing_hostname(at: &Target) {
    is_refused(
        at,
        &Instance::new("C06", "i-1").without("hostName"),
        "Missing hostname",
    );
    is_refused(
        at,
        &Instance::new("C06", "i-1").with("hostName", ""),
        "Missing hostname",
    );
}

case!(case_07_no_address_is_a_missing_ip_address);
fn case_07_no_address_is_a_missing_ip_address(at: &Target) {
    is_refused(
        at,
        &Instance::new("C07", "i-1").without("ipAddr"),
        "Missing ip address",
    );
}

case!(case_08_an_empty_app_is_a_missing_app_name_and_none_is_no_instance);
fn case_08_an_empty_app_is_a_missing_app_name_and_none_is_no_instance(at: &Target) {
    let body = Instance::new("C08", "i-1");
    is_refused(at, &body.clone().with("app", ""), "Missing appName");
    is_refused(at, &body.clone().without("app"), UNPARSABLE);
    is_refused(at, &body.with("app", Value::Null), UNPARSABLE);
}

case!(case_09_the_path_and_the_body_must_name_the_same_app_in_any_case);
fn case_09_the_path_and_the_body_must_name_the_same_app_in_any_case(at: &Target) {
    let body = Instance::new("C09", "i-1");
    let other = body.clone().with("app", "c09other");
    is_refused(
        at,
        &other,
        "Mismatched appName, expecting C09 but was C09OTHER",
    );
    let answer = at.post("c09", JSON_TYPE, &body.json());
    assert_eq!(answer.status, 204, "case is no difference");
}

case!(case_10_no_data_center_is_a_missing_data_center);
fn case_10_no_data_center_is_a_missing_data_center(at: &Target) {
    let body = Instance::new("C10", "i-1");
    is_refused(
        at,
        &body.clone().without("dataCenterInfo"),
        "Missing dataCenterInfo",
    );
    is_refused(
        at,
        &body.with("dataCenterInfo", Value::Null),
        "Missing dataCenterInfo",
    );
}

case!(case_11_a_data_center_without_a_name_is_refused_by_its_own_words);
fn case_11_a_data_center_without_a_name_is_refused_by_its_own_words(at: &Target) {
    let nameless = json!({ "@class": DEFAULT_CLASS });
    let body = Instance::new("C11", "i-1").with("dataCenterInfo", nameless);
    is_refused(at, &body, "Missing dataCenterInfo Name");
}

case!(case_12_a_lower_case_app_is_shown_in_upper_case_under_either_url);
fn case_12_a_lower_case_app_is_shown_in_upper_case_under_either_url(at: &Target) {
    at.register(&Instance::new("c12", "i-1"));
    for app in ["c12", "C12"] {
        assert_eq!(
            at.read(&format!("apps/{app}"))["application"]["name"],
            "C12"
        );
        assert_eq!(at.shown(app, "i-1")["app"], "C12");
    }
}

case!(case_13_without_an_instance_id_the_host_name_is_it);
fn case_13_without_an_instance_id_the_host_name_is_it(at: &Target) {
    at.register(
        &Instance::new("C13", "x")
            .without("instanceId")
            .with("hostName", "one.example"),
    );
    at.register(&Instance::new("C13", "").with("hostName", "two.example"));
    for host in ["one.example", "two.example"] {
        // D-15: Netflix leaves the id out; Steeltoe then drops the instance. Ours always shows it.
        assert_eq!(at.shown("C13", host)["instanceId"], host);
        assert_eq!(at.status("PUT", &format!("apps/C13/{host}")), 200);
    }
}

case!(case_14_in_amazon_the_data_centers_instance_id_is_it);
fn case_14_in_amazon_the_data_centers_instance_id_is_it(at: &Target) {
    let metadata = json!({ "instance-id": "i-0abc", "ami-id": "ami-1", "of-our-own": "kept" });
    let body = Instance::amazon("C14", "com.netflix.appinfo.AmazonInfo", &metadata);
    at.register(&body.without("instanceId"));
    let shown = at.shown("C14", "i-0abc");
    assert_eq!(shown["instanceId"], "i-0abc");
    assert_eq!(shown["dataCenterInfo"]["metadata"], metadata);
}

case!(case_15_a_minimal_body_gets_eurekas_defaults);
fn case_15_a_minimal_body_gets_eurekas_defaults(at: &Target) {
    at.register(&Instance::minimal("C15", "h"));
    let shown = at.shown("C15", "h");
    let expected = json!({
        "status": "UP", "overriddenStatus": "UNKNOWN", "countryId": 1,
        "port": { "$": 7001, "@enabled": "true" }, "securePort": { "$": 7002, "@enabled": "false" },
        "metadata": { "@class": "java.util.Collections$EmptyMap" },
        "isCoordinatingDiscoveryServer": "false", "actionType": "ADDED",
    });
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(&shown[field], value, "{field}");
    }
    assert_eq!(lease_of(&shown, "renewalIntervalInSecs"), 30);
    assert_eq!(lease_of(&shown, "durationInSecs"), 90);
    assert_eq!(
        shown["lastDirtyTimestamp"], shown["lastUpdatedTimestamp"],
        "now"
    );
    let map = at.read_xml("apps/C15/h").child("metadata").clone();
    assert_eq!(
        map.attribute("class"),
        Some("java.util.Collections$EmptyMap")
    );
}

// D-28, D-29, D-30: more than released servers of today take; some of it older ones took.
case!(case_16_what_lenient_clients_send_is_204);
fn case_16_what_lenient_clients_send_is_204(at: &Target) {
    let body = Instance::new("C16", "i-1").without("overriddenStatus");
    let spring = body
        .clone()
        .with("appGroupName", Value::Null)
        .with("secureHealthCheckUrl", Value::Null)
        .with("asgName", Value::Null)
        .with("actionType", Value::Null)
        .with("sid", "na")
        .with("isCoordinatingDiscoveryServer", false)
        .with("lastDirtyTimestamp", T)
        .with("lastUpdatedTimestamp", T)
        .with("overriddenStatus", "UNKNOWN");
    let fargo = body
        .clone()
        .with("port", json!({ "$": "8080", "@enabled": "true" }))
        .with("overriddenstatus", "");
    let js = body
        .clone()
        .with("port", json!({ "$": 8080, "@enabled": true }))
        .with("dataCenterInfo", json!({ "name": "MyOwn" }));
    let readme = body
        .with("port", 8080)
        .with("unknown", json!({ "a": [1, { "b": 2 }] }));
    for sent in [spring, fargo, js, readme] {
        at.register(&sent);
        let shown = at.shown("C16", "i-1");
        assert_eq!(
            shown["port"],
            json!({ "$": 8080, "@enabled": "true" }),
            "{sent:?}"
        );
        assert_eq!(shown["lastDirtyTimestamp"], T.to_string(), "{sent:?}");
        assert_eq!(shown["overriddenStatus"], "UNKNOWN", "{sent:?}");
        assert_eq!(shown["dataCenterInfo"]["@class"], DEFAULT_CLASS, "{sent:?}");
    }
}

case!(case_17_metadata_of_any_scalar_type_reads_back_as_text);
fn case_17_metadata_of_any_scalar_type_reads_back_as_text(at: &Target) {
    let sent = json!({ "a": 1, "b": true, "d": 1.5, "@class": "dropped" });
    at.register(&Instance::new("C17", "i-1").with("metadata", sent));
    let expected = json!({ "a": "1", "b": "true", "d": "1.5" });
    assert_eq!(at.shown("C17", "i-1")["metadata"], expected);
}

// D-20: there `apps` is empty for as long as such an instance is registered, and longer.
case!(case_18_steeltoes_amazon_body_poisons_nothing);
fn case_18_steeltoes_amazon_body_poisons_nothing(at: &Target) {
    at.register(&Instance::amazon("C18", DEFAULT_CLASS, &Value::Null));
    let expected = json!({
        "@class": "com.netflix.appinfo.AmazonInfo", "name": "Amazon", "metadata": { "instance-id": "i-1" }
    });
    for path in ["apps", "apps/delta"] {
        let found = listed(&at.read(path), "C18", "i-1").expect("it is listed");
        assert_eq!(found["dataCenterInfo"], expected, "{path}");
        at.read_xml(path).instance("i-1");
        let compact = at.send("GET", path, &[XML, ("X-Eureka-Accept", "compact")], b"");
        assert_eq!(compact.status, 200);
    }
}
