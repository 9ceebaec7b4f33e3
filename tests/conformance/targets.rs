//! The two servers every case runs against: one node, and a follower of three.
//!
//! Owns the processes, which cases share, and how a request gets to them; every answer passes the house
//! rules on its way back. It may not know a case. A case uses applications named after itself, so that many
//! can run at once; one that looks at the whole registry has it [`alone`], or starts [`fresh`] nodes.

use std::net::SocketAddr;
use std::sync::{LazyLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use serde_json::Value;

use super::documents::{Instance, JSON, XML, listed};
use super::house_rules;
use super::strict_xml::{self, Element};
use crate::support::cluster::{Cluster, SOON, Warden};
use crate::support::eventually::eventually;
use crate::support::http::{Answer, send};

/// Makes the tests of a case: for each target, in the world named, or as [`Shape`] alone for one that makes its own.
macro_rules! case {
    ($name:ident) => {
        case!($name, everyday);
    };
    ($name:ident, own) => {
        mod $name {
            use crate::conformance::targets::Shape;

            #[test]
            fn one_node() {
                super::$name(Shape::OneNode);
            }

            #[test]
            fn follower() {
                super::$name(Shape::Follower);
            }
        }
    };
    ($name:ident, $world:ident) => {
        mod $name {
            use crate::conformance::targets::{self, Shape};

            #[test]
            fn one_node() {
                super::$name(&targets::$world(Shape::OneNode));
            }

            #[test]
            fn follower() {
                super::$name(&targets::$world(Shape::Follower));
            }
        }
    };
}

/// How long the brief world's deltas show a change, in lease time.
pub(super) const BRIEF_RETENTION: Duration = Duration::from_secs(5);

/// Which server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A cluster of one.
    OneNode,
    /// One that does not lead, of three.
    Follower,
}

impl Shape {
    const fn size(self) -> usize {
        match self {
            Self::OneNode => 1,
            Self::Follower => 3,
        }
    }

    /// Each shape asks under another of the two prefixes; case 78 compares them.
    const fn base(self) -> &'static str {
        match self {
            Self::OneNode => "/eureka/v2",
            Self::Follower => "/eureka",
        }
    }
}

/// Nodes that live as long as this process.
struct World {
    cluster: Cluster,
    asked: usize,
    /// Written to by who wants the registry alone.
    crowd: RwLock<()>,
    _warden: Warden,
}

impl World {
    fn brief(shape: Shape) -> Self {
        let retention = format!("delta.retention=\"{}s\"", BRIEF_RETENTION.as_secs());
        let settings = [
            "protection.enabled=false",
            "compat.peer_replication=true",
            "lease.sweep=\"200ms\"",
            &retention,
        ];
        Self::start(shape, &settings)
    }

    fn start(shape: Shape, settings: &[&str]) -> Self {
        let cluster = Cluster::started(shape.size(), settings);
        Self {
            asked: asked(&cluster, shape),
            crowd: RwLock::new(()),
            _warden: cluster.end_with_this_process(),
            cluster,
        }
    }
}

fn asked(cluster: &Cluster, shape: Shape) -> usize {
    match shape {
        Shape::OneNode => 0,
        Shape::Follower => cluster.follower(),
    }
}

/// Whom a case asks.
pub(super) struct Target {
    addr: SocketAddr,
    base: &'static str,
    #[expect(dead_code, reason = "held, never looked at")]
    hold: Hold,
}

/// What a case keeps while it runs.
#[expect(dead_code, reason = "held, never looked at")]
enum Hold {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
    Own(Box<Cluster>),
    Others,
}

/// The world of most cases, by default settings, shared with whatever runs at the same time.
pub(super) fn everyday(shape: Shape) -> Target {
    let world = everyday_world(shape);
    world.target(world.asked, shape.base())
}

/// The same, while no other case uses it: for those who look at the whole registry.
pub(super) fn alone(shape: Shape) -> Target {
    let world = everyday_world(shape);
    let hold = world.crowd.write().unwrap_or_else(PoisonError::into_inner);
    Target {
        addr: world.cluster.nodes[world.asked].http,
        base: shape.base(),
        hold: Hold::Alone(hold),
    }
}

/// Every node of the everyday cluster of three.
pub(super) fn every_node() -> Vec<Target> {
    let world = everyday_world(Shape::Follower);
    (0..3).map(|node| world.target(node, "/eureka")).collect()
}

/// A world without self-preservation and with short deltas, for cases that wait for leases to end; it
/// also takes the batches of legacy peers.
pub(super) fn brief(shape: Shape) -> Target {
    static ONE_NODE: LazyLock<World> = LazyLock::new(|| World::brief(Shape::OneNode));
    static FOLLOWER: LazyLock<World> = LazyLock::new(|| World::brief(Shape::Follower));
    let world = match shape {
        Shape::OneNode => &*ONE_NODE,
        Shape::Follower => &*FOLLOWER,
    };
    world.target(world.asked, shape.base())
}

/// Nodes nobody used before, with `settings`.
pub(super) fn fresh(shape: Shape, settings: &[&str]) -> Target {
    let cluster = Cluster::started(shape.size(), settings);
    Target {
        addr: cluster.nodes[asked(&cluster, shape)].http,
        base: shape.base(),
        hold: Hold::Own(Box::new(cluster)),
    }
}

// A `LazyLock` whose start failed fails every case at once, and does not try again for each.
fn everyday_world(shape: Shape) -> &'static World {
    static ONE_NODE: LazyLock<World> = LazyLock::new(|| World::start(Shape::OneNode, &[]));
    static FOLLOWER: LazyLock<World> = LazyLock::new(|| World::start(Shape::Follower, &[]));
    match shape {
        Shape::OneNode => &ONE_NODE,
        Shape::Follower => &FOLLOWER,
    }
}

impl World {
    /// Its node number `node`, shared.
    fn target(&'static self, node: usize, base: &'static str) -> Target {
        let hold = self.crowd.read().unwrap_or_else(PoisonError::into_inner);
        Target {
            addr: self.cluster.nodes[node].http,
            base,
            hold: Hold::Shared(hold),
        }
    }
}

impl Target {
    /// A node that a case started itself.
    pub(super) fn at(addr: SocketAddr) -> Self {
        Self {
            addr,
            base: "/eureka",
            hold: Hold::Others,
        }
    }

    pub(super) const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A path as it goes over the wire: `path` under this target's prefix.
    pub(super) fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    /// A request as given; its answer, which obeys the house rules. What a node could not do while a leader
    /// was elected, as on a busy machine happens, is asked again, as every client does.
    pub(super) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        eventually("a leader", SOON, || {
            let answer = self.send_once(method, path, headers, body);
            let again = answer.header("x-eureka-raft-outcome") == Some("not-executed");
            (!again).then_some(answer)
        })
    }

    fn send_once(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let path = self.path(path);
        let answer = send(self.addr, method, &path, headers, body).expect("an answer");
        house_rules::hold(&format!("{method} {path} {headers:?}"), method, &answer);
        answer
    }

    /// A request without a body, sent once, whatever it is answered.
    pub(super) fn ask_once(&self, method: &str, path: &str) -> Answer {
        self.send_once(method, path, &[JSON], b"")
    }

    /// A request without a body that asks for JSON.
    pub(super) fn ask(&self, method: &str, path: &str) -> Answer {
        self.send(method, path, &[JSON], b"")
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path)
    }

    /// The status of an answer that must be empty.
    pub(super) fn status(&self, method: &str, path: &str) -> u16 {
        let answer = self.ask(method, path);
        assert_eq!(answer.text(), "", "{method} {path}: {}", answer.status);
        answer.status
    }

    /// The JSON document at `path`.
    pub(super) fn read(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "GET {path}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        answer.json()
    }

    /// The XML document at `path`.
    pub(super) fn read_xml(&self, path: &str) -> Element {
        let answer = self.send("GET", path, &[XML], b"");
        assert_eq!(answer.status, 200, "GET {path}");
        assert_eq!(answer.header("content-type"), Some("application/xml"));
        strict_xml::parse(&answer.text())
    }

    /// A registration of `body` as it is, under `app`.
    pub(super) fn post(&self, app: &str, media_type: &str, body: &str) -> Answer {
        let headers = [("Content-Type", media_type), JSON];
        self.send("POST", &format!("apps/{app}"), &headers, body.as_bytes())
    }

    /// Registers; the answer is 204 and nothing else.
    pub(super) fn register(&self, instance: &Instance) {
        let answer = self.post(instance.app(), "application/json", &instance.json());
        assert_eq!((answer.status, answer.text()), (204, String::new()));
    }

    /// The instance as GET shows it alone.
    pub(super) fn shown(&self, app: &str, id: &str) -> Value {
        self.read(&format!("apps/{app}/{id}"))["instance"].take()
    }

    /// The status shown of an instance.
    pub(super) fn status_of(&self, app: &str, id: &str) -> String {
        let shown = self.shown(app, id);
        shown["status"].as_str().expect("a status").to_owned()
    }

    /// What the delta says of an instance, if anything.
    pub(super) fn delta_of(&self, app: &str, id: &str) -> Option<Value> {
        listed(&self.read("apps/delta"), app, id)
    }
}
