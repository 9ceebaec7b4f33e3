//! 7.4 Cancel: an instance that left is gone from everywhere but the delta.

use super::documents::{Instance, T, listed};
use super::targets::Target;

case!(case_38_a_cancel_is_200_and_the_next_404);
fn case_38_a_cancel_is_200_and_the_next_404(at: &Target) {
    at.register(&Instance::new("C38", "i-1"));
    assert_eq!(at.status("DELETE", "apps/C38/i-1"), 200);
    assert_eq!(at.status("DELETE", "apps/C38/i-1"), 404);
    assert_eq!(at.status("DELETE", "apps/C38NOBODY/i-1"), 404);
}

case!(case_39_a_cancelled_instance_is_nowhere);
fn case_39_a_cancelled_instance_is_nowhere(at: &Target) {
    at.register(&Instance::new("C39", "i-1"));
    at.register(&Instance::new("C39", "i-2"));
    assert_eq!(at.status("DELETE", "apps/C39/i-1"), 200);
    assert_eq!(at.status("GET", "apps/C39/i-1"), 404);
    assert_eq!(at.status("PUT", "apps/C39/i-1"), 404);
    assert_eq!(at.get("apps/C39").status, 200, "the other is still there");
    assert_eq!(at.status("DELETE", "apps/C39/i-2"), 200);
    assert_eq!(at.status("GET", "apps/C39"), 404, "it was the last");
    let apps = at.read("apps");
    for id in ["i-1", "i-2"] {
        assert_eq!(listed(&apps, "C39", id), None);
    }
    let named = apps["applications"]["application"]
        .as_array()
        .expect("an array");
    assert!(named.iter().all(|application| application["name"] != "C39"));
}

case!(case_40_the_delta_shows_a_cancel_as_deleted);
fn case_40_the_delta_shows_a_cancel_as_deleted(at: &Target) {
    for id in ["a", "b", "c"] {
        at.register(&Instance::new("C40", id));
    }
    assert_eq!(at.status("DELETE", "apps/C40/a"), 200);
    let left = at.delta_of("C40", "a").expect("it is in the delta");
    assert_eq!(
        (&left["actionType"], &left["status"]),
        (&"DELETED".into(), &"UP".into())
    );
    // D-18: Java's client adds whatever stands before an addition in the same application.
    let delta = at.read("apps/delta");
    let applications = delta["applications"]["application"].as_array();
    let ours = applications
        .expect("an array")
        .iter()
        .find(|application| application["name"] == "C40")
        .expect("it changed");
    let last = ours["instance"]
        .as_array()
        .and_then(|instances| instances.last());
    assert_eq!(
        last.expect("three instances")["instanceId"],
        "a",
        "DELETED stands last"
    );
    at.register(&Instance::new("C40", "a"));
    let back = at.delta_of("C40", "a").expect("it is in the delta");
    assert_eq!(back["actionType"], "ADDED");
}

case!(case_41_a_cancel_forgets_the_override);
fn case_41_a_cancel_forgets_the_override(at: &Target) {
    at.register(&Instance::new("C41", "i-1"));
    assert_eq!(
        at.status("PUT", "apps/C41/i-1/status?value=OUT_OF_SERVICE"),
        200
    );
    assert_eq!(at.status("DELETE", "apps/C41/i-1"), 200);
    at.register(&Instance::new("C41", "i-1").says("UP", T + 1));
    let shown = at.shown("C41", "i-1");
    let statuses = (&shown["status"], &shown["overriddenStatus"]);
    assert_eq!(statuses, (&"UP".into(), &"UNKNOWN".into()));
}
