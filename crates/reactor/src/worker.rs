//! What a thread does. For now it drops every connection that it is given.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use fanfare_stream::GroupId;
use mio::{Events, Poll, Token, Waker};

use crate::inbox::Inbox;
use crate::mail::{Command, Mail};
use crate::{Owner, Thread, Window};

const WAKE: Token = Token(usize::MAX);

pub(crate) struct Worker<O: Owner> {
    poll: Poll,
    inbox: Arc<Inbox<Mail<O>>>,
}
impl<O: Owner> Worker<O> {
    pub(crate) fn new(
        _name: Thread,
        _window: Arc<dyn Window>,
        inbox: Arc<Inbox<Mail<O>>>,
        _count: Arc<AtomicUsize>,
        _send_timeout: Duration,
    ) -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        Ok((Self { poll, inbox }, waker))
    }

    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(16);
        let mut mail = Mail::default();
        loop {
            self.inbox.take(&mut mail);
            let _: Vec<GroupId> = mail.take_groups().collect();
            if mail.commands.drain(..).any(|command| matches!(command, Command::Stop)) {
                return;
            }
            let _ = self.poll.poll(&mut events, None);
        }
    }
}
