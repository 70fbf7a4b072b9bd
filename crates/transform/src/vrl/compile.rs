//! From a program's text to the program, or to what is wrong with it.
//!
//! A program is compiled first with nothing known of an event's types, as cdviz-collector does it, because programs
//! in the wild handle the errors that this brings, and VRL refuses the handling of errors that cannot occur. If
//! that fails it is compiled with the shape of a CDEvent declared, which plainer programs need.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use vrl::compiler::state::ExternalEnv;
use vrl::compiler::{CompileConfig, Function, Program, compile_with_external};
use vrl::diagnostic::{Diagnostic, DiagnosticList, Note};
use vrl::value::Kind;
use vrl::value::kind::{Collection, Field};

use super::{del_fallback, purl_functions};
use crate::build::ProgramProblem;

/// Functions of VRL that this build does not have, because they reach outside the event: into the network, files
/// or the environment of the process.
const NOT_OFFERED: [&str; 10] = [
    "dns_lookup",
    "encode_proto",
    "get_env_var",
    "get_hostname",
    "get_timezone_name",
    "http_request",
    "parse_etld",
    "parse_proto",
    "reverse_dns",
    "validate_json_schema",
];

/// Compiles a program; the problems are those of the way that has fewer.
pub(super) fn compile(source: &str) -> Result<Program, Vec<ProgramProblem>> {
    let functions = functions();
    let untyped = match compile_in(source, &functions, &ExternalEnv::default()) {
        Ok(program) => return Ok(program),
        Err(problems) => problems,
    };
    let typed = match compile_in(source, &functions, &cdevent_shape()) {
        Ok(program) => return Ok(program),
        Err(problems) => problems,
    };
    Err(if untyped.len() < typed.len() { untyped } else { typed })
}

fn functions() -> Vec<Box<dyn Function>> {
    let mut functions = vrl::stdlib::all();
    functions.extend(purl_functions::all());
    functions
}

fn compile_in(
    source: &str,
    functions: &[Box<dyn Function>],
    types: &ExternalEnv,
) -> Result<Program, Vec<ProgramProblem>> {
    let compiled = catch_unwind(AssertUnwindSafe(|| {
        compile_with_external(source, functions, types, CompileConfig::default())
    }));
    match compiled {
        Ok(Ok(compiled)) => Ok(compiled.program),
        Ok(Err(diagnostics)) => Err(problems(source, &diagnostics)),
        Err(_) => Err(vec![ProgramProblem {
            range: None,
            message: "VRL's compiler fails on this program in an unforeseen way".to_owned(),
            notes: Vec::new(),
        }]),
    }
}

/// What an event looks like when it is a CDEvent. An event that is not makes the program fail on it, and is
/// refused; nothing relies on this being so.
fn cdevent_shape() -> ExternalEnv {
    let text = Kind::bytes;
    let any = || Collection::<Field>::any();
    let context = ["version", "id", "source", "type", "timestamp"]
        .into_iter()
        .fold(any(), |context, key| context.with_known(key, text()));
    let subject =
        any().with_known("id", text()).with_known("type", text()).with_known("content", Kind::object(any()));
    let body =
        any().with_known("context", Kind::object(context)).with_known("subject", Kind::object(subject));
    let event = super::output::NAMES
        .into_iter()
        .fold(any(), |event, key| event.with_known(key, text()))
        .with_known("metadata", Kind::object(any()))
        .with_known("headers", Kind::object(Collection::from_unknown(text())))
        .with_known("body", Kind::object(body));
    ExternalEnv::new_with_kind(Kind::object(event), Kind::object(Collection::empty()))
}

fn problems(source: &str, diagnostics: &DiagnosticList) -> Vec<ProgramProblem> {
    // VRL says of `del(a) ?? b` that its second half is needless, which is true and hides what matters.
    let mut problems = del_fallback::find(source);
    let explained: Vec<_> = problems.iter().filter_map(|problem| problem.range.clone()).collect();
    for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.is_problem()) {
        let problem = problem(source, diagnostic);
        let is_explained = problem.range.as_ref().is_some_and(|range| {
            explained.iter().any(|other| other.start <= range.start && range.end <= other.end)
        });
        if !(is_explained && diagnostic.code == NEEDLESS_FALLBACK) {
            problems.push(problem);
        }
    }
    problems
}

/// VRL's code for `a ?? b` where `a` cannot fail.
const NEEDLESS_FALLBACK: usize = 651;

fn problem(source: &str, diagnostic: &Diagnostic) -> ProgramProblem {
    let primary = diagnostic.labels.iter().find(|label| label.primary).or(diagnostic.labels.first());
    let code = if diagnostic.code == 0 { String::new() } else { format!(" (E{:03})", diagnostic.code) };
    let labels = diagnostic.labels.iter().map(|label| label.message.clone());
    // What follows is VRL's advice without its links.
    let advice = diagnostic.notes.iter().filter_map(|note| match note {
        Note::Hint(_) | Note::Example(_) | Note::CoerceValue | Note::Basic(_) => Some(note.to_string()),
        _ => None,
    });
    let range = primary.and_then(|label| within(source, label.span.range()));
    let word = range.clone().and_then(|range| source.get(range)).unwrap_or_default().trim_end_matches('!');
    let not_offered = NOT_OFFERED
        .contains(&word)
        .then(|| format!("`{word}` reaches outside the event, so programs do not have it here"));
    ProgramProblem {
        range,
        message: format!("{}{code}", diagnostic.message),
        notes: labels
            .chain(advice)
            .chain(not_offered)
            .map(|note| note.trim_end().to_owned())
            .filter(|note| !note.is_empty() && *note != diagnostic.message)
            .collect(),
    }
}

/// The range, where it is one of the source: nothing else says that VRL's are.
fn within(source: &str, range: Range<usize>) -> Option<Range<usize>> {
    let range = range.start..range.end.min(source.len());
    source.get(range.clone()).map(|_| range)
}
