//! `docs/compatibility.md` against the tests: no row without a test, no test without a row.
//!
//! Owns how the page's table is read. It may not know what a row means.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = "docs/compatibility.md";

/// How a row's *why* begins that no test can show.
const NOT_REPLAYABLE: &str = "not replayable:";

/// The rows: id and *why*.
fn rows() -> BTreeMap<String, String> {
    let page = fs::read_to_string(PAGE).expect("the page is there");
    let mut rows = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| D-")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [id, request, theirs, ours, why] = cells[..] else {
            panic!("a row has five cells: {line}");
        };
        for cell in [request, theirs, ours, why] {
            assert!(!cell.is_empty(), "{id} has an empty cell");
        }
        assert_eq!(ids_in(id).len(), 1, "{id:?} is no id");
        let twice = rows.insert(id.to_owned(), why.to_owned());
        assert!(twice.is_none(), "{id} is there twice");
    }
    rows
}

/// Every `D-` and two or three digits in `text` that is a word.
fn ids_in(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("D-") {
        let digits: String = text[at + 2..]
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        let before = text[..at].chars().next_back();
        let after = text[at + 2 + digits.len()..].chars().next();
        let part_of_a_word =
            |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-');
        if (2..=3).contains(&digits.len()) && !part_of_a_word(before) && !part_of_a_word(after) {
            found.insert(format!("D-{digits}"));
        }
    }
    found
}

/// Which files of the tests name which id.
fn named() -> BTreeMap<String, Vec<PathBuf>> {
    let mut named: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for file in sources(Path::new("tests")) {
        let text = fs::read_to_string(&file).expect("a source file is text");
        for id in ids_in(&text) {
            named.entry(id).or_default().push(file.clone());
        }
    }
    named
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of the tests") {
        let path = entry.expect("a listed file").path();
        let installed = path.ends_with("node_modules") || path.ends_with("target");
        if path.is_dir() && !installed {
            found.extend(sources(&path));
        } else if path
            .extension()
            .is_some_and(|ext| ext == "rs" || ext == "py")
        {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_row_is_used_by_a_test_or_says_why_it_cannot_be() {
    let named = named();
    let unused: Vec<String> = rows()
        .into_iter()
        .filter(|(id, why)| !named.contains_key(id) && !why.starts_with(NOT_REPLAYABLE))
        .map(|(id, _)| id)
        .collect();
    assert!(unused.is_empty(), "no test names {unused:?} of {PAGE}");
}

#[test]
fn every_id_a_test_names_is_a_row() {
    let rows = rows();
    let mut unknown = named();
    unknown.retain(|id, _| !rows.contains_key(id));
    assert!(unknown.is_empty(), "not in {PAGE}: {unknown:?}");
}

#[test]
fn ids_are_words() {
    let found = ids_in("D-01, \"D-12\" and (D-15), not GOLD-10, D-1, D-1234, D-10-x");
    let found: Vec<String> = found.into_iter().collect();
    assert_eq!(found, ["D-01", "D-12", "D-15"]);
}
