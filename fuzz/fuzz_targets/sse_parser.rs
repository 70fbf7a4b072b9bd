//! The test kit's parser: cutting a stream in two never changes what is read out of it. The first byte says where to
//! cut, the rest is the stream.
#![no_main]

use fanfare_testkit::sse::Parser;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_first() else { return };
    let whole = Parser::new().push(bytes);
    let (head, tail) = bytes.split_at(usize::from(*cut).min(bytes.len()));
    let mut parser = Parser::new();
    let mut parts = parser.push(head);
    parts.extend(parser.push(tail));
    assert_eq!(parts, whole);
});
