//! Room for functions of VRL that recurse as deep as a text from outside says.
//!
//! Values that come in are at most [`MAX_DEPTH`](super::value::MAX_DEPTH) levels deep, which fits any stack. But
//! there are functions that make a level of a few bytes of text, and their recursion is not bounded: a megabyte of
//! `<a><a><a>` would overflow the stack of the thread that runs the program, and so end the process. Programs that
//! call one of them run on a thread of their own, with a stack that is as deep as a megabyte of such text.

use vrl::parser::ast::{Expr, QueryTarget};

use super::walk::walk;

/// The functions in question.
const RECURSIVE: [&str; 4] = ["parse_ruby_hash", "parse_xml", "set", "unflatten"];

/// Bytes of the stack. It is reserved, not used, until a value is as deep.
const STACK: usize = 1 << 30;

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
