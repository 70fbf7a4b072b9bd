//! The command line: commands, exit codes, completions, the log, and what runs without a file.

use std::net::TcpListener;

use fanfare_testkit::Server;
use fanfare_testkit::http::{self, Response};
use fanfare_testkit::sse::Client;

use crate::kit::{
    self, BASIC, LONG, STREAM, WEBHOOK, cdevent, fanfare, file, next_ids, publish_ids, run, subscribe,
};

#[test]
fn the_version_lists_what_was_compiled_in() {
    let output = run(&["--version"], &[]);
    let all = [
        ("identity_jwt", cfg!(feature = "identity_jwt")),
        ("sink_http_pull", cfg!(feature = "sink_http_pull")),
        ("sink_sse", true),
        ("source_amqp", cfg!(feature = "source_amqp")),
        ("source_mock", cfg!(feature = "source_mock")),
        ("source_rest", cfg!(feature = "source_rest")),
        ("source_sse", cfg!(feature = "source_sse")),
        ("source_webhook", true),
        ("terminal", cfg!(feature = "terminal")),
        ("tls", cfg!(feature = "tls")),
        ("transform_vrl", cfg!(feature = "transform_vrl")),
    ];
    let there: Vec<_> = all.into_iter().filter_map(|(feature, there)| there.then_some(feature)).collect();
    let expected = format!("fanfare {}\nfeatures: {}\n", env!("CARGO_PKG_VERSION"), there.join(", "));
    assert_eq!((output.code, output.stdout), (Some(0), expected));
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let check = |args: &[&str]| {
        let output = run(args, &[]);
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{args:?}: {}", output.stderr);
    };
    check(&[]);
    check(&["nonsense"]);
    check(&["serve", "--nonsense"]);
    check(&["check"]);
    check(&["check", "--with-secrets", "x.toml"]);
    check(&["serve", "-v", "-q"]);
    check(&["completions", "nonsense"]);
}

#[test]
fn serve_has_the_names_that_the_documents_use_and_says_that_the_port_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let basic = file(BASIC);
    let config = basic.path().to_str().unwrap();
    let env = [("FANFARE__HTTP__HOST", "127.0.0.1"), ("FANFARE__HTTP__PORT", port.as_str())];
    for command in ["serve", "connect", "start"] {
        for args in [&[command][..], &[command, "--config", config], &[command, "-c", config]] {
            let output = run(args, &env);
            assert_eq!(output.code, Some(4), "{args:?}: {}", output.stderr);
            assert!(output.stderr.contains(&port), "{}", output.stderr);
            assert!(!output.stdout.contains("listening"), "{}", output.stdout);
        }
    }
}

#[test]
fn nothing_starts_on_a_bad_file_and_all_its_problems_are_shown() {
    let bad =
        file("[http]\nport = \"x\"\n\n[sinks.events]\ntype = \"sse\"\nid = \"events\"\nkeepalive = \"1s\"\n");
    let path = bad.path().to_str().unwrap();
    for args in [&["check", path][..], &["check", "--print", path], &["serve", "--config", path]] {
        let output = run(args, &[]);
        assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""), "{args:?}");
        for shown in [&format!("{path}:2:8"), &format!("{path}:7:1"), "keep_alive", "2 errors, 0 warnings"] {
            assert!(output.stderr.contains(shown), "{args:?} without {shown}:\n{}", output.stderr);
        }
    }
    let missing = run(&["check", "/nowhere/fanfare.toml"], &[]);
    assert_eq!(missing.code, Some(3));
    assert!(missing.stderr.contains("/nowhere/fanfare.toml"), "{}", missing.stderr);
    let overridden = run(&["check", path], &[("FANFARE__HTTP__PORT", "-1")]);
    assert!(overridden.stderr.contains("FANFARE__HTTP__PORT"), "{}", overridden.stderr);
}

#[test]
fn a_good_file_is_ok_and_warnings_do_not_change_that() {
    let check = |toml: &str, said: &str, warned: &str| {
        let file = file(toml);
        let output = run(&["check", file.path().to_str().unwrap()], &[]);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert_eq!(output.stdout, format!("{}: {said}\n", file.path().display()));
        assert!(output.stderr.contains(warned), "{}", output.stderr);
        assert_eq!(output.stderr.is_empty(), warned.is_empty());
    };
    check(BASIC, "ok, 1 source, 1 sink", "");
    check("", "ok, 0 sources, 0 sinks", "");
    check(&format!("{BASIC}[sources.idle]\n"), "ok, 2 sources, 1 sink", "receives nothing");
    check(
        "[sinks.s]\ntype = \"sse\"\nid = \"s\"\n[sinks.s.headers]\n\
         X-Signature = { type = \"signature\", token = \"t\" }\n",
        "ok, 0 sources, 1 sink",
        "signature_on",
    );
}

const GUARDED: &str = r#"
[sources.ci.extractor]
type = "webhook"
id = "ci"
metadata = { team = "a \"quoted\" name" }
[sources.ci.extractor.headers]
"X-Signature" = { type = "signature", token = "hidden-token" }

[sinks.events]
type = "sse"
id = "events"
match = ["b.*", "a"]
[sinks.events.headers]
"X-Literal" = { type = "equals", value = "hidden-literal" }
"X-Variable" = { type = "secret", value = "GUARD" }
"#;
const GUARD: (&str, &str) = ("GUARD", "hidden-variable");

#[test]
fn a_printed_configuration_reads_back_as_itself_and_masks_secrets_unless_told_otherwise() {
    let guarded = file(GUARDED);
    let print = |path: &str, secrets: &[&str]| {
        let output = run(&[&["check", "--print", path], secrets].concat(), &[GUARD]);
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{path}");
        output.stdout
    };
    let path = guarded.path().to_str().unwrap();
    let masked = print(path, &[]);
    assert!(!masked.contains("hidden"), "{masked}");
    let shown = print(path, &["--with-secrets"]);
    for secret in ["hidden-token", "hidden-literal"] {
        assert!(shown.contains(secret), "{shown}");
    }
    assert!(!shown.contains("hidden-variable"), "the file names the variable:\n{shown}");
    let again = file(&shown);
    assert_eq!(print(again.path().to_str().unwrap(), &["--with-secrets"]), shown);

    let server = fanfare().config(shown).env(GUARD.0, GUARD.1).start().unwrap();
    let headers = [("X-Literal", "hidden-literal"), ("X-Variable", "hidden-variable")];
    subscribe(&server, &headers);
}

#[test]
fn every_shell_has_a_completion_script() {
    let check = |shell: &str, marks: &[&str]| {
        let output = run(&["completions", shell], &[]);
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
        for mark in marks {
            assert!(output.stdout.contains(mark), "{shell} without {mark}");
        }
    };
    check("bash", &["_fanfare()", "complete -F _fanfare", "--with-secrets"]);
    check("zsh", &["#compdef fanfare", "--with-secrets"]);
    check("fish", &["complete -c fanfare", "with-secrets"]);
    #[cfg(feature = "terminal")]
    for shell in ["bash", "zsh", "fish"] {
        check(shell, &["tail", "since", "send", "sign-secret-env"]);
    }
}

#[test]
fn a_stream_is_in_the_log_when_it_opens_ends_or_is_refused() {
    let toml =
        format!("{BASIC}[sinks.events.headers]\nX-Key = {{ type = \"equals\", value = \"hidden-value\" }}\n");
    let server = fanfare().config(toml).env("RUST_LOG", "cdviz_collector::sinks::sse=debug").start().unwrap();
    for headers in [&[][..], &[("X-Key", "wrong-value")]] {
        http::get(server.addr(), STREAM, headers).unwrap();
    }
    kit::publish(&server, &cdevent("e-1"));
    let mut client = subscribe(&server, &[("X-Key", "hidden-value")]);
    kit::publish(&server, &cdevent("e-2"));
    client.next_event(LONG).unwrap();
    drop(client);

    let logged = |text: &str, parts: &[&str]| {
        let line = server.wait_for_log(text, LONG).unwrap();
        for part in [&[" fanfare::sinks::sse", "sink=events", "peer=127.0.0.1:"], parts].concat() {
            assert!(line.contains(part), "without `{part}`: {line}");
        }
    };
    logged("status=401", &["stream refused", "X-Key", "missing", "rule: equals"]);
    logged("status=403", &["stream refused", "X-Key", "rule: equals"]);
    logged("stream opened", &["position=@"]);
    logged("stream ended", &["reason=client_gone", "frames=1", "position=@"]);
    let log = server.log().join("\n");
    assert!(!log.contains("hidden-value") && !log.contains("wrong-value"), "{log}");
    assert!(
        server.log().iter().all(|line| line.contains("fanfare::sinks::sse")),
        "only what was asked for:\n{log}"
    );
}

#[test]
fn quiet_is_quiet_and_rust_log_holds_against_it() {
    let used = |server: &mut Server| {
        kit::publish(server, &cdevent("e"));
        drop(subscribe(server, &[]));
        http::get(server.addr(), "/nothing", &[]).unwrap();
        assert_eq!(server.terminate(LONG).unwrap().code(), Some(0));
        server.log()
    };
    // No more than files may be open, or that is a warning.
    let quiet = fanfare().config(BASIC).arg("-q").env("FANFARE__SINKS__EVENTS__MAX_CONNECTIONS", "100");
    let mut quiet = quiet.start().unwrap();
    assert_eq!(used(&mut quiet), [""; 0]);
    let mut loud = fanfare().config(BASIC).arg("-q").env("RUST_LOG", "fanfare=info").start().unwrap();
    assert!(used(&mut loud).iter().any(|line| line.contains("stream opened")));
}

#[test]
fn a_log_that_nobody_can_write_to_stops_nothing() {
    // Whatever is written there meets a full disk.
    let full = ["sh", "-c", "exec \"$0\" \"$@\" 2>/dev/full"];
    let mut server = fanfare().config(BASIC).under(full).start().unwrap();
    let (mut stays, leaves) = (subscribe(&server, &[]), subscribe(&server, &[]));
    drop(leaves);
    publish_ids(&server, ["a", "b"]);
    assert_eq!(next_ids(&mut stays, 2), ["a", "b"]);
    assert!(server.terminate(LONG).unwrap().success());
}

#[test]
fn secrets_are_in_no_log_at_any_level() {
    let mut server =
        fanfare().config(GUARDED).env(GUARD.0, GUARD.1).env("RUST_LOG", "trace").start().unwrap();
    let literal = ("X-Literal", "hidden-literal");
    let variable = ("X-Variable", "hidden-variable");
    for headers in [
        [literal, variable],
        [literal, ("X-Variable", "presented-1")],
        [("X-Literal", "presented-2"), variable],
    ] {
        let _ = Client::open(server.addr(), STREAM, &headers);
    }
    for signature in ["presented-3", "sha256=presented-4"] {
        http::post(server.addr(), WEBHOOK, &[("X-Signature", signature)], "{}").unwrap();
    }
    assert_eq!(server.terminate(LONG).unwrap().code(), Some(0));
    let said = [server.stdout(), server.log()].concat().join("\n");
    assert!(said.contains("stream refused") && said.contains("stream opened"), "{said}");
    assert!(!said.contains("hidden-") && !said.contains("presented-"), "{said}");
}

#[test]
fn without_a_file_it_says_what_to_try_and_that_works() {
    let server = fanfare().start().unwrap();
    let after = |start: &str, said: &[String]| {
        said.iter().find_map(|line| Some(line.trim_start().strip_prefix(start)?.trim().to_owned()))
    };
    // The last line of all.
    let command = kit::eventually("curl line", || after("curl ", &server.stdout()));
    let said = server.stdout();
    assert_eq!(after("webhook ", &said), Some(server.url("/webhook/events")), "{said:?}");
    assert_eq!(after("stream ", &said), Some(server.url("/sse/events")), "{said:?}");
    assert_eq!(after("viewer ", &said), Some(server.url("/")), "{said:?}");
    let log = after("log ", &said).unwrap();
    assert!(log.ends_with("fanfare-data/events.db"), "{log}");

    let mut words = shell_words(&command);
    words.retain(|word| !matches!(word.as_str(), "-X" | "POST" | "-H" | "-d"));
    let [url, header, body] = words.as_slice() else { panic!("{command}") };
    assert_eq!(*url, server.url("/webhook/events"));
    let header = header.split_once(": ").unwrap();

    let mut client = subscribe(&server, &[]);
    let response = http::post(server.addr(), "/webhook/events", &[header], body).unwrap();
    assert_eq!(response.status(), 201, "{}", response.text());
    assert_eq!(client.next_event(LONG).unwrap().data, *body);
}

/// The words of a command line that quotes with `'` only.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn the_viewer_is_static_and_asks_nobody_else() {
    let server = fanfare().start().unwrap();
    let get = |path: &str| -> Response { http::get(server.addr(), path, &[]).unwrap() };
    let check = |path: &str, content_type: &str| {
        let page = get(path);
        assert_eq!((page.status(), page.header("content-type")), (200, Some(content_type)), "{path}");
        let policy = page.header("content-security-policy").unwrap();
        for directive in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"]
        {
            assert!(policy.split(';').any(|own| own.trim() == directive), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        let text = page.text();
        for outside in ["http:", "https:", "\"//", "'//", "`//", "(//", "@import", "style=\"", "onclick"] {
            assert!(!text.contains(outside), "{path} has {outside}");
        }
        let head = http::request(server.addr(), "HEAD", path, &[], b"").unwrap();
        assert_eq!((head.status(), head.header("content-type")), (200, Some(content_type)), "{path}");
        let refused = http::post(server.addr(), path, &[], "").unwrap();
        assert_eq!((refused.status(), refused.header("allow")), (405, Some("GET, HEAD")));
    };
    check("/", "text/html; charset=utf-8");
    check("/viewer.js", "text/javascript; charset=utf-8");
    check("/viewer.css", "text/css; charset=utf-8");
    let html = get("/").text();
    for attribute in ["href=\"/", "src=\"/"] {
        for rest in html.split(attribute).skip(1) {
            let path = format!("/{}", rest.split('"').next().unwrap());
            assert_eq!(get(&path).status(), 200, "{path}");
        }
    }
    let configured = kit::serve(BASIC);
    assert_eq!(http::get(configured.addr(), "/", &[]).unwrap().status(), 404, "part of the default only");
}
