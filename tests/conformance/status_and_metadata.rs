//! 7.5 Status and metadata: the operator's override over the client's word, and entries put one by one.

use serde_json::json;

use super::documents::{Instance, T};
use super::targets::Target;

/// The two statuses shown.
fn statuses(at: &Target, app: &str) -> (String, String) {
    let shown = at.shown(app, "i-1");
    let text = |field: &str| shown[field].as_str().expect("a status").to_owned();
    (text("status"), text("overriddenStatus"))
}

fn both(status: &str, overridden: &str) -> (String, String) {
    (status.to_owned(), overridden.to_owned())
}

fn take_out(at: &Target, app: &str) {
    let path = format!("apps/{app}/i-1/status?value=OUT_OF_SERVICE");
    assert_eq!(at.status("PUT", &path), 200);
}

case!(case_42_a_status_put_sets_status_and_override_and_keeps_the_clients_version);
fn case_42_a_status_put_sets_status_and_override_and_keeps_the_clients_version(at: &Target) {
    at.register(&Instance::new("C42", "i-1"));
    take_out(at, "C42");
    let shown = at.shown("C42", "i-1");
    assert_eq!(
        statuses(at, "C42"),
        both("OUT_OF_SERVICE", "OUT_OF_SERVICE")
    );
    assert_eq!(shown["actionType"], "MODIFIED");
    assert_eq!(shown["lastDirtyTimestamp"], T.to_string());
    for (told, held) in [(T + 5, T + 5), (T + 1, T + 5)] {
        let value = if held == told { "DOWN" } else { "UP" };
        let path = format!("apps/C42/i-1/status?value={value}&lastDirtyTimestamp={told}");
        assert_eq!(at.status("PUT", &path), 200);
        assert_eq!(
            at.shown("C42", "i-1")["lastDirtyTimestamp"],
            held.to_string()
        );
    }
}

case!(case_43_a_status_put_of_nobody_is_404);
fn case_43_a_status_put_of_nobody_is_404(at: &Target) {
    assert_eq!(at.status("PUT", "apps/C43/i-1/status?value=UP"), 404);
}

// D-02: 500 there, and the last of them after it changed something.
case!(case_44_a_status_that_is_none_is_400);
fn case_44_a_status_that_is_none_is_400(at: &Target) {
    at.register(&Instance::new("C44", "i-1"));
    for query in [
        "?value=bogus",
        "?value=down",
        "?value=",
        "",
        "?value=DOWN&lastDirtyTimestamp=x",
    ] {
        let path = format!("apps/C44/i-1/status{query}");
        assert_eq!(at.status("PUT", &path), 400, "{query}");
    }
    assert_eq!(
        statuses(at, "C44"),
        both("UP", "UNKNOWN"),
        "nothing changed"
    );
}

case!(case_45_heartbeats_and_registrations_keep_the_override);
fn case_45_heartbeats_and_registrations_keep_the_override(at: &Target) {
    at.register(&Instance::new("C45", "i-1"));
    take_out(at, "C45");
    assert_eq!(at.status("PUT", "apps/C45/i-1?status=UP"), 200);
    assert_eq!(
        statuses(at, "C45"),
        both("OUT_OF_SERVICE", "OUT_OF_SERVICE")
    );
    at.register(&Instance::new("C45", "i-1").says("UP", T + 1));
    assert_eq!(
        statuses(at, "C45"),
        both("OUT_OF_SERVICE", "OUT_OF_SERVICE")
    );
}

case!(case_46_down_is_the_clients_own_and_the_override_waits);
fn case_46_down_is_the_clients_own_and_the_override_waits(at: &Target) {
    at.register(&Instance::new("C46", "i-1"));
    take_out(at, "C46");
    at.register(&Instance::new("C46", "i-1").says("DOWN", T + 1));
    assert_eq!(statuses(at, "C46"), both("DOWN", "OUT_OF_SERVICE"));
    at.register(&Instance::new("C46", "i-1").says("UP", T + 2));
    assert_eq!(
        statuses(at, "C46"),
        both("OUT_OF_SERVICE", "OUT_OF_SERVICE")
    );
}

case!(case_47_a_deleted_override_leaves_unknown_until_the_client_registers_again);
fn case_47_a_deleted_override_leaves_unknown_until_the_client_registers_again(at: &Target) {
    at.register(&Instance::new("C47", "i-1"));
    take_out(at, "C47");
    assert_eq!(at.status("DELETE", "apps/C47/i-1/status"), 200);
    assert_eq!(statuses(at, "C47"), both("UNKNOWN", "UNKNOWN"));
    assert_eq!(at.status("PUT", "apps/C47/i-1"), 404);
    at.register(&Instance::new("C47", "i-1"));
    assert_eq!(statuses(at, "C47"), both("UP", "UNKNOWN"));
    assert_eq!(at.status("PUT", "apps/C47/i-1"), 200);
}

case!(case_48_an_override_deleted_with_a_value_shows_it_at_once);
fn case_48_an_override_deleted_with_a_value_shows_it_at_once(at: &Target) {
    at.register(&Instance::new("C48", "i-1"));
    take_out(at, "C48");
    assert_eq!(at.status("DELETE", "apps/C48/i-1/status?value=UP"), 200);
    assert_eq!(statuses(at, "C48"), both("UP", "UNKNOWN"));
    assert_eq!(at.status("PUT", "apps/C48/i-1"), 200);
}

case!(case_49_deleting_an_override_that_is_not_there_changes_nothing);
fn case_49_deleting_an_override_that_is_not_there_changes_nothing(at: &Target) {
    at.register(&Instance::new("C49", "i-1"));
    let before = at.read("apps/C49");
    assert_eq!(at.status("DELETE", "apps/C49/i-1/status?value=DOWN"), 200);
    assert_eq!(at.read("apps/C49"), before);
    assert_eq!(at.status("DELETE", "apps/C49/nobody/status"), 404);
}

case!(case_50_putting_the_status_there_is_records_no_override);
fn case_50_putting_the_status_there_is_records_no_override(at: &Target) {
    at.register(&Instance::new("C50", "i-1"));
    assert_eq!(at.status("PUT", "apps/C50/i-1/status?value=UP"), 200);
    let shown = at.shown("C50", "i-1");
    assert_eq!(shown["overriddenStatus"], "UNKNOWN");
    assert_eq!(shown["actionType"], "ADDED", "nothing changed");
    at.register(&Instance::new("C50", "i-1").says("DOWN", T + 1));
    at.register(&Instance::new("C50", "i-1").says("OUT_OF_SERVICE", T + 2));
    assert_eq!(
        statuses(at, "C50"),
        both("OUT_OF_SERVICE", "UNKNOWN"),
        "nothing pins it"
    );
}

case!(case_51_a_registration_may_bring_the_override);
fn case_51_a_registration_may_bring_the_override(at: &Target) {
    for field in ["overriddenstatus", "overriddenStatus"] {
        let body = Instance::new("C51", "i-1").without("overriddenStatus");
        at.register(&body.with(field, "OUT_OF_SERVICE"));
        at.register(&Instance::new("C51", "i-1").says("UP", T + 1));
        assert_eq!(
            statuses(at, "C51"),
            both("OUT_OF_SERVICE", "OUT_OF_SERVICE"),
            "{field}"
        );
        assert_eq!(at.status("DELETE", "apps/C51/i-1"), 200);
    }
}

case!(case_52_metadata_is_merged_until_the_client_registers_again);
fn case_52_metadata_is_merged_until_the_client_registers_again(at: &Target) {
    at.register(&Instance::new("C52", "i-1"));
    assert_eq!(at.status("PUT", "apps/C52/i-1/metadata?a=1&b=x%20y"), 200);
    let shown = at.shown("C52", "i-1");
    assert_eq!(
        shown["metadata"],
        json!({ "zone": "z1", "a": "1", "b": "x y" })
    );
    assert_eq!(shown["lastDirtyTimestamp"], T.to_string());
    assert_eq!(shown["actionType"], "ADDED");
    assert_eq!(at.status("PUT", "apps/C52/i-1/metadata?e"), 200);
    assert_eq!(at.shown("C52", "i-1")["metadata"]["e"], "");
    assert_eq!(at.status("PUT", "apps/C52/nobody/metadata?a=1"), 404);
    at.register(&Instance::new("C52", "i-1"));
    assert_eq!(at.shown("C52", "i-1")["metadata"], json!({ "zone": "z1" }));
}
