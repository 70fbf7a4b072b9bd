//! `fanfare send`: what is sent, what is said, and how it ends.

use serde_json::{Value, json};

use super::kit::{Program, Scripted, answer, command, run, run_on_terminal};
use crate::kit::{BASIC, LONG, WEBHOOK, fanfare, file, serve, subscribe};
use fanfare_testkit::sse::Client;

const TAKEN: &str = r#"{"duplicate":false,"events":[{"id":"e","seq":1,"duplicate":false}]}"#;

fn send<'a>(url: &'a str, args: &[&'a str]) -> std::process::Command {
    command(&[&["send", url], args].concat())
}

/// The data of so many events of a stream.
fn data(client: &mut Client, count: usize) -> Vec<String> {
    client.next_events(count, LONG).unwrap().into_iter().map(|event| event.data).collect()
}

fn json_lines(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn events_arrive_in_order_from_wherever_they_come_and_each_has_a_line() {
    let server = serve(BASIC);
    let url = server.url(WEBHOOK);
    let mut client = subscribe(&server, &[]);
    let pretty = "{\n  \"type\": \"c\",\n  \"n\": [\n    1\n  ]\n}\n{\n\"type\":\"d\"}";
    let events = file(pretty);
    let path = events.path().to_str().unwrap();
    let mut check = |args: &[&str], input: &str, expected: &[&str]| {
        let ended = run(send(&url, args), input);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{args:?}");
        let answers = json_lines(&ended.stdout);
        assert_eq!(answers.len(), expected.len());
        let events = client.next_events(expected.len(), LONG).unwrap();
        for ((answer, event), expected) in answers.iter().zip(&events).zip(expected) {
            assert_eq!((event.data.as_str(), event.id.as_deref()), (*expected, answer["id"].as_str()));
            assert!(answer["seq"].is_u64() && answer["duplicate"] == false, "{answer}");
        }
    };
    check(&["--data", r#"{"type":"a"}"#], "", &[r#"{"type":"a"}"#]);
    check(&["-"], "{\"type\":\"a\"}\n{\"type\":\"b\"}\r\n\n", &[r#"{"type":"a"}"#, r#"{"type":"b"}"#]);
    check(&[], r#"{"type":"a"}{"type":"b"}"#, &[r#"{"type":"a"}"#, r#"{"type":"b"}"#]);
    check(&["--file", path], "", &[r#"{"type":"c","n":[1]}"#, r#"{"type":"d"}"#]);
    check(&["-f", "-"], r#"{"type":"e"}"#, &[r#"{"type":"e"}"#]);
    let silent = run(send(&url, &["-q", "-d", r#"{"type":"f"}"#]), "");
    assert_eq!((silent.code, silent.stdout.len(), silent.stderr.as_str()), (Some(0), 0, ""));
    let nothing = run(send(&url, &[]), " \n");
    assert_eq!((nothing.code, nothing.stdout.len()), (Some(0), 0));
    assert!(nothing.stderr.contains("no event"), "{}", nothing.stderr);
}

#[test]
fn an_event_is_sent_while_its_writer_goes_on() {
    let server = serve(BASIC);
    let mut program = Program::start(send(&server.url(WEBHOOK), &[]));
    for kind in ["a", "b", "c"] {
        program.feed(&format!("{}\n", json!({"type": kind, "id": kind})));
        assert!(program.next_line().contains(&format!("\"id\":\"{kind}\"")));
    }
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn bodies_are_sent_as_they_are_written_over_one_connection_with_a_name_each() {
    let answers: Vec<_> = (0..3).map(|_| answer("201 Created", "", TAKEN)).collect();
    let server = Scripted::new(&answers.iter().map(String::as_str).collect::<Vec<_>>());
    let bodies = ["{\"n\" : 1.50,\t\"n\":123456789012345678901234567890}", "{\r\n}", "\"\\u00e9é\""];
    let args =
        ["-H", "X-A: b: c", "--header", "content-type: application/cloudevents+json", "--token", "t-1"];
    let ended = run(send(&server.url("/hook?x=1"), &args), &bodies.join("\n"));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let mut keys = Vec::new();
    for body in bodies {
        let asked = server.next();
        assert_eq!((asked.body.as_str(), asked.connection), (body, 1));
        assert_eq!(asked.header("x-a"), Some("b: c"));
        assert_eq!(asked.header("content-type"), Some("application/cloudevents+json"));
        assert_eq!(asked.header("authorization"), Some("Bearer t-1"));
        keys.push(asked.header("idempotency-key").unwrap().to_owned());
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 3);
}

#[test]
fn another_server_s_answer_is_shown_as_it_is() {
    let server =
        Scripted::new(&[&answer("202 Accepted", "", "ok\u{1b}[2J"), &answer("204 No Content", "", "")]);
    let ended = run(send(&server.url("/"), &[]), "1 2");
    let expected = [json!({"status": 202, "answer": "ok\u{1b}[2J"}), json!({"status": 204, "answer": null})];
    assert_eq!((ended.code, json_lines(&ended.stdout)), (Some(0), expected.into()));
    assert!(!ended.stdout.concat().contains('\u{1b}'));
    assert_eq!(server.next().header("content-type"), Some("application/json"));
}

#[test]
fn a_cdevent_is_made_of_a_type_and_a_subject() {
    let server = serve(BASIC);
    let mut client = subscribe(&server, &[]);
    let url = server.url(WEBHOOK);
    let kind = "dev.cdevents.taskrun.finished.0.2.0";
    let args =
        ["--type", kind, "--subject", "t/1", "--content", r#"{"outcome":"success"}"#, "--source", "/ci"];
    let ended = run(send(&url, &args), "");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let event: Value = serde_json::from_str(&data(&mut client, 1)[0]).unwrap();
    let expected = json!({"id": "t/1", "type": "taskRun", "content": {"outcome": "success"}});
    assert_eq!((&event["subject"], &event["context"]["type"]), (&expected, &kind.into()));
    assert_eq!((&event["context"]["version"], &event["context"]["source"]), (&"0.4.0".into(), &"/ci".into()));
    assert_eq!(json_lines(&ended.stdout)[0]["id"], event["context"]["id"]);
    assert!(event["context"]["timestamp"].is_string());

    let check = |args: &[&str], said: &str| {
        let ended = run(send(&url, args), "");
        assert_eq!((ended.code, ended.stdout.len()), (Some(2), 0), "{args:?}");
        assert!(ended.stderr.contains(said), "{args:?}: {}", ended.stderr);
    };
    check(&["--type", "hello", "--subject", "x"], "--type");
    check(&["--type", kind], "--subject");
    check(&["--type", kind, "--subject", ""], "--subject");
    check(&["--type", kind, "--subject", "x", "--content", "[]"], "--content");
    check(&["--type", kind, "--subject", "x", "--content", "{"], "--content");
    check(&["--subject", "x"], "--type");
    check(&["--type", kind, "--subject", "x", "--data", "{}"], "--data");
}

#[test]
fn what_is_signed_passes_the_rule_of_a_signature() {
    let guarded = format!(
        "{BASIC}[sources.ci.extractor.headers]\n\
         X-Hub-Signature-256 = {{ type = \"signature\", token_env = \"GUARD\", signature_prefix = \"sha256=\" }}\n"
    );
    let server = fanfare().config(guarded).env("GUARD", "s3cr3t").start().unwrap();
    let url = server.url(WEBHOOK);
    let check = |args: &[&str], variable: &str, secret: &str, code: i32, said: &str| {
        let mut command = send(&url, args);
        command.env(variable, secret);
        let ended = run(command, "{\"type\": \"a\"}\n{\"type\": \"b\"}");
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        assert!(!format!("{ended:?}").contains(secret), "{ended:?}");
    };
    let sign = ["--sign", "X-Hub-Signature-256"];
    check(&sign, "FANFARE_SIGNING_SECRET", "s3cr3t", 0, "");
    check(&[&sign[..], &["--sign-secret-env", "MINE"]].concat(), "MINE", "s3cr3t", 0, "");
    check(&sign, "FANFARE_SIGNING_SECRET", "other-secret", 1, "event 1 (line 1): 403");
    check(&sign, "UNUSED", "s3cr3t", 2, "FANFARE_SIGNING_SECRET");
    check(&[&sign[..], &["--sign-prefix", "sha1="]].concat(), "FANFARE_SIGNING_SECRET", "s3cr3t", 1, "403");
    check(&[], "FANFARE_SIGNING_SECRET", "s3cr3t", 1, "401");
    check(&["--sign", "not a header"], "FANFARE_SIGNING_SECRET", "s3cr3t", 2, "--sign");
}

#[test]
fn the_first_event_that_is_refused_ends_it_and_is_named() {
    let server = serve(BASIC);
    let mut client = subscribe(&server, &[]);
    let check = |input: &str, stored: usize, said: &[&str]| {
        let ended = run(send(&server.url(WEBHOOK), &[]), input);
        assert_eq!((ended.code, ended.stdout.len()), (Some(1), stored), "{}", ended.stderr);
        let before = format!("taken before that: {stored} event{}", if stored == 1 { "" } else { "s" });
        for said in [said, &[before.as_str()]].concat() {
            assert!(ended.stderr.contains(said), "without `{said}`: {}", ended.stderr);
        }
    };
    check(
        "{\"type\":\"a\"}\n{\n\"type\":\"b\"}\n\n{\"kind\":1}\n{\"type\":\"c\"}",
        2,
        &["event 3 (line 5): 422", "body.type: is missing"],
    );
    check("{\"type\":\"d\"}\n{\"type\":", 1, &["line 2, column 8: not JSON"]);
    check("[]", 0, &["event 1 (line 1): 422"]);
    let seen = data(&mut client, 3);
    assert_eq!(seen, [r#"{"type":"a"}"#, r#"{"type":"b"}"#, r#"{"type":"d"}"#]);

    let nowhere = run(send(&server.url("/nowhere"), &["-d", "{}"]), "");
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.stderr.contains("404 Not Found: nothing is served at this path"), "{}", nowhere.stderr);
}

#[test]
fn a_command_line_that_cannot_be_used_ends_with_2_and_shows_no_secret() {
    let check = |url: &str, args: &[&str], said: &str| {
        let ended = run(send(url, args), "{}");
        assert_eq!((ended.code, ended.stdout.len()), (Some(2), 0), "{args:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(said) && !ended.stderr.contains("s3cr3t"),
            "{args:?}: {}",
            ended.stderr
        );
    };
    let url = "http://127.0.0.1:1/";
    check("s3cr3t.example.com", &[], "URL");
    check("ftp://me:s3cr3t@example.com/", &[], "URL");
    check(url, &["-H", "s3cr3t"], "header 1");
    check(url, &["-H", "a: b", "-H", "s3cr3t : x\ny"], "header 2");
    check(url, &["-H", "Idempotency-Key: s3cr3t"], "`idempotency-key` is set by this command");
    check(url, &["--token", "s3cr3t\n"], "token");
    check(url, &["--ca", "/nowhere"], "for https");
    check("https://127.0.0.1:1/", &["--ca", "/nowhere"], "/nowhere");
    check("https://127.0.0.1:1/", &["--ca", "/dev/null"], "no certificate");
    check(url, &["--cert", "x"], "--key");
    check(url, &["--file", "/nowhere"], "/nowhere");
    check(url, &["--data", "{}", "--file", "x"], "--file");
    let help = run(command(&["send", "--help"]), "");
    assert_eq!(help.code, Some(0));
}

#[test]
fn the_token_comes_from_the_environment_too_and_a_header_stands_before_it() {
    let check = |args: &[&str], expected: &str| {
        let server = Scripted::new(&[&answer("201 Created", "", TAKEN)]);
        let mut command = send(&server.url("/"), args);
        command.env("FANFARE_TOKEN", "s3cr3t");
        let ended = run(command, "{}");
        assert_eq!(ended.code, Some(0));
        assert_eq!(server.next().header("authorization"), Some(expected));
    };
    check(&[], "Bearer s3cr3t");
    check(&["--token", "other"], "Bearer other");
    check(&["-H", "Authorization: Basic x"], "Basic x");
    let mut help = command(&["send", "--help"]);
    help.env("FANFARE_TOKEN", "s3cr3t");
    assert!(!run(help, "").stdout.concat().contains("s3cr3t"));
}

#[test]
fn redirects_are_followed_where_nothing_changes_hands() {
    let server = serve(BASIC);
    let slash = run(send(&format!("{}/", server.url(WEBHOOK)), &["-d", r#"{"type":"a"}"#]), "");
    assert_eq!((slash.code, slash.stdout.len()), (Some(0), 1), "{}", slash.stderr);
    let elsewhere = format!("location: {}\r\n", server.url(WEBHOOK));
    for (status, headers) in
        [("307 Temporary Redirect", elsewhere.as_str()), ("302 Found", "location: /other\r\n")]
    {
        let scripted = Scripted::new(&[&answer(status, headers, "")]);
        let ended = run(send(&scripted.url("/"), &["-d", r#"{"type":"a"}"#]), "");
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains("redirect is not followed"), "{}", ended.stderr);
    }
}

#[test]
fn a_person_sees_words_in_colours_and_a_bar() {
    let server = serve(BASIC);
    let url = server.url(WEBHOOK);
    let (code, seen) = run_on_terminal(send(&url, &["-d", r#"{"type":"a","id":"i-1"}"#]));
    assert_eq!(code, Some(0), "{seen}");
    assert!(seen.contains("\u{1b}[32mstored") && seen.contains("i-1") && !seen.contains("events"), "{seen}");
    let mut colourless = send(&url, &["-d", r#"{"type":"a","id":"i-1"}"#]);
    colourless.env("NO_COLOR", "1");
    let (_, seen) = run_on_terminal(colourless);
    assert!(seen.contains("duplicate") && !seen.contains('\u{1b}'), "{seen}");
    let many = r#"{"type":"a"}"#.repeat(20);
    let (code, seen) = run_on_terminal(send(&url, &["-d", &many]));
    assert_eq!(code, Some(0), "{seen}");
    assert!(seen.contains("events 1") && seen.contains("/240 B"), "{seen}");
    let (_, seen) = run_on_terminal(send(&url, &["-q", "-d", &many]));
    assert_eq!(seen, "");
}

#[cfg(feature = "tls")]
#[test]
fn certificates_are_checked_and_shown() {
    use fanfare_testkit::tls::{Authority, Certified};

    let secure = "[http.tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\nclient_ca = \"ca.pem\"\n\
        [sources.ci.extractor]\ntype = \"webhook\"\nid = \"ci\"\n[sources.ci.extractor.headers]\n\
        X-Client-Certificate = { type = \"exists\" }\n";
    let authority = Authority::new("authority").unwrap();
    let Certified { certificate, key } = authority.server("server").unwrap();
    let server = fanfare().config(secure).file("server.pem", certificate).file("server.key", key);
    let server = server.file("ca.pem", authority.pem()).start().unwrap();
    let own = authority.client("Acme", "any").unwrap();
    let (own_certificate, own_key) = (file(&own.certificate), file(&own.key));
    let path = |file: &tempfile::NamedTempFile| file.path().to_str().unwrap().to_owned();
    let (ca, cert, key) =
        (server.dir().join("ca.pem").to_str().unwrap().to_owned(), path(&own_certificate), path(&own_key));
    let url = server.url(WEBHOOK).replace("http://", "https://");
    let check = |args: &[&str], code: i32, said: &str| {
        let args = [&["-d", r#"{"type":"a"}"#, "--retries", "0"], args].concat();
        let ended = run(send(&url, &args), "");
        assert_eq!(ended.code, Some(code), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{args:?}: {}", ended.stderr);
    };
    check(&[], 1, "cannot connect: invalid peer certificate: UnknownIssuer");
    check(&["--ca", &ca], 1, "401");
    check(&["--ca", &ca, "--cert", &cert, "--key", &key], 0, "");
    check(&["--ca", &ca, "--cert", &key, "--key", &key], 2, "no certificate");
}
