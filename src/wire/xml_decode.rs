//! Registrations in XML.
//!
//! Owns how Eureka clients write an instance as XML, straight into a [`Draft`] from a pull parser. It
//! may not check what an instance needs, nor what is well-formed: [`super::xml_cursor`] does.

use quick_xml::events::BytesStart;

use crate::registry::{LeaseTerms, Port};

use super::draft::{DataCenterKind, Draft, DraftDataCenter, Entries, Field};
use super::scalar;
use super::xml_cursor::Cursor;
use super::xml_names;

/// What XStream takes for an instance: its alias, and the class itself.
const ROOTS: [&str; 2] = ["instance", "com.netflix.appinfo.InstanceInfo"];

/// Decodes `<instance>…</instance>`, after an optional prolog. Nothing but comments may follow it.
///
/// # Errors
/// A sentence, if it is no such document; in Eureka's answer all are the same.
pub(super) fn registration(text: &str) -> Result<Draft<'_>, String> {
    let mut xml = Cursor::new(text)?;
    match xml.child()? {
        Some(root) if ROOTS.contains(&root.name().as_ref()) => {}
        _ => return Err("the root is not <instance>".to_owned()),
    }
    let mut draft = Draft::default();
    while let Some(element) = xml.child()? {
        set(&mut draft, &element, &mut xml)?;
    }
    xml.end()?;
    Ok(draft)
}

/// Reads the element just opened into the draft; unknown ones are skipped whole.
fn set<'a>(
    draft: &mut Draft<'a>,
    element: &BytesStart<'a>,
    xml: &mut Cursor<'a>,
) -> Result<(), String> {
    match Field::named(element.name().as_ref()) {
        Field::Text(field) => draft.set(field, xml.text()?),
        Field::Status => draft.status = scalar::status(&xml.text()?),
        Field::Overridden => draft.overridden = scalar::status(&xml.text()?),
        Field::Port => port(&mut draft.port, element, xml)?,
        Field::SecurePort => port(&mut draft.secure_port, element, xml)?,
        Field::CountryId => draft.country_id = number("countryId", &xml.text()?)?,
        Field::DataCenter => draft.data_center = data_center(xml)?,
        Field::Lease => draft.lease = lease(xml)?,
        Field::Metadata => draft.metadata = metadata(xml)?,
        Field::LastDirty => draft.last_dirty_ms = timestamp(&xml.text()?)?,
        Field::Unknown => xml.skip()?,
    }
    Ok(())
}

fn port(port: &mut Port, element: &BytesStart<'_>, xml: &mut Cursor<'_>) -> Result<(), String> {
    let enabled = element
        .try_get_attribute("enabled")
        .map_err(|error| scalar::sentence(&error))?;
    // What is neither leaves the default, which for the two ports is not the same.
    match enabled.map(|attribute| attribute.value) {
        Some(value) if value.eq_ignore_ascii_case("true") => port.enabled = true,
        Some(value) if value.eq_ignore_ascii_case("false") => port.enabled = false,
        _ => {}
    }
    port.number = number("port", &xml.text()?)?;
    Ok(())
}

/// A number that must be one, without blanks: XStream, unlike Jackson, refuses anything else here.
fn number(name: &str, text: &str) -> Result<i32, String> {
    text.parse()
        .map_err(|_| format!("{name} is no number: {}", scalar::excerpt(text)))
}

/// A `lastDirtyTimestamp`, in ms; empty is absent. Eureka's XML parser would make garbage "now", which lets the sender win over
/// every later registration: it is refused.
fn timestamp(text: &str) -> Result<Option<u64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let garbage = |_| format!("lastDirtyTimestamp is no time: {}", scalar::excerpt(text));
    text.parse()
        .map_err(garbage)
        .and_then(scalar::not_negative)
        .map(Some)
}

/// The terms of a lease; what is no positive number is the default.
fn lease(xml: &mut Cursor<'_>) -> Result<LeaseTerms, String> {
    let (mut terms, default) = (LeaseTerms::default(), LeaseTerms::default());
    while let Some(element) = xml.child()? {
        let (place, default) = match element.name().as_ref() {
            "renewalIntervalInSecs" => (
                &mut terms.renewal_interval_secs,
                default.renewal_interval_secs,
            ),
            "durationInSecs" => (&mut terms.duration_secs, default.duration_secs),
            _ => {
                xml.skip()?;
                continue;
            }
        };
        let value = xml.text()?.parse().ok().and_then(scalar::lease_seconds);
        *place = value.unwrap_or(default);
    }
    Ok(terms)
}

/// A data center; one without a name is none. Its name comes first, because it says what the rest means.
fn data_center(xml: &mut Cursor<'_>) -> Result<Option<DraftDataCenter>, String> {
    let mut center = DraftDataCenter::default();
    while let Some(element) = xml.child()? {
        match (element.name().as_ref(), center.kind) {
            ("name", _) => center.kind = Some(DataCenterKind::named(&xml.text()?)?),
            ("metadata", None) => return Err("metadata before the data center's name".to_owned()),
            ("metadata", Some(DataCenterKind::Amazon)) => center.metadata = metadata(xml)?,
            _ => xml.skip()?,
        }
    }
    Ok(center.kind.is_some().then_some(center))
}

fn metadata(xml: &mut Cursor<'_>) -> Result<Entries, String> {
    let mut entries = Entries::default();
    while let Some(element) = xml.child()? {
        let name = element.name();
        entries.put(xml_names::decode(name.as_ref())?, xml.text()?);
    }
    Ok(entries)
}
