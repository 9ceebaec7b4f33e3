//! 7.7 Time: leases that end, self-preservation, and what is seen of both.
//!
//! The leases are ours, not Java's: one lives its duration from whatever renewed it last, everything due goes
//! at once, and self-preservation looks at leases that have fallen silent (ARCHITECTURE.md, "Time"). What is
//! compared is the leader's stamps, never how long a test took: that says more of the machine.

use std::time::Duration;

use serde_json::{Value, json};

use super::documents::{Instance, JSON, REPLICATED, T, lease_of, listed};
use super::targets::{Shape, Target, fresh};
use crate::support::cluster::SOON;
use crate::support::eventually::{eventually, outlast};
use crate::support::http::{Answer, request};

/// How long most leases here are, and how far into them something else happens, ms.
const LEASE_MS: u64 = 2_000;
const INTO_MS: u64 = 400;
/// Two clocks of one process, each cut to the millisecond.
const CLOCKS_MS: u64 = 20;

/// When a lease began and ended, ms of the leader's wall clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) registered: u64,
    renewed: u64,
    pub(super) evicted: u64,
}

/// An instance with the lease of these cases.
pub(super) fn short_lived(app: &str, id: &str) -> Instance {
    let seconds = u32::try_from(LEASE_MS / 1_000).expect("a few");
    Instance::new(app, id).lease(seconds, 1)
}

/// Lets a part of a lease go by.
pub(super) fn into_the_lease() {
    outlast(Duration::from_millis(INTO_MS));
}

/// Waits until an instance has been evicted.
pub(super) fn eviction_of(at: &Target, app: &str, id: &str) -> Ended {
    let last = eventually("an eviction", SOON, || {
        let changes = request(at.addr(), "GET", "/v1/changes?after=0&limit=10000").ok()?;
        let mut changes = changes.json()["changes"].take();
        let gone = changes.as_array_mut()?.iter_mut().rfind(|change| {
            change["application"] == app
                && change["instance_id"] == id
                && change["action"] == "DELETED"
        });
        Some(gone?["instance"].take())
    });
    Ended {
        registered: lease_of(&last, "registrationTimestamp"),
        renewed: lease_of(&last, "lastRenewalTimestamp"),
        evicted: lease_of(&last, "evictionTimestamp"),
    }
}

/// That `id` was renewed within its lease and lived its duration once from there: not less, and not more than
/// an instance that was registered right after that.
pub(super) fn lived_once_from_its_renewal(at: &Target, app: &str, id: &str) {
    at.register(&short_lived(app, &format!("after-{id}")));
    let ended = eviction_of(at, app, id);
    let control = eviction_of(at, app, &format!("after-{id}"));
    assert!(
        ended.evicted + CLOCKS_MS >= ended.renewed + LEASE_MS,
        "early: {ended:?}"
    );
    assert!(
        ended.evicted <= control.evicted,
        "late: {ended:?}, {control:?}"
    );
    assert!(
        control.evicted + CLOCKS_MS >= control.registered + LEASE_MS,
        "{control:?}"
    );
}

/// Sends a batch as Java peers do, with the slash at its end; all of it is one entry, of one moment.
pub(super) fn batch(at: &Target, items: &Value) -> Answer {
    let body = json!({ "replicationList": items }).to_string();
    let headers = [("Content-Type", "application/json"), JSON, REPLICATED];
    at.send("POST", "peerreplication/batch/", &headers, body.as_bytes())
}

/// Registers all of them at one moment.
pub(super) fn register_at_once(at: &Target, instances: impl Iterator<Item = Instance>) {
    let items: Vec<Value> = instances
        .map(|instance| {
            json!({ "appName": instance.app(), "id": instance.field("instanceId"), "action": "Register",
                "lastDirtyTimestamp": T, "status": "UP", "instanceInfo": instance.fields() })
        })
        .collect();
    let answer = batch(at, &items.into());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn protection(at: &Target) -> Value {
    let answer = request(at.addr(), "GET", "/v1/status").expect("an answer");
    answer.json()["protection"].take()
}

// D-42: one never renewed lives no shorter than one renewed; Java's lives half as long.
case!(case_79_a_lease_lives_its_duration_renewed_or_not, brief);
fn case_79_a_lease_lives_its_duration_renewed_or_not(at: &Target) {
    at.register(&short_lived("C79", "once"));
    into_the_lease();
    assert_eq!(at.status("PUT", "apps/C79/once"), 200);
    lived_once_from_its_renewal(at, "C79", "once");
    let once = eviction_of(at, "C79", "once");
    assert!(
        once.renewed + CLOCKS_MS >= once.registered + INTO_MS,
        "{once:?}"
    );
}

case!(
    case_80_a_status_put_renews_even_when_it_changes_nothing,
    brief
);
fn case_80_a_status_put_renews_even_when_it_changes_nothing(at: &Target) {
    let same = ("same", "PUT", "/status?value=UP");
    let other = ("other", "PUT", "/status?value=DOWN");
    let none = ("none", "DELETE", "/status");
    for (id, ..) in [same, other, none] {
        at.register(&short_lived("C80", id));
    }
    into_the_lease();
    for (id, method, path) in [same, other, none] {
        assert_eq!(
            at.status(method, &format!("apps/C80/{id}{path}")),
            200,
            "{id}"
        );
    }
    for (id, ..) in [same, other, none] {
        let ended = eviction_of(at, "C80", id);
        assert!(
            ended.renewed + CLOCKS_MS >= ended.registered + INTO_MS,
            "{id}: {ended:?}"
        );
        assert!(
            ended.evicted + CLOCKS_MS >= ended.renewed + LEASE_MS,
            "{id}: {ended:?}"
        );
    }
}

// D-42: Java evicts at most 15 % of the registry a tick: twelve take it nine ticks.
case!(case_81_all_that_are_due_go_at_once, brief);
fn case_81_all_that_are_due_go_at_once(at: &Target) {
    let ids = (0..12).map(|number| format!("i-{number}"));
    register_at_once(
        at,
        ids.clone().map(|id| Instance::new("C81", &id).lease(1, 1)),
    );
    let pulses: std::collections::BTreeSet<u64> =
        ids.map(|id| eviction_of(at, "C81", &id).evicted).collect();
    assert_eq!(pulses.len(), 1, "{pulses:?}");
}

// D-42: Java keeps whatever expires in a registry this small.
case!(case_82_many_silent_at_once_are_kept_and_one_is_not, own);
fn case_82_many_silent_at_once_are_kept_and_one_is_not(shape: Shape) {
    let at = &fresh(
        shape,
        &["lease.sweep=\"200ms\"", "compat.peer_replication=true"],
    );
    let healthy =
        (0..7).map(|number| Instance::new("C82", &format!("healthy-{number}")).lease(7_200, 3_600));
    let silent = ["a", "b", "c"];
    let dying = silent.iter().map(|id| short_lived("C82", id));
    register_at_once(at, healthy.chain(dying));
    eventually("self-preservation", SOON, || {
        let protection = protection(at);
        (protection["silent"] == 3 && protection["active"] == true).then_some(())
    });
    // Past the end of their leases and several looks of the leader's.
    outlast(Duration::from_millis(LEASE_MS));
    for id in silent {
        assert_eq!(
            at.get(&format!("apps/C82/{id}")).status,
            200,
            "{id} is kept"
        );
    }
    for id in ["a", "b"] {
        assert_eq!(at.status("DELETE", &format!("apps/C82/{id}")), 200);
    }
    // One of eight is within what may be silent.
    let ended = eviction_of(at, "C82", "c");
    assert!(ended.evicted > ended.registered + LEASE_MS, "{ended:?}");
    assert_eq!(at.get("apps/C82/healthy-0").status, 200);
}

case!(
    case_83_an_evicted_instance_is_deleted_in_the_delta_and_its_heartbeat_404,
    brief
);
fn case_83_an_evicted_instance_is_deleted_in_the_delta_and_its_heartbeat_404(at: &Target) {
    at.register(&Instance::new("C83", "i-1").lease(1, 1));
    let gone = eventually("it is evicted", SOON, || {
        at.delta_of("C83", "i-1")
            .filter(|shown| shown["actionType"] == "DELETED")
    });
    assert!(lease_of(&gone, "evictionTimestamp") > 0);
    assert_eq!(listed(&at.read("apps"), "C83", "i-1"), None);
    for (method, path) in [
        (
            "PUT",
            format!("apps/C83/i-1?status=UP&lastDirtyTimestamp={T}"),
        ),
        ("GET", "apps/C83/i-1".to_owned()),
        ("PUT", "apps/C83/i-1/status?value=DOWN".to_owned()),
        ("DELETE", "apps/C83/i-1".to_owned()),
    ] {
        assert_eq!(at.status(method, &path), 404, "{method} {path}");
    }
}

// D-43: Java hides an expired instance from lookups of it alone; ours is there until the entry that evicts it.
case!(
    case_84_an_expired_instance_is_there_until_it_is_evicted,
    own
);
fn case_84_an_expired_instance_is_there_until_it_is_evicted(shape: Shape) {
    // Nobody looks for what is due while this runs.
    let at = &fresh(shape, &["lease.sweep=\"1h\"", "protection.enabled=false"]);
    let ids = ["beat", "set", "tagged", "asked"];
    for id in ids {
        at.register(&Instance::new("C84", id).lease(1, 1));
    }
    eventually(
        "silent, which is half as long again as the lease",
        SOON,
        || (protection(at)["silent"] == ids.len()).then_some(()),
    );
    let apps = at.read("apps");
    for id in ids {
        assert!(listed(&apps, "C84", id).is_some(), "{id} is listed");
    }
    assert_eq!(at.get("apps/C84/asked").status, 200);
    assert_eq!(at.status("PUT", "apps/C84/beat"), 200);
    assert_eq!(at.get("apps/C84/beat").status, 200);
    assert_eq!(at.status("PUT", "apps/C84/set/status?value=DOWN"), 200);
    assert_eq!(at.status_of("C84", "set"), "DOWN");
    assert_eq!(at.status("PUT", "apps/C84/tagged/metadata?a=1"), 200);
    assert_eq!(at.shown("C84", "tagged")["metadata"]["a"], "1");
}
