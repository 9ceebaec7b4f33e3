//! What the clock, or the age of the server, decides: blanked.
//!
//! Owns the port of `normalise` of the script that recorded the conversations. It may not forget anything else: zeros
//! stay (a lease that never was UP has `serviceUpTimestamp` 0), and so do the `lastDirtyTimestamp`s the requests set.

use crate::recording::Exchange;

const STAMPS: [&str; 7] = [
    "registrationTimestamp",
    "lastRenewalTimestamp",
    "serviceUpTimestamp",
    "lastUpdatedTimestamp",
    "evictionTimestamp",
    "lastDirtyTimestamp",
    "timestamp",
];

/// How the `lastDirtyTimestamp`s in the recorded requests begin.
const SENT: [&str; 2] = ["17000000000", "16999999999"];

/// The body with its moments blanked, and of deltas the version.
pub(crate) fn normalised(exchange: &Exchange) -> String {
    let mut body = exchange.body.clone();
    for stamp in STAMPS {
        let keep = |value: &str| {
            value == "0"
                || stamp == "lastDirtyTimestamp" && SENT.iter().any(|sent| value.starts_with(sent))
        };
        let blank = |value: &str, blank: &str| {
            if keep(value) {
                value.to_owned()
            } else {
                blank.to_owned()
            }
        };
        // A number stays a number, a text a text.
        body = replaced(&body, &format!("\"{stamp}\":\""), &['"'], |value| {
            blank(value, "TIME")
        });
        body = replaced(&body, &format!("\"{stamp}\":"), &[',', '}', '"'], |value| {
            blank(value, "-1")
        });
        body = replaced(&body, &format!("<{stamp}>"), &['<'], |value| {
            blank(value, "TIME")
        });
    }
    body = replaced(&body, "<div id='created'>", &['<'], |_| "TIME".to_owned());
    if exchange.path.contains("/apps/delta") {
        body = replaced(&body, "versions__delta\":\"", &['"'], |_| "N".to_owned());
        body = replaced(&body, "versions__delta>", &['<'], |value| {
            let closes = value.trim().is_empty();
            (if closes { value } else { "N" }).to_owned()
        });
    }
    body
}

/// `text`, with what stands between `before` and the first of `ends` replaced wherever it is not empty.
fn replaced(text: &str, before: &str, ends: &[char], with: impl Fn(&str) -> String) -> String {
    let mut parts = text.split(before);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(ends).unwrap_or(part.len());
        let (value, rest) = part.split_at(end);
        out += before;
        out += &if value.is_empty() {
            String::new()
        } else {
            with(value)
        };
        out += rest;
    }
    out
}

#[test]
fn moments_are_blanked_and_zeros_and_sent_versions_stay() {
    let shown = |path: &str, body: &str| {
        let mut exchange = crate::recording::exchanges(crate::recording::RECORDINGS[0].1).remove(0);
        (exchange.path, exchange.body) = (path.to_owned(), body.to_owned());
        normalised(&exchange)
    };
    let table = [
        (
            "/eureka/apps",
            r#"{"serviceUpTimestamp":0,"x":1}"#,
            r#"{"serviceUpTimestamp":0,"x":1}"#,
        ),
        (
            "/eureka/apps",
            r#"{"serviceUpTimestamp":7}"#,
            r#"{"serviceUpTimestamp":-1}"#,
        ),
        (
            "/eureka/apps",
            r#"{"lastDirtyTimestamp":"1700000000010"}"#,
            r#"{"lastDirtyTimestamp":"1700000000010"}"#,
        ),
        (
            "/eureka/apps",
            r#"{"lastDirtyTimestamp":"1795000000000"}"#,
            r#"{"lastDirtyTimestamp":"TIME"}"#,
        ),
        (
            "/eureka/apps",
            "<lastUpdatedTimestamp>5</lastUpdatedTimestamp>",
            "<lastUpdatedTimestamp>TIME</lastUpdatedTimestamp>",
        ),
        (
            "/eureka/apps",
            r#"{"versions__delta":"1"}"#,
            r#"{"versions__delta":"1"}"#,
        ),
        (
            "/eureka/apps/delta",
            r#"{"versions__delta":"12"}"#,
            r#"{"versions__delta":"N"}"#,
        ),
        (
            "/eureka/apps/delta",
            "<versions__delta>12</versions__delta>\n  <a>",
            "<versions__delta>N</versions__delta>\n  <a>",
        ),
    ];
    for (path, body, expected) in table {
        assert_eq!(shown(path, body), expected, "{path} {body}");
    }
}
