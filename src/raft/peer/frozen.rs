//! The shape of everything peers say to each other, against golden files.

#[allow(dead_code, unreachable_pub, reason = "shared with tests/formats")]
#[path = "../../../tests/formats/shapes.rs"]
mod shapes;

use crate::codec::{self, Stored};

use super::handshake::{Admission, Hello, Reply};
use super::message::{ControlFrame, LogFrame, SnapshotFrame};
use shapes::{Coder, Shapes};

fn coder<T: Stored>() -> Coder<T> {
    Coder {
        format: (T::FORMAT.kind, T::FORMAT.version),
        encode: codec::encode,
        decode: |bytes| codec::decode(bytes, codec::FRAME_MAX).ok(),
    }
}

#[test]
fn the_shapes_of_peer_frames_are_frozen() {
    let mut shapes = Shapes::default();
    // Behind the variant `Ask` and the id 0; behind `Answer`, the id 0 and `Ok`, or `Err`.
    shapes.variants("question", &[0, 0], &coder::<ControlFrame>());
    shapes.variants("answer", &[1, 0, 0], &coder::<ControlFrame>());
    shapes.variants("refusal", &[1, 0, 1], &coder::<ControlFrame>());
    shapes.variants("log frame", &[], &coder::<LogFrame>());
    shapes.variants("snapshot frame", &[], &coder::<SnapshotFrame>());
    shapes.check("peer_frame_1.txt");
}

#[test]
fn the_shapes_of_handshakes_are_frozen() {
    let mut shapes = Shapes::default();
    shapes.one("hello", &coder::<Hello>());
    shapes.one(
        "welcome",
        &Coder {
            decode: |bytes| match codec::decode(bytes, codec::CONTROL_MAX) {
                Ok(reply @ Reply::Welcome(_)) => Some(reply),
                _ => None,
            },
            ..coder::<Reply>()
        },
    );
    shapes.variants("refusal", &[1], &coder::<Reply>());
    shapes.one("admission", &coder::<Admission>());
    shapes.check("peer_handshake_1.txt");
}
