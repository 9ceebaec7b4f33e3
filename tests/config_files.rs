//! The files under `raft-config/` are what they say they are.

use std::path::{Path, PathBuf};

use eureka_raft::server::config::{Cluster, Config, Source, Sources};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("raft-config")
        .join(name)
}

fn load(name: &str) -> Config {
    let sources = Sources {
        file: Some(file(name)),
        ..Sources::default()
    };
    sources.load().expect("a valid file").config
}

#[test]
fn the_reference_names_every_key_with_its_default() {
    let sources = Sources {
        file: Some(file("reference.toml")),
        ..Sources::default()
    };
    let loaded = sources.load().unwrap();
    assert_eq!(loaded.config, Config::default());
    for row in loaded.effective {
        let in_file = matches!(row.source, Source::File { .. });
        assert!(in_file, "{} is missing", row.key);
    }
}

#[test]
fn the_single_node_is_the_embedded_default() {
    assert_eq!(load("single.toml"), Config::default());
}

#[test]
fn the_three_nodes_are_one_cluster_on_one_machine() {
    let nodes = [
        "three/node-1.toml",
        "three/node-2.toml",
        "three/node-3.toml",
    ]
    .map(load);
    for (place, node) in nodes.iter().enumerate() {
        let number = place + 1;
        assert_eq!(node.node.name, format!("node-{number}"));
        assert_eq!(node.listen.http.as_str(), format!("127.0.0.1:876{number}"));
        assert_eq!(node.listen.peer.as_str(), format!("127.0.0.1:877{number}"));
        assert_eq!(node.node.advertise_peer, node.listen.peer);
        assert_eq!(
            node.node.data_dir,
            Path::new("eureka-raft-data").join(&node.node.name)
        );
        assert_eq!(node.cluster, nodes[0].cluster);
        assert_eq!(node.replicated(), nodes[0].replicated());
    }
    assert!(matches!(&nodes[0].cluster, Cluster::Initial(members) if members.len() == 3));
}
