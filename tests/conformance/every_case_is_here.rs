//! That there is one test for each of the 94 cases, named after its number, and that it is run.
//!
//! Owns reading the sources beside it, because a case that was forgotten fails nothing else.

use std::collections::BTreeMap;
use std::fs;

const CASES: u32 = 94;

/// The number of a test's name: `case_07_…` is 7.
fn number_of(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("case_")?.split('_').next()?;
    (digits.len() == 2).then(|| digits.parse().ok())?
}

#[test]
fn every_wanted_difference_a_case_names_is_in_the_compatibility_page() {
    let page = fs::read_to_string("docs/compatibility.md").expect("the page is here");
    let mut found = 0;
    for (path, text) in sources() {
        for (at, _) in text.match_indices("D-") {
            let id = text.get(at..at + 4).unwrap_or_default();
            if id
                .get(2..)
                .is_some_and(|number| number.parse::<u32>().is_ok())
            {
                found += 1;
                assert!(page.contains(&format!("| {id} |")), "{path}: {id}");
            }
        }
    }
    assert!(found > 10, "only {found} were looked at");
}

/// The files of cases, with their names.
fn sources() -> Vec<(String, String)> {
    let files = fs::read_dir("tests/conformance").expect("the cases are here");
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.expect("a listed file").path();
        let text = fs::read_to_string(&path).expect("a source file");
        (path.display().to_string(), text)
    };
    files.map(read).collect()
}

/// The word after each `mark` that opens a line, trimmed.
fn words_after(text: &str, mark: &str) -> Vec<String> {
    let opened = text.lines().filter_map(|line| line.strip_prefix(mark));
    let word = |rest: &str| {
        let end = |letter: char| !letter.is_alphanumeric() && letter != '_';
        rest.split(end).next().unwrap_or_default().to_owned()
    };
    opened.map(word).collect()
}

#[test]
fn every_number_has_one_case_and_every_case_is_run() {
    let mut numbers: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (path, text) in sources() {
        // As rustfmt breaks them.
        let tests = text
            .replace("#[test]\nfn ", "#[test] fn ")
            .replace("case!(\n    ", "case!(");
        let run = [
            words_after(&tests, "case!("),
            words_after(&tests, "#[test] fn "),
        ]
        .concat();
        for name in words_after(&text, "fn ") {
            let Some(number) = number_of(&name) else {
                continue;
            };
            assert!(run.contains(&name), "{path}: {name} is never run");
            numbers.entry(number).or_default().push(name);
        }
    }
    for number in 1..=CASES {
        let names = numbers.remove(&number).unwrap_or_default();
        assert_eq!(names.len(), 1, "case {number}: {names:?}");
    }
    assert!(numbers.is_empty(), "numbers that are no case: {numbers:?}");
}
