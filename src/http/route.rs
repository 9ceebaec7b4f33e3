//! Paths.
//!
//! Owns what a path means: prefixes, trailing and double slashes, matrix parameters, escapes. It may
//! not know a handler. The invariant: a segment is decoded after the path was split on `/`, so a
//! name never changes the route (`%2F` in an id stays in the id).

use std::borrow::Cow;

use hyper::Method;
use percent_encoding::percent_decode_str;

use crate::registry::{AppName, InstanceId};
use crate::wire::MAX_NAME_BYTES;

/// The longest path and query answered, in bytes; beyond it 414.
pub(super) const TARGET_BYTES_MAX: usize = 8 * 1024;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// `apps`.
    Applications,
    /// `apps/delta`, in lower case only.
    Delta,
    /// `apps/{app}`.
    Application(AppName),
    /// `apps/{app}/{id}`.
    Instance(AppName, InstanceId),
    /// `apps/{app}/{id}/status`.
    InstanceStatus(AppName, InstanceId),
    /// `apps/{app}/{id}/metadata`.
    InstanceMetadata(AppName, InstanceId),
    /// `vips/{vip}`.
    Vip(String),
    /// `svips/{vip}`.
    SecureVip(String),
    /// `instances/{id}`.
    AnyInstance(InstanceId),
    /// `asg/{asg}/status`: nothing outside Amazon.
    AutoScalingGroup,
    /// `peerreplication/batch`: there only if `compat.peer_replication` says so.
    PeerReplication,
    /// `vips`, `svips`, `instances`, `asg`: known, but without a method.
    Bare,
    /// `status`.
    StatusInfo,
    /// `serverinfo/statusoverrides`.
    StatusOverrides,
    /// `healthcheck`.
    HealthCheck,
    /// `/`.
    Page,
    /// `/lastn`.
    LastN,
    /// `/livez`.
    Live,
    /// `/readyz`.
    Ready,
    /// `/metrics`.
    Metrics,
    /// `/v1/status`.
    NodeStatus,
    /// `/v1/members`.
    Members,
    /// `/v1/members/{name}/{action}`.
    Member(String, MemberAction),
    /// `/v1/leader/transfer`.
    LeaderTransfer,
    /// `/v1/changes`.
    Changes,
    /// `/v1/snapshot`.
    Snapshot,
    /// Anything else under `/v1`.
    UnknownV1,
    /// Anything else.
    Unknown,
}

/// What may be done with a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemberAction {
    /// `promote`.
    Promote,
    /// `remove`.
    Remove,
    /// `replace`.
    Replace,
    /// `update`.
    Update,
}

/// A path that cannot be anything: 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadPath;

/// The methods of a route, as `Allow` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Methods(pub(super) &'static str);

impl Methods {
    /// Whether `method` is among them.
    pub(super) fn allow(self, method: &Method) -> bool {
        self.0.split(", ").any(|allowed| allowed == method.as_str())
    }
}

const READ: Methods = Methods("GET, HEAD, OPTIONS");

impl Route {
    /// What `path` names.
    ///
    /// # Errors
    /// [`BadPath`] for an escape that is none or gives no UTF-8, a control character, a backslash, or
    /// a name longer than [`MAX_NAME_BYTES`] once decoded, an application's also in upper case.
    pub(super) fn parse(path: &str) -> Result<Self, BadPath> {
        let mut segments = path
            .split('/')
            .map(without_matrix)
            .filter(|s| !s.is_empty());
        let mut parts: [&str; 7] = [""; 7];
        let mut count = 0;
        for segment in segments.by_ref().take(parts.len()) {
            parts[count] = segment;
            count += 1;
        }
        if segments.next().is_some() {
            return Ok(Self::Unknown);
        }
        Self::of_segments(&parts[..count])
    }

    fn of_segments(segments: &[&str]) -> Result<Self, BadPath> {
        match segments {
            [] => Ok(Self::Page),
            ["lastn"] => Ok(Self::LastN),
            ["livez"] => Ok(Self::Live),
            ["readyz"] => Ok(Self::Ready),
            ["metrics"] => Ok(Self::Metrics),
            ["v1", ours @ ..] => Self::of_v1(ours),
            ["eureka", "v1" | "v2", rest @ ..] | ["eureka" | "v2", rest @ ..] => {
                Self::of_eureka(rest)
            }
            rest => Self::of_eureka(rest),
        }
    }

    fn of_v1(segments: &[&str]) -> Result<Self, BadPath> {
        let member = |name, action| Ok(Self::Member(decoded(name)?.into_owned(), action));
        match *segments {
            ["status"] => Ok(Self::NodeStatus),
            ["members"] => Ok(Self::Members),
            ["members", name, "promote"] => member(name, MemberAction::Promote),
            ["members", name, "remove"] => member(name, MemberAction::Remove),
            ["members", name, "replace"] => member(name, MemberAction::Replace),
            ["members", name, "update"] => member(name, MemberAction::Update),
            ["leader", "transfer"] => Ok(Self::LeaderTransfer),
            ["changes"] => Ok(Self::Changes),
            ["snapshot"] => Ok(Self::Snapshot),
            _ => Ok(Self::UnknownV1),
        }
    }

    fn of_eureka(segments: &[&str]) -> Result<Self, BadPath> {
        Ok(match *segments {
            ["apps"] => Self::Applications,
            ["apps", "delta"] => Self::Delta,
            ["apps", app] => Self::Application(app_name(app)?),
            ["apps", app, id] => Self::Instance(app_name(app)?, instance_id(id)?),
            ["apps", app, id, "status"] => Self::InstanceStatus(app_name(app)?, instance_id(id)?),
            ["apps", app, id, "metadata"] => {
                Self::InstanceMetadata(app_name(app)?, instance_id(id)?)
            }
            ["vips", vip] => Self::Vip(decoded(vip)?.into_owned()),
            ["svips", vip] => Self::SecureVip(decoded(vip)?.into_owned()),
            ["instances", id] => Self::AnyInstance(instance_id(id)?),
            ["asg", _, "status"] => Self::AutoScalingGroup,
            ["peerreplication", "batch"] => Self::PeerReplication,
            ["vips" | "svips" | "instances"] => Self::Bare,
            ["status"] => Self::StatusInfo,
            ["serverinfo", "statusoverrides"] => Self::StatusOverrides,
            ["healthcheck"] => Self::HealthCheck,
            _ => Self::Unknown,
        })
    }

    /// The methods it has; none for [`Route::Unknown`] and [`Route::UnknownV1`].
    pub(super) const fn methods(&self) -> Methods {
        match self {
            Self::Application(_) | Self::Members => Methods("GET, HEAD, POST, OPTIONS"),
            Self::Member(..) | Self::LeaderTransfer | Self::PeerReplication => {
                Methods("POST, OPTIONS")
            }
            Self::Instance(..) => Methods("GET, HEAD, PUT, DELETE, OPTIONS"),
            Self::InstanceStatus(..) => Methods("PUT, DELETE, OPTIONS"),
            Self::InstanceMetadata(..) | Self::AutoScalingGroup => Methods("PUT, OPTIONS"),
            Self::Bare => Methods("OPTIONS"),
            Self::Unknown | Self::UnknownV1 => Methods(""),
            _ => READ,
        }
    }

    /// The route's template, for metrics: a closed list, whatever paths clients try.
    pub(super) const fn template(&self) -> &'static str {
        match self {
            Self::Applications => "apps",
            Self::Delta => "apps/delta",
            Self::Application(_) => "apps/{app}",
            Self::Instance(..) => "apps/{app}/{id}",
            Self::InstanceStatus(..) => "apps/{app}/{id}/status",
            Self::InstanceMetadata(..) => "apps/{app}/{id}/metadata",
            Self::Vip(_) => "vips/{vip}",
            Self::SecureVip(_) => "svips/{vip}",
            Self::AnyInstance(_) => "instances/{id}",
            Self::AutoScalingGroup => "asg/{asg}/status",
            Self::PeerReplication => "peerreplication/batch",
            Self::StatusInfo => "status",
            Self::StatusOverrides => "serverinfo/statusoverrides",
            Self::HealthCheck => "healthcheck",
            Self::Page => "/",
            Self::LastN => "/lastn",
            Self::Live => "/livez",
            Self::Ready => "/readyz",
            Self::Metrics => "/metrics",
            Self::NodeStatus => "/v1/status",
            Self::Members => "/v1/members",
            Self::Member(_, MemberAction::Promote) => "/v1/members/{name}/promote",
            Self::Member(_, MemberAction::Remove) => "/v1/members/{name}/remove",
            Self::Member(_, MemberAction::Replace) => "/v1/members/{name}/replace",
            Self::Member(_, MemberAction::Update) => "/v1/members/{name}/update",
            Self::LeaderTransfer => "/v1/leader/transfer",
            Self::Changes => "/v1/changes",
            Self::Snapshot => "/v1/snapshot",
            Self::Bare | Self::UnknownV1 | Self::Unknown => "unknown",
        }
    }

    /// Whether its errors carry the JSON of `/v1`. Everywhere else they are empty: Eureka's Java
    /// clients take any body of a 404 for an instance and never register again.
    pub(super) const fn explains_errors(&self) -> bool {
        matches!(
            self,
            Self::NodeStatus
                | Self::Members
                | Self::Member(..)
                | Self::LeaderTransfer
                | Self::Changes
                | Self::Snapshot
                | Self::UnknownV1
        )
    }
}

/// A segment without its matrix parameters (`a;b=c` is `a`), as JAX-RS has it.
fn without_matrix(segment: &str) -> &str {
    segment.split_once(';').map_or(segment, |(name, _)| name)
}

fn app_name(segment: &str) -> Result<AppName, BadPath> {
    let name = AppName::new(&decoded(segment)?);
    // Some letters grow, and the grown name has to be one that can be asked for.
    if name.as_str().len() > MAX_NAME_BYTES {
        return Err(BadPath);
    }
    Ok(name)
}

fn instance_id(segment: &str) -> Result<InstanceId, BadPath> {
    Ok(InstanceId::new(&decoded(segment)?))
}

fn decoded(segment: &str) -> Result<Cow<'_, str>, BadPath> {
    if !escapes_are_whole(segment) {
        return Err(BadPath);
    }
    let name = percent_decode_str(segment)
        .decode_utf8()
        .map_err(|_| BadPath)?;
    if name.len() > MAX_NAME_BYTES || name.contains(|c: char| c == '\\' || c.is_control()) {
        return Err(BadPath);
    }
    Ok(name)
}

/// Whether every `%` is followed by two hexadecimal digits.
fn escapes_are_whole(segment: &str) -> bool {
    segment.split('%').skip(1).all(|after| {
        let digits = after.as_bytes();
        digits.len() >= 2 && digits[..2].iter().all(u8::is_ascii_hexdigit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(app: &str, id: &str) -> Result<Route, BadPath> {
        Ok(Route::Instance(AppName::new(app), InstanceId::new(id)))
    }

    #[test]
    fn every_prefix_slash_and_escape_leads_to_the_route_it_means() {
        let pay = || Ok(Route::Application(AppName::new("PAY")));
        let table = [
            ("/", Ok(Route::Page)),
            ("", Ok(Route::Page)),
            ("/eureka/apps", Ok(Route::Applications)),
            ("/eureka/apps/", Ok(Route::Applications)),
            ("/eureka/v2/apps", Ok(Route::Applications)),
            ("/eureka/v1/apps", Ok(Route::Applications)),
            ("/v2/apps", Ok(Route::Applications)),
            ("/apps", Ok(Route::Applications)),
            ("/eureka//apps", Ok(Route::Applications)),
            ("//apps//", Ok(Route::Applications)),
            ("/eureka/apps/delta", Ok(Route::Delta)),
            (
                "/eureka/apps/DELTA",
                Ok(Route::Application(AppName::new("DELTA"))),
            ),
            ("/eureka/apps/pay", pay()),
            ("/eureka/apps/pay/", pay()),
            ("/eureka/apps/pay;v=1", pay()),
            ("/eureka/apps//pay", pay()),
            (
                "/eureka/apps/PAY/h1:pay:8080",
                instance("PAY", "h1:pay:8080"),
            ),
            (
                "/eureka/apps/PAY/h1%3Apay%3a8080",
                instance("PAY", "h1:pay:8080"),
            ),
            ("/eureka/apps/PAY/a%2Fb", instance("PAY", "a/b")),
            ("/eureka/apps/PAY/a%20b", instance("PAY", "a b")),
            ("/eureka/apps/PAY/a+b", instance("PAY", "a+b")),
            ("/eureka/apps/PAY/a%25b", instance("PAY", "a%b")),
            ("/eureka/apps/PAY/a;b=c", instance("PAY", "a")),
            ("/eureka/apps/PAY/a%3Bb", instance("PAY", "a;b")),
            ("/eureka/apps/PAY/..", instance("PAY", "..")),
            ("/eureka/apps/PAY/%C3%A4", instance("PAY", "ä")),
            ("/eureka/apps/%C3%A4/x", instance("Ä", "x")),
            ("/eureka/apps/PAY/%00", Err(BadPath)),
            ("/eureka/apps/PAY/%5C", Err(BadPath)),
            ("/eureka/apps/PAY/a\\b", Err(BadPath)),
            ("/eureka/apps/PAY/%0A", Err(BadPath)),
            ("/eureka/apps/PAY/%FF", Err(BadPath)),
            ("/eureka/apps/PAY/%zz", Err(BadPath)),
            ("/eureka/apps/PAY/%2", Err(BadPath)),
            ("/eureka/apps/a/b/c", Ok(Route::Unknown)),
            ("/eureka/apps/a/b/status/x", Ok(Route::Unknown)),
            ("/eureka/v2/apps/a/b/c/d/e/f/g/h/i", Ok(Route::Unknown)),
            ("/eureka/v2/v2/apps", Ok(Route::Unknown)),
            ("/eureka/vips", Ok(Route::Bare)),
            ("/eureka/vips/a%20b", Ok(Route::Vip("a b".to_owned()))),
            ("/eureka/Apps", Ok(Route::Unknown)),
            ("/eureka", Ok(Route::Unknown)),
            ("/eureka/status", Ok(Route::StatusInfo)),
            ("/v1/status", Ok(Route::NodeStatus)),
            (
                "/v1/members/node%2D4/promote",
                Ok(Route::Member("node-4".to_owned(), MemberAction::Promote)),
            ),
            ("/v1/members/node-4/bless", Ok(Route::UnknownV1)),
            ("/v1/leader/transfer", Ok(Route::LeaderTransfer)),
            ("/v1/apps", Ok(Route::UnknownV1)),
            ("/v1", Ok(Route::UnknownV1)),
            ("/eureka/livez", Ok(Route::Unknown)),
            ("/livez", Ok(Route::Live)),
            ("*", Ok(Route::Unknown)),
        ];
        for (path, route) in table {
            assert_eq!(Route::parse(path), route, "{path}");
        }
    }

    #[test]
    fn a_name_of_more_than_the_limit_is_refused() {
        let longest = "x".repeat(MAX_NAME_BYTES);
        assert!(Route::parse(&format!("/apps/A/{longest}")).is_ok());
        assert_eq!(Route::parse(&format!("/apps/A/{longest}x")), Err(BadPath));
    }

    #[test]
    fn a_route_allows_its_own_methods_only() {
        let instance = Route::parse("/apps/A/i").unwrap().methods();
        assert!(instance.allow(&Method::PUT) && instance.allow(&Method::HEAD));
        assert!(!instance.allow(&Method::POST) && !instance.allow(&Method::PATCH));
        assert!(!Route::Unknown.methods().allow(&Method::GET));
    }
}
