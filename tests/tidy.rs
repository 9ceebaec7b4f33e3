//! Checks the shape of the house: layers, who may import what, file heads, names, bans.
//!
//! Owns the layer table of ARCHITECTURE.md as code. A failure names the file, the line and the rule.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room and the rooms it may use. `registry` is the bottom.
const LAYERS: &[(&str, &[&str])] = &[
    ("registry", &[]),
    ("wire", &["registry"]),
    ("clock", &[]),
    ("net", &[]),
    ("codec", &["registry"]),
    ("store", &["registry", "codec", "clock"]),
    ("raft", &["registry", "codec", "clock", "net", "store"]),
    (
        "node",
        &["registry", "codec", "clock", "net", "store", "raft"],
    ),
    ("offline", &["registry", "codec", "clock", "store", "raft"]),
    ("http", &["registry", "wire", "clock", "net", "node"]),
    ("bench", &["clock"]),
    (
        "cli",
        &[
            "registry", "clock", "net", "node", "offline", "server", "bench", "store", "raft",
        ],
    ),
    (
        "server",
        &[
            "registry", "clock", "net", "codec", "store", "raft", "node", "http",
        ],
    ),
];

/// Crates that one room alone may import.
const SOLE_IMPORTERS: &[(&str, &[&str])] = &[
    ("openraft", &["raft"]),
    ("openraft_rt", &["raft"]),
    ("sled", &["store"]),
    ("bincode", &["codec"]),
    ("axum", &["http"]),
    ("askama", &["http"]),
    ("quick_xml", &["wire"]),
    ("clap", &["cli", "bin"]),
    ("toml", &["server"]),
    ("saphyr_parser", &["cli"]),
];

/// Words that may not stand in the core, with the reason.
const CORE_BANS: &[(&str, &str)] = &[
    ("HashMap", "its order differs between nodes"),
    ("HashSet", "its order differs between nodes"),
    ("SystemTime", "time enters only as LogTime"),
    ("Instant", "time enters only as LogTime"),
    ("f32", "floats differ between compilers"),
    ("f64", "floats differ between compilers"),
    ("tokio", "the core is pure"),
    ("tracing", "the core is silent"),
    ("println", "the core is silent"),
    ("std::fs", "the core does no I/O"),
    ("rand::", "the core is deterministic"),
];

const FILE_LINES_MAX: usize = 500;
const BANNED_NAMES: &[&str] = &[
    "util", "utils", "common", "misc", "helper", "helpers", "manager",
];

#[test]
fn every_room_uses_only_the_rooms_below_it() {
    let mut wrong = String::new();
    for file in rust_files("src") {
        let Some(room) = room_of(&file) else { continue };
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == room) else {
            if room != "lib" && room != "bin" {
                writeln!(
                    wrong,
                    "{}: room {room:?} is not in the layer table",
                    file.display()
                )
                .unwrap();
            }
            continue;
        };
        for (number, line) in code_lines(&file) {
            for (other, _) in LAYERS.iter().filter(|(name, _)| *name != room) {
                if line.contains(&format!("crate::{other}")) && !allowed.contains(other) {
                    writeln!(
                        wrong,
                        "{}:{number}: {room} may not use {other}",
                        file.display()
                    )
                    .unwrap();
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn each_guarded_crate_is_imported_by_its_own_room_only() {
    let mut wrong = String::new();
    for file in rust_files("src") {
        let room = room_of(&file).unwrap_or_default();
        for (number, line) in code_lines(&file) {
            for (guarded, rooms) in SOLE_IMPORTERS {
                let named = line.contains(&format!("{guarded}::"))
                    || line.contains(&format!("use {guarded};"));
                let own_module = line.contains(&format!("::{guarded}::"))
                    || line.contains(&format!("_{guarded}::"));
                if named && !own_module && !rooms.contains(&room.as_str()) {
                    writeln!(
                        wrong,
                        "{}:{number}: only {rooms:?} may import {guarded}",
                        file.display()
                    )
                    .unwrap();
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_core_has_no_clock_no_io_no_floats_and_no_hash_order() {
    let mut wrong = String::new();
    for file in rust_files("src/registry") {
        for (number, line) in code_lines(&file) {
            for (word, reason) in CORE_BANS.iter().filter(|(word, _)| has_word(&line, word)) {
                writeln!(wrong, "{}:{number}: {word}: {reason}", file.display()).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_file_says_first_what_it_owns() {
    let missing: Vec<_> = ["src", "tests", "benches"]
        .into_iter()
        .flat_map(rust_files)
        .filter(|file| !fs::read_to_string(file).unwrap().starts_with("//!"))
        .collect();
    assert!(missing.is_empty(), "no //! head: {missing:?}");
}

#[test]
fn every_source_file_is_part_of_the_program() {
    let mut reached = vec![
        PathBuf::from("src/lib.rs"),
        PathBuf::from("src/bin/eureka-raft.rs"),
    ];
    let mut next = 0;
    while next < reached.len() {
        let file = reached[next].clone();
        let in_own_folder = file.ends_with("mod.rs") || file.ends_with("lib.rs");
        let folder = if in_own_folder {
            file.parent().unwrap().to_owned()
        } else {
            file.with_extension("")
        };
        let text = fs::read_to_string(&file).unwrap();
        let declared = text
            .lines()
            .filter_map(|line| line.strip_suffix(';')?.rsplit_once("mod "));
        for (_, name) in declared {
            let places = [
                folder.join(format!("{name}.rs")),
                folder.join(name).join("mod.rs"),
            ];
            reached.extend(places.into_iter().filter(|path| path.exists()));
        }
        next += 1;
    }
    let dead: Vec<_> = rust_files("src")
        .into_iter()
        .filter(|file| !reached.contains(file))
        .collect();
    assert!(dead.is_empty(), "in no module: {dead:?}");
}

#[test]
fn no_source_file_is_longer_than_a_sitting() {
    let long: Vec<_> = rust_files("src")
        .into_iter()
        .map(|file| (fs::read_to_string(&file).unwrap().lines().count(), file))
        .filter(|(lines, _)| *lines > FILE_LINES_MAX)
        .collect();
    assert!(long.is_empty(), "over {FILE_LINES_MAX} lines: {long:?}");
}

#[test]
fn no_file_is_a_drawer_for_odds_and_ends() {
    let drawers: Vec<_> = ["src", "tests"]
        .into_iter()
        .flat_map(rust_files)
        .filter(|file| {
            file.components().any(|part| {
                let name = part.as_os_str().to_string_lossy();
                BANNED_NAMES.contains(&name.trim_end_matches(".rs"))
            })
        })
        .collect();
    assert!(drawers.is_empty(), "{drawers:?}");
}

#[test]
fn nothing_is_left_to_do_and_tests_do_not_sleep() {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
    ];
    let mut wrong = String::new();
    for file in ["src", "tests", "benches"].into_iter().flat_map(rust_files) {
        // Real processes cannot tell us when they are done: the one loop that looks again is exempt.
        let is_test = file.starts_with("tests") && !file.ends_with("support/eventually.rs");
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                writeln!(wrong, "{}:{}: {}", file.display(), number + 1, line.trim()).unwrap();
            }
            if is_test && line.contains(concat!("thread::", "sleep(")) {
                writeln!(
                    wrong,
                    "{}:{}: a test waits on what it waits for",
                    file.display(),
                    number + 1
                )
                .unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_function_named_in_the_architecture_exists() {
    let text = fs::read_to_string("ARCHITECTURE.md").unwrap();
    let sources: String = rust_files("src")
        .into_iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let named = text.split('`').skip(1).step_by(2).filter_map(|code| {
        let call = code.strip_suffix("()")?;
        Some(call.rsplit("::").next().unwrap_or(call).to_owned())
    });
    let missing: Vec<String> = named
        .filter(|name| !sources.contains(&format!("fn {name}")))
        .collect();
    assert!(
        missing.is_empty(),
        "ARCHITECTURE.md names functions that do not exist: {missing:?}"
    );
}

#[test]
fn every_relative_link_of_the_documents_leads_somewhere() {
    let mut wrong = String::new();
    for file in documents() {
        let text = fs::read_to_string(&file).unwrap();
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let path = target.split('#').next().unwrap_or(target);
            let outside = path.contains("://") || path.is_empty();
            if !outside && !file.parent().unwrap_or(Path::new(".")).join(path).exists() {
                writeln!(wrong, "{}: {target}", file.display()).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_source_file_named_in_the_documents_exists() {
    let mut wrong = String::new();
    for file in documents() {
        let text = fs::read_to_string(&file).unwrap();
        for named in text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|code| code.ends_with(".rs"))
        {
            let beside = file.parent().unwrap_or(Path::new(".")).join(named);
            let places = [PathBuf::from(named), Path::new("src").join(named), beside];
            if !named.contains(' ') && !places.iter().any(|path| path.exists()) {
                writeln!(wrong, "{}: {named}", file.display()).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// `src/a/b.rs` and `src/a.rs` are of room `a`.
fn room_of(file: &Path) -> Option<String> {
    let part = file
        .components()
        .nth(1)?
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    Some(part.trim_end_matches(".rs").to_owned())
}

/// Lines that are code, with their numbers: no comments, no text in quotes, nothing after `#[cfg(test)]`.
fn code_lines(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).expect("a source file is text");
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines()
        .enumerate()
        .map(|(number, line)| {
            let code = line.split("//").next().unwrap_or_default();
            (number + 1, code.split('"').step_by(2).collect::<String>())
        })
        .filter(|(_, line)| !line.trim().is_empty())
        .collect()
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !letter(before) && (word.ends_with(':') || !letter(after))
    })
}

fn rust_files(root: &str) -> Vec<PathBuf> {
    files(Path::new(root), "rs")
}

fn documents() -> Vec<PathBuf> {
    let top = fs::read_dir(".")
        .expect("the project has a root")
        .map(|entry| entry.expect("a listed file").path());
    let top = top.map(|path| path.strip_prefix(".").map(Path::to_owned).unwrap_or(path));
    let mut found: Vec<PathBuf> = top
        .filter(|path| path.extension().is_some_and(|ext| ext == "md"))
        .collect();
    for root in ["docs", "raft-config", "tests"] {
        found.extend(files(Path::new(root), "md"));
    }
    found
}

fn files(root: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("a listed file").path();
        if path.is_dir() && !path.ends_with("node_modules") && !path.ends_with("target") {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|ext| ext == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}
