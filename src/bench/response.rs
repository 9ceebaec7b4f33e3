//! Answers on a connection.
//!
//! Owns as much of HTTP/1.1 as tells where an answer ends and what its status is, and nothing more:
//! a generator that is busy parsing measures itself. It may not keep a body.

/// The largest head of an answer that is waited for.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// One whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    /// Its status code.
    pub(super) status: u16,
    /// How many bytes it took.
    pub(super) len: usize,
    /// Whether the server closes the connection after it.
    pub(super) last: bool,
}

/// The bytes are not an answer of HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

/// The answer at the beginning of `bytes`; `None` if it is not whole yet.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Answer>, Broken> {
    let Some(head_len) = head_len(bytes) else {
        return if bytes.len() > HEAD_BYTES_MAX {
            Err(Broken)
        } else {
            Ok(None)
        };
    };
    let head = &bytes[..head_len];
    let status = status(head)?;
    let body = match (
        status,
        header(head, b"content-length"),
        header(head, b"transfer-encoding"),
    ) {
        (204 | 304, _, _) => Some(0),
        (_, Some(length), _) => Some(number(length).ok_or(Broken)?),
        (_, None, Some(b"chunked")) => chunked_len(&bytes[head_len..])?,
        (_, None, _) => Some(0),
    };
    let whole = body
        .map(|body| head_len + body)
        .filter(|len| *len <= bytes.len());
    Ok(whole.map(|len| Answer {
        status,
        len,
        last: header(head, b"connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close")),
    }))
}

/// The length of the head with the empty line that ends it.
fn head_len(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(end + 4)
}

/// The status in `HTTP/1.1 204 No Content`.
fn status(head: &[u8]) -> Result<u16, Broken> {
    let digits = head
        .strip_prefix(b"HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    let status = digits.and_then(number).ok_or(Broken)?;
    u16::try_from(status).map_err(|_| Broken)
}

/// The value of the header `name`, given in lower case.
fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?;
        found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
    })
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The length of a chunked body with its last chunk; `None` if it is not whole yet.
fn chunked_len(body: &[u8]) -> Result<Option<usize>, Broken> {
    let mut at = 0;
    loop {
        let Some(line) = body[at..].windows(2).position(|two| two == b"\r\n") else {
            return Ok(None);
        };
        let digits = std::str::from_utf8(&body[at..at + line]).map_err(|_| Broken)?;
        let size = usize::from_str_radix(digits.trim(), 16).map_err(|_| Broken)?;
        // The size line, the data and the line end after it; after the last chunk, no trailers.
        let end = (at + line + 4).checked_add(size).ok_or(Broken)?;
        if end > body.len() {
            return Ok(None);
        }
        if size == 0 {
            return Ok(Some(end));
        }
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, text: &str) -> Answer {
        Answer {
            status,
            len: text.len(),
            last: false,
        }
    }

    #[test]
    fn an_answer_ends_where_its_framing_says() {
        let table = [
            (200, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            (204, "HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n"),
            (
                200,
                "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nX: y\r\n\r\nabc",
            ),
            (
                404,
                "HTTP/1.1 404 \r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            ),
        ];
        for (status, text) in table {
            let two = format!("{text}HTTP/1.1 500 x");
            assert_eq!(
                parse(two.as_bytes()),
                Ok(Some(answer(status, text))),
                "{text}"
            );
            for cut in 0..text.len() {
                assert_eq!(
                    parse(&text.as_bytes()[..cut]),
                    Ok(None),
                    "{cut} bytes of {text}"
                );
            }
        }
    }

    #[test]
    fn a_closing_answer_is_the_last_on_its_connection() {
        let text = "HTTP/1.1 200 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        assert!(parse(text.as_bytes()).unwrap().unwrap().last);
    }

    #[test]
    fn what_is_not_http_is_broken() {
        let endless = "x".repeat(HEAD_BYTES_MAX + 1);
        let table = [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 200 \r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            &endless,
        ];
        for text in table {
            assert_eq!(parse(text.as_bytes()), Err(Broken), "{text}");
        }
    }
}
