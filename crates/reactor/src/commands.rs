//! What a thread does with what it finds in its inbox. How it got there lives in `inbox` and `mail`.

use std::mem;

use fanfare_stream::{CloseReason, Found};
use mio::net::TcpStream;
use mio::{Interest, Token};

use crate::connection::Connection;
use crate::id::{ConnectionId, Place};
use crate::mail::Command;
use crate::worker::{KEPT, Worker};
use crate::{NewConnection, Owner, Seat};

impl<O: Owner> Worker<O> {
    /// Takes what is in the inbox.
    pub(crate) fn take_mail(&mut self) {
        self.now = self.window.now();
        let mut mail = mem::take(&mut self.mail);
        self.inbox.take(&mut mail);
        for group in mail.take_groups() {
            self.batch = None;
            self.begin(group);
        }
        for command in mail.commands.drain(..) {
            self.obey(command);
        }
        // Many may have come at once.
        mail.commands.shrink_to(KEPT);
        self.mail = mail;
    }

    /// Ends all connections, and the thread.
    pub(crate) fn stop(&mut self) {
        for index in self.connections.taken() {
            // Where the client does not take all of it now, nobody waits for that any more.
            let _ = self.try_close(index, CloseReason::Shutdown);
            self.end(index, CloseReason::Shutdown);
        }
    }

    fn obey(&mut self, command: Command<O>) {
        match command {
            Command::Add(added) => {
                let (seat, connection) = *added;
                self.add(seat, connection);
            }
            Command::Look(place) => self.look(place),
            Command::Cut(place) => {
                if self.connections.get(place).is_some() {
                    self.cut(place.index);
                }
            }
            Command::Answer(place, found) => self.take_page(place, found),
            Command::EndAll(reason) => {
                self.ending.get_or_insert(reason);
                for index in self.connections.taken() {
                    self.queue(index);
                }
            }
            Command::Stop => self.has_stopped = true,
        }
    }

    /// Takes a connection on. Where there is no room for it, it is dropped with its seat.
    fn add(&mut self, seat: Seat, NewConnection { stream, head, session, owner }: NewConnection<O>) {
        let connection = Connection::new(TcpStream::from_std(stream), head, session, owner, self.now);
        let Ok(place) = self.connections.insert(connection) else { return };
        let Some(connection) = self.connections.get(place) else { return };
        seat.taken();
        connection.seat = self.groups.entry(connection.session.group()).or_default().join(place.index);
        connection.owner.placed(ConnectionId::of(self.name, place));
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        // It fails where the kernel has no memory, or lets a user watch no more.
        if registry.register(connection.stream(), Token(place.index as usize), interest).is_err() {
            self.end(place.index, CloseReason::ClientGone);
        } else {
            self.look(place);
        }
    }

    fn look(&mut self, place: Place) {
        let Some(connection) = self.connections.get(place) else { return };
        match self.ending.or(connection.owner.ending()) {
            Some(reason) => self.close(place.index, reason),
            None => self.queue(place.index),
        }
    }

    fn take_page(&mut self, place: Place, found: Found) {
        let now = self.now;
        let Some(connection) = self.connections.get(place) else { return };
        let is_asked = mem::take(&mut connection.flags.is_reading);
        if !is_asked || connection.closing().is_some() {
            return;
        }
        if let Some(content) = connection.session.found(now, found) {
            connection.put_page(content, now);
        }
        connection.owner.has_come_to(connection.session.after());
        self.queue(place.index);
    }
}
