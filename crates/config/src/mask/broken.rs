//! The text of a file with syntax errors, masked. Nobody can say there what is a value and what is not, so a word is
//! shown only if it is one that this program knows, or if its place leaves no doubt.

use std::ops::Range;

use super::{Dialect, PEM, hide};
use crate::checker::nearest;

/// Misspelt keys that are looked for; the search takes time, and of a file with more mistakes few are shown.
const MAX_GUESSES: usize = 1000;

/// Masks a text that could not be read, line by line. Beside known words these are shown: names in the header of a
/// table; a misspelt key in front of an `=` (in YAML a `:`); and a value directly behind that of a key whose values
/// anyone may see.
pub(crate) fn broken(text: &str, dialect: Dialect) -> String {
    let mut hidden = Vec::new();
    let (mut start, mut guesses) = (0, MAX_GUESSES);
    for line in text.split_inclusive('\n') {
        let place = Place::Start;
        let mut line =
            Line { dialect, rest: line, at: start, place, hidden: &mut hidden, guesses: &mut guesses };
        while line.step() {}
        start = line.at;
    }
    hide(text, hidden)
}

/// What the last token of a line makes of the next.
#[derive(Clone, Copy)]
enum Place<'t> {
    /// The line has begun.
    Start,
    /// In brackets that began the line; `true` behind a known name.
    Header(bool),
    /// Behind a known key.
    Key(&'t str),
    /// Behind a known key and its `=`.
    Value(&'t str),
    /// Anywhere else.
    Within,
}

struct Line<'t, 'h> {
    dialect: Dialect,
    rest: &'t str,
    /// Where the rest starts in the whole text.
    at: usize,
    place: Place<'t>,
    hidden: &'h mut Vec<Range<usize>>,
    /// How many are left.
    guesses: &'h mut usize,
}

impl Line<'_, '_> {
    /// Takes the next token; `false` at the end of the line.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        let (token, rest) = self.rest.split_at(token_length(self.rest, self.dialect));
        let is_text = matches!(first, '"' | '\'');
        if is_text || is_word(first, self.dialect) {
            let name = token.trim_matches(['"', '\'']);
            let is_closed = !is_text || (token.len() > 1 && token.ends_with(first));
            let is_known = self.dialect.known().words.contains(name);
            // What begins an item of a list, or ends a document.
            let is_dashes = self.dialect == Dialect::Inboxclaw && token.bytes().all(|byte| byte == b'-');
            let is_shown = is_known || is_dashes || self.leaves_no_doubt(name, is_text, is_closed, rest);
            if !is_shown {
                self.hidden.push(self.at..self.at + token.len());
            }
            self.place = match self.place {
                Place::Header(known) if !is_text => Place::Header(known || is_known),
                Place::Start if is_dashes => Place::Start,
                _ if is_known && !is_text => Place::Key(name),
                _ => Place::Within,
            };
        } else if !first.is_whitespace() {
            self.place = match (self.place, first) {
                (Place::Start, '[') if self.dialect == Dialect::Native => Place::Header(false),
                (Place::Header(known), '[' | '.') => Place::Header(known),
                (Place::Key(key), c) if c == self.dialect.separator() => Place::Value(key),
                _ => Place::Within,
            };
        } else if matches!(self.place, Place::Header(_)) {
            self.place = Place::Within;
        }
        self.rest = rest;
        self.at += token.len();
        true
    }

    /// Whether a word that is not known may be shown because of its place.
    fn leaves_no_doubt(&mut self, name: &str, is_text: bool, is_closed: bool, rest: &str) -> bool {
        match self.place {
            Place::Start
                if is_text
                    || *self.guesses == 0
                    || !rest.trim_start().starts_with(self.dialect.separator()) =>
            {
                false
            }
            Place::Start => {
                *self.guesses -= 1;
                nearest(name, self.dialect.known().words.iter().copied()).is_some()
            }
            Place::Header(known) => known && !is_text,
            // A string without an end, or with such characters in it, may have swallowed what comes behind it.
            Place::Value(key) => {
                let is_address = self.dialect == Dialect::Mycel && name.contains('@');
                let is_whole = !is_address
                    && !name.contains(PEM)
                    && !name.contains(['=', '#', '"', '\'', ',', '{', '}', '[', ']']);
                self.dialect.known().shown.contains(key) && is_whole && is_closed
            }
            // The name of a block.
            Place::Key("connector" | "flow") if self.dialect == Dialect::Mycel => {
                is_text
                    && is_closed
                    && !name.contains(['=', ':', '@', '$'])
                    && rest.trim_start().starts_with('{')
            }
            Place::Key(_) | Place::Within => false,
        }
    }
}

/// Bytes of the word, the string, or the single character that a text starts with.
fn token_length(text: &str, dialect: Dialect) -> usize {
    let mut chars = text.char_indices();
    let Some((_, first)) = chars.next() else { return 0 };
    let end = match first {
        '"' | '\'' => {
            chars.find(|(_, c)| *c == first || *c == '\n').map(|(at, c)| at + usize::from(c == first))
        }
        c if is_word(c, dialect) => chars.find(|(_, c)| !is_word(*c, dialect)).map(|(at, _)| at),
        c => Some(c.len_utf8()),
    };
    end.unwrap_or(text.len())
}

/// What a secret may be made of is one word, so that no part of it is taken for a known one.
fn is_word(c: char, dialect: Dialect) -> bool {
    !c.is_whitespace() && c != dialect.separator() && !"\"'=[]{},#.".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_broken_line() {
        let check = |line: &str, expected: &str| assert_eq!(broken(line, Dialect::Native), expected);
        check("port = 80 80", "port = 80 **");
        check("prot = 80", "prot = **");
        check("zyxwvu = 80", "****** = **");
        check("type = \"sse", "type = \"sse");
        check("id = \"orders\"", "id = \"orders\"");
        check("id = \"orders", "id = \"******");
        check("[sinks.my_sink", "[sinks.my_sink");
        check("[my_sink.x]", "[*******.*]");
        check("[sinks.a] s3cr3t", "[sinks.a] ******");
        check("value = \"s3cr3t", "value = \"******");
        check("valu = \"s3cr3t\"", "valu = \"******\"");
        check("  value \"s3cr3t\"", "  value \"******\"");
        check("s3cr3t\", prefix = \"x\" }", "******\"***********\"*\"**");
        check("type = \"equals, value = \"s3cr3t\"", "type = \"****************\"******\"");
        check(
            "{ header = \"X-A\", rule = { value = s3cr3t } }",
            "{ header = \"X-A\", rule = { value = ****** } }",
        );
        check("# was s3cr3t", "# *** ******");
        check("id = \"a\"token = \"s3cr3t\"", "id = \"a\"token = \"******\"");
        check("value = \"gr\u{f6}\u{df}e\"\r\n", "value = \"*******\"\r\n");
    }

    #[test]
    fn what_is_shown_of_a_broken_line_of_yaml() {
        let check = |line: &str, expected: &str| assert_eq!(broken(line, Dialect::Inboxclaw), expected);
        check("  port: 80: 80", "  port: 80: **");
        check("  prot: 80", "  prot: **");
        check("  type: sse", "  type: sse");
        check("  type: \"sse", "  type: \"sse");
        check("  match: [a.b, c", "  match: [*.*, *");
        check("  type: gmail: x", "  type: gmail: *");
        check("  token: s3cr3t", "  *****: ******");
        check("  token: \"s3cr3t", "  *****: \"******");
        check("s3cr3t:", "******:");
        check("- s3cr3t # was s3cr3t", "- ****** # *** ******");
        check("--- s3cr3t", "--- ******");
        check("- s3-cr3t", "- *******");
    }
}
