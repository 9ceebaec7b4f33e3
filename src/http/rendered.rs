//! Rendered lists.
//!
//! Owns the bodies of full lists and classic deltas, kept until the catalogue changes, and their
//! fragments per application, kept until that application changes. It may not decide what is in a
//! list. The invariant: a document and the hash code in it are of one view, and no answer is older
//! than the view it was asked for.
//!
//! Bodies are lists of pieces, shared with the fragments: the list of all instances is held once.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use arc_swap::ArcSwapOption;
use axum::body::Body;
use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};
use hyper::body::{Body as HttpBody, Frame as DataFrame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use tokio::sync::{Mutex, OnceCell};

use crate::registry::{AppName, Application, Record, View};
use crate::wire::{ApplicationsHeader, Form, Format, application_fragment, applications_document};

use super::delta::{self, Grouped};
use super::reply::{self, GZIP_LEVEL, Reply};

/// How much is rendered or compressed before other requests get their turn, in bytes.
const STRIDE_BYTES: usize = 128 * 1024;

/// Every list that is kept: four forms of the full list and four of the delta.
#[derive(Default)]
pub(super) struct Documents {
    full: [Slot; 4],
    delta: [Slot; 4],
}

/// The newest document of one form.
#[derive(Default)]
struct Slot {
    held: ArcSwapOption<Document>,
    /// Held while the next document is made, so that many readers of a new index make it once.
    /// Locked across `.await`, for as long as one document takes (about 60 ms at 10,000 instances).
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
pub(super) struct Document {
    /// What it was made from.
    pub(super) key: Key,
    /// The log index of the view it was made from.
    pub(super) index: u64,
    fragments: Vec<Fragment>,
    pieces: Vec<Arc<Piece>>,
    /// The bytes of `pieces` in a row, so that an answer shares the list, however long it is.
    plain: Arc<[Bytes]>,
    packed: OnceCell<Arc<[Bytes]>>,
}

/// One application of a list.
struct Fragment {
    name: AppName,
    version: u64,
    piece: Arc<Piece>,
}

/// A part of a body, and the same deflated once somebody asked for it.
struct Piece {
    plain: Bytes,
    deflated: OnceLock<Bytes>,
}

impl Documents {
    /// All applications of `view`, or of a newer one.
    pub(super) async fn full(&self, view: &View, format: Format, form: Form) -> Arc<Document> {
        let slot = &self.full[place(format, form)];
        let fresh = |held: &Arc<Document>| held.key.catalogue >= view.catalogue_index();
        if let Some(held) = slot.held.load_full().filter(fresh) {
            return held;
        }
        let _making = slot.making.lock().await;
        let held = slot.held.load_full();
        if let Some(held) = held.clone().filter(fresh) {
            return held;
        }
        let made = Arc::new(make_full(held.as_deref(), view, format, form).await);
        slot.held.store(Some(Arc::clone(&made)));
        made
    }

    /// The classic delta of `view`.
    pub(super) async fn delta(&self, view: &View, format: Format, form: Form) -> Arc<Document> {
        let slot = &self.delta[place(format, form)];
        let key = delta::key(view);
        let fresh = |held: &Arc<Document>| held.key == key;
        if let Some(held) = slot.held.load_full().filter(fresh) {
            return held;
        }
        let _making = slot.making.lock().await;
        if let Some(held) = slot.held.load_full().filter(fresh) {
            return held;
        }
        let made = Arc::new(make_delta(view, format, form).await);
        slot.held.store(Some(Arc::clone(&made)));
        made
    }
}

const fn place(format: Format, form: Form) -> usize {
    match (format, form) {
        (Format::Json, Form::Full) => 0,
        (Format::Json, Form::Compact) => 1,
        (Format::Xml, Form::Full) => 2,
        (Format::Xml, Form::Compact) => 3,
    }
}

impl Document {
    /// The document as an answer, compressed if `gzip`.
    pub(super) async fn reply(&self, format: Format, gzip: bool) -> Reply {
        let pieces = if gzip {
            Arc::clone(self.packed.get_or_init(|| self.pack()).await)
        } else {
            Arc::clone(&self.plain)
        };
        let mut reply = Reply::new(Body::new(Pieces::new(pieces)));
        let media_type = HeaderValue::from_static(format.media_type());
        reply.headers_mut().insert(CONTENT_TYPE, media_type);
        reply::mark_encoding(&mut reply, gzip.then_some("gzip"));
        reply
    }

    /// A gzip member made of independently deflated pieces: after a change only the changed
    /// applications are compressed again.
    async fn pack(&self) -> Arc<[Bytes]> {
        let mut packed = Vec::with_capacity(self.pieces.len() + 2);
        let mut crc = crc32fast::Hasher::new();
        let mut length: usize = 0;
        let mut deflater = Compress::new(Compression::new(GZIP_LEVEL), false);
        let mut pace = Pace::default();
        packed.push(Bytes::from_static(GZIP_HEADER));
        for piece in &self.pieces {
            crc.update(&piece.plain);
            length += piece.plain.len();
            if piece.deflated.get().is_none() {
                pace.took(piece.plain.len()).await;
            }
            let deflated = piece
                .deflated
                .get_or_init(|| deflate(&mut deflater, &piece.plain));
            packed.push(deflated.clone());
        }
        packed.push(gzip_trailer(crc.finalize(), length));
        packed.into()
    }
}

/// Magic, deflate, no flags, no time, no extra flags, unknown system (RFC 1952).
const GZIP_HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// An empty last block, then checksum and length.
fn gzip_trailer(crc: u32, length: usize) -> Bytes {
    let mut trailer = vec![0x03, 0x00];
    trailer.extend_from_slice(&crc.to_le_bytes());
    // RFC 1952: the length modulo 2^32.
    let length = u32::try_from(length as u64 & u64::from(u32::MAX)).unwrap_or(0);
    trailer.extend_from_slice(&length.to_le_bytes());
    trailer.into()
}

/// Deflates `plain` into whole blocks that refer to nothing before them, ending at a byte.
fn deflate(deflater: &mut Compress, plain: &[u8]) -> Bytes {
    deflater.reset();
    let mut out = Vec::with_capacity(plain.len() / 4 + 64);
    loop {
        let taken = usize::try_from(deflater.total_in()).unwrap_or(usize::MAX);
        let rest = plain.get(taken..).unwrap_or_default();
        // The only error is a stream that was finished, and this one never is; without progress the
        // loop ends too.
        let _ = deflater.compress_vec(rest, &mut out, FlushCompress::Full);
        let all_taken = deflater.total_in() == plain.len() as u64;
        if all_taken && out.len() < out.capacity() {
            out.shrink_to_fit();
            return out.into();
        }
        out.reserve(plain.len() / 4 + 64);
    }
}

impl Piece {
    fn new(plain: Vec<u8>) -> Arc<Self> {
        Arc::new(Self {
            plain: Bytes::from(plain.into_boxed_slice()),
            deflated: OnceLock::new(),
        })
    }
}

async fn make_full(held: Option<&Document>, view: &View, format: Format, form: Form) -> Document {
    let mut held = held
        .map_or(&[][..], |document| &document.fragments)
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
        let unchanged = held.next_if(|fragment| {
            fragment.name == application.name && fragment.version == application.version
        });
        let piece = if let Some(fragment) = unchanged {
            Arc::clone(&fragment.piece)
        } else {
            let records = application.instances.values().map(|record| &**record);
            let plain = application_fragment(format, form, &application.name, records);
            pace.took(plain.len()).await;
            Piece::new(plain)
        };
        fragments.push(Fragment {
            name: application.name.clone(),
            version: application.version,
            piece,
        });
    }
    let header = ApplicationsHeader {
        version: "1",
        hash_code: &view.hash_code(),
    };
    let key = Key {
        catalogue: view.catalogue_index(),
        oldest: 0,
    };
    assembled(
        key,
        view.index(),
        fragments,
        &Frame::of(format, form, &header),
    )
}

async fn make_delta(view: &View, format: Format, form: Form) -> Document {
    let grouped = Grouped::of(view.recent_changes());
    let mut fragments = Vec::new();
    let mut pace = Pace::default();
    for (name, records) in grouped.applications() {
        let records = records.iter().map(|record| -> &Record { record });
        let plain = application_fragment(format, form, name, records);
        pace.took(plain.len()).await;
        fragments.push(Fragment {
            name: name.clone(),
            version: 0,
            piece: Piece::new(plain),
        });
    }
    let header = ApplicationsHeader {
        version: &delta::version(view).to_string(),
        hash_code: &view.hash_code(),
    };
    let frame = Frame::of(format, form, &header);
    assembled(delta::key(view), view.index(), fragments, &frame)
}

fn assembled(key: Key, index: u64, fragments: Vec<Fragment>, frame: &Frame) -> Document {
    let mut pieces = Vec::with_capacity(2 * fragments.len() + 1);
    if fragments.is_empty() {
        pieces.push(Arc::clone(&frame.empty));
    } else {
        pieces.push(Arc::clone(&frame.before));
        for (place, fragment) in fragments.iter().enumerate() {
            if place > 0 && !frame.between.plain.is_empty() {
                pieces.push(Arc::clone(&frame.between));
            }
            pieces.push(Arc::clone(&fragment.piece));
        }
        pieces.push(Arc::clone(&frame.after));
    }
    Document {
        key,
        index,
        fragments,
        plain: pieces.iter().map(|piece| piece.plain.clone()).collect(),
        pieces,
        packed: OnceCell::new(),
    }
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
    fn of(format: Format, form: Form, header: &ApplicationsHeader<'_>) -> Self {
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

/// Lets others run now and then while a long document is made.
#[derive(Default)]
struct Pace {
    bytes: usize,
}

impl Pace {
    async fn took(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes > STRIDE_BYTES {
            self.bytes = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// A body of known length that copies nothing.
struct Pieces {
    list: Arc<[Bytes]>,
    next: usize,
    left: u64,
}

impl Pieces {
    fn new(list: Arc<[Bytes]>) -> Self {
        let left = list.iter().map(|piece| piece.len() as u64).sum();
        Self {
            list,
            next: 0,
            left,
        }
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<DataFrame<Bytes>, Self::Error>>> {
        let Some(piece) = self.list.get(self.next).cloned() else {
            return Poll::Ready(None);
        };
        self.next += 1;
        self.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(DataFrame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.next == self.list.len()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
