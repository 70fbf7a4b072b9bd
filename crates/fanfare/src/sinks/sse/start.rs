//! Where a stream begins: what the client asks for, and what the log says to that.

use std::borrow::Cow;

use fanfare_event::{EventId, Position, Seq};
use fanfare_log::{EventLog, LogError};
use fanfare_stream::{Gap, Start};
use http::Request;

/// What a client asks to resume from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Requested {
    /// Nothing: the stream starts with what comes next.
    Nothing,
    /// A place in the log.
    Position(Position),
    /// The event that it saw last.
    Event(EventId),
    /// Something that no event can be called.
    Impossible,
}

impl Requested {
    /// `Last-Event-ID` (WHATWG HTML 9.2.4), or else `?last_event_id=`, for clients that cannot set a header. Where
    /// nothing was seen yet both are empty.
    pub(super) fn read<B>(request: &Request<B>) -> Self {
        let header =
            request.headers().get("last-event-id").map(|value| String::from_utf8_lossy(value.as_bytes()));
        match header.filter(|id| !id.is_empty()) {
            Some(id) => Self::parse(&id),
            None => match query(request).find(|(name, _)| name == "last_event_id") {
                Some((_, id)) => Self::parse(&id),
                None => Self::Nothing,
            },
        }
    }

    fn parse(id: &str) -> Self {
        if id.is_empty() {
            return Self::Nothing;
        }
        match Position::parse(id) {
            Some(position) => Self::Position(position),
            None => EventId::new(id).map_or(Self::Impossible, Self::Event),
        }
    }
}

/// The parameters of a request's query, decoded.
pub(super) fn query<B>(request: &Request<B>) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
}

/// Where the stream begins.
pub(super) async fn resolve(log: &dyn EventLog, requested: &Requested) -> Result<Start, LogError> {
    let bounds = log.bounds().await?;
    let found = match requested {
        Requested::Nothing => return Ok(Start { after: bounds.newest, gap: None }),
        Requested::Position(position) => {
            (position.epoch == *log.epoch() && position.after <= bounds.newest).then_some(position.after)
        }
        Requested::Event(id) => log.find(id).await?.map(Some),
        Requested::Impossible => None,
    };
    Ok(match found {
        None => Start { after: bounds.newest, gap: Some(Gap::Unknown) },
        Some(after) if after.map_or(Seq::FIRST, Seq::next) < bounds.oldest => {
            Start { after: bounds.oldest.previous(), gap: Some(Gap::Expired) }
        }
        Some(after) => Start { after, gap: None },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanfare_event::Epoch;

    #[test]
    fn the_header_wins_and_empty_means_nothing() {
        let check = |header: Option<&str>, uri: &str, expected: Requested| {
            let mut request = Request::builder().uri(uri);
            if let Some(header) = header {
                request = request.header("Last-Event-ID", header);
            }
            assert_eq!(Requested::read(&request.body(()).unwrap()), expected, "{header:?} {uri}");
        };
        let event = |id: &str| Requested::Event(EventId::new(id).unwrap());
        let position = Position { epoch: Epoch::new("e").unwrap(), after: Seq::new(7) };
        check(None, "/sse/events", Requested::Nothing);
        check(None, "/sse/events?stream=x&last_event_id=", Requested::Nothing);
        check(None, "/sse/events?last_event_id=a%20b", event("a b"));
        check(None, "/sse/events?last_event_id=%40e.7", Requested::Position(position.clone()));
        check(Some("h"), "/sse/events?last_event_id=q", event("h"));
        check(Some(""), "/sse/events?last_event_id=q", event("q"));
        check(Some("@e.7"), "/sse/events", Requested::Position(position));
        check(Some("Größe"), "/sse/events", event("Größe"));
        check(Some(&"x".repeat(10_000)), "/sse/events", Requested::Impossible);
        check(None, "/sse/events?last_event_id=a%00b", Requested::Impossible);
    }
}
