//! XML as the strictest of the clients' parsers reads it.
//!
//! Owns a small tree of elements and the refusals of expat: characters outside XML 1.0, names with a prefix
//! nobody bound, references nobody declared. It may not know a document of Eureka.

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

/// An element with what is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    /// Its own text, without that between child elements.
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// The only child of that name.
    pub(super) fn child(&self, name: &str) -> &Self {
        let mut named = self.children.iter().filter(|child| child.name == name);
        let found = named
            .next()
            .unwrap_or_else(|| panic!("no {name} in {self:#?}"));
        assert!(named.next().is_none(), "a second {name} in {self:#?}");
        found
    }

    /// The value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The instance with that id, wherever it stands below.
    pub(super) fn instance(&self, id: &str) -> &Self {
        self.find(id)
            .unwrap_or_else(|| panic!("no {id} in {self:#?}"))
    }

    fn find(&self, id: &str) -> Option<&Self> {
        let is_it = self.name == "instance" && self.child("instanceId").text == id;
        if is_it {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(id))
    }
}

/// The root of `document`; panics if any client's parser would refuse it.
pub(super) fn parse(document: &str) -> Element {
    assert!(
        document.chars().all(is_xml),
        "illegal character: {document:?}"
    );
    let mut reader = Reader::from_str(document);
    reader.config_mut().enable_all_checks(true);
    let mut open = vec![Element::default()];
    loop {
        let event = reader.read_event();
        match event.unwrap_or_else(|error| panic!("{error} in {document}")) {
            Event::Start(start) => open.push(element(&start)),
            Event::Empty(start) => {
                let empty = element(&start);
                top(&mut open).children.push(empty);
            }
            Event::End(_) => {
                let mut closed = open.pop().expect("the reader pairs tags");
                if !closed.children.is_empty() {
                    assert_eq!(closed.text.trim(), "", "text between elements");
                    closed.text.clear();
                }
                top(&mut open).children.push(closed);
            }
            Event::Text(text) => top(&mut open).text.push_str(&text),
            Event::GeneralRef(name) => top(&mut open).text.push(referenced(&name)),
            Event::Eof => break,
            other => panic!("{other:?} in {document}"),
        }
    }
    assert_eq!((open.len(), open[0].children.len()), (1, 1), "{document}");
    open.remove(0).children.remove(0)
}

fn top(open: &mut [Element]) -> &mut Element {
    open.last_mut()
        .expect("the document itself is never closed")
}

fn element(start: &BytesStart<'_>) -> Element {
    let attributes = start.attributes().map(|attribute| {
        let attribute = attribute.expect("a well-formed attribute");
        (
            attribute.key.as_ref().to_owned(),
            attribute.value.to_string(),
        )
    });
    let attributes: Vec<_> = attributes.collect();
    Element {
        name: plain_name(start.name().as_ref()),
        attributes,
        ..Element::default()
    }
}

/// A name both editions of XML 1.0 allow, without a namespace prefix.
fn plain_name(name: &str) -> String {
    let first = name.chars().next().expect("a name is not empty");
    assert!(first == '_' || first.is_alphabetic(), "the name {name:?}");
    let inner = |letter: char| "_-.".contains(letter) || letter.is_alphanumeric();
    assert!(name.chars().all(inner), "the name {name:?}");
    name.to_owned()
}

/// The references Eureka writes; every other one needs a declaration.
fn referenced(name: &str) -> char {
    match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "#xd" => '\r',
        other => panic!("the reference &{other};"),
    }
}

fn is_xml(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}
