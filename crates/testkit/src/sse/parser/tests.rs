//! The standard's own examples, its corner cases, and that chunking never changes the result.

use proptest::prelude::*;

use super::*;

fn event(kind: &str, data: &str, last_event_id: &str) -> Item {
    Item::Event(Event {
        kind: kind.into(),
        data: data.into(),
        last_event_id: last_event_id.into(),
        ..Event::default()
    })
}

fn with_id(item: Item, id: &str) -> Item {
    let Item::Event(event) = item else { panic!("not an event: {item:?}") };
    Item::Event(Event { id: Some(id.into()), ..event })
}

fn comment(text: &str) -> Item {
    Item::Comment(text.into())
}

fn silent(kind: Option<&str>, id: Option<&str>, retry: Option<u64>) -> Item {
    Item::Silent(Silent { kind: kind.map(Into::into), id: id.map(Into::into), retry })
}

#[track_caller]
fn check(stream: impl AsRef<[u8]>, expected: &[Item]) -> Parser {
    let mut parser = Parser::new();
    assert_eq!(parser.push(stream.as_ref()), expected);
    parser
}

#[test]
fn the_examples_of_the_standard() {
    check(
        "data: This is the first message.\n\ndata: This is the second message, it\ndata: has two lines.\n\n\
         data: This is the third message.\n\n",
        &[
            event("message", "This is the first message.", ""),
            event("message", "This is the second message, it\nhas two lines.", ""),
            event("message", "This is the third message.", ""),
        ],
    );
    check(
        "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
        &[event("add", "73857293", ""), event("remove", "2153", ""), event("add", "113411", "")],
    );
    check("data: YHOO\ndata: +2\ndata: 10\n\n", &[event("message", "YHOO\n+2\n10", "")]);
    // "The last block is discarded because it is not followed by a blank line"; the empty id resets the last one.
    check(
        ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
        &[
            comment("test stream"),
            with_id(event("message", "first event", "1"), "1"),
            with_id(event("message", "second event", ""), ""),
        ],
    );
    check("data\n\ndata\ndata\n\ndata:", &[event("message", "", ""), event("message", "\n", "")]);
    check("data:test\n\ndata: test\n\n", &[event("message", "test", ""), event("message", "test", "")]);
}

#[test]
fn lines_end_three_ways_and_may_be_mixed() {
    for stream in ["data:a\n\ndata:b\n\n", "data:a\r\rdata:b\r\r", "data:a\r\n\r\ndata:b\r\n\r\n"] {
        check(stream, &[event("message", "a", ""), event("message", "b", "")]);
    }
    check("data:a\rdata:b\ndata:c\r\n\r", &[event("message", "a\nb\nc", "")]);
    check("data:a\n\rdata:b\r\n\n", &[event("message", "a", ""), event("message", "b", "")]);
}

#[test]
fn a_crlf_may_be_cut_in_two() {
    let mut parser = Parser::new();
    assert_eq!(parser.push(b"data:a\r"), []);
    assert_eq!(parser.push(b"\n\r"), [event("message", "a", "")]);
    assert_eq!(parser.push(b"\n"), []);
    assert_eq!(parser.push(b"data:b\n\n"), [event("message", "b", "")]);
}

#[test]
fn one_byte_order_mark_is_dropped_at_the_start_only() {
    check("\u{feff}data:a\n\n", &[event("message", "a", "")]);
    check("\u{feff}\u{feff}data:a\n\n", &[]);
    check("\n\u{feff}data:a\n\n", &[]);
    check("data:\u{feff}a\n\n", &[event("message", "\u{feff}a", "")]);
}

#[test]
fn an_id_stays_until_the_next_one_and_counts_only_when_its_block_ends() {
    let parser = check(
        "id:1\ndata:a\n\ndata:b\n\nid:2",
        &[with_id(event("message", "a", "1"), "1"), event("message", "b", "1")],
    );
    assert_eq!(parser.last_event_id(), "1");
    assert_eq!(
        check("id:1\ndata:a\n\nid:2\n", &[with_id(event("message", "a", "1"), "1")]).last_event_id(),
        "1"
    );
    assert_eq!(check("id:1\n\n", &[silent(None, Some("1"), None)]).last_event_id(), "1");
    assert_eq!(
        check("id:1\n\nid\n\n", &[silent(None, Some("1"), None), silent(None, Some(""), None)])
            .last_event_id(),
        ""
    );
    assert_eq!(
        check("id:1\nid:a\0b\ndata:a\n\n", &[with_id(event("message", "a", "1"), "1")]).last_event_id(),
        "1"
    );
    check("id: @e.1\ndata:a\n\n", &[with_id(event("message", "a", "@e.1"), "@e.1")]);
}

#[test]
fn a_retry_is_digits_and_nothing_else() {
    assert_eq!(check("retry: 3000\n\n", &[silent(None, None, Some(3000))]).retry(), Some(3000));
    assert_eq!(check("retry: 3000", &[]).retry(), None);
    for value in ["", "-1", "+1", "1.5", "3s", " 3", "\u{663}", "99999999999999999999"] {
        assert_eq!(check(format!("retry: {value}\n\n"), &[]).retry(), None, "{value:?}");
    }
}

#[test]
fn a_block_without_data_dispatches_nothing_and_leaves_no_name_behind() {
    check("event: ping\n\ndata: a\n\n", &[silent(Some("ping"), None, None), event("message", "a", "")]);
    check("event: a\nevent\ndata: b\n\n", &[event("message", "b", "")]);
    check("\n\n\r\n\r", &[]);
}

#[test]
fn what_is_no_field_is_ignored() {
    check("DATA: a\ndata : b\n data: c\nfoo: d\nfoo\n\n", &[]);
    check(": keep-alive\n:\n:  two\n\n", &[comment("keep-alive"), comment(""), comment(" two")]);
    check("data: a:b: c\n\n", &[event("message", "a:b: c", "")]);
    check("data:a\0b\n\n", &[event("message", "a\0b", "")]);
    check(b"data: \xff\xe2\x82\n\n", &[event("message", "\u{fffd}\u{fffd}", "")]);
}

fn streams() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&[u8]; 16] = [
        b"data",
        b"event",
        b"id",
        b"retry",
        b":",
        b" ",
        b"7",
        b"x",
        b"\xe2\x82\xac",
        b"\xef\xbb\xbf",
        b"\0",
        b"\xff",
        b"\r",
        b"\n",
        b"\r\n",
        b"\n\n",
    ];
    let piece = prop::sample::select(&PIECES[..]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn chunking_never_changes_the_result(stream in streams(), cuts in prop::collection::vec(0usize..200, 0..8)) {
        let mut whole = Parser::new();
        let expected = whole.push(&stream);

        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let mut chunked = Parser::new();
        let items: Vec<_> =
            cuts.windows(2).flat_map(|cut| chunked.push(&stream[cut[0]..cut[1]])).collect();
        prop_assert_eq!(&items, &expected);
        prop_assert_eq!(chunked.last_event_id(), whole.last_event_id());

        let mut bytewise = Parser::new();
        let items: Vec<_> = stream.iter().flat_map(|byte| bytewise.push(&[*byte])).collect();
        prop_assert_eq!(&items, &expected);
        prop_assert_eq!(bytewise.retry(), whole.retry());
    }
}
