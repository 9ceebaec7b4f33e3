//! Metadata keys as XML element names.
//!
//! Owns XStream's `XmlFriendlyNameCoder` and where we leave it. It may not know documents.
//! Prometheus and py-eureka-client show the encoded names to people, so the coding is a contract.
//!
//! The invariant: every written name is one in both editions of XML 1.0, without a namespace prefix.
//! XStream leaves `:` and letters newer than the fourth edition bare, and one such key makes Python's
//! and Go's parsers refuse the whole document. Those are escaped here; decoders read them all the same.

use std::borrow::Cow;

use super::scalar;

/// Letters beyond ASCII that both editions of XML 1.0 allow everywhere in a name: the blocks in use.
const LETTERS: [(char, char); 27] = [
    ('\u{c0}', '\u{d6}'),
    ('\u{d8}', '\u{f6}'),
    ('\u{f8}', '\u{131}'),
    ('\u{134}', '\u{13e}'),
    ('\u{141}', '\u{148}'),
    ('\u{14a}', '\u{17e}'),
    ('\u{180}', '\u{1c3}'),
    ('\u{386}', '\u{386}'),
    ('\u{388}', '\u{38a}'),
    ('\u{38c}', '\u{38c}'),
    ('\u{38e}', '\u{3a1}'),
    ('\u{3a3}', '\u{3ce}'),
    ('\u{401}', '\u{40c}'),
    ('\u{40e}', '\u{44f}'),
    ('\u{451}', '\u{45c}'),
    ('\u{45e}', '\u{481}'),
    ('\u{5d0}', '\u{5ea}'),
    ('\u{621}', '\u{63a}'),
    ('\u{641}', '\u{64a}'),
    ('\u{905}', '\u{939}'),
    ('\u{e01}', '\u{e2e}'),
    ('\u{1e00}', '\u{1e9b}'),
    ('\u{1ea0}', '\u{1ef9}'),
    ('\u{3041}', '\u{3094}'),
    ('\u{30a1}', '\u{30fa}'),
    ('\u{4e00}', '\u{9fa5}'),
    ('\u{ac00}', '\u{d7a3}'),
];

/// Appends `key` as an element name: `_` as `__`, `$` as `_-`, anything else that is illegal at its
/// place as `_.` and four hex digits for each UTF-16 unit. The empty key has no name: appends nothing.
pub(super) fn encode(out: &mut Vec<u8>, key: &str) {
    for (at, letter) in key.char_indices() {
        match letter {
            '_' => out.extend_from_slice(b"__"),
            '$' => out.extend_from_slice(b"_-"),
            'a'..='z' | 'A'..='Z' => out.push(letter as u8),
            '0'..='9' | '-' | '.' if at > 0 => out.push(letter as u8),
            _ if is_letter(letter) => {
                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => escape(out, letter),
        }
    }
}

/// The key of an element name; the inverse of [`encode`], and of XStream's. A lone `_` stays.
///
/// # Errors
/// A sentence, if `_.` is not followed by four hex digits, or by those of half a character.
pub(super) fn decode(name: &str) -> Result<Cow<'_, str>, String> {
    if !name.contains('_') {
        return Ok(Cow::Borrowed(name));
    }
    let mut units = Vec::new();
    let mut key = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(letter) = rest.chars().next() {
        if let Some(hex) = rest.strip_prefix("_.") {
            let bad = || format!("bad escape in the name {}", scalar::excerpt(name));
            units.push(unit(hex).ok_or_else(bad)?);
            rest = &hex[4..];
            continue;
        }
        flush(&mut units, &mut key)?;
        if let Some(after) = rest.strip_prefix("__") {
            key.push('_');
            rest = after;
        } else if let Some(after) = rest.strip_prefix("_-") {
            key.push('$');
            rest = after;
        } else {
            key.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    flush(&mut units, &mut key)?;
    Ok(Cow::Owned(key))
}

fn is_letter(letter: char) -> bool {
    LETTERS
        .iter()
        .any(|&(first, last)| (first..=last).contains(&letter))
}

fn escape(out: &mut Vec<u8>, letter: char) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for unit in letter.encode_utf16(&mut [0; 2]) {
        out.extend_from_slice(b"_.");
        for shift in [12, 8, 4, 0] {
            out.push(HEX[usize::from(*unit >> shift & 0xf)]);
        }
    }
}

/// The UTF-16 unit of the four hex digits at the start of `hex`.
fn unit(hex: &str) -> Option<u16> {
    let digits = hex.get(..4)?;
    // `from_str_radix` would also take a sign.
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u16::from_str_radix(digits, 16).ok()
}

/// Moves a run of escaped units to the key: characters beyond the first plane come as two.
fn flush(units: &mut Vec<u16>, key: &mut String) -> Result<(), String> {
    for letter in char::decode_utf16(units.drain(..)) {
        key.push(letter.map_err(|_| "half a character in a name".to_owned())?);
    }
    Ok(())
}
