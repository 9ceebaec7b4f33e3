//! The other servers of `service-url` as members of a cluster.
//!
//! Owns how URLs become members, and which of them this node is. It may not decide whether the cluster
//! may talk in the clear: it only says who can reach it.

use crate::server::config::HostPort;

/// How far our peer port is from the client port, as in `raft-config/three`.
const PEER_PORT_OFFSET: u16 = 10;
/// The longest `node.name`.
const NAME_LEN_MAX: usize = 64;
/// The most members of a cluster (`cluster.initial_members`).
const MEMBERS_MAX: usize = 9;
/// Where Eureka is by convention.
pub(super) const EUREKA_PORT: u16 = 8761;

/// One server of the old list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
}

/// What is known of this server from its own properties.
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
}

/// A member of the cluster to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) server: Server,
    /// `host:port` of its peer listener.
    pub(super) peer: String,
}

/// Whom the list names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lineup {
    /// Nobody but this server.
    Alone,
    /// These; the first number is this node's place among them.
    Cluster(usize, Vec<Member>),
    /// Others, and why they make no cluster.
    Unclear(&'static str),
}

/// The server of a URL such as `http://user:secret@peer1:8761/eureka/`.
pub(super) fn server(url: &str) -> Option<Server> {
    let (scheme, rest) = url.trim().split_once("://")?;
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (_, host_port) = authority.rsplit_once('@').unwrap_or(("", authority));
    let parsed = host_port.parse::<HostPort>();
    let parsed = parsed
        .or_else(|_| format!("{host_port}:{default}").parse())
        .ok()?;
    Some(Server {
        host: parsed.host().to_owned(),
        port: parsed.port(),
    })
}

/// The cluster of `servers`, which may or may not list this one.
pub(super) fn lineup(mut servers: Vec<Server>, own: &Own) -> Lineup {
    let Some(me) = myself(&servers, own) else {
        return match servers.is_empty() {
            true => Lineup::Alone,
            false => Lineup::Unclear(
                "which of them this node is cannot be told without eureka.instance.hostname",
            ),
        };
    };
    servers.push(me.clone());
    // Each server lists the others in an order of its own; the members' list must be the same on all.
    servers.sort();
    servers.dedup();
    if servers.len() == 1 {
        return Lineup::Alone;
    }
    if servers.len() > MEMBERS_MAX {
        return Lineup::Unclear("a cluster has at most 9 members");
    }
    let place = servers
        .iter()
        .position(|server| *server == me)
        .expect("it was pushed");
    let members: Option<Vec<Member>> = servers
        .iter()
        .map(|server| member(server, &servers))
        .collect();
    match members {
        Some(members) => Lineup::Cluster(place, members),
        None => Lineup::Unclear("a host's name is no name for a node"),
    }
}

/// This server among `servers`, or beside them.
fn myself(servers: &[Server], own: &Own) -> Option<Server> {
    let is_port = |server: &&Server| own.port.is_none_or(|port| port == server.port);
    let listed = servers
        .iter()
        .filter(is_port)
        .find(|server| match &own.host {
            Some(host) => *host == server.host,
            None => is_loopback(server),
        });
    listed.cloned().or_else(|| {
        Some(Server {
            host: own.host.clone()?,
            port: own.port.unwrap_or(EUREKA_PORT),
        })
    })
}

fn member(server: &Server, all: &[Server]) -> Option<Member> {
    let namesakes = all.iter().filter(|other| other.host == server.host).count();
    let name = match namesakes {
        1 => server.host.clone(),
        _ => format!("{}-{}", server.host, server.port),
    };
    let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (name.len() <= NAME_LEN_MAX && name.chars().all(fit)).then(|| Member {
        name,
        peer: format!("{}:{}", server.host, peer_port(server.port)),
        server: server.clone(),
    })
}

/// Our peer port beside this client port.
pub(super) fn peer_port(http: u16) -> u16 {
    http.checked_add(PEER_PORT_OFFSET)
        .unwrap_or(http - PEER_PORT_OFFSET)
}

/// Whether only this machine reaches it.
pub(super) fn is_loopback(server: &Server) -> bool {
    let address = format!("{}:{}", server.host, server.port);
    address
        .parse::<HostPort>()
        .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Server {
        Server {
            host: host.to_owned(),
            port,
        }
    }

    #[test]
    fn a_url_is_host_and_port_whatever_else_it_has() {
        let table = [
            ("http://peer1:8761/eureka/", Some(at("peer1", 8761))),
            (" https://u:p%40@peer1/eureka ", Some(at("peer1", 443))),
            ("http://10.0.0.1", Some(at("10.0.0.1", 80))),
            ("peer1:8761", None),
            ("http://", None),
            ("ftp://a:1/", None),
        ];
        for (url, expected) in table {
            assert_eq!(server(url), expected, "{url}");
        }
    }

    #[test]
    fn every_server_of_a_ring_gets_the_same_list() {
        let names = |lineup: Lineup| match lineup {
            Lineup::Cluster(me, members) => {
                let names: Vec<String> = members.into_iter().map(|member| member.name).collect();
                (names[me].clone(), names)
            }
            other => panic!("{other:?}"),
        };
        let own = |host: &str| Own {
            host: Some(host.to_owned()),
            port: Some(8761),
        };
        let (me, first) = names(lineup(
            vec![at("peer2", 8761), at("peer3", 8761)],
            &own("peer1"),
        ));
        assert_eq!((me.as_str(), first.len()), ("peer1", 3));
        let (me, second) = names(lineup(
            vec![at("peer3", 8761), at("peer1", 8761)],
            &own("peer2"),
        ));
        assert_eq!((me.as_str(), second), ("peer2", first));
        let alone = lineup(
            vec![at("localhost", 8761)],
            &Own {
                host: None,
                port: Some(8761),
            },
        );
        assert_eq!(alone, Lineup::Alone);
        let unclear = lineup(vec![at("peer2", 8761)], &Own::default());
        assert!(matches!(unclear, Lineup::Unclear(_)));
        let same_host = vec![at("localhost", 8761), at("localhost", 8762)];
        let (me, all) = names(lineup(
            same_host,
            &Own {
                host: None,
                port: Some(8762),
            },
        ));
        assert_eq!((me.as_str(), all.len()), ("localhost-8762", 2));
    }
}
