//! A place in an XML document.
//!
//! Owns what is well-formed and what counts as text. It may not know an element. The invariant: no document type, no entity beyond
//! XML's own five, no nesting beyond [`MAX_DEPTH`]: a body costs no more than its length.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, BytesText, Event};
use quick_xml::reader::Reader;

use super::scalar::{self, MAX_DEPTH};

/// The end of a CDATA section.
const SECTION_END: &str = "]]>";

/// The most attributes of an element; Eureka's own have one. Each is compared with all before it.
const MAX_ATTRIBUTES: usize = 64;

/// A place in the document, and how deep it is.
pub(super) struct Cursor<'a> {
    reader: Reader<&'a [u8]>,
    depth: usize,
    /// The element just opened was `<such/>`: its end comes next. The reader could tell it as two
    /// events itself, but copies the name for it.
    empty: bool,
    /// There may be a `]]>`, which texts may not have.
    section_ends: bool,
}

/// A part of the document that means something.
enum Part<'a> {
    Open(BytesStart<'a>),
    Close,
    /// As it stands there: whoever wants it makes its line ends right.
    Text(BytesText<'a>),
    /// A CDATA section, or what a reference stands for.
    Said(Cow<'a, str>),
}

impl<'a> Cursor<'a> {
    /// The beginning of `text`.
    ///
    /// # Errors
    /// A sentence, if it holds a character that XML does not have.
    pub(super) fn new(text: &'a str) -> Result<Self, String> {
        let (doubt, section_ends) = suspicions(text);
        if doubt && !text.chars().all(is_legal) {
            return Err("a character that XML does not have".to_owned());
        }
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        Ok(Self {
            reader,
            depth: 0,
            empty: false,
            section_ends,
        })
    }

    /// The next part of the document, counting depth.
    #[inline]
    fn next(&mut self) -> Result<Part<'a>, String> {
        if std::mem::take(&mut self.empty) {
            self.depth -= 1;
            return Ok(Part::Close);
        }
        loop {
            let is_first = self.reader.buffer_position() == 0;
            return Ok(match self.event()? {
                Event::Start(_) | Event::Empty(_) if self.depth == MAX_DEPTH => {
                    return Err("nested too deeply".to_owned());
                }
                Event::Start(element) => self.opened(element)?,
                Event::Empty(element) => {
                    self.empty = true;
                    self.opened(element)?
                }
                Event::End(_) => {
                    self.depth -= 1;
                    Part::Close
                }
                Event::Text(text) if self.section_ends && text.contains(SECTION_END) => {
                    return Err("the end of a CDATA section in text".to_owned());
                }
                Event::Text(text) => Part::Text(text),
                Event::CData(text) => Part::Said(text.xml10_content()),
                Event::GeneralRef(reference) => Part::Said(resolve(&reference)?),
                Event::Decl(_) if !is_first => return Err("a prolog inside".to_owned()),
                Event::PI(instruction) => {
                    check_target(instruction.target())?;
                    continue;
                }
                Event::Decl(prolog) => {
                    prolog.version().map_err(|error| scalar::sentence(&error))?;
                    continue;
                }
                Event::Comment(_) => continue,
                Event::DocType(_) => return Err("a document type".to_owned()),
                Event::Eof => return Err("the document ends early".to_owned()),
            });
        }
    }

    fn event(&mut self) -> Result<Event<'a>, String> {
        let event = self.reader.read_event();
        event.map_err(|error| scalar::sentence(&error))
    }

    fn opened(&mut self, element: BytesStart<'a>) -> Result<Part<'a>, String> {
        check_element(&element)?;
        self.depth += 1;
        Ok(Part::Open(element))
    }

    /// Opens the next child of the element the cursor is in, or leaves that element: `None`. Text beside elements means nothing.
    ///
    /// # Errors
    /// A sentence, if the document is not well-formed up to there.
    pub(super) fn child(&mut self) -> Result<Option<BytesStart<'a>>, String> {
        // The blanks of an indented document are a third of its parts.
        self.reader.config_mut().trim_text_start = true;
        loop {
            match self.next()? {
                Part::Open(element) => return Ok(Some(element)),
                Part::Close => return Ok(None),
                _ if self.depth > 0 => {}
                Part::Text(text) if text.trim().is_empty() => {}
                Part::Text(_) | Part::Said(_) => return Err("text outside the root".to_owned()),
            }
        }
    }

    /// The text of the element just opened, up to and with its end; not trimmed. Elements inside it are passed over.
    ///
    /// # Errors
    /// As [`Cursor::child`].
    pub(super) fn text(&mut self) -> Result<Cow<'a, str>, String> {
        self.reader.config_mut().trim_text_start = false;
        let mut whole = Cow::Borrowed("");
        loop {
            let part = match self.next()? {
                Part::Close => return Ok(whole),
                Part::Text(text) => text.xml10_content(),
                Part::Said(text) => text,
                Part::Open(_) => {
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
            self.next()?;
        }
        Ok(())
    }

    /// Passes over what may follow the root: comments, instructions, blanks.
    ///
    /// # Errors
    /// A sentence, if something else does.
    pub(super) fn end(&mut self) -> Result<(), String> {
        loop {
            match self.event()? {
                Event::Eof => return Ok(()),
                Event::PI(instruction) => check_target(instruction.target())?,
                Event::Comment(_) => {}
                Event::Text(text) if text.trim().is_empty() => {}
                _ => return Err("something follows the root".to_owned()),
            }
        }
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let fits =
        |byte: u8| !byte.is_ascii() || byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
    let begins = |byte: &u8| !(byte.is_ascii_digit() || b"-.".contains(byte));
    if !name.as_bytes().first().is_some_and(begins) || !name.bytes().all(fits) {
        return Err("a name that XML does not have".to_owned());
    }
    Ok(())
}

/// Checks whom an instruction is for; nobody may be called as the prolog is.
fn check_target(name: &str) -> Result<(), String> {
    if name.eq_ignore_ascii_case("xml") {
        return Err("a prolog inside".to_owned());
    }
    check_name(name)
}

/// Checks what the parser takes as it comes: the name, and each attribute.
fn check_element(element: &BytesStart<'_>) -> Result<(), String> {
    check_name(element.name().as_ref())?;
    if element.attributes_raw().is_empty() {
        return Ok(());
    }
    for (place, attribute) in element.attributes().enumerate() {
        if place == MAX_ATTRIBUTES {
            return Err("too many attributes".to_owned());
        }
        let attribute = attribute.map_err(|error| scalar::sentence(&error))?;
        if attribute.value.contains('<') {
            return Err("an attribute with a < in it".to_owned());
        }
        attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| scalar::sentence(&error))?;
    }
    Ok(())
}

/// What a reference stands for: a character by number, or one of XML's own five.
fn resolve<'a>(reference: &BytesRef<'_>) -> Result<Cow<'a, str>, String> {
    match reference
        .resolve_char_ref()
        .map_err(|error| scalar::sentence(&error))?
    {
        Some(letter) if is_legal(letter) => Ok(Cow::Owned(letter.to_string())),
        Some(_) => Err("a character that XML does not have".to_owned()),
        None => resolve_xml_entity(reference)
            .map(Cow::Borrowed)
            .ok_or_else(|| "an unknown entity".to_owned()),
    }
}

/// Whether some byte may begin a character that XML does not have, and whether one may end a CDATA
/// section: hardly any body has either, so all of it is looked at once, by bytes, and closer only then.
fn suspicions(text: &str) -> (bool, bool) {
    // Sixteen lanes without a branch, which is how the compiler sees that it may take them at once.
    let (lanes, rest) = text.as_bytes().as_chunks::<16>();
    let mut flags = [0_u8; 16];
    for bytes in lanes {
        for (flag, byte) in flags.iter_mut().zip(bytes) {
            *flag |= suspicion(*byte);
        }
    }
    let rest = rest.iter().map(|byte| suspicion(*byte));
    let all = flags
        .into_iter()
        .chain(rest)
        .fold(0, |all, flag| all | flag);
    (all & 1 != 0, all & 2 != 0)
}

/// 1 for a byte that may begin an illegal character, 2 for a closing bracket.
fn suspicion(byte: u8) -> u8 {
    let is = |yes: bool| u8::from(yes);
    let control = is(byte < b' ') & is(byte != b'\t') & is(byte != b'\n') & is(byte != b'\r');
    control | is(byte == 0xef) | (is(byte == b']') << 1)
}

/// The characters of XML 1.0.
fn is_legal(letter: char) -> bool {
    !matches!(letter, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}
