//! What holds for every answer of every case, whatever was asked.
//!
//! Owns those rules: no redirect (case 88), empty errors, no content type without a body, never an extra
//! field (case 94). It may not know which request it was but by name and method.

use super::schema;
use super::strict_xml;
use crate::support::http::Answer;

/// Panics with `what` if `answer` breaks a rule.
pub(super) fn hold(what: &str, method: &str, answer: &Answer) {
    assert!(
        !(300..400).contains(&answer.status),
        "{what}: {} redirects",
        answer.status
    );
    // 400 has Eureka's own texts, 409 the instance; all else confuses clients that parse it.
    let may_speak = matches!(answer.status, 200 | 400 | 409);
    assert!(
        may_speak || answer.body.is_empty(),
        "{what}: {} with {}",
        answer.status,
        answer.text()
    );
    let typed = answer.header("content-type");
    if method != "HEAD" {
        assert_eq!(
            typed.is_some(),
            !answer.body.is_empty(),
            "{what}: {typed:?}"
        );
    }
    let plain = answer.header("content-encoding").is_none();
    if plain && matches!(answer.status, 200 | 409) && !answer.body.is_empty() {
        document(what, typed.unwrap_or_default(), answer);
    }
}

fn document(what: &str, media_type: &str, answer: &Answer) {
    match media_type {
        "application/json" => schema::check_json(what, &answer.json()),
        "application/xml" => schema::check_xml(what, &strict_xml::parse(&answer.text())),
        other => panic!("{what}: a document of type {other}"),
    }
}
