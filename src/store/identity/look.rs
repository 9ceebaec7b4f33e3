//! A look at the two slots that changes nothing.
//!
//! Owns what an operator is shown of an identity file, damaged or not. It may not heal: that is
//! [`super::IdentityFile::open`]'s, for a node that goes on.

use super::{Identity, SLOT_BYTES, SLOTS, both_hold, parse_slot};
use crate::codec::CodecError;
use crate::store::OpenError;
use crate::store::files::SharedFiles;

/// One slot as it lies on disk.
#[derive(Debug)]
pub struct SlotView {
    /// `META.a` or `META.b`.
    pub name: &'static str,
    /// Its generation and what it holds, or why it holds nothing.
    pub content: Result<(u64, Identity), SlotDamage>,
}

/// Why a slot holds no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlotDamage {
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
    /// The disk's error.
    #[error("it cannot be read: {0}")]
    Io(String),
    /// The bytes are not a slot, or one of a newer release ([`CodecError::Newer`]).
    #[error("{0}")]
    Bytes(CodecError),
}

/// Both slots, in the order of [`SLOTS`]. Blocks on the disk and writes nothing.
pub fn look(files: &SharedFiles) -> Vec<SlotView> {
    let views = SLOTS.into_iter().map(|name| SlotView {
        name,
        content: read(files, name),
    });
    views.collect()
}

/// What a start would take for the identity: the newest readable slot's. Whether the slots agree on
/// everything but the mark is the second part.
///
/// # Errors
/// [`OpenError::Corrupt`] if neither can be read, as a start would say it.
pub fn newest(slots: &[SlotView]) -> Result<(&Identity, bool), OpenError> {
    let readable = slots.iter().filter_map(|slot| slot.content.as_ref().ok());
    let Some((_, identity)) = readable.max_by_key(|(generation, _)| *generation) else {
        let reasons: Vec<String> = slots.iter().filter_map(reason).collect();
        return Err(OpenError::corrupt(
            "META.a and META.b",
            "byte 0",
            reasons.join("; "),
        ));
    };
    let agrees = |slot: &SlotView| {
        slot.content
            .as_ref()
            .is_ok_and(|(_, held)| both_hold(held, identity))
    };
    Ok((identity, slots.iter().all(agrees)))
}

fn reason(slot: &SlotView) -> Option<String> {
    let damage = slot.content.as_ref().err()?;
    Some(format!("{}: {damage}", slot.name))
}

fn read(files: &SharedFiles, name: &str) -> Result<(u64, Identity), SlotDamage> {
    let mut bytes = vec![0; SLOT_BYTES];
    let read = files
        .open(name)
        .and_then(|mut file| file.read_at(0, &mut bytes))
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => SlotDamage::Missing,
            _ => SlotDamage::Io(error.to_string()),
        })?;
    let slot = parse_slot(&bytes[..read]).map_err(SlotDamage::Bytes)?;
    Ok((slot.generation, slot.identity))
}
