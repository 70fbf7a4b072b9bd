//! Where connections come in. While a fault says that nobody listens, nobody does.

use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::wait::{Wake, wait};
use super::{Fault, Shared, connection};

/// Accepts until the proxy ends.
pub(super) fn run(listener: TcpListener, shared: &Arc<Shared>, ended: &UnixStream) {
    if let Err(error) = accept(listener, shared, ended) {
        shared.note_failure(&error);
    }
}

fn accept(mut listener: TcpListener, shared: &Arc<Shared>, ended: &UnixStream) -> io::Result<()> {
    let addr = listener.local_addr()?;
    while wait([listener.as_fd()], ended, None)? != Wake::Ended {
        let (client, _) = listener.accept()?;
        match shared.next_fault() {
            Some(Fault::Refuse(pause)) => {
                drop(listener);
                connection::reset(client)?;
                shared.note_struck(Fault::Refuse(pause));
                if wait([], ended, Some(Instant::now() + pause))? == Wake::Ended {
                    return Ok(());
                }
                listener = TcpListener::bind(addr)?;
            }
            fault => {
                let (shared, ended) = (Arc::clone(shared), ended.try_clone()?);
                thread::spawn(move || connection::run(client, fault, &shared, &ended));
            }
        }
    }
    Ok(())
}
