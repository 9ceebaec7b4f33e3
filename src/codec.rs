//! Bytes with a version marker: what is stored and what is sent between nodes.
//!
//! Owns the envelope (magic, versions, length, checksum), the append-only list of [`FORMATS`], and
//! bincode, of which it is the sole importer. It may not know any rule of the domain.
//!
//! Invariant: bytes are never guessed at. What is cut short, foreign, flipped, too long, newer than
//! this release or longer than its value is an error that says which.
//!
//! ```text
//! magic u8 | envelope version u8 | kind u8 | schema version u8 | codec u8 | flags u8 | len u32 | crc32 u32 | payload
//! ```
//! Integers are little-endian; the checksum covers the ten bytes before it and the payload. A later envelope
//! version keeps these fourteen bytes as they are: only so can a flipped version be told from a newer release.

use bincode::config::{Config, standard};
use bincode::error::DecodeError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The first byte of every envelope.
const MAGIC: u8 = 0xE5;
/// The layout of the envelope itself.
const ENVELOPE_VERSION: u8 = 1;
/// bincode 2.0.1 through serde, `config::standard()`: little-endian, variable-length integers.
const CODEC_BINCODE: u8 = 1;
/// No flag is defined yet; one is reserved for compression.
const NO_FLAGS: u8 = 0;
/// The bytes the checksum covers besides the payload.
const CHECKED_HEADER: usize = 10;

/// Bytes before the payload.
pub const ENVELOPE_BYTES: usize = 14;

/// The longest payload anything may have, 16 MiB. Limits given to [`decode`] are capped by it.
pub const PAYLOAD_MAX: usize = 16 << 20;
/// The longest payload of a log entry, 1 MiB.
pub const ENTRY_MAX: usize = 1 << 20;
/// The longest payload of one snapshot record, 4 MiB.
pub const SNAPSHOT_RECORD_MAX: usize = 4 << 20;
/// The longest payload of the identity: what fits one 4 KiB slot behind its 24-byte header.
pub const IDENTITY_MAX: usize = 4_096 - 24 - ENVELOPE_BYTES;
/// The longest payload of a handshake or another control message, 64 KiB.
pub const CONTROL_MAX: usize = 64 << 10;
/// The longest payload of a peer frame or an application call, 8 MiB.
pub const FRAME_MAX: usize = 8 << 20;

/// One kind of bytes in one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// What it is; never reused.
    pub kind: u8,
    /// Which frozen shape of it.
    pub version: u8,
    /// Its name, for messages.
    pub what: &'static str,
}

impl Format {
    const fn new(kind: u8, version: u8, what: &'static str) -> Self {
        Self {
            kind,
            version,
            what,
        }
    }

    /// `registry::Entry`, as proposed.
    pub const ENTRY: Self = Self::new(1, 1, "log entry");
    /// `registry::SnapshotRecord`.
    pub const SNAPSHOT_RECORD: Self = Self::new(2, 1, "snapshot record");
    /// `store::identity::Identity` before a directory could be marked to join: read, never written.
    pub const IDENTITY_1: Self = Self::new(3, 1, "identity");
    /// A record of Raft's log: the Raft adapter's own.
    pub const RAFT_LOG: Self = Self::new(4, 1, "raft log record");
    /// A frame between peers.
    pub const PEER_FRAME: Self = Self::new(5, 1, "peer frame");
    /// The first message of a peer connection.
    pub const PEER_HANDSHAKE: Self = Self::new(6, 1, "peer handshake");
    /// A call of one node's use cases by another.
    pub const APP_REQUEST: Self = Self::new(7, 1, "application request");
    /// Its answer.
    pub const APP_ANSWER: Self = Self::new(8, 1, "application answer");
    /// The first envelope of a snapshot file.
    pub const SNAPSHOT_HEADER: Self = Self::new(9, 1, "snapshot header");
    /// The last envelope of a snapshot file.
    pub const SNAPSHOT_FOOTER: Self = Self::new(10, 1, "snapshot footer");
    /// The Raft adapter's opaque note: a log id beside a purge, a membership beside a snapshot.
    pub const RAFT_NOTE: Self = Self::new(11, 1, "raft note");
    /// `store::identity::Identity`.
    pub const IDENTITY: Self = Self::new(3, 2, "identity");
    /// The note beside the log that says where it ends.
    pub const LOG_END: Self = Self::new(12, 1, "log end");
    /// What a node remembers of its peers' disks.
    pub const PEER_MEMORY: Self = Self::new(13, 1, "memory of the peers");
    /// `store::Ancestry`.
    pub const ANCESTRY: Self = Self::new(16, 1, "ancestry");
}

/// Every format ever written, oldest first. Append only: a line is never changed or removed, because
/// some disk holds bytes of it. `tests/formats` freezes the bytes of each.
pub const FORMATS: &[Format] = &[
    Format::ENTRY,
    Format::SNAPSHOT_RECORD,
    Format::IDENTITY_1,
    Format::RAFT_LOG,
    Format::PEER_FRAME,
    Format::PEER_HANDSHAKE,
    Format::APP_REQUEST,
    Format::APP_ANSWER,
    Format::SNAPSHOT_HEADER,
    Format::SNAPSHOT_FOOTER,
    Format::RAFT_NOTE,
    Format::IDENTITY,
    Format::LOG_END,
    Format::PEER_MEMORY,
    Format::ANCESTRY,
];

/// A type that is stored or sent, and the format it is written in.
///
/// Plain data only: bincode is positional, so no serde attribute may skip, flatten or default a
/// field, maps must be ordered, and enum variants are only appended.
pub trait Stored: Serialize + DeserializeOwned {
    /// The format [`encode`] writes and [`decode`] accepts.
    const FORMAT: Format;
}

impl Stored for crate::registry::Entry {
    const FORMAT: Format = Format::ENTRY;
}

impl Stored for crate::registry::SnapshotRecord {
    const FORMAT: Format = Format::SNAPSHOT_RECORD;
}

/// Why bytes are not the value asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Fewer bytes than the envelope says.
    #[error("cut short: {have} of {need} bytes")]
    Truncated {
        /// Bytes the envelope asks for.
        need: usize,
        /// Bytes there are.
        have: usize,
    },
    /// Not ours at all.
    #[error("not an eureka-raft envelope: it begins with {0:#04x}")]
    ForeignMagic(u8),
    /// The checksum does not match: a bit flipped or a part is missing.
    #[error("checksum mismatch: stored {stored:#010x}, computed {computed:#010x}")]
    Checksum {
        /// What the envelope says.
        stored: u32,
        /// What the bytes give.
        computed: u32,
    },
    /// Longer than the reader accepts. Found before anything is allocated.
    #[error("{len} bytes, over the limit of {limit}")]
    TooLong {
        /// The payload's length.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// A whole envelope, of a kind or version this release does not know.
    #[error("written by a newer release: {what} (kind {kind}, version {version})")]
    Newer {
        /// What was expected, or what the newer part is.
        what: &'static str,
        /// The kind found.
        kind: u8,
        /// The version found.
        version: u8,
    },
    /// A whole envelope of another known kind.
    #[error("expected a {expected}, found a {found}")]
    WrongKind {
        /// What was asked for.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// The checksum matches but the payload is no such value.
    #[error("malformed {what}: {reason}")]
    Malformed {
        /// What was asked for.
        what: &'static str,
        /// bincode's reason.
        reason: String,
    },
    /// Bytes remain behind the value or the envelope.
    #[error("{bytes} bytes left over behind a {what}")]
    LeftOver {
        /// What was asked for.
        what: &'static str,
        /// How many.
        bytes: usize,
    },
}

/// An envelope's fixed part, checked as far as it can be without the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvelopeHeader {
    /// The kind byte.
    pub kind: u8,
    /// The payload's length in bytes.
    pub len: usize,
}

/// Reads the fixed part of an envelope, so that a reader knows how many bytes to fetch.
///
/// # Errors
/// [`CodecError::Truncated`], [`CodecError::ForeignMagic`] or [`CodecError::TooLong`] over `limit` or
/// [`PAYLOAD_MAX`].
pub fn envelope_header(bytes: &[u8], limit: usize) -> Result<EnvelopeHeader, CodecError> {
    let Some(header) = bytes.first_chunk::<ENVELOPE_BYTES>() else {
        return Err(CodecError::Truncated {
            need: ENVELOPE_BYTES,
            have: bytes.len(),
        });
    };
    let [magic, _, kind, ..] = *header;
    if magic != MAGIC {
        return Err(CodecError::ForeignMagic(magic));
    }
    let len = le_u32(header, 6) as usize;
    let limit = limit.min(PAYLOAD_MAX);
    if len > limit {
        return Err(CodecError::TooLong { len, limit });
    }
    Ok(EnvelopeHeader { kind, len })
}

/// Checks one whole envelope, all of `bytes`, up to its checksum; answers its kind.
///
/// # Errors
/// As [`envelope_header`], and [`CodecError::Truncated`], [`CodecError::LeftOver`],
/// [`CodecError::Checksum`] or, the checksum being right, [`CodecError::Newer`] (envelope version).
pub fn check_envelope(bytes: &[u8], limit: usize) -> Result<u8, CodecError> {
    let header = envelope_header(bytes, limit)?;
    let need = ENVELOPE_BYTES + header.len;
    if bytes.len() < need {
        return Err(CodecError::Truncated {
            need,
            have: bytes.len(),
        });
    }
    if bytes.len() > need {
        return Err(CodecError::LeftOver {
            what: "envelope",
            bytes: bytes.len() - need,
        });
    }
    let stored = le_u32(bytes, CHECKED_HEADER);
    let computed = checksum(&bytes[..CHECKED_HEADER], &bytes[ENVELOPE_BYTES..]);
    if stored != computed {
        return Err(CodecError::Checksum { stored, computed });
    }
    if bytes[1] != ENVELOPE_VERSION {
        return Err(CodecError::Newer {
            what: "envelope",
            kind: bytes[2],
            version: bytes[3],
        });
    }
    Ok(header.kind)
}

/// Writes `value` as one envelope.
///
/// There is no limit here: who builds a value caps it (entries per batch, bytes per batch), and who
/// reads it back says what it accepts.
pub fn encode<T: Stored>(value: &T) -> Vec<u8> {
    let mut bytes = vec![0; ENVELOPE_BYTES];
    bincode::serde::encode_into_std_write(value, &mut bytes, standard())
        .expect("a stored type is plain data, and a vector takes every byte");
    let len = u32::try_from(bytes.len() - ENVELOPE_BYTES)
        .expect("a payload is bounded far below 4 GiB by the limits of what is put into it");
    bytes[0] = MAGIC;
    bytes[1] = ENVELOPE_VERSION;
    bytes[2] = T::FORMAT.kind;
    bytes[3] = T::FORMAT.version;
    bytes[4] = CODEC_BINCODE;
    bytes[5] = NO_FLAGS;
    bytes[6..10].copy_from_slice(&len.to_le_bytes());
    let crc = checksum(&bytes[..CHECKED_HEADER], &bytes[ENVELOPE_BYTES..]);
    bytes[10..14].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Reads one envelope, all of `bytes`, whose payload has at most `limit` bytes.
///
/// # Errors
/// Every [`CodecError`]; see there. The checksum is looked at before the versions, so a flipped bit
/// is never taken for a newer release.
pub fn decode<T: Stored>(bytes: &[u8], limit: usize) -> Result<T, CodecError> {
    check_envelope(bytes, limit)?;
    check_format(bytes, T::FORMAT)?;
    let payload = &bytes[ENVELOPE_BYTES..];
    let what = T::FORMAT.what;
    let (value, used) = decode_payload(payload).map_err(|error| CodecError::Malformed {
        what,
        reason: error.to_string(),
    })?;
    if used != payload.len() {
        return Err(CodecError::LeftOver {
            what,
            bytes: payload.len() - used,
        });
    }
    Ok(value)
}

/// As [`decode`], and also reads what an older release wrote as `Older`.
///
/// # Errors
/// As [`decode`].
pub fn decode_since<T, Older>(bytes: &[u8], limit: usize) -> Result<T, CodecError>
where
    T: Stored + From<Older>,
    Older: Stored,
{
    let older = Older::FORMAT;
    match decode(bytes, limit) {
        Err(CodecError::Newer { kind, version, .. })
            if (kind, version) == (older.kind, older.version) =>
        {
            decode::<Older>(bytes, limit).map(T::from)
        }
        other => other,
    }
}

fn check_format(bytes: &[u8], expected: Format) -> Result<(), CodecError> {
    let (kind, version, codec, flags) = (bytes[2], bytes[3], bytes[4], bytes[5]);
    let newer = |what| CodecError::Newer {
        what,
        kind,
        version,
    };
    if kind != expected.kind {
        let known = FORMATS.iter().find(|format| format.kind == kind);
        return Err(
            known.map_or(newer("an unknown kind"), |format| CodecError::WrongKind {
                expected: expected.what,
                found: format.what,
            }),
        );
    }
    if version != expected.version {
        return Err(newer(expected.what));
    }
    if codec != CODEC_BINCODE || flags != NO_FLAGS {
        return Err(newer("an unknown codec or flag"));
    }
    Ok(())
}

/// bincode charges integers by their full width, at most 16 bytes for one on the wire, so a budget of
/// sixteen times the payload refuses no honest value and bounds what a lying length can allocate.
fn decode_payload<T: DeserializeOwned>(payload: &[u8]) -> Result<(T, usize), DecodeError> {
    match payload.len() {
        0..=0xFFF => decode_within(payload, standard().with_limit::<{ 64 << 10 }>()),
        0x1000..=0xFFFF => decode_within(payload, standard().with_limit::<{ 1 << 20 }>()),
        0x1_0000..=0xF_FFFF => decode_within(payload, standard().with_limit::<{ 16 << 20 }>()),
        _ => decode_within(
            payload,
            standard().with_limit::<{ 16 * (PAYLOAD_MAX + 1) }>(),
        ),
    }
}

fn decode_within<T: DeserializeOwned, C: Config>(
    payload: &[u8],
    config: C,
) -> Result<(T, usize), DecodeError> {
    bincode::serde::decode_from_slice(payload, config)
}

fn checksum(header: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(payload);
    hasher.finalize()
}

/// The little-endian integer at `at`; callers have checked that it is inside.
fn le_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
