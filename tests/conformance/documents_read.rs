//! 7.6 Reads, first part: what stands in the documents (cases 53 to 70).

use serde_json::{Value, json};

use super::documents::{Instance, JSON, XML, counted, instances, listed};
use super::targets::{BRIEF_RETENTION, Shape, Target, fresh};
use crate::support::cluster::SOON;
use crate::support::eventually::{eventually, timed};
use crate::support::http::Answer;

const COMPACT: (&str, &str) = ("X-Eureka-Accept", "compact");

/// The two fields of a list that stand once.
fn header(list: &Value) -> (String, String) {
    let text = |field: &str| {
        let value = list["applications"][field].as_str();
        value.expect("a string").to_owned()
    };
    (text("versions__delta"), text("apps__hashcode"))
}

case!(case_53_an_empty_registry_to_the_byte, own);
fn case_53_an_empty_registry_to_the_byte(shape: Shape) {
    let at = &fresh(shape, &[]);
    let json = at.get("apps");
    let expected =
        r#"{"applications":{"versions__delta":"1","apps__hashcode":"","application":[]}}"#;
    assert_eq!((json.status, json.text().as_str()), (200, expected));
    let xml = at.send("GET", "apps", &[XML], b"").text();
    let expected = "<applications>\n  <versions__delta>1</versions__delta>\n  \
        <apps__hashcode></apps__hashcode>\n</applications>";
    assert_eq!(xml, expected);
    let compact = at.send("GET", "apps", &[JSON, COMPACT], b"").text();
    let expected = r#"{"applications":{"application":[],"registeredApplicationsEmpty":true,"versions__delta":"1","apps__hashcode":""}}"#;
    assert_eq!(compact, expected);
    let delta = at.read("apps/delta");
    assert_eq!(
        (instances(&delta).len(), header(&delta).1.as_str()),
        (0, "")
    );
}

case!(case_54_strings_arrays_and_numbers_are_where_parsers_want_them);
fn case_54_strings_arrays_and_numbers_are_where_parsers_want_them(at: &Target) {
    at.register(&Instance::new("C54", "i-1"));
    for path in ["apps", "apps/delta", "vips/c54", "svips/c54"] {
        let list = at.read(path);
        assert!(
            list["applications"]["versions__delta"].is_string(),
            "{path}"
        );
        assert!(list["applications"]["apps__hashcode"].is_string(), "{path}");
        let shown = listed(&list, "C54", "i-1").expect("it is listed");
        assert_eq!(
            shown["port"].to_string(),
            r#"{"$":8080,"@enabled":"true"}"#,
            "{path}"
        );
        assert!(shown["lastDirtyTimestamp"].is_string(), "{path}");
        assert!(shown["leaseInfo"]["serviceUpTimestamp"].is_u64(), "{path}");
    }
    let one = at.read("apps/C54");
    assert_eq!(
        one["application"]["instance"].as_array().map(Vec::len),
        Some(1)
    );
}

case!(case_55_without_accept_or_with_any_it_is_xml_without_a_prolog);
fn case_55_without_accept_or_with_any_it_is_xml_without_a_prolog(at: &Target) {
    at.register(&Instance::new("C55", "i-1"));
    for path in [
        "apps",
        "apps/delta",
        "apps/C55",
        "apps/C55/i-1",
        "vips/c55",
        "instances/i-1",
    ] {
        let jdk = (
            "Accept",
            "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
        );
        let browser = ("Accept", "text/html,application/xml;q=0.9,*/*;q=0.8");
        for headers in [&[][..], &[("Accept", "*/*")], &[jdk], &[browser]] {
            let answer = at.send("GET", path, headers, b"");
            assert_eq!(answer.status, 200, "{path} {headers:?}");
            assert_eq!(answer.header("content-type"), Some("application/xml"));
            let text = answer.text();
            let root = ["<applications>", "<application>", "<instance>"];
            assert!(root.iter().any(|root| text.starts_with(root)), "{text}");
        }
    }
}

case!(case_56_an_accept_of_neither_is_406_whatever_the_method);
fn case_56_an_accept_of_neither_is_406_whatever_the_method(at: &Target) {
    at.register(&Instance::new("C56", "i-1"));
    for accept in [
        "text/html",
        "text/plain",
        "application/vnd.foo+json",
        "text/xml",
    ] {
        for (method, path) in [
            ("GET", "apps"),
            ("GET", "apps/C56/i-1"),
            ("PUT", "apps/C56/i-1"),
            ("DELETE", "apps/C56/i-1"),
            ("PUT", "asg/none/status?value=ENABLED"),
        ] {
            let answer = at.send(method, path, &[("Accept", accept)], b"");
            assert_eq!(
                (answer.status, answer.body.len()),
                (406, 0),
                "{method} {path} {accept}"
            );
        }
    }
    assert_eq!(at.get("apps/C56/i-1").status, 200, "nothing was executed");
}

case!(case_57_the_hash_counts_the_statuses_of_its_own_document);
fn case_57_the_hash_counts_the_statuses_of_its_own_document(at: &Target) {
    let statuses = ["UP", "DOWN", "STARTING", "OUT_OF_SERVICE", "UNKNOWN"];
    for (number, status) in statuses.iter().enumerate() {
        at.register(&Instance::new("C57", &format!("i-{number}")).with("status", *status));
    }
    for headers in [&[JSON][..], &[JSON, COMPACT]] {
        let list = at.send("GET", "apps", headers, b"").json();
        let (_, hash) = header(&list);
        assert_eq!(hash, counted(&list));
        for status in statuses {
            assert!(hash.contains(&format!("{status}_")), "{status} in {hash}");
        }
    }
    let subset = at.read("vips/c57");
    assert_eq!(
        header(&subset).1,
        "DOWN_1_OUT_OF_SERVICE_1_STARTING_1_UNKNOWN_1_UP_1_"
    );
}

case!(case_58_what_is_not_there_is_404_and_an_id_alone_is_enough);
fn case_58_what_is_not_there_is_404_and_an_id_alone_is_enough(at: &Target) {
    at.register(&Instance::new("C58", "c58-i-1"));
    for path in ["apps/C58NOBODY", "apps/C58/nobody", "instances/c58-nobody"] {
        assert_eq!(at.status("GET", path), 404, "{path}");
    }
    let found = at.read("instances/c58-i-1");
    assert_eq!(found, at.read("apps/C58/c58-i-1"));
}

case!(case_59_an_unknown_vip_is_an_empty_list_of_version_minus_one);
fn case_59_an_unknown_vip_is_an_empty_list_of_version_minus_one(at: &Target) {
    for path in ["vips/c59-nobody", "svips/c59-nobody"] {
        let expected =
            r#"{"applications":{"versions__delta":"-1","apps__hashcode":"","application":[]}}"#;
        assert_eq!(at.get(path).text(), expected);
        let xml = at.read_xml(path);
        assert_eq!(xml.child("versions__delta").text, "-1");
    }
}

/// An instance in two lists of virtual addresses.
fn in_two_vips(app: &str) -> Instance {
    let name = app.to_lowercase();
    Instance::new(app, "i-1")
        .with("vipAddress", format!("{name}-va,{name}-vb , {name}-vc"))
        .with("secureVipAddress", format!("{name}-sa,{name}-sb"))
}

case!(case_60_each_vip_of_a_list_finds_the_instance_exactly);
fn case_60_each_vip_of_a_list_finds_the_instance_exactly(at: &Target) {
    at.register(&in_two_vips("C60"));
    let found = |vip: &str| instances(&at.read(&format!("vips/{vip}"))).len();
    for vip in ["c60-va", "c60-vb%20", "%20c60-vc"] {
        assert_eq!(found(vip), 1, "{vip}");
    }
    for vip in [
        "c60-VA",
        "c60-va,c60-vb",
        "c60-vb",
        "c60-vc",
        "c60-v",
        "c60-sa",
    ] {
        assert_eq!(found(vip), 0, "{vip}");
    }
    // D-19: the real server's cache of a vip in a list stays stale for three minutes, and its compact form too.
    assert_eq!(at.status("PUT", "apps/C60/i-1/status?value=DOWN"), 200);
    for headers in [&[JSON][..], &[JSON, COMPACT]] {
        let list = at.send("GET", "vips/c60-va", headers, b"").json();
        assert_eq!(instances(&list)[0]["status"], "DOWN");
        assert_eq!(header(&list), ("-1".to_owned(), "DOWN_1_".to_owned()));
    }
}

case!(case_61_secure_vips_are_found_by_their_own_list);
fn case_61_secure_vips_are_found_by_their_own_list(at: &Target) {
    at.register(&in_two_vips("C61"));
    let found = |vip: &str| instances(&at.read(&format!("svips/{vip}"))).len();
    assert_eq!((found("c61-sa"), found("c61-sb")), (1, 1));
    assert_eq!(
        (found("c61-va"), found("c61-SA"), found("c61-sa,c61-sb")),
        (0, 0, 0)
    );
}

case!(case_62_compact_leaves_out_what_it_leaves_out);
fn case_62_compact_leaves_out_what_it_leaves_out(at: &Target) {
    at.register(&Instance::new("C62", "i-1"));
    for path in ["apps", "apps/delta", "vips/c62", "svips/c62"] {
        for value in ["compact", "COMPACT"] {
            let headers = [JSON, ("X-Eureka-Accept", value)];
            let list = at.send("GET", path, &headers, b"").json();
            assert_eq!(
                list["applications"]["registeredApplicationsEmpty"], false,
                "{path}"
            );
            let shown = listed(&list, "C62", "i-1").expect("it is listed");
            assert_eq!(
                (&shown["leaseInfo"], &shown["metadata"]),
                (&Value::Null, &Value::Null)
            );
            assert!(shown["lastUpdatedTimestamp"].is_u64(), "{path}: {shown}");
        }
    }
    // Netflix 2 sends brackets and so gets the full form; a single instance has no other.
    let bracketed = at.send(
        "GET",
        "apps",
        &[JSON, ("X-Eureka-Accept", "[compact]")],
        b"",
    );
    assert_eq!(
        bracketed.json()["applications"]["registeredApplicationsEmpty"],
        Value::Null
    );
    let single = at.send("GET", "apps/C62/i-1", &[JSON, COMPACT], b"");
    assert!(single.json()["instance"]["leaseInfo"].is_object());
    let xml = at.send("GET", "apps/C62", &[XML, COMPACT], b"").text();
    assert!(
        !xml.contains('\n') && xml.contains("<name>C62</name>"),
        "{xml}"
    );
}

case!(
    case_63_the_delta_says_what_happened_and_has_the_hash_of_the_whole,
    alone
);
fn case_63_the_delta_says_what_happened_and_has_the_hash_of_the_whole(at: &Target) {
    let action = || at.delta_of("C63", "i-1").expect("it changed")["actionType"].take();
    at.register(&Instance::new("C63", "i-1"));
    assert_eq!(action(), "ADDED");
    assert_eq!(
        at.status("PUT", "apps/C63/i-1/status?value=OUT_OF_SERVICE"),
        200
    );
    assert_eq!(action(), "MODIFIED");
    let full = at.read("apps");
    assert_eq!(header(&at.read("apps/delta")).1, header(&full).1);
    assert_eq!(header(&full).1, counted(&full));
}

// D-45: it grows with every change, and not with every read.
case!(
    case_64_the_version_of_a_delta_changes_with_it_and_that_of_a_list_is_one,
    alone
);
fn case_64_the_version_of_a_delta_changes_with_it_and_that_of_a_list_is_one(at: &Target) {
    let version = |path: &str| header(&at.read(path)).0;
    let mut seen = vec![version("apps/delta")];
    for (method, path) in [
        ("PUT", "apps/C64/i-1/status?value=DOWN"),
        ("DELETE", "apps/C64/i-1/status?value=UP"),
        ("DELETE", "apps/C64/i-1"),
    ] {
        at.register(&Instance::new("C64", "i-1"));
        seen.push(version("apps/delta"));
        assert_eq!(at.status(method, path), 200, "{method} {path}");
        seen.push(version("apps/delta"));
        assert_eq!(version("apps"), "1");
    }
    let parsed: Vec<u64> = seen.iter().map(|v| v.parse().expect("a number")).collect();
    assert!(parsed.is_sorted_by(|one, next| one < next), "{seen:?}");
}

case!(case_65_a_change_leaves_the_delta_after_its_retention, brief);
fn case_65_a_change_leaves_the_delta_after_its_retention(at: &Target) {
    let (version, shown_for) = timed(|| {
        at.register(&Instance::new("C65", "i-1"));
        assert!(at.delta_of("C65", "i-1").is_some());
        let version = header(&at.read("apps/delta")).0;
        eventually("the change is out of the delta", SOON, || {
            at.delta_of("C65", "i-1").is_none().then_some(())
        });
        version
    });
    assert!(shown_for >= BRIEF_RETENTION, "only {shown_for:?}");
    assert_ne!(
        header(&at.read("apps/delta")).0,
        version,
        "py skips a version it has seen"
    );
    assert_eq!(
        at.get("apps/C65/i-1").status,
        200,
        "the instance is still there"
    );
}

case!(case_66_two_changes_of_an_instance_are_one_entry);
fn case_66_two_changes_of_an_instance_are_one_entry(at: &Target) {
    at.register(&Instance::new("C66", "i-1"));
    assert_eq!(at.status("PUT", "apps/C66/i-1/status?value=DOWN"), 200);
    assert_eq!(at.status("PUT", "apps/C66/i-1/status?value=STARTING"), 200);
    // That it is there once, the look-up asserts.
    let shown = at.delta_of("C66", "i-1").expect("it changed");
    assert_eq!(
        (&shown["status"], &shown["actionType"]),
        (&"STARTING".into(), &"MODIFIED".into())
    );
}

case!(
    case_67_metadata_alone_changes_the_version_and_not_the_hash,
    alone
);
fn case_67_metadata_alone_changes_the_version_and_not_the_hash(at: &Target) {
    at.register(&Instance::new("C67", "i-1"));
    let (version, hash) = header(&at.read("apps/delta"));
    assert_eq!(at.status("PUT", "apps/C67/i-1/metadata?color=blue"), 200);
    let after = at.read("apps/delta");
    assert_ne!(header(&after).0, version);
    assert_eq!(header(&after).1, hash);
    let shown = listed(&after, "C67", "i-1").expect("it changed");
    assert_eq!(shown["metadata"]["color"], "blue");
}

case!(case_68_xml_has_its_own_spellings);
fn case_68_xml_has_its_own_spellings(at: &Target) {
    at.register(&Instance::new("C68", "c68-i-1"));
    for path in [
        "apps",
        "apps/delta",
        "apps/C68",
        "apps/C68/c68-i-1",
        "vips/c68",
        "instances/c68-i-1",
    ] {
        let document = at.read_xml(path);
        let shown = document.instance("c68-i-1");
        assert_eq!(shown.child("overriddenstatus").text, "UNKNOWN", "{path}");
        let port = shown.child("port");
        assert_eq!(
            (port.text.as_str(), port.attribute("enabled")),
            ("8080", Some("true"))
        );
        let secure = shown.child("securePort");
        assert_eq!(
            (secure.text.as_str(), secure.attribute("enabled")),
            ("443", Some("false"))
        );
        let data_center = shown.child("dataCenterInfo");
        let class = "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo";
        assert_eq!(data_center.attribute("class"), Some(class), "{path}");
        assert_eq!(data_center.child("name").text, "MyOwn");
    }
    // D-14: a single instance of Netflix's shows OUT_OF_SERVICE as DOWN in XML: an accident, not copied.
    assert_eq!(
        at.status("PUT", "apps/C68/c68-i-1/status?value=OUT_OF_SERVICE"),
        200
    );
    let shown = at.read_xml("apps/C68/c68-i-1");
    assert_eq!(shown.child("status").text, "OUT_OF_SERVICE");
}

/// The XML of one instance of `app` with this metadata.
fn xml_with(at: &Target, app: &str, metadata: Value) -> Answer {
    at.register(&Instance::new(app, "i-1").with("metadata", metadata));
    at.send("GET", &format!("apps/{app}"), &[XML], b"")
}

case!(case_69_metadata_keys_and_values_are_coded_as_prometheus_shows_them);
fn case_69_metadata_keys_and_values_are_coded_as_prometheus_shows_them(at: &Target) {
    let metadata = json!({
        "my_key": "1", "weird key": "2", "1x": "3", "a$b": "4", "-dash": "5", "ä": "6",
        "management.port": "a<b & \"c\" 'd' > e\r\ttab", "class": "x",
    });
    let text = xml_with(at, "C69", metadata.clone()).text();
    for expected in [
        "<my__key>1</my__key>",
        "<weird_.0020key>2</weird_.0020key>",
        "<_.0031x>3</_.0031x>",
        "<a_-b>4</a_-b>",
        "<_.002ddash>5</_.002ddash>",
        "<ä>6</ä>",
        "<management.port>a&lt;b &amp; &quot;c&quot; &apos;d&apos; &gt; e&#xd;\ttab</management.port>",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert_eq!(at.shown("C69", "i-1")["metadata"], metadata);
}

// D-21: three ways in which one registration takes the registry from every reader of XML.
case!(case_70_what_is_no_xml_is_left_out_of_it);
fn case_70_what_is_no_xml_is_left_out_of_it(at: &Target) {
    let metadata = json!({ "a:b": "colon", "": "nameless", "bell": "x\u{1}y\u{fffe}z", "ok": "1" });
    // The house rules read it as the strictest client does.
    let text = xml_with(at, "C70", metadata.clone()).text();
    assert!(text.contains("<a_.003ab>colon</a_.003ab>"), "{text}");
    assert!(
        text.contains("<ok>1</ok>") && !text.contains("nameless"),
        "{text}"
    );
    at.read_xml("apps").instance("i-1");
    assert_eq!(
        at.shown("C70", "i-1")["metadata"],
        metadata,
        "JSON can say all of it"
    );
}
