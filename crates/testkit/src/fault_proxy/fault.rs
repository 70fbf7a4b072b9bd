//! What can go wrong with one connection, and where.

use std::time::Duration;

/// What one connection suffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is reset before its request is read, and for so long nobody listens at all.
    Refuse(Duration),
    /// Its request gets this answer, and never reaches the server. Only for requests without a body.
    Answer(Answer),
    /// Once so many events of the response have passed, at the next place of that kind, this happens.
    Stream {
        /// Blocks with data.
        events: usize,
        /// What happens then.
        harm: Harm,
    },
}

/// What a proxy, or something that is none, says in place of the server. The connection ends behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This status, 502 or 503 say, and `retry-after`, in seconds.
    Status(u16, Option<u32>),
    /// 200 with a page.
    Page,
    /// This status, 307 say, and this `location`.
    Redirect(u16, String),
    /// Random bytes of this seed that are no HTTP.
    Garbage(u64),
}

/// What happens to a response on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Harm {
    /// It stops for so long, and goes on.
    Delay(Place, Duration),
    /// The connection is closed, with a FIN.
    Close(Place),
    /// The connection is reset.
    Reset(Place),
    /// Nothing goes on in either direction, and the connection stays open until the client closes it.
    HalfOpen(Place),
    /// Where a chunk's size should be, random bytes of this seed. The rest goes on behind them.
    Garbage(u64),
    /// A byte in a chunk's size that no size has. The rest goes on behind it.
    BadSize,
}

/// A place in a response whose body is chunked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Behind so many bytes of an event's data, or else at the end of their line.
    InEvent(usize),
    /// Behind the first digit of a chunk's size.
    InChunkSize,
    /// Behind so many bytes of a chunk, or in front of its last byte.
    InChunk(usize),
}

impl Fault {
    /// Which one it is, without its numbers.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refuse(_) => "refused",
            Self::Answer(Answer::Status(502, _)) => "502",
            Self::Answer(Answer::Status(503, _)) => "503",
            Self::Answer(Answer::Status(..)) => "another status",
            Self::Answer(Answer::Page) => "a page",
            Self::Answer(Answer::Redirect(..)) => "a redirect",
            Self::Answer(Answer::Garbage(_)) => "garbage for an answer",
            Self::Stream { harm, .. } => match harm {
                Harm::Delay(..) => "a delay",
                Harm::Close(Place::InEvent(_)) => "closed in an event",
                Harm::Close(Place::InChunkSize) => "closed in a chunk's size",
                Harm::Close(Place::InChunk(_)) => "closed in a chunk",
                Harm::Reset(_) => "reset",
                Harm::HalfOpen(_) => "half-open",
                Harm::Garbage(_) => "garbage for a chunk's size",
                Harm::BadSize => "garbage in a chunk's size",
            },
        }
    }
}
