//! Which of Eureka's four document forms a request means: JSON or XML, full or compact.
//!
//! Owns content negotiation, as pure functions of header values. It may not see a request.
//! The invariant: without a wish there is XML; clients older than JSON support depend on it.

use super::error::{NotAcceptable, UnsupportedMediaType};

/// The media type of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// `application/json`, as Eureka's legacy Jackson codec writes it.
    Json,
    /// `application/xml`, as Eureka's XStream codec writes it.
    Xml,
}

impl Format {
    /// The `Content-Type` of such a document: no charset, as Eureka sends it; the text is UTF-8.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
        }
    }
}

/// How much of each instance a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// Every field.
    Full,
    /// Eureka's "mini" codec: no leases, no metadata.
    Compact,
}

impl Form {
    /// Reads the value of `X-Eureka-Accept`. Anything but `compact`, in any case, is the full form
    /// (`EurekaAccept.java:41`); Netflix clients do send `[compact]`, and get the full form.
    pub fn from_eureka_accept(value: Option<&str>) -> Self {
        match value {
            Some(value) if value.eq_ignore_ascii_case("compact") => Self::Compact,
            _ => Self::Full,
        }
    }
}

/// Chooses the format of an answer from the `Accept` header.
///
/// JSON if an acceptable range mentions `json`, else XML (`ApplicationsResource.java:139`); a missing,
/// empty or malformed header accepts everything. Ranges with `q=0` do not count.
///
/// # Errors
/// [`NotAcceptable`] if no range admits `application/json` or `application/xml`: the 406 of JAX-RS,
/// which also refuses `text/xml`, `application/*+json` and vendor types standing alone.
pub fn negotiate(accept: Option<&str>) -> Result<Format, NotAcceptable> {
    let ranges = accept.unwrap_or_default().split(',');
    let mut ranges = ranges
        .filter(|range| !media_of(range).is_empty())
        .peekable();
    if ranges.peek().is_none() {
        return Ok(Format::Xml);
    }
    let (mut admitted, mut mentions_json) = (false, false);
    for range in ranges.filter(|range| !is_excluded(range)) {
        let media = media_of(range);
        admitted |= admits_ours(media);
        mentions_json |= contains_json(media);
    }
    match (admitted, mentions_json) {
        (false, _) => Err(NotAcceptable),
        (true, true) => Ok(Format::Json),
        (true, false) => Ok(Format::Xml),
    }
}

/// Chooses the format of a request body from its `Content-Type`.
///
/// Parameters and case do not matter, but a charset must be UTF-8 or ISO-8859-1 (and the text is read
/// as UTF-8 either way, as Jackson does). `*/*` and
/// `application/*` are read as XML, as Jersey does.
///
/// # Errors
/// [`UnsupportedMediaType`] for a missing or any other type: 415, with an empty body.
pub fn body_format(content_type: Option<&str>) -> Result<Format, UnsupportedMediaType> {
    let value = content_type.ok_or(UnsupportedMediaType)?;
    if !value.split(';').skip(1).all(has_readable_charset) {
        return Err(UnsupportedMediaType);
    }
    let media = media_of(value);
    let is = |name: &str| media.eq_ignore_ascii_case(name);
    if is("application/json") {
        Ok(Format::Json)
    } else if is("application/xml") || is("application/*") || is("*/*") {
        Ok(Format::Xml)
    } else {
        Err(UnsupportedMediaType)
    }
}

/// The range without its parameters.
fn media_of(range: &str) -> &str {
    range.split(';').next().unwrap_or_default().trim()
}

/// True for a range the client excluded with `q=0`.
fn is_excluded(range: &str) -> bool {
    range.split(';').skip(1).any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        name.trim().eq_ignore_ascii_case("q") && value.trim().parse() == Ok(0.0_f32)
    })
}

/// Whether a range lets us answer. A malformed one (the JDK sends a bare `*`) lets everything.
fn admits_ours(media: &str) -> bool {
    let Some((kind, subtype)) = media.split_once('/') else {
        return true;
    };
    let any_kind = kind == "*";
    let ours = ["json", "xml", "*"]
        .iter()
        .any(|name| subtype.eq_ignore_ascii_case(name));
    (any_kind && subtype == "*") || (kind.eq_ignore_ascii_case("application") && ours)
}

fn contains_json(media: &str) -> bool {
    media
        .as_bytes()
        .windows(4)
        .any(|window| window.eq_ignore_ascii_case(b"json"))
}

/// True for every parameter but a charset in which we cannot read.
fn has_readable_charset(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else {
        return true;
    };
    let value = value.trim().trim_matches('"');
    !name.trim().eq_ignore_ascii_case("charset")
        || ["utf-8", "utf8", "iso-8859-1"]
            .iter()
            .any(|known| value.eq_ignore_ascii_case(known))
}
