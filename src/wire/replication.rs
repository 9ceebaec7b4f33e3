//! Batches of a legacy Eureka server's replication, and our answers to them.
//!
//! Owns the two documents of `peerreplication/batch` (`ReplicationList`, `ReplicationListResponse`). It
//! may not carry anything out: a batch becomes registry commands. The invariant: there is one item for
//! each of the list, in its order, whatever is wrong with it; a list of another length is ignored
//! by the peer (`ReplicationTaskProcessor.java:129`).

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::registry::{
    AppName, Command, Instance, InstanceId, InstanceStatus, Origin, Record, Registration,
};

use super::draft::MAX_NAME_BYTES;
use super::error::RegistrationError;
use super::format::{Form, Format};
use super::json_decode::{self, Raw};
use super::json_encode;
use super::scalar::{self, Integer};
use super::xml_encode::{self, XmlWriter};

/// The most items of a batch. A Java peer sends up to 250 (`PeerEurekaNode.java:68`).
pub const REPLICATION_ITEMS_MAX: usize = 1_000;

/// Why a batch is refused as a whole. Nothing of it is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplicationError {
    /// Not such a document; says what was wrong. 400 in Eureka's words.
    #[error("cannot parse request body: {0}")]
    Unparsable(String),
    /// More than [`REPLICATION_ITEMS_MAX`] items.
    #[error("more than {REPLICATION_ITEMS_MAX} items in a batch")]
    TooManyItems,
}

/// A decoded batch: its items in order.
pub type Replication = Vec<ReplicatedItem>;

/// What one item of a batch asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplicatedItem {
    /// To be carried out, as if the peer had sent it alone.
    Order(Command),
    /// A registration that Eureka's checks refuse: Eureka answers 200 and does nothing
    /// (`PeerReplicationResource.java:117` drops the answer of `addInstance`).
    Ignored,
    /// Lacks what its action needs (500 there), or a name or metadata over our limits: 400.
    Refused,
    /// Its instance is larger than a client's may be: 413.
    TooLarge,
}

/// What became of one item.
#[derive(Debug, Clone, Copy)]
pub struct ItemAnswer<'a> {
    /// The status the item alone would have had; a registration has 200.
    pub status: u16,
    /// On a conflict, what is held here instead, and its real last renewal in ms of wall time.
    pub entity: Option<(&'a Record, u64)>,
}

/// Decodes the body of POST `peerreplication/batch`.
///
/// As strict as Eureka's parser about the list and its items, because both ends of it are servers;
/// an instance in it is read as a client's (`instance_bytes_max` long at most, as it was written).
///
/// # Errors
/// [`ReplicationError`]; where Eureka says 500 to a whole batch (`{}`, `null`, a null item), it is
/// [`ReplicationError::Unparsable`].
pub fn decode_replication(
    body: &[u8],
    instance_bytes_max: usize,
) -> Result<Replication, ReplicationError> {
    let unparsable = |reason: String| ReplicationError::Unparsable(reason);
    let text = std::str::from_utf8(body).map_err(|error| unparsable(error.to_string()))?;
    // What follows the document is ignored, as there.
    let mut json = serde_json::Deserializer::from_str(text);
    let list =
        List::deserialize(&mut json).map_err(|error| unparsable(scalar::sentence(&error)))?;
    match list.replication_list {
        Items::All(items) => items
            .into_iter()
            .map(|item| item.decoded(instance_bytes_max).map_err(unparsable))
            .collect(),
        Items::TooMany => Err(ReplicationError::TooManyItems),
    }
}

/// The answer to a batch, one item for each of its items, in its order.
///
/// Once the document is `bytes_max` long, conflicts are answered without the instance held here,
/// as servers before Eureka 1.7.0 did: small items must not add up to an answer of any size.
pub fn replication_document<'a>(
    format: Format,
    answers: impl Iterator<Item = ItemAnswer<'a>>,
    bytes_max: usize,
) -> Vec<u8> {
    match format {
        Format::Json => json_document(answers, bytes_max),
        Format::Xml => xml_document(answers, bytes_max),
    }
}

fn json_document<'a>(answers: impl Iterator<Item = ItemAnswer<'a>>, bytes_max: usize) -> Vec<u8> {
    let mut out = br#"{"responseList":["#.to_vec();
    for (place, answer) in answers.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(br#"{"statusCode":"#);
        json_encode::decimal(&mut out, u64::from(answer.status));
        if let Some((record, renewed_ms)) = answer.entity.filter(|_| out.len() < bytes_max) {
            out.extend_from_slice(br#","responseEntity":"#);
            json_encode::full_instance(&mut out, record, renewed_ms);
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    json_encode::escape_supplementary(out)
}

/// XStream knows no alias for these two: it writes the names of the Java classes.
fn xml_document<'a>(answers: impl Iterator<Item = ItemAnswer<'a>>, bytes_max: usize) -> Vec<u8> {
    const ROOT: &str = "com.netflix.eureka.cluster.protocol.ReplicationListResponse";
    const ITEM: &str = "com.netflix.eureka.cluster.protocol.ReplicationInstanceResponse";
    let mut xml = XmlWriter::new(Form::Full, 0);
    xml.open(ROOT);
    let mut answers = answers.peekable();
    if answers.peek().is_none() {
        xml.empty("responseList");
    } else {
        xml.open("responseList");
        for answer in answers {
            xml.open(ITEM);
            xml.leaf("statusCode", &answer.status.to_string());
            if let Some((record, renewed_ms)) = answer.entity.filter(|_| xml.len() < bytes_max) {
                xml_encode::full_instance(&mut xml, "responseEntity", record, renewed_ms);
            }
            xml.close(ITEM);
        }
        xml.close("responseList");
    }
    xml.close(ROOT);
    xml.finish()
}

/// A value written as a JSON object. Without it serde also takes an array for a struct, its fields in order.
struct Object<T>(T);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct List<'a> {
    #[serde(borrow)]
    replication_list: Items<'a>,
}

/// The items, unless there are too many: then none is kept.
enum Items<'a> {
    All(Vec<Item<'a>>),
    TooMany,
}

/// `ReplicationInstance.java`. What is null is absent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Item<'a> {
    #[serde(borrow, default)]
    app_name: Option<Raw<'a>>,
    #[serde(borrow, default)]
    id: Option<Raw<'a>>,
    #[serde(borrow, default)]
    last_dirty_timestamp: Option<Raw<'a>>,
    #[serde(borrow, default)]
    overridden_status: Option<Raw<'a>>,
    #[serde(borrow, default)]
    status: Option<Raw<'a>>,
    #[serde(borrow, default)]
    action: Option<Raw<'a>>,
    #[serde(borrow, default)]
    instance_info: Option<&'a RawValue>,
}

/// `PeerAwareInstanceRegistryImpl.Action`, in its exact spelling.
enum Action {
    Heartbeat,
    Register,
    Cancel,
    StatusUpdate,
    DeleteStatusOverride,
}

/// An item with its scalars read.
struct Told<'a> {
    app: Option<Cow<'a, str>>,
    id: Option<Cow<'a, str>>,
    last_dirty_ms: Option<u64>,
    overridden: Option<InstanceStatus>,
    /// The name of a status, which may be none.
    status: Option<Cow<'a, str>>,
    instance: Option<&'a str>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }
        json.deserialize_map(Members(PhantomData))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Array<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Array<'a> {
            type Value = Items<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of items")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while items.len() < REPLICATION_ITEMS_MAX {
                    match seq.next_element()? {
                        Some(Object(item)) => items.push(item),
                        None => return Ok(Items::All(items)),
                    }
                }
                if seq.next_element::<IgnoredAny>()?.is_none() {
                    return Ok(Items::All(items));
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Items::TooMany)
            }
        }
        json.deserialize_seq(Array(PhantomData))
    }
}

impl Item<'_> {
    /// What it asks for.
    ///
    /// # Errors
    /// A sentence, for what Eureka's parser refuses the whole batch for.
    fn decoded(self, instance_bytes_max: usize) -> Result<ReplicatedItem, String> {
        let action = self.action.map(Action::named).transpose()?;
        let told = Told {
            app: text("appName", self.app_name)?,
            id: text("id", self.id)?,
            last_dirty_ms: timestamp(self.last_dirty_timestamp)?,
            // A name that is none leaves the override alone, as in a single renewal.
            overridden: text("overriddenStatus", self.overridden_status)?
                .and_then(|name| InstanceStatus::from_wire(&name)),
            status: text("status", self.status)?,
            instance: self.instance_info.map(RawValue::get),
        };
        match action {
            Some(action) => told.ordered(&action, instance_bytes_max),
            None => Ok(ReplicatedItem::Refused),
        }
    }
}

impl Action {
    fn named(name: Raw<'_>) -> Result<Self, String> {
        let Raw::Text(name) = name else {
            return Err("action is no text".to_owned());
        };
        Ok(match &*name {
            "Heartbeat" => Self::Heartbeat,
            "Register" => Self::Register,
            "Cancel" => Self::Cancel,
            "StatusUpdate" => Self::StatusUpdate,
            "DeleteStatusOverride" => Self::DeleteStatusOverride,
            _ => return Err("an action that is none".to_owned()),
        })
    }
}

impl Told<'_> {
    fn ordered(self, action: &Action, instance_bytes_max: usize) -> Result<ReplicatedItem, String> {
        let (Some(app), Some(id)) = (name(self.app.as_deref()), name(self.id.as_deref())) else {
            return Ok(ReplicatedItem::Refused);
        };
        if matches!(action, Action::Register) {
            return self.registration(app, instance_bytes_max);
        }
        let (app, id) = (AppName::new(app), InstanceId::new(id));
        Ok(self
            .command(action, app, id)
            .map_or(ReplicatedItem::Refused, ReplicatedItem::Order))
    }

    /// An order about an instance by its name, unless it lacks something.
    fn command(&self, action: &Action, app: AppName, id: InstanceId) -> Option<Command> {
        let last_dirty_ms = self.last_dirty_ms;
        let status = self.status.as_deref().map(InstanceStatus::from_wire);
        Some(match action {
            Action::Cancel => Command::Cancel { app, id },
            Action::StatusUpdate => Command::PutStatus {
                app,
                id,
                status: status??,
                last_dirty_ms,
            },
            Action::DeleteStatusOverride => Command::DeleteStatus {
                app,
                id,
                status: status.unwrap_or(Some(InstanceStatus::Unknown))?,
                // Required there, though it only ever raises the record's.
                last_dirty_ms: Some(last_dirty_ms?),
            },
            Action::Heartbeat | Action::Register => Command::RenewByName {
                app,
                id,
                last_dirty_ms,
                origin: Origin::Replication,
                overridden: self.overridden.filter(|s| *s != InstanceStatus::Unknown),
            },
        })
    }

    /// The document's own id counts, not the item's, as there.
    fn registration(&self, app: &str, bytes_max: usize) -> Result<ReplicatedItem, String> {
        let Some(text) = self.instance else {
            return Ok(ReplicatedItem::Refused);
        };
        if text.len() > bytes_max {
            return Ok(ReplicatedItem::TooLarge);
        }
        match json_decode::instance(text)?.into_instance(app) {
            Ok(instance) => Ok(ReplicatedItem::Order(register(instance))),
            Err(RegistrationError::Unparsable(reason)) => Err(reason),
            Err(
                RegistrationError::NameTooLong { .. }
                | RegistrationError::ControlCharacter { .. }
                | RegistrationError::TooMuchMetadata,
            ) => Ok(ReplicatedItem::Refused),
            Err(_) => Ok(ReplicatedItem::Ignored),
        }
    }
}

fn register(instance: Instance) -> Command {
    let origin = Origin::Replication;
    Command::Register(Box::new(Registration { instance, origin }))
}

/// A name that a path could have had.
fn name(text: Option<&str>) -> Option<&str> {
    let fits = |name: &&str| {
        name.len() <= MAX_NAME_BYTES && !name.contains(|c: char| c == '\\' || c.is_control())
    };
    text.filter(fits)
}

fn text<'a>(field: &str, raw: Option<Raw<'a>>) -> Result<Option<Cow<'a, str>>, String> {
    match raw {
        None | Some(Raw::Null) => Ok(None),
        Some(Raw::Text(text)) => Ok(Some(text)),
        Some(Raw::Nested(_)) => Err(format!("{field} is no text")),
    }
}

/// A `Long` as Jackson reads it; a negative one is older than any record.
fn timestamp(raw: Option<Raw<'_>>) -> Result<Option<u64>, String> {
    let Some(text) = text("lastDirtyTimestamp", raw)?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match scalar::integer(&text) {
        Integer::Value(value) => Ok(Some(u64::try_from(value).unwrap_or(0))),
        Integer::TooLarge | Integer::Garbage => Err("lastDirtyTimestamp is no number".to_owned()),
    }
}
