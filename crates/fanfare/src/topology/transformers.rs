//! The transformers of a configuration: compiled once to say what is wrong with them, and put together for each source.

use fanfare_config::{Config, Diagnostics, TransformerKind};
use fanfare_transform::{BuildError, Spec};

use super::left_out;

/// A source's transformers. What `check_transformers` has refused is left out; nothing starts on it.
pub(super) fn chain(config: &Config, source: &fanfare_config::Source) -> fanfare_transform::Chain {
    fanfare_transform::Chain::new(source.transformers.iter().filter_map(|index| {
        let transformer = config.transformers.get(*index)?;
        Some((transformer.name.clone(), fanfare_transform::build(spec(&transformer.kind)).ok()?))
    }))
}

/// Compiles every transformer once, also those that nobody refers to, and says what is wrong with each.
pub(super) fn check_transformers(config: &Config, diagnostics: &mut Diagnostics) {
    for transformer in &config.transformers {
        match fanfare_transform::build(spec(&transformer.kind)) {
            Ok(_) => {}
            Err(BuildError::LeftOut { feature }) => {
                left_out(diagnostics, transformer.type_span, "this transformer", feature);
            }
            Err(BuildError::KeyPath { problem }) => {
                diagnostics
                    .error(transformer.span, format!("`key_path` of `{}` {problem}", transformer.name));
            }
            Err(BuildError::Program(problems)) => {
                for problem in problems {
                    report(transformer, problem, diagnostics);
                }
            }
        }
    }
}

/// Points into the program where the file shows it as it is.
fn report(
    transformer: &fanfare_config::Transformer,
    problem: fanfare_transform::ProgramProblem,
    diagnostics: &mut Diagnostics,
) {
    let TransformerKind::Vrl { program } = &transformer.kind else { return };
    let span = match problem.range {
        Some(range) if program.exact => program.span.part(range.start, range.end),
        _ => program.span,
    };
    let diagnostic =
        diagnostics.error(span, format!("transformer `{}`: {}", transformer.name, problem.message));
    for note in problem.notes {
        diagnostic.help(note);
    }
}

fn spec(kind: &TransformerKind) -> Spec<'_> {
    match kind {
        TransformerKind::Vrl { program } => Spec::Vrl { program: &program.text },
        TransformerKind::Passthrough => Spec::Passthrough,
        TransformerKind::Log { target } => Spec::Log { target },
        TransformerKind::DiscardAll => Spec::DiscardAll,
        TransformerKind::Deduplicate { capacity, key_path } => {
            Spec::Deduplicate { capacity: *capacity, key_path }
        }
    }
}
