//! 7.2 Re-registration: whose word counts, and what a new registration starts anew.

use super::documents::{Instance, REPLICATED, T, lease_of};
use super::targets::Target;
use super::time::{eviction_of, into_the_lease, lived_once_from_its_renewal, short_lived};
use crate::support::cluster::SOON;
use crate::support::eventually::eventually;

/// Registers in these statuses, each a little later, and reads what is shown after each.
fn shown_after(at: &Target, app: &str, statuses: &[&str]) -> Vec<String> {
    let registered = (T..).zip(statuses).map(|(dirty, status)| {
        at.register(&Instance::new(app, "i-1").says(status, dirty));
        at.status_of(app, "i-1")
    });
    registered.collect()
}

case!(case_19_an_older_registration_changes_nothing_but_the_lease);
fn case_19_an_older_registration_changes_nothing_but_the_lease(at: &Target) {
    let held = Instance::new("C19", "i-1");
    at.register(&held);
    let before = at.shown("C19", "i-1");
    let older = held.says("DOWN", T - 1).with("hostName", "other");
    eventually("a later millisecond", SOON, || {
        at.register(&older);
        let shown = at.shown("C19", "i-1");
        for field in ["hostName", "status", "lastDirtyTimestamp", "metadata"] {
            assert_eq!(shown[field], before[field], "{field}");
        }
        let since = |instance| lease_of(instance, "registrationTimestamp");
        (since(&shown) > since(&before)).then_some(())
    });
}

case!(case_20_an_equally_old_registration_is_taken);
fn case_20_an_equally_old_registration_is_taken(at: &Target) {
    at.register(&Instance::new("C20", "i-1"));
    at.register(&Instance::new("C20", "i-1").with("hostName", "other"));
    assert_eq!(at.shown("C20", "i-1")["hostName"], "other");
}

case!(case_21_a_newer_registration_is_taken);
fn case_21_a_newer_registration_is_taken(at: &Target) {
    at.register(&Instance::new("C21", "i-1"));
    let newer = Instance::new("C21", "i-1").says("DOWN", T + 1);
    at.register(&newer.with("hostName", "other"));
    let shown = at.shown("C21", "i-1");
    assert_eq!(
        (&shown["hostName"], &shown["status"]),
        (&"other".into(), &"DOWN".into())
    );
    assert_eq!(shown["lastDirtyTimestamp"], (T + 1).to_string());
}

case!(case_22_the_first_up_is_remembered_over_registrations);
fn case_22_the_first_up_is_remembered_over_registrations(at: &Target) {
    let up_since = || lease_of(&at.shown("C22", "i-1"), "serviceUpTimestamp");
    at.register(&Instance::new("C22", "i-1").says("STARTING", T));
    assert_eq!(up_since(), 0);
    at.register(&Instance::new("C22", "i-1").says("UP", T + 1));
    let first_up = up_since();
    assert!(first_up > 0);
    for (dirty, status) in [(T + 2, "DOWN"), (T + 3, "UP")] {
        at.register(&Instance::new("C22", "i-1").says(status, dirty));
        assert_eq!(up_since(), first_up);
    }
}

case!(case_23_up_stays_up_when_the_client_says_out_of_service);
fn case_23_up_stays_up_when_the_client_says_out_of_service(at: &Target) {
    assert_eq!(
        shown_after(at, "C23", &["UP", "OUT_OF_SERVICE"]),
        ["UP", "UP"]
    );
}

case!(case_24_out_of_service_stays_unless_a_peer_says_up);
fn case_24_out_of_service_stays_unless_a_peer_says_up(at: &Target) {
    let shown = shown_after(at, "C24", &["OUT_OF_SERVICE", "UP"]);
    assert_eq!(shown, ["OUT_OF_SERVICE", "OUT_OF_SERVICE"]);
    let body = Instance::new("C24", "i-1").says("UP", T + 2).json();
    let headers = [("Content-Type", "application/json"), REPLICATED];
    let answer = at.send("POST", "apps/C24", &headers, body.as_bytes());
    assert_eq!(answer.status, 204);
    assert_eq!(at.status_of("C24", "i-1"), "UP");
}

case!(case_25_down_and_starting_follow_the_client);
fn case_25_down_and_starting_follow_the_client(at: &Target) {
    for statuses in [&["UP", "DOWN", "UP"][..], &["STARTING", "UP"]] {
        assert_eq!(shown_after(at, "C25", statuses), statuses);
        assert_eq!(at.status("DELETE", "apps/C25/i-1"), 200);
    }
}

// D-42: Java's renewed lease is twice as long, so that registering again shortens it; a lease of ours lives
// its duration from either.
case!(
    case_26_registering_again_gives_a_whole_lease_and_no_more,
    brief
);
fn case_26_registering_again_gives_a_whole_lease_and_no_more(at: &Target) {
    at.register(&short_lived("C26", "i-1"));
    assert_eq!(at.status("PUT", "apps/C26/i-1"), 200);
    let first = lease_of(&at.shown("C26", "i-1"), "registrationTimestamp");
    into_the_lease();
    at.register(&short_lived("C26", "i-1"));
    lived_once_from_its_renewal(at, "C26", "i-1");
    assert!(eviction_of(at, "C26", "i-1").registered > first);
}
