//! What compiles, what does not, and what is said about it.

use fanfare_transform::{BuildError, Spec, build};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{cdevent, draft, problems, run};

#[test]
fn programs_for_unknown_types_and_for_known_types_both_compile() {
    let check = |program: &str, body: Value, expected: Value| {
        let [output] = run(program, draft(body)).unwrap().try_into().unwrap();
        assert_eq!(output.body, expected, "{program}");
    };
    // cdviz-collector's guide; with types known, these handle errors that cannot occur
    check(".metadata = object(.metadata) ?? {}\n[.]", json!(1), json!(1));
    check("[{\"body\": string(.body.context.id) ?? \"x\"}]", cdevent(), cdevent()["context"]["id"].clone());
    check("[{\"body\": string(.body.context.id) ?? \"x\"}]", json!(1), json!("x"));
    // without types known, these leave errors unhandled
    check("[{\"body\": \"dev-\" + .body.subject.id}]", cdevent(), json!("dev-build-456"));
    check("[{\"body\": upcase(.id)}]", json!({"id": "a"}), json!("A"));
    check("[{\"body\": keys(.headers)}]", json!(1), json!([]));
}

#[test]
fn a_program_in_the_manner_of_public_ones_asks_for_a_content_id() {
    let program = r#"
        .metadata = object(.metadata) ?? {}
        output = []
        if exists(.body.package) {
            output = push(output, {
                "metadata": .metadata,
                "headers": .headers,
                "body": {
                    "context": {
                        "version": "0.4.1",
                        "id": "0",
                        "source": .metadata.context.source || "unknown",
                        "type": "dev.cdevents.artifact.published.0.2.0",
                        "timestamp": to_string!(.body.package.updated_at),
                    },
                    "subject": {
                        "id": purl_to_string!({
                            "type": "oci",
                            "name": .body.package.name,
                            "version": .body.package.version,
                            "qualifiers": { "repository_url": "ghcr.io/acme" },
                        }),
                        "type": "artifact",
                        "content": {},
                    },
                },
            })
        }
        output
    "#;
    let package =
        json!({"name": "charts/web", "version": "sha256:abc", "updated_at": "2024-05-01T12:00:00Z"});
    let [output] = run(program, draft(json!({"package": package}))).unwrap().try_into().unwrap();
    assert_eq!(output.body["context"]["id"], "0");
    assert_eq!(output.body["subject"]["id"], "pkg:oci/web@sha256:abc?repository_url=ghcr.io/acme/charts");
    assert_eq!(run(program, draft(json!({"ping": 1}))), Ok(vec![]));
}

#[test]
fn a_fallback_behind_del_is_found_wherever_it_is() {
    for (program, place) in [
        ("[{\"body\": del(.body.a.b) ?? .body.a}]", "del(.body.a.b) ?? .body.a"),
        (".body = (del(.body.a)) ?? .body\n[.]", "(del(.body.a)) ?? .body"),
        ("if true { x = del(.body.a.b) ?? 1 }\n[.]", "del(.body.a.b) ?? 1"),
        ("if (del(.a) ?? true) == 1 { null }\n[.]", "del(.a) ?? true"),
        ("for_each([1]) -> |_i, _v| { .x = del(.y) ?? 1 }\n[.]", "del(.y) ?? 1"),
        ("x = !(del(.y) ?? true)\n[.]", "del(.y) ?? true"),
        ("x = upcase(del(.y) ?? \"\")\n[.]", "del(.y) ?? \"\""),
        ("x = [1, [{\"k\": del(.y) ?? 1}]]\n[.]", "del(.y) ?? 1"),
        ("x = del(.y).z ?? 1\n[.]", "del(.y).z ?? 1"),
        ("return del(.y) ?? 1", "del(.y) ?? 1"),
        ("x = \"größer\" + (del(.y) ?? \"\")\n[.]", "del(.y) ?? \"\""),
        ("x = del(.y, compact: true) ?? 1\n[.]", "del(.y, compact: true) ?? 1"),
    ] {
        let found = problems(program);
        assert_eq!(&program[found[0].range.clone().unwrap()], place);
        assert!(
            found[0].message.starts_with("this publishes what it means to remove"),
            "{}",
            found[0].message
        );
        assert!(!found.iter().any(|problem| problem.message.contains("E651")), "{found:?}");
    }
    // `del` as VRL's documentation uses it, to move a value
    run(".body.new = string(del(.body.old)) ?? \"\"\n[.]", draft(json!({"old": "x"}))).unwrap();
}

#[test]
fn the_advice_names_what_the_program_names() {
    for (program, advice) in [
        ("[{\"body\": del(.body.a.b) ?? .body.a}]", "a = .body.a\n    del(a.b)"),
        ("[{\"body\": del(.body.\"a b\".c) ?? 1}]", "rest = .body.\"a b\"\n    del(rest.c)"),
        ("[{\"body\": del(.body) ?? 1}]", "content = .body.subject.content\n    del(content.sensitive_data)"),
        ("x = {\"a\": 1}\n[{\"body\": del(x.a) ?? 1}]", "content = .body.subject.content"),
    ] {
        let found = problems(program);
        assert!(found[0].notes[0].contains(advice), "{}", found[0].notes[0]);
    }
}

#[test]
fn problems_say_where_and_what() {
    let check = |program: &str, place: &str, message: &str, note: &str| {
        let found = problems(program);
        let [problem] = found.as_slice() else { panic!("{program}: {found:?}") };
        assert_eq!(&program[problem.range.clone().unwrap()], place, "{program}");
        assert_eq!(problem.message, message, "{program}");
        assert!(problem.notes.iter().any(|seen| seen == note), "{program}: {:?}", problem.notes);
        assert!(problem.notes.iter().all(|note| !note.contains("http")), "{:?}", problem.notes);
    };
    check("foo bar (", "bar", "syntax error (E203)", "unexpected syntax token: \"Identifier\"");
    check("[.", "", "syntax error (E204)", "unexpected end of program");
    // One mistake, and types that only the other way of compiling knows: the way with fewer problems is shown.
    check(
        ".metadata = object(.metadata) ?? {}\n.x = strig(.y)\n[.]",
        "strig",
        "call to undefined function (E105)",
        "did you mean \"string\"?",
    );
    check(
        ".body.subject.id = \"a-\" + .body.subject.id\n.x = strig(.y)\n[.]",
        "strig",
        "call to undefined function (E105)",
        "did you mean \"string\"?",
    );
    check(
        "get_env_var!(\"HOME\")",
        "get_env_var",
        "call to undefined function (E105)",
        "`get_env_var` reaches outside the event, so programs do not have it here",
    );
    check(
        "x = to_int(.body.a)\n[.]",
        "to_int(.body.a)",
        "unhandled fallible assignment (E103)",
        "x, err = to_int(.body.a)",
    );
}

#[test]
fn several_problems_are_all_told() {
    let found = problems(".a = strig(.y)\n.b = nope\n[.]");
    assert_eq!(found.len(), 2, "{found:?}");
}

/// Words of the language, so that many of the programs come far.
fn any_program() -> impl Strategy<Value = String> {
    let words = vec![
        ".",
        ".body",
        ".id",
        "x",
        " = ",
        "\n",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        "\"a\": ",
        ", ",
        " + ",
        " / ",
        " ?? ",
        " || ",
        "del",
        "!",
        "if ",
        " else ",
        "null",
        "1",
        "-1",
        "1.5",
        "\"größe\"",
        "r'a+'",
        "t'2024-05-01T12:00:00Z'",
        "upcase(",
        "to_int!(",
        "parse_json(",
        "merge(",
        "for_each(",
        " -> |_k, v| {",
        "return ",
        "abort",
        "; ",
        "%",
        "@",
        "\\",
        "\"",
        "# ",
        "ü",
        "purl_to_string(",
    ];
    prop::collection::vec(prop::sample::select(words), 0..16).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_makes_the_compiler_panic_and_problems_lie_in_the_text(
        program in prop_oneof![3 => any_program(), 1 => "\\PC{0,24}"],
    ) {
        if let Err(BuildError::Program(problems)) = build(Spec::Vrl { program: &program }) {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!(!problem.message.contains("unforeseen"), "{:?}", program);
                if let Some(range) = problem.range {
                    prop_assert!(program.get(range.clone()).is_some(), "{:?} {:?}", program, range);
                }
            }
        }
    }
}
