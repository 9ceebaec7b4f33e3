//! The shape of what nodes say to each other above Raft, and of what is stored, against golden files.

use eureka_raft::codec::{self, Stored};
use eureka_raft::node::{Answer, Request};
use eureka_raft::registry::{Entry, SnapshotRecord};
use eureka_raft::store::Ancestry;
use eureka_raft::store::identity::Identity;

use crate::shapes::{Coder, Shapes};

fn coder<T: Stored>() -> Coder<T> {
    Coder {
        format: (T::FORMAT.kind, T::FORMAT.version),
        encode: codec::encode,
        decode: |bytes| codec::decode(bytes, codec::FRAME_MAX).ok(),
    }
}

#[test]
fn the_shapes_of_requests_are_frozen() {
    let mut shapes = Shapes::default();
    shapes.variants("request", &[], &coder::<Request>());
    shapes.check("app_request_1.txt");
}

#[test]
fn the_shapes_of_answers_are_frozen() {
    let mut shapes = Shapes::default();
    shapes.variants("answer", &[], &coder::<Answer>());
    shapes.check("app_answer_1.txt");
}

#[test]
fn the_shapes_of_stored_values_are_frozen() {
    let mut shapes = Shapes::default();
    // Behind the time of an entry and the count of its commands.
    shapes.variants("command", &[0, 0, 1], &coder::<Entry>());
    shapes.variants("snapshot record", &[], &coder::<SnapshotRecord>());
    shapes.one("identity", &coder::<Identity>());
    shapes.one("ancestry", &coder::<Ancestry>());
    shapes.check("stored.txt");
}
