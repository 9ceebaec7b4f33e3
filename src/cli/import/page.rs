//! The page that `config import` prints.
//!
//! Owns its order and its comments: prose begins with `# `, a line of TOML that is not in effect with
//! `#` alone. It may not decide anything.

use std::fmt::Write as _;

use super::draft::{Draft, Effect, LeftOut, Setting};
use super::properties::Properties;

/// The sections that an import can fill, in the order of `raft-config/reference.toml`.
const SECTIONS: [&str; 7] = [
    "node",
    "listen",
    "cluster",
    "peer",
    "lease",
    "protection",
    "delta",
];

/// The whole page.
pub(super) fn page(draft: &Draft, properties: &Properties) -> String {
    let mut page = format!(
        "# By eureka-raft config import, {}. Every key: raft-config/reference.toml.\n",
        env!("CARGO_PKG_VERSION")
    );
    for skipped in &properties.skipped {
        line(
            &mut page,
            &format!(
                "Not in effect without --profile: {} is for {}.",
                skipped.place,
                skipped.profiles.replace(char::is_control, " ")
            ),
        );
    }
    for section in SECTIONS {
        add_section(&mut page, section, &draft.settings);
    }
    add_left_out(&mut page, "Nothing to set here:", &draft.meaningless);
    add_left_out(
        &mut page,
        "Not understood, and not carried over:",
        &draft.not_understood,
    );
    page
}

fn add_section(page: &mut String, section: &str, settings: &[Setting]) {
    let of_section = |setting: &&Setting| {
        setting
            .key
            .split_once('.')
            .is_some_and(|(name, _)| name == section)
    };
    let settings: Vec<&Setting> = settings.iter().filter(of_section).collect();
    if settings.is_empty() {
        return;
    }
    // A section with nothing in effect is an empty table: it may stand.
    let _ = write!(page, "\n[{section}]\n");
    for setting in settings {
        for comment in &setting.comments {
            line(page, comment);
        }
        let (_, key) = setting.key.split_once('.').unwrap_or(("", setting.key));
        for text in format!("{key} = {}", setting.value).lines() {
            let mark = if setting.effect == Effect::Now {
                ""
            } else {
                "#"
            };
            let _ = writeln!(page, "{mark}{}", text.trim_start_matches(' '));
        }
    }
    if section == "lease" {
        line(
            page,
            "Java Eureka evicts after twice a lease's duration: factor = 2.0 would keep that.",
        );
    }
}

fn add_left_out(page: &mut String, title: &str, all: &[LeftOut]) {
    if all.is_empty() {
        return;
    }
    page.push('\n');
    line(page, title);
    for one in all {
        line(
            page,
            &format!("  {} ({}): {}", one.what, one.place, one.why),
        );
    }
}

fn line(page: &mut String, prose: &str) {
    page.push_str("# ");
    page.push_str(prose);
    page.push('\n');
}
