//! Reads what `strace -f -y -xx -o FILE` writes: one call after another, by the lines on which each began and ended.
//!
//! The tracer holds a process at the start and at the end of each call and writes then. So a call that ends on an
//! earlier line than another begins had returned before the other did anything.

use std::collections::HashMap;

/// System calls, in the order in which they began.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) calls: Vec<Call>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// What its first descriptor is open on: a path, `socket:[NUMBER]`, …
    pub(crate) on: String,
    /// Its strings, one behind the other.
    pub(crate) data: Vec<u8>,
    /// The line on which it began.
    pub(crate) start: usize,
    /// The line on which it had returned; `None` where it never did.
    pub(crate) end: Option<usize>,
    /// It returned no error.
    pub(crate) succeeded: bool,
}

impl Trace {
    pub(crate) fn parse(text: &str) -> Self {
        let mut trace = Self::default();
        let mut unfinished = HashMap::new();
        for (line, text) in text.lines().enumerate() {
            // The tracer pads a short process id.
            let (process, rest) = text.split_once(' ').unwrap();
            let rest = rest.trim_start();
            if rest.starts_with("+++") || rest.starts_with("---") {
                continue;
            }
            if rest.starts_with("<... ") {
                // All arguments of the calls that are traced are shown when they begin.
                let index: usize = unfinished.remove(process).unwrap();
                trace.calls.get_mut(index).unwrap().returned(rest, line);
                continue;
            }
            let (name, arguments) = rest.split_once('(').unwrap_or_else(|| panic!("not a call: {rest}"));
            let on = arguments.split_once(['<', ',', ')']).filter(|(fd, _)| fd.parse::<u32>().is_ok());
            let on = on.and_then(|(_, on)| on.split_once('>')).map_or("", |(on, _)| on);
            let mut call = Call {
                name: name.to_owned(),
                on: String::from_utf8(bytes(on)).unwrap(),
                data: arguments.split('"').skip(1).step_by(2).flat_map(bytes).collect(),
                start: line,
                end: None,
                succeeded: false,
            };
            if rest.ends_with("<unfinished ...>") {
                unfinished.insert(process.to_owned(), trace.calls.len());
            } else {
                call.returned(rest, line);
            }
            trace.calls.push(call);
        }
        trace
    }
}

impl Call {
    fn returned(&mut self, text: &str, line: usize) {
        let (_, value) = text.rsplit_once(" = ").unwrap_or_else(|| panic!("returns nothing: {text}"));
        // `?` is a call that a signal or the process's end cut off.
        if !value.starts_with('?') {
            self.end = Some(line);
            self.succeeded = !value.starts_with('-');
        }
    }
}

/// `\x61\x62`
fn bytes(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect()
}

#[test]
fn calls_begin_and_end_where_the_trace_says() {
    let trace = Trace::parse(
        r#"12    pwrite64(9<\x2f\x61>, "\x00\x61", 2, 0) = 2
12    fdatasync(9<\x2f\x61> <unfinished ...>
1234  writev(4<\x73>, [{iov_base="\x62", iov_len=1}, {iov_base="\x63", iov_len=1}], 2) = 2
12    <... fdatasync resumed>)          = -1 EIO (Input/output error)
12    --- SIGTERM {si_signo=SIGTERM} ---
12    mkdir("\x62", 0777)                    = 0
12    fsync(9<\x2f\x61> <unfinished ...>
1234  fsync(3)       = ?
1234  +++ killed by SIGKILL +++
"#,
    );
    let call = |name: &str, on: &str, data: &[u8], start, end, succeeded| Call {
        name: name.to_owned(),
        on: on.to_owned(),
        data: data.to_vec(),
        start,
        end,
        succeeded,
    };
    let expected = [
        call("pwrite64", "/a", b"\0a", 0, Some(0), true),
        call("fdatasync", "/a", b"", 1, Some(3), false),
        call("writev", "s", b"bc", 2, Some(2), true),
        call("mkdir", "", b"b", 5, Some(5), true),
        call("fsync", "/a", b"", 6, None, false),
        call("fsync", "", b"", 7, None, false),
    ];
    assert_eq!(trace.calls, expected);
}
