//! The recorded conversations, played.
//!
//! Owns the comparison of a whole conversation, and what is printed when it fails: the request as a command, their
//! answer, the answer we want, ours.

use std::collections::BTreeSet;

use crate::meaning::Meaning;
use crate::recording::{Exchange, RECORDINGS, exchanges};
use crate::rules::{self, wanted};
use crate::server::Fresh;

/// How much of a document a report shows, in bytes.
const SHOWN_BYTES_MAX: usize = 4_000;

#[test]
fn what_spring_5_answered_is_answered_here_but_for_the_listed_differences() {
    play(RECORDINGS[0]);
}

#[test]
fn what_spring_4_answered_is_answered_here_but_for_the_listed_differences() {
    play(RECORDINGS[1]);
}

fn play((name, recording): (&str, &str)) {
    let exchanges = exchanges(recording);
    assert_eq!(exchanges.len(), 84, "the whole of {name}");
    let server = Fresh::start();
    let differences: Vec<String> = exchanges
        .iter()
        .filter_map(|exchange| {
            let ours = if changes_ours_alone(exchange) {
                exchange.asked(Fresh::start().addr)
            } else {
                exchange.asked(server.addr)
            };
            difference(exchange, &ours)
        })
        .collect();
    assert!(
        differences.is_empty(),
        "{} of {name} differ and are not in docs/compatibility.md:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

/// A request that theirs refused and ours means to accept is played to a server of its own: theirs went on without it.
fn changes_ours_alone(exchange: &Exchange) -> bool {
    exchange.status >= 400 && wanted(exchange).0.status < 300
}

/// What is to be read if `ours` is not what is wanted.
fn difference(exchange: &Exchange, ours: &Exchange) -> Option<String> {
    let (wanted, by) = wanted(exchange);
    let (wanted, got) = (wanted.unordered(), Meaning::of(ours).unordered());
    (wanted != got).then(|| {
        format!(
            "{} {}\n  {}\n  theirs {} {}\n  wanted {} {by:?}\n  ours   {} {}\n",
            exchange.n,
            exchange.name,
            exchange.curl(),
            exchange.status,
            excerpt(&exchange.body),
            excerpt(&format!("{wanted:?}")),
            excerpt(&format!("{got:?}")),
            excerpt(&ours.body),
        )
    })
}

fn excerpt(text: &str) -> &str {
    let end = text.floor_char_boundary(SHOWN_BYTES_MAX);
    &text[..end]
}

#[test]
fn every_rule_is_used_by_a_recording() {
    let used: BTreeSet<&str> = RECORDINGS
        .iter()
        .flat_map(|(_, recording)| exchanges(recording))
        .flat_map(|exchange| wanted(&exchange).1)
        .collect();
    assert_eq!(used, rules::ids());
}

#[test]
fn a_difference_that_is_not_listed_is_told_with_the_request_and_all_answers() {
    let exchanges = exchanges(RECORDINGS[0].1);
    let refused = exchanges
        .iter()
        .find(|exchange| exchange.name == "renew unknown")
        .unwrap();
    let mut ours = Exchange {
        body: String::new(),
        response_headers: Vec::new(),
        ..refused.clone()
    };
    assert_eq!(difference(refused, &ours), None, "D-01 lists an empty body");
    ours.status = 200;
    let told = difference(refused, &ours).expect("200 is not 404");
    for part in [
        "curl -i -X PUT -H 'Accept: application/json'",
        "/eureka/apps/PAY/nope?status=UP'",
        "theirs 404",
        "status: 200",
    ] {
        assert!(told.contains(part), "{part:?} in {told}");
    }
    let list = exchanges
        .iter()
        .find(|exchange| exchange.name == "apps JSON")
        .unwrap();
    let ours = Exchange {
        body: list.body.replace("\"countryId\":1", "\"countryId\":2"),
        ..list.clone()
    };
    assert!(difference(list, &ours).is_some(), "one number is enough");
}
