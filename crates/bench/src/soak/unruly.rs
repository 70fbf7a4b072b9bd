//! Clients that behave badly: what one does, and when. It is dropped when it has done it.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::TcpRepair;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use socket2::SockRef;

use crate::poller::{Interest, Poller};
use crate::sources;
use crate::target::Site;

/// What the kernel may hold for one that reads nothing, in bytes: little, so that it stalls soon.
const RECEIVE_BUFFER: usize = 4096;

/// How long one is here at most, and one that stalls: the server is to notice it first.
const STAY: Duration = Duration::from_secs(10);
const STALLED_STAY: Duration = Duration::from_secs(30);

/// The most bytes of garbage.
const GARBAGE: usize = 4096;

/// How it behaves badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Manner {
    /// Reads nothing.
    Stall,
    /// Sends no more, and reads on.
    HalfClose,
    /// Ends the connection with a reset.
    Reset,
    /// Is gone without a word, as a machine without power is.
    Vanish,
    /// Sends bytes that are no request.
    Garbage,
    /// Never ends its request.
    HalfRequest,
    /// Connects and says nothing.
    Silence,
}

const MANNERS: [Manner; 7] = [
    Manner::Stall,
    Manner::HalfClose,
    Manner::Reset,
    Manner::Vanish,
    Manner::Garbage,
    Manner::HalfRequest,
    Manner::Silence,
];

pub(super) struct Unruly {
    stream: TcpStream,
    manner: Manner,
    /// When it does what it is here for; until then, most of them read their stream.
    acts: Instant,
    has_acted: bool,
    /// When it goes, if it is there still.
    ends: Instant,
}

impl fmt::Display for Manner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stall => "stalled",
            Self::HalfClose => "half-closed",
            Self::Reset => "reset",
            Self::Vanish => "vanished",
            Self::Garbage => "sent garbage",
            Self::HalfRequest => "sent half a request",
            Self::Silence => "were silent",
        })
    }
}

/// Whether it is there still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Stays,
    Goes,
    /// It was to vanish, and this process may not do that: it goes with a reset.
    MayNotVanish,
}

impl Unruly {
    /// Connects and says what it says first.
    pub(super) fn connect(site: Site, rng: &mut StdRng, poller: &Poller, token: usize) -> io::Result<Self> {
        let manner = *MANNERS.choose(rng).unwrap_or(&Manner::Reset);
        let stalls = manner == Manner::Stall;
        let (socket, _) = sources::connect(site.addr, stalls.then_some(RECEIVE_BUFFER))?;
        let mut stream = TcpStream::from(socket);
        let stay = if stalls { STALLED_STAY } else { STAY };
        let now = Instant::now();
        let acts = now + rng.random_range(Duration::ZERO..stay / 2);
        let ends = acts + rng.random_range(Duration::ZERO..stay / 2);
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n",
            site.paths.stream
        );
        let said = match manner {
            Manner::Silence => "",
            Manner::HalfRequest => request.get(..rng.random_range(1..request.len())).unwrap_or_default(),
            _ => &request,
        };
        // One that the server has not let in yet says nothing: that, too, is a way to behave.
        let _ = stream.write(said.as_bytes());
        if !stalls {
            poller.add(&stream, token, Interest::Read)?;
        }
        Ok(Self { stream, manner, acts, has_acted: false, ends })
    }

    pub(super) fn manner(&self) -> Manner {
        self.manner
    }

    /// Reads and forgets; to be called when there is something to read.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Next {
        match self.stream.read(buffer) {
            Ok(0) => Next::Goes,
            Ok(_) => Next::Stays,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Next::Stays,
            Err(_) => Next::Goes,
        }
    }

    /// Does what it does at its time.
    pub(super) fn act(&mut self, now: Instant, rng: &mut StdRng) -> io::Result<Next> {
        if now >= self.ends {
            return Ok(Next::Goes);
        }
        if self.has_acted || now < self.acts {
            return Ok(Next::Stays);
        }
        self.has_acted = true;
        match self.manner {
            Manner::Stall | Manner::HalfRequest | Manner::Silence => Ok(Next::Stays),
            Manner::HalfClose => Ok(match self.stream.shutdown(Shutdown::Write) {
                Ok(()) => Next::Stays,
                Err(_) => Next::Goes,
            }),
            Manner::Garbage => {
                let mut garbage = vec![0; rng.random_range(1..GARBAGE)];
                rng.fill(&mut *garbage);
                Ok(match self.stream.write(&garbage) {
                    Ok(_) => Next::Stays,
                    Err(_) => Next::Goes,
                })
            }
            Manner::Reset => {
                self.reset_when_dropped()?;
                Ok(Next::Goes)
            }
            // A socket under repair is closed without a packet; needs CAP_NET_ADMIN.
            Manner::Vanish => match setsockopt(&self.stream, TcpRepair, &1) {
                Ok(()) => Ok(Next::Goes),
                Err(Errno::EPERM) => {
                    self.reset_when_dropped()?;
                    Ok(Next::MayNotVanish)
                }
                Err(error) => Err(error.into()),
            },
        }
    }

    fn reset_when_dropped(&self) -> io::Result<()> {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))
    }
}
