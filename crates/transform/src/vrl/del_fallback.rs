//! Finds `del(secret) ?? rest`, which says the opposite of what its author means.
//!
//! `del` returns what it removed and cannot fail, so the value of the whole is always the secret. VRL refuses it as
//! a needless fallback, and its advice (drop the fallback) would publish the secret for sure.

use vrl::parser::ast::{Container, Expr, FunctionArgument, FunctionCall, Node, Opcode, QueryTarget};

use super::walk::walk;
use crate::build::ProgramProblem;

/// Every place where the result of `del` has a fallback; nothing where the program cannot be parsed.
pub(super) fn find(source: &str) -> Vec<ProgramProblem> {
    let mut found = Vec::new();
    walk(source, |expr| {
        if let Expr::Op(op) = expr.inner()
            && op.1.inner() == &Opcode::Err
            && let Some(removed) = removed_path(&op.0)
        {
            let removed = source.get(removed.start()..removed.end()).unwrap_or_default().trim();
            found.push(ProgramProblem {
                range: Some(expr.span().range()),
                message:
                    "this publishes what it means to remove: `del` returns the value that it removed, and \
                          it cannot fail, so what is behind `??` is never used"
                        .to_owned(),
                notes: vec![right_program(removed)],
            });
        }
    });
    found.sort_by_key(|problem| problem.range.as_ref().map(|range| range.start));
    found
}

/// The argument of `del`, where the expression is a call of it, in parentheses or not.
fn removed_path(expr: &Node<Expr>) -> Option<&Node<FunctionArgument>> {
    let call = |call: &FunctionCall| call.ident.inner().as_ref() == "del";
    match expr.inner() {
        Expr::FunctionCall(function) if call(function) => function.inner().arguments.first(),
        Expr::Container(container) => match container.inner() {
            Container::Group(group) => removed_path(&group.inner().0),
            Container::Block(block) => removed_path(block.inner().0.last()?),
            _ => None,
        },
        Expr::Query(query) => match query.target.inner() {
            QueryTarget::FunctionCall(function) if call(function) => function.arguments.first(),
            _ => None,
        },
        _ => None,
    }
}

/// How to say it, with the author's own names where the removed path has a parent.
fn right_program(removed: &str) -> String {
    let split = removed.rsplit_once('.').filter(|(parent, _)| parent.len() > 1 && parent.starts_with('.'));
    let (parent, key) = split.unwrap_or((".body.subject.content", "sensitive_data"));
    let is_word =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let copy = parent.rsplit('.').next().filter(|name| is_word(name)).unwrap_or("rest");
    format!(
        "take a copy, remove from the copy, and use the copy:\n    \
         {copy} = {parent}\n    \
         del({copy}.{key})\n\
         and then `{copy}` where the fallback is now"
    )
}
