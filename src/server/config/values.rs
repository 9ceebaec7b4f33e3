//! Single values of the merged layers, by type and range.
//!
//! Owns what each type of value accepts and how a refusal reads: key, value, source and what was
//! expected. It may not know which keys there are.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::address::HostPort;
use super::error::ConfigError;
use super::layers::{Layers, Setting};
use super::quantity::{parse_duration, parse_size};

/// A key as it is documented.
pub(super) type Key = &'static str;

/// The longest duration of the configuration: a year.
const DURATION_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

const HOST_PORT: &str = "an address such as \"127.0.0.1:8761\"";
const DURATION: &str = "a duration such as \"250ms\" or \"30s\", from 1ms to a year";

pub(super) fn choice<T: Copy>(
    layers: &Layers,
    key: Key,
    choices: &[(&str, T)],
) -> Result<T, ConfigError> {
    let given = layers.get(key).value.as_str();
    let found = choices.iter().find(|(name, _)| Some(*name) == given);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        invalid(layers, key, &format!("one of {}", names.join(", ")))
    })
}

pub(super) fn text(layers: &Layers, key: Key) -> Result<&str, ConfigError> {
    let value = layers.get(key).value.as_str();
    value.ok_or_else(|| invalid(layers, key, "text in quotes"))
}

pub(super) fn flag(layers: &Layers, key: Key) -> Result<bool, ConfigError> {
    let value = layers.get(key).value.as_bool();
    value.ok_or_else(|| invalid(layers, key, "true or false"))
}

pub(super) fn address(layers: &Layers, key: Key) -> Result<HostPort, ConfigError> {
    let value = layers.get(key).value.as_str();
    let parsed = value.and_then(|text| HostPort::from_str(text).ok());
    parsed.ok_or_else(|| invalid(layers, key, HOST_PORT))
}

pub(super) fn duration(layers: &Layers, key: Key) -> Result<Duration, ConfigError> {
    let value = layers.get(key).value.as_str().and_then(duration_in_range);
    value.ok_or_else(|| invalid(layers, key, DURATION))
}

pub(super) fn duration_in_range(text: &str) -> Option<Duration> {
    parse_duration(text).filter(|d| (Duration::from_millis(1)..=DURATION_MAX).contains(d))
}

/// A size, 0 included, or `auto`.
pub(super) fn automatic_size(layers: &Layers, key: Key) -> Result<Option<u64>, ConfigError> {
    match layers.get(key).value.as_str() {
        Some("auto") => Ok(None),
        Some(text) if parse_size(text).is_some() => Ok(parse_size(text)),
        _ => Err(invalid(
            layers,
            key,
            "\"auto\" or a size in bytes such as \"64MiB\"",
        )),
    }
}

pub(super) fn size(
    layers: &Layers,
    key: Key,
    range: RangeInclusive<u64>,
) -> Result<u64, ConfigError> {
    let value = layers.get(key).value.as_str().and_then(parse_size);
    value.filter(|bytes| range.contains(bytes)).ok_or_else(|| {
        let bounds = bounds(&range);
        invalid(
            layers,
            key,
            &format!("a size in bytes such as \"256KiB\" or \"1GiB\"{bounds}"),
        )
    })
}

pub(super) fn count(
    layers: &Layers,
    key: Key,
    range: RangeInclusive<u64>,
) -> Result<u64, ConfigError> {
    let value = layers.get(key).value.as_integer();
    let value = value.and_then(|number| u64::try_from(number).ok());
    value
        .filter(|number| range.contains(number))
        .ok_or_else(|| invalid(layers, key, &format!("a whole number{}", bounds(&range))))
}

fn bounds(range: &RangeInclusive<u64>) -> String {
    match (*range.start(), *range.end()) {
        (min, u64::MAX) => format!(" of at least {min}"),
        (min, max) => format!(" from {min} to {max}"),
    }
}

/// A number in thousandths. Finer ones are refused rather than rounded: what is in effect is what
/// stands in the file.
pub(super) fn thousandths(
    layers: &Layers,
    key: Key,
    range: RangeInclusive<u32>,
) -> Result<u32, ConfigError> {
    let exact = |number: f64| {
        let milli = number * 1_000.0;
        let in_range = milli >= f64::from(*range.start()) - 0.000_5
            && milli <= f64::from(*range.end()) + 0.000_5;
        let whole = (milli - milli.round()).abs() < 0.000_5;
        (in_range && whole).then(|| milli.round() as u32)
    };
    number(layers.get(key)).and_then(exact).ok_or_else(|| {
        let (min, max) = (f64::from(*range.start()), f64::from(*range.end()));
        let (min, max) = (min / 1_000.0, max / 1_000.0);
        let expected = format!("a number from {min} to {max} with at most three decimals");
        invalid(layers, key, &expected)
    })
}

fn number(setting: &Setting) -> Option<f64> {
    match &setting.value {
        toml::Value::Float(number) => Some(*number),
        toml::Value::Integer(number) => i32::try_from(*number).ok().map(f64::from),
        _ => None,
    }
}

pub(super) fn invalid(layers: &Layers, key: Key, expected: &str) -> ConfigError {
    let setting = layers.get(key);
    ConfigError::Invalid {
        key: key.to_owned(),
        value: setting.value.to_string(),
        source_of_value: setting.source.clone(),
        expected: expected.to_owned(),
    }
}
