//! A registration as decoded, and Eureka's checks that make an instance of it.
//!
//! Owns the names of an instance's fields, their defaults, the checks and their order
//! (`ApplicationResource.java:145`). It may not know JSON or XML.
//!
//! The invariant: an [`Instance`] leaves here whole, within the limits named here, or not at all.

use std::borrow::Cow;

use crate::registry::{
    AppName, DataCenter, Instance, InstanceId, InstanceStatus, LeaseTerms, METADATA_ENTRIES_MAX,
    Port,
};

use super::error::RegistrationError;
use super::format::Format;
use super::{json_decode, xml_decode};

/// The longest application name or instance id, in bytes of UTF-8. Both are keys everywhere.
pub const MAX_NAME_BYTES: usize = 1_024;

/// The most entries in an instance's metadata, and in an Amazon data center's.
pub const MAX_METADATA_ENTRIES: usize = METADATA_ENTRIES_MAX;

/// The Amazon metadata entry that names the instance.
const AMAZON_ID: &str = "instance-id";

/// Decodes the body of POST apps/{path_app}; `path_app` is percent-decoded, in any case.
///
/// # Errors
/// [`RegistrationError`]: the first of Eureka's checks that fails, in Eureka's order, then our limits.
pub fn decode_registration(
    format: Format,
    body: &[u8],
    path_app: &str,
) -> Result<Instance, RegistrationError> {
    let text = std::str::from_utf8(body)
        .map_err(|error| RegistrationError::Unparsable(error.to_string()))?;
    // Editors on Windows put a byte order mark before the text; Java's parsers skip it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let draft = match format {
        Format::Json => json_decode::registration(text),
        Format::Xml => xml_decode::registration(text),
    };
    draft
        .map_err(RegistrationError::Unparsable)?
        .into_instance(path_app)
}

/// A field of an instance that a client may set. Others are the server's, or unknown: skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// A field that is text to us.
    Text(TextField),
    /// `status`.
    Status,
    /// `overriddenStatus` since Eureka 1.8.0, `overriddenstatus` before and in XML.
    Overridden,
    /// `port`.
    Port,
    /// `securePort`.
    SecurePort,
    /// `countryId`.
    CountryId,
    /// `dataCenterInfo`.
    DataCenter,
    /// `leaseInfo`.
    Lease,
    /// `metadata`.
    Metadata,
    /// `lastDirtyTimestamp`.
    LastDirty,
    /// Anything else.
    Unknown,
}

/// A field of an instance that is text, as an index into [`Draft::texts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextField {
    InstanceId,
    HostName,
    App,
    IpAddr,
    Sid,
    AppGroupName,
    HomePageUrl,
    StatusPageUrl,
    HealthCheckUrl,
    SecureHealthCheckUrl,
    VipAddress,
    SecureVipAddress,
    AsgName,
}

impl Field {
    /// The field of that name, the same in JSON and XML.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "instanceId" => Self::Text(TextField::InstanceId),
            "hostName" => Self::Text(TextField::HostName),
            "app" => Self::Text(TextField::App),
            "ipAddr" => Self::Text(TextField::IpAddr),
            "sid" => Self::Text(TextField::Sid),
            "appGroupName" => Self::Text(TextField::AppGroupName),
            "homePageUrl" => Self::Text(TextField::HomePageUrl),
            "statusPageUrl" => Self::Text(TextField::StatusPageUrl),
            "healthCheckUrl" => Self::Text(TextField::HealthCheckUrl),
            "secureHealthCheckUrl" => Self::Text(TextField::SecureHealthCheckUrl),
            "vipAddress" => Self::Text(TextField::VipAddress),
            "secureVipAddress" => Self::Text(TextField::SecureVipAddress),
            "asgName" => Self::Text(TextField::AsgName),
            "status" => Self::Status,
            "overriddenStatus" | "overriddenstatus" => Self::Overridden,
            "port" => Self::Port,
            "securePort" => Self::SecurePort,
            "countryId" => Self::CountryId,
            "dataCenterInfo" => Self::DataCenter,
            "leaseInfo" => Self::Lease,
            "metadata" => Self::Metadata,
            "lastDirtyTimestamp" => Self::LastDirty,
            _ => Self::Unknown,
        }
    }
}

/// What a document said, with Eureka's defaults where it said nothing.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    texts: [Option<Cow<'a, str>>; 13],
    pub(super) status: InstanceStatus,
    pub(super) overridden: InstanceStatus,
    pub(super) port: Port,
    pub(super) secure_port: Port,
    pub(super) country_id: i32,
    pub(super) data_center: Option<DraftDataCenter>,
    pub(super) lease: LeaseTerms,
    pub(super) metadata: Entries,
    pub(super) last_dirty_ms: Option<u64>,
}

/// A `dataCenterInfo` that was there; what it is follows from its name alone.
#[derive(Debug, Default)]
pub(super) struct DraftDataCenter {
    pub(super) kind: Option<DataCenterKind>,
    pub(super) metadata: Entries,
}

/// The three names a data center may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DataCenterKind {
    MyOwn,
    Netflix,
    Amazon,
}

impl DataCenterKind {
    /// The kind of that name, in exactly this case.
    ///
    /// # Errors
    /// A sentence, if there is none: Eureka refuses the document.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        match name {
            "MyOwn" => Ok(Self::MyOwn),
            "Netflix" => Ok(Self::Netflix),
            "Amazon" => Ok(Self::Amazon),
            _ => Err("dataCenterInfo is none of MyOwn, Netflix and Amazon".to_owned()),
        }
    }
}

/// A metadata map: in the order sent, keys unique, the last value of a key at its first place.
///
/// Holds at most one entry more than [`MAX_METADATA_ENTRIES`], by which its overflow is known.
#[derive(Debug, Default)]
pub(super) struct Entries(Vec<Entry>);

type Entry = (Box<str>, Box<str>);

impl Entries {
    /// Adds or replaces an entry. `@class` is Java's, not the client's: dropped.
    pub(super) fn put(&mut self, key: Cow<'_, str>, value: Cow<'_, str>) {
        if key == "@class" || self.0.len() > MAX_METADATA_ENTRIES {
            return;
        }
        let value = boxed(value);
        match self.0.iter_mut().find(|(known, _)| **known == *key) {
            Some(known) => known.1 = value,
            None => {
                self.make_room();
                self.0.push((boxed(key), value));
            }
        }
    }

    /// Doubles, but never beyond what there may be: many small entries are the dearest of all bodies.
    fn make_room(&mut self) {
        let held = self.0.len();
        if held == self.0.capacity() {
            let most = MAX_METADATA_ENTRIES + 1 - held;
            self.0.reserve_exact(held.max(4).min(most));
        }
    }

    fn into_checked(mut self) -> Result<Vec<Entry>, RegistrationError> {
        if self.0.len() > MAX_METADATA_ENTRIES {
            return Err(RegistrationError::TooMuchMetadata);
        }
        self.0.shrink_to_fit();
        Ok(self.0)
    }
}

impl Default for Draft<'_> {
    fn default() -> Self {
        let port = |number, enabled| Port { number, enabled };
        Self {
            texts: Default::default(),
            status: InstanceStatus::Up,
            overridden: InstanceStatus::Unknown,
            port: port(7001, true),
            secure_port: port(7002, false),
            country_id: 1,
            data_center: None,
            lease: LeaseTerms::default(),
            metadata: Entries::default(),
            last_dirty_ms: None,
        }
    }
}

impl<'a> Draft<'a> {
    /// Sets a text, which may be empty; an empty host name leaves the one before (`InstanceInfo.Builder`).
    pub(super) fn set(&mut self, field: TextField, text: Cow<'a, str>) {
        if field == TextField::HostName && text.is_empty() {
            return;
        }
        self.texts[field as usize] = Some(text);
    }

    fn text(&self, field: TextField) -> &str {
        self.texts[field as usize].as_deref().unwrap_or_default()
    }

    fn take(&mut self, field: TextField) -> Option<Box<str>> {
        self.texts[field as usize].take().map(boxed)
    }

    /// The instance, once all checks have passed; `path_app` is in any case.
    pub(super) fn into_instance(mut self, path_app: &str) -> Result<Instance, RegistrationError> {
        let id = self.check(path_app)?;
        let data_center = self.take_data_center(&id)?;
        Ok(Instance {
            id: InstanceId::new(&id),
            app: AppName::new(self.text(TextField::App)),
            host_name: self.take(TextField::HostName).unwrap_or_default(),
            ip_addr: self.take(TextField::IpAddr).unwrap_or_default(),
            sid: self.take(TextField::Sid).filter(|sid| &**sid != "na"),
            app_group_name: self.take(TextField::AppGroupName),
            home_page_url: self.take(TextField::HomePageUrl),
            status_page_url: self.take(TextField::StatusPageUrl),
            health_check_url: self.take(TextField::HealthCheckUrl),
            secure_health_check_url: self.take(TextField::SecureHealthCheckUrl),
            vip_address: self.take(TextField::VipAddress),
            secure_vip_address: self.take(TextField::SecureVipAddress),
            asg_name: self.take(TextField::AsgName),
            status: self.status,
            overridden: self.overridden,
            port: self.port,
            secure_port: self.secure_port,
            country_id: self.country_id,
            data_center,
            lease: self.lease,
            metadata: self.metadata.into_checked()?,
            last_dirty_ms: self.last_dirty_ms,
        })
    }

    /// Eureka's checks in Eureka's order, then the limits on names; answers the effective id.
    fn check(&self, path_app: &str) -> Result<Box<str>, RegistrationError> {
        if self.texts[TextField::App as usize].is_none() {
            return Err(RegistrationError::Unparsable("no app".to_owned()));
        }
        let id = self.effective_id();
        if is_blank(id) {
            return Err(RegistrationError::MissingInstanceId);
        }
        if is_blank(self.text(TextField::HostName)) {
            return Err(RegistrationError::MissingHostName);
        }
        if is_blank(self.text(TextField::IpAddr)) {
            return Err(RegistrationError::MissingIpAddress);
        }
        self.check_app(path_app)?;
        check_length("appGroupName", self.text(TextField::AppGroupName))?;
        match &self.data_center {
            None => return Err(RegistrationError::MissingDataCenter),
            Some(found) if found.kind.is_none() => {
                return Err(RegistrationError::MissingDataCenterName);
            }
            Some(_) => {}
        }
        check_name("instanceId", id)?;
        Ok(id.into())
    }

    fn check_app(&self, path_app: &str) -> Result<(), RegistrationError> {
        let app = self.text(TextField::App);
        if is_blank(app) {
            return Err(RegistrationError::MissingAppName);
        }
        // Before the comparison, whose message repeats both.
        check_name("app", app)?;
        check_name("app", path_app)?;
        let (expected, found) = (path_app.to_uppercase(), app.to_uppercase());
        // Some letters grow; the name that stays is the one that others have to be able to ask for.
        check_name("app", &found)?;
        if expected != found {
            return Err(RegistrationError::MismatchedAppName { expected, found });
        }
        Ok(())
    }

    /// `instanceId`, else Amazon's `instance-id`, else the host name (`InstanceInfo.java:942`). An
    /// empty one counts as absent, a blank one does not.
    fn effective_id(&self) -> &str {
        let amazon = self.data_center.as_ref().and_then(DraftDataCenter::id);
        [
            self.text(TextField::InstanceId),
            amazon.unwrap_or_default(),
            self.text(TextField::HostName),
        ]
        .into_iter()
        .find(|id| !id.is_empty())
        .unwrap_or_default()
    }

    /// An Amazon data center without an `instance-id` is given one, as Eureka does.
    fn take_data_center(&mut self, id: &str) -> Result<DataCenter, RegistrationError> {
        let DraftDataCenter { kind, metadata } = self
            .data_center
            .take()
            .ok_or(RegistrationError::MissingDataCenter)?;
        Ok(match kind {
            None => return Err(RegistrationError::MissingDataCenterName),
            Some(DataCenterKind::MyOwn) => DataCenter::MyOwn,
            Some(DataCenterKind::Netflix) => DataCenter::Netflix,
            Some(DataCenterKind::Amazon) => {
                let mut entries = metadata.into_checked()?;
                if !entries.iter().any(|(key, _)| **key == *AMAZON_ID) {
                    entries.push((AMAZON_ID.into(), id.into()));
                }
                DataCenter::Amazon(entries)
            }
        })
    }
}

impl DraftDataCenter {
    fn id(&self) -> Option<&str> {
        let entries = match self.kind {
            Some(DataCenterKind::Amazon) => &self.metadata.0,
            _ => return None,
        };
        let entry = entries.iter().find(|(key, _)| **key == *AMAZON_ID);
        entry.map(|(_, value)| &**value)
    }
}

/// A name that is too long, or that no terminal, log or path can carry, is refused.
fn check_name(field: &'static str, name: &str) -> Result<(), RegistrationError> {
    check_length(field, name)?;
    if name.chars().any(char::is_control) {
        return Err(RegistrationError::ControlCharacter { field });
    }
    Ok(())
}

fn check_length(field: &'static str, name: &str) -> Result<(), RegistrationError> {
    if name.len() > MAX_NAME_BYTES {
        let bytes = name.len();
        return Err(RegistrationError::NameTooLong { field, bytes });
    }
    Ok(())
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

fn boxed(text: Cow<'_, str>) -> Box<str> {
    match text {
        Cow::Borrowed(text) => text.into(),
        Cow::Owned(text) => text.into(),
    }
}
