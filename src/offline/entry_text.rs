//! Commands of the log in short form.
//!
//! Owns the one line an operator reads of each. It may not show a document: an instance is named, not
//! printed.

use crate::raft::{Member, MembershipView};
use crate::registry::Command;

/// `command` in a few words.
pub(super) fn command(command: &Command) -> String {
    match command {
        Command::Register(registration) => {
            let instance = &registration.instance;
            let (app, id, status) = (&instance.app, &instance.id, instance.status.as_str());
            format!("register {app}/{id} {status}")
        }
        Command::Renew { slot, generation } => format!("renew slot {slot}.{generation}"),
        Command::RenewByName { app, id, .. } => format!("renew {app}/{id}"),
        Command::Cancel { app, id } => format!("cancel {app}/{id}"),
        Command::PutStatus {
            app, id, status, ..
        } => format!("override {app}/{id} {}", status.as_str()),
        Command::DeleteStatus { app, id, .. } => format!("end override {app}/{id}"),
        Command::PutMetadata { app, id, entries } => {
            format!("metadata {app}/{id} ({} entries)", entries.len())
        }
        Command::Evict { max } => format!("evict at most {max}"),
        Command::Settings(_) => "settings".to_owned(),
    }
}

/// Who votes and who follows, by name.
pub(super) fn membership(view: &MembershipView) -> String {
    let sets: Vec<String> = view
        .voters
        .iter()
        .map(|set| {
            let voters = view
                .members
                .iter()
                .filter(|member| set.contains(&member.id));
            voters.map(member).collect::<Vec<_>>().join(", ")
        })
        .collect();
    let votes = |member: &Member| view.voters.iter().any(|set| set.contains(&member.id));
    let learners = view.members.iter().filter(|member| !votes(member));
    let learners: Vec<String> = learners.map(member).collect();
    let mut text = format!("voters {}", sets.join(" and "));
    if !learners.is_empty() {
        text.push_str(&format!(", learners {}", learners.join(", ")));
    }
    text
}

fn member(member: &Member) -> String {
    format!("{} ({} at {})", member.name, member.id, member.peer_addr)
}
