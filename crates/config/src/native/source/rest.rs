//! A source of type `rest`, and its operations.

use std::borrow::Cow;
use std::collections::BTreeMap;

use fanfare_event::limits::MAX_EVENT_TYPE;

use super::{HEADERS, HEADERS_TO_KEEP, METADATA, TYPE};
use crate::checker::{Checker, Fields};
use crate::keys::{Key, Optional, Read, Required, Section};
use crate::native::listener::{self, LISTENER};
use crate::native::sink;
use crate::native::words::{check_header_name, check_path};
use crate::shapes::{Items, Nested, quote};
use crate::tree::{Data, Entry, Node};
use crate::{Operation, Rest, Span};

pub(crate) const OPERATIONS: Key<Required<Items<OperationText>>> = Key {
    name: "operations",
    doc: "What is served: each a method and a path, of which segments that begin with `:` are parameters. An event's type is \
          its operation as it stands here.",
    presence: Required(Items {
        kind: "an array of operations",
        item: OperationText,
        if_empty: Some("name at least one: `operations = [\"POST /notify\"]`"),
    }),
};

pub(crate) const CORS: Key<Optional<Nested>> = Key {
    name: "cors",
    doc: "Which pages of other origins may call it.",
    presence: Optional(Nested("a table as [`[sinks.NAME.cors]`](#sinksnamecors)"), "none"),
};

pub(crate) static SECTION: Section = Section {
    title: "[sources.NAME.extractor]",
    variant: Some("rest"),
    about: "An API of one's own: methods and paths that take events. The body of an event is the request's JSON object, with \
            the query's values and the path's parameters put into it; the path wins over the query, and the query over the \
            body. [Routes](#routes) may mean single operations.",
    example: "[sources.api.extractor]\ntype = \"rest\"\noperations = [\"POST /notify\", \"POST /notify/:room\"]\n\n\
              [sinks.events]\ntype = \"sse\"\nid = \"events\"\nprofile = \"message\"\nidentity = \"query\"\n\n\
              [[routes]]\nfrom = \"api\"\nto = \"events\"\noperation = \"POST /notify\"\n\n\
              [[routes]]\nfrom = \"api\"\nto = \"events\"\noperation = \"POST /notify/:room\"\n\
              audience = { room = \".body.room\" }\n",
    keys: &[&TYPE, &OPERATIONS, &LISTENER, &HEADERS, &HEADERS_TO_KEEP, &METADATA, &CORS],
    foreign: &[],
};

pub(super) fn read(mut fields: Fields<'_>, type_span: Span, checker: &mut Checker<'_>) -> Option<Rest> {
    let operations = fields.get(&OPERATIONS, checker);
    if let Some(entry) = fields.entry(OPERATIONS.name) {
        check(entry, checker);
    }
    let listener = listener::read(&mut fields, checker);
    let headers = super::read_headers(&mut fields, checker);
    let headers_to_keep = super::read_headers_to_keep(&mut fields, &HEADERS_TO_KEEP, checker);
    let metadata = fields.get(&METADATA, checker);
    let cors = sink::read_cors(&mut fields, checker);
    fields.finish(&SECTION, checker);
    Some(Rest { operations: operations?, listener, headers, headers_to_keep, metadata, cors, type_span })
}

/// What operations must be beside each other, and what is odd about one.
fn check(entry: &Entry, checker: &mut Checker<'_>) {
    let Data::List(items) = &entry.node.data else { return };
    let mut seen: BTreeMap<(String, String), (&str, Span)> = BTreeMap::new();
    for node in items {
        let Some(text) = node.as_text() else { continue };
        let Ok(operation) = parse(text) else { continue };
        if let "GET" | "QUERY" = operation.method.as_str() {
            checker
                .warning(
                    node.span,
                    format!("a {} that stores an event is not safe as HTTP means it", operation.method),
                )
                .help("browsers, proxies and crawlers send it ahead and again (RFC 9110, 9.2.1); `POST` is sent as often as its sender says");
        }
        let place = (operation.method.clone(), operation.shape());
        if let Some((other, span)) = seen.get(&place) {
            let problem = if *other == text {
                checker.error(node.span, "this operation is there twice")
            } else {
                checker.error(node.span, "two operations mean the same requests")
            };
            problem.also(*span, "this one has them already");
            if *other != text {
                problem.help("the names of parameters, and a slash at the end, do not tell operations apart");
            }
        } else {
            seen.insert(place, (text, node.span));
        }
    }
}

/// An operation, `METHOD /path/:parameter`.
pub(crate) struct OperationText;

impl Read for OperationText {
    type Value = Operation;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<Operation> {
        let text = crate::checker::text(key, node, &self.kind(), checker)?;
        match parse(text) {
            Ok(operation) => Some(operation),
            Err((problem, help)) => {
                let shown = checker.error(node.span, format!("`{key}` must be {}", self.kind()));
                shown.label(problem);
                if let Some(help) = help {
                    shown.help(help);
                }
                None
            }
        }
    }

    fn kind(&self) -> Cow<'static, str> {
        "a method and a path, as in \"POST /notify/:room\"".into()
    }

    fn write(&self, value: &Operation) -> Option<String> {
        Some(quote(&value.to_string()))
    }
}

pub(crate) type Wrong = (&'static str, Option<&'static str>);

/// What is wrong with it stands beside the caret; behind it what to do.
pub(crate) fn parse(text: &str) -> Result<Operation, Wrong> {
    let wrong = |problem| (problem, None);
    let (method, path) =
        text.split_once(' ').ok_or(wrong("between the method and the path there is one space"))?;
    check_method(method)?;
    let help = path.contains('{').then_some("a parameter is written `:room`");
    check_path(path).map_err(|problem| (problem, help))?;
    if text.len() > MAX_EVENT_TYPE {
        return Err(wrong("it is the type of its events, which has at most 256 bytes"));
    }
    let operation = Operation { method: method.to_owned(), path: path.to_owned() };
    let mut names: Vec<_> = operation.parameters().collect();
    for name in &names {
        if name.is_empty() {
            return Err(("a parameter has a name", Some("`:room` takes one segment of the path")));
        }
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err((
                "only ASCII letters, digits, `_` and `-` may be in the name of a parameter",
                Some("a parameter is one whole segment of the path"),
            ));
        }
    }
    if path.split('/').any(|segment| segment == "*") {
        return Err((
            "`*` is not a pattern here",
            Some("`:name` takes one segment of the path; nothing takes several"),
        ));
    }
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(wrong("two parameters have one name"));
    }
    Ok(operation)
}

/// Methods are case-sensitive (RFC 9110, 9.1).
fn check_method(method: &str) -> Result<(), Wrong> {
    if method.is_empty() || check_header_name(method).is_err() {
        return Err(("this is no method (RFC 9110, 9.1)", None));
    }
    if method.bytes().any(|b| b.is_ascii_lowercase()) {
        return Err(("methods are written in upper case", None));
    }
    let why = match method {
        "HEAD" => "a `HEAD` asks what a `GET` would answer, and stores nothing",
        "OPTIONS" => "`OPTIONS` is what browsers ask with before they call; `cors` answers it",
        "CONNECT" => "`CONNECT` is for proxies: it names a host, and no path",
        "TRACE" => "`TRACE` sends a request back, and has no body",
        _ => return Ok(()),
    };
    Err(("this method takes no event", Some(why)))
}

/// Whether a text is shaped like an operation, and therefore holds nothing else.
pub(crate) fn is_operation(text: &str) -> bool {
    text.split_once(' ').is_some_and(|(method, path)| {
        method.bytes().all(|b| b.is_ascii_alphabetic()) && method.len() <= 10 && check_path(path).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations() {
        for text in ["POST /", "POST /a/:b/c/:d", "PUT /a/", "M-SEARCH /a:b", "PURGE /:a-b_1"] {
            assert_eq!(parse(text).map(|operation| operation.to_string()).as_deref(), Ok(text));
        }
        let long = format!("POST /{}", "a".repeat(MAX_EVENT_TYPE));
        for text in [
            "",
            "POST",
            " /a",
            "POST a",
            "POST  /a",
            "POST /a b",
            "post /a",
            "Post /a",
            "PO(ST /a",
            "POST /:",
            "POST /a/:/b",
            "POST /:a.b",
            "POST /:a/:a",
            "POST /*",
            "POST /a//b",
            "POST /../a",
            "HEAD /a",
            "OPTIONS /a",
            "CONNECT /a",
            "TRACE /a",
            &long,
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_shape_is_what_tells_paths_apart() {
        let shape = |path: &str| Operation { method: "POST".to_owned(), path: path.to_owned() }.shape();
        assert_eq!(shape("/a/:b/c/:d/"), "/a/:/c/:");
        assert_eq!(shape("/a:b/c"), "/a:b/c");
        assert_eq!(shape("/"), "");
    }
}
