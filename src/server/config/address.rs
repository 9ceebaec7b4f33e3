//! Addresses as the configuration writes them.
//!
//! Owns `host:port` and `http://host:port`, checked for shape. It may not resolve or connect.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// A `host:port`, with a name, an IPv4 address or a bracketed IPv6 address as host. Port 0 asks the
/// system for a free one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    text: String,
    host_len: usize,
    port: u16,
}

impl HostPort {
    /// As it was written, fit for connecting and binding.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host, without the brackets of IPv6.
    pub fn host(&self) -> &str {
        self.text[..self.host_len]
            .trim_start_matches('[')
            .trim_end_matches(']')
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether only this machine can reach it. A name other than `localhost` counts as reachable
    /// from elsewhere: what it resolves to may change.
    pub fn is_loopback(&self) -> bool {
        match self.host().parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback(),
            Err(_) => self.host().eq_ignore_ascii_case("localhost"),
        }
    }

    /// Whether it stands for every address of the machine (`0.0.0.0`, `[::]`), so that nobody can
    /// connect to it as written.
    pub fn is_unspecified(&self) -> bool {
        self.host()
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_unspecified())
    }

    /// The same host with another port, e.g. the one the system chose.
    pub fn with_port(&self, port: u16) -> Self {
        Self {
            text: format!("{}:{port}", &self.text[..self.host_len]),
            host_len: self.host_len,
            port,
        }
    }

    /// The loopback address with this port.
    pub(super) fn on_loopback(&self) -> Self {
        SocketAddr::from(([127, 0, 0, 1], self.port)).into()
    }
}

impl From<SocketAddr> for HostPort {
    fn from(addr: SocketAddr) -> Self {
        let text = addr.to_string();
        let host_len = text.rfind(':').expect("a socket address ends in :port");
        Self {
            text,
            host_len,
            port: addr.port(),
        }
    }
}

/// The text is not an address of the expected shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an address")]
pub struct BadAddress;

/// The longest host name of DNS.
const HOST_LEN_MAX: usize = 253;

impl FromStr for HostPort {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let (host, port) = text.rsplit_once(':').ok_or(BadAddress)?;
        let all_digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        if !all_digits || !is_host(host) {
            return Err(BadAddress);
        }
        Ok(Self {
            text: text.to_owned(),
            host_len: host.len(),
            port: port.parse().map_err(|_| BadAddress)?,
        })
    }
}

/// Whether `host` is a bracketed IPv6 address, an IPv4 address or a host name.
fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[') {
        return inner
            .strip_suffix(']')
            .is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
    }
    let named = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let numeric = |b: u8| b.is_ascii_digit() || b == b'.';
    // A host of digits and dots that is no IPv4 address is a typing error, not a name.
    let is_ip_if_numeric = !host.bytes().all(numeric) || host.parse::<IpAddr>().is_ok();
    !host.is_empty() && host.len() <= HOST_LEN_MAX && host.bytes().all(named) && is_ip_if_numeric
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The root of an HTTP server, `http://host:port`, without a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    text: String,
    authority: HostPort,
}

impl BaseUrl {
    /// `http://host:port`, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where to connect.
    pub fn authority(&self) -> &HostPort {
        &self.authority
    }
}

impl From<HostPort> for BaseUrl {
    fn from(authority: HostPort) -> Self {
        Self {
            text: format!("http://{authority}"),
            authority,
        }
    }
}

impl FromStr for BaseUrl {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let rest = text.strip_prefix("http://").ok_or(BadAddress)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        Ok(rest.parse::<HostPort>()?.into())
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        let table = [
            ("127.0.0.1:8761", Some(("127.0.0.1", 8761))),
            ("[::1]:80", Some(("::1", 80))),
            ("eureka-1.example:0", Some(("eureka-1.example", 0))),
            ("127.0.0.1", None),
            ("127.0.0.1:", None),
            ("127.0.0.1:65536", None),
            ("127.0.0.1:+80", None),
            ("127.0.0.300:80", None),
            (":80", None),
            ("::1:80", None),
            ("a b:80", None),
            ("http://a:80", None),
        ];
        for (text, parts) in table {
            let parsed = text.parse::<HostPort>().ok();
            let found = parsed
                .as_ref()
                .map(|address| (address.host(), address.port()));
            assert_eq!(found, parts, "{text}");
        }
    }

    #[test]
    fn only_loopback_addresses_are_loopback() {
        let table = [
            ("127.0.0.1:1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("localhost:1", true),
            ("0.0.0.0:1", false),
            ("10.0.0.1:1", false),
            ("eureka:1", false),
        ];
        for (text, loopback) in table {
            let address: HostPort = text.parse().unwrap();
            assert_eq!(address.is_loopback(), loopback, "{text}");
        }
    }

    #[test]
    fn a_base_url_is_http_without_a_path() {
        let url: BaseUrl = "http://a:80/".parse().unwrap();
        assert_eq!(url.as_str(), "http://a:80");
        for wrong in ["a:80", "https://a:80", "http://a:80/eureka", "http://a"] {
            assert!(wrong.parse::<BaseUrl>().is_err(), "{wrong}");
        }
    }
}
