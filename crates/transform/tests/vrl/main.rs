//! VRL programs as operators write them, through the crate's public surface.
#![cfg(feature = "vrl")]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod docs;
mod hostile;
mod programs;
mod purl;
mod results;
mod seeds;
mod values;

use std::sync::Arc;

use fanfare_event::Draft;
use fanfare_transform::{BuildError, Claims, ProgramProblem, Refusal, Spec, Transform, build};
use serde_json::{Value, json};

fn compile(program: &str) -> Arc<dyn Transform> {
    build(Spec::Vrl { program }).unwrap_or_else(|error| panic!("{program}\n{error}"))
}

fn problems(program: &str) -> Vec<ProgramProblem> {
    match build(Spec::Vrl { program }) {
        Err(BuildError::Program(problems)) => problems,
        Err(error) => panic!("{program}\n{error}"),
        Ok(_) => panic!("this compiles:\n{program}"),
    }
}

fn apply(transformer: &dyn Transform, draft: Draft) -> Result<Vec<Draft>, Refusal> {
    transformer.apply(draft, &mut Claims::default())
}

fn run(program: &str, draft: Draft) -> Result<Vec<Draft>, Refusal> {
    apply(&*compile(program), draft)
}

fn draft(body: Value) -> Draft {
    Draft { body, ..Draft::default() }
}

/// `{metadata, headers, body}`, as programs and cdviz-collector's documents write events.
fn read(event: &Value) -> Draft {
    let headers = event["headers"].as_object().unwrap();
    Draft {
        metadata: event["metadata"].as_object().unwrap().clone(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect(),
        body: event["body"].clone(),
        ..Draft::default()
    }
}

fn cdevent() -> Value {
    json!({
        "context": {
            "version": "0.4.0",
            "id": "dev.cdevents.build.started.0.1.0-12345678",
            "source": "github.com/myorg/myrepo",
            "type": "dev.cdevents.build.started.0.1.0",
            "timestamp": "2024-01-15T10:30:00Z"
        },
        "subject": {
            "id": "build-456",
            "type": "build",
            "content": {"id": "build-456", "user_id": "u7", "sensitive_data": "s3cret", "importance": "low"}
        }
    })
}
