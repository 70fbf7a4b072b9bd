//! What a program's result means.

use fanfare_event::limits::MAX_EVENTS_PER_DELIVERY;
use fanfare_event::{Draft, Names};
use fanfare_transform::Refusal;
use serde_json::{Value, json};

use super::{draft, read, run};

fn bodies(program: &str, body: &Value) -> Result<Vec<Value>, String> {
    let drafts = run(program, draft(body.clone())).map_err(|refusal| refusal.to_string())?;
    Ok(drafts.into_iter().map(|draft| draft.body).collect())
}

#[test]
fn a_list_is_the_events_null_passes_on_and_an_empty_list_drops() {
    let check = |program: &str, expected: &[Value]| {
        assert_eq!(bodies(program, &json!({"a": 1})), Ok(expected.to_vec()), "{program}");
    };
    check("", &[json!({"a": 1})]);
    check("  \n ", &[json!({"a": 1})]);
    check("[.]", &[json!({"a": 1})]);
    check("[., .]", &[json!({"a": 1}), json!({"a": 1})]);
    check("[{\"body\": \"text\"}, {\"body\": null}]", &[json!("text"), json!(null)]);
    check("[]", &[]);
    check("return []", &[]);
    check("null", &[json!({"a": 1})]);
    check("if .body.a == 2 { [] }", &[json!({"a": 1})]);
    check(".body.b = 2\n[.]", &[json!({"a": 1, "b": 2})]);
    // What a program did before it said null holds: it may have hidden something.
    check(".body.a = null", &[json!({"a": null})]);
    check("del(.body.a)\nnull", &[json!({})]);
}

#[test]
fn anything_else_is_refused_with_what_it_is() {
    let check = |program: &str, expected: &str| {
        assert_eq!(bodies(program, &json!({"a": 1})), Err(expected.to_owned()), "{program}");
    };
    check(".", "the program's result must be a list of events, such as [.], or null, but it is an object");
    check(
        ".body.a = 2",
        "the program's result must be a list of events, such as [.], or null, but it is a number",
    );
    check("\"x\"", "the program's result must be a list of events, such as [.], or null, but it is a string");
    check("true", "the program's result must be a list of events, such as [.], or null, but it is a boolean");
    check("[., 7]", "result[1] must be an event, an object, but it is a number");
    check("[[.]]", "result[0] must be an event, an object, but it is a list");
    check("[{}]", "result[0] has no body");
    check("[{\"boddy\": 1}]", "result[0] has no body");
    check("del(.body)\n[.]", "result[0] has no body");
    check("del(.body)\nnull", "event has no body");
    check(". = 7\nnull", "event must stay an object");
    check(".body = r'x'\n.headers = 7\nnull", "event.headers must be an object, but it is a number");
    check("[{\"body\": 1, \"metadata\": 7}]", "result[0].metadata must be an object");
    check("[{\"body\": 1, \"headers\": []}]", "result[0].headers must be an object, but it is a list");
    check(
        "[{\"body\": 1, \"headers\": {\"a\": 7}}]",
        "result[0].headers.a must be a string, but it is a number",
    );
    check("[{\"body\": 1, \"id\": 7}]", "result[0].id must be a string, but it is a number");
    check(
        ".body.x = to_float!(\"1e308\") * 10.0\n[.]",
        "result[0].body holds a number that is infinite, which JSON cannot",
    );
}

#[test]
fn errors_say_where_in_the_program() {
    let check = |program: &str, body: Value, expected: &str| {
        assert_eq!(bodies(program, &body), Err(expected.to_owned()), "{program}");
    };
    check("\n  abort", json!(1), "line 2, column 3 of the program: aborted");
    check("abort \"no build\"", json!(1), "line 1, column 1 of the program: no build");
    check(
        "# größer\n.body.n = to_int!(.body.n)\n[.]",
        json!({"n": "x"}),
        "line 2, column 11 of the program: function call error for \"to_int\": Invalid integer \"x\": invalid \
         digit found in string",
    );
}

#[test]
fn errors_are_short_and_hold_no_header() {
    let event = json!({"metadata": {}, "headers": {"authorization": "Bearer s3cr3t-t0ken"}, "body": null});
    for program in
        ["to_int!(.headers.authorization)", "to_int!(split(string!(.headers.authorization), \" \")[1])"]
    {
        let message = run(program, read(&event)).unwrap_err().to_string();
        assert!(message.contains("***") && !message.contains("s3cr3t"), "{message}");
    }
    let message = run("to_int!(.body)", draft(json!("ä".repeat(100_000)))).unwrap_err().to_string();
    assert!(message.len() < 1100, "{}", message.len());
}

#[test]
fn what_an_output_leaves_out_is_as_the_program_left_it() {
    let input = json!({"metadata": {"m": 1}, "headers": {"h": "1", "secret": "2"}, "body": 1});
    let check = |program: &str, metadata: Value, headers: Value| {
        let expected = read(&json!({"metadata": metadata, "headers": headers, "body": 2}));
        assert_eq!(run(program, read(&input)), Ok(vec![expected]), "{program}");
    };
    let all = json!({"h": "1", "secret": "2"});
    check("[{\"body\": 2}]", json!({"m": 1}), all.clone());
    check(".metadata.n = 2\n[{\"body\": 2}]", json!({"m": 1, "n": 2}), all.clone());
    check("del(.headers.secret)\n[{\"body\": 2}]", json!({"m": 1}), json!({"h": "1"}));
    check("del(.headers)\n[{\"body\": 2}]", json!({"m": 1}), json!({}));
    check("[{\"body\": 2, \"metadata\": null, \"headers\": null}]", json!({}), json!({}));
    check("[{\"body\": 2, \"headers\": {\"H\": \"x\", \"gone\": null}}]", json!({"m": 1}), json!({"h": "x"}));
    check("[{\"body\": 2, \"other\": 1}]", json!({"m": 1}), all);
}

#[test]
fn a_name_is_set_where_the_program_changed_it_and_derived_again_where_not() {
    let check = |set: Names, program: &str, expected_set: Names, expected_kind: Option<&str>| {
        let input = Draft { set, ..draft(json!({"type": "t", "id": "i"})) };
        let [output] = run(program, input).unwrap().try_into().unwrap();
        assert_eq!(output.set, expected_set, "{program}");
        assert_eq!(output.names().kind.as_deref(), expected_kind, "{program}");
    };
    let kind = |kind: &str| Names { kind: Some(kind.to_owned()), ..Names::default() };
    let none = Names::default;
    check(none(), "[.]", none(), Some("t"));
    check(none(), ".body.type = \"u\"\n[.]", none(), Some("u"));
    check(none(), ".type = \"mine\"\n[.]", kind("mine"), Some("mine"));
    check(none(), ".type = \"mine\"\n.body.type = \"u\"\n[.]", kind("mine"), Some("mine"));
    check(none(), "[{\"body\": {\"type\": \"u\"}}]", none(), Some("u"));
    check(none(), "[{\"body\": 1, \"type\": \"new\"}]", kind("new"), Some("new"));
    check(none(), ".type = null\n[.]", none(), Some("t"));
    check(kind("before"), "[.]", kind("before"), Some("before"));
    check(kind("before"), "[{\"body\": {\"type\": \"u\"}}]", kind("before"), Some("before"));
    check(kind("before"), ".type = \"after\"\n[.]", kind("after"), Some("after"));

    let [output] =
        run(".subject = .source = .id = \"x\"\n[.]", draft(json!({}))).unwrap().try_into().unwrap();
    let x = || Some("x".to_owned());
    assert_eq!(output.set, Names { kind: None, id: x(), source: x(), subject: x() });
}

#[test]
fn a_program_sees_what_the_event_is_called_as_far_as_it_says() {
    let seen = "[{\"body\": [exists(.type), .type, .id, .source, .subject]}]";
    let check = |body: Value, expected: Value| assert_eq!(bodies(seen, &body), Ok(vec![expected]));
    check(
        json!({"context": {"type": "t", "id": "i", "source": "s"}, "subject": {"id": "x"}}),
        json!([true, "t", "i", "s", "x"]),
    );
    check(json!({"type": "t", "event_id": "e"}), json!([true, "t", "e", null, null]));
    check(json!(["no", "names"]), json!([false, null, null, null, null]));
}

#[test]
fn more_events_than_a_delivery_may_be_are_refused() {
    let many = |n: usize| format!("event = .\nmap_values(array!(range(0, {n}) ?? [])) -> |_v| {{ event }}");
    let refusal = run(&many(MAX_EVENTS_PER_DELIVERY + 1), draft(json!(1))).unwrap_err();
    assert_eq!(refusal, Refusal::TooMany { limit: MAX_EVENTS_PER_DELIVERY });
    assert_eq!(run(&many(MAX_EVENTS_PER_DELIVERY), draft(json!(1))).unwrap().len(), MAX_EVENTS_PER_DELIVERY);
}

#[test]
fn a_program_that_does_not_end_in_time_is_stopped() {
    let program = "n = 0\nfor_each(array!(.body)) -> |_i, _v| {\n  for_each(array!(.body)) -> |_j, _w| { n = n + 1 }\n}\n[.]";
    let refusal = run(program, draft(json!(vec![0; 5000]))).unwrap_err();
    assert_eq!(refusal.to_string(), "the program took more than 10000000 steps on this event");
}
