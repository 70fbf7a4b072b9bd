//! Events that are not what a program was compiled for.

use fanfare_event::Draft;
use serde_json::{Value, json};

use super::seeds::{ANONYMIZE_FOR_DEV, BUILD_FILTER};
use super::{apply, cdevent, compile, draft, run};

/// Uses every type that is declared to the compiler, so that each is a lie when the event is another.
const TRUSTING: &str = r#"
    [{
        "metadata": merge(.metadata, { "n": length(.metadata) }),
        "headers": map_values(.headers) -> |value| { upcase(value) },
        "body": {
            "names": upcase(.type) + upcase(.id) + upcase(.source) + upcase(.subject),
            "context": upcase(.body.context.id) + .body.context.version + .body.context.source +
                .body.context.type + .body.context.timestamp,
            "subject": truncate(.body.subject.id, 3) + strip_whitespace(.body.subject.type),
            "content": keys(.body.subject.content),
            "more": [split(.body.context.id, "-"), starts_with(.body.subject.id, "a"), length(.body.subject.content),
                merge(.body.context, .body.subject), flatten(.body), encode_json(.body.subject.content)],
        },
    }]
"#;

#[test]
fn a_value_of_another_type_refuses_the_event_and_never_panics() {
    let programs = [TRUSTING, ANONYMIZE_FOR_DEV, BUILD_FILTER].map(compile);
    let paths = [
        "",
        "/context",
        "/context/version",
        "/context/id",
        "/context/source",
        "/context/type",
        "/context/timestamp",
        "/subject",
        "/subject/id",
        "/subject/type",
        "/subject/content",
    ];
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(u64::MAX),
        json!(1.5),
        json!(""),
        json!("\u{0}é"),
        json!([]),
        json!([1]),
        json!({}),
        json!({"a": null}),
    ];
    for path in paths {
        for value in &values {
            let mut body = cdevent();
            *body.pointer_mut(path).unwrap() = value.clone();
            for program in &programs {
                if let Err(refusal) = apply(&**program, draft(body.clone())) {
                    assert!(!refusal.to_string().contains("unforeseen"), "{path} = {value}: {refusal}");
                }
            }
        }
    }
    let input = Draft { headers: [("a".to_owned(), "b".to_owned())].into(), ..draft(cdevent()) };
    let [output] = apply(&*programs[0], input).unwrap().try_into().unwrap();
    assert_eq!(output.body["subject"], "buibuild");
    assert_eq!(output.headers["a"], "B");
}

#[test]
fn texts_that_nest_without_end_refuse_the_event() {
    // As much as such a program is given, which overflows the stack of a thread many times over.
    const MAX_TEXT: usize = 256 << 10;
    let check = |program: &str, body: Value| {
        let refusal = run(program, draft(body)).unwrap_err();
        assert_eq!(refusal.to_string(), "result[0].body is nested too deeply", "{program}");
    };
    let flat = json!({"a.".repeat(MAX_TEXT / 2 - 1) + "b": 1});
    check(".body = unflatten!(.body)\n[.]", flat.clone());
    check("[{\"body\": unflatten!(.body).a}]", flat);
    check(".body = set!({}, array!(.body), 1)\n[.]", json!(vec!["a"; MAX_TEXT]));
    check(".body = set!({}, array!(.body), 1)\n[.]", json!(vec![0; MAX_TEXT]));
    let xml = |levels: usize| json!("<a>".repeat(levels) + &"</a>".repeat(levels));
    check(".body = parse_xml!(.body)\n[.]", xml(MAX_TEXT / 7));
    let levels = MAX_TEXT / 7 - 1;
    let hash = "{\"a\"=>".repeat(levels) + "1" + &"}".repeat(levels);
    check(".body = parse_ruby_hash!(.body)\n[.]", json!(hash));

    let refusal = run(".body = parse_xml!(.body)\n[.]", draft(xml(MAX_TEXT / 7 + 1))).unwrap_err();
    assert!(refusal.to_string().starts_with("the event has more than 262144 bytes of text"), "{refusal}");
}
