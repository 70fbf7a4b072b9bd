//! What is made of what happens at the streams: what is printed, what is said beside it, and when it ends. Pure.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Duration;

use fanfare_client::{Ended, Error, Message, Occasion};
use fanfare_event::NamePatterns;
use jiff::Timestamp;

use super::event::{OfStream, Reading};
use super::line::{self, Look};
use super::screen::Piece;
use super::stats::Stats;
use crate::commands::terminal::Escaped;
use crate::exit::Exit;

/// Characters of what a stream says of itself: sentences, unless a server makes another use of these names.
const MAX_NOTE: usize = 500;

/// What happened, at which of the streams.
pub(super) type News = (usize, Occasion);

/// What is printed, and what is not.
pub(super) struct Filter {
    /// `None`: all but what streams say of themselves.
    pub(super) names: Option<NamePatterns>,
    pub(super) kinds: NamePatterns,
}

/// One of the streams.
pub(super) struct Stream {
    /// Its URL, as far as it may be shown.
    shown: String,
    was_open: bool,
    is_lost: bool,
    has_ended: bool,
}

/// Streams as their reader sees them.
pub(super) struct View {
    pub(super) streams: Vec<Stream>,
    pub(super) filter: Filter,
    pub(super) look: Look,
    /// Events until it ends.
    pub(super) left: Option<u64>,
    pub(super) stats: Option<Stats>,
    /// What is to be written, in this order.
    pub(super) pieces: VecDeque<Piece>,
    pub(super) is_quiet: bool,
}

impl Stream {
    /// One that was not reached yet.
    pub(super) fn new(shown: String) -> Self {
        Self { shown, was_open: false, is_lost: false, has_ended: false }
    }
}

impl View {
    /// Takes what happened at `now`. Breaks where there is nothing more to wait for, with how it ends.
    pub(super) fn happened(&mut self, (index, occasion): News, now: Timestamp) -> ControlFlow<Exit> {
        match occasion {
            Occasion::Opened(position) => self.opened(index, position.as_deref()),
            Occasion::Message(message) => return self.message(index, &message, now),
            Occasion::Moved(_) => {}
            Occasion::TooLarge => {
                self.gap(Some(1));
                self.note(index, "an event is too large, and is left out");
            }
            Occasion::Lost { error, retry_in } => return self.lost(index, &error, retry_in),
            Occasion::Ended(ended) => return self.ended(index, &ended),
        }
        ControlFlow::Continue(())
    }

    fn opened(&mut self, index: usize, position: Option<&str>) {
        let Some(stream) = self.streams.get_mut(index) else { return };
        let was_open = std::mem::replace(&mut stream.was_open, true);
        let was_lost = std::mem::replace(&mut stream.is_lost, false);
        if was_open && let Some(stats) = &mut self.stats {
            stats.reconnected();
        }
        // A pipe has no use for it where all is as it should be.
        if self.is_quiet || !was_lost && matches!(self.look, Look::Json) {
            return;
        }
        match (was_open, position) {
            (true, Some(position)) => {
                self.note(index, &format!("back, goes on behind {position}"));
            }
            (true, None) => self.note(index, "back, goes on with what comes next"),
            (false, _) => self.note(index, "connected"),
        }
    }

    fn lost(&mut self, index: usize, error: &Error, retry_in: Duration) -> ControlFlow<Exit> {
        let Some(stream) = self.streams.get_mut(index) else { return ControlFlow::Continue(()) };
        // Somebody waits there who can change what is wrong; later it may be the server that is not itself.
        if !stream.was_open && error.is_lasting() {
            let problem = format!("error: {}: {}", Escaped(&stream.shown), Escaped(&error.to_string()));
            self.pieces.push_back(Piece::Note(problem));
            let is_settings = matches!(error, Error::Settings(_));
            return ControlFlow::Break(if is_settings { Exit::CommandLine } else { Exit::Failed });
        }
        stream.is_lost = true;
        if !self.is_quiet {
            self.note(index, &format!("{error}; trying again in {:.1} s", retry_in.as_secs_f32()));
        }
        ControlFlow::Continue(())
    }

    fn ended(&mut self, index: usize, ended: &Ended) -> ControlFlow<Exit> {
        match ended {
            Ended::NoContent => self.note(index, "the server has no more (204)"),
            Ended::GivenUp(error) => {
                self.note(index, &error.to_string());
                return ControlFlow::Break(Exit::Failed);
            }
        }
        if let Some(stream) = self.streams.get_mut(index) {
            stream.has_ended = true;
        }
        let all = self.streams.iter().all(|stream| stream.has_ended);
        if all { ControlFlow::Break(Exit::Done) } else { ControlFlow::Continue(()) }
    }

    fn message(&mut self, index: usize, message: &Message, now: Timestamp) -> ControlFlow<Exit> {
        match OfStream::of(&message.kind, &message.data) {
            Some(OfStream::Missed(count)) => {
                self.gap(count);
                self.note(index, &message.data);
            }
            Some(OfStream::Word) => self.note(index, &message.data),
            Some(OfStream::Life) | None => {}
        }
        let Some(reading) = self.filter.pick(message) else { return ControlFlow::Continue(()) };
        if let Some(stats) = &mut self.stats {
            // Clocks differ: what comes before it happened comes at once.
            let latency = reading.time.map(|time| now.duration_since(time).try_into().unwrap_or_default());
            stats.event(latency, rand::random());
        }
        let url = (self.streams.len() > 1).then(|| self.streams.get(index)).flatten();
        let url = url.map(|stream| stream.shown.as_str());
        let mut lines = match self.pieces.pop_back() {
            Some(Piece::Events(lines)) => lines,
            other => {
                self.pieces.extend(other);
                String::new()
            }
        };
        line::write(&mut lines, self.look, message, &reading, url, now);
        self.pieces.push_back(Piece::Events(lines));
        match &mut self.left {
            Some(1) => return ControlFlow::Break(Exit::Done),
            Some(left) => *left -= 1,
            None => {}
        }
        ControlFlow::Continue(())
    }

    fn gap(&mut self, missed: Option<u64>) {
        if let Some(stats) = &mut self.stats {
            stats.gap(missed);
        }
    }

    fn note(&mut self, index: usize, text: &str) {
        let shown = self.streams.get(index).map_or("", |stream| stream.shown.as_str());
        let short: String = text.chars().take(MAX_NOTE).collect();
        self.pieces.push_back(Piece::Note(format!("{}: {}", Escaped(shown), Escaped(&short))));
    }
}

impl Filter {
    /// What an event says, if it is to be printed.
    fn pick(&self, message: &Message) -> Option<Reading> {
        let is_named = match &self.names {
            Some(names) => names.matches(&message.kind),
            None => OfStream::of(&message.kind, &message.data).is_none(),
        };
        let reading = is_named.then(|| Reading::of(&message.kind, &message.data))?;
        self.kinds.matches(&reading.kind).then_some(reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(streams: &[&str], left: Option<u64>) -> View {
        View {
            streams: streams.iter().map(|shown| Stream::new((*shown).to_owned())).collect(),
            filter: Filter { names: None, kinds: NamePatterns::any() },
            look: Look::Json,
            left,
            stats: Some(Stats::default()),
            pieces: VecDeque::new(),
            is_quiet: false,
        }
    }

    fn message(kind: &str, data: &str) -> Occasion {
        let (kind, data) = (kind.to_owned(), data.to_owned());
        Occasion::Message(Message { kind, data, last_event_id: None, position: None })
    }

    fn lost(error: Error) -> Occasion {
        Occasion::Lost { error, retry_in: Duration::from_secs(1) }
    }

    /// Whether each goes on, and all that is written.
    #[track_caller]
    fn check(mut view: View, news: Vec<News>, end: ControlFlow<Exit>, written: &[&str]) {
        let last = news
            .into_iter()
            .map(|news| view.happened(news, Timestamp::UNIX_EPOCH))
            .find(ControlFlow::is_break);
        assert_eq!(last.unwrap_or(ControlFlow::Continue(())), end);
        let pieces = view.pieces.iter().map(|piece| match piece {
            Piece::Events(text) | Piece::Note(text) | Piece::Status(text) => text.as_str(),
        });
        assert_eq!(pieces.collect::<Vec<_>>(), written);
    }

    #[test]
    fn events_are_counted_over_all_streams_and_notes_stand_in_their_order() {
        let news = vec![
            (0, Occasion::Opened(None)),
            (0, message("a", "1")),
            (1, message("a", "2")),
            (1, message("gap", "so")),
            (1, message("heartbeat", "ping")),
            (0, Occasion::TooLarge),
            (0, message("a", "3")),
            (0, message("a", "4")),
        ];
        check(
            view(&["x", "y"], Some(3)),
            news,
            ControlFlow::Break(Exit::Done),
            &[
                "{\"url\":\"x\",\"id\":null,\"event\":\"a\",\"data\":1}\n{\"url\":\"y\",\"id\":null,\"event\":\"a\",\"data\":2}\n",
                "y: so",
                "x: an event is too large, and is left out",
                "{\"url\":\"x\",\"id\":null,\"event\":\"a\",\"data\":3}\n",
            ],
        );
        let long = message("error", &"x".repeat(10_000));
        let short = format!("x: {}", "x".repeat(MAX_NOTE));
        check(view(&["x"], None), vec![(0, long)], ControlFlow::Continue(()), &[&short]);
    }

    #[test]
    fn it_ends_with_the_last_stream_or_a_refusal_at_the_start() {
        let end = || Occasion::Ended(Ended::NoContent);
        let said = ["x: the server has no more (204)", "y: the server has no more (204)"];
        check(view(&["x", "y"], None), vec![(0, end())], ControlFlow::Continue(()), &said[..1]);
        check(view(&["x", "y"], None), vec![(0, end()), (1, end())], ControlFlow::Break(Exit::Done), &said);

        let refused = || lost(Error::Refused { status: 404, detail: None, retry_after: None });
        let failed = ControlFlow::Break(Exit::Failed);
        check(view(&["x"], None), vec![(0, refused())], failed, &["error: x: the server answered 404"]);
        let opened = || Occasion::Opened(Some("i".into()));
        check(
            view(&["x"], None),
            vec![(0, opened()), (0, refused()), (0, opened())],
            ControlFlow::Continue(()),
            &["x: the server answered 404; trying again in 1.0 s", "x: back, goes on behind i"],
        );
        let settings = lost(Error::Settings("no file".to_owned()));
        check(
            view(&["x"], None),
            vec![(0, settings)],
            ControlFlow::Break(Exit::CommandLine),
            &["error: x: no file"],
        );
        check(
            view(&["x"], None),
            vec![(0, lost(Error::Ended)), (0, opened())],
            ControlFlow::Continue(()),
            &["x: the server ended the stream; trying again in 1.0 s", "x: connected"],
        );
    }
}
