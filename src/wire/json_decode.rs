//! Registrations in JSON.
//!
//! Owns how Eureka clients write an instance as JSON, straight into a [`Draft`]: no tree is built.
//! It may not check what an instance needs. Laxer than Eureka's parser wherever some client needs it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::registry::{LeaseTerms, Port};

use super::draft::{
    DataCenterKind, Draft, DraftDataCenter, Entries, Field, MAX_NAME_BYTES, TextField,
};
use super::json_number::Number;
use super::scalar::{self, MAX_DEPTH};

/// Decodes `{"instance":{…}}`. What follows the closing brace is ignored, as Eureka does.
///
/// # Errors
/// A sentence, if it is no such document; in Eureka's answer all are the same.
pub(super) fn registration(text: &str) -> Result<Draft<'_>, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let Root(draft) = Root::deserialize(&mut json).map_err(|error| scalar::sentence(&error))?;
    Ok(draft)
}

/// Decodes an instance that stands without its `instance` key, as in a replicated registration.
///
/// # Errors
/// As [`registration`].
pub(super) fn instance(text: &str) -> Result<Draft<'_>, String> {
    let body: Result<Body<'_>, _> = serde_json::from_str(text);
    body.map(|Body(draft)| draft)
        .map_err(|error| scalar::sentence(&error))
}

/// Implements `Deserialize` for a type that is its own visitor of a JSON object.
macro_rules! object {
    ($type:ty, $expecting:literal, |$map:ident| $body:expr) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
                struct Object;
                impl<'de> Visitor<'de> for Object {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }
                    fn visit_map<A: MapAccess<'de>>(
                        self,
                        mut $map: A,
                    ) -> Result<Self::Value, A::Error> {
                        $body
                    }
                    /// Serde's own words would quote the whole text, escaped.
                    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
                        Err(E::custom(concat!("a text in place of ", $expecting)))
                    }
                }
                json.deserialize_any(Object)
            }
        }
    };
}

struct Root<'a>(Draft<'a>);
struct Body<'a>(Draft<'a>);
struct Lease(LeaseTerms);

object!(Root<'de>, "an object of `instance`", |map| {
    match map.next_key::<Key<'de>>()? {
        Some(Key(key)) if key == "instance" => {}
        _ => return Err(A::Error::custom("the first key is not `instance`")),
    }
    let Body(draft) = map.next_value()?;
    match map.next_key::<Key<'de>>()? {
        None => Ok(Root(draft)),
        Some(_) => Err(A::Error::custom("something follows `instance`")),
    }
});

object!(Body<'de>, "an instance", |map| {
    let mut draft = Draft::default();
    while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
        set(&mut draft, Field::named(&key), &mut map)?;
    }
    Ok(Body(draft))
});

object!(Lease, "a lease", |map| {
    let mut terms = LeaseTerms::default();
    while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
        match &*key {
            "renewalIntervalInSecs" => {
                terms.renewal_interval_secs =
                    seconds(&key, &mut map)?.unwrap_or(LeaseTerms::default().renewal_interval_secs)
            }
            "durationInSecs" => {
                terms.duration_secs =
                    seconds(&key, &mut map)?.unwrap_or(LeaseTerms::default().duration_secs)
            }
            _ => {
                map.next_value::<Raw<'de>>()?;
            }
        }
    }
    Ok(Lease(terms))
});

object!(DraftDataCenter, "a data center", |map| {
    let mut center = DraftDataCenter::default();
    let mut metadata: Option<&'de RawValue> = None;
    let mut is_amazon = false;
    while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
        match (&*key, map.next_value::<Raw<'de>>()?) {
            ("name", Raw::Text(name)) => {
                center.kind = Some(kind(&name).map_err(A::Error::custom)?);
            }
            ("name", Raw::Nested(_)) => return Err(A::Error::custom("name is no text")),
            ("@class", Raw::Text(class)) => is_amazon = class == AMAZON_CLASS,
            ("metadata", Raw::Nested(raw)) => metadata = Some(raw),
            ("metadata", Raw::Null) => metadata = None,
            _ => {}
        }
    }
    if is_amazon {
        center.kind = Some(DataCenterKind::Amazon);
    }
    // Other data centers' metadata is dropped unread, as Eureka's parser does: hence only now.
    if let (Some(DataCenterKind::Amazon), Some(raw)) = (center.kind, metadata) {
        center.metadata = serde_json::from_str(raw.get()).map_err(A::Error::custom)?;
    }
    Ok(center)
});

/// The class that is Amazon whatever name stands beside it.
const AMAZON_CLASS: &str = "com.netflix.appinfo.AmazonInfo";

/// The kind of that name; Jackson trims it, and takes its place in `DataCenterInfo.Name` as well.
fn kind(name: &str) -> Result<DataCenterKind, String> {
    match name.trim() {
        "0" => Ok(DataCenterKind::Netflix),
        "1" => Ok(DataCenterKind::Amazon),
        "2" => Ok(DataCenterKind::MyOwn),
        name => DataCenterKind::named(name),
    }
}

object!(Entries, "a flat metadata object", |map| {
    let mut entries = Entries::default();
    while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
        match map.next_value::<Raw<'de>>()? {
            Raw::Text(value) => entries.put(key, value),
            Raw::Null => {}
            Raw::Nested(_) => return Err(A::Error::custom("nested metadata")),
        }
    }
    Ok(entries)
});

/// Reads the next value into `field`; an explicit null is as good as nothing.
fn set<'de, A: MapAccess<'de>>(
    draft: &mut Draft<'de>,
    field: Field,
    map: &mut A,
) -> Result<(), A::Error> {
    match field {
        // Upper-cased from JSON only (`EurekaJacksonCodec`), not from XML.
        Field::Text(TextField::AppGroupName) => {
            if let Some(text) = scalar_of(map)? {
                // Over the limit it is refused as it is: some letters grow threefold.
                let group = match text.len() {
                    0..=MAX_NAME_BYTES => text.to_uppercase().into(),
                    _ => text,
                };
                draft.set(TextField::AppGroupName, group);
            }
        }
        Field::Text(field) => {
            if let Some(text) = scalar_of(map)? {
                draft.set(field, text);
            }
        }
        Field::Status => assign(&mut draft.status, scalar_of(map)?, scalar::status),
        Field::Overridden => assign(&mut draft.overridden, scalar_of(map)?, scalar::status),
        Field::Port => map.next_value::<PortChange>()?.apply(&mut draft.port),
        Field::SecurePort => map
            .next_value::<PortChange>()?
            .apply(&mut draft.secure_port),
        Field::CountryId => {
            let number: Number<'de> = map.next_value()?;
            if let Some(id) = number.int32("countryId").map_err(A::Error::custom)? {
                draft.country_id = id;
            }
        }
        Field::DataCenter => replace(&mut draft.data_center, map.next_value()?),
        Field::Lease => {
            if let Some(Lease(terms)) = map.next_value()? {
                draft.lease = terms;
            }
        }
        Field::Metadata => {
            if let Some(entries) = map.next_value()? {
                draft.metadata = entries;
            }
        }
        Field::LastDirty => {
            let number: Number<'de> = map.next_value()?;
            let value = number
                .int64("lastDirtyTimestamp")
                .map_err(A::Error::custom)?;
            replace(
                &mut draft.last_dirty_ms,
                value
                    .map(scalar::not_negative)
                    .transpose()
                    .map_err(A::Error::custom)?,
            );
        }
        Field::Unknown => {
            map.next_value::<Raw<'de>>()?;
        }
    }
    Ok(())
}

/// The next value of a field that holds text, a number or a flag; null is `None`.
fn scalar_of<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    match map.next_value::<Raw<'de>>()? {
        Raw::Text(text) => Ok(Some(text)),
        Raw::Null => Ok(None),
        Raw::Nested(_) => Err(A::Error::custom("an object or array in place of a value")),
    }
}

fn assign<T>(place: &mut T, text: Option<Cow<'_, str>>, read: impl Fn(&str) -> T) {
    if let Some(text) = text {
        *place = read(&text);
    }
}

/// An explicit null of a field that was there before leaves it.
fn replace<T>(place: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *place = value;
    }
}

/// A lease term in seconds; what is below 1 is the default (`LeaseInfo.java`): `None`.
fn seconds<'de, A: MapAccess<'de>>(name: &str, map: &mut A) -> Result<Option<u32>, A::Error> {
    let number: Number<'de> = map.next_value()?;
    let value = number.int32(name).map_err(A::Error::custom)?;
    Ok(value.and_then(scalar::lease_seconds))
}

/// A key, borrowed from the document unless it is escaped.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        match Raw::deserialize(json)? {
            Raw::Text(key) => Ok(Self(key)),
            Raw::Null | Raw::Nested(_) => Err(D::Error::custom("a key is no text")),
        }
    }
}

/// Any value: a string unescaped, a number or flag as it was written, an object or array unread.
///
/// Numbers as text, because metadata shows `1.10` as the client wrote it. Strings by our own hand,
/// because serde_json collects an escaped one in a buffer that grows to twice its length and stays.
pub(super) enum Raw<'a> {
    Null,
    Text(Cow<'a, str>),
    Nested(&'a RawValue),
}

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(json)?;
        let text = raw.get();
        match text.as_bytes() {
            [b'n', ..] => Ok(Self::Null),
            [b'{' | b'[', ..] if depth(text) > MAX_DEPTH => {
                Err(D::Error::custom("nested too deeply"))
            }
            [b'{' | b'[', ..] => Ok(Self::Nested(raw)),
            [b'"', .., b'"'] => unescaped(&text[1..text.len() - 1])
                .map(Self::Text)
                .map_err(D::Error::custom),
            _ => Ok(Self::Text(Cow::Borrowed(text))),
        }
    }
}

/// The text of a valid JSON string, given without its quotes. Asks for no more than its length.
fn unescaped(quoted: &str) -> Result<Cow<'_, str>, &'static str> {
    let Some(first) = quoted.find('\\') else {
        return Ok(Cow::Borrowed(quoted));
    };
    let mut text = String::with_capacity(quoted.len());
    let (plain, mut rest) = quoted.split_at(first);
    text.push_str(plain);
    while let Some(escape) = rest.strip_prefix('\\') {
        let (letter, after) = escaped(escape)?;
        text.push(letter);
        let next = after.find('\\').unwrap_or(after.len());
        text.push_str(&after[..next]);
        rest = &after[next..];
    }
    Ok(Cow::Owned(text))
}

/// The letter that the escape after a backslash means, and what follows it.
fn escaped(escape: &str) -> Result<(char, &str), &'static str> {
    let letter = match escape.bytes().next() {
        Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode(&escape[1..]),
        _ => return Err("an escape that is none"),
    };
    Ok((letter, &escape[1..]))
}

/// The letter of `1F642` and the like: four digits, or twice four of a pair.
fn unicode(digits: &str) -> Result<(char, &str), &'static str> {
    const HALF: &str = "half a character";
    let (unit, rest) = utf16_unit(digits)?;
    if let Some(letter) = char::from_u32(u32::from(unit)) {
        return Ok((letter, rest));
    }
    let (low, rest) = utf16_unit(rest.strip_prefix("\\u").ok_or(HALF)?)?;
    match char::decode_utf16([unit, low]).next() {
        Some(Ok(letter)) => Ok((letter, rest)),
        _ => Err(HALF),
    }
}

fn utf16_unit(digits: &str) -> Result<(u16, &str), &'static str> {
    let (four, rest) = digits.split_at_checked(4).ok_or("an escape cut short")?;
    let unit = u16::from_str_radix(four, 16).map_err(|_| "an escape that is none")?;
    Ok((unit, rest))
}

/// How deep a valid JSON value nests.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// What a `port` says: a number, and whether it is enabled, where it says so.
#[derive(Default)]
struct PortChange {
    number: Option<i32>,
    enabled: Option<bool>,
}

impl PortChange {
    fn apply(self, port: &mut Port) {
        port.number = self.number.unwrap_or(port.number);
        port.enabled = self.enabled.unwrap_or(port.enabled);
    }

    fn set_number(&mut self, number: &Number<'_>) -> Result<(), String> {
        self.number = Some(number.int32("port")?.unwrap_or(0));
        Ok(())
    }
}

object!(PortObject, "a port", |map| {
    let mut change = PortChange::default();
    while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
        // Inside a port, null is not absent: 0 and false.
        match &*key {
            "$" => change
                .set_number(&map.next_value()?)
                .map_err(A::Error::custom)?,
            "@enabled" => change.enabled = Some(map.next_value::<Number<'de>>()?.flag()),
            _ => {
                map.next_value::<Raw<'de>>()?;
            }
        }
    }
    Ok(PortObject(change))
});

struct PortObject(PortChange);

impl<'de> Deserialize<'de> for PortChange {
    /// The object Eureka writes, or the bare number of older clients and hand-written ones.
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let mut change = Self::default();
        let raw = <&RawValue>::deserialize(json)?.get();
        let from = |problem: serde_json::Error| D::Error::custom(problem);
        match raw.as_bytes() {
            [b'n', ..] => {}
            [b'{' | b'[', ..] => {
                let PortObject(inner) = serde_json::from_str(raw).map_err(from)?;
                change = inner;
            }
            _ => {
                let number = serde_json::from_str(raw).map_err(from)?;
                change.set_number(&number).map_err(D::Error::custom)?;
            }
        }
        Ok(change)
    }
}
