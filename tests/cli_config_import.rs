//! `config import`: real-looking servers' files become configurations that a node takes.

mod support;

use std::path::{Path, PathBuf};

use support::command::{run, text};
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/config_import")
        .join(name)
}

/// What is printed for a fixture.
fn imported(name: &str, more: &[&str]) -> String {
    let file = fixture(name);
    let arguments = [&["config", "import", text(&file)], more].concat();
    run(&arguments).fine().to_owned()
}

/// The page with the lines in effect that it offers behind a `#`.
fn with_everything_on(page: &str) -> String {
    let on = |line: &str| match line.strip_prefix('#') {
        Some(toml) if !toml.starts_with(' ') => toml.to_owned(),
        _ => line.to_owned(),
    };
    page.lines().map(on).collect::<Vec<_>>().join("\n")
}

/// The lines of TOML in effect, without sections and comments.
fn in_effect(page: &str) -> Vec<&str> {
    let counts = |line: &&str| !line.is_empty() && !line.starts_with(['#', '[']);
    page.lines().filter(counts).collect()
}

fn check(toml: &str) {
    let directory = TempDir::new().expect("a temporary directory");
    let file = directory.path().join("node.toml");
    std::fs::write(&file, toml).expect("room for a file");
    assert_eq!(
        run(&["config", "check", "--config", text(&file)]).fine(),
        "OK\n",
        "{toml}"
    );
}

/// The line that explains a key of theirs.
fn about<'a>(page: &'a str, key: &str) -> &'a str {
    let found = page
        .lines()
        .find(|line| line.starts_with('#') && line.contains(key));
    found.unwrap_or_else(|| panic!("nothing about {key} in\n{page}"))
}

#[test]
fn every_page_is_a_configuration_as_printed_and_with_all_its_offers_taken() {
    let table: [(&str, &[&str]); 7] = [
        ("standalone.yml", &[]),
        ("peers.yml", &[]),
        ("peers.yml", &["--profile", "peer1"]),
        ("peers.yml", &["--profile", "peer3,other"]),
        ("production.yml", &[]),
        ("eureka-server.properties", &[]),
        ("eureka-server.properties", &["--profile=second"]),
    ];
    for (name, more) in table {
        let page = imported(name, more);
        check(&page);
        check(&with_everything_on(&page));
    }
}

#[test]
fn a_server_alone_is_a_cluster_of_one() {
    let page = imported("standalone.yml", &[]);
    assert_eq!(
        in_effect(&page),
        [
            r#"name = "localhost""#,
            r#"advertise_http = "http://localhost:8761""#,
            r#"http = "0.0.0.0:8761""#,
            "enabled = false",
        ]
    );
    assert!(about(&page, "registerWithEureka = false").contains("standalone.yml:11"));
    assert!(about(&page, "waitTimeInMsWhenSyncEmpty").contains("on disk"));
    assert!(!page.contains("spring.application"), "{page}");
    assert_eq!(with_everything_on(&page), page.trim_end(), "no offers");
}

#[test]
fn the_servers_of_a_ring_become_one_list_of_members_that_is_only_offered() {
    let offers = |page: &str| -> Vec<String> {
        let offer = |line: &&str| line.starts_with('#') && !line.starts_with("# ");
        page.lines().filter(offer).map(str::to_owned).collect()
    };
    let pages: Vec<String> = ["peer1", "peer2", "peer3"]
        .iter()
        .map(|name| imported("peers.yml", &["--profile", name]))
        .collect();
    for (page, name) in pages.iter().zip(["peer1", "peer2", "peer3"]) {
        assert!(
            in_effect(page).contains(&&*format!("name = \"{name}\"")),
            "{page}"
        );
        assert!(in_effect(page).contains(&"renewal_percent_threshold = 0.49"));
        assert_eq!(offers(page), offers(&pages[0]));
        assert!(!page.contains("secret"), "{page}");
        assert!(page.contains("with the default of ${PORT}"));
    }
    assert_eq!(
        offers(&pages[0]),
        [
            r#"#peer = "0.0.0.0:8771""#,
            "#initial_members = [",
            r#"#{ name = "peer1", peer = "peer1:8771" },"#,
            r#"#{ name = "peer2", peer = "peer2:8771" },"#,
            r#"#{ name = "peer3", peer = "peer3:8771" },"#,
            "#]",
            "#allow_plaintext = true",
        ]
    );
    let without = imported("peers.yml", &[]);
    assert_eq!(
        without.matches("Not in effect without --profile").count(),
        3
    );
}

#[test]
fn every_key_of_a_real_file_is_carried_over_or_explained_and_no_secret_is_printed() {
    let page = imported("production.yml", &[]);
    assert_eq!(
        in_effect(&page),
        [
            r#"name = "discovery-1.example""#,
            r#"advertise_http = "http://discovery-1.example:9761""#,
            r#"http = "10.1.2.3:9761""#,
            r#"peer = "127.0.0.1:9771""#,
            r#"sweep = "5s""#,
            "enabled = true",
            "renewal_percent_threshold = 0.85",
            r#"retention = "1m 30s""#,
        ]
    );
    let file = std::fs::read_to_string(fixture("production.yml")).expect("the fixture");
    for key in [
        "rate-limiter-burst-size",
        "peer-node-read-timeout-ms",
        "use-read-only-response-cache",
        "my-url",
        "remote-region-urls-with-name",
        "register-with-eureka",
        "prefer-ip-address",
        "dashboard.path",
        "eureka.environment",
        "ssl.enabled",
        "security.user.name",
        "registry-sync-retries",
        "datacenter",
        "expected-client-renewal-interval-seconds",
        "expected-number-of-clients-sending-renews",
    ] {
        let why = about(&page, key);
        assert!(
            why.contains("production.yml:") && why.contains("): "),
            "{why}"
        );
        assert!(
            file.contains(key.rsplit('.').next().unwrap_or(key)),
            "{key}"
        );
    }
    for secret in ["hunter2", "hunter3", "hunter4", "hunter5"] {
        assert!(!page.contains(secret), "{page}");
    }
    let (_, lost) = page.split_once("# Not understood").expect("two are not");
    assert!(about(lost, "enable-self-destruction").contains("no key of Eureka's"));
    assert!(about(lost, "defaultZone").contains("${EUREKA_PEERS} has no value here"));
    assert_eq!(lost.lines().count(), 3, "{lost}");
    assert!(!page.contains("management"), "{page}");
}

#[test]
fn netflixs_own_properties_are_read_too() {
    let page = imported("eureka-server.properties", &["--profile", "second"]);
    let effect = in_effect(&page).join("\n");
    for line in [
        r#"name = "localhost-8081""#,
        r#"{ name = "localhost-8080", peer = "localhost:8090" },"#,
        r#"peer = "127.0.0.1:8091""#,
        "renewal_percent_threshold = 0.7",
        r#"sweep = "30s""#,
    ] {
        assert!(effect.contains(line), "{line} in\n{page}");
    }
    assert!(about(&page, "eureka.rateLimiter.enabled").contains("no rate limiter"));
}

#[test]
fn a_later_file_wins_over_an_earlier_one() {
    let directory = TempDir::new().expect("a temporary directory");
    let local = directory.path().join("application-local.yaml");
    std::fs::write(
        &local,
        "server.port: 9999\neureka.server.enableSelfPreservation: on\n",
    )
    .expect("room");
    let page = imported("standalone.yml", &[text(&local)]);
    let effect = in_effect(&page);
    assert!(
        effect.contains(&r#"http = "0.0.0.0:9999""#) && effect.contains(&"enabled = true"),
        "{page}"
    );
}

#[test]
fn a_value_that_cannot_be_meant_is_a_comment_with_the_reason() {
    let directory = TempDir::new().expect("a temporary directory");
    let table = [
        ("server.port: 99999", "not a port"),
        ("server.port: -1", "not a port"),
        ("server.address: \"a b\"", "not a host"),
        (
            "eureka.server.enable-self-preservation: maybe",
            "neither true nor false",
        ),
        (
            "eureka.server.renewal-percent-threshold: 1.5",
            "not a number from 0 to 1",
        ),
        (
            "eureka.server.renewal-percent-threshold: 0.12345",
            "more than three decimals",
        ),
        (
            "eureka.server.eviction-interval-timer-in-ms: 0",
            "not a number of milliseconds",
        ),
        (
            "eureka.client.service-url.defaultZone: peer1",
            "not a list of http URLs",
        ),
        (
            "eureka.client.service-url.defaultZone: http://peer2:8761/eureka/",
            "which of them this node is",
        ),
        (
            "eureka.instance.hostname: ${A:${B}}",
            "${B} has no value here",
        ),
        (
            "eureka.server.x: \"a\\nlisten.http = 1\"",
            "no key of Eureka's",
        ),
    ];
    for (yaml, why) in table {
        let file = directory.path().join("application.yml");
        std::fs::write(&file, yaml).expect("room");
        let said = run(&["config", "import", text(&file)]);
        let page = said.fine();
        assert!(page.contains(why), "{yaml}: {page}");
        assert_eq!(in_effect(page), [""; 0], "{yaml}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_exit_78_with_its_line() {
    let directory = TempDir::new().expect("a temporary directory");
    let laughs = (1..30).fold("a0: &a0 [x, [x]]\n".to_owned(), |yaml, i| {
        let one = format!("*a{}", i - 1);
        format!("{yaml}a{i}: &a{i} [{}]\n", [one.as_str(); 9].join(", "))
    });
    let table = [
        ("tab.yml", "server:\n\tport: 1\n".to_owned(), "tab.yml:2: "),
        ("open.yml", "a: [1, 2\nb: 3\n".to_owned(), "open.yml:"),
        ("list.yml", "- a\n- b\n".to_owned(), "list.yml:1: not a map"),
        (
            "deep.yml",
            format!("a: {}1{}", "[".repeat(40), "]".repeat(40)),
            "nested more than 32 deep",
        ),
        ("laughs.yml", laughs, "more than 10000 values"),
        ("self.yml", "a: &a [*a]\n".to_owned(), "self.yml:1: "),
        (
            "long.yml",
            format!("a: {}\n", "x".repeat(1 << 20)),
            "long.yml: more than 1 MiB",
        ),
        (
            "escape.properties",
            "a=1\nb=\\uzzzz\n".to_owned(),
            "escape.properties:2: a bad \\u escape",
        ),
        (
            "application.json",
            "{}".to_owned(),
            "not a .yml, .yaml or .properties file",
        ),
    ];
    for (name, content, why) in table {
        let file = directory.path().join(name);
        std::fs::write(&file, content).expect("room");
        let said = run(&["config", "import", text(&file)]);
        let line = said.refused(78);
        assert!(line.contains(why), "{name}: {line}");
        assert_eq!(said.out, "", "{name}");
    }
    let absent = directory.path().join("absent.yml");
    assert!(
        run(&["config", "import", text(&absent)])
            .refused(78)
            .contains("absent.yml")
    );
    run(&["config", "import"]).refused(64);
}
