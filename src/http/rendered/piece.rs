//! Pieces of bodies.
//!
//! Owns how a part of a body is deflated so that it fits between any others of one gzip member. It may not know what
//! the part says.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};

use crate::http::reply::GZIP_LEVEL;

/// A part of a body, and the same deflated once somebody asked for it.
pub(super) struct Piece {
    pub(super) plain: Bytes,
    deflated: OnceLock<Bytes>,
}

impl Piece {
    pub(super) fn new(plain: Vec<u8>) -> Arc<Self> {
        Arc::new(Self {
            plain: Bytes::from(plain.into_boxed_slice()),
            deflated: OnceLock::new(),
        })
    }
}

/// Makes one gzip member of independently deflated pieces: after a change only the changed ones are compressed again.
pub(super) struct Packer {
    packed: Vec<Bytes>,
    crc: crc32fast::Hasher,
    length: usize,
    deflater: Compress,
}

impl Packer {
    /// For `pieces` pieces.
    pub(super) fn new(pieces: usize) -> Self {
        let mut packed = Vec::with_capacity(pieces + 2);
        packed.push(Bytes::from_static(GZIP_HEADER));
        Self {
            packed,
            crc: crc32fast::Hasher::new(),
            length: 0,
            deflater: Compress::new(Compression::new(GZIP_LEVEL), false),
        }
    }

    /// Adds the next piece. Says how many bytes it had to compress.
    pub(super) fn add(&mut self, piece: &Piece) -> usize {
        self.crc.update(&piece.plain);
        self.length += piece.plain.len();
        let mut compressed = 0;
        let deflated = piece.deflated.get_or_init(|| {
            compressed = piece.plain.len();
            deflate(&mut self.deflater, &piece.plain)
        });
        self.packed.push(deflated.clone());
        compressed
    }

    /// The whole member, as a list of its parts.
    pub(super) fn finish(mut self) -> Arc<[Bytes]> {
        self.packed
            .push(gzip_trailer(self.crc.finalize(), self.length));
        self.packed.into()
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
