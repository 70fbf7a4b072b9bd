//! `ssetests/tests_linefeeds.go` of `launchdarkly/sse-contract-tests`.

use crate::harness::{Case, Service, message};

/// Streams in which `|` stands for the line end, and the data of their events.
const STREAMS: &[(&str, &str, &[&str])] = &[
    ("one-line event", "data: event 1||", &["event 1"]),
    (
        "one-line event + two-line event",
        "data: event 1||data: event 2 line 1|data: event 2 line 2||",
        &["event 1", "event 2 line 1\nevent 2 line 2"],
    ),
    ("3-line event with empty line at beginning", "data:|data: line2|data: line3||", &["\nline2\nline3"]),
    ("3-line event with empty line in middle", "data: line1|data:|data: line3||", &["line1\n\nline3"]),
    ("ignores 1 extra empty line", "data: event 1|||data: event 2||", &["event 1", "event 2"]),
    ("ignores 2 extra empty lines", "data: event 1||||data: event 2||", &["event 1", "event 2"]),
];

fn check(name: &str, end: &str) {
    let service = Service::start();
    for (case, stream, data) in STREAMS {
        let stream = stream.replace('|', end);
        let events: Vec<_> = data.iter().map(|data| message(data)).collect();
        for (size, pieces) in
            [(stream.len(), "one chunk"), (1, "1-character chunks"), (2, "2-character chunks")]
        {
            let source = format!("{name}/{case}/{pieces}");
            let chunks: Vec<_> = stream.as_bytes().chunks(size).collect();
            Case { source: &source, chunks: &chunks, events: &events }.check(&service);
        }
    }
}

#[test]
fn lf_separator() {
    check("LF separator", "\n");
}

#[test]
fn crlf_separator() {
    check("CRLF separator", "\r\n");
}

#[test]
fn cr_separator() {
    check("CR separator", "\r");
}

#[test]
fn crlf_where_cr_is_end_of_1_chunk() {
    Case {
        source: "CRLF where CR is end of 1 chunk",
        chunks: &[b"data: Hello\r", b"\ndata: World\r", b"\n\r\ndata: OK\r", b"\n", b"\r", b"\n"],
        events: &[message("Hello\nWorld"), message("OK")],
    }
    .check(&Service::start());
}
