//! YAML files as flat properties.
//!
//! Owns documents, anchors, merge keys and the bounds on what a file may unfold to. It may not know a
//! key. Values are text as written: what they mean is for the key to say.

use std::collections::BTreeMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScanError, Span, StrInput};

use super::properties::{Document, Place, Property};

/// The most values of a file, aliases unfolded.
const VALUES_MAX: usize = 10_000;
/// The most text of a file's values, aliases unfolded, in bytes: a little more than a file may have.
const TEXT_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How deep maps and lists may nest.
const DEPTH_MAX: usize = 32;

/// A line and what is wrong there.
type Fault = (usize, String);

/// A value with the line it begins at.
#[derive(Debug)]
struct Node {
    line: usize,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Scalar(String),
    List(Vec<Rc<Node>>),
    Map(Vec<(String, Rc<Node>)>),
}

/// The documents of a file in order.
pub(super) fn documents(file: &str, text: &str) -> Result<Vec<Document>, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        anchors: BTreeMap::new(),
    };
    let mut documents = Vec::new();
    let mut spent = Spent::default();
    while let Some(root) = reader.document()? {
        let mut flat = Flat {
            file,
            spent: &mut spent,
            document: Vec::new(),
        };
        if !matches!(root.content, Content::Map(_)) && !is_empty(&root) {
            return Err((root.line, "not a map of properties".to_owned()));
        }
        flat.add("", &root, 0)?;
        documents.push(flat.document);
    }
    Ok(documents)
}

fn is_empty(node: &Node) -> bool {
    matches!(&node.content, Content::Scalar(text) if text.is_empty() || text == "~")
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    anchors: BTreeMap<usize, Rc<Node>>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Fault> {
        let fault = |error: ScanError| (error.marker().line(), error.info().to_owned());
        match self.events.next_event() {
            Some(event) => event.map_err(fault),
            None => Err((1, "the file ends in the middle".to_owned())),
        }
    }

    /// The next document's content.
    fn document(&mut self) -> Result<Option<Rc<Node>>, Fault> {
        loop {
            match self.next()?.0 {
                Event::StreamEnd => return Ok(None),
                Event::DocumentStart(_) => {
                    let (event, span) = self.next()?;
                    return self.node(event, span, 0).map(Some);
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Rc<Node>, Fault> {
        let line = span.start.line();
        if depth > DEPTH_MAX {
            return Err((line, format!("nested more than {DEPTH_MAX} deep")));
        }
        let (content, anchor) = match event {
            Event::Scalar(text, _, anchor, _) => (Content::Scalar(text.into_owned()), anchor),
            Event::SequenceStart(anchor, _) => (Content::List(self.list(depth)?), anchor),
            Event::MappingStart(anchor, _) => (Content::Map(self.map(depth)?), anchor),
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                return known.ok_or_else(|| (line, "an alias of itself".to_owned()));
            }
            _ => return Err((line, "a value is missing".to_owned())),
        };
        let node = Rc::new(Node { line, content });
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Rc<Node>>, Fault> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<(String, Rc<Node>)>, Fault> {
        let mut entries = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let key = self.node(event, span, depth + 1)?;
            let Content::Scalar(name) = &key.content else {
                return Err((key.line, "a key that is no text".to_owned()));
            };
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            entries.push((name.clone(), value));
        }
    }
}

/// What a file has unfolded to so far.
#[derive(Default)]
struct Spent {
    values: usize,
    bytes: usize,
}

impl Spent {
    /// Counts `node` once more, before it is copied.
    fn count(&mut self, node: &Node) -> Result<(), Fault> {
        self.values += 1;
        self.bytes += match &node.content {
            Content::Scalar(text) => text.len(),
            _ => 0,
        };
        match self.values > VALUES_MAX || self.bytes > TEXT_BYTES_MAX {
            true => Err((
                node.line,
                format!("more than {VALUES_MAX} values or 2 MiB of them"),
            )),
            false => Ok(()),
        }
    }
}

/// The properties of one document as they are unfolded.
struct Flat<'a> {
    file: &'a str,
    spent: &'a mut Spent,
    document: Document,
}

impl Flat<'_> {
    fn add(&mut self, path: &str, node: &Node, depth: usize) -> Result<(), Fault> {
        if depth > DEPTH_MAX {
            return Err((node.line, format!("nested more than {DEPTH_MAX} deep")));
        }
        self.spent.count(node)?;
        match &node.content {
            Content::Map(entries) => return self.add_map(path, entries, depth),
            Content::List(items) => return self.add_list(path, items, (node.line, depth)),
            Content::Scalar(_) if path.is_empty() => {}
            Content::Scalar(text) => self.put(path, text.clone(), node.line),
        }
        Ok(())
    }

    /// Spring binds a list of texts where it wants one: by commas.
    fn add_list(
        &mut self,
        path: &str,
        items: &[Rc<Node>],
        (line, depth): (usize, usize),
    ) -> Result<(), Fault> {
        let scalar = |item: &Rc<Node>| matches!(item.content, Content::Scalar(_));
        if !items.iter().all(scalar) {
            let mut items = items.iter().enumerate();
            return items
                .try_for_each(|(i, item)| self.add(&format!("{path}[{i}]"), item, depth + 1));
        }
        let mut texts = Vec::new();
        for item in items {
            self.spent.count(item)?;
            if let Content::Scalar(text) = &item.content {
                texts.push(text.as_str());
            }
        }
        self.put(path, texts.join(","), line);
        Ok(())
    }

    /// What a merge key brings in comes first, so that the map's own entries win.
    fn add_map(
        &mut self,
        path: &str,
        entries: &[(String, Rc<Node>)],
        depth: usize,
    ) -> Result<(), Fault> {
        let (merged, own): (Vec<_>, Vec<_>) = entries.iter().partition(|(key, _)| key == "<<");
        for (_, source) in merged {
            match &source.content {
                Content::List(sources) => sources
                    .iter()
                    .rev()
                    .try_for_each(|source| self.add(path, source, depth + 1))?,
                _ => self.add(path, source, depth + 1)?,
            }
        }
        own.into_iter().try_for_each(|(key, value)| {
            let path = match path {
                "" => key.clone(),
                path => format!("{path}.{key}"),
            };
            self.add(&path, value, depth + 1)
        })
    }

    fn put(&mut self, path: &str, value: String, line: usize) {
        self.document.push(Property {
            key: path.to_owned(),
            value,
            place: Place {
                file: self.file.to_owned(),
                line,
            },
        });
    }
}
