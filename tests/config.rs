//! A configuration is merged by precedence, checked whole, and refused with a sentence that helps.

use eureka_raft::registry::Settings;
use eureka_raft::server::config::{Cluster, Config, ConfigError, Source, Sources};

/// The message with which `toml` is refused.
fn refusal(toml: &str) -> String {
    match Config::from_toml("node.toml", toml) {
        Ok(_) => panic!("accepted: {toml}"),
        Err(error) => error.to_string(),
    }
}

/// The effective value and source of `key`.
fn effective(sources: &Sources, key: &str) -> (String, Source) {
    let loaded = sources.load().expect("a valid configuration");
    let found = loaded.effective.into_iter().find(|row| row.key == key);
    let row = found.expect("a known key");
    (row.value, row.source)
}

#[test]
fn set_wins_over_environment_over_file_over_default() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node.toml");
    std::fs::write(&path, "[raft]\n\nheartbeat = \"101ms\"\n").unwrap();

    let key = "raft.heartbeat";
    let mut sources = Sources::default();
    let default = effective(&sources, key);
    assert_eq!(default, ("\"150ms\"".to_owned(), Source::Default));

    sources.file = Some(path.clone());
    let path = path.display().to_string();
    let file = Source::File { path, line: 3 };
    assert_eq!(effective(&sources, key), ("\"101ms\"".to_owned(), file));

    let variable = "EUREKA_RAFT__RAFT__HEARTBEAT".to_owned();
    sources.environment = vec![(variable.clone(), "102ms".to_owned())];
    let environment = Source::Environment(variable);
    let expected = ("\"102ms\"".to_owned(), environment);
    assert_eq!(effective(&sources, key), expected);

    sources.overrides = vec![
        "raft.heartbeat=103ms".to_owned(),
        "raft.heartbeat=104ms".to_owned(),
    ];
    let expected = ("\"104ms\"".to_owned(), Source::Set);
    assert_eq!(effective(&sources, key), expected, "the last --set wins");
    let heartbeat = sources.load().unwrap().config.raft.heartbeat;
    assert_eq!(heartbeat.as_millis(), 104);
}

#[test]
fn lists_flags_and_numbers_can_be_set_from_outside_the_file() {
    let sources = Sources {
        file: None,
        environment: vec![
            ("EUREKA_RAFT__PROTECTION__ENABLED".into(), "false".into()),
            ("EUREKA_RAFT_SERVER".into(), "http://elsewhere:1".into()),
            ("PATH".into(), "/bin".into()),
        ],
        overrides: vec![
            r#"cluster.join=["10.0.0.1:8771", "10.0.0.2:8771"]"#.into(),
            r#"raft.election_timeout=["1s", "2s"]"#.into(),
            "lease.factor=2".into(),
            "node.name=42".into(),
        ],
    };
    let config = sources.load().unwrap().config;
    assert!(!config.protection.enabled);
    assert_eq!(config.lease.factor_milli, 2_000);
    assert_eq!(config.raft.election_timeout_max.as_secs(), 2);
    assert_eq!(
        config.node.name, "42",
        "a name is text even if it looks like a number"
    );
    let Cluster::Join(addresses) = config.cluster else {
        panic!("not joining");
    };
    let addresses: Vec<&str> = addresses.iter().map(|address| address.as_str()).collect();
    assert_eq!(addresses, ["10.0.0.1:8771", "10.0.0.2:8771"]);
}

#[test]
fn an_unknown_key_names_the_nearest_known_one() {
    let table = [
        (
            "[listen]\nhtpp = \"a:1\"",
            "unknown key listen.htpp (node.toml:2) (did you mean listen.http?)",
        ),
        (
            "[rafd]\nheartbeat = \"1s\"",
            "unknown key rafd (node.toml:1)",
        ),
        (
            "[lease]\nsweeep = \"1s\"",
            "unknown key lease.sweeep (node.toml:2) (did you mean lease.sweep?)",
        ),
        ("[zzzzzzzzzzzz]\n", "unknown key zzzzzzzzzzzz (node.toml:1)"),
        (
            "[raft.heartbeats]\na = 1",
            "unknown key raft.heartbeats (node.toml:1) (did you mean raft.heartbeat?)",
        ),
    ];
    for (toml, message) in table {
        assert_eq!(refusal(toml), message);
    }
}

#[test]
fn an_unknown_key_is_refused_from_every_source() {
    let mut sources = Sources {
        overrides: vec!["log.levl=debug".to_owned()],
        ..Sources::default()
    };
    let message = sources.load().unwrap_err().to_string();
    assert_eq!(
        message,
        "unknown key log.levl (--set) (did you mean log.level?)"
    );

    sources.overrides.clear();
    sources.environment = vec![("EUREKA_RAFT__LOG__LEVL".to_owned(), "debug".to_owned())];
    let message = sources.load().unwrap_err().to_string();
    let expected =
        "unknown key log.levl (environment EUREKA_RAFT__LOG__LEVL) (did you mean log.level?)";
    assert_eq!(message, expected);
}

#[test]
fn a_reserved_key_says_why_it_is_refused() {
    let message = refusal("[peer.tls]\ncert = \"c.pem\"");
    assert!(
        message.starts_with("unknown key peer.tls (node.toml:1); it is reserved"),
        "{message}"
    );
}

/// What stands in the file, and the message it is refused with.
const WRONG_VALUES: &[(&str, &str)] = &[
    (
        "[raft]\nheartbeat = 3",
        "raft.heartbeat = 3 (node.toml:2): expected a duration such as \"250ms\" or \"30s\", \
             from 1ms to a year",
    ),
    (
        "[raft]\nheartbeat = \"0s\"",
        "raft.heartbeat = \"0s\" (node.toml:2): expected a duration such as \"250ms\" or \
             \"30s\", from 1ms to a year",
    ),
    (
        "[raft]\nelection_timeout = \"1s\"",
        "raft.election_timeout = \"1s\" (node.toml:2): expected two durations, least and \
             most, such as [\"500ms\", \"1s\"]",
    ),
    (
        "[peer]\nallow_plaintext = \"yes\"",
        "peer.allow_plaintext = \"yes\" (node.toml:2): expected true or false",
    ),
    (
        "[limits]\nqueue = 0",
        "limits.queue = 0 (node.toml:2): expected a whole number from 1 to 1073741824",
    ),
    (
        "[raft]\nkeep_entries = -1",
        "raft.keep_entries = -1 (node.toml:2): expected a whole number of at least 0",
    ),
    (
        "[raft]\nkeep_entries = 99999999999999999999",
        "raft.keep_entries = \"99999999999999999999\" (node.toml:2): expected a whole number \
             of at least 0",
    ),
    (
        "[compat]\npeer_replication = \"on\"",
        "compat.peer_replication = \"on\" (node.toml:2): expected true or false",
    ),
    (
        "[limits]\nmax_replication_body = 2",
        "limits.max_replication_body = 2 (node.toml:2): expected a size in bytes such as \
             \"256KiB\" or \"1GiB\" from 1 to 1073741824",
    ),
    (
        "[limits]\nmax_body = \"1 MB\"",
        "limits.max_body = \"1 MB\" (node.toml:2): expected a size in bytes such as \
             \"256KiB\" or \"1GiB\" from 1 to 1073741824",
    ),
    (
        "[lease]\nfactor = 0",
        "lease.factor = 0 (node.toml:2): expected a number from 0.001 to 1000 with at most \
             three decimals",
    ),
    (
        "[lease]\nfactor = nan",
        "lease.factor = nan (node.toml:2): expected a number from 0.001 to 1000 with at most \
             three decimals",
    ),
    (
        "[protection]\nrenewal_percent_threshold = 1.001",
        "protection.renewal_percent_threshold = 1.001 (node.toml:2): expected a number from \
             0 to 1 with at most three decimals",
    ),
    (
        "[protection]\nrenewal_percent_threshold = 0.8501",
        "protection.renewal_percent_threshold = 0.8501 (node.toml:2): expected a number from \
             0 to 1 with at most three decimals",
    ),
    (
        "[reads]\ndefault = \"fast\"",
        "reads.default = \"fast\" (node.toml:2): expected one of linearizable, available, \
             local",
    ),
    (
        "[log]\nlevel = \"loud\"",
        "log.level = \"loud\" (node.toml:2): expected one of error, warn, info, debug, trace",
    ),
    (
        "[listen]\nhttp = \"8761\"",
        "listen.http = \"8761\" (node.toml:2): expected an address such as \
             \"127.0.0.1:8761\"",
    ),
    (
        "[node]\nadvertise_http = \"a:1\"",
        "node.advertise_http = \"a:1\" (node.toml:2): expected a URL such as \
             \"http://10.0.0.1:8761\"",
    ),
    (
        "[node]\nname = \"a b\"",
        "node.name = \"a b\" (node.toml:2): expected 1 to 64 letters, digits, dots, dashes \
             or underscores",
    ),
    (
        "[node]\ndata_dir = \"\"",
        "node.data_dir = \"\" (node.toml:2): expected the path of a directory",
    ),
    (
        "[cluster]\njoin = [\"a\"]",
        "cluster.join = [\"a\"] (node.toml:2): expected up to 9 addresses such as \
             \"127.0.0.1:8771\"",
    ),
    (
        "listen = 3",
        "listen = 3 (node.toml:1): expected a section, written [listen]",
    ),
];

#[test]
fn a_wrong_value_names_key_value_place_and_what_was_expected() {
    for (toml, message) in WRONG_VALUES {
        assert_eq!(&refusal(toml), message);
    }
}

#[test]
fn a_member_has_a_name_and_a_peer_address_and_nothing_else() {
    let table = [
        r#"[{ name = "a" }]"#,
        r#"[{ peer = "a:1" }]"#,
        r#"[{ name = "a", peer = "a" }]"#,
        r#"[{ name = "a", peer = "a:1", http = "a:2" }]"#,
        r#"[{ name = "", peer = "a:1" }]"#,
        r#"["a:1"]"#,
        r#""a:1""#,
    ];
    for list in table {
        let message = refusal(&format!("[cluster]\ninitial_members = {list}"));
        let expected = "expected up to 9 entries such as \
                        { name = \"node-1\", peer = \"127.0.0.1:8771\" }";
        assert!(message.ends_with(expected), "{list}: {message}");
    }
}

#[test]
fn more_members_than_a_cluster_should_have_are_refused() {
    let entries: Vec<String> = (0..10)
        .map(|n| format!("{{ name = \"n{n}\", peer = \"127.0.0.1:{}\" }}", 9_000 + n))
        .collect();
    let toml = |count: usize| {
        let list = entries[..count].join(", ");
        format!("[node]\nname = \"n0\"\n[cluster]\ninitial_members = [{list}]")
    };
    assert!(Config::from_toml("node.toml", &toml(9)).is_ok());
    assert!(refusal(&toml(10)).contains("expected up to 9 entries"));
}

/// A list of two members, of which the default node is the first.
const TWO: &str = r#"initial_members = [
  { name = "node-1", peer = "127.0.0.1:8771" },
  { name = "node-2", peer = "127.0.0.1:8772" },
]"#;

#[test]
fn contradicting_values_are_refused_with_the_keys_and_the_reason() {
    let joined = format!("[cluster]\n{TWO}\njoin = [\"a:1\"]");
    let stranger = format!("[node]\nname = \"node-3\"\n[cluster]\n{TWO}");
    let moved = format!("[node]\nadvertise_peer = \"127.0.0.1:1\"\n[cluster]\n{TWO}");
    let same_name = format!("[cluster]\n{}", TWO.replace("node-2", "node-1"));
    let same_peer = format!("[cluster]\n{}", TWO.replace("8772", "8771"));
    let table = [
        (
            "[raft]\nheartbeat = \"500ms\"",
            "raft.heartbeat, raft.election_timeout: heartbeat (500ms) < least election timeout \
             (500ms) < most (1s) must hold",
        ),
        (
            "[raft]\nelection_timeout = [\"2s\", \"2s\"]",
            "raft.heartbeat, raft.election_timeout: heartbeat (150ms) < least election timeout \
             (2s) < most (2s) must hold",
        ),
        (
            &joined,
            "cluster.initial_members, cluster.join: set one of them: the first makes a new \
             cluster, the second enters a running one",
        ),
        (
            &stranger,
            "node.name, cluster.initial_members: this node, node-3, is not in the list (node-1, \
             node-2); list it, or use cluster.join to enter a running cluster",
        ),
        (
            &moved,
            "node.advertise_peer, cluster.initial_members: this node, node-1, is 127.0.0.1:1 by \
             the first and 127.0.0.1:8771 by the second",
        ),
        (
            &same_name,
            "cluster.initial_members: the name node-1 stands twice",
        ),
        (
            &same_peer,
            "cluster.initial_members: the address 127.0.0.1:8771 stands twice",
        ),
        (
            "[listen]\nhttp = \"127.0.0.1:8771\"",
            "listen.http, listen.peer: both are 127.0.0.1:8771; give each its own port",
        ),
        (
            "[listen]\npeer = \"10.0.0.1:8771\"",
            "listen.peer, peer.allow_plaintext: 10.0.0.1:8771 can be reached from other machines \
             and peers talk without TLS: whoever connects can change the registry. Listen on a \
             loopback address, or set peer.allow_plaintext = true on a network you trust",
        ),
    ];
    for (toml, message) in table {
        assert_eq!(refusal(toml), message);
    }
}

#[test]
fn peers_may_talk_in_the_clear_beyond_loopback_only_when_allowed() {
    let toml = "[listen]\npeer = \"10.0.0.1:8771\"\n[peer]\nallow_plaintext = true";
    assert!(Config::from_toml("node.toml", toml).is_ok());
}

#[test]
fn advertised_addresses_default_to_what_others_can_reach() {
    let config = Config::from_toml(
        "node.toml",
        &format!("[node]\nname = \"node-2\"\n[cluster]\n{TWO}"),
    );
    let peer = config.unwrap().node.advertise_peer;
    assert_eq!(peer.as_str(), "127.0.0.1:8772", "as the list says");

    let alone = Config::from_toml("node.toml", "[listen]\nhttp = \"0.0.0.0:80\"").unwrap();
    assert_eq!(alone.node.advertise_http.as_str(), "http://127.0.0.1:80");

    let everywhere = format!("[listen]\nhttp = \"0.0.0.0:80\"\n[cluster]\n{TWO}");
    assert_eq!(
        refusal(&everywhere),
        "node.advertise_http = \"\" (default): expected an address that others can connect to, \
         because listen.http stands for every interface"
    );
}

#[test]
fn text_that_is_not_toml_is_refused_with_its_line() {
    let message = refusal("[node]\nname = \n");
    assert!(
        message.starts_with("node.toml:2 is not TOML: "),
        "{message}"
    );
}

#[test]
fn a_set_without_a_value_is_refused() {
    let sources = Sources {
        overrides: vec!["raft.heartbeat".to_owned()],
        ..Sources::default()
    };
    assert_eq!(
        sources.load().unwrap_err().to_string(),
        "--set raft.heartbeat has no `=`: write --set raft.heartbeat=VALUE"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let sources = Sources {
        file: Some("no/such/file.toml".into()),
        ..Sources::default()
    };
    let error = sources.load().unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("cannot read no/such/file.toml: ")
    );
}

#[test]
fn the_replicated_half_of_the_defaults_is_the_registrys_own() {
    assert_eq!(Config::default().replicated(), Settings::default());
}

#[test]
fn every_replicated_setting_comes_from_its_key() {
    let toml = "[lease]\nfactor = 1.5\n[protection]\nenabled = false\n\
                renewal_percent_threshold = 0.5\n[delta]\nretention = \"1m\"\n\
                retention_changes = 7\n[limits]\ninstances = 8\napplications = 9";
    let settings = Config::from_toml("node.toml", toml).unwrap().replicated();
    let expected = Settings {
        lease_factor_milli: 1_500,
        protection_enabled: false,
        protection_threshold_milli: 500,
        delta_retention_ms: 60_000,
        delta_retention_changes: 7,
        instances_max: 8,
        applications_max: 9,
    };
    assert_eq!(settings, expected);
}

#[test]
fn text_may_be_set_with_or_without_quotes() {
    for argument in ["node.name=n-7", "node.name=\"n-7\"", "node.name='n-7'"] {
        let sources = Sources {
            overrides: vec![argument.to_owned()],
            ..Sources::default()
        };
        let loaded = sources.load().expect(argument);
        assert_eq!(loaded.config.node.name, "n-7", "{argument}");
    }
}

#[test]
fn legacy_peers_are_not_served_unless_the_file_says_so() {
    assert!(!Config::default().compat.peer_replication);
    let config = Config::from_toml("node.toml", "[compat]\npeer_replication = true").unwrap();
    assert!(config.compat.peer_replication);
    assert_eq!(config.limits.replication_bytes_max, 2 << 20);
}
