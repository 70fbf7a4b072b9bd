//! Level-triggered epoll over tokens, shared by the floor server and the load generator.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// Readiness events taken from the kernel at once; more wait for the next turn.
const BATCH: usize = 1024;

pub(crate) struct Poller {
    epoll: Epoll,
    events: Vec<EpollEvent>,
}

/// What a socket is watched for, beside its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    Read,
    ReadWrite,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        Ok(Self { epoll, events: vec![EpollEvent::empty(); BATCH] })
    }

    /// Watches a socket until it is closed.
    pub(crate) fn add(&self, socket: impl AsFd, token: usize, interest: Interest) -> io::Result<()> {
        Ok(self.epoll.add(socket, event(token, interest))?)
    }

    pub(crate) fn change(&self, socket: impl AsFd, token: usize, interest: Interest) -> io::Result<()> {
        Ok(self.epoll.modify(socket, &mut event(token, interest))?)
    }

    /// Watches a socket no more, though it stays open.
    pub(crate) fn remove(&self, socket: impl AsFd) -> io::Result<()> {
        Ok(self.epoll.delete(socket)?)
    }

    /// Waits, for ever where there is no timeout, and adds the tokens of sockets that something can be done with.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<usize>) -> io::Result<()> {
        let timeout = match timeout {
            None => EpollTimeout::NONE,
            // Milliseconds are what epoll counts in; rounded up, lest it spin through the last one.
            Some(time) => {
                EpollTimeout::try_from(time + Duration::from_micros(999)).unwrap_or(EpollTimeout::MAX)
            }
        };
        let count = match self.epoll.wait(&mut self.events, timeout) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        let events = self.events.iter().take(count);
        ready.extend(events.filter_map(|event| usize::try_from(event.data()).ok()));
        Ok(())
    }
}

fn event(token: usize, interest: Interest) -> EpollEvent {
    let flags = match interest {
        Interest::Read => EpollFlags::EPOLLIN,
        Interest::ReadWrite => EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT,
    };
    EpollEvent::new(flags, token as u64)
}
