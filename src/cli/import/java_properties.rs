//! Java's `.properties` files.
//!
//! Owns their syntax (`java.util.Properties.load`) and Boot's `#---` between documents. It may not know
//! a key.

use super::properties::{Document, Place, Property};

/// A line and what is wrong there.
type Fault = (usize, String);

/// The documents of a file in order.
pub(super) fn documents(file: &str, text: &str) -> Result<Vec<Document>, Fault> {
    let mut documents = vec![Vec::new()];
    let mut lines = text.lines().enumerate();
    while let Some((number, first)) = lines.next() {
        let mut line = first.trim_start().to_owned();
        if matches!(line.trim_end(), "#---" | "!---") {
            documents.push(Vec::new());
            continue;
        }
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        while continues(&line) {
            line.pop();
            match lines.next() {
                Some((_, more)) => line.push_str(more.trim_start()),
                None => break,
            }
        }
        let number = number + 1;
        let (key, value) = split(&line);
        let unescape = |text: &str| unescaped(text).ok_or((number, "a bad \\u escape".to_owned()));
        let property = Property {
            key: unescape(key)?,
            value: unescape(value)?,
            place: Place {
                file: file.to_owned(),
                line: number,
            },
        };
        documents
            .last_mut()
            .expect("it began with one")
            .push(property);
    }
    Ok(documents)
}

/// Whether a line ends in an odd number of backslashes.
fn continues(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Key and value: apart by `=`, `:` or blanks that are not escaped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (matches!(c, '=' | ':') || c.is_whitespace());
        escaped = c == '\\' && !escaped;
        ends
    });
    let Some(end) = end else {
        return (line, "");
    };
    let value = line[end..].trim_start();
    let value = value.strip_prefix(['=', ':']).unwrap_or(value);
    (&line[..end], value.trim())
}

fn unescaped(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok()?;
                // Half of a surrogate pair is no character: it stands for itself no more than in Java.
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some(other) => out.push(other),
            None => {}
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_read_as_java_reads_them() {
        let table = [
            ("a=b", ("a", "b")),
            ("a = b ", ("a", "b")),
            ("a: b=c", ("a", "b=c")),
            ("a b", ("a", "b")),
            ("a", ("a", "")),
            ("  a\\:b = c", ("a:b", "c")),
            ("a=b\\\n   c", ("a", "bc")),
            ("a=\\u00e4\\tx", ("a", "\u{e4}\tx")),
        ];
        for (text, (key, value)) in table {
            let documents = documents("a.properties", text).expect("no bad escape");
            let found = &documents[0][0];
            assert_eq!(
                (found.key.as_str(), found.value.as_str()),
                (key, value),
                "{text}"
            );
        }
        assert!(documents("a.properties", "# c\n! c\n\n").is_ok_and(|all| all[0].is_empty()));
        assert_eq!(
            documents("a.properties", "a=1\n#---\nb=2").map(|all| all.len()),
            Ok(2)
        );
        let bad = documents("a.properties", "\na=\\u00g1");
        assert_eq!(bad.err().map(|(line, _)| line), Some(2));
    }
}
