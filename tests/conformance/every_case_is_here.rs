//! That there is one test for each of the 94 cases, named after its number, and that it is run.
//!
//! Owns reading the sources beside it, because a case that was forgotten fails nothing else.

use std::collections::BTreeMap;
use std::fs;

const CASES: u32 = 94;

/// Numbers of which the server has no part yet.
const AWAITED: [u32; 1] = [85];

/// The number of a test's name: `case_07_…` is 7.
fn number_of(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("case_")?.split('_').next()?;
    (digits.len() == 2).then(|| digits.parse().ok())?
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
    for entry in fs::read_dir("tests/conformance").expect("the cases are here") {
        let path = entry.expect("a listed file").path();
        let text = fs::read_to_string(&path).expect("a source file");
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
            assert!(
                run.contains(&name),
                "{}: {name} is never run",
                path.display()
            );
            numbers.entry(number).or_default().push(name);
        }
    }
    for number in 1..=CASES {
        let names = numbers.remove(&number).unwrap_or_default();
        let expected = usize::from(!AWAITED.contains(&number));
        assert_eq!(names.len(), expected, "case {number}: {names:?}");
    }
    assert!(numbers.is_empty(), "numbers that are no case: {numbers:?}");
}
