//! One application, rendered.
//!
//! Owns its pieces. A large application is cut into runs of instances, and after a change only the runs in which
//! something changed are rendered again. It may not decide which instances are in it, nor their order.

use std::iter::Peekable;
use std::slice::Iter;
use std::sync::Arc;

use crate::registry::{AppName, Application, Record};
use crate::wire::{ApplicationParts, Form, Format, Place, instances_fragment};

use super::body::Pace;
use super::piece::Piece;

/// The most instances in one piece: about 200 KiB. An application of no more is one piece.
const RUN_MAX: usize = 256;

/// A run ends with an instance whose slot is a multiple of this: where it is cut depends on the instance and not on how
/// many are before it, so that an instance that comes or goes moves no other cut.
const RUN_SLOTS: u32 = 64;

/// The form of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct Shape {
    /// JSON or XML.
    pub(in crate::http) format: Format,
    /// Full or compact.
    pub(in crate::http) form: Form,
}

/// An application to be rendered: its instances, in the order they are shown.
pub(in crate::http) struct Source<'a> {
    pub(in crate::http) name: &'a AppName,
    pub(in crate::http) records: Vec<&'a Arc<Record>>,
}

impl<'a> Source<'a> {
    /// All of `application`.
    pub(in crate::http) fn whole(application: &'a Application) -> Self {
        Self {
            name: &application.name,
            records: application.instances.values().collect(),
        }
    }
}

/// One application, rendered.
pub(super) struct Fragment {
    pub(super) name: AppName,
    /// As of which change of it; 0 if it is a part of one.
    pub(super) version: u64,
    pub(super) pieces: Vec<Arc<Piece>>,
    /// Of a large application, in the order of its instances.
    runs: Vec<Run>,
}

/// Some instances that stand one after the other.
struct Run {
    records: Vec<Arc<Record>>,
    piece: Arc<Piece>,
}

impl Fragment {
    /// Renders `source`, with what is still right of `held`, an earlier rendering in the same shape.
    pub(super) async fn new(
        (shape, place): (Shape, Place),
        source: &Source<'_>,
        held: Option<&Self>,
        pace: &mut Pace,
    ) -> Self {
        let Shape { format, form } = shape;
        let parts = ApplicationParts::new(format, form, place, source.name);
        let mut fragment = Self {
            name: source.name.clone(),
            version: 0,
            pieces: Vec::new(),
            runs: Vec::new(),
        };
        let render = |records: &[&Arc<Record>]| {
            let records = records.iter().map(|record| -> &Record { record });
            instances_fragment(format, form, place, records)
        };
        if source.records.len() <= RUN_MAX {
            let whole = [parts.before, render(&source.records), parts.after].concat();
            pace.took(whole.len()).await;
            fragment.pieces.push(Piece::new(whole));
            return fragment;
        }
        let mut held = held.map_or(&[][..], |held| &held.runs).iter().peekable();
        for records in runs(&source.records) {
            let piece = if let Some(piece) = still_right(&mut held, records) {
                piece
            } else {
                let plain = render(records);
                pace.took(plain.len()).await;
                Piece::new(plain)
            };
            let records = records.iter().map(|record| Arc::clone(record)).collect();
            fragment.runs.push(Run { records, piece });
        }
        fragment.join(parts);
        fragment
    }

    /// Puts the runs and what stands around them in a row.
    fn join(&mut self, parts: ApplicationParts) {
        let between = Piece::new(parts.between.to_vec());
        self.pieces.push(Piece::new(parts.before));
        for (place, run) in self.runs.iter().enumerate() {
            if place > 0 && !between.plain.is_empty() {
                self.pieces.push(Arc::clone(&between));
            }
            self.pieces.push(Arc::clone(&run.piece));
        }
        self.pieces.push(Piece::new(parts.after));
    }
}

/// `records`, cut.
fn runs<'a, 'b>(records: &'b [&'a Arc<Record>]) -> impl Iterator<Item = &'b [&'a Arc<Record>]> {
    let mut rest = records;
    std::iter::from_fn(move || {
        let longest = rest.len().min(RUN_MAX);
        let is_last = |record: &&Arc<Record>| record.slot.is_multiple_of(RUN_SLOTS);
        let end = rest[..longest].iter().position(is_last);
        let (run, after) = rest.split_at(end.map_or(longest, |last| last + 1));
        rest = after;
        (!run.is_empty()).then_some(run)
    })
}

/// The piece of the held run that has exactly these records; both are in the order of ids.
fn still_right(held: &mut Peekable<Iter<'_, Run>>, records: &[&Arc<Record>]) -> Option<Arc<Piece>> {
    let first = &records.first()?.instance.id;
    while held
        .next_if(|run| run.records[0].instance.id < *first)
        .is_some()
    {}
    let is_same = |run: &&Run| {
        let mut pairs = run.records.iter().zip(records);
        run.records.len() == records.len() && pairs.all(|(one, other)| Arc::ptr_eq(one, other))
    };
    held.next_if(is_same).map(|run| Arc::clone(&run.piece))
}
