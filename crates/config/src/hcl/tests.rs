//! What HCL evaluates to, as JSON, and what is said instead.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// The attributes of a text as JSON, and what cannot be evaluated.
fn evaluated(text: &str) -> (String, Vec<String>) {
    let env: Env = [("A", "1"), ("EMPTY", ""), ("HOST", "mq")].into_iter().collect();
    let mut diagnostics = Diagnostics::default();
    let file = diagnostics.add_file("test.hcl".to_owned());
    let document = parse(text, file, &env, |_| false, &mut diagnostics);
    assert_eq!(diagnostics.render(false), "", "{text}");
    let mut json = String::new();
    table(&document.body.attributes, &mut json);
    (json, document.problems.into_iter().map(|problem| problem.message).collect())
}

fn table(table: &Table, out: &mut String) {
    let separated = |at: usize| if at == 0 { "" } else { "," };
    out.push('{');
    for (at, entry) in table.entries.iter().enumerate() {
        let _ = write!(out, "{}{:?}:", separated(at), entry.name);
        value(&entry.node.data, out);
    }
    out.push('}');
}

fn value(data: &Data, out: &mut String) {
    let _ = match data {
        Data::Text { text, .. } => write!(out, "{text:?}"),
        Data::Integer(Some(value)) => write!(out, "{value}"),
        Data::Integer(None) => write!(out, "large"),
        Data::Float(value) => write!(out, "{value}"),
        Data::Bool(value) => write!(out, "{value}"),
        Data::Table(inner) => {
            table(inner, out);
            Ok(())
        }
        Data::List(items) => {
            out.push('[');
            for item in items {
                value(&item.data, out);
                out.push(' ');
            }
            out.push(']');
            Ok(())
        }
        _ => write!(out, "broken"),
    };
}

#[test]
fn what_values_are() {
    let check = |written: &str, expected: &str| {
        assert_eq!(
            evaluated(&format!("a = {written}\n")),
            (format!("{{\"a\":{expected}}}"), Vec::new()),
            "{written}"
        );
    };
    check("\"b\"", "\"b\"");
    check(r#""\"\\ \n \u00e4""#, r#""\"\\ \n ä""#);
    check(r#""$${x} %%{y}""#, r#""${x} %{y}""#);
    check("5", "5");
    check("-5", "-5");
    check("1.5", "1.5");
    check("1e3", "1000");
    check("99999999999999999999", "large");
    check("true", "true");
    check("(\"b\")", "\"b\"");
    check("[1, \"b\", [true],]", "[1 \"b\" [true ] ]");
    check("{ b = 1, \"c d\" : 2\n e = 3 }", "{\"b\":1,\"c d\":2,\"e\":3}");
    check("<<EOT\n  x\n y\nEOT", "\"  x\\n y\\n\"");
    check("<<-EOT\n    x\n      y\n    EOT", "\"x\\n  y\\n\"");
    check("<<EOT\n${env(\"A\")}\nEOT", "\"1\\n\"");
    check("env(\"A\")", "\"1\"");
    check("env(\"A\", \"b\")", "\"1\"");
    check("env(\"NONE\", \"b\")", "\"b\"");
    check("env(\"EMPTY\", \"b\")", "\"b\"");
    check("env(\"EMPTY\")", "\"\"");
    check("env(\"NONE\", env(\"HOST\"))", "\"mq\"");
    check("\"amqp://${env(\"HOST\")}:${5672}/${ env(\"NONE\", \"x\") }\"", "\"amqp://mq:5672/x\"");
}

#[test]
fn what_is_not_evaluated() {
    let check = |written: &str, expected: &str| {
        let (json, problems) = evaluated(&format!("a = {written}\n"));
        assert_eq!(
            (json.as_str(), problems.as_slice()),
            ("{\"a\":broken}", &[expected.to_owned()][..]),
            "{written}"
        );
    };
    check("env(\"NONE\")", "the environment variable `NONE` is not set");
    check("env(\"s3cr3t\")", "the environment variable that this names is not set");
    check("\"x${env(\"NONE\")}\"", "the environment variable `NONE` is not set");
    check("env()", "`env` takes the name of a variable in quotes, and a default or nothing");
    check(
        "env(\"A\", \"b\", \"c\")",
        "`env` takes the name of a variable in quotes, and a default or nothing",
    );
    check("env(A)", "`env` takes the name of a variable in quotes, and a default or nothing");
    check("file(\"x\")", "the function `file` is not served");
    check("s3cr3t(\"x\")", "this function is not served");
    check("x::env(\"A\")", "the function `env` is not served");
    check("b", "this word is no value");
    check("input.room", "`input` is no value here");
    check("constants.a", "`constants` are not served");
    check("connector.api", "a reference is no value here");
    check("true ? 1 : 2", "a condition (`… ? … : …`) is not served");
    check("[for x in [1] : x]", "a `for` is not served");
    check("1 + 1", "arithmetic and comparisons are not served");
    check("!true", "arithmetic and comparisons are not served");
    check("\"%{ if true }x%{ endif }\"", "`%{ … }` in a text is not served");
}

#[test]
fn nothing_is_the_same_as_no_key() {
    assert_eq!(evaluated("a = null\nb = 1 // c\n/* d */ # e\n"), ("{\"b\":1}".to_owned(), Vec::new()));
}

#[test]
fn blocks_have_kinds_labels_and_places() {
    let text = "a \"b\" c {\n  d = 1\n  e {\n  }\n}\n";
    let mut diagnostics = Diagnostics::default();
    let file = diagnostics.add_file("test.hcl".to_owned());
    let document = parse(text, file, &Env::default(), |_| false, &mut diagnostics);
    let [block] = document.body.blocks.as_slice() else { panic!("one block") };
    let labels: Vec<_> = block.labels.iter().map(|label| label.text.as_str()).collect();
    assert_eq!((block.kind.as_str(), labels), ("a", vec!["b", "c"]));
    assert_eq!(&text[block.header().range()], "a \"b\" c");
    assert_eq!(&text[block.span.range()], text.trim_end());
    assert_eq!(block.body.blocks[0].kind, "e");
}

/// A value as it is written, and as JSON.
fn values() -> impl Strategy<Value = (String, String)> {
    let text = "[^\"\\\\${}%\n\r\u{0}-\u{1f}\u{7f}-\u{9f}]{0,8}"
        .prop_map(|text| (format!("\"{text}\""), format!("{text:?}")));
    let leaf = prop_oneof![
        text,
        any::<i64>().prop_map(|n| (n.to_string(), n.to_string())),
        any::<bool>().prop_map(|b| (b.to_string(), b.to_string())),
        Just(("env(\"A\")".to_owned(), "\"1\"".to_owned())),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        let items = proptest::collection::vec(inner, 0..4);
        (items, any::<bool>()).prop_map(|(items, is_list)| {
            let (mut written, mut json) = (String::new(), String::new());
            for (at, (a, b)) in items.iter().enumerate() {
                if is_list {
                    let _ = (write!(written, "{a}, "), write!(json, "{b} "));
                } else {
                    let comma = if at == 0 { "" } else { "," };
                    let _ = (writeln!(written, "k{at} = {a}"), write!(json, "{comma}\"k{at}\":{b}"));
                }
            }
            if is_list {
                (format!("[{written}]"), format!("[{json}]"))
            } else {
                (format!("{{{written}}}"), format!("{{{json}}}"))
            }
        })
    })
}

proptest! {
    #[test]
    fn a_value_is_read_as_it_was_written((written, expected) in values()) {
        prop_assert_eq!(evaluated(&format!("a = {written}\n")), (format!("{{\"a\":{expected}}}"), Vec::new()));
    }

    #[test]
    fn any_text_is_read_or_reported(text in "\\PC*|[a-c\"=\\[\\]{}()<#/*$%?:!.,\n -]{0,60}") {
        let mut diagnostics = Diagnostics::default();
        let file = diagnostics.add_file("test.hcl".to_owned());
        let document = parse(&text, file, &Env::default(), |key| key == "a", &mut diagnostics);
        prop_assert_eq!(document.is_broken, diagnostics.has_errors());
        let masked = crate::mask::hcl(&text, &document.words);
        prop_assert_eq!(masked.len(), text.len());
    }
}
