//! The file `.env` beside a configuration, as python-dotenv reads it: `NAME=value` lines, with `export`, quotes,
//! comments and `${NAME}`.

use std::ops::Range;
use std::path::Path;

use crate::file::{FileError, read_regular};
use crate::{Diagnostics, Env, Span};

/// What the environment is with the variables of a file `.env` in this folder. What the process has been given wins.
pub(crate) fn environment(folder: &Path, given: &Env, diagnostics: &mut Diagnostics) -> Env {
    let path = folder.join(".env");
    match read_regular(&path) {
        Ok(text) => {
            let (variables, problems) = parse(&text, given);
            if !problems.is_empty() {
                let file = diagnostics.add_file(path.display().to_string());
                diagnostics.set_text(file, masked(&text));
                for (range, message) in problems {
                    let problem = diagnostics.error(Span::new(file, range), "this is no `NAME=value`");
                    problem.label(message);
                }
            }
            variables.into_iter().chain(given.iter().map(owned)).collect()
        }
        // A folder of this name is a virtual environment of Python.
        Err(FileError::Missing | FileError::Folder) => given.clone(),
        Err(error) => {
            let file = diagnostics.add_file(path.display().to_string());
            let problem =
                diagnostics.error(Span::new(file, 0..0), format!("cannot read the variables: {error}"));
            problem.help("this file is read because it is beside the configuration");
            given.clone()
        }
    }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// All of the file may be secret.
fn masked(text: &str) -> String {
    let mask = |c: char| if c.is_whitespace() { c.to_string() } else { "*".repeat(c.len_utf8()) };
    text.chars().map(mask).collect()
}

type Variables = Vec<(String, String)>;

/// The variables in the order of the text, and what could not be read.
fn parse(text: &str, given: &Env) -> (Variables, Vec<(Range<usize>, &'static str)>) {
    let mut lines = Lines { text, at: 0 };
    let (mut variables, mut problems) = (Variables::new(), Vec::new());
    while let Some(start) = lines.next_statement() {
        match lines.statement() {
            Ok(Some((name, value))) => {
                let value = interpolate(&value, given, &variables);
                variables.push((name, value));
            }
            Ok(None) => {}
            Err(message) => {
                lines.at = start;
                let line = lines.rest_of_line().trim_end().len();
                problems.push((start..start + line, message));
            }
        }
        lines.rest_of_line();
    }
    (variables, problems)
}

/// `${NAME}` and `${NAME:-default}`; a name that is not set is nothing.
fn interpolate(value: &str, given: &Env, before: &Variables) -> String {
    let (mut out, mut rest) = (String::new(), value);
    while let Some((text, after)) = rest.split_once("${") {
        let Some((reference, after)) = after.split_once('}') else { break };
        out.push_str(text);
        let (name, default) = reference.split_once(":-").unwrap_or((reference, ""));
        let earlier =
            || before.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        out.push_str(given.get(name).or_else(earlier).unwrap_or(default));
        rest = after;
    }
    out.push_str(rest);
    out
}

struct Lines<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lines<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Goes to the next line that says something, and tells where it begins.
    fn next_statement(&mut self) -> Option<usize> {
        loop {
            self.skip(|c| c.is_whitespace() || c == '\u{feff}');
            if !self.rest().starts_with('#') {
                break;
            }
            self.rest_of_line();
        }
        (self.at < self.text.len()).then_some(self.at)
    }

    /// A name and its value, or `None` for a name without one.
    fn statement(&mut self) -> Result<Option<(String, String)>, &'static str> {
        if let Some(rest) = self.rest().strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])) {
            self.at = self.text.len() - rest.len();
            self.skip_blanks();
        }
        let name = self.take(|c| !c.is_whitespace() && !matches!(c, '=' | '#'));
        let name = name.strip_prefix('\'').and_then(|name| name.strip_suffix('\'')).unwrap_or(name);
        if name.is_empty() {
            return Err("the name is missing");
        }
        if name.contains(['\'', '"', '\0']) {
            return Err("no name has such characters");
        }
        self.skip_blanks();
        if !self.rest().starts_with('=') {
            self.end()?;
            return Ok(None);
        }
        self.at += 1;
        let before = self.at;
        self.skip_blanks();
        let value = match self.rest().chars().next() {
            Some('#') if self.at > before => String::new(),
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => self.unquoted(),
        };
        self.end()?;
        if value.contains('\0') {
            return Err("no value has a NUL in it");
        }
        Ok(Some((name.to_owned(), value)))
    }

    /// What stands between quotes, over several lines if need be.
    fn quoted(&mut self, quote: char) -> Result<String, &'static str> {
        let mut value = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.at += at + 1;
                    return Ok(value);
                }
                '\\' => {
                    let Some((_, escaped)) = chars.next() else { break };
                    match unescape(escaped, quote) {
                        Some(c) => value.push(c),
                        None => value.extend(['\\', escaped]),
                    }
                }
                c => value.push(c),
            }
        }
        Err("its quote does not end")
    }

    /// What stands before the end of the line, or before a comment.
    fn unquoted(&mut self) -> String {
        let line = self.rest_of_text();
        let comment = line.match_indices('#').find(|(at, _)| {
            line.get(..*at).is_some_and(|before| before.ends_with(|c: char| c.is_whitespace()))
        });
        let value = comment.map_or(line, |(at, _)| line.get(..at).unwrap_or_default());
        self.at += line.len();
        value.trim_end().to_owned()
    }

    /// Nothing but a comment may follow.
    fn end(&mut self) -> Result<(), &'static str> {
        self.skip_blanks();
        let rest = self.rest_of_text();
        if rest.is_empty() || rest.starts_with('#') { Ok(()) } else { Err("something follows it") }
    }

    /// The line to its end, without the line break.
    fn rest_of_text(&self) -> &'t str {
        self.rest().split(['\n', '\r']).next().unwrap_or_default()
    }

    /// Goes behind the line.
    fn rest_of_line(&mut self) -> &'t str {
        self.take(|c| !matches!(c, '\n' | '\r'))
    }

    fn skip_blanks(&mut self) {
        self.skip(|c| c.is_whitespace() && !matches!(c, '\n' | '\r'));
    }

    fn skip(&mut self, fits: impl Fn(char) -> bool) {
        self.take(fits);
    }

    fn take(&mut self, fits: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let taken = rest.get(..rest.find(|c| !fits(c)).unwrap_or(rest.len())).unwrap_or_default();
        self.at += taken.len();
        taken
    }
}

/// What a character behind a backslash stands for.
fn unescape(c: char, quote: char) -> Option<char> {
    match c {
        '\\' | '\'' => Some(c),
        _ if quote == '\'' => None,
        '"' => Some(c),
        'a' => Some('\u{7}'),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{b}'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> (Variables, usize) {
        let given: Env = [("GIVEN", "g")].into_iter().collect();
        let (variables, problems) = parse(text, &given);
        (variables, problems.len())
    }

    #[test]
    fn what_python_dotenv_reads() {
        let check = |text: &str, expected: &[(&str, &str)]| {
            let expected = expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            assert_eq!(read(text), (expected.collect(), 0), "{text:?}");
        };
        check("A=1", &[("A", "1")]);
        check("\u{feff}A=1\r\nB=2\n\n", &[("A", "1"), ("B", "2")]);
        check("export A = 1 # one\n", &[("A", "1")]);
        check("exported=1", &[("exported", "1")]);
        check("# A=1\n  # B\nC=x y ", &[("C", "x y")]);
        check("A=\nB= # nothing\nC=#x\nD=a#b", &[("A", ""), ("B", ""), ("C", "#x"), ("D", "a#b")]);
        check("A='x $Y \\n \\' \\\\' # c\n", &[("A", "x $Y \\n ' \\")]);
        check("A=\"x\\n\\\"y\\\" \\d\"", &[("A", "x\n\"y\" \\d")]);
        check("A=\"one\ntwo\"\nB=3", &[("A", "one\ntwo"), ("B", "3")]);
        check("A=it's\nB=x\"y\"", &[("A", "it's"), ("B", "x\"y\"")]);
        check("'A'=1\nB\nC=2", &[("A", "1"), ("C", "2")]);
        check("A=1\nB=${A}${GIVEN}${NONE}${NONE:-d}$A", &[("A", "1"), ("B", "1gd$A")]);
        check("A=${", &[("A", "${")]);
    }

    #[test]
    fn what_cannot_be_read() {
        let check = |text: &str, expected: &[(Range<usize>, &str)], rest: usize| {
            let (variables, problems) = parse(text, &Env::default());
            assert_eq!((problems.as_slice(), variables.len()), (expected, rest), "{text:?}");
        };
        check("=1\nB=2", &[(0..2, "the name is missing")], 1);
        check("A b=1", &[(0..5, "something follows it")], 0);
        check("A='x' y\nB=1", &[(0..7, "something follows it")], 1);
        check("A=\"x\nB=1", &[(0..4, "its quote does not end")], 1);
        check("\"A\"=1", &[(0..5, "no name has such characters")], 0);
    }

    proptest! {
        #[test]
        fn a_value_in_quotes_is_read_as_it_was(value in "[^\0$]*", is_double: bool) {
            let quote = if is_double { "\"" } else { "'" };
            let escaped = value.replace('\\', "\\\\").replace(quote, &format!("\\{quote}"));
            let (variables, problems) = read(&format!("A={quote}{escaped}{quote}\nB=1\n"));
            prop_assert_eq!(problems, 0);
            prop_assert_eq!(&variables, &[("A".to_owned(), value), ("B".to_owned(), "1".to_owned())]);
        }

        #[test]
        fn every_line_is_read_or_reported(text in "(?s).*|[A-C='\"#$ {}\\\\\n\r]{0,30}") {
            let (variables, problems) = parse(&text, &Env::default());
            prop_assert!(variables.len() + problems.len() <= text.lines().count() + text.matches('\r').count());
            for (range, _) in problems {
                prop_assert!(text.get(range).is_some());
            }
        }
    }
}
