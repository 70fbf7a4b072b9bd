//! Values between JSON and VRL.

use fanfare_event::{Draft, Names};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};

use super::seeds::{ADD_REGIONAL_METADATA, ANONYMIZE_FOR_DEV, BUILD_FILTER, FILTER_CORPORATE_EVENTS};
use super::{compile, draft, run};

fn body(program: &str, input: Value) -> Value {
    let [output] = run(program, draft(input)).unwrap().try_into().unwrap();
    output.body
}

#[test]
fn what_a_program_does_not_touch_comes_back_as_it_was() {
    // compared as text, so that the order of keys counts
    let check = |program: &str, input: &str, expected: &str| {
        assert_eq!(body(program, serde_json::from_str(input).unwrap()).to_string(), expected, "{program}");
    };
    let big = u64::MAX;
    let input =
        format!("{{\"z\":{big},\"a\":{{\"y\":1,\"b\":[{{\"d\":-0.0,\"c\":{big}}}]}},\"m\":\"{big}\"}}");
    check("[.]", &input, &input);
    check("null", &input, &input);
    check("[., .]\n[.]", &input, &input);
    check(".body.new = 1\n[.]", "{\"z\":1,\"a\":2}", "{\"z\":1,\"a\":2,\"new\":1}");
    check("del(.body.z)\n[.]", "{\"z\":1,\"y\":1,\"a\":2}", "{\"y\":1,\"a\":2}");
    check(".body.z = 1.5\n[.]", "{\"z\":1,\"a\":2}", "{\"z\":1.5,\"a\":2}");
    // A number that VRL cannot hold is a string of its digits elsewhere: its value is not lost.
    check(
        ".body.b = .body.a\n[.]",
        "{\"a\":18446744073709551615}",
        "{\"a\":18446744073709551615,\"b\":\"18446744073709551615\"}",
    );
}

#[test]
fn what_json_does_not_have_becomes_what_is_nearest() {
    let check =
        |program: &str, expected: Value| assert_eq!(body(program, json!(null)), expected, "{program}");
    check("[{\"body\": t'2024-05-01T12:00:00.5Z'}]", json!("2024-05-01T12:00:00.500Z"));
    check("[{\"body\": r'^a+$'}]", json!("^a+$"));
    check("[{\"body\": decode_base64!(\"/w==\")}]", json!("\u{fffd}"));
    check(
        "[{\"body\": parse_timestamp!(\"2024-05-01 12:00\", \"%Y-%m-%d %H:%M\")}]",
        json!("2024-05-01T12:00:00Z"),
    );
    check(
        "[{\"body\": [9223372036854775807, -1, 1.5, 1.0, true, null, {}]}]",
        json!([i64::MAX, -1, 1.5, 1.0, true, null, {}]),
    );
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(Value::Null, |inner, _| Value::Array(vec![inner]))
}

#[test]
fn nesting_is_bounded_on_the_way_in_and_on_the_way_out() {
    assert_eq!(body("[.]", nested(128)), nested(128));
    let refusal = run("[.]", draft(nested(129))).unwrap_err();
    assert_eq!(refusal.to_string(), "body is nested too deeply");
    let refusal = run(".body = [.body]\n[.]", draft(nested(128))).unwrap_err();
    assert_eq!(refusal.to_string(), "result[0].body is nested too deeply");
}

/// Any JSON that a parser may give, numbers beyond 64 bits signed included.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let finite = any::<f64>().prop_filter_map("JSON has finite numbers only", Number::from_f64);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        finite.prop_map(Value::Number),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((key(), inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Often a key that means something.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,6}",
        prop::sample::select(vec![
            "context",
            "subject",
            "content",
            "id",
            "type",
            "source",
            "body",
            "importance"
        ])
        .prop_map(str::to_owned),
    ]
}

fn any_draft() -> impl Strategy<Value = Draft> {
    let name = || option::of(".{0,6}");
    let names = (name(), name(), name(), name());
    let metadata = vec((key(), any_json()), 0..4);
    (metadata, btree_map("[a-z-]{1,8}", ".{0,12}", 0..4), any_json(), names).prop_map(
        |(metadata, headers, body, (kind, id, source, subject))| Draft {
            metadata: metadata.into_iter().collect::<Map<_, _>>(),
            headers,
            body,
            set: Names { kind, id, source, subject },
            ..Draft::default()
        },
    )
}

proptest! {
    #[test]
    fn passing_on_is_the_identity(draft in any_draft()) {
        for program in ["", "[.]", "null"] {
            let outputs = run(program, draft.clone()).unwrap();
            prop_assert_eq!(&outputs, &vec![draft.clone()]);
            prop_assert_eq!(outputs[0].body.to_string(), draft.body.to_string());
        }
    }

    #[test]
    fn no_event_makes_a_program_panic(draft in any_draft()) {
        for program in [ADD_REGIONAL_METADATA, FILTER_CORPORATE_EVENTS, ANONYMIZE_FOR_DEV, BUILD_FILTER] {
            if let Err(refusal) = super::apply(&*compile(program), draft.clone()) {
                prop_assert!(!refusal.to_string().contains("unforeseen"), "{}", refusal);
            }
        }
    }
}
