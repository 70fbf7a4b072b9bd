//! Serving one connection: what is pending first, then what its session says; and how a connection ends.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use fanfare_stream::{Batch, CloseReason, Moment, Seq, Session, Step};

use crate::connection::MAX_PARTS;
use crate::id::ConnectionId;
use crate::wheel::Tick;
use crate::worker::Worker;
use crate::{Owner, Window};

/// How long a client has, when the server ends its stream, to take the rest of what has begun and the farewell.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

impl<O: Owner> Worker<O> {
    /// Serves a connection. Returns the batch that it was given, for others that are where it was.
    pub(crate) fn attend(&mut self, index: u32) -> Option<Box<Batch>> {
        let served = self.read(index).and_then(|()| {
            let is_ready = self.flush(index)?;
            if is_ready { self.converse(index) } else { Ok(None) }
        });
        served.unwrap_or_else(|reason| {
            self.end(index, reason);
            None
        })
    }

    /// Lets the server end a stream, when its turn comes: many may be ended at once. What has not begun to go out does not
    /// any more: the client gets it when it comes back, if it may.
    pub(crate) fn close(&mut self, index: u32, reason: CloseReason) {
        self.take_leave(index, reason);
        self.queue(index);
    }

    /// Lets a stream end when its turn comes, whatever it waits for.
    pub(crate) fn cut(&mut self, index: u32) {
        let now = self.now;
        let Some(connection) = self.connections.at(index) else { return };
        let reason = connection.closing().or(connection.owner.ending()).unwrap_or(CloseReason::ClientGone);
        connection.flags.is_new = false;
        connection.put([], now).closing = Some((reason, now));
        self.queue(index);
    }

    /// The connection is over.
    pub(crate) fn end(&mut self, index: u32, reason: CloseReason) {
        let Some(connection) = self.connections.remove(index) else { return };
        let reason = connection.closing().unwrap_or(reason);
        let id = connection.session.group();
        if let Some(group) = self.groups.get_mut(&id) {
            group.leave(connection.seat, |moved, seat| {
                if let Some(moved) = self.connections.at(moved) {
                    moved.seat = seat;
                }
            });
            if group.is_empty() {
                // Its id may be another's when its owner has left it.
                self.groups.remove(&id);
                self.batch = None;
            }
        }
        self.count.fetch_sub(1, Ordering::Relaxed);
        // What the owner does takes longer than a write, so many that go at once take turns like any other work.
        self.spend(0);
        connection.end(reason, &mut self.scratch);
    }

    /// Has the connection come up when its client has had enough time.
    pub(crate) fn wait_for_client(&mut self, index: u32) {
        let Some(connection) = self.connections.at(index) else { return };
        if let Some(pending) = &connection.pending {
            let (deadline, _) = pending.deadline(self.send_timeout);
            self.arm(index, deadline);
        }
    }

    fn read(&mut self, index: u32) -> Result<(), CloseReason> {
        let Some(connection) = self.connections.at(index) else { return Ok(()) };
        connection.flags.is_queued = false;
        if connection.flags.has_input {
            connection.flags.has_input = connection.read(&mut self.scratch)?;
            if connection.flags.has_input {
                self.queue(index);
            }
        }
        match self.ending {
            Some(reason) => self.try_close(index, reason),
            None => Ok(()),
        }
    }

    /// Writes what is pending. Returns whether nothing is any more, but for what goes out with what comes next.
    fn flush(&mut self, index: u32) -> Result<bool, CloseReason> {
        let Some(connection) = self.connections.at(index) else { return Ok(false) };
        if connection.flags.is_new || connection.pending.is_none() {
            return Ok(true);
        }
        if !connection.flags.is_full {
            let written = connection.flush(self.now)?;
            self.spend(written);
        }
        let Some(connection) = self.connections.at(index) else { return Ok(false) };
        let Some(pending) = &connection.pending else { return Ok(true) };
        let (deadline, reason) = pending.deadline(self.send_timeout);
        if !connection.flags.is_full || self.now >= deadline {
            return Err(reason);
        }
        self.arm(index, deadline);
        Ok(false)
    }

    /// Asks the session what is next, and does it.
    fn converse(&mut self, index: u32) -> Result<Option<Box<Batch>>, CloseReason> {
        let Self { connections, window, batch, now, .. } = self;
        let Some(connection) = connections.at(index) else { return Ok(None) };
        let mut first = connection.take_head();
        let follows = |batch: &mut Box<Batch>| first.is_empty() && connection.session.follows(batch, *now);
        let next = match batch.take_if(follows) {
            Some(batch) => Next::Batch(batch),
            None => ask(&mut connection.session, &**window, *now, &mut first),
        };
        let written = match &next {
            Next::Batch(batch) => connection.send(first, batch, *now)?,
            _ if first.is_empty() => 0,
            _ => {
                connection.put(first, *now);
                connection.flush(*now)?
            }
        };
        connection.owner.has_come_to(connection.session.after());
        self.spend(written);
        self.go_on(index, next)
    }

    /// What comes behind a write.
    fn go_on(&mut self, index: u32, next: Next) -> Result<Option<Box<Batch>>, CloseReason> {
        let Some(connection) = self.connections.at(index) else { return Ok(None) };
        let (is_full, is_armed) = (connection.pending.is_some(), connection.armed != Tick::NEVER);
        if is_full {
            self.wait_for_client(index);
        }
        match next {
            Next::Close(reason) => self.try_close(index, reason)?,
            Next::Wait { until } => self.arm(index, until),
            // Who has a full socket asks again when it takes something.
            Next::Batch(batch) if is_full => return Ok(Some(batch)),
            _ if is_full => {}
            Next::Batch(batch) => {
                if !(batch.is_all() && is_armed) {
                    self.queue(index);
                }
                return Ok(Some(batch));
            }
            Next::Again => self.queue(index),
            Next::Read { from, in_turn, until } => {
                self.get_page(index, from, in_turn);
                self.arm(index, until);
            }
        }
        Ok(None)
    }

    /// Has the owner get a page, unless it does already.
    fn get_page(&mut self, index: u32, from: Seq, in_turn: bool) {
        let Some(place) = self.connections.place(index) else { return };
        if let Some(connection) = self.connections.get(place)
            && !std::mem::replace(&mut connection.flags.is_reading, true)
        {
            connection.owner.read(ConnectionId::of(self.name, place), from, in_turn);
        }
    }

    /// The same as [`Worker::close`], at once.
    pub(crate) fn try_close(&mut self, index: u32, reason: CloseReason) -> Result<(), CloseReason> {
        self.take_leave(index, reason);
        self.flush(index).map(|_| ())
    }

    /// Puts the farewell behind what has begun, once.
    fn take_leave(&mut self, index: u32, reason: CloseReason) {
        let until = self.now.saturating_add(GRACE);
        let Some(connection) = self.connections.at(index) else { return };
        if connection.closing().is_none() {
            connection.flags.is_new = false;
            let farewell = connection.session.farewell().map(|frame| frame.chunk().clone());
            connection.put(farewell, self.now).closing = Some((reason, until));
        }
    }

    fn arm(&mut self, index: u32, at: Moment) {
        let Some(place) = self.connections.place(index) else { return };
        if let Some(connection) = self.connections.get(place) {
            connection.armed = self.wheel.arm(place, at, connection.armed);
        }
    }
}

/// What a session says, behind what it says to write.
enum Next {
    Batch(Box<Batch>),
    Read {
        from: Seq,
        in_turn: bool,
        until: Moment,
    },
    Wait {
        until: Moment,
    },
    Close(CloseReason),
    /// There may be more to write first.
    Again,
}

fn ask(session: &mut Session, window: &dyn Window, now: Moment, first: &mut Vec<Bytes>) -> Next {
    while first.len() < MAX_PARTS {
        let mut step = None;
        window.look(&mut |fanout| step = Some(session.poll(now, fanout)));
        match step {
            Some(Step::Write(frame)) => first.push(frame.chunk().clone()),
            Some(Step::Batch(batch)) => return Next::Batch(Box::new(batch)),
            Some(Step::Read { from, in_turn, until }) => return Next::Read { from, in_turn, until },
            Some(Step::Wait { until }) => return Next::Wait { until },
            Some(Step::Close(reason)) => return Next::Close(reason),
            None => break,
        }
    }
    Next::Again
}
