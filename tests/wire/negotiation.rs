//! Content negotiation as the released servers do it, case by case.

use eureka_raft::wire::{Form, Format, NotAcceptable, body_format, negotiate};

#[test]
fn accept_headers_choose_the_format() {
    let json = Ok(Format::Json);
    let xml = Ok(Format::Xml);
    let refused = Err(NotAcceptable);
    let table = [
        // Nothing said, or everything accepted: XML.
        ("", xml),
        ("  ", xml),
        ("*/*", xml),
        ("application/*", xml),
        ("application/xml", xml),
        // What clients really send.
        ("application/json", json),
        (" application/json", json),
        ("application/json;charset=UTF-8", json),
        ("APPLICATION/JSON", json),
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
        // JSON wherever it is acceptable and named, whatever the weights.
        ("application/json;q=0.1, application/xml", json),
        ("application/vnd.foo+json, */*", json),
        ("application/*+json, application/xml", json),
        // What the client excludes is not named.
        ("application/json;q=0, application/xml", xml),
        ("application/json; q=0.000, */*", xml),
        ("application/json;q=0", refused),
        // Nothing we can write.
        ("text/html", refused),
        ("text/plain", refused),
        ("text/xml", refused),
        ("text/json", refused),
        ("application/vnd.foo+json", refused),
        ("application/*+json", refused),
        ("application/*+xml", refused),
        ("image/*, text/*", refused),
        // Malformed ranges accept everything.
        ("*", xml),
        ("garbage", xml),
        (",,", xml),
        ("json", json),
    ];
    for (accept, expected) in table {
        assert_eq!(negotiate(Some(accept)), expected, "Accept: {accept}");
    }
    assert_eq!(negotiate(None), xml);
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
