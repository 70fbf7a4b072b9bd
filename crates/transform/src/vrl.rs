//! `vrl`: a program in the Vector Remap Language, run once for each event.
//!
//! A program comes from the operator and is trusted; the events are not. How a program is compiled, how values
//! cross between JSON and VRL, and what a result means live in the modules below.

mod compile;
mod deep_stack;
mod del_fallback;
mod output;
mod purl;
mod purl_functions;
mod value;
mod walk;

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fanfare_event::{Draft, Names};
use vrl::compiler::runtime::{Runtime, Terminate};
use vrl::compiler::state::RuntimeState;
use vrl::compiler::{Program, TargetValue, TimeZone};
use vrl::diagnostic::DiagnosticMessage as _;
use vrl::value::{ObjectMap, Secrets, Value};

use crate::build::BuildError;
use crate::transform::{Claims, Refusal, Transform};
use value::Unfit;

/// Expressions that one run of a program may evaluate, some seconds of one core. Reached only by loops over loops
/// over what came in; the event is refused.
const MAX_STEPS: u32 = 10_000_000;

/// Bytes of a refusal's message. VRL quotes values in some of its messages, whatever their size.
const MAX_MESSAGE: usize = 1000;

/// The time zone of times that name none. Not the machine's: an event becomes the same everywhere.
const TIME_ZONE: &str = "UTC";

/// What an empty program means.
const PASS_ON: &str = "[.]";

pub(crate) struct Vrl {
    source: String,
    program: Program,
    needs_deep_stack: bool,
}

impl Vrl {
    pub(crate) fn new(program: &str) -> Result<Self, BuildError> {
        let source = if program.trim().is_empty() { PASS_ON } else { program }.to_owned();
        let program = compile::compile(&source).map_err(BuildError::Program)?;
        let needs_deep_stack = deep_stack::is_needed(&source);
        Ok(Self { source, program, needs_deep_stack })
    }

    fn transform(&self, draft: &Draft) -> Result<Vec<Draft>, Refusal> {
        let shown = draft.names();
        let mut target = TargetValue {
            value: target(draft, &shown)?,
            metadata: Value::Object(ObjectMap::new()),
            secrets: Secrets::default(),
        };
        let result =
            self.run(&mut target).map_err(|message| Refusal::Unfit(shorten(mask_headers(message, draft))))?;
        output::drafts(result, &target.value, draft, &shown)
    }

    /// Runs the program on the target. What it panics with is its own affair; the event is refused, and the
    /// target is not looked at again.
    fn run(&self, target: &mut TargetValue) -> Result<Value, String> {
        let mut steps = 0;
        let mut control = || {
            steps += 1;
            if steps > MAX_STEPS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let timezone = TimeZone::parse(TIME_ZONE).unwrap_or_default();
        let result = catch_unwind(AssertUnwindSafe(|| {
            Runtime::new(RuntimeState::default()).resolve_with_control(
                target,
                &self.program,
                &timezone,
                &mut control,
            )
        }));
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Terminate::Interrupted)) => {
                Err(format!("the program took more than {MAX_STEPS} steps on this event"))
            }
            Ok(Err(terminate)) => {
                let error = terminate.get_expression_error();
                Err(self.describe(&error.message(), error.labels().first().map(|label| label.span.start())))
            }
            Err(_) => Err("the program failed in an unforeseen way on this event".to_owned()),
        }
    }

    /// VRL's message, with the place in the program as a line and column. VRL writes it into the text of most
    /// messages, as ` at (start:end)` in bytes.
    fn describe(&self, message: &str, start: Option<usize>) -> String {
        let mut message = message.to_owned();
        let mut start = start;
        if let Some((range, written)) = written_span(&message) {
            message.replace_range(range, "");
            start = start.or(Some(written));
        }
        match start.and_then(|start| self.source.get(..start)) {
            Some(before) => {
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                format!("line {line}, column {column} of the program: {message}")
            }
            None => message,
        }
    }
}

impl Transform for Vrl {
    fn apply(&self, draft: Draft, _claims: &mut Claims) -> Result<Vec<Draft>, Refusal> {
        if self.needs_deep_stack {
            if !deep_stack::fits(&draft) {
                let limit = deep_stack::MAX_TEXT;
                let message = format!(
                    "the event has more than {limit} bytes of text, and the program calls a function that could not bear more"
                );
                return Err(Refusal::Unfit(message));
            }
            deep_stack::run(|| self.transform(&draft))
                .unwrap_or_else(|| Err(Refusal::Unfit("there is no memory for this program now".to_owned())))
        } else {
            self.transform(&draft)
        }
    }
}

/// What a program sees as `.`: metadata, headers and body, and beside them what the event is called, as far as
/// that is known.
fn target(draft: &Draft, names: &Names) -> Result<Value, Unfit> {
    let headers = draft.headers.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into()));
    let mut root = ObjectMap::from([
        ("metadata".into(), value::object_from_json(&draft.metadata, "metadata")?),
        ("headers".into(), Value::Object(headers.collect())),
        ("body".into(), value::from_json(&draft.body, "body")?),
    ]);
    for (key, name) in output::NAMES.into_iter().zip(output::names(names)) {
        if let Some(name) = name {
            root.insert(key.into(), name.as_str().into());
        }
    }
    Ok(Value::Object(root))
}

/// Where a message says ` at (start:end)`, and that start.
fn written_span(message: &str) -> Option<(std::ops::Range<usize>, usize)> {
    let from = message.find(" at (")?;
    let (span, _) = message.get(from + " at (".len()..)?.split_once(')')?;
    let (start, end) = span.split_once(':')?;
    end.parse::<usize>().ok()?;
    Some((from..from + " at ()".len() + span.len(), start.parse().ok()?))
}

/// Headers may hold secrets, and VRL quotes values in some of its messages. Masked are the values of headers and
/// the words in them (the token behind `Bearer `), but for those so short that they would mask what is no secret.
fn mask_headers(mut message: String, draft: &Draft) -> String {
    const SHORTEST: usize = 4;
    for value in draft.headers.values() {
        let parts = std::iter::once(value.as_str()).chain(value.split_whitespace());
        for part in parts.filter(|part| part.len() >= SHORTEST) {
            message = message.replace(part, "***");
        }
    }
    message
}

fn shorten(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        message.push('…');
    }
    message
}
