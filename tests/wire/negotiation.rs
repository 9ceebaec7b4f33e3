//! Content negotiation as the released servers do it, case by case.

use eureka_raft::wire::{Form, Format, NotAcceptable, body_format, negotiate};

/// As Spring Cloud Netflix Eureka Server 5.0.2 answers each of these lines: a single instance by the rules of JAX-RS,
/// a list as soon as the line mentions JSON.
#[test]
fn accept_headers_choose_the_formats() {
    let json = Ok((Format::Json, Format::Json));
    let xml = Ok((Format::Xml, Format::Xml));
    let mixed = Ok((Format::Xml, Format::Json));
    let refused = Err(NotAcceptable);
    let table = [
        // Nothing said, or everything accepted: XML.
        ("", xml),
        ("  ", xml),
        ("*/*", xml),
        ("*", xml),
        ("application", xml),
        ("application/*", xml),
        ("application/*;q=0.5", xml),
        ("application/xml", xml),
        ("*/xml", xml),
        // What clients really send.
        ("application/json", json),
        (" application/json", json),
        ("application/json;charset=UTF-8", json),
        ("application/json, application/*+json", json),
        (
            "application/json, application/xml, text/xml, application/*+json, application/*+xml",
            json,
        ),
        ("text/html, image/gif, image/jpeg, */*; q=0.2", xml),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", xml),
        (
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            xml,
        ),
        // The highest weight wins, then the fewer wildcards, then the first.
        ("application/xml;q=0.1, application/json", json),
        ("application/xml;q=.5, application/json;q=.6", json),
        ("application/xml;q=0.001, application/json;q=0.002", json),
        ("application/json;q=0.9,application/xml;q=0.9", json),
        ("text/html, application/json;q=0.1", json),
        ("*/*, application/json", json),
        ("application/*, application/json", json),
        ("application/json,*/*;q=0.1", json),
        ("application/xml;q=0.5, */json", json),
        ("*/xml, application/json", json),
        ("application/json;q=\"0.5\", application/xml;q=0.4", json),
        ("application/json;q=0.5;q=0.9, application/xml;q=0.7", json),
        ("application/json;a=\"b,c\"", json),
        // A single instance is XML, and a list JSON because the line mentions it (D-06).
        ("application/json;q=0.1, application/xml", mixed),
        ("application/xml, application/json", mixed),
        ("application/xml;q=0.9,application/json;q=0.9", mixed),
        ("*/*;q=0.9,application/json;q=0.1", mixed),
        ("*;q=0.5, application/json;q=0.1", mixed),
        ("*/json, application/xml", mixed),
        ("application/vnd.foo+json, */*", mixed),
        ("text/json, */*", mixed),
        ("application/xml;json=1", mixed),
        // Jersey excludes nothing by a weight of 0.
        ("application/json;q=0", json),
        ("application/json;q=0, application/xml;q=0", json),
        ("text/*, application/json;q=0", json),
        ("*/*;q=0", xml),
        ("application/xml;q=0, */*", xml),
        ("application/json;q=0, */*", mixed),
        ("application/json;Q=0, application/xml", mixed),
        // Nothing we can write.
        ("text/html", refused),
        ("text/plain", refused),
        ("text/xml", refused),
        ("text/*", refused),
        ("text/json", refused),
        ("json", refused),
        ("garbage", refused),
        ("application/vnd.foo+json", refused),
        ("application/*+json", refused),
        ("application/*+xml", refused),
        ("image/*, text/*", refused),
        // They answer in a type as the client wrote it, and look for small letters (D-07).
        ("APPLICATION/JSON", json),
        ("Application/Json, */*", json),
        // They refuse what is no list of ranges (D-09).
        (",,", xml),
        (" ; ", xml),
        ("application/", xml),
        ("\"application/xml\"", xml),
        (",application/json", json),
        ("a/b,,application/json", json),
        ("application/json;q=2", json),
        ("application/json;q=-1, application/xml;q=0.9", json),
        ("application/json;q=", json),
        ("application/json;q=NaN", json),
        ("application/json;charset", json),
        ("text/html, /json", refused),
    ];
    for (accept, expected) in table {
        assert_eq!(formats(&[accept]), expected, "Accept: {accept}");
    }
    assert_eq!(formats(&[]), xml);
}

/// JAX-RS reads all lines, and Eureka's look for JSON in lists the first.
#[test]
fn several_accept_lines_are_one_list() {
    let json = Ok((Format::Json, Format::Json));
    let xml = Ok((Format::Xml, Format::Xml));
    let table = [
        (["application/xml", "application/json"], xml),
        (["application/json", "application/xml"], json),
        (["text/html", "*/*"], xml),
        (["*/*", "application/json;q=0.1"], xml),
        // They send XML labelled JSON (D-07).
        (["text/html", "application/json"], json),
    ];
    for (lines, expected) in table {
        assert_eq!(formats(&lines), expected, "{lines:?}");
    }
}

/// The formats of one and of a list.
fn formats(lines: &[&str]) -> Result<(Format, Format), NotAcceptable> {
    let accepted = negotiate(lines.iter().copied())?;
    Ok((accepted.one, accepted.list))
}

#[test]
fn content_types_choose_how_a_body_is_read() {
    let table = [
        ("application/json", Some(Format::Json)),
        ("Application/JSON", Some(Format::Json)),
        ("application/json; charset=utf-8", Some(Format::Json)),
        ("application/json;charset=\"UTF-8\"", Some(Format::Json)),
        ("application/json; charset=ISO-8859-1", Some(Format::Json)),
        ("application/json; version=1", Some(Format::Json)),
        ("application/xml", Some(Format::Xml)),
        ("application/xml;charset=UTF-8", Some(Format::Xml)),
        ("application/*", Some(Format::Xml)),
        ("*/*", Some(Format::Xml)),
        ("application/json; charset=utf-16", None),
        ("application/xml; charset=windows-1252", None),
        ("text/json", None),
        ("text/xml", None),
        ("text/plain", None),
        ("application/vnd.foo+json", None),
        ("application/x-www-form-urlencoded", None),
        ("json", None),
        ("", None),
    ];
    for (value, expected) in table {
        let found = body_format(Some(value)).ok();
        assert_eq!(found, expected, "Content-Type: {value}");
    }
    assert!(body_format(None).is_err());
}

#[test]
fn only_the_bare_word_compact_selects_the_compact_form() {
    let form = |value| Form::from_eureka_accept(value);
    assert_eq!(form(Some("compact")), Form::Compact);
    assert_eq!(form(Some("COMPACT")), Form::Compact);
    for other in [None, Some("full"), Some("[compact]"), Some("")] {
        assert_eq!(form(other), Form::Full, "{other:?}");
    }
}

#[test]
fn media_types_carry_no_charset() {
    assert_eq!(Format::Json.media_type(), "application/json");
    assert_eq!(Format::Xml.media_type(), "application/xml");
}
