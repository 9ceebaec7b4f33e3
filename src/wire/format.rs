//! Eureka's four document forms: JSON or XML, full or compact.
//!
//! Owns what they are called, and which of them a body says it is. It may not see a request; what an answer is
//! written in is chosen in [`super::accept`].

use super::error::UnsupportedMediaType;

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
