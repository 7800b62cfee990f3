//! As much of HTTP/1.1 as exporters need.

use std::{
    fmt,
    io::{self, BufRead, Read as _, Write},
};

/// More than any exporter puts into one request; what claims more is none.
const BODY_LIMIT: usize = 64 << 20;
const HEADER_LIMIT: u64 = 64 << 10;

pub(crate) struct Request {
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The next request; `None` where the connection has ended.
    pub(crate) fn read(stream: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut lines = stream.by_ref().take(HEADER_LIMIT).lines();
        let Some(first) = lines.next().transpose()? else { return Ok(None) };
        let path = match first.split(' ').collect::<Vec<_>>()[..] {
            ["POST", path, "HTTP/1.1"] => path.to_owned(),
            _ => return Err(invalid(format_args!("{first:?} is no request of OTLP"))),
        };
        let mut headers = Vec::new();
        loop {
            let line = lines.next().ok_or_else(|| invalid("headers without an end"))??;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid(format_args!("{line:?} is no header")))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut request = Self { path, headers, body: Vec::new() };
        let length = request.header("content-length").and_then(|length| length.parse().ok());
        let length = length.filter(|length| *length <= BODY_LIMIT).ok_or_else(|| invalid("no length, or too much"))?;
        request.body.resize(length, 0);
        stream.read_exact(&mut request.body)?;
        Ok(Some(request))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A message of OTLP's with no field set is nothing as protobuf, and an empty object as JSON.
    pub(crate) fn answer(&self, status: u16, stream: &mut impl Write) -> io::Result<()> {
        let json = self.header("content-type").is_some_and(|value| value.starts_with("application/json"));
        let (form, body) = if json { ("application/json", "{}") } else { ("application/x-protobuf", "") };
        write!(stream, "HTTP/1.1 {status} \r\nContent-Type: {form}\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
        stream.flush()
    }
}

fn invalid(why: impl fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> io::Result<Option<Request>> {
        Request::read(&mut text.as_bytes())
    }

    #[test]
    fn a_request_is_read_whole_and_the_next_one_after_it() {
        let text = "POST /v1/logs HTTP/1.1\r\nContent-Type:  a/b \r\ncontent-LENGTH: 2\r\n\r\nab";
        let mut two = [text, text].concat().into_bytes();
        let mut stream = two.as_slice();
        for _ in 0..2 {
            let request = Request::read(&mut stream).unwrap().unwrap();
            assert_eq!((request.path.as_str(), request.header("content-type")), ("/v1/logs", Some("a/b")));
            assert_eq!(request.body, b"ab");
        }
        assert!(Request::read(&mut stream).unwrap().is_none());
        two.pop();
        let mut stream = two.as_slice();
        Request::read(&mut stream).unwrap();
        assert!(Request::read(&mut stream).is_err(), "the second one's body is short");
    }

    #[test]
    fn what_is_no_request_of_otlp_is_an_error() {
        for text in [
            "GET / HTTP/1.1\r\n\r\n",
            "\0\0\0",
            "POST / HTTP/1.1\r\n",
            "POST / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nlength\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
