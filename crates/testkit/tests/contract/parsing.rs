//! `ssetests/tests_basic_parsing.go` and `ssetests/tests_bom.go` of `launchdarkly/sse-contract-tests`.

use crate::harness::{Case, Service, event, message};

const BASIC: &[Case<'_>] = &[
    Case {
        source: "one-line message in one chunk",
        chunks: &[b"data: Hello\n\n"],
        events: &[message("Hello")],
    },
    Case {
        source: "two messages spanning 3 chunks with shared chunk",
        chunks: &[b"data: test", b"test\n\ndata:", b"test\n\n"],
        events: &[message("testtest"), message("test")],
    },
    Case {
        source: "one-line message in two chunks",
        chunks: &[b"data: Hel", b"lo\n\n"],
        events: &[message("Hello")],
    },
    Case {
        source: "two one-line messages in one chunk",
        chunks: &[b"data: Hello\n\ndata: World\n\n"],
        events: &[message("Hello"), message("World")],
    },
    Case {
        source: "one two-line message in one chunk",
        chunks: &[b"data: Hello\ndata:World\n\n"],
        events: &[message("Hello\nWorld")],
    },
    Case { source: "empty data", chunks: &[b"data:\n\n"], events: &[message("")] },
    Case {
        source: "event with specific type",
        chunks: &[b"event: greeting\ndata: Hello\n\n"],
        events: &[event("greeting", "Hello", "")],
    },
    Case {
        source: "default event type",
        chunks: &[b"data: Hello\n\n"],
        events: &[event("message", "Hello", "")],
    },
    Case {
        source: "event with ID",
        chunks: &[b"id: abc\ndata: Hello\n\n"],
        events: &[event("message", "Hello", "abc")],
    },
    Case {
        source: "event with type and ID",
        chunks: &[b"event: greeting\nid: abc\ndata: Hello\n\n"],
        events: &[event("greeting", "Hello", "abc")],
    },
    Case {
        source: "ID field is ignored if it contains a null",
        chunks: &[b"id: a\x00bc\ndata: Hello\n\n"],
        events: &[message("Hello")],
    },
    Case {
        source: "last ID persists if not overridden by later event",
        chunks: &[b"id: abc\ndata: first\n\n", b"data: second\n\n"],
        events: &[event("message", "first", "abc"), event("message", "second", "abc")],
    },
    Case {
        source: "last ID can be overridden by an empty value",
        chunks: &[b"id: abc\ndata: first\n\n", b"id: \ndata: second\n\n"],
        events: &[event("message", "first", "abc"), message("second")],
    },
    Case {
        source: "fields in reverse order",
        chunks: &[b"data: Hello\nid: abc\nevent: greeting\n\n"],
        events: &[event("greeting", "Hello", "abc")],
    },
    Case {
        source: "unknown field is ignored",
        chunks: &[b"event: greeting\ncolor: blue\ndata: Hello\n\n"],
        events: &[event("greeting", "Hello", "")],
    },
    Case {
        source: "fields without leading space",
        chunks: &[b"event:greeting\ndata:Hello\n\n"],
        events: &[event("greeting", "Hello", "")],
    },
    Case {
        source: "fields with extra leading space",
        chunks: &[b"event:  greeting\ndata:  Hello\n\n"],
        events: &[event(" greeting", " Hello", "")],
    },
    Case {
        source: "field with no colon",
        chunks: &[b"data\n\ndata\ndata\n\n"],
        events: &[message(""), message("\n")],
    },
    Case {
        source: "multi-byte characters",
        chunks: &["data: €豆腐\n\n".as_bytes()],
        events: &[message("€豆腐")],
    },
];

const BOM: &[Case<'_>] = &[
    Case {
        source: "BOM at start of stream is stripped",
        chunks: &[b"\xef\xbb\xbfdata: Hello\n\n"],
        events: &[message("Hello")],
    },
    Case {
        source: "BOM stripped before first event with type and ID",
        chunks: &[b"\xef\xbb\xbfevent: greeting\nid: abc\ndata: Hello\n\n"],
        events: &[event("greeting", "Hello", "abc")],
    },
    Case {
        source: "BOM stripped with multiple messages",
        chunks: &[b"\xef\xbb\xbfdata: First\n\ndata: Second\n\n"],
        events: &[message("First"), message("Second")],
    },
    Case {
        source: "BOM only stripped at stream start, not from later data",
        chunks: &[b"data: First\n\n", b"data: \xef\xbb\xbfSecond\n\n"],
        events: &[message("First"), message("\u{feff}Second")],
    },
    Case {
        source: "BOM split across first two chunks",
        chunks: &[b"\xef\xbb", b"\xbfdata: Hello\n\n"],
        events: &[message("Hello")],
    },
    Case {
        source: "BOM split byte by byte across chunks",
        chunks: &[b"\xef", b"\xbb", b"\xbf", b"data: Hello\n\n"],
        events: &[message("Hello")],
    },
    Case {
        source: "only first BOM at start is stripped",
        chunks: &[b"\xef\xbb\xbfdata: \xef\xbb\xbfHello\n\n"],
        events: &[message("\u{feff}Hello")],
    },
    Case { source: "no BOM - baseline test", chunks: &[b"data: Hello\n\n"], events: &[message("Hello")] },
    Case {
        source: "BOM with multi-line data",
        chunks: &[b"\xef\xbb\xbfdata: Line1\ndata: Line2\n\n"],
        events: &[message("Line1\nLine2")],
    },
    Case {
        source: "BOM with comment at start",
        chunks: &[b"\xef\xbb\xbf:comment\ndata: Hello\n\n"],
        events: &[message("Hello")],
    },
    Case {
        source: "BOM does not affect empty data field",
        chunks: &[b"\xef\xbb\xbfdata:\n\n"],
        events: &[message("")],
    },
];

#[test]
fn tests_basic_parsing() {
    let service = Service::start();
    for case in BASIC {
        case.check(&service);
    }
}

#[test]
fn tests_bom() {
    let service = Service::start();
    for case in BOM {
        case.check(&service);
    }
}

#[test]
fn tests_basic_parsing_what_is_made_and_not_written_down() {
    let service = Service::start();

    // As long as theirs: 5 MiB in base 64.
    let long: String = ('a'..='z').cycle().take(5 * 1024 * 1024 / 3 * 4).collect();
    let (first, second) = (format!("data: {long}"), format!("{long}\n\n"));
    Case {
        source: "large message in one chunk",
        chunks: &[format!("data: {long}\n\n").as_bytes()],
        events: &[message(&long)],
    }
    .check(&service);
    Case {
        source: "large message in two chunks",
        chunks: &[first.as_bytes(), second.as_bytes()],
        events: &[message(&long.repeat(2))],
    }
    .check(&service);

    let data: Vec<_> = (0..100).map(|number| format!("message {number}")).collect();
    let all: String = data.iter().flat_map(|data| ["data: ", data, "\n\n"]).collect();
    Case {
        source: "many messages in rapid succession",
        chunks: &[all.as_bytes()],
        events: &data.iter().map(|data| message(data)).collect::<Vec<_>>(),
    }
    .check(&service);

    let bytes = "data: €豆腐\n\n".as_bytes();
    Case {
        source: "multi-byte characters sent in single-byte pieces",
        chunks: &bytes.chunks(1).collect::<Vec<_>>(),
        events: &[message("€豆腐")],
    }
    .check(&service);
}
