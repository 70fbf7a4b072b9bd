//! What is written to a terminal or a pipe: text that no terminal obeys, JSON on one line, and lines that are whole. What
//! the lines say lives with each command.

use std::fmt::{self, Write as _};
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use anstyle::Style;

/// Text from outside for people's eyes. What a terminal would obey (control characters: ECMA-48) or what would make it show
/// text in another order than it has (the bidirectional controls of Unicode) is shown as an escape.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in self.0.split_inclusive(is_dangerous) {
            let Some(last) = piece.chars().next_back().filter(|last| is_dangerous(*last)) else {
                f.write_str(piece)?;
                continue;
            };
            f.write_str(&piece[..piece.len() - last.len_utf8()])?;
            write!(f, "{}", last.escape_default())?;
        }
        Ok(())
    }
}

fn is_dangerous(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The same for JSON, which stays the JSON that it was, on one line: outside of strings there is no control character but
/// white space, which means nothing, and in strings what is left of them can be written as an escape.
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\n' | '\r' | '\t' => {}
                // All of them are in the basic plane, so one escape says it (RFC 8259, 7).
                _ if is_dangerous(character) => write!(f, "\\u{:04x}", u32::from(character))?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// Where a command writes its lines.
#[derive(Debug)]
pub(crate) struct Output {
    /// A person reads it.
    is_terminal: bool,
    is_coloured: bool,
    is_closed: bool,
}

impl Output {
    /// Standard output. `NO_COLOR`, `CLICOLOR` and a terminal that cannot do it take the colours away.
    pub(crate) fn standard() -> Self {
        let out = io::stdout();
        let is_coloured = anstream::AutoStream::choice(&out) != anstream::ColorChoice::Never;
        Self { is_terminal: out.is_terminal(), is_coloured, is_closed: false }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// A style where there are colours, else none.
    pub(crate) fn style(&self, style: Style) -> Style {
        if self.is_coloured { style } else { Style::new() }
    }

    /// Whether nobody reads it any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Writes whole lines. What nobody reads any more is as good as written.
    pub(crate) fn write(&mut self, lines: &str) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        match out.write_all(lines.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            written => written,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        let check = |text: &str, expected: &str| assert_eq!(Escaped(text).to_string(), expected);
        check("", "");
        check("Größe 7 \u{1f980}", "Größe 7 \u{1f980}");
        check("\u{1b}]0;owned\u{7}", "\\u{1b}]0;owned\\u{7}");
        check("a\r\nb\tc\u{7f}", "a\\r\\nb\\tc\\u{7f}");
        check("\u{9b}31m\u{202e}fdp", "\\u{9b}31m\\u{202e}fdp");
    }

    #[test]
    fn json_stays_what_it_was() {
        let check = |text: &str, expected: &str| assert_eq!(OneLine(text).to_string(), expected);
        check("{\n\t\"a\" : 1.50,\r\n \"b\":\"\\n\"}", "{\"a\" : 1.50, \"b\":\"\\n\"}");
        check("\"\u{9b}\u{7f}\u{202e}\"", "\"\\u009b\\u007f\\u202e\"");
    }

    proptest! {
        #[test]
        fn nothing_that_a_terminal_obeys_is_left(text in any::<String>()) {
            prop_assert!(!Escaped(&text).to_string().contains(is_dangerous));
        }

        #[test]
        fn nothing_is_left_in_json_either_and_it_means_the_same(texts in proptest::collection::vec(any::<String>(), 0..4)) {
            let value = Value::from(texts);
            let line = OneLine(&serde_json::to_string_pretty(&value).unwrap()).to_string();
            prop_assert!(!line.contains(is_dangerous));
            prop_assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
        }
    }
}
