//! Messages of the protocol: a header with the length, and JSON.
//!
//! Written here because no library for this is maintained that also passes on requests it does not know, which must be answered.

use crate::DapError;
use forkpoint_replay::printable;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{BufRead, Read, Write};

/// Most bytes of a message: an editor's have a thousandth of that.
const MOST: u64 = 16 << 20;

/// Most bytes of a header.
const HEADER: u64 = 4 << 10;

/// What the editor asks for.
#[derive(Debug, Deserialize)]
pub(crate) struct Request {
    pub(crate) seq: i64,
    pub(crate) command: String,
    #[serde(default)]
    pub(crate) arguments: Value,
}

/// Reads the next request; `None` at the end. Messages of other kinds are passed over.
pub(crate) fn read(input: &mut impl BufRead) -> Result<Option<Request>, DapError> {
    loop {
        let Some(length) = header(input)? else { return Ok(None) };
        let mut bytes = Vec::new();
        if input.take(length).read_to_end(&mut bytes)? < length as usize {
            return Ok(None);
        }
        let wrong = |error: serde_json::Error| DapError::Protocol(error.to_string());
        let message: Value = serde_json::from_slice(&bytes).map_err(wrong)?;
        if message["type"] == "request" {
            return Ok(Some(serde_json::from_value(message).map_err(wrong)?));
        }
    }
}

/// Reads a header; gives the length of what follows.
fn header(input: &mut impl BufRead) -> Result<Option<u64>, DapError> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if input.take(HEADER).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end().split_once(':') {
            None if line.trim_end().is_empty() && length.is_some() => return Ok(length),
            None => return Err(DapError::Protocol(format!("a header line `{}`", line.trim_end().escape_debug()))),
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                let number = value.trim().parse().ok().filter(|length| *length <= MOST);
                let wrong = || DapError::Protocol(format!("a message of `{}` bytes", value.trim().escape_debug()));
                length = Some(number.ok_or_else(wrong)?);
            }
            Some(_) => {}
        }
    }
}

/// Writes responses and events.
pub(crate) struct Out<W> {
    out: W,
    seq: i64,
}

impl<W: Write> Out<W> {
    pub(crate) fn new(out: W) -> Out<W> {
        Out { out, seq: 0 }
    }

    fn send(&mut self, mut message: Value) -> Result<(), DapError> {
        self.seq += 1;
        message["seq"] = self.seq.into();
        let text = message.to_string();
        write!(self.out, "Content-Length: {}\r\n\r\n{text}", text.len())?;
        Ok(self.out.flush()?)
    }

    /// Answers a request; the inner error is for the user to read.
    pub(crate) fn respond(&mut self, request: &Request, answer: Result<Value, String>) -> Result<(), DapError> {
        let head = json!({ "type": "response", "request_seq": request.seq, "command": request.command });
        let rest = match answer {
            Ok(body) => json!({ "success": true, "body": body }),
            Err(message) => {
                // File names and the like, which are for the user to read.
                let message = printable(&message);
                let error = json!({ "id": 1, "format": "{why}", "variables": { "why": message }, "showUser": true });
                json!({ "success": false, "message": message, "body": { "error": error } })
            }
        };
        self.send(joined(head, rest))
    }

    pub(crate) fn event(&mut self, event: &str, body: Value) -> Result<(), DapError> {
        self.send(json!({ "type": "event", "event": event, "body": body }))
    }
}

/// An object with the fields of both.
fn joined(mut first: Value, second: Value) -> Value {
    if let (Value::Object(first), Value::Object(second)) = (&mut first, second) {
        first.extend(second);
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(text: &str) -> String {
        format!("Content-Length: {}\r\n\r\n{text}", text.len())
    }

    #[test]
    fn requests_are_read_and_others_passed_over() {
        let messages = [
            framed(r#"{"seq":1,"type":"response","command":"x"}"#),
            format!(
                "Content-Type: x\r\n{}",
                framed(r#"{"seq":2,"type":"request","command":"next","arguments":{"a":1}}"#)
            ),
            framed(r#"{"seq":3,"type":"request","command":"threads"}"#),
        ];
        let text = messages.concat();
        let mut input = text.as_bytes();
        let mut next = || read(&mut input).expect("messages");
        let first = next().expect("a request");
        assert_eq!((first.seq, first.command.as_str(), &first.arguments["a"]), (2, "next", &json!(1)));
        assert_eq!(next().expect("a request").seq, 3);
        assert!(next().is_none());
    }

    #[test]
    fn what_is_no_message_is_an_error_or_the_end() {
        for text in
            ["Content-Length: 99999999999\r\n\r\n", "nonsense\r\n\r\n", "Content-Length: 2\r\n\r\n[]x", "\r\n"]
        {
            assert!(!matches!(read(&mut text.as_bytes()), Ok(Some(_))), "{text}");
        }
        assert!(matches!(read(&mut "Content-Length: 20\r\n\r\n{".as_bytes()), Ok(None)), "cut off");
    }
}
