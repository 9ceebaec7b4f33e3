//! 7.3 Heartbeat: when it is 200, when 404, and that it looks at nothing it need not look at.

use super::documents::{Instance, JSON, REPLICATED, T, lease_of};
use super::targets::Target;
use crate::support::cluster::SOON;
use crate::support::eventually::eventually;

case!(case_27_a_heartbeat_of_nobody_is_404_with_zero_bytes);
fn case_27_a_heartbeat_of_nobody_is_404_with_zero_bytes(at: &Target) {
    at.register(&Instance::new("C27", "i-1"));
    for path in ["apps/C27NOBODY/i-1", "apps/C27/i-2"] {
        for headers in [&[JSON][..], &[]] {
            let answer = at.send("PUT", path, headers, b"");
            assert_eq!(
                (answer.status, answer.body.len()),
                (404, 0),
                "{path} {headers:?}"
            );
            // D-01: Jersey 1 parses whatever comes with a type as an instance, and then never registers again.
            assert_eq!(answer.header("content-type"), None);
        }
    }
}

case!(case_28_a_heartbeat_of_a_known_instance_is_200_with_zero_bytes);
fn case_28_a_heartbeat_of_a_known_instance_is_200_with_zero_bytes(at: &Target) {
    at.register(&Instance::new("C28", "i-1"));
    for headers in [&[JSON][..], &[]] {
        let answer = at.send("PUT", "apps/C28/i-1", headers, b"");
        assert_eq!((answer.status, answer.body.len()), (200, 0));
    }
}

case!(case_29_the_status_of_a_heartbeat_is_ignored);
fn case_29_the_status_of_a_heartbeat_is_ignored(at: &Target) {
    at.register(&Instance::new("C29", "i-1"));
    for status in ["DOWN", "bogus", ""] {
        let path = format!("apps/C29/i-1?status={status}&lastDirtyTimestamp={T}");
        assert_eq!(at.status("PUT", &path), 200, "{status}");
        assert_eq!(at.status_of("C29", "i-1"), "UP");
    }
}

case!(case_30_a_client_that_is_newer_is_404_and_one_that_is_older_200);
fn case_30_a_client_that_is_newer_is_404_and_one_that_is_older_200(at: &Target) {
    at.register(&Instance::new("C30", "i-1"));
    for (dirty, status) in [(T, 200), (T + 1, 404), (T - 1, 200), (T, 200)] {
        let path = format!("apps/C30/i-1?status=UP&lastDirtyTimestamp={dirty}");
        assert_eq!(at.status("PUT", &path), status, "{dirty}");
    }
    assert_eq!(at.shown("C30", "i-1")["lastDirtyTimestamp"], T.to_string());
}

case!(case_31_a_peer_that_is_older_is_409_with_the_instance);
fn case_31_a_peer_that_is_older_is_409_with_the_instance(at: &Target) {
    at.register(&Instance::new("C31", "i-1"));
    let renew = |dirty: u64| {
        let path = format!("apps/C31/i-1?status=UP&lastDirtyTimestamp={dirty}");
        at.send("PUT", &path, &[JSON, REPLICATED], b"")
    };
    let older = renew(T - 1);
    assert_eq!(older.status, 409);
    let held = older.json();
    assert_eq!(held["instance"]["instanceId"], "i-1");
    assert_eq!(held["instance"]["lastDirtyTimestamp"], T.to_string());
    let newer = renew(T + 1);
    assert_eq!((newer.status, newer.body.len()), (404, 0));
    let same = renew(T);
    assert_eq!((same.status, same.body.len()), (200, 0));
}

case!(case_32_only_the_exact_word_true_makes_a_peer);
fn case_32_only_the_exact_word_true_makes_a_peer(at: &Target) {
    at.register(&Instance::new("C32", "i-1"));
    let path = format!("apps/C32/i-1?lastDirtyTimestamp={}", T - 1);
    for word in ["TRUE", "True", "1", "yes", ""] {
        let header = ("x-netflix-discovery-replication", word);
        let answer = at.send("PUT", &path, &[JSON, header], b"");
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{word}");
    }
}

// D-02: 500 there; Java treats both alike.
case!(case_33_a_timestamp_that_is_no_number_is_400);
fn case_33_a_timestamp_that_is_no_number_is_400(at: &Target) {
    at.register(&Instance::new("C33", "i-1"));
    for dirty in ["abc", "", "1.5", "10000000000000000000"] {
        let path = format!("apps/C33/i-1?lastDirtyTimestamp={dirty}");
        assert_eq!(at.status("PUT", &path), 400, "{dirty:?}");
    }
    assert_eq!(at.status("PUT", "apps/C33/i-1"), 200);
}

case!(case_34_the_body_of_a_heartbeat_is_not_looked_at);
fn case_34_the_body_of_a_heartbeat_is_not_looked_at(at: &Target) {
    at.register(&Instance::new("C34", "i-1"));
    for (media_type, body) in [
        ("application/json", "{}"),
        ("application/json", "nonsense"),
        ("text/plain", "{}"),
    ] {
        let headers = [("Content-Type", media_type), JSON];
        let answer = at.send("PUT", "apps/C34/i-1", &headers, body.as_bytes());
        assert_eq!(
            (answer.status, answer.body.len()),
            (200, 0),
            "{media_type} {body}"
        );
    }
}

case!(case_35_the_app_may_be_in_any_case_and_the_id_may_not);
fn case_35_the_app_may_be_in_any_case_and_the_id_may_not(at: &Target) {
    at.register(&Instance::new("C35", "Host:app"));
    for (path, status) in [
        ("apps/c35/Host:app", 200),
        ("apps/C35/Host:app", 200),
        ("apps/C35/host:app", 404),
        ("apps/C35/HOST:APP", 404),
    ] {
        assert_eq!(at.status("PUT", path), status, "{path}");
    }
}

case!(case_36_an_instance_in_status_unknown_is_404);
fn case_36_an_instance_in_status_unknown_is_404(at: &Target) {
    at.register(&Instance::new("C36", "i-1").with("status", "RESTARTING"));
    assert_eq!(at.status_of("C36", "i-1"), "UNKNOWN");
    assert_eq!(at.status("PUT", "apps/C36/i-1"), 404);
    at.register(&Instance::new("C36", "i-1"));
    assert_eq!(at.status("PUT", "apps/C36/i-1"), 200);
}

// D-44: Java shows `now + duration`, which is how its lease comes to live twice; ours shows when it was.
case!(case_37_a_heartbeat_moves_the_last_renewal);
fn case_37_a_heartbeat_moves_the_last_renewal(at: &Target) {
    at.register(&Instance::new("C37", "i-1"));
    let renewed = || lease_of(&at.shown("C37", "i-1"), "lastRenewalTimestamp");
    let registered = lease_of(&at.shown("C37", "i-1"), "registrationTimestamp");
    assert_eq!(renewed(), registered, "registering counts as renewing");
    let moved = eventually("a later millisecond", SOON, || {
        assert_eq!(at.status("PUT", "apps/C37/i-1"), 200);
        Some(renewed()).filter(|renewed| *renewed > registered)
    });
    let minutes = 60_000;
    assert!(moved < registered + minutes, "not in the future: {moved}");
    let again = lease_of(&at.shown("C37", "i-1"), "registrationTimestamp");
    assert_eq!(again, registered, "a heartbeat registers nothing");
}
