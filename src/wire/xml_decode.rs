//! Registrations in XML.
//!
//! Owns how Eureka clients write an instance as XML, straight into a [`Draft`] from a pull parser. It
//! may not check what an instance needs. The invariant: no document type, no entity beyond XML's own
//! five, no nesting beyond [`MAX_DEPTH`]: a body costs no more than its length.

use std::borrow::Cow;

use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, BytesText, Event};
use quick_xml::reader::Reader;

use crate::registry::LeaseTerms;

use super::draft::{DataCenterKind, Draft, DraftDataCenter, Entries, Field};
use super::scalar::{self, MAX_DEPTH};
use super::xml_names;

/// What XStream takes for an instance: its alias, and the class itself.
const ROOTS: [&str; 2] = ["instance", "com.netflix.appinfo.InstanceInfo"];

/// Decodes `<instance>…</instance>`, after an optional prolog. What follows it is ignored.
///
/// # Errors
/// A sentence, if it is no such document; in Eureka's answer all are the same.
pub(super) fn registration(text: &str) -> Result<Draft<'_>, String> {
    // Looked at by letters only if some byte may begin an illegal one: hardly any body does.
    // Not `any`: a loop without a way out is one the compiler makes wide.
    let doubtful = |byte: u8| (byte < b' ' && !b"\t\n\r".contains(&byte)) | (byte == 0xef);
    let doubt = text.bytes().fold(false, |seen, byte| seen | doubtful(byte));
    if doubt && !text.chars().all(is_legal) {
        return Err("a character that XML does not have".to_owned());
    }
    let mut xml = Cursor::new(text);
    match xml.child()? {
        Some(root) if ROOTS.contains(&root.name().as_ref()) => {}
        _ => return Err("the root is not <instance>".to_owned()),
    }
    let mut draft = Draft::default();
    while let Some(element) = xml.child()? {
        set(&mut draft, &element, &mut xml)?;
    }
    Ok(draft)
}

/// Reads the element just opened into the draft; unknown ones are skipped whole.
fn set<'a>(
    draft: &mut Draft<'a>,
    element: &BytesStart<'a>,
    xml: &mut Cursor<'a>,
) -> Result<(), String> {
    match Field::named(element.name().as_ref()) {
        Field::Text(field) => draft.set(field, xml.text()?),
        Field::Status => draft.status = scalar::status(&xml.text()?),
        Field::Overridden => draft.overridden = scalar::status(&xml.text()?),
        // Whatever is not its opposite leaves a port as it is by default.
        Field::Port => {
            draft.port.enabled = !is_enabled(element, "false")?;
            draft.port.number = number("port", &xml.text()?)?;
        }
        Field::SecurePort => {
            draft.secure_port.enabled = is_enabled(element, "true")?;
            draft.secure_port.number = number("port", &xml.text()?)?;
        }
        Field::CountryId => draft.country_id = number("countryId", &xml.text()?)?,
        Field::DataCenter => draft.data_center = Some(data_center(xml)?),
        Field::Lease => draft.lease = lease(xml)?,
        Field::Metadata => draft.metadata = metadata(xml)?,
        Field::LastDirty => draft.last_dirty_ms = scalar::timestamp(xml.text()?.trim())?,
        Field::Unknown => xml.skip()?,
    }
    Ok(())
}

/// Whether the attribute `enabled` is there and says `word`.
fn is_enabled(element: &BytesStart<'_>, word: &str) -> Result<bool, String> {
    let attribute = element.try_get_attribute("enabled");
    let attribute = attribute.map_err(|error| scalar::sentence(&error))?;
    Ok(attribute.is_some_and(|enabled| scalar::is_word(&enabled.value, word)))
}

/// A number that must be one: XStream, unlike Jackson, refuses garbage here.
fn number(name: &str, text: &str) -> Result<i32, String> {
    let garbage = || format!("{name} is no number: {}", scalar::excerpt(text));
    scalar::int32(name, text)?.ok_or_else(garbage)
}

fn lease(xml: &mut Cursor<'_>) -> Result<LeaseTerms, String> {
    let mut terms = LeaseTerms::default();
    while let Some(element) = xml.child()? {
        let name = element.name();
        if scalar::is_lease_term(name.as_ref()) {
            let seconds = scalar::nearest_int32(&xml.text()?);
            scalar::set_lease(&mut terms, name.as_ref(), seconds);
        } else {
            xml.skip()?;
        }
    }
    Ok(terms)
}

fn data_center(xml: &mut Cursor<'_>) -> Result<DraftDataCenter, String> {
    let mut center = DraftDataCenter::default();
    while let Some(element) = xml.child()? {
        match (element.name().as_ref(), center.kind) {
            ("name", _) => center.kind = Some(DataCenterKind::named(xml.text()?.trim())?),
            ("metadata", None | Some(DataCenterKind::Amazon)) => center.metadata = metadata(xml)?,
            _ => xml.skip()?,
        }
    }
    Ok(center)
}

fn metadata(xml: &mut Cursor<'_>) -> Result<Entries, String> {
    let mut entries = Entries::default();
    while let Some(element) = xml.child()? {
        let name = element.name();
        entries.put(xml_names::decode(name.as_ref())?, xml.text()?);
    }
    Ok(entries)
}

/// A place in the document, and how deep it is.
struct Cursor<'a> {
    reader: Reader<&'a [u8]>,
    depth: usize,
    /// The element just opened was `<such/>`: its end comes next. The reader could tell it as two
    /// events itself, but copies the name for it.
    empty: bool,
}

/// A part of the document that means something.
enum Part<'a> {
    Open(BytesStart<'a>),
    Close,
    /// As it stands there: whoever wants it makes its line ends right.
    Text(BytesText<'a>),
    /// A CDATA section or what a reference stands for.
    Said(Cow<'a, str>),
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            reader: Reader::from_str(text),
            depth: 0,
            empty: false,
        }
    }

    /// The next part of the document, counting depth.
    fn next(&mut self) -> Result<Part<'a>, String> {
        if std::mem::take(&mut self.empty) {
            self.depth -= 1;
            return Ok(Part::Close);
        }
        loop {
            let event = self.reader.read_event();
            let event = event.map_err(|error| scalar::sentence(&error))?;
            return Ok(match event {
                Event::Start(_) | Event::Empty(_) if self.depth == MAX_DEPTH => {
                    return Err("nested too deeply".to_owned());
                }
                Event::Start(element) => {
                    self.depth += 1;
                    Part::Open(element)
                }
                Event::Empty(element) => {
                    self.depth += 1;
                    self.empty = true;
                    Part::Open(element)
                }
                Event::End(_) => {
                    self.depth -= 1;
                    Part::Close
                }
                Event::Text(text) => Part::Text(text),
                Event::CData(text) => Part::Said(text.xml10_content()),
                Event::GeneralRef(reference) => Part::Said(resolve(&reference)?),
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) => continue,
                Event::DocType(_) => return Err("a document type".to_owned()),
                Event::Eof => return Err("the document ends early".to_owned()),
            });
        }
    }

    /// Opens the next child of the element the cursor is in, or leaves that element: `None`. Text
    /// between children is nobody's, as in XStream, but before the root there may be none.
    fn child(&mut self) -> Result<Option<BytesStart<'a>>, String> {
        loop {
            match self.next()? {
                Part::Open(element) => return Ok(Some(element)),
                Part::Close => return Ok(None),
                Part::Text(text) if self.depth == 0 && !text.trim().is_empty() => {
                    return Err("text before the root".to_owned());
                }
                Part::Text(_) | Part::Said(_) => {}
            }
        }
    }

    /// The text of the element just opened, up to and with its end; not trimmed. Elements in it are
    /// skipped, as in XStream.
    fn text(&mut self) -> Result<Cow<'a, str>, String> {
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
    fn skip(&mut self) -> Result<(), String> {
        let outside = self.depth - 1;
        while self.depth > outside {
            self.next()?;
        }
        Ok(())
    }
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

/// The characters of XML 1.0.
fn is_legal(letter: char) -> bool {
    !matches!(letter, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}
