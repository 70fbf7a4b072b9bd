//! One connection through the proxy: what the client says goes to the server, what the server says comes back, and on
//! its way it meets the fault.

use std::io::{self, Read, Write as _};
use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::Shared;
use super::fault::{Answer, Fault, Harm, Place};
use super::wait::{Wake, wait};
use super::wire::Wire;

/// How long the server may take to accept, a client to send its request, and either to take what is sent. Unit:
/// seconds, because both are on this machine; a client that is stopped for a while is no fault.
const IO_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of a request's head. A longer one ends the connection.
const MAX_HEAD: usize = 64 * 1024;

/// Bytes that garbage has at most.
const MAX_GARBAGE: usize = 200;

/// No chunk's size begins with it or has it inside, nor does a response begin with it.
const NONSENSE: u8 = b'!';

/// Carries a connection to its end. A fault that has not struck by then is given back.
pub(super) fn run(client: TcpStream, fault: Option<Fault>, shared: &Shared, ended: &UnixStream) {
    let mut connection = Connection { client, fault, since: 0, is_spoiled: false, shared, ended };
    // What fails here is this one connection, and the client sees that.
    if !matches!(connection.carry(), Ok(End::Close)) {
        let _ = reset(connection.client);
    }
    if let Some(fault) = connection.fault {
        shared.give_back(fault);
    }
}

/// Closes with a reset instead of an orderly end.
pub(super) fn reset(stream: TcpStream) -> io::Result<()> {
    let at_once = linger { l_onoff: 1, l_linger: 0 };
    setsockopt(&stream, sockopt::Linger, &at_once)?;
    drop(stream);
    Ok(())
}

struct Connection<'a> {
    client: TcpStream,
    /// What it still has to suffer.
    fault: Option<Fault>,
    /// Events that had passed when it took that.
    since: usize,
    /// Nothing that comes on it has a meaning to the client any more.
    is_spoiled: bool,
    shared: &'a Shared,
    ended: &'a UnixStream,
}

/// How the client is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Close,
    Reset,
}

impl Connection<'_> {
    fn carry(&mut self) -> io::Result<End> {
        set_up(&self.client)?;
        let Some(request) = self.read_request()? else { return Ok(End::Close) };
        self.shared.note_request(&request);
        if let Some(Fault::Answer(answer)) = &self.fault {
            let answer = bytes(answer);
            self.struck();
            self.client.write_all(&answer)?;
            return Ok(End::Close);
        }
        let mut server = TcpStream::connect_timeout(&self.shared.server, IO_TIMEOUT)?;
        set_up(&server)?;
        server.write_all(&request)?;
        self.relay(&mut server)
    }

    /// The head of the first request, and what came with it; nothing where the client thought better of it.
    fn read_request(&mut self) -> io::Result<Option<Vec<u8>>> {
        let deadline = Instant::now() + IO_TIMEOUT;
        let mut request = Vec::new();
        while !request.windows(4).any(|window| window == b"\r\n\r\n") {
            if wait([self.client.as_fd()], self.ended, Some(deadline))? != Wake::Ready([true])
                || request.len() > MAX_HEAD
            {
                return Ok(None);
            }
            let some = read(&mut self.client)?;
            if some.is_empty() {
                return Ok(None);
            }
            request.extend(some);
        }
        Ok(Some(request))
    }

    fn relay(&mut self, server: &mut TcpStream) -> io::Result<End> {
        let mut wire = Wire::default();
        loop {
            let Wake::Ready([from_client, from_server]) =
                wait([self.client.as_fd(), server.as_fd()], self.ended, None)?
            else {
                return Ok(End::Close);
            };
            if from_client {
                let request = read(&mut self.client)?;
                if request.is_empty() {
                    return Ok(End::Close);
                }
                server.write_all(&request)?;
            }
            if from_server {
                let response = read(server)?;
                if response.is_empty() {
                    return Ok(End::Close);
                }
                if let Some(end) = self.pass(&mut wire, &response)? {
                    return Ok(end);
                }
            }
        }
    }

    /// Passes a piece of the response on, up to the place of the fault and, if it goes on there, behind it.
    fn pass(&mut self, wire: &mut Wire, response: &[u8]) -> io::Result<Option<End>> {
        if !self.take_fault(wire.events()) {
            return Ok(Some(End::Reset));
        }
        let mut passed = 0;
        for (index, byte) in response.iter().enumerate() {
            if let Some(harm) = self.due(wire, *byte) {
                self.client.write_all(response.get(passed..index).unwrap_or_default())?;
                passed = index;
                self.struck();
                if let Some(end) = self.harm(&harm)? {
                    return Ok(Some(end));
                }
                if !self.take_fault(wire.events()) {
                    return Ok(Some(End::Reset));
                }
            }
            wire.pass(*byte);
        }
        self.client.write_all(response.get(passed..).unwrap_or_default())?;
        Ok(None)
    }

    /// Where it has no fault, the next one is its own. One that a stream cannot suffer ends it and waits for the next
    /// connection: then this gives `false`.
    fn take_fault(&mut self, events: usize) -> bool {
        if self.fault.is_some() || self.is_spoiled {
            return true;
        }
        match self.shared.next_fault() {
            Some(fault @ (Fault::Refuse(_) | Fault::Answer(_))) => {
                self.shared.give_back(fault);
                return false;
            }
            fault => self.fault = fault,
        }
        self.since = events;
        true
    }

    /// What has to happen in front of this byte.
    fn due(&self, wire: &Wire, next: u8) -> Option<Harm> {
        let Some(Fault::Stream { events, harm }) = &self.fault else { return None };
        let is_there = match harm {
            Harm::Delay(place, _) | Harm::Close(place) | Harm::Reset(place) | Harm::HalfOpen(place) => {
                wire.is_at(*place, next)
            }
            Harm::Garbage(_) => wire.is_before_chunk(),
            Harm::BadSize => wire.is_at(Place::InChunkSize, next),
        };
        (wire.events() - self.since >= *events && is_there).then(|| harm.clone())
    }

    fn harm(&mut self, harm: &Harm) -> io::Result<Option<End>> {
        match harm {
            Harm::Delay(_, pause) => {
                let is_over = wait([], self.ended, Some(Instant::now() + *pause))? == Wake::Ended;
                Ok(is_over.then_some(End::Close))
            }
            Harm::Close(_) => Ok(Some(End::Close)),
            Harm::Reset(_) => Ok(Some(End::Reset)),
            Harm::HalfOpen(_) => self.stay_half_open().map(Some),
            Harm::Garbage(seed) => self.spoil(&garbage(*seed)),
            Harm::BadSize => self.spoil(&[NONSENSE]),
        }
    }

    fn spoil(&mut self, bytes: &[u8]) -> io::Result<Option<End>> {
        self.is_spoiled = true;
        self.client.write_all(bytes)?;
        Ok(None)
    }

    /// What the client says comes to nothing, until it closes.
    fn stay_half_open(&mut self) -> io::Result<End> {
        while wait([self.client.as_fd()], self.ended, None)? != Wake::Ended {
            if read(&mut self.client)?.is_empty() {
                break;
            }
        }
        Ok(End::Close)
    }

    fn struck(&mut self) {
        if let Some(fault) = self.fault.take() {
            self.shared.note_struck(fault);
        }
    }
}

fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(IO_TIMEOUT))
}

/// What one read of a socket that is ready gives; nothing at its end.
fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 16 * 1024];
    let length = stream.read(&mut buffer)?;
    buffer.truncate(length);
    Ok(buffer)
}

fn bytes(answer: &Answer) -> Vec<u8> {
    let answer = match answer {
        Answer::Status(status, retry_after) => {
            let retry_after =
                retry_after.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
            format!("HTTP/1.1 {status} Fault\r\n{retry_after}content-length: 0\r\nconnection: close\r\n\r\n")
        }
        Answer::Page => {
            let page = "<p>data: nothing\n\n</p>";
            let length = page.len();
            format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{page}"
            )
        }
        Answer::Redirect(status, location) => format!(
            "HTTP/1.1 {status} Elsewhere\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ),
        Answer::Garbage(seed) => return garbage(*seed),
    };
    answer.into_bytes()
}

/// Random bytes behind one that makes sense nowhere, and a line end, so that nobody waits for more of the line.
fn garbage(seed: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut garbage = vec![NONSENSE];
    garbage.extend((0..random.random_range(0..MAX_GARBAGE)).map(|_| random.random::<u8>()));
    garbage.extend(b"\r\n");
    garbage
}
