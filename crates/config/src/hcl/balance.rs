//! Whether quotes, brackets and heredocs of a text have ends. The parser takes a text over several lines, which HCL does
//! not have (specification, Template Expressions), and where an end is missing it stumbles far behind.

/// Where something is open or closed that should not be.
pub(super) struct Unbalanced {
    pub(super) at: usize,
    pub(super) length: usize,
    pub(super) label: &'static str,
    pub(super) help: &'static str,
    /// Whether it is a text that goes on behind its line.
    pub(super) is_text: bool,
}

/// What is open, innermost last.
enum Open {
    /// A text, from its quote.
    Text(usize),
    /// A bracket: where it is, and what closes it.
    Bracket(usize, char),
}

/// The first thing in a text that has no end, or no beginning.
pub(super) fn check(text: &str) -> Option<Unbalanced> {
    let mut scanner = Scanner { text, at: 0, open: Vec::new() };
    while scanner.at < text.len() {
        if let Some(found) = scanner.step() {
            return Some(found);
        }
    }
    scanner.open.pop().map(|open| match open {
        Open::Text(at) => unended(at),
        Open::Bracket(at, _) => Unbalanced {
            at,
            length: 1,
            label: "this is never closed",
            help: "what ends here may have an end too little, or something in it has one too many",
            is_text: false,
        },
    })
}

fn unended(at: usize) -> Unbalanced {
    let help = "a text ends with its `\"` on the line that it begins on; `<<EOT` begins one of several lines";
    Unbalanced { at, length: 1, label: "this text has no end", help, is_text: true }
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    open: Vec<Open>,
}

impl<'t> Scanner<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn step(&mut self) -> Option<Unbalanced> {
        match self.open.last() {
            Some(Open::Text(start)) => self.in_text(*start),
            _ => self.in_code(),
        }
    }

    fn in_text(&mut self, start: usize) -> Option<Unbalanced> {
        let rest = self.rest();
        let first = rest.chars().next()?;
        let escape = ["$${", "%%{"].into_iter().find(|escape| rest.starts_with(escape));
        match first {
            '"' => {
                self.open.pop();
            }
            '\n' => return Some(unended(start)),
            '\\' => self.at += rest.chars().nth(1).filter(|c| *c != '\n').map_or(0, char::len_utf8),
            '$' | '%' if escape.is_some() => self.at += 2,
            '$' | '%' if rest.get(1..).is_some_and(|rest| rest.starts_with('{')) => {
                self.open.push(Open::Bracket(self.at + 1, '}'));
                self.at += 1;
            }
            _ => {}
        }
        self.at += first.len_utf8();
        None
    }

    fn in_code(&mut self) -> Option<Unbalanced> {
        let (rest, at) = (self.rest(), self.at);
        let first = rest.chars().next()?;
        self.at += first.len_utf8();
        match first {
            '"' => self.open.push(Open::Text(at)),
            '{' => self.open.push(Open::Bracket(at, '}')),
            '[' => self.open.push(Open::Bracket(at, ']')),
            '(' => self.open.push(Open::Bracket(at, ')')),
            '}' | ']' | ')' => match self.open.pop() {
                Some(Open::Bracket(_, closing)) if closing == first => {}
                Some(Open::Bracket(_, _)) => {
                    return Some(closes_nothing(
                        at,
                        "something else is open here, which this does not close",
                    ));
                }
                _ => return Some(closes_nothing(at, "nothing is open here that this would close")),
            },
            '#' => self.skip_line(),
            '/' if rest.starts_with("//") => self.skip_line(),
            '/' if rest.starts_with("/*") => self.at = at + rest.find("*/").map_or(rest.len(), |end| end + 2),
            '<' if rest.starts_with("<<") => return self.heredoc(at),
            _ => {}
        }
        None
    }

    fn skip_line(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    fn heredoc(&mut self, at: usize) -> Option<Unbalanced> {
        let line = self.rest().lines().next().unwrap_or_default();
        let word = line.trim_start_matches(['<', '-']).trim_end();
        let is_word = word.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
        if word.is_empty() || !is_word {
            return None;
        }
        self.skip_line();
        while !self.rest().is_empty() {
            let line =
                self.rest().strip_prefix('\n').unwrap_or(self.rest()).lines().next().unwrap_or_default();
            let behind = line.trim_start().strip_prefix(word);
            self.at = (self.at + 1 + line.len()).min(self.text.len());
            if behind.is_some_and(|behind| {
                !behind.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-'))
            }) {
                return None;
            }
        }
        let help = "it ends with the word that it begins with, alone on a line";
        Some(Unbalanced { at, length: 2, label: "this heredoc has no end", help, is_text: false })
    }
}

fn closes_nothing(at: usize, label: &'static str) -> Unbalanced {
    Unbalanced { at, length: 1, label, help: "remove it, or open what it should close", is_text: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_open_is_found() {
        let check = |text: &str, expected: Option<usize>| {
            assert_eq!(check(text).map(|it| it.at), expected, "{text:?}");
        };
        check("", None);
        check("a = \"b\" # \"\n b = \"${env(\"X\")} $${ \\\" \" // (\n/* [ */", None);
        check("a = <<EOT\n \" { \n  EOT\nb = <<-X\nX", None);
        check("a = f([{}])", None);
        check("a = \"b", Some(4));
        check("a = \"b\nc = \"d\"", Some(4));
        check("a = \"b\\\nc\"", Some(4));
        check("a {\n b = 1\n", Some(2));
        check("a {\n}\n}\n", Some(6));
        check("a = [1)", Some(6));
        check("a = <<EOT\n x\nEOTX\n", Some(4));
        check("a = \"${b\n}\"", None);
        check("a = \"${b\"", Some(8));
    }

    proptest! {
        #[test]
        fn any_text_is_scanned(text in "\\PC*|[a\"${}()\\[\\]<EOT#/*\\\\\n-]{0,40}") {
            if let Some(found) = check(&text) {
                prop_assert!(text.get(found.at..found.at + found.length).is_some(), "{:?} {}", text, found.at);
            }
        }
    }
}
