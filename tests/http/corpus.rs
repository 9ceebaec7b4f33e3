//! Every input of the fuzz corpus over a real socket: refused or done, never an error of ours, and what
//! is refused never reaches the log.

use std::fs;
use std::path::{Path, PathBuf};

use crate::world::{JSON, JSON_BODY, World};

const XML_BODY: (&str, &str) = ("Content-Type", "application/xml");

/// The inputs of a fuzz target.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new("fuzz/corpus").join(target);
    let entries = fs::read_dir(folder).expect("a corpus for each target");
    let inputs = entries.map(|entry| {
        let path = entry.expect("a readable folder").path();
        let input = fs::read(&path).expect("a readable input");
        (path, input)
    });
    inputs.collect()
}

/// Sends one request; the log grows by one entry if it is carried out, and not at all if it is refused.
/// Returns its status.
async fn judged(world: &World, what: &Path, request: (&str, &str), body: &[u8]) -> u16 {
    let content_type = match what.extension() {
        Some(extension) if extension == "xml" => XML_BODY,
        _ => JSON_BODY,
    };
    let before = world.node.entries();
    let (method, target) = request;
    let answer = world
        .send(method, target, &[JSON, content_type], body)
        .await;
    let grown = world.node.entries() - before;
    // An unknown instance and a full one are the registry's own answers, found by applying the command.
    let allowed = match answer.status {
        200 | 204 | 404 | 507 => 0..=1,
        400..=499 => 0..=0,
        status => panic!("{status} to {method} {} ({target})", what.display()),
    };
    assert!(
        allowed.contains(&grown),
        "{} left {grown} entries for {method} {}",
        answer.status,
        what.display()
    );
    answer.status
}

#[tokio::test]
async fn every_body_of_the_corpus_is_registered_or_refused_without_an_entry() {
    let world = World::new().await;
    for target in ["json_body", "xml_body"] {
        for (what, body) in corpus(target) {
            let status = judged(&world, &what, ("POST", "/eureka/apps/demo"), &body).await;
            let name = what.file_name().and_then(|name| name.to_str());
            let refused = name.is_some_and(|name| name.starts_with("refused-"));
            // A recorded body names its own application, which the judges of fuzz/ put into the path.
            let elsewhere = name.is_some_and(|name| name.contains("recorded-"));
            if !elsewhere {
                assert_eq!(status == 204, !refused, "{status} to {}", what.display());
            }
        }
    }
}

/// Whether a request line can hold `target` at all.
fn is_one_word(target: &str) -> bool {
    !target.is_empty() && !target.contains(|letter: char| letter <= ' ' || letter == '\u{7f}')
}

#[tokio::test]
async fn every_path_of_the_corpus_is_answered_and_refusals_leave_no_entry() {
    let world = World::new().await;
    for (what, path) in corpus("path") {
        let path = String::from_utf8_lossy(&path);
        if !is_one_word(&path) {
            continue;
        }
        for method in ["GET", "PUT", "DELETE", "POST", "OPTIONS"] {
            judged(&world, &what, (method, &path), b"").await;
        }
    }
}

#[tokio::test]
async fn every_query_of_the_corpus_is_answered_and_refusals_leave_no_entry() {
    let world = World::new().await;
    world.register("APP", "i").await;
    for (what, query) in corpus("query") {
        let query = String::from_utf8_lossy(&query);
        if !is_one_word(&query) {
            continue;
        }
        for (method, path) in [
            ("PUT", "/eureka/apps/APP/i/metadata"),
            ("PUT", "/eureka/apps/APP/i/status"),
            ("DELETE", "/eureka/apps/APP/i/status"),
            ("PUT", "/eureka/apps/APP/i"),
            ("GET", "/eureka/apps"),
        ] {
            let target = format!("{path}?{query}");
            judged(&world, &what, (method, &target), b"").await;
        }
    }
}
