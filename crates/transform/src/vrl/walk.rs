//! Visits every expression of a program's syntax tree.

use vrl::parser::ast::{
    Assignment, Block, Container, Expr, FunctionCall, Node, Op, Predicate, QueryTarget, RootExpr, Unary,
};

/// Calls `visit` with every expression, in no particular order; not at all where the program cannot be parsed.
pub(super) fn walk(source: &str, mut visit: impl FnMut(&Node<Expr>)) {
    let Ok(program) = vrl::parser::parse(source) else { return };
    let mut pending: Vec<Node<Expr>> = program
        .into_iter()
        .filter_map(|root| match root.into_inner() {
            RootExpr::Expr(expr) => Some(expr),
            RootExpr::Error(_) => None,
        })
        .collect();
    while let Some(expr) = pending.pop() {
        visit(&expr);
        children(expr.into_inner(), &mut pending);
    }
}

/// Puts the expressions right below this one onto the stack.
fn children(expr: Expr, stack: &mut Vec<Node<Expr>>) {
    match expr {
        Expr::Literal(_) | Expr::Variable(_) | Expr::Break(_) => {}
        Expr::Container(container) => children_of_container(container.into_inner(), stack),
        Expr::IfStatement(statement) => {
            let statement = statement.into_inner();
            match statement.predicate.into_inner() {
                Predicate::One(expr) => stack.push(*expr),
                Predicate::Many(exprs) => stack.extend(exprs),
            }
            stack.extend(statement.if_node.into_inner());
            stack.extend(statement.else_node.map(Node::into_inner).into_iter().flat_map(Block::into_inner));
        }
        Expr::Op(op) => {
            let Op(left, _, right) = op.into_inner();
            stack.extend([*left, *right]);
        }
        Expr::Assignment(assignment) => match assignment.into_inner() {
            Assignment::Single { expr, .. } | Assignment::Infallible { expr, .. } => stack.push(*expr),
        },
        Expr::Query(query) => match query.into_inner().target.into_inner() {
            QueryTarget::Internal(_) | QueryTarget::External(_) => {}
            QueryTarget::FunctionCall(call) => children_of_call(call, stack),
            QueryTarget::Container(container) => children_of_container(container, stack),
        },
        Expr::FunctionCall(call) => children_of_call(call.into_inner(), stack),
        Expr::Unary(unary) => {
            let Unary::Not(not) = unary.into_inner();
            stack.push(*not.into_inner().take().1);
        }
        Expr::Abort(abort) => stack.extend(abort.into_inner().message.map(|message| *message)),
        Expr::Return(value) => stack.push(*value.into_inner().expr),
    }
}

fn children_of_container(container: Container, stack: &mut Vec<Node<Expr>>) {
    match container {
        Container::Group(group) => stack.push(group.into_inner().into_inner()),
        Container::Block(block) => stack.extend(block.into_inner()),
        Container::Array(array) => stack.extend(array.into_inner()),
        Container::Object(object) => stack.extend(object.into_inner().into_iter().map(|(_, member)| member)),
    }
}

fn children_of_call(call: FunctionCall, stack: &mut Vec<Node<Expr>>) {
    stack.extend(call.arguments.into_iter().map(|argument| argument.into_inner().expr));
    stack.extend(call.closure.into_iter().flat_map(|closure| closure.into_inner().block.into_inner()));
}
