//! The identity file.
//!
//! Owns the checks of its two slots and of what they say. It may not heal one.

use super::{Cause, Finding, REPLACE};
use crate::codec::CodecError;
use crate::store::files::SharedFiles;
use crate::store::identity::{Identity, SlotDamage, SlotView, look, newest};

/// The identity a start would go by, if there is one, and the checks.
pub(super) fn examine(
    files: &SharedFiles,
    configured: Option<&str>,
) -> (Option<Identity>, Vec<Finding>) {
    let slots = look(files);
    if slots.iter().all(is_missing) {
        return (None, vec![absent(files)]);
    }
    let mut found: Vec<Finding> = slots.iter().map(|view| slot(view, &slots)).collect();
    let (identity, agree) = match newest(&slots) {
        Ok(newest) => newest,
        Err(error) => {
            found.push(Finding::refused("identity.agree", &error));
            return (None, found);
        }
    };
    found.push(strangers(&slots).unwrap_or_else(|| agreement(agree)));
    found.push(name(identity, configured));
    found.push(cluster(identity));
    (Some(identity.clone()), found)
}

fn is_missing(view: &SlotView) -> bool {
    matches!(view.content, Err(SlotDamage::Missing))
}

/// No slot at all: a new directory, or one whose vote is lost.
fn absent(files: &SharedFiles) -> Finding {
    let id = "identity.agree";
    let names = files.list("").unwrap_or_default();
    let orphan = names
        .iter()
        .find(|name| ["log", "snapshots"].contains(&name.as_str()));
    match orphan {
        None => Finding::ok(id, "an empty directory: a first start makes its identity"),
        Some(orphan) => Finding::fail(
            id,
            Cause::Storage,
            format!("there is no identity file beside {orphan}/: the vote is lost"),
            REPLACE,
        ),
    }
}

fn slot(view: &SlotView, all: &[SlotView]) -> Finding {
    let id = if view.name == "META.a" {
        "identity.a"
    } else {
        "identity.b"
    };
    let other_is_whole = all
        .iter()
        .any(|other| other.name != view.name && other.content.is_ok());
    match &view.content {
        Ok((generation, identity)) => {
            let vote = identity.vote.map_or("no vote".to_owned(), |vote| {
                format!("vote in term {} for node {}", vote.term, vote.node_id)
            });
            let mark = identity.durable_mark;
            Finding::ok(id, format!("generation {generation}, {vote}, mark {mark}"))
        }
        Err(SlotDamage::Bytes(error @ CodecError::Newer { .. })) => Finding::fail(
            id,
            Cause::Configuration,
            error.to_string(),
            "run the newer release",
        ),
        Err(damage) if other_is_whole => Finding::warn(
            id,
            damage.to_string(),
            "the other slot holds everything: the next start writes this one anew",
        ),
        Err(damage) => Finding::fail(id, Cause::Storage, damage.to_string(), REPLACE),
    }
}

/// Two whole slots of two directories: nobody can say which belongs beside this log.
fn strangers(slots: &[SlotView]) -> Option<Finding> {
    let mut whole = slots.iter().filter_map(|slot| slot.content.as_ref().ok());
    let ((_, one), (_, other)) = (whole.next()?, whole.next()?);
    (one.incarnation != other.incarnation).then(|| {
        let (one, other) = (one.incarnation, other.incarnation);
        let evidence = format!("they are of two incarnations, {one:032x} and {other:032x}");
        Finding::fail("identity.agree", Cause::Identity, evidence, REPLACE)
    })
}

fn agreement(agree: bool) -> Finding {
    if agree {
        return Finding::ok("identity.agree", "both slots say the same");
    }
    Finding::warn(
        "identity.agree",
        "the slots differ: a stop in the middle of a write, or rot",
        "the next start goes by the newer one and writes the other anew",
    )
}

fn name(identity: &Identity, configured: Option<&str>) -> Finding {
    let id = "identity.name";
    let stored = &identity.name;
    match configured {
        None => Finding::skipped(id, format!("{stored}; no --config to compare with")),
        Some(name) if name == stored => Finding::ok(id, name),
        Some(name) => Finding::fail(
            id,
            Cause::Identity,
            format!("the directory is {stored}'s, the configuration says {name}"),
            "check node.name and node.data_dir: this may be another node's directory",
        ),
    }
}

fn cluster(identity: &Identity) -> Finding {
    let id = "identity.cluster";
    match (identity.cluster_id, identity.node_id) {
        (Some(cluster), Some(node)) => {
            Finding::ok(id, format!("node {node} of cluster {cluster:032x}"))
        }
        _ if identity.join.is_some() => Finding::ok(id, "none yet: it is to join a cluster"),
        _ => Finding::warn(
            id,
            "it belongs to no cluster yet",
            "eureka-raft serve: its first start is not complete until all members were there",
        ),
    }
}
