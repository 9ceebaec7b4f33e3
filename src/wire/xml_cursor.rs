//! A place in an XML document.
//!
//! Owns what is well-formed and what counts as text. It may not know an element. The invariant: no document type, no entity beyond
//! XML's own five, no nesting beyond [`MAX_DEPTH`]: a body costs no more than its length.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::scalar::MAX_DEPTH;

/// A place in the document, and how deep it is.
pub(super) struct Cursor<'a> {
    reader: Reader<&'a [u8]>,
    depth: usize,
}

impl<'a> Cursor<'a> {
    /// The beginning of `text`.
    ///
    /// # Errors
    /// A sentence, if it holds a character that XML does not have.
    pub(super) fn new(text: &'a str) -> Result<Self, String> {
        if text.chars().any(|letter| !is_legal(letter)) {
            return Err("a character that XML does not have".to_owned());
        }
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        Ok(Self { reader, depth: 0 })
    }

    /// The next event that is part of the document, counting depth.
    fn next(&mut self) -> Result<Event<'a>, String> {
        loop {
            let is_first = self.reader.buffer_position() == 0;
            let event = self.reader.read_event().map_err(|e| e.to_string())?;
            match &event {
                Event::Start(_) if self.depth == MAX_DEPTH => {
                    return Err("nested too deeply".to_owned());
                }
                Event::Start(element) => {
                    check_element(element)?;
                    self.depth += 1;
                }
                Event::End(_) => self.depth -= 1,
                Event::DocType(_) => return Err("a document type".to_owned()),
                Event::Eof => return Err("the document ends early".to_owned()),
                Event::Text(text) if text.contains("]]>") => {
                    return Err("the end of a CDATA section in text".to_owned());
                }
                Event::Decl(_) if !is_first => return Err("a prolog inside".to_owned()),
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) => continue,
                _ => {}
            }
            return Ok(event);
        }
    }

    /// Opens the next child of the element the cursor is in, or leaves that element: `None`. Text beside elements means nothing.
    ///
    /// # Errors
    /// A sentence, if the document is not well-formed up to there.
    pub(super) fn child(&mut self) -> Result<Option<BytesStart<'a>>, String> {
        loop {
            match self.next()? {
                Event::Start(element) => return Ok(Some(element)),
                Event::End(_) => return Ok(None),
                Event::GeneralRef(reference) => {
                    resolve(&reference)?;
                }
                Event::Text(text) if self.depth > 0 || text.trim().is_empty() => {}
                Event::CData(_) if self.depth > 0 => {}
                _ => return Err("text outside the root".to_owned()),
            }
        }
    }

    /// The text of the element just opened, up to and with its end; not trimmed. Elements inside it are passed over.
    ///
    /// # Errors
    /// As [`Cursor::child`].
    pub(super) fn text(&mut self) -> Result<Cow<'a, str>, String> {
        let mut whole = Cow::Borrowed("");
        loop {
            let part = match self.next()? {
                Event::End(_) => return Ok(whole),
                Event::Text(text) => text.xml10_content(),
                Event::CData(text) => text.xml10_content(),
                Event::GeneralRef(reference) => resolve(&reference)?,
                _ => {
                    self.skip()?;
                    continue;
                }
            };
            if whole.is_empty() {
                whole = part;
            } else {
                whole.to_mut().push_str(&part);
            }
        }
    }

    /// Passes over the rest of the element just opened.
    ///
    /// # Errors
    /// As [`Cursor::child`].
    pub(super) fn skip(&mut self) -> Result<(), String> {
        let outside = self.depth - 1;
        while self.depth > outside {
            if let Event::GeneralRef(reference) = self.next()? {
                resolve(&reference)?;
            }
        }
        Ok(())
    }

    /// Passes over what may follow the root: comments, instructions, blanks.
    ///
    /// # Errors
    /// A sentence, if something else does.
    pub(super) fn end(&mut self) -> Result<(), String> {
        loop {
            match self.reader.read_event().map_err(|e| e.to_string())? {
                Event::Eof => return Ok(()),
                Event::Comment(_) | Event::PI(_) => {}
                Event::Text(text) if text.trim().is_empty() => {}
                _ => return Err("something follows the root".to_owned()),
            }
        }
    }
}

/// Checks what the parser takes as it comes: the name, and each attribute.
fn check_element(element: &BytesStart<'_>) -> Result<(), String> {
    let name = element.name();
    let name = name.as_ref();
    let odd = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && !"._-:".contains(c);
    if name.is_empty()
        || name.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.')
        || name.contains(odd)
    {
        return Err("a name that XML does not have".to_owned());
    }
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|e| e.to_string())?;
        if attribute.value.contains('<') {
            return Err("an attribute with a < in it".to_owned());
        }
        attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// What a reference stands for: a character by number, or one of XML's own five.
fn resolve<'a>(reference: &BytesRef<'_>) -> Result<Cow<'a, str>, String> {
    match reference.resolve_char_ref().map_err(|e| e.to_string())? {
        Some(letter) if is_legal(letter) => Ok(Cow::Owned(letter.to_string())),
        Some(_) => Err("a character that XML does not have".to_owned()),
        None => resolve_xml_entity(reference)
            .map(Cow::Borrowed)
            .ok_or_else(|| "an unknown entity".to_owned()),
    }
}

/// The characters of XML 1.0.
fn is_legal(letter: char) -> bool {
    !matches!(letter, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}
