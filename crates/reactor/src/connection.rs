//! One connection: its socket, and what of its stream has begun to go out. When it is served, and what it is told, lives in
//! `attend`.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use fanfare_stream::frame::{Frame, SizeLine};
use fanfare_stream::{Batch, CloseReason, Moment, Session, WRITE_BATCH_FRAMES};
use mio::net::TcpStream;

use crate::Owner;
use crate::wheel::Tick;

/// What goes out in front of a batch at once: the head of a response and what a session says first, or the three parts of
/// a page and what was said behind it.
pub(crate) const MAX_PARTS: usize = 8;

/// Bytes that a client may send behind its request, which mean nothing. More than any client has a reason for.
const MAX_GARBAGE: u32 = 64 * 1024;

/// Reads of a turn, so that a client that sends without end holds up nobody.
const TURN_READS: usize = 8;

/// There is one for each client, so it is small: what all have in common, and what only those need who have a full
/// socket, is elsewhere. An idle one takes 208 bytes at most, with an owner of 48 and its places in a group, in the wheel
/// and in a queue (`tests/memory.rs`).
pub(crate) struct Connection<O> {
    stream: TcpStream,
    pub(crate) session: Session,
    pub(crate) owner: O,
    /// What goes out before anything else; always there while the socket is full.
    pub(crate) pending: Option<Box<Pending>>,
    /// When the wheel has it come up.
    pub(crate) armed: Tick,
    /// Its place among the members of its group.
    pub(crate) seat: u32,
    /// Bytes that the client sent behind its request.
    garbage: u32,
    pub(crate) flags: Flags,
}

/// Facts of a connection, of which any may be together.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Flags {
    /// The head of the response has not gone out.
    pub(crate) is_new: bool,
    /// It is in the queue of those that are served one by one.
    pub(crate) is_queued: bool,
    /// Its owner is getting a page.
    pub(crate) is_reading: bool,
    /// The socket takes nothing until epoll says that it does.
    pub(crate) is_full: bool,
    /// The client has sent something, or nothing more will come from it.
    pub(crate) has_input: bool,
}

/// What a connection holds while its socket is full: the rest of what has begun, and nothing that has not. That is at most
/// the rest of one frame, or one page with a keep-alive before it, or the head of the response with what comes
/// first; and a farewell. Frames and pages are shared with all who need them; what is its own takes less than a kilobyte.
#[derive(Debug)]
pub(crate) struct Pending {
    parts: Vec<Bytes>,
    /// When the kernel took something last. It takes up to 64 KiB at once, and no more until most of that is on its way: so who
    /// takes less than that in a send timeout counts as who takes nothing.
    progress: Moment,
    /// Why the stream ends behind this, and how long it may take.
    pub(crate) closing: Option<(CloseReason, Moment)>,
}

impl<O: Owner> Connection<O> {
    pub(crate) fn new(stream: TcpStream, head: Bytes, session: Session, owner: O, now: Moment) -> Self {
        let pending = Pending { parts: vec![head], ..Pending::new(now) };
        Self {
            stream,
            session,
            owner,
            pending: Some(Box::new(pending)),
            armed: Tick::NEVER,
            seat: 0,
            garbage: 0,
            flags: Flags { is_new: true, ..Flags::default() },
        }
    }

    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Whether an event of its group is no reason to serve it now: it will be when what it waits for is there.
    pub(crate) fn is_busy(&self) -> bool {
        self.pending.is_some() || self.flags.is_reading || self.flags.is_queued
    }

    #[cfg(test)]
    pub(crate) fn garbage(&self) -> u32 {
        self.garbage
    }

    /// Why it ends, if that is decided.
    pub(crate) fn closing(&self) -> Option<CloseReason> {
        self.pending.as_ref()?.closing.map(|(reason, _)| reason)
    }

    /// The content of a page, which goes out as one chunk.
    pub(crate) fn put_page(&mut self, content: Bytes, now: Moment) {
        let line = Bytes::copy_from_slice(&SizeLine::of(content.len()));
        self.put([line, content, Bytes::from_static(b"\r\n")], now);
    }

    /// Puts something behind what is pending.
    pub(crate) fn put(&mut self, parts: impl IntoIterator<Item = Bytes>, now: Moment) -> &mut Pending {
        let pending = self.pending.get_or_insert_with(|| Box::new(Pending::new(now)));
        pending.parts.extend(parts);
        pending
    }

    /// The head of the response, once.
    pub(crate) fn take_head(&mut self) -> Vec<Bytes> {
        let is_new = std::mem::take(&mut self.flags.is_new);
        self.pending.take_if(|_| is_new).map_or_else(Vec::new, |pending| pending.parts)
    }

    /// Writes what is pending. Returns how much the client took; where that was not all, the socket is full.
    pub(crate) fn flush(&mut self, now: Moment) -> Result<usize, CloseReason> {
        let Some(mut pending) = self.pending.take() else { return Ok(0) };
        let written = write(&mut self.stream, pending.parts.iter())?;
        if written > 0 {
            pending.progress = now;
        }
        self.flags.is_full = !skip(&mut pending.parts, written);
        if self.flags.is_full || pending.closing.is_some() {
            self.pending = Some(pending);
        }
        Ok(written)
    }

    /// Writes as many frames of the batch as the socket takes, behind `first`, which are at most [`MAX_PARTS`]. What has
    /// begun and was not taken is pending then. Returns how much was.
    pub(crate) fn send(
        &mut self,
        first: Vec<Bytes>,
        batch: &Batch,
        now: Moment,
    ) -> Result<usize, CloseReason> {
        let frames = batch.frames();
        let written = if let ([], [frame]) = (&first[..], frames) {
            // Most writes are of one event, and cost a little less so.
            retry(|| self.stream.write(frame.chunk()))?
        } else {
            write(&mut self.stream, first.iter().chain(frames.iter().map(Frame::chunk)))?
        };
        let mut rest = first;
        let mut taken = written.saturating_sub(rest.iter().map(Bytes::len).sum());
        let mut begun = 0;
        if skip(&mut rest, written) {
            while let Some(frame) = frames.get(begun).filter(|_| taken > 0) {
                begun += 1;
                let chunk = frame.chunk();
                rest.extend((taken < chunk.len()).then(|| chunk.slice(taken..)));
                taken = taken.saturating_sub(chunk.len());
            }
        }
        self.session.sent(batch, begun, now);
        if begun < frames.len() || !rest.is_empty() {
            self.flags.is_full = true;
            self.pending = Some(Box::new(Pending { parts: rest, ..Pending::new(now) }));
        }
        Ok(written)
    }

    /// Reads what the client sends, which means nothing. Returns whether there may be more of it: epoll tells a change, so
    /// there is nothing only once the socket has said so.
    pub(crate) fn read(&mut self, scratch: &mut [u8]) -> Result<bool, CloseReason> {
        for _ in 0..TURN_READS {
            match self.stream.read(scratch) {
                Ok(0) => return Err(CloseReason::ClientGone),
                Ok(read) => {
                    self.garbage += u32::try_from(read).unwrap_or(MAX_GARBAGE);
                    if self.garbage > MAX_GARBAGE {
                        return Err(CloseReason::ClientGone);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(reason(&error)),
            }
        }
        Ok(true)
    }

    /// Tells the owner, and closes the socket behind that, so that whoever notices finds it told. What the client has sent is
    /// read before: with some of it still there the kernel would tell the client of an error, and the client might lose
    /// what it has not read itself.
    pub(crate) fn end(mut self, reason: CloseReason, scratch: &mut [u8]) {
        self.owner.ended(reason, &self.session);
        for _ in 0..TURN_READS {
            if !matches!(self.stream.read(scratch), Ok(1..)) {
                break;
            }
        }
    }
}

impl Pending {
    fn new(now: Moment) -> Self {
        Self { parts: Vec::new(), progress: now, closing: None }
    }

    /// When it is over with the client if it takes nothing until then, and why.
    pub(crate) fn deadline(&self, send_timeout: Duration) -> (Moment, CloseReason) {
        let stalled = (self.progress.saturating_add(send_timeout), CloseReason::Stalled);
        self.closing.map_or(stalled, |(reason, until)| (until, reason))
    }
}

/// Writes as much as the socket takes, which is less than all only where it is full then.
fn write<'a>(stream: &mut TcpStream, parts: impl Iterator<Item = &'a Bytes>) -> Result<usize, CloseReason> {
    let mut slices = [IoSlice::new(&[]); MAX_PARTS + WRITE_BATCH_FRAMES];
    let mut count = 0;
    for (slice, part) in slices.iter_mut().zip(parts) {
        *slice = IoSlice::new(part);
        count += 1;
    }
    match slices.get(..count) {
        None | Some([]) => Ok(0),
        Some([one]) => retry(|| stream.write(one)),
        Some(slices) => retry(|| stream.write_vectored(slices)),
    }
}

/// How many bytes the socket took; none where it is full.
fn retry(mut write: impl FnMut() -> io::Result<usize>) -> Result<usize, CloseReason> {
    loop {
        match write() {
            Ok(written) => return Ok(written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(reason(&error)),
        }
    }
}

/// The kernel says that it is too late (`TCP_USER_TIMEOUT`), or that the client has gone.
fn reason(error: &io::Error) -> CloseReason {
    if error.kind() == io::ErrorKind::TimedOut { CloseReason::Stalled } else { CloseReason::ClientGone }
}

/// Takes so many bytes from the front. Returns whether nothing is left.
fn skip(parts: &mut Vec<Bytes>, mut bytes: usize) -> bool {
    parts.retain_mut(|part| {
        let taken = bytes.min(part.len());
        part.advance(taken);
        bytes -= taken;
        !part.is_empty()
    });
    parts.is_empty()
}
