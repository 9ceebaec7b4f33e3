//! The known key nearest to a mistyped one.
//!
//! Owns edit distance and how far a suggestion may be. It may not know what a key means.

/// Of `known`, the one with the least edit distance to `wrong`, unless it is so far away that
/// naming it would mislead: more than a third of its length, and at least three edits, are allowed.
pub(super) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, best) = known
        .map(|candidate| (distance(wrong, candidate), candidate))
        .min()?;
    (distance <= (best.len() / 3).max(3)).then_some(best)
}

/// How many insertions, deletions and substitutions turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_single_character_edits() {
        let table = [
            ("", "", 0),
            ("abc", "abc", 0),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
        ];
        for (a, b, edits) in table {
            assert_eq!(distance(a, b), edits, "{a} to {b}");
            assert_eq!(distance(b, a), edits, "{b} to {a}");
        }
    }

    #[test]
    fn nothing_is_suggested_for_a_key_like_no_other() {
        let known = ["listen.http", "raft.heartbeat"];
        assert_eq!(nearest("completely.different", known.into_iter()), None);
        assert_eq!(
            nearest("raft.hartbeat", known.into_iter()),
            Some("raft.heartbeat")
        );
    }
}
