//! How an event is printed: a line of JSON for programs, a line in words for people. Pure. Neither has anything in it that a
//! terminal would obey.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use fanfare_client::Message;
use jiff::Timestamp;
use serde_json::Value;

use super::event::Reading;
use crate::commands::terminal::{Escaped, OneLine};

/// Characters that people are shown of an event that has no type.
const MAX_EXCERPT: usize = 120;

/// How events are printed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Look {
    /// One JSON object a line.
    Json,
    /// For people, in colours.
    Human(Colours),
}

/// The styles of a line's parts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Colours {
    /// What matters less: the time, the id, the URL.
    faint: Style,
    kind: Style,
}

impl Colours {
    /// `style` gives a style where there are colours.
    pub(super) fn new(style: impl Fn(Style) -> Style) -> Self {
        Self { faint: style(Style::new().dimmed()), kind: style(AnsiColor::Cyan.on_default().bold()) }
    }
}

/// Writes a line. `url` is where it comes from, where that is not clear; `now` is when it came.
pub(super) fn write(
    lines: &mut String,
    look: Look,
    message: &Message,
    reading: &Reading,
    url: Option<&str>,
    now: Timestamp,
) {
    match look {
        Look::Json => write_json(lines, message, reading, url),
        Look::Human(colours) => write_words(lines, colours, message, reading, url, now),
    }
    lines.push('\n');
}

/// `{"url":…,"id":…,"event":…,"data":…}`; data that is JSON is there as it was sent, but on one line.
fn write_json(lines: &mut String, message: &Message, reading: &Reading, url: Option<&str>) {
    let text = |text: &str| Value::from(text).to_string();
    // Writing to a string cannot fail, here and below.
    lines.push('{');
    if let Some(url) = url {
        let _ = write!(lines, "\"url\":{},", OneLine(&text(url)));
    }
    let id = message.last_event_id.as_deref().map_or("null".to_owned(), text);
    let _ = write!(lines, "\"id\":{},\"event\":{},\"data\":", OneLine(&id), OneLine(&text(&message.kind)));
    let _ = if reading.is_json {
        write!(lines, "{}", OneLine(message.data.trim()))
    } else {
        write!(lines, "{}", OneLine(&text(&message.data)))
    };
    lines.push('}');
}

fn write_words(
    lines: &mut String,
    Colours { faint, kind }: Colours,
    message: &Message,
    reading: &Reading,
    url: Option<&str>,
    now: Timestamp,
) {
    let time = reading.time.unwrap_or(now).strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
    let _ = write!(lines, "{faint}{time}{faint:#}");
    if let Some(url) = url {
        let _ = write!(lines, "  {faint}{}{faint:#}", Escaped(url));
    }
    let _ = write!(lines, "  {kind}{}{kind:#}", Escaped(&reading.kind));
    if let Some(subject) = &reading.subject {
        let _ = write!(lines, "  {}", Escaped(subject));
    } else if !reading.is_typed {
        let excerpt: String = message.data.chars().take(MAX_EXCERPT).collect();
        let more = if excerpt.len() < message.data.len() { "…" } else { "" };
        let _ = write!(lines, "  {}{more}", Escaped(&excerpt));
    }
    if let Some(id) = &message.last_event_id {
        let _ = write!(lines, "  {faint}{}{faint:#}", Escaped(id));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn message(kind: &str, data: &str, id: Option<&str>) -> Message {
        let id = id.map(Into::into);
        Message { kind: kind.to_owned(), data: data.to_owned(), last_event_id: id.clone(), position: id }
    }

    fn line(look: Look, message: &Message, url: Option<&str>) -> String {
        let mut line = String::new();
        let now = "2026-11-21T15:00:00.25Z".parse().unwrap();
        write(&mut line, look, message, &Reading::of(&message.kind, &message.data), url, now);
        line
    }

    #[test]
    fn programs_get_the_data_as_it_was_sent() {
        let check = |message: &Message, url: Option<&str>, expected: &str| {
            assert_eq!(line(Look::Json, message, url), format!("{expected}\n"));
        };
        check(
            &message("cdevent", "{\"a\": 1.50,\n \"n\":123456789012345678901234567890}", Some("i-1")),
            None,
            r#"{"id":"i-1","event":"cdevent","data":{"a": 1.50, "n":123456789012345678901234567890}}"#,
        );
        check(
            &message("message", "two\nlines\u{1b}[2J", None),
            Some("http://h/s"),
            r#"{"url":"http://h/s","id":null,"event":"message","data":"two\nlines\u001b[2J"}"#,
        );
        check(
            &message("a\u{9b}\"", "\"x\u{7f}\"", None),
            None,
            r#"{"id":null,"event":"a\u009b\"","data":"x\u007f"}"#,
        );
    }

    #[test]
    fn people_get_time_type_subject_and_id() {
        let check = |message: &Message, url: Option<&str>, expected: &str| {
            assert_eq!(line(Look::Human(Colours::default()), message, url), format!("{expected}\n"));
        };
        let data =
            r#"{"context":{"type":"t.1","timestamp":"2024-01-15T10:30:00Z"},"subject":{"id":"s\u001b"}}"#;
        check(&message("cdevent", data, Some("i")), None, "2024-01-15T10:30:00.000Z  t.1  s\\u{1b}  i");
        check(
            &message("message", r#"{"type":"t"}"#, None),
            Some("http://h"),
            "2026-11-21T15:00:00.250Z  http://h  t",
        );
        check(&message("message", "a\nb", Some("7")), None, "2026-11-21T15:00:00.250Z  message  a\\nb  7");
        let long = "é".repeat(200);
        let shown = format!("2026-11-21T15:00:00.250Z  message  {}…", "é".repeat(MAX_EXCERPT));
        check(&message("message", &long, None), None, &shown);

        let coloured = Look::Human(Colours::new(|style| style));
        let line = line(coloured, &message("message", r#"{"type":"t"}"#, None), None);
        assert!(line.contains("\u{1b}[1m\u{1b}[36mt\u{1b}[0m"), "{line:?}");
    }

    proptest! {
        #[test]
        fn no_event_writes_what_a_terminal_obeys(
            kind in any::<String>(), data in any::<String>(), id in proptest::option::of(any::<String>()), is_json in any::<bool>()
        ) {
            let data = if is_json { json!({"type": data, "subject": kind}).to_string() } else { data };
            let message = message(&kind, &data, id.as_deref());
            for look in [Look::Json, Look::Human(Colours::default())] {
                let line = line(look, &message, Some(&kind));
                let text = line.strip_suffix('\n').unwrap();
                prop_assert!(!text.contains(char::is_control), "{text:?}");
            }
            let read: Value = serde_json::from_str(&line(Look::Json, &message, None)).unwrap();
            prop_assert_eq!(read["event"].as_str(), Some(kind.as_str()));
            let expected = serde_json::from_str(&data).unwrap_or_else(|_| Value::from(data));
            prop_assert_eq!(&read["data"], &expected);
        }
    }
}
