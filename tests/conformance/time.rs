//! 7.7 Time: leases that end, self-preservation, and what is seen of both.
//!
//! The leases are ours, not Java's: one lives its duration from whatever renewed it last, everything due goes
//! at once, and self-preservation looks at leases that have fallen silent (ARCHITECTURE.md, "Time").

use std::time::Duration;

use serde_json::Value;

use super::documents::{Instance, T, lease_of, listed};
use super::targets::{Shape, Target, fresh};
use crate::support::cluster::SOON;
use crate::support::eventually::{eventually, outlast};
use crate::support::http::request;

/// How late an eviction may come: the leader looks once a second, and the machine is busy.
const LATE_MS: u64 = 3_000;
/// Two clocks of one process, each cut to the millisecond.
const CLOCKS_MS: u64 = 20;

/// When a lease began and ended, ms of the leader's wall clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) registered: u64,
    renewed: u64,
    evicted: u64,
}

impl Ended {
    /// It ended `lease` ms after `since`, or a little later.
    pub(super) fn is_after(self, since: u64, lease: u64) {
        let lived = self.evicted - since;
        assert!(lived + CLOCKS_MS >= lease, "too early: {self:?}");
        assert!(lived < lease + LATE_MS, "too late: {self:?}");
    }
}

/// Waits until the delta says that an instance was evicted.
pub(super) fn eviction_of(at: &Target, app: &str, id: &str) -> Ended {
    let last = eventually("an eviction", SOON, || {
        at.delta_of(app, id)
            .filter(|shown| shown["actionType"] == "DELETED")
    });
    Ended {
        registered: lease_of(&last, "registrationTimestamp"),
        renewed: lease_of(&last, "lastRenewalTimestamp"),
        evicted: lease_of(&last, "evictionTimestamp"),
    }
}

fn protection(at: &Target) -> Value {
    let answer = request(at.addr(), "GET", "/v1/status").expect("an answer");
    answer.json()["protection"].take()
}

case!(case_79_a_lease_lives_its_duration_renewed_or_not, brief);
fn case_79_a_lease_lives_its_duration_renewed_or_not(at: &Target) {
    for id in ["never", "once"] {
        at.register(&Instance::new("C79", id).lease(2, 1));
    }
    outlast(Duration::from_secs(1));
    assert_eq!(at.status("PUT", "apps/C79/once"), 200);
    let never = eviction_of(at, "C79", "never");
    never.is_after(never.registered, 2_000);
    let once = eviction_of(at, "C79", "once");
    assert!(
        once.renewed >= once.registered + 1_000 - CLOCKS_MS,
        "{once:?}"
    );
    once.is_after(once.renewed, 2_000);
}

case!(
    case_80_a_status_put_renews_even_when_it_changes_nothing,
    brief
);
fn case_80_a_status_put_renews_even_when_it_changes_nothing(at: &Target) {
    for id in ["same", "other"] {
        at.register(&Instance::new("C80", id).lease(2, 1));
    }
    outlast(Duration::from_secs(1));
    assert_eq!(at.status("PUT", "apps/C80/same/status?value=UP"), 200);
    assert_eq!(at.status("PUT", "apps/C80/other/status?value=DOWN"), 200);
    for id in ["same", "other"] {
        let ended = eviction_of(at, "C80", id);
        assert!(
            ended.renewed >= ended.registered + 1_000 - CLOCKS_MS,
            "{id}: {ended:?}"
        );
        ended.is_after(ended.renewed, 2_000);
    }
}

// D-42: Java evicts at most 15 % of the registry a tick: twelve take it nine ticks.
case!(case_81_all_that_are_due_go_at_once, brief);
fn case_81_all_that_are_due_go_at_once(at: &Target) {
    let ids: Vec<String> = (0..12).map(|number| format!("i-{number}")).collect();
    for id in &ids {
        at.register(&Instance::new("C81", id).lease(2, 1));
    }
    let pulses: std::collections::BTreeSet<u64> = ids
        .iter()
        .map(|id| eviction_of(at, "C81", id).evicted)
        .collect();
    // They were registered within moments, which may lie on both sides of one pulse or, on a busy machine, two.
    assert!(pulses.len() <= 3, "{pulses:?}");
}

// D-42: Java keeps whatever expires in a registry this small.
case!(case_82_many_silent_at_once_are_kept_and_one_is_not, own);
fn case_82_many_silent_at_once_are_kept_and_one_is_not(shape: Shape) {
    let at = &fresh(shape, &[]);
    let silent = ["a", "b", "c"];
    for number in 0..7 {
        at.register(&Instance::new("C82", &format!("healthy-{number}")));
    }
    for id in silent {
        at.register(&Instance::new("C82", id).lease(2, 1));
    }
    eventually("self-preservation", SOON, || {
        let protection = protection(at);
        (protection["silent"] == 3 && protection["active"] == true).then_some(())
    });
    // Past the end of their leases and several looks of the leader's.
    outlast(Duration::from_secs(3));
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
    assert!(ended.evicted > ended.registered + 2_000, "{ended:?}");
    assert_eq!(at.get("apps/C82/healthy-0").status, 200);
}

case!(
    case_83_an_evicted_instance_is_deleted_in_the_delta_and_its_heartbeat_404,
    brief
);
fn case_83_an_evicted_instance_is_deleted_in_the_delta_and_its_heartbeat_404(at: &Target) {
    at.register(&Instance::new("C83", "i-1").lease(1, 1));
    eviction_of(at, "C83", "i-1");
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
    let at = &fresh(shape, &[]);
    let ids = ["beat", "set", "tagged", "asked", "left"];
    for id in ids {
        at.register(&Instance::new("C84", id).lease(2, 1));
    }
    eventually("the leases are over and kept", SOON, || {
        (protection(at)["silent"] == 5).then_some(())
    });
    outlast(Duration::from_secs(2));
    let apps = at.read("apps");
    for id in ids {
        assert!(listed(&apps, "C84", id).is_some(), "{id} is listed");
    }
    assert_eq!(at.get("apps/C84/asked").status, 200);
    assert_eq!(at.status("PUT", "apps/C84/beat"), 200);
    assert_eq!(at.get("apps/C84/beat").status, 200);
    assert_eq!(at.status("PUT", "apps/C84/set/status?value=DOWN"), 200);
    assert_eq!(at.status("PUT", "apps/C84/tagged/metadata?a=1"), 200);
    assert_eq!(at.shown("C84", "tagged")["metadata"]["a"], "1");
}
