//! The documents in their whole shape: against Netflix's own server, and the small forms.

use eureka_raft::registry::{
    ActionType, AppName, DataCenter, Instance, InstanceId, InstanceStatus, LeaseTerms, Port, Record,
};
use eureka_raft::wire::{self, ApplicationsHeader, Form, Format, StatusInfo};
use serde_json::Value;

use crate::support::{application, list, record, text, xml_with};

const HEADER: ApplicationsHeader<'_> = ApplicationsHeader {
    version: "1",
    hash_code: "OUT_OF_SERVICE_1_UP_1_",
};

/// When something happened in one of the two recordings, the JSON and the XML one.
struct Stamps {
    pay_ms: u64,
    demo_updated_ms: u64,
    demo_renewed_ms: u64,
}

fn stamps(format: Format) -> Stamps {
    match format {
        Format::Json => Stamps {
            pay_ms: 1_795_228_494_054,
            demo_updated_ms: 1_795_228_493_546,
            demo_renewed_ms: 1_795_228_584_205,
        },
        Format::Xml => Stamps {
            pay_ms: 1_795_228_494_815,
            demo_updated_ms: 1_795_228_494_812,
            demo_renewed_ms: 1_795_228_584_823,
        },
    }
}

fn entries(pairs: &[(&str, &str)]) -> Vec<(Box<str>, Box<str>)> {
    let boxed = |(key, value): &(&str, &str)| ((*key).into(), (*value).into());
    pairs.iter().map(boxed).collect()
}

fn instance(id: &str, app: &str, host: &str, ip: &str) -> Instance {
    let port = |number, enabled| Port { number, enabled };
    Instance {
        id: InstanceId::new(id),
        app: AppName::new(app),
        host_name: host.into(),
        ip_addr: ip.into(),
        sid: None,
        status: InstanceStatus::Up,
        overridden: InstanceStatus::Unknown,
        port: port(8080, true),
        secure_port: port(443, false),
        country_id: 1,
        data_center: DataCenter::MyOwn,
        lease: LeaseTerms::default(),
        metadata: Vec::new(),
        app_group_name: None,
        home_page_url: None,
        status_page_url: None,
        health_check_url: None,
        secure_health_check_url: None,
        vip_address: None,
        secure_vip_address: None,
        asg_name: None,
        last_dirty_ms: Some(1_700_000_000_000),
    }
}

fn pay(stamps: &Stamps) -> Record {
    let mut pay = instance("i-0abc", "PAY", "ec2-1-2-3-4.x", "10.1.1.1");
    pay.status = InstanceStatus::OutOfService;
    pay.data_center = DataCenter::Amazon(entries(&[
        ("public-ipv4", "1.2.3.4"),
        ("public-hostname", "ec2-1-2-3-4.x"),
        ("instance-id", "i-0abc"),
        ("local-ipv4", "10.1.1.1"),
        ("instance-type", "m1.large"),
        ("ami-id", "ami-1"),
        ("availability-zone", "us-east-1a"),
    ]));
    pay.app_group_name = Some("PAYMENTS".into());
    pay.vip_address = Some("pay,pay-alt".into());
    pay.secure_vip_address = Some("pay-sec".into());
    pay.asg_name = Some("pay-v001".into());
    Record {
        last_updated_ms: stamps.pay_ms,
        registered_ms: stamps.pay_ms,
        renewed_ms: stamps.pay_ms,
        service_up_ms: 0,
        ..record(pay)
    }
}

fn demo(stamps: &Stamps) -> Record {
    let mut demo = instance("host1:demo:8080", "DEMO", "host1", "10.0.0.5");
    demo.metadata = entries(&[
        ("zone", "z1"),
        ("management.port", "8080"),
        ("weird key_$", "a<b&\"c\""),
    ]);
    demo.home_page_url = Some("http://host1:8080/".into());
    demo.status_page_url = Some("http://host1:8080/actuator/info".into());
    demo.health_check_url = Some("http://host1:8080/actuator/health".into());
    demo.vip_address = Some("demo".into());
    demo.secure_vip_address = Some("demo".into());
    Record {
        last_updated_ms: stamps.demo_updated_ms,
        registered_ms: stamps.demo_updated_ms,
        renewed_ms: stamps.demo_renewed_ms,
        service_up_ms: 1_795_228_493_546,
        ..record(demo)
    }
}

fn two_applications(stamps: &Stamps) -> [(&'static str, Vec<Record>); 2] {
    [("PAY", vec![pay(stamps)]), ("DEMO", vec![demo(stamps)])]
}

#[test]
fn lists_equal_those_of_netflix_byte_for_byte_in_all_four_forms() {
    let json = two_applications(&stamps(Format::Json));
    let xml = two_applications(&stamps(Format::Xml));
    let full_json = include_str!("../golden/netflix-full.json");
    let full_xml = include_str!("../golden/netflix-full.xml");
    let compact_json = include_str!("../golden/netflix-compact.json");
    let compact_xml = include_str!("../golden/netflix-compact.xml");
    let ours = |format, form, applications| list(format, form, &HEADER, applications);
    assert_eq!(ours(Format::Json, Form::Full, &json), full_json);
    assert_eq!(ours(Format::Xml, Form::Full, &xml), full_xml);
    assert_eq!(ours(Format::Json, Form::Compact, &json), compact_json);
    assert_eq!(ours(Format::Xml, Form::Compact, &json), compact_xml);
}

#[test]
fn empty_lists_are_written_as_recorded() {
    let empty = |version| ApplicationsHeader {
        version,
        hash_code: "",
    };
    let ours = |format, form, version| list(format, form, &empty(version), &[]);
    assert_eq!(
        ours(Format::Json, Form::Full, "1"),
        r#"{"applications":{"versions__delta":"1","apps__hashcode":"","application":[]}}"#
    );
    let xml = ours(Format::Xml, Form::Full, "1");
    assert_eq!(xml.len(), 105, "as long as the released server's");
    assert_eq!(
        xml,
        "<applications>\n  <versions__delta>1</versions__delta>\n  <apps__hashcode></apps__hashcode>\n</applications>"
    );
    assert_eq!(
        ours(Format::Json, Form::Compact, "-1"),
        r#"{"applications":{"application":[],"registeredApplicationsEmpty":true,"versions__delta":"-1","apps__hashcode":""}}"#
    );
    assert_eq!(
        ours(Format::Xml, Form::Compact, "1"),
        "<applications><registeredApplicationsEmpty>true</registeredApplicationsEmpty><versions__delta>1</versions__delta><apps__hashcode></apps__hashcode></applications>"
    );
}

#[test]
fn an_application_document_holds_the_fragment_of_the_list() {
    let record = demo(&stamps(Format::Json));
    let demo = application("DEMO", [record.clone()]);
    let fragment = |format, form| {
        let records = std::iter::once(&record);
        let name = AppName::new("demo");
        text(wire::application_fragment(format, form, &name, records))
    };
    let document = |format, form| text(wire::application_document(format, form, &demo));
    for form in [Form::Full, Form::Compact] {
        let expected = format!(r#"{{"application":{}}}"#, fragment(Format::Json, form));
        assert_eq!(document(Format::Json, form), expected);
        let mut expected = fragment(Format::Xml, form);
        if form == Form::Full {
            expected = expected.replace("\n  ", "\n")[1..].to_owned();
        }
        assert_eq!(document(Format::Xml, form), expected);
    }
}

#[test]
fn a_single_instance_shows_its_real_last_renewal() {
    let record = demo(&stamps(Format::Json));
    let json = text(wire::instance_document(Format::Json, &record, 42));
    assert!(json.starts_with(r#"{"instance":{"instanceId":"host1:demo:8080","hostName""#));
    assert!(json.contains(r#""lastRenewalTimestamp":42,"#), "{json}");
    let xml = text(wire::instance_document(Format::Xml, &record, 42));
    assert!(xml.starts_with("<instance>\n  <instanceId>host1:demo:8080</instanceId>\n"));
    assert!(xml.contains("<lastRenewalTimestamp>42</lastRenewalTimestamp>"));
    assert!(xml.ends_with("</actionType>\n</instance>"), "{xml}");
}

#[test]
fn what_is_shown_is_the_record_not_the_clients_word() {
    let mut shown = demo(&stamps(Format::Json));
    shown.status = InstanceStatus::OutOfService;
    shown.overridden = InstanceStatus::OutOfService;
    shown.action = ActionType::Modified;
    shown.last_dirty_ms = 5;
    let json = text(wire::instance_document(Format::Json, &shown, 1));
    assert!(json.contains(r#""status":"OUT_OF_SERVICE","overriddenStatus":"OUT_OF_SERVICE""#));
    assert!(json.contains(r#""lastDirtyTimestamp":"5","actionType":"MODIFIED""#));
    // Netflix's server says DOWN here; no client depends on it.
    let xml = text(wire::instance_document(Format::Xml, &shown, 1));
    assert!(xml.contains("<status>OUT_OF_SERVICE</status>\n  <overriddenstatus>OUT_OF_SERVICE<"));
}

#[test]
fn optional_fields_are_absent_or_in_their_place() {
    let shown = record(xml_with("<sid>s1</sid><port enabled=\"false\">-1</port>").unwrap());
    let json = text(wire::instance_document(Format::Json, &shown, 1));
    assert!(json.contains(r#""ipAddr":"1.1.1.1","sid":"s1","status":"UP""#));
    assert!(json.contains(r#""port":{"$":-1,"@enabled":"false"}"#));
    for absent in ["null", "appGroupName", "Url", "vip", "asgName"] {
        assert!(!json.contains(absent), "{absent} in {json}");
    }
}

#[test]
fn an_empty_map_says_so_as_java_does() {
    let bare = record(xml_with("").unwrap());
    let json = text(wire::instance_document(Format::Json, &bare, 1));
    let xml = text(wire::instance_document(Format::Xml, &bare, 1));
    assert!(json.contains(r#""metadata":{"@class":"java.util.Collections$EmptyMap"}"#));
    assert!(xml.contains(r#"<metadata class="java.util.Collections$EmptyMap"/>"#));
}

#[test]
fn json_is_escaped_as_jackson_does() {
    let mut odd = demo(&stamps(Format::Json));
    let mut instance = Instance::clone(&odd.instance);
    instance.metadata = entries(&[("k", "\u{1}\u{1f}\u{7f}\u{8}\u{c}\n\r\t\"\\/é\u{2028}🙂")]);
    odd.instance = instance.into();
    let control = r#"{"k":"\u0001\u001F"#;
    let short = "\u{7f}\\b\\f\\n\\r\\t\\\"\\\\/é\u{2028}";
    let single = text(wire::instance_document(Format::Json, &odd, 1));
    let expected = format!(r#"{control}{short}\uD83D\uDE42"}}"#);
    assert!(single.contains(&expected), "{single}");
    // Jackson writes a list to a string, where it leaves such characters alone.
    let listed = list(Format::Json, Form::Full, &HEADER, &[("DEMO", vec![odd])]);
    assert!(listed.contains(&format!(r#"{control}{short}🙂"}}"#)));
}

#[test]
fn the_status_page_is_whole_in_both_formats() {
    let own = demo(&stamps(Format::Json));
    let status = StatusInfo {
        environment: "test",
        num_of_cpus: "2",
        total_avail_memory: "463mb",
        current_memory_usage: "120mb (25%)",
        server_uptime: "2 days 03:04",
        registered_replicas: "http://b/eureka/, http://c/eureka/",
        available_replicas: "http://b/eureka/,",
        unavailable_replicas: "http://c/eureka/,",
        instance: &own,
        healthy: true,
    };
    let json = text(wire::status_info_document(Format::Json, &status));
    let parsed: Value = serde_json::from_str(&json).expect("valid, unlike Netflix's");
    assert_eq!(parsed["generalStats"]["num-of-cpus"], "2");
    assert_eq!(
        parsed["applicationStats"]["available-replicas"],
        "http://b/eureka/,"
    );
    assert_eq!(parsed["instanceInfo"]["hostName"], "host1");
    assert!(json.ends_with(r#""healthy":true}"#), "{json}");
    let xml = text(wire::status_info_document(Format::Xml, &status));
    assert!(xml.starts_with(
        "<com.netflix.eureka.util.StatusInfo>\n  <generalStats>\n    <environment>test</environment>\n"
    ));
    assert!(xml.contains("\n  <instanceInfo>\n    <instanceId>host1:demo:8080</instanceId>\n"));
    assert!(
        xml.ends_with("  <isHeathly>true</isHeathly>\n</com.netflix.eureka.util.StatusInfo>"),
        "{xml}"
    );
}
