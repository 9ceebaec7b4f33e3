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
        let value = map.next_value::<Raw<'de>>()?;
        if !scalar::is_lease_term(&key) {
            continue;
        }
        if let Some(seconds) = value.int32(&key).map_err(A::Error::custom)? {
            scalar::set_lease(&mut terms, &key, seconds);
        }
    }
    Ok(Lease(terms))
});

object!(DraftDataCenter, "a data center", |map| {
    let mut center = DraftDataCenter::default();
    let mut metadata: Option<&'de RawValue> = None;
    let mut amazon = false;
    while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
        match (&*key, map.next_value::<Raw<'de>>()?) {
            ("name", Raw::Nested(_)) => return Err(A::Error::custom("name is no text")),
            ("name", value) => {
                let named = value.text().map(|name| json_kind(&name)).transpose();
                center.kind = named.map_err(A::Error::custom)?;
            }
            ("@class", Raw::Text(class)) => amazon = class == AMAZON_CLASS,
            ("metadata", Raw::Nested(raw)) => metadata = Some(raw),
            ("metadata", Raw::Null) => metadata = None,
            _ => {}
        }
    }
    // Eureka's class for Amazon says so whatever its name is.
    if amazon {
        center.kind = Some(DataCenterKind::Amazon);
    }
    // Other data centers' metadata is dropped unread, as Eureka's parser does: hence only now.
    if let (Some(DataCenterKind::Amazon), Some(raw)) = (center.kind, metadata) {
        center.metadata = serde_json::from_str(raw.get()).map_err(A::Error::custom)?;
    }
    Ok(center)
});

const AMAZON_CLASS: &str = "com.netflix.appinfo.AmazonInfo";

/// Jackson also takes the place of a name in `DataCenterInfo.Name`, as a number or a string.
fn json_kind(name: &str) -> Result<DataCenterKind, String> {
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
        let value = map.next_value::<Raw<'de>>()?;
        if let Raw::Nested(_) = value {
            return Err(A::Error::custom("nested metadata"));
        }
        if let Some(value) = value.text() {
            entries.put(key, value);
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
            let id = map.next_value::<Raw<'de>>()?.int32("countryId");
            if let Some(id) = id.map_err(A::Error::custom)? {
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
        Field::LastDirty => replace(&mut draft.last_dirty_ms, time_of(map)?),
        Field::Unknown => {
            map.next_value::<Raw<'de>>()?;
        }
    }
    Ok(())
}

/// The next value of a field that holds text, a number or a flag; null is `None`.
fn scalar_of<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    match map.next_value::<Raw<'de>>()? {
        Raw::Nested(_) => Err(A::Error::custom(NESTED)),
        value => Ok(value.text()),
    }
}

/// The next value as a time in ms. A string that is none is 0, the oldest of all, as in Jackson.
fn time_of<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<u64>, A::Error> {
    match map.next_value::<Raw<'de>>()? {
        Raw::Null => Ok(None),
        Raw::Nested(_) => Err(A::Error::custom(NESTED)),
        Raw::Text(text) => Ok(Some(scalar::past(scalar::quoted_int64(&text)))),
        Raw::Bare("true") => Ok(Some(1)),
        Raw::Bare("false") => Ok(Some(0)),
        Raw::Bare(number) => scalar::timestamp(number).map_err(A::Error::custom),
    }
}

/// Null is as good as nothing: what was said before stays.
fn replace<T>(place: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *place = value;
    }
}

fn assign<T>(place: &mut T, text: Option<Cow<'_, str>>, read: impl Fn(&str) -> T) {
    if let Some(text) = text {
        *place = read(&text);
    }
}

const NESTED: &str = "an object or array in place of a value";

/// A key, borrowed from the document unless it is escaped.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        match Raw::deserialize(json)? {
            Raw::Text(key) => Ok(Self(key)),
            _ => Err(D::Error::custom("a key is no text")),
        }
    }
}

/// Any value: a string unescaped, a number or flag as it was written, an object or array unread.
///
/// Numbers as text, because metadata shows `1.10` as the client wrote it. Strings by our own hand,
/// because serde_json collects an escaped one in a buffer that grows to twice its length and stays.
enum Raw<'a> {
    Null,
    Bare(&'a str),
    Text(Cow<'a, str>),
    Nested(&'a RawValue),
}

impl<'a> Raw<'a> {
    /// The text of a string, number or flag.
    fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bare(text) => Some(Cow::Borrowed(text)),
            Self::Null | Self::Nested(_) => None,
        }
    }

    /// The integer it means to Jackson's `getValueAsInt`; null is `None`.
    fn int32(&self, name: &str) -> Result<Option<i32>, String> {
        match self {
            Self::Null => Ok(None),
            Self::Nested(_) => Err(NESTED.to_owned()),
            Self::Text(text) => Ok(Some(scalar::quoted_int32(text))),
            Self::Bare("true") => Ok(Some(1)),
            Self::Bare(number) => Ok(Some(scalar::int32(name, number)?.unwrap_or(0))),
        }
    }

    /// The flag it means: `true`, also as a string and in any case, or an integer other than 0.
    fn flag(&self) -> Result<bool, String> {
        match self {
            Self::Null => Ok(false),
            Self::Nested(_) => Err(NESTED.to_owned()),
            Self::Text(text) => Ok(scalar::is_word(text, "true")),
            Self::Bare(text) => Ok(scalar::bare_flag(text)),
        }
    }
}

impl<'de> Deserialize<'de> for Raw<'de> {
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
            _ => Ok(Self::Bare(text)),
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

/// The letter of `1F642` and the like: four digits, or twice four of a pair. Half a pair is `?`, as
/// Java's encoder writes it.
fn unicode(digits: &str) -> Result<(char, &str), &'static str> {
    let (unit, rest) = utf16_unit(digits)?;
    if let Some(letter) = char::from_u32(u32::from(unit)) {
        return Ok((letter, rest));
    }
    if let Some(low) = rest.strip_prefix("\\u") {
        let (low, after) = utf16_unit(low)?;
        if let Some(Ok(letter)) = char::decode_utf16([unit, low]).next() {
            return Ok((letter, after));
        }
    }
    Ok(('?', rest))
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
}

object!(PortObject, "a port", |map| {
    let mut change = PortChange::default();
    while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
        let value = map.next_value::<Raw<'de>>()?;
        match &*key {
            // Inside a port, null is not absent: 0 and false.
            "$" => {
                let number = value.int32("port").map_err(A::Error::custom)?;
                change.number = Some(number.unwrap_or(0));
            }
            "@enabled" => change.enabled = Some(value.flag().map_err(A::Error::custom)?),
            _ => {}
        }
    }
    Ok(PortObject(change))
});

struct PortObject(PortChange);

impl<'de> Deserialize<'de> for PortChange {
    /// The object Eureka writes, or the bare number of older clients and hand-written ones.
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        match Raw::deserialize(json)? {
            Raw::Nested(raw) => serde_json::from_str(raw.get())
                .map(|PortObject(change)| change)
                .map_err(D::Error::custom),
            value => Ok(Self {
                number: value.int32("port").map_err(D::Error::custom)?,
                enabled: None,
            }),
        }
    }
}
