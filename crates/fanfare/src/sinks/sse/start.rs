//! Where a stream begins: what the client asks for, and what the log says to that.

use std::borrow::Cow;

use fanfare_event::{LastEventId, Profile, Seq};
use fanfare_log::{EventLog, LogError};
use fanfare_stream::{Gap, Start};
use http::Request;

/// What a client asks to resume from: `Last-Event-ID` (WHATWG HTML 9.2.4), or else `?last_event_id=`, for clients that
/// cannot set a header. Where nothing was seen yet both are empty.
pub(super) fn last_event_id<B>(request: &Request<B>, profile: Profile) -> Option<LastEventId> {
    let header =
        request.headers().get("last-event-id").map(|value| String::from_utf8_lossy(value.as_bytes()));
    let text = header
        .filter(|id| !id.is_empty())
        .or_else(|| query(request).find_map(|(name, value)| (name == "last_event_id").then_some(value)))?;
    (!text.is_empty()).then(|| profile.read_id(&text))
}

/// The parameters of a request's query, decoded.
pub(super) fn query<B>(request: &Request<B>) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
}

/// Where the stream begins.
pub(super) async fn resolve(log: &dyn EventLog, seen: Option<&LastEventId>) -> Result<Start, LogError> {
    let bounds = log.bounds().await?;
    let found = match seen {
        None => return Ok(Start { after: bounds.newest, gap: None }),
        Some(LastEventId::Position(position)) => (position.epoch == *log.epoch()).then_some(position.after),
        Some(LastEventId::Place(after)) => Some(*after),
        Some(LastEventId::Event(id)) => log.find(id).await?.map(Some),
        Some(LastEventId::Impossible) => None,
    };
    // What lies beyond the newest was never given out here.
    Ok(match found.filter(|after| *after <= bounds.newest) {
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
    use fanfare_event::{Epoch, EventId, Position};

    #[test]
    fn the_header_wins_and_empty_means_nothing() {
        let check = |header: Option<&str>, uri: &str, expected: Option<LastEventId>| {
            let mut request = Request::builder().uri(uri);
            if let Some(header) = header {
                request = request.header("Last-Event-ID", header);
            }
            let request = request.body(()).unwrap();
            assert_eq!(last_event_id(&request, Profile::Cdevent), expected, "{header:?} {uri}");
        };
        let event = |id: &str| Some(LastEventId::Event(EventId::new(id).unwrap()));
        let position =
            Some(LastEventId::Position(Position { epoch: Epoch::new("e").unwrap(), after: Seq::new(7) }));
        check(None, "/sse/events", None);
        check(None, "/sse/events?stream=x&last_event_id=", None);
        check(None, "/sse/events?last_event_id=a%20b", event("a b"));
        check(None, "/sse/events?last_event_id=%40e.7", position.clone());
        check(Some("h"), "/sse/events?last_event_id=q", event("h"));
        check(Some(""), "/sse/events?last_event_id=q", event("q"));
        check(Some("@e.7"), "/sse/events", position);
        check(Some("Größe"), "/sse/events", event("Größe"));
        check(Some(&"x".repeat(10_000)), "/sse/events", Some(LastEventId::Impossible));
        check(None, "/sse/events?last_event_id=a%00b", Some(LastEventId::Impossible));
    }
}
