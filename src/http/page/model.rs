//! The words of the page.
//!
//! Owns what the templates print, as text ready to be escaped. It may not hold markup: askama escapes
//! whatever clients registered. Links come only from `http://` and `https://` URLs.

use askama::Template;

use crate::node::{MemberStatus, NodeStatus, Read};
use crate::registry::{InstanceStatus, Protection, Record};

use super::super::app::App;
use super::super::status::status_counts;
use super::selection::{Filter, Selection, Shown, zone};

/// The page at `/`.
#[derive(Template)]
#[template(path = "page.html")]
pub(super) struct Page {
    version: String,
    node: String,
    cluster: String,
    cluster_short: String,
    index: String,
    freshness: String,
    banners: Vec<Banner>,
    members: Vec<Member>,
    q: String,
    only_app: Option<String>,
    only_status: Option<&'static str>,
    filtered: bool,
    chips: Vec<Chip>,
    summary: String,
    blocks: Vec<Block>,
    page: usize,
    pages: usize,
    previous: Option<String>,
    next: Option<String>,
    protection: String,
    refresh: bool,
    toggle_href: String,
}

struct Banner {
    class: &'static str,
    title: String,
    text: String,
}

struct Member {
    name: String,
    role: String,
    leads: bool,
    reachable: bool,
    term: String,
    applied: String,
    matched: String,
    differs: bool,
    hash: String,
    http: String,
    href: Option<String>,
}

struct Chip {
    class: &'static str,
    label: &'static str,
    count: String,
    href: String,
    on: bool,
}

struct Count {
    class: &'static str,
    label: &'static str,
    count: usize,
}

struct Block {
    name: String,
    href: String,
    counts: Vec<Count>,
    zones: String,
    rows: Vec<Row>,
    hidden: usize,
}

struct Row {
    id: String,
    status_href: Option<String>,
    status: &'static str,
    class: &'static str,
    overridden: bool,
    address: String,
    home_href: Option<String>,
    zone: String,
    age: String,
    duration: String,
    filled: u64,
    lateness: &'static str,
}

impl Page {
    /// The page of what `read` shows, by `filter`.
    pub(super) fn of(app: &App, read: &Read, filter: &Filter) -> Self {
        let status = app.node().status();
        let selection = Selection::of(&read.view, filter);
        let chips = status_counts(&read.view)
            .into_iter()
            .filter(|(status, count)| *count > 0 || filter.status == Some(*status))
            .map(|(status, count)| chip(filter, status, count))
            .collect();
        let link = |page| {
            Link {
                page,
                ..Link::of(filter)
            }
            .href()
        };
        let toggled = Link {
            refresh: !filter.refresh,
            page: selection.page,
            ..Link::of(filter)
        };
        Self {
            node: status.node.name.clone(),
            cluster_short: status.cluster.id.chars().take(8).collect(),
            index: grouped(read.view.index()),
            freshness: freshness(read),
            banners: banners(&status, read),
            members: app
                .node()
                .members()
                .iter()
                .map(|member| Member::of(member, &status))
                .collect(),
            q: filter.words.clone(),
            only_app: filter.app.as_ref().map(ToString::to_string),
            only_status: filter.status.map(InstanceStatus::as_str),
            filtered: filter.hides(),
            chips,
            summary: summary(&selection),
            previous: (selection.page > 1).then(|| link(selection.page - 1)),
            next: (selection.page < selection.pages).then(|| link(selection.page + 1)),
            page: selection.page,
            pages: selection.pages,
            blocks: selection
                .shown
                .iter()
                .map(|shown| Block::of(app, shown, filter))
                .collect(),
            protection: protection(&status.protection),
            refresh: filter.refresh,
            toggle_href: toggled.href(),
            cluster: status.cluster.id,
            version: status.version,
        }
    }
}

fn freshness(read: &Read) -> String {
    if read.linearizable {
        "up to date".to_owned()
    } else {
        format!("at most {} old", span(millis(read.age)))
    }
}

fn banners(status: &NodeStatus, read: &Read) -> Vec<Banner> {
    let mut banners = Vec::new();
    if status.cluster.leader.is_none() || !read.linearizable {
        banners.push(Banner {
            class: "bad",
            title: "No leader".to_owned(),
            text: "This node cannot reach a majority. Reads show what it last knew; writes and heartbeats \
                   are refused until a leader is elected. No lease runs out meanwhile."
                .to_owned(),
        });
    }
    banners.extend(status.alarms.iter().map(|up| Banner {
        class: "bad",
        title: format!("Alarm: {}", up.alarm),
        text: format!("{}: {}. Next: {}", up.node, up.message, up.hint),
    }));
    if status.protection.active {
        banners.push(protection_banner(&status.protection));
    }
    if !status.protection.enabled {
        banners.push(Banner {
            class: "warn",
            title: "Self-preservation is turned off".to_owned(),
            text: "Instances that a network fault cuts off are evicted like dead ones.".to_owned(),
        });
    }
    if status.cluster.settings_differ {
        banners.push(Banner {
            class: "warn",
            title: "This node's configuration differs from the cluster's".to_owned(),
            text: "Lease, protection and delta settings follow the leader's file.".to_owned(),
        });
    }
    banners
}

fn protection_banner(protection: &Protection) -> Banner {
    let [leases, silent, allowed] = [
        protection.leases,
        protection.silent,
        protection.allowed_silent,
    ]
    .map(grouped);
    Banner {
        class: "warn",
        title: "Self-preservation is active: nobody is evicted".to_owned(),
        text: format!(
            "{silent} of {leases} leases are silent and {allowed} may be. Instances may be listed \
             as UP when they are not, until enough of them renew again."
        ),
    }
}

fn protection(protection: &Protection) -> String {
    let Protection {
        enabled,
        active,
        leases,
        silent,
        allowed_silent,
    } = protection;
    let state = match (enabled, active) {
        (false, _) => "is off",
        (true, false) => "is inactive",
        (true, true) => "is active",
    };
    format!(
        "{state} · {} of {} leases silent, {} allowed",
        grouped(*silent),
        grouped(*leases),
        grouped(*allowed_silent),
    )
}

fn summary(selection: &Selection) -> String {
    let plural = |count: usize, one: &str, many: &str| {
        let word = if count == 1 { one } else { many };
        format!("{} {word}", grouped(count as u64))
    };
    format!(
        "{} in {}",
        plural(selection.instances, "instance", "instances"),
        plural(selection.applications, "application", "applications"),
    )
}

impl Member {
    fn of(member: &MemberStatus, here: &NodeStatus) -> Self {
        let shown = |figure: Option<u64>| figure.map_or_else(|| "–".to_owned(), grouped);
        let state = member.state.as_ref();
        let same_moment = state.filter(|state| state.index == here.state.index);
        Self {
            name: member.name.clone(),
            leads: here.cluster.leader.as_deref() == Some(&member.name),
            role: member.role.clone(),
            reachable: member.reachable,
            term: shown(member.term),
            applied: shown(member.applied),
            matched: shown(member.matched),
            differs: same_moment.is_some_and(|state| state.hash != here.state.hash),
            hash: state.map_or_else(
                || "–".to_owned(),
                |state| state.hash.chars().take(8).collect(),
            ),
            href: web_link(&member.http).map(str::to_owned),
            http: member
                .http
                .split("://")
                .last()
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

fn chip(filter: &Filter, status: InstanceStatus, count: u64) -> Chip {
    let on = filter.status == Some(status);
    let status_filter = (!on).then_some(status);
    let link = Link {
        status: status_filter,
        page: 1,
        ..Link::of(filter)
    };
    Chip {
        class: class_of(status),
        label: status.as_str(),
        count: grouped(count),
        href: link.href(),
        on,
    }
}

const fn class_of(status: InstanceStatus) -> &'static str {
    match status {
        InstanceStatus::Up => "up",
        InstanceStatus::Down => "down",
        InstanceStatus::Starting => "starting",
        InstanceStatus::OutOfService => "oos",
        InstanceStatus::Unknown => "unknown",
    }
}

impl Block {
    fn of(app: &App, shown: &Shown, filter: &Filter) -> Self {
        let records = || shown.application.instances.values();
        let counts = InstanceStatus::ALPHABETIC
            .into_iter()
            .rev()
            .map(|status| Count {
                class: class_of(status),
                label: status.as_str(),
                count: records().filter(|record| record.status == status).count(),
            });
        let mut zones: Vec<&str> = records().filter_map(|record| zone(record)).collect();
        zones.sort_unstable();
        zones.dedup();
        let name = shown.application.name.as_str();
        let link = Link {
            app: Some(name),
            page: 1,
            ..Link::of(filter)
        };
        Self {
            href: link.href(),
            name: name.to_owned(),
            counts: counts.filter(|count| count.count > 0).collect(),
            zones: zones.into_iter().take(8).collect::<Vec<_>>().join(", "),
            rows: shown
                .records
                .iter()
                .map(|record| Row::of(app, record))
                .collect(),
            hidden: shown.hidden,
        }
    }
}

impl Row {
    fn of(app: &App, record: &Record) -> Self {
        let instance = &record.instance;
        let age_ms = app.wall_ms().saturating_sub(app.node().renewed_at(record));
        let duration_ms = u64::from(instance.lease.duration_secs) * 1_000;
        let interval_ms = u64::from(instance.lease.renewal_interval_secs) * 1_000;
        let port = if instance.port.enabled {
            instance.port
        } else {
            instance.secure_port
        };
        let link = |url: &Option<Box<str>>| url.as_deref().and_then(web_link).map(str::to_owned);
        Self {
            id: instance.id.to_string(),
            status_href: link(&instance.status_page_url),
            status: record.status.as_str(),
            class: class_of(record.status),
            overridden: record.overridden != InstanceStatus::Unknown,
            address: format!("{}:{}", instance.ip_addr, port.number),
            home_href: link(&instance.home_page_url),
            zone: zone(record).unwrap_or_default().to_owned(),
            age: span(age_ms),
            duration: span(duration_ms),
            filled: (age_ms * 100 / duration_ms.max(1)).min(100),
            lateness: match age_ms {
                age if age > duration_ms => "over",
                age if 2 * age > 3 * interval_ms => "late",
                _ => "",
            },
        }
    }
}

/// A link back to the page.
#[derive(Clone, Copy)]
struct Link<'a> {
    words: &'a str,
    app: Option<&'a str>,
    status: Option<InstanceStatus>,
    page: usize,
    refresh: bool,
}

impl<'a> Link<'a> {
    fn of(filter: &'a Filter) -> Self {
        Self {
            words: &filter.words,
            app: filter.app.as_ref().map(|name| name.as_str()),
            status: filter.status,
            page: filter.page,
            refresh: filter.refresh,
        }
    }

    fn href(self) -> String {
        let page = (self.page > 1).then(|| self.page.to_string());
        let parameters = [
            ("q", Some(self.words).filter(|words| !words.is_empty())),
            ("app", self.app),
            ("status", self.status.map(InstanceStatus::as_str)),
            ("page", page.as_deref()),
            ("refresh", self.refresh.then_some("5")),
        ];
        let pairs: Vec<String> = parameters
            .iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", escaped((*value)?))))
            .collect();
        if pairs.is_empty() {
            "/".to_owned()
        } else {
            format!("/?{}", pairs.join("&"))
        }
    }
}

/// `text` as a query value.
pub(super) fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The URL, if a browser may be sent there: what clients register can be `javascript:` too.
fn web_link(url: &str) -> Option<&str> {
    let web = ["http://", "https://"];
    web.iter()
        .any(|scheme| url.starts_with(scheme))
        .then_some(url)
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A span of time in its largest fitting unit.
fn span(ms: u64) -> String {
    match ms / 1_000 {
        secs @ 0..=119 => format!("{secs} s"),
        secs @ 120..=7_199 => format!("{} min", secs / 60),
        secs @ 7_200..=172_799 => format!("{} h", secs / 3_600),
        secs => format!("{} d", secs / 86_400),
    }
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}
