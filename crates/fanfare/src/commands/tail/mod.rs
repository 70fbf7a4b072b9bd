//! `fanfare tail URL…`: events as they come. Here, what the command line asks for and what is made of what happens; what an
//! event says, how it is printed and counted is in the files beside.

mod event;
mod line;
mod screen;
mod stats;

use std::io::{self, IsTerminal as _};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueHint};
use fanfare_client::{
    Certificates, Client, Ended, Error, Header, Message, Occasion, Settings, Url, is_sendable,
};
use fanfare_config::Secret;
use fanfare_event::{InvalidPattern, NamePattern, NamePatterns};
use http::HeaderName;
use http::header::{ACCEPT, CACHE_CONTROL};
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

use super::complain;
use super::request::{self, InvalidArgument, RequestArguments};
use super::terminal::{Escaped, Output};
use crate::exit::Exit;
use event::{OfStream, Reading};
use line::{Colours, Look};
use screen::{Gone, Piece, Screen, reader_gone};
use stats::Stats;

/// What the client says by itself.
const OWN_HEADERS: [HeaderName; 4] =
    [ACCEPT, CACHE_CONTROL, HeaderName::from_static("last-event-id"), HeaderName::from_static("prefer")];

/// Occasions that wait to be looked at, over all streams.
const WAITING: usize = 16;

/// Bytes of lines that are gathered, as long as events come at once, before they are written.
const BATCH: usize = 64 << 10;

/// How often the figures are said where no terminal shows them; a terminal does each second.
const STATUS_PERIOD: Duration = Duration::from_secs(10);
const TERMINAL_STATUS_PERIOD: Duration = Duration::from_secs(1);

/// How long what is left may take to be written once it is told to end: its reader may have stopped.
const LAST_WORDS: Duration = Duration::from_secs(1);

#[derive(Args, Debug)]
pub(crate) struct TailArguments {
    /// The streams: http or https.
    #[arg(value_name = "URL", required = true, value_hint = ValueHint::Url)]
    urls: Vec<Secret>,
    #[command(flatten)]
    request: RequestArguments,
    /// Print only events of this name in the stream (`event:`): exact, "prefix.*" or "*". Can be given several times. Without
    /// it, all but what a stream says of itself: info, heartbeat, error, gap, expiring.
    #[arg(long = "event", value_name = "NAME")]
    events: Vec<String>,
    /// Print only events of this type, as they say it: exact, "prefix.*" or "*". Can be given several times.
    #[arg(long = "match", value_name = "PATTERN")]
    matching: Vec<String>,
    /// Begin behind the event with this id (`Last-Event-ID`), instead of with what comes next.
    #[arg(long, value_name = "ID")]
    since: Option<String>,
    /// End behind so many events.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Say how much comes, and how late, on standard error.
    #[arg(long)]
    stats: bool,
}

/// Why nothing is asked for. Who wrote the command line must act.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Argument(#[from] InvalidArgument),
    #[error("`{option}` {pattern:?}: {problem}")]
    Pattern { option: &'static str, pattern: String, problem: InvalidPattern },
    #[error(
        "`--since` is no id that can be sent: it is empty, too long, or has control characters or white space at its ends"
    )]
    Since,
}

/// What is printed, and what is not.
struct Filter {
    /// `None`: all but what streams say of themselves.
    names: Option<NamePatterns>,
    kinds: NamePatterns,
}

/// One of the streams.
struct Stream {
    /// Its URL, as far as it may be shown.
    shown: String,
    was_open: bool,
    is_lost: bool,
    has_ended: bool,
}

/// What happened, at which of the streams.
type News = (usize, Occasion);

pub(crate) fn run(arguments: &TailArguments, is_quiet: bool) -> Exit {
    let (settings, filter) = match prepare(arguments) {
        Ok(prepared) => prepared,
        Err(unusable) => {
            complain(&unusable.to_string(), "`fanfare tail --help` lists what can be said");
            return Exit::CommandLine;
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"), "see what the system says of it");
            return Exit::Failed;
        }
    };
    let exit = runtime.block_on(async {
        let output = Output::standard();
        let look = if output.is_terminal() {
            Look::Human(Colours::new(|style| output.style(style)))
        } else {
            Look::Json
        };
        let streams = settings.iter().map(|settings| Stream {
            shown: settings.url.to_string(),
            was_open: false,
            is_lost: false,
            has_ended: false,
        });
        let tail = Tail {
            streams: streams.collect(),
            filter,
            look,
            left: arguments.count,
            stats: arguments.stats.then(Stats::default),
            started: Instant::now(),
            pieces: Vec::new(),
            is_quiet,
        };
        let (screen, gone) = Screen::start(output);
        tail.run(settings, screen, gone).await
    });
    // A thread that still waits for a reader ends with the process.
    runtime.shutdown_background();
    exit
}

fn prepare(arguments: &TailArguments) -> Result<(Vec<Settings>, Filter), Unusable> {
    let mut urls = Vec::new();
    let mut is_https = false;
    for text in &arguments.urls {
        is_https |= request::url(text)?.scheme() == "https";
        let url = Url::parse(text.expose()).map_err(|error| InvalidArgument::Url(error.to_string()))?;
        urls.push(url);
    }
    arguments.request.check_tls(is_https)?;
    let headers = arguments.request.headers(&OWN_HEADERS)?;
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| Header { name: name.to_string(), value: value.as_bytes().to_vec() })
        .collect();
    let (ca, identity) = (arguments.request.ca.clone(), arguments.request.identity());
    let tls = (ca.is_some() || identity.is_some()).then_some(Certificates { ca, identity });
    let since: Option<Arc<str>> = arguments.since.as_deref().map(Into::into);
    if since.as_ref().is_some_and(|since| since.is_empty() || !is_sendable(since)) {
        return Err(Unusable::Since);
    }
    let settings = urls.into_iter().map(|url| Settings {
        headers: headers.clone(),
        last_event_id: since.clone(),
        tls: tls.clone(),
        ..Settings::new(url)
    });
    let filter = Filter {
        names: patterns("--event", &arguments.events)?,
        kinds: patterns("--match", &arguments.matching)?.unwrap_or_else(NamePatterns::any),
    };
    Ok((settings.collect(), filter))
}

fn patterns(option: &'static str, patterns: &[String]) -> Result<Option<NamePatterns>, Unusable> {
    let parsed = patterns.iter().map(|pattern| {
        let invalid = |problem| Unusable::Pattern { option, pattern: pattern.clone(), problem };
        NamePattern::parse(pattern).map_err(invalid)
    });
    let parsed = parsed.collect::<Result<Vec<_>, _>>()?;
    Ok((!parsed.is_empty()).then(|| NamePatterns::new(parsed)))
}

/// Asks for a stream in a task of its own. It ends with the runtime.
fn listen(index: usize, settings: Settings, news: mpsc::Sender<News>) {
    tokio::spawn(async move {
        let mut client = Client::new(settings);
        loop {
            let occasion = client.next().await;
            let is_last = matches!(occasion, Occasion::Ended(_));
            if news.send((index, occasion)).await.is_err() || is_last {
                return;
            }
        }
    });
}

/// Streams that are listened to.
struct Tail {
    streams: Vec<Stream>,
    filter: Filter,
    look: Look,
    /// Events until it ends.
    left: Option<u64>,
    stats: Option<Stats>,
    started: Instant,
    /// What is to be written.
    pieces: Vec<Piece>,
    is_quiet: bool,
}

impl Tail {
    async fn run(mut self, settings: Vec<Settings>, screen: Screen, mut gone: Gone) -> Exit {
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            complain("signals cannot be received", "see how many files may be open");
            return Exit::Failed;
        };
        let (sender, news) = mpsc::channel(WAITING);
        for (index, settings) in settings.into_iter().enumerate() {
            listen(index, settings, sender.clone());
        }
        drop(sender);
        let exit = tokio::select! {
            exit = self.follow(news, &screen) => exit,
            _ = interrupt.recv() => Exit::Done,
            _ = terminate.recv() => Exit::Done,
            () = reader_gone() => Exit::Done,
            written = &mut gone => return unwritten(written.unwrap_or(Ok(()))),
        };
        self.end(exit, screen, gone).await
    }

    /// Writes what happens, until there is nothing to wait for.
    async fn follow(&mut self, mut news: mpsc::Receiver<News>, screen: &Screen) -> Exit {
        let mut ticks = self.stats.as_ref().map(|_| ticks());
        loop {
            tokio::select! {
                came = news.recv() => {
                    let Some(came) = came else { return Exit::Done };
                    let next = self.take(came, &mut news);
                    for piece in self.pieces.drain(..) {
                        screen.write(piece).await;
                    }
                    if let ControlFlow::Break(exit) = next {
                        return exit;
                    }
                }
                () = tick(&mut ticks) => {
                    let elapsed = self.started.elapsed();
                    if let Some(stats) = &mut self.stats {
                        screen.write(Piece::Status(stats.line(elapsed))).await;
                    }
                }
            }
        }
    }

    /// Writes what is left, as far as anybody reads it.
    async fn end(self, exit: Exit, screen: Screen, gone: Gone) -> Exit {
        let last_words = async {
            for piece in self.pieces {
                screen.write(piece).await;
            }
            if let Some(stats) = &self.stats {
                screen.write(Piece::Note(stats.last_line(self.started.elapsed()))).await;
            }
            drop(screen);
            gone.await.unwrap_or(Ok(()))
        };
        match timeout(LAST_WORDS, last_words).await {
            Ok(Err(error)) => unwritten(Err(error)),
            _ => exit,
        }
    }

    /// Takes what has come, and what is there behind it.
    fn take(&mut self, came: News, news: &mut mpsc::Receiver<News>) -> ControlFlow<Exit> {
        self.happened(came)?;
        let mut gathered = 0;
        while gathered < BATCH {
            let Ok((index, occasion)) = news.try_recv() else { break };
            if let Occasion::Message(message) = &occasion {
                gathered += message.data.len();
            }
            self.happened((index, occasion))?;
        }
        ControlFlow::Continue(())
    }

    fn happened(&mut self, (index, occasion): News) -> ControlFlow<Exit> {
        match occasion {
            Occasion::Opened(position) => self.opened(index, position.as_deref()),
            Occasion::Message(message) => return self.message(index, &message, Timestamp::now()),
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
            self.pieces.push(Piece::Note(problem));
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
            Ended::GivenUp(error) => self.note(index, &error.to_string()),
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
        let mut lines = match self.pieces.pop() {
            Some(Piece::Events(lines)) => lines,
            other => {
                self.pieces.extend(other);
                String::new()
            }
        };
        line::write(&mut lines, self.look, message, &reading, url, now);
        self.pieces.push(Piece::Events(lines));
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
        self.pieces.push(Piece::Note(format!("{}: {}", Escaped(shown), Escaped(text))));
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

/// How ending is taken that standard output brought about: a reader that is gone has read enough.
fn unwritten(written: io::Result<()>) -> Exit {
    match written {
        Ok(()) => Exit::Done,
        Err(error) => {
            complain(
                &format!("standard output cannot be written to: {error}"),
                "see what the system says of it",
            );
            Exit::Failed
        }
    }
}

fn ticks() -> Interval {
    let period = if io::stderr().is_terminal() { TERMINAL_STATUS_PERIOD } else { STATUS_PERIOD };
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn tick(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => {
            ticks.tick().await;
        }
        None => std::future::pending().await,
    }
}
