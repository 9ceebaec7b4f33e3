//! What is not exactly a stored value is refused, by name, and allocates nothing to speak of.

use eureka_raft::codec::{
    self, CodecError, ENTRY_MAX, ENVELOPE_BYTES, Format, PAYLOAD_MAX, Stored,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    number: u64,
    text: String,
    list: Vec<u32>,
}

impl Stored for Sample {
    const FORMAT: Format = Format::PEER_FRAME;
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Shorter(u64);

impl Stored for Shorter {
    const FORMAT: Format = Format::PEER_FRAME;
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Other(u64);

impl Stored for Other {
    const FORMAT: Format = Format::PEER_HANDSHAKE;
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Future(u64);

impl Stored for Future {
    const FORMAT: Format = Format {
        kind: Format::PEER_FRAME.kind,
        version: 2,
        what: "a peer frame of the next release",
    };
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unheard(u64);

impl Stored for Unheard {
    const FORMAT: Format = Format {
        kind: 200,
        version: 1,
        what: "a kind of the next release",
    };
}

fn sample() -> Sample {
    Sample {
        number: 300,
        text: "text".to_owned(),
        list: vec![1, 2, 70_000],
    }
}

fn decode(bytes: &[u8]) -> Result<Sample, CodecError> {
    codec::decode(bytes, ENTRY_MAX)
}

/// An envelope of a peer frame around any payload.
fn enveloped(payload: &[u8]) -> Vec<u8> {
    let mut bytes = codec::encode(&Shorter(0));
    bytes.truncate(6);
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes);
    hasher.update(payload);
    bytes.extend_from_slice(&hasher.finalize().to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

#[test]
fn a_value_comes_back() {
    assert_eq!(decode(&codec::encode(&sample())), Ok(sample()));
}

#[test]
fn bytes_cut_short_at_any_place_are_truncated() {
    let bytes = codec::encode(&sample());
    for len in 0..bytes.len() {
        let error = decode(&bytes[..len]).unwrap_err();
        assert!(
            matches!(error, CodecError::Truncated { have, .. } if have == len),
            "{len}: {error}"
        );
    }
}

#[test]
fn any_flipped_bit_is_an_error() {
    let bytes = codec::encode(&sample());
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        decode(&flipped).unwrap_err();
    }
}

#[test]
fn foreign_bytes_are_named_as_such() {
    let error = decode(b"GET / HTTP/1.1\r\n\r\n").unwrap_err();
    assert_eq!(error, CodecError::ForeignMagic(b'G'));
}

#[test]
fn another_kind_is_named() {
    let error = decode(&codec::encode(&Other(1))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected a peer frame, found a peer handshake"
    );
}

#[test]
fn a_newer_version_or_kind_is_said_to_be_newer() {
    for bytes in [codec::encode(&Future(1)), codec::encode(&Unheard(1))] {
        let error = decode(&bytes).unwrap_err();
        assert!(matches!(error, CodecError::Newer { .. }), "{error}");
        assert!(
            error.to_string().starts_with("written by a newer release"),
            "{error}"
        );
    }
}

#[test]
fn bytes_behind_the_value_or_the_envelope_are_left_over() {
    let longer = codec::encode(&sample());
    let error = codec::decode::<Shorter>(&longer, ENTRY_MAX).unwrap_err();
    assert!(matches!(error, CodecError::LeftOver { .. }), "{error}");
    let error = decode(&[longer, vec![0]].concat()).unwrap_err();
    assert_eq!(
        error,
        CodecError::LeftOver {
            what: "envelope",
            bytes: 1
        }
    );
}

#[test]
fn a_payload_over_the_limit_is_too_long_and_one_at_it_is_not() {
    let bytes = codec::encode(&sample());
    let len = bytes.len() - ENVELOPE_BYTES;
    codec::decode::<Sample>(&bytes, len).unwrap();
    let error = codec::decode::<Sample>(&bytes, len - 1).unwrap_err();
    assert_eq!(
        error,
        CodecError::TooLong {
            len,
            limit: len - 1
        }
    );
}

#[test]
fn no_limit_is_above_the_hard_one() {
    let mut header = codec::encode(&Shorter(0));
    header[6..10].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = codec::envelope_header(&header, usize::MAX).unwrap_err();
    let expected = CodecError::TooLong {
        len: u32::MAX as usize,
        limit: PAYLOAD_MAX,
    };
    assert_eq!(error, expected);
}

#[test]
fn a_lying_length_inside_the_payload_is_malformed() {
    // number 0, then a text, or a list behind an empty text, of 2^44 or 2^62 elements.
    for length in [1_u64 << 44, 1 << 62] {
        for before in [&[0][..], &[0, 0][..]] {
            let payload = [before, &[253], &length.to_le_bytes()].concat();
            let error = decode(&enveloped(&payload)).unwrap_err();
            assert!(matches!(error, CodecError::Malformed { .. }), "{error}");
        }
    }
}

#[test]
fn the_largest_payloads_come_back() {
    for len in [
        0xFFF,
        0x1000,
        0xFFFF,
        0x1_0000,
        0xF_FFFF,
        0x10_0000,
        PAYLOAD_MAX - 100,
    ] {
        let value = Sample {
            number: u64::MAX,
            text: "x".repeat(len / 2),
            list: vec![1; len / 2],
        };
        assert_eq!(
            codec::decode(&codec::encode(&value), PAYLOAD_MAX),
            Ok(value)
        );
    }
}
