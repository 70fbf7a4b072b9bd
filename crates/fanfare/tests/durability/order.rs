//! The argument, from a trace alone: an event's bytes are first written to the WAL in the frames of one commit; the
//! commit is on the disk once a sync of that file that began after its last write has returned; and every write to a
//! socket that holds the event's bytes, be it the publisher's answer or a frame, must begin after that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::trace::{Call, Trace};

/// Bytes of the header before each page in the WAL (SQLite's file format, 4.1). Its bytes 4 to 8 are not zero in the
/// last frame of a commit.
const FRAME_HEADER: usize = 24;

const TOKEN_PREFIX: &str = "durable-event-";
const TOKEN_DIGITS: usize = 6;

#[derive(Debug, Default)]
pub(crate) struct Order {
    pub(crate) violations: Vec<Violation>,
    /// Commits that brought events.
    pub(crate) commits: usize,
    /// Events in writes to sockets.
    pub(crate) shown: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A write to a socket held the event before the disk had it.
    Early { token: String, line: usize },
    /// It was never seen in a commit, so nothing can be said of it.
    NotCommitted { token: String },
    /// It was not written to sockets as often as there are clients that it was for.
    NotShown { token: String, times: usize },
    /// The entry of a file or folder that was made was not brought to the disk before the first event was shown.
    FolderNotSynced { folder: String },
    /// A call through which bytes may go where this does not look.
    Unseen { call: String, line: usize },
}

/// What an event is known by, wherever its bytes go.
pub(crate) fn token(number: usize) -> String {
    format!("{TOKEN_PREFIX}{number:0TOKEN_DIGITS$}")
}

impl Order {
    /// Looks at a server that ran in this folder and published these events, to a publisher and two clients each.
    pub(crate) fn of(trace: &Trace, folder: &Path, tokens: &[String]) -> Self {
        let mut order = Self::default();
        let committed = order.commits(trace);
        let synced = |path: &str, after: usize| {
            let syncs = trace.calls.iter().filter(|call| {
                matches!(&*call.name, "fdatasync" | "fsync")
                    && call.on == path
                    && call.start > after
                    && call.succeeded
            });
            syncs.filter_map(|call| call.end).min()
        };
        let mut shown: BTreeMap<String, usize> = BTreeMap::new();
        let mut first = None;
        for call in trace.calls.iter().filter(|call| call.on.starts_with("socket:")) {
            for token in tokens_in(&call.data) {
                first.get_or_insert(call.start);
                let commit = committed.get(&token);
                let durable = commit.and_then(|commit| synced(&commit.wal, commit.end));
                if durable.is_none_or(|durable| durable >= call.start) {
                    order.violations.push(Violation::Early { token: token.clone(), line: call.start });
                }
                *shown.entry(token).or_default() += 1;
                order.shown += 1;
            }
        }
        for token in tokens {
            if !committed.contains_key(token) {
                order.violations.push(Violation::NotCommitted { token: token.clone() });
            }
            let times = shown.get(token).copied().unwrap_or_default();
            if times < 3 {
                order.violations.push(Violation::NotShown { token: token.clone(), times });
            }
        }
        // The database's folder, and those in which the server has made folders.
        for made in ["", "made", "made/by-the-server"] {
            let folder = folder.join(made);
            let folder = folder.to_str().unwrap().trim_end_matches('/');
            if first.is_some_and(|first| synced(folder, 0).is_none_or(|end| end >= first)) {
                order.violations.push(Violation::FolderNotSynced { folder: folder.to_owned() });
            }
        }
        order
    }

    /// When each event's first commit was written.
    fn commits(&mut self, trace: &Trace) -> BTreeMap<String, Commit> {
        let mut committed = BTreeMap::new();
        let mut open = BTreeSet::new();
        let mut is_last = false;
        for call in &trace.calls {
            match &*call.name {
                "pwrite64" if call.on.ends_with("-wal") => {}
                "write" | "writev" | "sendto" | "sendmsg" if !call.on.ends_with("-wal") => continue,
                // Into the database at a checkpoint, which shows nobody anything.
                "pwrite64" | "fdatasync" | "fsync" | "mkdir" | "mkdirat" => continue,
                _ => {
                    self.violations.push(Violation::Unseen { call: call.name.clone(), line: call.start });
                    continue;
                }
            }
            if call.data.len() == FRAME_HEADER {
                is_last = call.data.get(4..8) != Some(&[0; 4]);
                continue;
            }
            open.extend(tokens_in(&call.data));
            if std::mem::take(&mut is_last)
                && let Some(end) = call.end
            {
                let new: Vec<_> = std::mem::take(&mut open).into_iter().collect();
                let new: Vec<_> = new.into_iter().filter(|token| !committed.contains_key(token)).collect();
                self.commits += usize::from(!new.is_empty());
                committed.extend(new.into_iter().map(|token| (token, Commit { wal: call.on.clone(), end })));
            }
        }
        committed
    }
}

#[derive(Debug)]
struct Commit {
    wal: String,
    /// The line on which its last write had returned.
    end: usize,
}

fn tokens_in(data: &[u8]) -> BTreeSet<String> {
    let length = TOKEN_PREFIX.len() + TOKEN_DIGITS;
    let found = data.windows(length).filter(|window| window.starts_with(TOKEN_PREFIX.as_bytes()));
    found.map(|token| String::from_utf8_lossy(token).into_owned()).collect()
}

#[test]
fn an_event_is_shown_early_where_no_sync_lies_between() {
    const HEADER: [u8; FRAME_HEADER] = [0; FRAME_HEADER];
    const LAST: [u8; FRAME_HEADER] = [1; FRAME_HEADER];
    const WAL: &str = "/f/made/by-the-server/x-wal";
    const SOCKET: &str = "socket:[1]";
    fn write(data: &[u8]) -> (&str, &str, &[u8]) {
        ("pwrite64", WAL, data)
    }
    let page = |events: &[usize]| events.iter().map(|event| token(*event)).collect::<String>().into_bytes();
    let check = |calls: &[(&str, &str, &[u8])], expected: &[Violation]| {
        let folders = ["/f", "/f/made", "/f/made/by-the-server"].map(|folder| ("fsync", folder, &b""[..]));
        let calls = folders.iter().chain(calls).enumerate().map(|(line, (name, on, data))| Call {
            name: (*name).to_owned(),
            on: (*on).to_owned(),
            data: data.to_vec(),
            start: line + 1,
            end: Some(line + 1),
            succeeded: true,
        });
        let order = Order::of(&Trace { calls: calls.collect() }, Path::new("/f"), &[token(1)]);
        let violations: Vec<_> = order.violations.into_iter().collect();
        assert_eq!(violations, expected);
    };
    let (one, both) = (page(&[1]), page(&[1, 2]));
    let sync = ("fdatasync", WAL, &b""[..]);
    let shown = ("writev", SOCKET, &*one);
    let early = |line| Violation::Early { token: token(1), line };

    check(&[write(&LAST), write(&one), sync, shown, shown, shown], &[]);
    check(&[write(&HEADER), write(&one), write(&LAST), write(b"-"), sync, shown, shown, shown], &[]);
    check(&[write(&LAST), write(&one), shown, sync, shown, shown], &[early(6)]);
    check(&[write(&LAST), sync, write(&one), shown, sync, shown, shown], &[early(7)]);
    // A sync in the midst of the commit brings only a part of it to the disk.
    let midst = [write(&HEADER), write(&one), sync, write(&LAST), write(b"-"), shown, sync, shown, shown];
    check(&midst, &[early(9)]);
    // That a page is written again with a later event makes the first one no younger.
    let again = [write(&LAST), write(&one), sync, shown, write(&LAST), write(&both), shown, sync, shown];
    check(&again, &[]);
    let other = [write(&LAST), write(&one), ("fdatasync", "/f/other", b""), shown, sync, shown, shown];
    check(&other, &[early(7)]);
    let not_shown = Violation::NotShown { token: token(1), times: 0 };
    check(&[], &[Violation::NotCommitted { token: token(1) }, not_shown]);
    let unseen = Violation::Unseen { call: "splice".to_owned(), line: 4 };
    let spliced = [("splice", SOCKET, &b""[..]), write(&LAST), write(&one), sync, shown, shown, shown];
    check(&spliced, &[unseen]);
}
