//! The configuration as it is put together, with what had to be left out.
//!
//! Owns how a value becomes ours, and the refusal of one that cannot. It may not know how the page looks.

use std::time::Duration;

use super::meaning::{self, Meaning};
use super::peers::{self, EUREKA_PORT, Lineup, Member, Own};
use super::properties::{Properties, Property, Resolved, canonical};
use crate::server::config::HostPort;

/// The longest duration of the configuration: a year.
const MILLIS_MAX: u64 = 365 * 24 * 60 * 60 * 1_000;

/// Whether a line of ours is in effect as printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Now,
    /// Only once somebody who has read why takes the comment sign away.
    WhenWanted,
}

/// One key of ours.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) key: &'static str,
    /// As TOML.
    pub(super) value: String,
    pub(super) comments: Vec<String>,
    pub(super) effect: Effect,
}

/// A property of theirs that became none of ours.
#[derive(Debug)]
pub(super) struct LeftOut {
    /// `key = value` on one line, without secrets.
    pub(super) what: String,
    pub(super) place: String,
    pub(super) why: String,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) settings: Vec<Setting>,
    /// Known, with nothing here to set.
    pub(super) meaningless: Vec<LeftOut>,
    /// Not known, or with a value that cannot be meant.
    pub(super) not_understood: Vec<LeftOut>,
    own: Own,
    address: Option<String>,
    servers: Vec<peers::Server>,
    /// Where what the node's name, addresses and peers come from was read.
    sources: Vec<String>,
}

impl Draft {
    /// What `properties` say.
    pub(super) fn of(properties: &Properties) -> Self {
        let mut draft = Self::default();
        for (name, property) in properties.iter() {
            let meaning = meaning::of(name);
            match meaning {
                Meaning::Foreign => {}
                Meaning::Unknown => {
                    let why = "no key of Eureka's that is known here".to_owned();
                    draft.not_understood.push(left_out(property, why));
                }
                Meaning::Without(why) => draft.meaningless.push(left_out(property, why.to_owned())),
                Meaning::Secret(why) => draft.meaningless.push(LeftOut {
                    what: one_line(&property.key),
                    ..left_out(property, why.to_owned())
                }),
                meaning => draft.take(meaning, property, properties),
            }
        }
        draft.settle();
        draft
    }

    fn take(&mut self, meaning: Meaning, property: &Property, properties: &Properties) {
        let taken = properties
            .resolve(&property.value)
            .map_err(|unfilled| format!("${{{}}} has no value here and no default", unfilled.0))
            .and_then(|value| self.set(meaning, property, &value));
        if let Err(why) = taken {
            self.not_understood.push(left_out(property, why));
        }
    }

    /// # Errors
    /// A sentence, for a value that cannot be meant.
    fn set(
        &mut self,
        meaning: Meaning,
        property: &Property,
        value: &Resolved,
    ) -> Result<(), String> {
        let text = value.text.trim();
        match meaning {
            Meaning::Port => {
                let port = text.parse().map_err(|_| "not a port".to_owned())?;
                self.own.port = Some(port);
            }
            Meaning::Address => self.address = Some(host(text)?),
            Meaning::HostName => self.own.host = Some(host(text)?),
            Meaning::Peers => self.peers(text)?,
            Meaning::Flag(key) => self.put(key, flag(text)?.to_string(), property, value),
            Meaning::Fraction(key) => self.put(key, fraction(text)?, property, value),
            Meaning::Millis(key) => self.put(key, duration(text)?, property, value),
            _ => {}
        }
        if !matches!(
            meaning,
            Meaning::Flag(_) | Meaning::Fraction(_) | Meaning::Millis(_)
        ) {
            self.sources.push(source(property, value));
        }
        Ok(())
    }

    /// The URLs of one zone; there is one list of members for all zones.
    fn peers(&mut self, text: &str) -> Result<(), String> {
        let urls = text.split(',').map(str::trim).filter(|url| !url.is_empty());
        for url in urls {
            let server = peers::server(url).ok_or("not a list of http URLs")?;
            self.servers.push(server);
        }
        Ok(())
    }

    fn put(&mut self, key: &'static str, value: String, property: &Property, from: &Resolved) {
        self.settings.push(Setting {
            key,
            value,
            comments: vec![source(property, from)],
            effect: Effect::Now,
        });
    }

    /// What follows from several properties together: name, addresses, members.
    fn settle(&mut self) {
        let lineup = peers::lineup(std::mem::take(&mut self.servers), &self.own);
        let comments = std::mem::take(&mut self.sources);
        match &lineup {
            Lineup::Cluster(me, members) => {
                let own = &members[*me].server;
                self.own.host = Some(own.host.clone());
                self.own.port = Some(own.port);
                self.name(&members[*me].name);
                self.listen(&comments);
                self.cluster(members);
            }
            Lineup::Alone => {
                if let Some(name) = self.own.host.clone() {
                    self.name(&name);
                }
                self.listen(&comments);
            }
            Lineup::Unclear(why) => {
                self.listen(&comments);
                self.not_understood.push(LeftOut {
                    what: "the servers of eureka.client.service-url".to_owned(),
                    place: comments.join("; "),
                    why: (*why).to_owned(),
                });
            }
        }
    }

    fn name(&mut self, name: &str) {
        let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.len() <= 64 && name.chars().all(fit) {
            self.plain("node.name", quoted(name), Vec::new());
        }
    }

    /// The two listeners, and where clients reach the first.
    fn listen(&mut self, comments: &[String]) {
        let Some(port) = self.own.port else {
            return;
        };
        let address = self.address.as_deref().unwrap_or("0.0.0.0");
        self.plain(
            "listen.http",
            quoted(&format!("{address}:{port}")),
            comments.to_vec(),
        );
        if port != EUREKA_PORT {
            let peer = format!("127.0.0.1:{}", peers::peer_port(port));
            self.plain("listen.peer", quoted(&peer), Vec::new());
        }
        if let Some(host) = self.own.host.clone() {
            let url = format!("http://{host}:{port}");
            self.plain("node.advertise_http", quoted(&url), Vec::new());
        }
    }

    /// The members, in effect only where nobody else can reach the peer port: peers talk in the clear.
    fn cluster(&mut self, members: &[Member]) {
        let safe = members
            .iter()
            .all(|member| peers::is_loopback(&member.server));
        let (effect, why) = match safe {
            true => (
                Effect::Now,
                "the same list, in the same order, on each of them",
            ),
            false => (
                Effect::WhenWanted,
                "the same on each of them; take the # away on all, where nobody else reaches the peer ports",
            ),
        };
        let rows = members.iter().map(|member| {
            format!(
                "  {{ name = {}, peer = {} }},\n",
                quoted(&member.name),
                quoted(&member.peer)
            )
        });
        self.settings.push(Setting {
            key: "cluster.initial_members",
            value: format!("[\n{}]", rows.collect::<String>()),
            comments: vec![why.to_owned()],
            effect,
        });
        if !safe {
            self.exposed();
        }
    }

    /// The peer listener where the other members reach it.
    fn exposed(&mut self) {
        self.settings.retain(|setting| setting.key != "listen.peer");
        let port = peers::peer_port(self.own.port.unwrap_or(EUREKA_PORT));
        for (key, value) in [
            ("listen.peer", quoted(&format!("0.0.0.0:{port}"))),
            ("peer.allow_plaintext", "true".to_owned()),
        ] {
            self.settings.push(Setting {
                key,
                value,
                comments: vec!["together with cluster.initial_members".to_owned()],
                effect: Effect::WhenWanted,
            });
        }
    }

    fn plain(&mut self, key: &'static str, value: String, comments: Vec<String>) {
        self.settings.push(Setting {
            key,
            value,
            comments,
            effect: Effect::Now,
        });
    }
}

/// Where a value came from.
fn source(property: &Property, value: &Resolved) -> String {
    let mut text = format!("{} ({})", one_line(&property.key), property.place);
    for name in &value.defaulted {
        text += &format!(", with the default of ${{{}}}", one_line(name));
    }
    text
}

fn left_out(property: &Property, why: String) -> LeftOut {
    let key = one_line(&property.key);
    LeftOut {
        what: match is_secret(&property.key) {
            true => key,
            false => format!(
                "{key} = {}",
                one_line(&without_credentials(&property.value))
            ),
        },
        place: property.place.to_string(),
        why,
    }
}

/// Whether a key's own name says that its value is not to be shown.
fn is_secret(key: &str) -> bool {
    let name = canonical(key);
    ["password", "secret", "credential", "token"]
        .iter()
        .any(|word| name.contains(word))
}

/// A comment must not end before its line does.
fn one_line(text: &str) -> String {
    const LEN_MAX: usize = 120;
    let safe = |c: char| if c.is_control() { ' ' } else { c };
    let mut short: String = text.chars().take(LEN_MAX).map(safe).collect();
    if text.chars().nth(LEN_MAX).is_some() {
        short.push('…');
    }
    short
}

/// Every `user:secret@` of the URLs in `text` taken out.
fn without_credentials(text: &str) -> String {
    let clean = |url: &str| match url.split_once("://") {
        Some((scheme, rest)) => match rest
            .split_once('/')
            .unwrap_or((rest, ""))
            .0
            .rsplit_once('@')
        {
            Some((secret, _)) => format!("{scheme}://…{}", &rest[secret.len()..]),
            None => url.to_owned(),
        },
        None => url.to_owned(),
    };
    text.split(',').map(clean).collect::<Vec<_>>().join(",")
}

/// As a TOML string; only names, hosts and numbers come here, which need no escape.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn host(text: &str) -> Result<String, String> {
    let parsed: Result<HostPort, _> = format!("{text}:1").parse();
    parsed
        .map(|_| text.to_owned())
        .map_err(|_| "not a host".to_owned())
}

/// As Spring's converter.
fn flag(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err("neither true nor false".to_owned()),
    }
}

fn fraction(text: &str) -> Result<String, String> {
    let number: Option<f64> = text
        .parse()
        .ok()
        .filter(|number| (0.0..=1.0).contains(number));
    let number = number.ok_or("not a number from 0 to 1")?;
    let milli = (number * 1_000.0).round();
    if (number * 1_000.0 - milli).abs() > 0.000_5 {
        return Err("more than three decimals".to_owned());
    }
    Ok(format!("{:?}", milli / 1_000.0))
}

fn duration(text: &str) -> Result<String, String> {
    let millis: Option<u64> = text.parse().ok().filter(|ms| (1..=MILLIS_MAX).contains(ms));
    let millis = millis.ok_or("not a number of milliseconds from 1 to a year")?;
    let duration = humantime::format_duration(Duration::from_millis(millis));
    Ok(quoted(&duration.to_string()))
}
