//! Metadata in XML: keys as element names and values as text, for readers as strict as Python's.

use eureka_raft::wire::{self, Format};

use crate::support::{record, text, xml_with};

/// The lines between `<metadata>` and `</metadata>` of an instance with these entries.
fn shown(entries: &[(&str, &str)]) -> String {
    let mut instance = xml_with("").unwrap();
    let boxed = |(key, value): &(&str, &str)| ((*key).into(), (*value).into());
    instance.metadata = entries.iter().map(boxed).collect();
    let document = text(wire::instance_document(Format::Xml, &record(instance), 1));
    let (_, rest) = document.split_once("<metadata>\n    ").expect("metadata");
    let (inside, _) = rest.split_once("\n  </metadata>").expect("its end");
    inside.to_owned()
}

fn name_of(key: &str) -> String {
    let shown = shown(&[(key, "v")]);
    let (name, rest) = shown[1..].split_once('>').unwrap();
    assert_eq!(rest, format!("v</{name}>"), "{key}");
    name.to_owned()
}

#[test]
fn keys_are_coded_as_xstream_does() {
    let rows = [
        ("zone", "zone"),
        ("management.port", "management.port"),
        ("my_key", "my__key"),
        ("weird key_$", "weird_.0020key___-"),
        ("1digit", "_.0031digit"),
        ("d1git", "d1git"),
        ("-dash", "_.002ddash"),
        ("in-side", "in-side"),
        (".dot", "_.002edot"),
        ("@x", "_.0040x"),
        ("a__b", "a____b"),
        ("$", "_-"),
        ("_", "__"),
        ("a/b", "a_.002fb"),
        ("a<b>&\"'", "a_.003cb_.003e_.0026_.0022_.0027"),
        ("ä", "ä"),
        ("日本", "日本"),
        ("🙂", "_.d83d_.de42"),
        ("tab\there", "tab_.0009here"),
    ];
    for (key, expected) in rows {
        assert_eq!(name_of(key), expected, "{key}");
        let element = format!("<metadata><{expected}>v</{expected}></metadata>");
        let read = xml_with(&element).unwrap();
        assert_eq!(&*read.metadata[0].0, key, "{expected} read back");
    }
}

#[test]
fn keys_that_break_strict_readers_are_escaped_here() {
    // XStream writes these bare or raw; one of them costs Python's and Go's readers the whole list.
    let rows = [
        ("a:b", "a_.003ab"),
        (":", "_.003a"),
        ("\u{1}", "_.0001"),
        ("\0", "_.0000"),
        ("\u{ffff}", "_.ffff"),
        // Letters that the fourth edition of XML 1.0 does not know.
        ("\u{220}", "_.0220"),
        ("\u{2c00}", "_.2c00"),
        ("\u{b7}", "_.00b7"),
    ];
    for (key, expected) in rows {
        assert_eq!(name_of(key), expected, "{key:?}");
    }
}

#[test]
fn foreign_codings_are_read() {
    let rows = [
        ("a:b", "a:b"),
        ("lone_underscore", "lone_underscore"),
        ("_x", "_x"),
        ("_.00E4", "ä"),
        ("_.d83d_.de42x", "🙂x"),
        ("___.0041", "_A"),
    ];
    for (name, key) in rows {
        let element = format!("<metadata><{name}>v</{name}></metadata>");
        let read = xml_with(&element).unwrap();
        assert_eq!(&*read.metadata[0].0, key, "{name}");
    }
}

#[test]
fn the_class_key_is_dropped_from_xml_too() {
    let read = xml_with("<metadata><_.0040class>x</_.0040class></metadata>").unwrap();
    assert!(read.metadata.is_empty());
}

#[test]
fn the_empty_key_has_no_element() {
    assert_eq!(shown(&[("", "x"), ("a", "b")]), "<a>b</a>");
    let mut instance = xml_with("").unwrap();
    instance.metadata = vec![("".into(), "x".into())];
    let document = text(wire::instance_document(Format::Xml, &record(instance), 1));
    assert!(document.contains(r#"<metadata class="java.util.Collections$EmptyMap"/>"#));
}

#[test]
fn values_are_escaped_as_xstream_does() {
    let value = "&<>\"'\r\n\t/é日🙂\u{7f}\u{80}\u{85}\u{9f}\u{a0}";
    let expected = "&amp;&lt;&gt;&quot;&apos;&#xd;\n\t/é日🙂&#x7f;&#x80;&#x85;&#x9f;\u{a0}";
    assert_eq!(shown(&[("k", value)]), format!("<k>{expected}</k>"));
    assert_eq!(shown(&[("k", "")]), "<k></k>");
}

#[test]
fn characters_that_xml_does_not_have_are_replaced_in_values() {
    for illegal in [
        "\0", "\u{1}", "\u{8}", "\u{b}", "\u{c}", "\u{e}", "\u{1f}", "\u{fffe}", "\u{ffff}",
    ] {
        let value = format!("a{illegal}b{illegal}");
        assert_eq!(
            shown(&[("k", &value)]),
            "<k>a\u{fffd}b\u{fffd}</k>",
            "{illegal:?}"
        );
    }
    let legal = "\u{fffd}\u{fdd0}\u{10ffff}\u{feff}";
    assert_eq!(shown(&[("k", legal)]), format!("<k>{legal}</k>"));
}
