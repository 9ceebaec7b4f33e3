//! The documents of lists, applications and single instances.
//!
//! Owns how a document is put together from per-application fragments. It may not cache them.

use crate::registry::{AppName, Application, Record};

use super::format::{Form, Format};
use super::xml_encode::XmlWriter;
use super::{json_encode, xml_encode};

/// The two fields that stand once in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplicationsHeader<'a> {
    /// `versions__delta`: `"1"` for full lists, `"-1"` for vips, a counter for deltas.
    pub version: &'a str,
    /// `apps__hashcode`.
    pub hash_code: &'a str,
}

/// One application as a part of [`applications_document`], instances in the order of `records`.
///
/// Complete in itself: it changes only when the application does, so it may be kept.
pub fn application_fragment<'a>(
    format: Format,
    form: Form,
    name: &AppName,
    records: impl Iterator<Item = &'a Record>,
) -> Vec<u8> {
    match format {
        Format::Json => {
            let mut out = Vec::with_capacity(2_048);
            json_encode::application(&mut out, form, name, records);
            out
        }
        Format::Xml => {
            let mut xml = XmlWriter::new(form, 1);
            xml_encode::application(&mut xml, name, records);
            xml.finish()
        }
    }
}

/// Where an application stands: what is around it, and in XML how deep it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a list, among others.
    Listed,
    /// Alone, as the answer of GET apps/{app}.
    Alone,
}

impl Place {
    const fn depth(self) -> usize {
        match self {
            Self::Listed => 1,
            Self::Alone => 0,
        }
    }
}

/// What stands around the instances of an application, so that a large one need not be made in one go: with
/// [`instances_fragment`] between them the parts are [`application_fragment`] or [`application_document`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationParts {
    /// Before the first instance.
    pub before: Vec<u8>,
    /// Between two runs of instances.
    pub between: &'static [u8],
    /// After the last instance.
    pub after: Vec<u8>,
}

impl ApplicationParts {
    /// The parts of the application of that name.
    pub fn new(format: Format, form: Form, place: Place, name: &AppName) -> Self {
        match format {
            Format::Json => {
                let (before, after): (&[u8], &[u8]) = match place {
                    Place::Listed => (b"", b"]}"),
                    Place::Alone => (br#"{"application":"#, b"]}}"),
                };
                let mut before = before.to_vec();
                json_encode::application_start(&mut before, name);
                Self {
                    before,
                    between: b",",
                    after: after.to_vec(),
                }
            }
            Format::Xml => {
                let mut xml = XmlWriter::new(form, place.depth());
                xml_encode::application_start(&mut xml, name);
                let before = xml.len();
                xml.close("application");
                let mut before_and_after = xml.finish();
                let after = before_and_after.split_off(before);
                Self {
                    before: before_and_after,
                    between: b"",
                    after,
                }
            }
        }
    }
}

/// Some instances of an application, one after the other: what stands between its [`ApplicationParts`].
pub fn instances_fragment<'a>(
    format: Format,
    form: Form,
    place: Place,
    records: impl Iterator<Item = &'a Record>,
) -> Vec<u8> {
    match format {
        Format::Json => {
            let mut out = Vec::with_capacity(2_048);
            json_encode::instances(&mut out, form, records);
            out
        }
        Format::Xml => {
            let mut xml = XmlWriter::new(form, place.depth() + 1);
            xml_encode::instances(&mut xml, records);
            xml.finish()
        }
    }
}

/// A whole list, as GET apps, apps/delta, vips and svips answer it: the header and the fragments,
/// which must all be of this format and form, in the order given.
pub fn applications_document(
    format: Format,
    form: Form,
    header: &ApplicationsHeader<'_>,
    fragments: impl Iterator<Item = impl AsRef<[u8]>>,
) -> Vec<u8> {
    match format {
        Format::Json => json_list(form, header, fragments),
        Format::Xml => xml_list(form, header, fragments),
    }
}

/// The answer of GET apps/{app}, instances in id order.
pub fn application_document(format: Format, form: Form, application: &Application) -> Vec<u8> {
    let records = application.instances.values().map(|record| &**record);
    match format {
        Format::Json => {
            let mut out = br#"{"application":"#.to_vec();
            json_encode::application(&mut out, form, &application.name, records);
            out.push(b'}');
            out
        }
        Format::Xml => {
            let mut xml = XmlWriter::new(form, 0);
            xml_encode::application(&mut xml, &application.name, records);
            xml.finish()
        }
    }
}

/// The answer of GET apps/{app}/{id} and instances/{id}, always in the full form.
///
/// `renewed_ms` is the real last renewal, in ms of wall time; lists show [`Record::renewed_ms`].
/// Unlike Netflix's, the XML shows OUT_OF_SERVICE and UNKNOWN as what they are.
pub fn instance_document(format: Format, record: &Record, renewed_ms: u64) -> Vec<u8> {
    match format {
        Format::Json => {
            let mut out = Vec::with_capacity(2_048);
            out.extend_from_slice(br#"{"instance":"#);
            json_encode::full_instance(&mut out, record, renewed_ms);
            out.push(b'}');
            json_encode::escape_supplementary(out)
        }
        Format::Xml => {
            let mut xml = XmlWriter::new(Form::Full, 0);
            xml_encode::full_instance(&mut xml, "instance", record, renewed_ms);
            xml.finish()
        }
    }
}

fn json_list(
    form: Form,
    header: &ApplicationsHeader<'_>,
    fragments: impl Iterator<Item = impl AsRef<[u8]>>,
) -> Vec<u8> {
    let mut out = br#"{"applications":{"#.to_vec();
    if form == Form::Full {
        json_header(&mut out, header);
        out.push(b',');
    }
    out.extend_from_slice(br#""application":["#);
    let mut listed = 0_usize;
    for fragment in fragments {
        if listed > 0 {
            out.push(b',');
        }
        out.extend_from_slice(fragment.as_ref());
        listed += 1;
    }
    out.push(b']');
    if form == Form::Compact {
        out.extend_from_slice(br#","registeredApplicationsEmpty":"#);
        out.extend_from_slice(if listed == 0 { b"true," } else { b"false," });
        json_header(&mut out, header);
    }
    out.extend_from_slice(b"}}");
    out
}

fn json_header(out: &mut Vec<u8>, header: &ApplicationsHeader<'_>) {
    json_encode::text(out, br#""versions__delta":"#, header.version);
    json_encode::text(out, br#","apps__hashcode":"#, header.hash_code);
}

fn xml_list(
    form: Form,
    header: &ApplicationsHeader<'_>,
    fragments: impl Iterator<Item = impl AsRef<[u8]>>,
) -> Vec<u8> {
    let mut xml = XmlWriter::new(form, 0);
    xml.open("applications");
    if form == Form::Full {
        xml_header(&mut xml, header);
    }
    let mut listed = 0_usize;
    for fragment in fragments {
        xml.fragment(fragment.as_ref());
        listed += 1;
    }
    if form == Form::Compact {
        let empty = if listed == 0 { "true" } else { "false" };
        xml.leaf("registeredApplicationsEmpty", empty);
        xml_header(&mut xml, header);
    }
    xml.close("applications");
    xml.finish()
}

fn xml_header(xml: &mut XmlWriter, header: &ApplicationsHeader<'_>) {
    xml.leaf("versions__delta", header.version);
    xml.leaf("apps__hashcode", header.hash_code);
}
