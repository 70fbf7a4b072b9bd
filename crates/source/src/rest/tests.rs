use super::*;
use crate::request::tests::{Head, head};
use fanfare_auth::{RefusedKind, Rule};
use fanfare_event::SourceName;
use fanfare_transform::{Chain, Spec, build};
use proptest::prelude::*;
use serde_json::json;

const LIMIT: usize = 1000;

fn rest(rules: Vec<(String, Rule)>, chain: Chain) -> Rest {
    let intake = Intake::new(SourceName::new("api"), "http://localhost:8080", Object::new(), chain);
    Rest::new(intake, HeaderRules::new(rules).unwrap(), vec!["x-request-id".to_owned()], LIMIT)
}

fn operation(name: &str) -> Operation {
    let parameters = name.split('/').filter_map(|segment| segment.strip_prefix(':')).map(Into::into);
    Operation { name: name.into(), parameters: parameters.collect() }
}

fn call(
    name: &str,
    path: &[&str],
    query: Option<&str>,
    headers: &Head,
    body: &[u8],
) -> Result<Accepted, Refusal> {
    let operation = operation(name);
    let path: Vec<_> = path.iter().map(|value| (*value).to_owned()).collect();
    let call = Call { operation: &operation, path: &path, query };
    let now = "2024-05-01T12:00:00Z".parse().unwrap();
    rest(vec![], Chain::default()).accept(call, headers, body, now, || "fresh".to_owned())
}

#[test]
fn the_path_wins_over_the_query_and_the_query_over_the_body() {
    let check = |name: &str, path: &[&str], query: Option<&str>, body: &str, expected: &str| {
        let accepted = call(name, path, query, &head(&[]), body.as_bytes()).unwrap();
        let [finished] = &accepted.delivery.events[..] else { panic!("one event") };
        assert_eq!(finished.event.body.to_string(), expected);
        assert_eq!(finished.event.kind.as_str(), name);
        assert_eq!((finished.event.id.as_str(), finished.named), ("fresh", false));
        assert_eq!(accepted.delivery.operation.as_deref(), Some(name));
    };
    check("POST /notify", &[], None, "", "{}");
    check("POST /notify", &[], Some(""), r#"{"b":1,"a":null}"#, r#"{"b":1,"a":null}"#);
    check(
        "POST /notify/:room",
        &["r"],
        Some("q=1"),
        r#"{"message":"x"}"#,
        r#"{"message":"x","q":"1","room":"r"}"#,
    );
    check(
        "POST /:a/:b",
        &["path-a", "path-b"],
        Some("b=query-b&c=query-c&a=query-a"),
        r#"{"z":0,"c":3,"b":[2],"a":{}}"#,
        r#"{"z":0,"c":"query-c","b":"path-b","a":"path-a"}"#,
    );
    check(
        "GET /x",
        &[],
        Some("a=1&a=2&b&&=e&a=&c=1+2%2B%C3%A9=&d=%zz"),
        "",
        r#"{"a":["1","2",""],"b":"","":"e","c":"1 2+é=","d":"%zz"}"#,
    );
    check("POST /:a", &["a%2Fb+c%20d"], Some("a=1&a=2"), "", r#"{"a":"a/b+c d"}"#);
    // What it is called comes from its operation, whatever the body looks like.
    check(
        "PUT /e",
        &[],
        None,
        r#"{"type":"t","id":"i","context":{"type":"t","id":"0"}}"#,
        r#"{"type":"t","id":"i","context":{"type":"t","id":"0"}}"#,
    );
}

#[test]
fn what_is_no_object_is_refused_by_kind() {
    let check = |headers: &[(&str, &str)], body: &[u8], expected: Refusal| {
        assert_eq!(call("POST /a", &[], None, &head(headers), body).unwrap_err(), expected);
    };
    check(&[], b"[1]", Refusal::NotAnObject("an array"));
    check(&[], b"\"x\"", Refusal::NotAnObject("a string"));
    check(&[], b"1", Refusal::NotAnObject("a number"));
    check(&[], b"true", Refusal::NotAnObject("true or false"));
    check(&[], b"null", Refusal::NotAnObject("null"));
    check(&[("content-type", "text/plain")], b"{}", Refusal::ContentType(UNDERSTOOD));
    check(&[("content-type", "application/x-www-form-urlencoded")], b"a=1", Refusal::ContentType(UNDERSTOOD));
    check(&[("content-encoding", "br")], b"{}", Refusal::ContentEncoding);
    check(&[], &[b' '; LIMIT + 1], Refusal::TooLarge { limit: LIMIT });
    let refusal = call("POST /a", &[], None, &head(&[]), b"message").unwrap_err();
    assert!(matches!(refusal, Refusal::NotJson(_)), "{refusal:?}");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert!(call("POST /a", &[], None, &head(&form), b"").is_ok(), "an empty body has no type");
}

#[test]
fn what_is_wrong_with_a_url_is_said_with_its_place() {
    let check = |path: &str, query: &str, parameter: &str| {
        let refusal = call("POST /:room", &[path], Some(query), &head(&[]), b"").unwrap_err();
        assert!(
            matches!(&refusal, Refusal::Url { parameter: named, .. } if named == parameter),
            "{refusal:?}"
        );
    };
    for path in ["", ".", "..", "%2e", "%2E.", "%ff", "a%C3"] {
        check(path, "", "room");
    }
    check("r", "a=1&b=%ff", "b");
    check("r", "%ff=1", "%ff");
    check("r", &format!("{}=%ff", "a".repeat(1000)), &"a".repeat(SHOWN));
}

#[test]
fn rules_keys_headers_and_transformers_are_those_of_webhooks() {
    let now = "2024-05-01T12:00:00Z".parse().unwrap();
    let operation = operation("POST /a");
    let call = Call { operation: &operation, path: &[], query: Some("b=%ff") };
    let guarded = rest(vec![("X-Key".to_owned(), Rule::Exists)], Chain::default());
    let refusal = guarded.accept(call, &head(&[]), b"[", now, String::new).unwrap_err();
    assert!(matches!(&refusal, Refusal::Header(refused) if refused.kind == RefusedKind::Missing));
    assert_eq!(guarded.check_head(&head(&[])), Err(refusal));

    let call = Call { query: None, ..call };
    let headers = head(&[("idempotency-key", "\"k\""), ("x-request-id", "1"), ("authorization", "secret")]);
    let accepted = rest(vec![], Chain::default()).accept(call, &headers, b"{}", now, || "i".to_owned());
    let accepted = accepted.unwrap();
    assert_eq!(accepted.key.as_deref(), Some("k"));
    let event = &accepted.delivery.events[0].event;
    assert_eq!(event.headers, [("x-request-id".to_owned(), "1".to_owned())].into());
    assert_eq!(event.metadata["context"]["source"], "http://localhost:8080/?source=api");

    let nothing = Chain::new([("nothing".to_owned(), build(Spec::DiscardAll).unwrap())]);
    let accepted = rest(vec![], nothing).accept(call, &head(&[]), b"", now, String::new).unwrap();
    assert_eq!(accepted.delivery.events, []);
}

proptest! {
    #[test]
    fn the_path_always_wins_and_nothing_panics(
        room in "[^/]{0,8}|[a-z%0-9]{1,6}",
        query in "(room|a|%72oom)=.{0,4}(&(room|b)=.{0,3}){0,3}|.{0,20}",
        headers in proptest::collection::vec(
            ("content-type|content-encoding|idempotency-key|x-request-id", proptest::collection::vec(any::<u8>(), 0..8)),
            0..3,
        ),
        body in prop_oneof![
            Just(json!({"room": "body", "a": 1}).to_string().into_bytes()),
            proptest::collection::vec(any::<u8>(), 0..50),
        ],
    ) {
        let name = "POST /notify/:room";
        let accepted = call(name, &[&room], Some(&query), &Head(headers), &body);
        if let Ok(Accepted { delivery, .. }) = accepted {
            let body = &delivery.events[0].event.body;
            let expected = percent_decode_str(&room).decode_utf8().unwrap();
            prop_assert_eq!(&body["room"], &Value::from(expected));
        }
    }
}
