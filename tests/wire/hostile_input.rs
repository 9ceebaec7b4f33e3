//! Decoders answer any bytes: no panic, no more work than the body is long.

use std::sync::LazyLock;

use eureka_raft::wire::{self, Form};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::{BOTH, MINIMAL_JSON, MINIMAL_XML, conversation};

/// The registrations of the recording, and a minimal one of each format.
static BODIES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let recorded = conversation()
        .into_iter()
        .filter_map(|exchange| exchange["request_body"].as_str().map(str::to_owned));
    let minimal = [
        format!(r#"{{"instance":{{{MINIMAL_JSON}}}}}"#),
        format!("<?xml version=\"1.0\"?><instance>{MINIMAL_XML}<a b='c'/></instance>"),
    ];
    recorded.chain(minimal).collect()
});

fn decode_everywhere(body: &[u8]) {
    for format in BOTH {
        if let Err(refusal) = wire::decode_registration(format, body, "PAY") {
            assert!(refusal.message(format).is_some());
        }
    }
}

/// Replaces, cuts out or repeats a part of `body`.
fn mutated(body: &str, at: usize, length: usize, with: &[u8]) -> Vec<u8> {
    let at = at % (body.len() + 1);
    let end = (at + length).min(body.len());
    let bytes = body.as_bytes();
    [&bytes[..at], with, &bytes[end..]].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn arbitrary_bytes_are_answered(body in vec(any::<u8>(), 0..200)) {
        decode_everywhere(&body);
    }

    #[test]
    fn arbitrary_markup_is_answered(tokens in vec(prop::sample::select(vec![
        "<", ">", "/", "<instance>", "</instance>", "<metadata>", "</metadata>", "<port", " enabled=", "\"",
        "'", "&", ";", "&#", "&#x41;", "<!--", "-->", "<![CDATA[", "]]>", "<!DOCTYPE", "<?", "?>", "_.", "__",
        "{", "}", "[", "]", ":", ",", "\"instance\"", "\"port\"", "\"metadata\"", "\"dataCenterInfo\"", "\\u",
        "d800", "\\", "null", "1e999", "-", "\"Amazon\"", "\"name\"", "<dataCenterInfo>", "<name>", "ä",
    ]), 0..40)) {
        decode_everywhere(tokens.concat().as_bytes());
    }

    #[test]
    fn damaged_registrations_are_answered(
        which in any::<prop::sample::Index>(),
        at in any::<usize>(),
        length in 0_usize..20,
        with in vec(any::<u8>(), 0..6),
    ) {
        decode_everywhere(&mutated(which.get::<String>(&BODIES), at, length, &with));
    }

    #[test]
    fn arbitrary_headers_are_answered(value in any::<String>(), ranges in "[a-z*/;=+,. q0]{0,40}") {
        for value in [value, ranges] {
            let _ = wire::negotiate(std::iter::once(&*value));
            let _ = wire::body_format(Some(&value));
            let _ = Form::from_eureka_accept(Some(&value));
        }
    }
}

#[test]
fn a_body_cut_anywhere_is_refused() {
    for body in BODIES.iter() {
        let format = if body.starts_with('<') {
            BOTH[1]
        } else {
            BOTH[0]
        };
        let whole = body.trim_end();
        if wire::decode_registration(format, whole.as_bytes(), "A").is_err() {
            continue;
        }
        // JSON ends with its last brace; XML with its root's end tag.
        for end in 0..whole.len() - 1 {
            let cut = &whole.as_bytes()[..end];
            let found = wire::decode_registration(format, cut, "A");
            assert!(found.is_err(), "{}", String::from_utf8_lossy(cut));
        }
    }
}
