//! The first message of a connection, spoken by hand: older than what was heard since, of other
//! protocols, or of a newer release.

use std::sync::Arc;

use eureka_raft::codec::{self, CONTROL_MAX, ENVELOPE_BYTES, Format, Stored};
use eureka_raft::net::{Connection, Network, TcpNetwork};
use eureka_raft::raft::{HandshakeRefusal, PeerIdentity};
use eureka_raft::store::identity::StoredVote;
use eureka_raft::store::peer_memory::Memory;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{Cluster, TestNode, entry, quick, soon};

/// The hello as it travels, spelled out: a change of the product's breaks this test on purpose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Hello {
    protocols: (u16, u16),
    channel: Channel,
    me: PeerIdentity,
    past: Option<Past>,
    expected: Option<(u64, u128)>,
    remembered: Memory,
    formats: Vec<(u8, u8)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Channel {
    Control,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Past {
    vote: Option<StoredVote>,
    mark: u64,
    reach: u64,
}

impl Stored for Hello {
    const FORMAT: Format = Format::PEER_HANDSHAKE;
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Reply {
    Welcome(Welcome),
    Refused(HandshakeRefusal),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Welcome {
    protocol: u16,
    me: PeerIdentity,
    past: Option<Past>,
    process: u64,
}

impl Stored for Reply {
    const FORMAT: Format = Format::PEER_HANDSHAKE;
}

/// A hello of a release that is not written yet.
struct NewerHello(Vec<u8>);

impl NewerHello {
    fn of(hello: &Hello) -> Self {
        let mut bytes = codec::encode(hello);
        bytes[3] += 1;
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&bytes[..10]);
        hasher.update(&bytes[ENVELOPE_BYTES..]);
        bytes[10..14].copy_from_slice(&hasher.finalize().to_le_bytes());
        Self(bytes)
    }
}

fn hello(from: &TestNode, to: &TestNode, past: Past) -> Hello {
    Hello {
        protocols: (1, 1),
        channel: Channel::Control,
        me: from.identity(),
        past: Some(past),
        expected: Some((to.id, to.member.incarnation)),
        remembered: Memory::default(),
        formats: Vec::new(),
    }
}

async fn say(to: &TestNode, bytes: &[u8]) -> (Connection, Reply) {
    let mut connection = Arc::new(TcpNetwork)
        .connect(&to.member.peer_addr)
        .await
        .unwrap();
    connection.write_all(bytes).await.unwrap();
    let mut reply = vec![0; ENVELOPE_BYTES];
    soon("hear a reply", connection.read_exact(&mut reply))
        .await
        .unwrap();
    let header = codec::envelope_header(&reply, CONTROL_MAX).unwrap();
    reply.resize(ENVELOPE_BYTES + header.len, 0);
    connection
        .read_exact(&mut reply[ENVELOPE_BYTES..])
        .await
        .unwrap();
    let reply = codec::decode(&reply, CONTROL_MAX).unwrap();
    (connection, reply)
}

/// What a healthy node said some time ago.
fn stale(now: u64) -> Past {
    Past {
        vote: None,
        mark: 0,
        reach: now / 2,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_older_than_what_was_heard_since_ends_nobody() {
    let cluster = Cluster::start(3, quick()).await;
    let leader = cluster.leader().await;
    let mut last = 0;
    for value in 1..=5 {
        last = cluster.nodes[leader].propose(&entry(value)).await.index;
    }
    cluster.applied_everywhere(last).await;
    // Every pair, both kinds of member: the bytes lay around while their sender went on.
    for from in &cluster.nodes {
        for to in cluster.nodes.iter().filter(|to| to.id != from.id) {
            let old = hello(from, to, stale(last));
            // Who does not lead hears once a second what the others hold.
            let refused = async {
                loop {
                    let (connection, reply) = say(to, &codec::encode(&old)).await;
                    if let Reply::Refused(HandshakeRefusal::YouWentBack(_)) = reply {
                        return connection;
                    }
                }
            };
            let connection = soon("be refused", refused).await;
            // Its sender does not read the answer any more.
            drop(connection);
        }
    }
    let proposed = cluster.nodes[leader].propose(&entry(6)).await;
    cluster.applied_everywhere(proposed.index).await;
    for node in &cluster.nodes {
        assert_eq!(node.raft().failure().borrow().clone(), None);
        assert!(
            node.raft().suspects().borrow().is_empty(),
            "nobody admitted anything"
        );
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_not_ended_by_what_a_stranger_claims_to_remember_of_another() {
    let cluster = Cluster::start(3, quick()).await;
    let to = &cluster.nodes[0];
    let mut claims = hello(&cluster.nodes[1], to, Past::default());
    claims.me.incarnation += 1;
    claims.remembered = Memory {
        vote: None,
        mark: u64::MAX,
    };
    let (_connection, reply) = say(to, &codec::encode(&claims)).await;
    assert_eq!(reply, Reply::Refused(HandshakeRefusal::ForeignIncarnation));
    assert_eq!(to.raft().failure().borrow().clone(), None);
    let accused = to.raft().suspects().borrow().clone();
    assert!(
        accused.contains_key("node-2"),
        "the operator hears of it: {accused:?}"
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disjoint_protocol_ranges_are_refused_with_both_and_overlapping_ones_meet_at_the_top() {
    let cluster = Cluster::start(3, quick()).await;
    let (from, to) = (&cluster.nodes[1], &cluster.nodes[0]);
    // What a healthy node says now, so that only the range decides.
    let past = Past {
        vote: Some(StoredVote {
            term: u64::MAX,
            node_id: 0,
            committed: false,
        }),
        mark: 0,
        reach: u64::MAX,
    };
    let with = |protocols| Hello {
        protocols,
        expected: None,
        ..hello(from, to, past)
    };
    for disjoint in [(2, 9), (0, 0)] {
        let (_connection, reply) = say(to, &codec::encode(&with(disjoint))).await;
        let refusal = HandshakeRefusal::Protocol {
            mine: (1, 1),
            yours: disjoint,
        };
        assert_eq!(reply, Reply::Refused(refusal));
        let words = refusal.to_string();
        let both = [
            format!("{} to {}", disjoint.0, disjoint.1),
            "1 to 1".to_owned(),
        ];
        assert!(both.iter().all(|range| words.contains(range)), "{words}");
    }
    for overlapping in [(0, 9), (1, 2), (0, 1)] {
        let (_connection, reply) = say(to, &codec::encode(&with(overlapping))).await;
        let Reply::Welcome(welcome) = reply else {
            panic!("{overlapping:?}: {reply:?}");
        };
        assert_eq!(welcome.protocol, 1);
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_of_a_newer_release_is_answered_with_the_range_spoken_here() {
    let cluster = Cluster::start(1, quick()).await;
    let to = &cluster.nodes[0];
    let newer = NewerHello::of(&hello(to, to, Past::default()));
    let (_connection, reply) = say(to, &newer.0).await;
    let Reply::Refused(HandshakeRefusal::Protocol { mine: (1, 1), .. }) = reply else {
        panic!("{reply:?}");
    };
    cluster.stop().await;
}
