//! What a server answered, for the one who sent. Pure.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use http::StatusCode;
use serde_json::{Value, json};

use crate::commands::terminal::{Escaped, OneLine};

/// Characters that are shown of an answer that is no problem detail: a proxy's page, say.
const MAX_EXCERPT: usize = 200;

/// An answer to one request.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

/// How an answer is shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum Look {
    /// As JSON, for programs.
    Json,
    /// For people, in these styles where something was stored and where it was there already.
    Human { stored: Style, duplicate: Style },
}

impl Look {
    pub(super) const COLOURS: [Style; 2] = [AnsiColor::Green.on_default(), AnsiColor::Yellow.on_default()];
}

impl Answer {
    /// Lines for what was done with the event: one for each that Fanfare stored of it, or one with what another server said.
    pub(super) fn lines(&self, look: Look) -> String {
        let mut lines = String::new();
        let body = serde_json::from_slice::<Value>(&self.body).ok();
        let events = body.as_ref().and_then(|body| body.get("events")).and_then(Value::as_array);
        let is_fanfare = |events: &&Vec<Value>| {
            !events.is_empty() && events.iter().all(|event| event.get("id").is_some_and(Value::is_string))
        };
        match events.filter(is_fanfare) {
            Some(events) => events.iter().for_each(|event| write_event(&mut lines, event, look)),
            None => self.write_other(&mut lines, body, look),
        }
        lines
    }

    fn write_other(&self, lines: &mut String, body: Option<Value>, look: Look) {
        let status = self.status;
        // Writing to a string cannot fail.
        let _ = match look {
            Look::Json => {
                let text = || match String::from_utf8_lossy(&self.body) {
                    text if text.is_empty() => Value::Null,
                    text => text.into_owned().into(),
                };
                let line =
                    json!({"status": status.as_u16(), "answer": body.unwrap_or_else(text)}).to_string();
                writeln!(lines, "{}", OneLine(&line))
            }
            Look::Human { .. } => match excerpt(&self.body) {
                text if text.is_empty() => writeln!(lines, "{status}"),
                text => writeln!(lines, "{status}  {text}"),
            },
        };
    }

    /// Why the event was refused, as far as the answer says it (RFC 9457).
    pub(super) fn refusal(&self) -> String {
        let body = serde_json::from_slice::<Value>(&self.body).ok();
        let member = |name: &str| body.as_ref()?.get(name)?.as_str().map(str::to_owned);
        let detail = member("detail").or_else(|| member("title"));
        let detail = detail.map_or_else(|| excerpt(&self.body), |detail| Escaped(&detail).to_string());
        if detail.is_empty() { self.status.to_string() } else { format!("{}: {detail}", self.status) }
    }
}

/// One that Fanfare names: `{"id":…,"seq":…,"duplicate":…}`.
fn write_event(lines: &mut String, event: &Value, look: Look) {
    let _ = match look {
        Look::Json => writeln!(lines, "{}", OneLine(&event.to_string())),
        Look::Human { stored, duplicate } => {
            let is_duplicate = event.get("duplicate").and_then(Value::as_bool).unwrap_or(false);
            let (style, what) = if is_duplicate { (duplicate, "duplicate") } else { (stored, "stored   ") };
            let id = event.get("id").and_then(Value::as_str).unwrap_or_default();
            let seq = event.get("seq").map(|seq| format!("  seq {}", OneLine(&seq.to_string())));
            writeln!(lines, "{style}{what}{style:#}  {}{}", Escaped(id), seq.unwrap_or_default())
        }
    };
}

/// The first line that says something.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let short: String = line.chars().take(MAX_EXCERPT).collect();
    let more = if short.len() < line.len() { "…" } else { "" };
    format!("{}{more}", Escaped(&short))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUMAN: Look = Look::Human { stored: Style::new(), duplicate: Style::new() };

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status: StatusCode::from_u16(status).unwrap(), body: body.into() }
    }

    #[test]
    fn each_stored_event_has_a_line() {
        let check = |status: u16, body: &str, json: &str, human: &str| {
            let answer = answer(status, body);
            assert_eq!((answer.lines(Look::Json).as_str(), answer.lines(HUMAN).as_str()), (json, human));
        };
        check(
            201,
            "{\"duplicate\":false,\"events\":[{\"id\":\"a\",\"seq\":7,\"duplicate\":false}]}\n",
            "{\"id\":\"a\",\"seq\":7,\"duplicate\":false}\n",
            "stored     a  seq 7\n",
        );
        check(
            200,
            r#"{"duplicate":true,"events":[{"id":"a","seq":7,"duplicate":true},{"id":"b\u001b","seq":8,"duplicate":true}]}"#,
            "{\"id\":\"a\",\"seq\":7,\"duplicate\":true}\n{\"id\":\"b\\u001b\",\"seq\":8,\"duplicate\":true}\n",
            "duplicate  a  seq 7\nduplicate  b\\u{1b}  seq 8\n",
        );
        check(
            200,
            r#"{"duplicate":false,"events":[]}"#,
            "{\"status\":200,\"answer\":{\"duplicate\":false,\"events\":[]}}\n",
            "200 OK  {\"duplicate\":false,\"events\":[]}\n",
        );
        check(204, "", "{\"status\":204,\"answer\":null}\n", "204 No Content\n");
        check(
            202,
            "taken\u{1b}[2J\n",
            "{\"status\":202,\"answer\":\"taken\\u001b[2J\\n\"}\n",
            "202 Accepted  taken\\u{1b}[2J\n",
        );
    }

    #[test]
    fn a_refusal_is_said_in_the_server_s_words() {
        let check = |status: u16, body: &str, expected: &str| {
            assert_eq!(answer(status, body).refusal(), expected);
        };
        check(
            422,
            r#"{"title":"Unprocessable Content","detail":"body.type: is missing"}"#,
            "422 Unprocessable Entity: body.type: is missing",
        );
        check(403, r#"{"title":"No\u001b"}"#, "403 Forbidden: No\\u{1b}");
        check(502, "\n <html>bad</html>\n<p>", "502 Bad Gateway: <html>bad</html>");
        check(404, "", "404 Not Found");
        let long = "x".repeat(300);
        check(500, &long, &format!("500 Internal Server Error: {}…", &long[..200]));
    }
}
