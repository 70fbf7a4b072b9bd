//! Frames as they come, in any parts.

use lapin::types::parsing::parse_field_table;
use proptest::prelude::*;

use super::*;

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind, 0, 1];
    frame.extend(length(payload.len()));
    frame.extend_from_slice(payload);
    frame.push(END);
    frame
}

/// A content header with these flags and properties, of a body of 5 bytes.
fn header(flags: u16, properties: &[u8]) -> Vec<u8> {
    let mut payload = vec![0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5];
    payload.extend(flags.to_be_bytes());
    payload.extend_from_slice(properties);
    frame(HEADER, &payload)
}

fn table(members: &[u8]) -> Vec<u8> {
    [&length(members.len())[..], members].concat()
}

fn nested(depth: usize) -> Vec<u8> {
    let mut members = b"\x01a".to_vec();
    for level in 0..depth {
        members.push(b'A');
        members.extend(length(5 * (depth - level - 1)));
    }
    table(&members)
}

fn through(bytes: &[u8], part: usize) -> Vec<u8> {
    let (mut guard, mut out) = (Guard::default(), Vec::new());
    bytes.chunks(part).for_each(|part| guard.push(part, &mut out).unwrap());
    out
}

/// What is said of a header, if it is replaced.
fn problem(frame: &[u8]) -> Option<String> {
    let out = through(frame, 3);
    let text = String::from_utf8_lossy(&out);
    let (_, problem) = text.split_once(UNREADABLE)?;
    assert_eq!(
        out.get(HEAD + 4..HEAD + 12),
        Some(&[0, 0, 0, 0, 0, 0, 0, 5][..]),
        "the size of the body stays"
    );
    assert_eq!(out.len() - HEAD - 1, usize::from(out[6]), "the size of the frame is right");
    Some(problem.chars().skip(5).collect::<String>().trim_end_matches('\u{fffd}').to_owned())
}

#[test]
fn what_can_be_read_passes_as_it_is() {
    let death = table(b"\x07x-death\x41\x00\x00\x00\x0c\x46\x00\x00\x00\x07\x01n\x49\x00\x00\x00\x01");
    let frames = [
        frame(METHOD, b"\x00\x0a\x00\x0a"),
        frame(METHOD, b"\x00\x3c\x00\x3c\x01c12345678\x00\x01e\x03key"),
        header(0, b""),
        header(1 << 15 | 1 << 13 | 1 << 12 | 1 << 7, &[b"\x04text", &death[..], b"\x02\x02id"].concat()),
        header(1 << 13, &nested(MAX_DEPTH - 2)),
        frame(3, b"hello"),
        frame(8, b""),
    ];
    let bytes = frames.concat();
    for part in [1, 2, 7, 8, 100, 10_000] {
        assert_eq!(through(&bytes, part), bytes, "in parts of {part}");
    }
    let other_version = b"AMQP\x00\x01\x00\x00 and so on";
    assert_eq!(through(other_version, 4), other_version);
}

#[test]
fn what_cannot_be_read_says_so() {
    let check = |frame: Vec<u8>, expected: &str| {
        let problem = problem(&frame).unwrap();
        assert!(problem.contains(expected), "{problem}");
    };
    check(header(1 << 13, &nested(20_000)), "nested too deeply");
    check(header(1 << 13, &nested(MAX_DEPTH)), "nested too deeply");
    check(header(1 << 13, &table(b"\x01\xffV")), "not UTF-8");
    check(header(1 << 15, b"\x01\xff"), "not UTF-8");
    check(header(1 << 13, &table(b"\x01a?")), "unknown type");
    check(header(1 << 13, &table(b"\x01aI\x00")), "cut off");
    check(header(1 << 13, b"\x00\x00\xff\xff"), "cut off");
    check(header(1 << 7, b""), "cut off");
}

#[test]
fn names_of_a_delivery_keep_their_lengths() {
    let deliver = frame(METHOD, b"\x00\x3c\x00\x3c\x01c12345678\x00\x02\xc3\xa9\x03k\xffy");
    let expected = frame(METHOD, b"\x00\x3c\x00\x3c\x01c12345678\x00\x02\xc3\xa9\x03k?y");
    assert_eq!(through(&deliver, 5), expected);
}

#[test]
fn no_frame_is_held_back_without_a_bound() {
    let mut out = Vec::new();
    assert!(Guard::default().push(&[HEADER, 0, 1, 0x7f, 0, 0, 0], &mut out).is_err());
}

/// Members of a table, some of them right.
fn members() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(b"V".to_vec()),
        any::<u8>().prop_map(|byte| vec![b't', byte]),
        any::<[u8; 2]>().prop_map(|bytes| [&b"s"[..], &bytes].concat()),
        any::<[u8; 4]>().prop_map(|bytes| [&b"I"[..], &bytes].concat()),
        any::<[u8; 8]>().prop_map(|bytes| [&b"d"[..], &bytes].concat()),
        any::<[u8; 5]>().prop_map(|bytes| [&b"D"[..], &bytes].concat()),
        "\\PC{0,8}".prop_map(|text| [b"S", &table(text.as_bytes())[..]].concat()),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    let value = leaf.prop_recursive(4, 20, 4, |inner| {
        let named =
            ("[a-z\u{e9}]{0,3}", inner.clone()).prop_map(|(name, value)| member(name.as_bytes(), &value));
        prop_oneof![
            proptest::collection::vec(inner, 0..4)
                .prop_map(|items| [b"A", &table(&items.concat())[..]].concat()),
            proptest::collection::vec(named, 0..4)
                .prop_map(|members| [b"F", &table(&members.concat())[..]].concat()),
        ]
    });
    let name = prop_oneof![4 => "[a-z]{0,3}".prop_map(String::into_bytes), 1 => Just(vec![0xff])];
    proptest::collection::vec((name, value).prop_map(|(name, value)| member(&name, &value)), 0..4)
        .prop_map(|members| members.concat())
}

fn member(name: &[u8], value: &[u8]) -> Vec<u8> {
    [&[u8::try_from(name.len()).unwrap()], name, value].concat()
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..200), part in 1..50_usize) {
        let (mut guard, mut out) = (Guard::default(), Vec::new());
        for part in bytes.chunks(part) {
            if guard.push(part, &mut out).is_err() {
                break;
            }
        }
    }

    #[test]
    fn in_whatever_parts_they_come_frames_are_the_same(
        frames in proptest::collection::vec((1..4_u8, proptest::collection::vec(any::<u8>(), 0..40)), 0..5),
        part in 1..50_usize,
    ) {
        let bytes = frames.iter().flat_map(|(kind, payload)| frame(*kind, payload)).collect::<Vec<_>>();
        prop_assert_eq!(through(&bytes, part), through(&bytes, usize::MAX));
    }

    #[test]
    fn what_passes_is_what_the_library_reads(members in members()) {
        let table = table(&members);
        let is_read = matches!(parse_field_table(table.as_slice()), Ok((rest, _)) if rest.is_empty());
        prop_assert_eq!(check_table(&members).is_ok(), is_read, "{:?}", members);
    }
}
