//! Rendered lists.
//!
//! Owns the bodies of full lists and classic deltas, kept until the catalogue changes, and their
//! fragments per application, kept until that application changes. It may not decide what is in a
//! list. The invariant: a document and the hash code in it are of one view, and no answer is older
//! than the view it was asked for.
//!
//! Bodies are lists of pieces, shared with the fragments: the list of all instances is held once.

mod body;
mod fragment;
mod piece;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;

use crate::registry::{Application, View};
use crate::wire::{ApplicationsHeader, Form, Format, Place, applications_document};

use super::delta::{self, Grouped};

pub(super) use body::Body;
use body::Pace;
use fragment::Fragment;
pub(super) use fragment::{Shape, Source};
use piece::Piece;

/// Every list that is kept: four forms of the full list and four of the delta.
#[derive(Default)]
pub(super) struct Documents {
    full: [Slot; 4],
    delta: [Slot; 4],
}

/// The newest list of one form.
#[derive(Default)]
struct Slot {
    held: ArcSwapOption<List>,
    /// Held while the next list is made, so that many readers of a new index make it once.
    /// Locked across `.await`, for as long as one list takes (about 60 ms at 10,000 instances).
    making: Mutex<()>,
}

/// What a list's content depends on: the last catalogue change, and for a delta the oldest change
/// still in the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) catalogue: u64,
    pub(super) oldest: u64,
}

/// One list, rendered.
pub(super) struct List {
    /// What it was made from.
    pub(super) key: Key,
    /// The log index of the view it was made from.
    pub(super) index: u64,
    /// What is sent.
    pub(super) body: Body,
    fragments: Vec<Arc<Fragment>>,
}

impl Documents {
    /// All applications of `view`, or of a newer one.
    pub(super) async fn full(&self, view: &View, shape: Shape) -> Arc<List> {
        let slot = &self.full[place(shape)];
        let fresh = |held: &Arc<List>| held.key.catalogue >= view.catalogue_index();
        if let Some(held) = slot.held.load_full().filter(fresh) {
            return held;
        }
        let _making = slot.making.lock().await;
        let held = slot.held.load_full();
        if let Some(held) = held.clone().filter(fresh) {
            return held;
        }
        let made = Arc::new(make_full(held.as_deref(), view, shape).await);
        slot.held.store(Some(Arc::clone(&made)));
        made
    }

    /// The classic delta of `view`.
    pub(super) async fn delta(&self, view: &View, shape: Shape) -> Arc<List> {
        let slot = &self.delta[place(shape)];
        let key = delta::key(view);
        let fresh = |held: &Arc<List>| held.key == key;
        if let Some(held) = slot.held.load_full().filter(fresh) {
            return held;
        }
        let _making = slot.making.lock().await;
        if let Some(held) = slot.held.load_full().filter(fresh) {
            return held;
        }
        let made = Arc::new(make_delta(view, shape).await);
        slot.held.store(Some(Arc::clone(&made)));
        made
    }
}

const fn place(shape: Shape) -> usize {
    match (shape.format, shape.form) {
        (Format::Json, Form::Full) => 0,
        (Format::Json, Form::Compact) => 1,
        (Format::Xml, Form::Full) => 2,
        (Format::Xml, Form::Compact) => 3,
    }
}

/// A list that is not kept.
pub(super) async fn list(
    shape: Shape,
    header: &ApplicationsHeader<'_>,
    sources: impl Iterator<Item = Source<'_>>,
) -> Body {
    joined(&Frame::of(shape, header), &fragments(shape, sources).await)
}

/// An application alone, not kept.
pub(super) async fn application(shape: Shape, application: &Application) -> Body {
    let source = Source::whole(application);
    let how = (shape, Place::Alone);
    let fragment = Fragment::new(how, &source, None, &mut Pace::default()).await;
    Body::new(fragment.pieces)
}

async fn fragments(shape: Shape, sources: impl Iterator<Item = Source<'_>>) -> Vec<Arc<Fragment>> {
    let mut fragments = Vec::new();
    let mut pace = Pace::default();
    for source in sources {
        let how = (shape, Place::Listed);
        fragments.push(Arc::new(Fragment::new(how, &source, None, &mut pace).await));
    }
    fragments
}

async fn make_full(held: Option<&List>, view: &View, shape: Shape) -> List {
    let mut held = held
        .map_or(&[][..], |list| &list.fragments)
        .iter()
        .peekable();
    let applications: Vec<&Arc<Application>> = view.applications().collect();
    let mut fragments = Vec::with_capacity(applications.len());
    let mut pace = Pace::default();
    for application in applications {
        // Both are in the order of names.
        while held
            .next_if(|fragment| fragment.name < application.name)
            .is_some()
        {}
        let earlier = held.next_if(|fragment| fragment.name == application.name);
        fragments.push(match earlier {
            Some(same) if same.version == application.version => Arc::clone(same),
            earlier => {
                let source = Source::whole(application);
                let how = (shape, Place::Listed);
                let earlier = earlier.map(|fragment| &**fragment);
                let mut fragment = Fragment::new(how, &source, earlier, &mut pace).await;
                fragment.version = application.version;
                Arc::new(fragment)
            }
        });
    }
    let header = ApplicationsHeader {
        version: "1",
        hash_code: &view.hash_code(),
    };
    List {
        key: Key {
            catalogue: view.catalogue_index(),
            oldest: 0,
        },
        index: view.index(),
        body: joined(&Frame::of(shape, &header), &fragments),
        fragments,
    }
}

async fn make_delta(view: &View, shape: Shape) -> List {
    let grouped = Grouped::of(view.recent_changes());
    let header = ApplicationsHeader {
        version: &delta::version(view).to_string(),
        hash_code: &view.hash_code(),
    };
    let fragments = fragments(shape, grouped.sources()).await;
    List {
        key: delta::key(view),
        index: view.index(),
        body: joined(&Frame::of(shape, &header), &fragments),
        fragments: Vec::new(),
    }
}

fn joined(frame: &Frame, fragments: &[Arc<Fragment>]) -> Body {
    if fragments.is_empty() {
        return Body::new(vec![Arc::clone(&frame.empty)]);
    }
    let mut pieces = vec![Arc::clone(&frame.before)];
    for (place, fragment) in fragments.iter().enumerate() {
        if place > 0 && !frame.between.plain.is_empty() {
            pieces.push(Arc::clone(&frame.between));
        }
        pieces.extend(fragment.pieces.iter().map(Arc::clone));
    }
    pieces.push(Arc::clone(&frame.after));
    Body::new(pieces)
}

/// What stands around the applications of a list.
struct Frame {
    before: Arc<Piece>,
    between: Arc<Piece>,
    after: Arc<Piece>,
    empty: Arc<Piece>,
}

impl Frame {
    /// Lets `wire` write a list of two marks and takes what is around them.
    fn of(shape: Shape, header: &ApplicationsHeader<'_>) -> Self {
        let Shape { format, form } = shape;
        // No document contains NUL: JSON escapes it and XML cannot say it.
        const MARK: &str = "\0\0mark\0\0";
        let framed = applications_document(format, form, header, [MARK, MARK].into_iter());
        let framed = String::from_utf8(framed).expect("documents are UTF-8");
        let mut around = framed.split(MARK).map(str::as_bytes);
        let mut next = || Piece::new(around.next().unwrap_or_default().to_vec());
        let (before, between, after) = (next(), next(), next());
        let nothing = std::iter::empty::<&[u8]>();
        Self {
            before,
            between,
            after,
            empty: Piece::new(applications_document(format, form, header, nothing)),
        }
    }
}
