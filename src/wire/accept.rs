//! Which of Eureka's formats an `Accept` header asks for.
//!
//! Owns content negotiation as released servers do it (Jersey's rules, then Eureka's own look at the text), as a pure
//! function of header lines. It may not see a request. The invariant: without a wish there is XML; clients
//! older than JSON support depend on it.

use super::error::NotAcceptable;
use super::format::Format;

/// The formats of the answers to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Of a single instance, of the status page, and of the text of a refusal: as JAX-RS resolves it.
    pub one: Format,
    /// Of lists and applications. These are JSON as soon as the header mentions it
    /// (`ApplicationsResource.java:139`), even where JAX-RS resolves to XML and the released servers say so in the
    /// `Content-Type` of that JSON.
    pub list: Format,
}

/// Chooses the formats of an answer from the lines of the `Accept` header, in order.
///
/// The range with the highest weight wins, then the one with fewer wildcards, then the first; of a wildcard's two
/// XML. A weight of 0 is the lowest and no refusal, as in Jersey. What is no media range does not count: released
/// servers refuse the request for it (400).
///
/// # Errors
/// [`NotAcceptable`] if there are ranges and none admits `application/json` or `application/xml`: the 406 of JAX-RS,
/// which also refuses `text/xml`, `application/*+json` and vendor types standing alone.
pub fn negotiate<'a>(mut lines: impl Iterator<Item = &'a str>) -> Result<Accepted, NotAcceptable> {
    let first = lines.next().unwrap_or_default();
    let ranges = std::iter::once(first).chain(lines).flat_map(members);
    let mut ranges = ranges.filter_map(Range::read).peekable();
    let mentions_json = first.contains("json");
    let accepts_all = ranges.peek().is_none();
    let one = if accepts_all {
        Format::Xml
    } else {
        best(ranges).ok_or(NotAcceptable)?
    };
    let list = if mentions_json { Format::Json } else { one };
    Ok(Accepted { one, list })
}

/// What the best of `ranges` admits.
fn best<'a>(ranges: impl Iterator<Item = Range<'a>>) -> Option<Format> {
    let mut best: Option<(Range<'a>, Format)> = None;
    for range in ranges {
        let Some(format) = range.format() else {
            continue;
        };
        let is_better = best.as_ref().is_none_or(|(so_far, _)| {
            let by_weight = range.weight.total_cmp(&so_far.weight);
            let fewer = so_far.wildcards().cmp(&range.wildcards());
            by_weight.then(fewer).is_gt()
        });
        if is_better {
            best = Some((range, format));
        }
    }
    best.map(|(_, format)| format)
}

/// One member of an `Accept` header.
#[derive(Debug, Clone, Copy)]
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// From 0 to 1.
    weight: f32,
}

impl<'a> Range<'a> {
    /// Reads `type/subtype` or, as Jersey does, a bare `type`, which is `type/*`. Parameters but the weight mean
    /// nothing.
    fn read(member: &'a str) -> Option<Self> {
        let mut parameters = member.split(';');
        let media = parameters.next().unwrap_or_default().trim();
        let (kind, subtype) = media.split_once('/').unwrap_or((media, "*"));
        let mut weights = parameters
            .filter_map(|parameter| parameter.split_once('='))
            .filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
        let last = weights.next_back();
        (is_token(kind) && is_token(subtype)).then(|| Self {
            kind,
            subtype,
            weight: last.map_or(1.0, |(_, text)| weight(text)),
        })
    }

    /// The format it admits; XML, which the resources name first, if both.
    fn format(&self) -> Option<Format> {
        let is = |part: &str, name: &str| part == "*" || part.eq_ignore_ascii_case(name);
        if !is(self.kind, "application") {
            None
        } else if is(self.subtype, "xml") {
            Some(Format::Xml)
        } else if is(self.subtype, "json") {
            Some(Format::Json)
        } else {
            None
        }
    }

    fn wildcards(&self) -> usize {
        usize::from(self.kind == "*") + usize::from(self.subtype == "*")
    }
}

/// The members of a header line: commas in quotes separate nothing.
fn members(line: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    line.split(move |letter| {
        is_quoted ^= letter == '"';
        letter == ',' && !is_quoted
    })
}

/// A weight; what is none from 0 to 1 is 1.
fn weight(text: &str) -> f32 {
    let weight = text.trim().trim_matches('"').parse();
    weight
        .ok()
        .filter(|weight| (0.0..=1.0).contains(weight))
        .unwrap_or(1.0)
}

/// Whether `text` is a token (RFC 9110, 5.6.2).
fn is_token(text: &str) -> bool {
    let is_mark = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte))
}
