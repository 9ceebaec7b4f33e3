//! The judge of a legacy peer's batches.
//!
//! Owns what must hold of any bytes in place of one: an answer within bounded memory; refused, a sentence of
//! bounded length; accepted, one item for each of the list, names that a path could have, and a document
//! with as many answers.

use super::allocations;
use super::registry::Command;
use super::wire::{
    Format, ItemAnswer, MAX_NAME_BYTES, REPLICATION_ITEMS_MAX, ReplicatedItem, decode_replication,
    replication_document,
};

/// The longest instance in a batch, as `limits.max_body` would have it.
const INSTANCE_BYTES_MAX: usize = 8 * 1024;

/// What a batch may take beyond twice its length, in bytes: as many items as there may be, read and
/// decoded, with the room that a growing list has to spare.
const OVERHEAD_BYTES: usize = REPLICATION_ITEMS_MAX * 1024 + super::OVERHEAD_BYTES;

/// The longest log line about a refused batch, in bytes.
const REFUSAL_BYTES_MAX: usize = 512;

/// Judges `body` as a batch; true if it is accepted.
pub fn judge(body: &[u8]) -> bool {
    let (decoded, peak) = allocations::peak_of(|| decode_replication(body, INSTANCE_BYTES_MAX));
    let limit = 2 * body.len() + OVERHEAD_BYTES;
    assert!(
        peak <= limit,
        "{peak} bytes held for {}: the limit is {limit}",
        body.len()
    );
    match decoded {
        Ok(items) => accepted(body, &items),
        Err(refusal) => {
            let text = refusal.to_string();
            assert!(
                text.len() <= REFUSAL_BYTES_MAX,
                "an endless refusal: {text:.200}"
            );
            return false;
        }
    }
    true
}

fn accepted(body: &[u8], items: &[ReplicatedItem]) {
    // What follows the document is ignored: hence a stream's first value.
    let mut documents = serde_json::Deserializer::from_slice(body).into_iter();
    let list: serde_json::Value = documents
        .next()
        .expect("an accepted body has a document")
        .expect("an accepted body is JSON");
    let sent = list["replicationList"].as_array().map_or(0, Vec::len);
    assert_eq!(
        items.len(),
        sent,
        "a peer ignores an answer of another length"
    );
    items.iter().for_each(item);
    let answer = ItemAnswer {
        status: 200,
        entity: None,
    };
    let answers = || items.iter().map(|_| answer);
    let json = replication_document(Format::Json, answers(), usize::MAX);
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(json["responseList"].as_array().map(Vec::len), Some(sent));
}

fn item(item: &ReplicatedItem) {
    let (app, id) = match item {
        ReplicatedItem::Order(Command::Register(registration)) => {
            let instance = &registration.instance;
            (&instance.app, &instance.id)
        }
        ReplicatedItem::Order(
            Command::RenewByName { app, id, .. }
            | Command::Cancel { app, id }
            | Command::PutStatus { app, id, .. }
            | Command::DeleteStatus { app, id, .. },
        ) => (app, id),
        ReplicatedItem::Order(other) => panic!("no peer asks for {other:?}"),
        ReplicatedItem::Ignored | ReplicatedItem::Refused | ReplicatedItem::TooLarge => return,
    };
    // Upper case may be three times as long.
    for name in [app.as_str(), id.as_str()] {
        assert!(
            name.len() <= 3 * MAX_NAME_BYTES && !name.chars().any(char::is_control),
            "{name:?}"
        );
    }
}
