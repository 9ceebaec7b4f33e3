//! What the page shows of the registry.
//!
//! Owns the filter and the paging: at most so many applications and instances, however large the
//! registry is. It may not know HTML.

use std::sync::Arc;

use crate::registry::{AppName, Application, DataCenter, InstanceStatus, Record, View};

use super::super::query::Query;

/// Applications a page.
const APPLICATIONS_PER_PAGE: usize = 25;

/// Instances of one application among others; the rest is behind a link.
const INSTANCES_AMONG_OTHERS: usize = 12;

/// Instances a page of one application alone.
const INSTANCES_PER_PAGE: usize = 100;

/// A longer filter is cut, in bytes.
const FILTER_BYTES_MAX: usize = 256;

/// What the visitor asked for. Whatever means nothing is ignored: it is a page, not an API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) words: String,
    pub(super) app: Option<AppName>,
    pub(super) status: Option<InstanceStatus>,
    /// From 1.
    pub(super) page: usize,
    pub(super) refresh: bool,
}

/// One application as far as it is shown.
pub(super) struct Shown {
    pub(super) application: Arc<Application>,
    pub(super) records: Vec<Arc<Record>>,
    pub(super) hidden: usize,
}

/// One page.
pub(super) struct Selection {
    pub(super) shown: Vec<Shown>,
    pub(super) applications: usize,
    pub(super) instances: usize,
    pub(super) page: usize,
    pub(super) pages: usize,
}

impl Filter {
    pub(super) fn of(query: Query<'_>) -> Self {
        let text = |name| query.first(name).ok().flatten().unwrap_or_default();
        let words = text("q");
        let cut = (0..=words.len().min(FILTER_BYTES_MAX))
            .rev()
            .find(|end| words.is_char_boundary(*end))
            .unwrap_or(0);
        Self {
            words: words[..cut].trim().to_owned(),
            app: Some(text("app"))
                .filter(|name| !name.is_empty())
                .map(|name| AppName::new(&name)),
            status: InstanceStatus::from_wire(&text("status")),
            page: text("page").parse().unwrap_or(1).max(1),
            refresh: text("refresh") == "5",
        }
    }

    /// Whether it hides anything.
    pub(super) fn hides(&self) -> bool {
        !self.words.is_empty() || self.app.is_some() || self.status.is_some()
    }

    fn looks_at_instances(&self) -> bool {
        !self.words.is_empty() || self.status.is_some()
    }
}

impl Selection {
    /// The page of `view` that `filter` asks for; the last one if there are fewer.
    pub(super) fn of(view: &View, filter: &Filter) -> Self {
        let matcher = Matcher::of(filter);
        let matching: Vec<(Arc<Application>, Vec<Arc<Record>>)> = view
            .applications()
            .filter(|application| {
                filter
                    .app
                    .as_ref()
                    .is_none_or(|name| *name == application.name)
            })
            .map(|application| (Arc::clone(application), matcher.records(application)))
            .filter(|(_, records)| !matcher.looks || !records.is_empty())
            .collect();
        let instances = matching
            .iter()
            .map(|(application, records)| matcher.count(application, records))
            .sum();
        if filter.app.is_some() {
            return Self::of_one(matching, &matcher, instances, filter.page);
        }
        let applications = matching.len();
        let pages = applications.div_ceil(APPLICATIONS_PER_PAGE).max(1);
        let page = filter.page.min(pages);
        let shown = matching
            .into_iter()
            .skip((page - 1) * APPLICATIONS_PER_PAGE)
            .take(APPLICATIONS_PER_PAGE)
            .map(|matched| matcher.shown(matched, 0, INSTANCES_AMONG_OTHERS))
            .collect();
        Self {
            shown,
            applications,
            instances,
            page,
            pages,
        }
    }

    fn of_one(
        matching: Vec<(Arc<Application>, Vec<Arc<Record>>)>,
        matcher: &Matcher,
        instances: usize,
        page: usize,
    ) -> Self {
        let applications = matching.len();
        let pages = instances.div_ceil(INSTANCES_PER_PAGE).max(1);
        let page = page.min(pages);
        let first = (page - 1) * INSTANCES_PER_PAGE;
        let shown = matching
            .into_iter()
            .map(|matched| {
                let shown = matcher.shown(matched, first, INSTANCES_PER_PAGE);
                // The rest is on other pages, not behind a link to this very one.
                Shown { hidden: 0, ..shown }
            })
            .collect();
        Self {
            shown,
            applications,
            instances,
            page,
            pages,
        }
    }
}

/// The filter, ready to be held against many instances.
struct Matcher {
    words: Vec<String>,
    status: Option<InstanceStatus>,
    looks: bool,
}

impl Matcher {
    fn of(filter: &Filter) -> Self {
        Self {
            words: filter
                .words
                .to_lowercase()
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
            status: filter.status,
            looks: filter.looks_at_instances(),
        }
    }

    /// The instances that match; empty if every one does, which need not be listed.
    fn records(&self, application: &Application) -> Vec<Arc<Record>> {
        if !self.looks {
            return Vec::new();
        }
        let matching = application
            .instances
            .values()
            .filter(|record| self.matches(record));
        matching.cloned().collect()
    }

    fn count(&self, application: &Application, records: &[Arc<Record>]) -> usize {
        if self.looks {
            records.len()
        } else {
            application.instances.len()
        }
    }

    fn shown(
        &self,
        (application, records): (Arc<Application>, Vec<Arc<Record>>),
        first: usize,
        count: usize,
    ) -> Shown {
        let all = self.count(&application, &records);
        let records: Vec<Arc<Record>> = if self.looks {
            records.into_iter().skip(first).take(count).collect()
        } else {
            application
                .instances
                .values()
                .skip(first)
                .take(count)
                .cloned()
                .collect()
        };
        Shown {
            hidden: all.saturating_sub(first + records.len()),
            application,
            records,
        }
    }

    fn matches(&self, record: &Record) -> bool {
        if self.status.is_some_and(|status| status != record.status) {
            return false;
        }
        let instance = &record.instance;
        let fields = [
            instance.app.as_str(),
            instance.id.as_str(),
            &instance.host_name,
            &instance.ip_addr,
            zone(record).unwrap_or_default(),
            instance.vip_address.as_deref().unwrap_or_default(),
        ];
        let lower: Vec<String> = fields.iter().map(|field| field.to_lowercase()).collect();
        self.words
            .iter()
            .all(|word| lower.iter().any(|field| field.contains(word.as_str())))
    }
}

/// Where an instance runs: its metadata's `zone`, else Amazon's availability zone.
pub(super) fn zone(record: &Record) -> Option<&str> {
    let instance = &record.instance;
    let named = |entries: &'_ [(Box<str>, Box<str>)], name: &str| {
        entries.iter().position(|(key, _)| **key == *name)
    };
    if let Some(place) = named(&instance.metadata, "zone") {
        return Some(&instance.metadata[place].1);
    }
    match &instance.data_center {
        DataCenter::Amazon(entries) => {
            named(entries, "availability-zone").map(|place| &*entries[place].1)
        }
        DataCenter::MyOwn | DataCenter::Netflix => None,
    }
}
