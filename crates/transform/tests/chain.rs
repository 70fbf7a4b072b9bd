//! Transformers in order, what one delivery may become, and what is remembered of it.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::sync::Arc;

use fanfare_event::Draft;
use fanfare_event::limits::MAX_EVENTS_PER_DELIVERY;
use fanfare_transform::{Chain, ChainError, Claims, Refusal, Spec, Transform, build};
use serde_json::{Value, json};

/// Puts its letter behind the body, `times` times.
struct Append(&'static str, usize);

impl Transform for Append {
    fn apply(&self, draft: Draft, _claims: &mut Claims) -> Result<Vec<Draft>, Refusal> {
        let text = format!("{}{}", draft.body.as_str().unwrap(), self.0);
        Ok(vec![Draft { body: text.into(), ..draft }; self.1])
    }
}

/// Refuses every event.
struct Refuse;

impl Transform for Refuse {
    fn apply(&self, _draft: Draft, _claims: &mut Claims) -> Result<Vec<Draft>, Refusal> {
        Err(Refusal::Unfit("no".to_owned()))
    }
}

fn draft(body: Value) -> Draft {
    Draft { body, ..Draft::default() }
}

fn chain(transformers: impl IntoIterator<Item = Arc<dyn Transform>>) -> Chain {
    Chain::new(transformers.into_iter().enumerate().map(|(at, one)| (format!("t{at}"), one)))
}

fn bodies(chain: &Chain, body: Value) -> Result<Vec<Value>, ChainError> {
    let mut run = chain.run();
    let drafts = run.apply(draft(body))?;
    run.commit();
    Ok(drafts.into_iter().map(|draft| draft.body).collect())
}

fn made(spec: Spec<'_>) -> Arc<dyn Transform> {
    build(spec).unwrap()
}

fn deduplicate(capacity: usize, key_path: &str) -> Arc<dyn Transform> {
    made(Spec::Deduplicate { capacity, key_path })
}

#[test]
fn transformers_run_in_order_and_each_sees_every_output_of_the_one_before() {
    assert_eq!(bodies(&chain([]), json!("x")), Ok(vec![json!("x")]));
    let fan_out = chain([
        Arc::new(Append("a", 1)) as Arc<dyn Transform>,
        Arc::new(Append("b", 2)),
        Arc::new(Append("c", 1)),
    ]);
    assert_eq!(bodies(&fan_out, json!("x")), Ok(vec![json!("xabc"), json!("xabc")]));
    assert_eq!(format!("{fan_out:?}"), "[\"t0\", \"t1\", \"t2\"]");
    let plain = chain([made(Spec::Passthrough), made(Spec::Log { target: "t" })]);
    assert_eq!(bodies(&plain, json!({"any": 1})), Ok(vec![json!({"any": 1})]));
    // what is dropped does not reach what would refuse it
    assert_eq!(bodies(&chain([made(Spec::DiscardAll), Arc::new(Refuse)]), json!("x")), Ok(vec![]));
}

#[test]
fn a_refusal_names_the_transformer_and_its_place() {
    let error = bodies(&chain([made(Spec::Passthrough), Arc::new(Refuse)]), json!("x")).unwrap_err();
    assert_eq!(error.to_string(), "transformer `t1`: no");
    assert_eq!((error.position, error.refusal), (1, Refusal::Unfit("no".to_owned())));
}

#[test]
fn a_delivery_is_bounded_over_all_its_events() {
    let hundred = chain([Arc::new(Append("", 100)) as Arc<dyn Transform>]);
    let mut run = hundred.run();
    for _ in 0..MAX_EVENTS_PER_DELIVERY / 100 {
        assert_eq!(run.apply(draft(json!("x"))).unwrap().len(), 100);
    }
    let error = run.apply(draft(json!("x"))).unwrap_err();
    assert_eq!(error.refusal, Refusal::TooMany { limit: MAX_EVENTS_PER_DELIVERY });

    // Stopped within the transformer that passes the bound, before the next multiplies it again.
    let square = chain([Arc::new(Append("", 1000)) as Arc<dyn Transform>, Arc::new(Append("", 1000))]);
    assert_eq!(square.run().apply(draft(json!("x"))).unwrap_err().position, 1);
}

/// How many of these events pass, each in a delivery of its own that is stored.
fn check_passes(transformer: Arc<dyn Transform>, events: &[Value], expected: usize) {
    let chain = chain([transformer]);
    let passed: Vec<_> = events.iter().flat_map(|body| bodies(&chain, body.clone()).unwrap()).collect();
    assert_eq!(passed.len(), expected, "{events:?}");
}

#[test]
fn a_key_passes_once() {
    let id = |id: &str| json!({"context": {"id": id}, "n": id.len()});
    let path = "/context/id";
    check_passes(deduplicate(10, path), &[id("a"), id("b"), id("c")], 3);
    check_passes(deduplicate(10, path), &[id("a"), id("a")], 1);
    // first in, first out: being seen again keeps no key alive
    check_passes(deduplicate(2, path), &[id("a"), id("b"), id("a"), id("c"), id("a")], 4);
    check_passes(deduplicate(0, path), &[id("a"), id("a")], 2);
    // nobody named these
    check_passes(deduplicate(10, "/no/such"), &[id("a"), id("a")], 2);
    check_passes(deduplicate(10, "/id"), &[json!({"id": null}), json!({"id": null})], 2);
    // any JSON is a key, the whole body too
    check_passes(
        deduplicate(10, ""),
        &[json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}), json!({"a": 1})],
        2,
    );
    check_passes(
        deduplicate(10, ""),
        &[json!(1), json!(1.0), json!("1"), json!([1]), json!([[1]]), json!(true)],
        6,
    );
    check_passes(deduplicate(10, "/a~1b/~0"), &[json!({"a/b": {"~": 1}}), json!({"a/b": {"~": 1}})], 1);
}

#[test]
fn each_use_remembers_for_itself() {
    let twice = chain([deduplicate(10, ""), deduplicate(10, "")]);
    assert_eq!(bodies(&twice, json!(1)), Ok(vec![json!(1)]));
    assert_eq!(bodies(&twice, json!(1)), Ok(vec![]));
    assert_eq!(bodies(&twice.clone(), json!(1)), Ok(vec![]), "a clone is the same chain");
}

#[test]
fn what_was_not_stored_was_never_seen() {
    let chain = chain([deduplicate(10, "")]);
    // The log refuses it, or a later transformer does: the publisher sends it again.
    let mut failed = chain.run();
    assert_eq!(failed.apply(draft(json!(1))).unwrap().len(), 1);
    drop(failed);
    assert_eq!(bodies(&chain, json!(1)), Ok(vec![json!(1)]));
    assert_eq!(bodies(&chain, json!(1)), Ok(vec![]));
}

#[test]
fn the_same_event_twice_on_its_way_is_neither_stored_twice_nor_called_stored() {
    let chain = chain([deduplicate(10, "")]);
    let mut first = chain.run();
    assert_eq!(first.apply(draft(json!(1))).unwrap().len(), 1);
    let mut second = chain.run();
    let error = second.apply(draft(json!(1))).unwrap_err();
    assert_eq!(error.refusal, Refusal::InFlight);
    drop(second);
    // within one delivery it is a repetition: both are stored, or neither
    assert_eq!(first.apply(draft(json!(1))).unwrap().len(), 0);
    assert_eq!(first.apply(draft(json!(2))).unwrap().len(), 1);
    first.commit();
    assert_eq!(bodies(&chain, json!(1)), Ok(vec![]));
    assert_eq!(bodies(&chain, json!(2)), Ok(vec![]));
}

#[test]
fn a_key_path_must_be_a_json_pointer() {
    let check = |key_path: &str, expected: &str| {
        let error = build(Spec::Deduplicate { capacity: 1, key_path }).err().unwrap();
        assert_eq!(
            error.to_string(),
            format!("`key_path` must be a JSON pointer such as /context/id: {expected}")
        );
    };
    check("context.id", "it must begin with a slash");
    check("/a~b", "a ~ must be written ~0, and a / within a name ~1");
    check("/a~", "a ~ must be written ~0, and a / within a name ~1");
}

#[cfg(not(feature = "vrl"))]
#[test]
fn what_was_left_out_says_which_feature_brings_it() {
    let error = build(Spec::Vrl { program: "[.]" }).err().unwrap();
    assert_eq!(error, fanfare_transform::BuildError::LeftOut { feature: "transform_vrl" });
}

#[cfg(feature = "vrl")]
#[test]
fn programs_chain_through_metadata() {
    let programs = [".metadata.n = 10\n[.]", ".metadata.n = int!(.metadata.n) + 1\n[., .]", "[]"];
    let made = programs.map(|program| made(Spec::Vrl { program }));
    let drafts = chain(made[..2].to_vec()).run().apply(draft(json!(1))).unwrap();
    assert_eq!(drafts.len(), 2);
    assert_eq!(drafts[1].metadata["n"], 11);
    assert_eq!(chain(made).run().apply(draft(json!(1))), Ok(vec![]));
}
