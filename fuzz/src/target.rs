//! The judge of request targets: paths and queries.
//!
//! Owns what must hold of any bytes after the method of a request line: an answer, within bounded
//! memory; a name that means the same when it is escaped and asked for again; a route that is the
//! same under each of Eureka's prefixes.

use hyper::{Method, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::query::{BadQuery, Query};
use super::registry::{AppName, InstanceId};
use super::route::{Route, TARGET_BYTES_MAX};
use super::wire::{MAX_METADATA_ENTRIES, MAX_NAME_BYTES};
use super::within_memory;

/// What a client escapes in a name.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// The names of our and Eureka's query parameters.
const PARAMETERS: [&str; 9] = [
    "lastDirtyTimestamp",
    "overriddenstatus",
    "value",
    "consistency",
    "since",
    "wait",
    "after",
    "limit",
    "regions",
];

/// Judges `path` as the path of a request; true if it names something.
pub fn judge_path(path: &[u8]) -> bool {
    let Some(uri) = uri_of(path) else {
        return false;
    };
    let length = uri.path().len();
    let Ok(route) = within_memory(length, || Route::parse(uri.path())) else {
        return false;
    };
    let ours = route.template().starts_with("/v1") || route == Route::UnknownV1;
    assert_eq!(route.explains_errors(), ours, "Eureka's errors are empty");
    for method in [Method::GET, Method::PUT, Method::OPTIONS] {
        let known = route.methods().allow(&method);
        assert!(!known || route != Route::Unknown, "a method of nothing");
    }
    if let Some(again) = asked_again(&route) {
        assert_eq!(Route::parse(&again), Ok(route.clone()), "{again}");
        for prefix in ["/eureka", "/eureka/v2", "/v2"] {
            let prefixed = Route::parse(&format!("{prefix}{again}"));
            assert_eq!(prefixed.as_ref(), Ok(&route), "{prefix}{again}");
        }
    }
    route != Route::Unknown
}

/// Judges `query` as the query of a request; true if all of it can be read.
pub fn judge_query(query: &[u8]) -> bool {
    let mut target = b"/eureka/apps/demo/i/metadata?".to_vec();
    target.extend_from_slice(query);
    let Some(uri) = uri_of(&target) else {
        return false;
    };
    let query = Query(uri.query().unwrap_or_default());
    for name in PARAMETERS {
        let _ = within_memory(query.0.len(), || query.first(name).map(drop));
    }
    let time = within_memory(query.0.len(), || query.last_dirty_ms());
    assert_ne!(time, Err(BadQuery::TooManyEntries));
    let limit = MAX_METADATA_ENTRIES;
    let Ok(entries) = within_memory(query.0.len(), || query.entries(limit)) else {
        return false;
    };
    assert!(entries.len() <= limit);
    let mut again = String::new();
    for (place, (key, value)) in entries.iter().enumerate() {
        assert!(!key.is_empty(), "a name without a letter");
        // Each is a walk over the whole query: a few say enough.
        if place < 16 {
            let first = query.first(key).expect("it was read before");
            assert_eq!(first.as_deref(), Some(&**value), "{key:?}");
        }
        let between = if place > 0 { "&" } else { "" };
        let [key, value] = [key, value].map(|text| utf8_percent_encode(text, NAME));
        again.push_str(&format!("{between}{key}={value}"));
    }
    assert_eq!(Query(&again).entries(limit), Ok(entries), "{again}");
    true
}

/// The target as the HTTP parser takes it, if it does; longer ones are refused before they are looked at.
fn uri_of(target: &[u8]) -> Option<Uri> {
    let uri = Uri::try_from(target).ok()?;
    let sent = uri.path_and_query()?.as_str();
    (sent.len() <= TARGET_BYTES_MAX).then_some(uri)
}

/// The path by which a client asks for what `route` names, for those with a name in them.
fn asked_again(route: &Route) -> Option<String> {
    let app = |app: &AppName| named(app.as_str());
    let id = |id: &InstanceId| named(id.as_str());
    Some(match route {
        // The name of another route.
        Route::Application(name) if name.as_str() == "DELTA" => return None,
        Route::Application(name) => format!("/apps/{}", app(name)),
        Route::Instance(name, it) => format!("/apps/{}/{}", app(name), id(it)),
        Route::InstanceStatus(name, it) => format!("/apps/{}/{}/status", app(name), id(it)),
        Route::InstanceMetadata(name, it) => format!("/apps/{}/{}/metadata", app(name), id(it)),
        Route::AnyInstance(it) => format!("/instances/{}", id(it)),
        Route::Vip(vip) => format!("/vips/{}", named(vip)),
        Route::SecureVip(vip) => format!("/svips/{}", named(vip)),
        _ => return None,
    })
}

/// A name, escaped. Upper case may grow a name threefold, but what was sent is within its limit.
fn named(name: &str) -> String {
    assert!(name.len() <= 3 * MAX_NAME_BYTES, "a name over its limit");
    assert!(!name.is_empty(), "a name without a letter");
    assert!(!name.chars().any(char::is_control), "{name:?}");
    utf8_percent_encode(name, NAME).to_string()
}
