//! A recorded conversation: requests, and what the released server answered.
//!
//! Owns how a line of `tests/golden/*.jsonl` is read and how its request is sent again. It may not judge an answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::support::http::{self, Answer};

/// The released servers whose conversations are recorded, with the recording.
pub(crate) const RECORDINGS: [(&str, &str); 2] = [
    ("spring5", include_str!("../golden/spring5.jsonl")),
    ("spring4", include_str!("../golden/spring4.jsonl")),
];

/// One request and its answer, nothing altered but that the body is unpacked.
#[derive(Debug, Clone, serde::Deserialize)]
pub(crate) struct Exchange {
    pub(crate) n: usize,
    pub(crate) name: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) request_headers: BTreeMap<String, String>,
    pub(crate) request_body: Option<String>,
    pub(crate) status: u16,
    pub(crate) response_headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// The exchanges of a recording, in order.
pub(crate) fn exchanges(recording: &str) -> Vec<Exchange> {
    let exchange = |line| serde_json::from_str(line).expect("a line is an exchange");
    recording.lines().map(exchange).collect()
}

impl Exchange {
    /// Sends the request again, byte for byte but for the connection, which ends with it.
    pub(crate) fn ask(&self, addr: SocketAddr) -> Answer {
        let body = self.request_body.as_deref().unwrap_or_default();
        let mut request = format!(
            "{} {} HTTP/1.1\r\nConnection: close\r\n",
            self.method, self.path
        );
        for (name, value) in &self.request_headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += "\r\n";
        request += body;
        let bytes = http::exchange(addr, request.as_bytes()).expect("an answer");
        http::parse(&bytes).expect("a whole answer")
    }

    /// What the server answers to it now, in the form of the recording.
    pub(crate) fn asked(&self, addr: SocketAddr) -> Self {
        let answer = self.ask(addr);
        let packed = answer.header("content-encoding") == Some("gzip");
        let body = if packed {
            http::gunzip(&answer.body)
        } else {
            answer.body
        };
        Self {
            status: answer.status,
            response_headers: answer.headers,
            body: String::from_utf8(body).expect("documents are UTF-8"),
            ..self.clone()
        }
    }

    /// The first header of the answer with that name, any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.response_headers.iter();
        let found = headers.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(found.1.as_str())
    }

    /// The request as a command for people.
    pub(crate) fn curl(&self) -> String {
        let mut command = format!("curl -i -X {}", self.method);
        let sized = |name: &str| name == "Content-Length" || name == "Host";
        for (name, value) in self.request_headers.iter().filter(|(name, _)| !sized(name)) {
            command += &format!(" -H {}", quoted(&format!("{name}: {value}")));
        }
        if let Some(body) = &self.request_body {
            command += &format!(" --data-binary {}", quoted(body));
        }
        command
            + &format!(
                " {}",
                quoted(&format!("http://127.0.0.1:8761{}", self.path))
            )
    }
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
