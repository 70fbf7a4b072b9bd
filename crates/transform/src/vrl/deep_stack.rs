//! Room for functions of VRL that recurse as deep as a text from outside says.
//!
//! Values that come in are at most [`MAX_DEPTH`](super::value::MAX_DEPTH) levels deep, which fits any stack. But
//! there are functions that make a level of a few bytes of text, and their recursion is not bounded: a megabyte of
//! `<a><a><a>` would overflow the stack of the thread that runs the program, and so end the process. Programs that
//! call one of them run on a thread of their own with a stack that is deep enough, and are given a bounded text.

use fanfare_event::Draft;
use serde_json::Value;
use vrl::parser::ast::{Expr, QueryTarget};

use super::walk::walk;

/// The functions in question.
const RECURSIVE: [&str; 4] = ["parse_ruby_hash", "parse_xml", "set", "unflatten"];

/// Bytes of the stack. It is reserved, not used, until a value is as deep.
const STACK: usize = 1 << 30;

/// Bytes of text in a draft that such a program is given. A level takes one byte of text at the least, and so has four
/// KiB of [`STACK`] at the least, which is several times what it needs.
pub(super) const MAX_TEXT: usize = 256 << 10;

/// Whether a draft has no more text than that.
pub(super) fn fits(draft: &Draft) -> bool {
    let headers: usize = draft.headers.values().map(String::len).sum();
    let metadata: usize = draft.metadata.values().map(text).sum();
    headers + metadata + text(&draft.body) <= MAX_TEXT
}

/// Bytes of all strings and keys in a value; anything else counts as one.
fn text(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(string) => string.len().max(1),
        Value::Array(items) => items.iter().map(text).sum(),
        Value::Object(members) => members.iter().map(|(key, member)| key.len() + text(member)).sum(),
    }
}

/// Whether a program calls one of the functions.
pub(super) fn is_needed(source: &str) -> bool {
    let mut is_needed = false;
    walk(source, |expr| {
        let function = match expr.inner() {
            Expr::FunctionCall(call) => call.inner(),
            Expr::Query(query) => match query.target.inner() {
                QueryTarget::FunctionCall(call) => call,
                _ => return,
            },
            _ => return,
        };
        is_needed |= RECURSIVE.contains(&function.ident.inner().as_ref());
    });
    is_needed
}

/// Runs `work`, and drops all that it makes but its result, on such a stack. `None` where the system has no room
/// for one now.
pub(super) fn run<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).ok()?;
        thread.join().ok()
    })
}
