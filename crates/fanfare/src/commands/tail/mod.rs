//! `fanfare tail URL…`: events as they come. Here, what the command line asks for and how what happens gets to the screen;
//! what is made of it is in `view`, and what an event says, how it is printed and counted in the files beside.

mod event;
mod line;
mod screen;
mod stats;
mod view;

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueHint};
use fanfare_client::{Certificates, Client, Header, Occasion, Settings, Url, is_sendable};
use fanfare_config::Secret;
use fanfare_event::{InvalidPattern, NamePattern, NamePatterns};
use http::HeaderName;
use http::header::{ACCEPT, CACHE_CONTROL};
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

use super::request::{self, InvalidArgument, RequestArguments};
use super::terminal::Output;
use super::{complain, runtime};
use crate::exit::Exit;
use line::{Colours, Look};
use screen::{Gone, Piece, Screen, reader_gone};
use stats::Stats;
use view::{Filter, News, Stream, View};

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

pub(crate) fn run(arguments: &TailArguments, is_quiet: bool) -> Exit {
    let (settings, filter) = match prepare(arguments) {
        Ok(prepared) => prepared,
        Err(unusable) => {
            complain(&unusable.to_string(), "`fanfare tail --help` lists what can be said");
            return Exit::CommandLine;
        }
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let exit = runtime.block_on(async {
        let output = Output::standard();
        let look = if output.is_terminal() {
            Look::Human(Colours::new(|style| output.style(style)))
        } else {
            Look::Json
        };
        let view = View {
            streams: settings.iter().map(|settings| Stream::new(settings.url.to_string())).collect(),
            filter,
            look,
            left: arguments.count,
            stats: arguments.stats.then(Stats::default),
            pieces: VecDeque::new(),
            is_quiet,
        };
        let tail = Tail { view, started: Instant::now() };
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
    view: View,
    started: Instant,
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
        let mut ticks = self.view.stats.as_ref().map(|_| ticks());
        loop {
            tokio::select! {
                came = news.recv() => {
                    let Some(came) = came else { return Exit::Done };
                    let next = self.take(came, &mut news);
                    screen.write(&mut self.view.pieces).await;
                    if let ControlFlow::Break(exit) = next {
                        return exit;
                    }
                }
                () = tick(&mut ticks) => {
                    let elapsed = self.started.elapsed();
                    let status = self.view.stats.as_mut().map(|stats| Piece::Status(stats.line(elapsed)));
                    self.view.pieces.extend(status);
                    screen.write(&mut self.view.pieces).await;
                }
            }
        }
    }

    /// Writes what is left, as far as anybody reads it.
    async fn end(mut self, exit: Exit, screen: Screen, gone: Gone) -> Exit {
        let last = self.view.stats.map(|stats| Piece::Note(stats.last_line(self.started.elapsed())));
        self.view.pieces.extend(last);
        let last_words = async {
            screen.write(&mut self.view.pieces).await;
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
        self.view.happened(came, Timestamp::now())?;
        let mut gathered = 0;
        while gathered < BATCH {
            let Ok((index, occasion)) = news.try_recv() else { break };
            if let Occasion::Message(message) = &occasion {
                gathered += message.data.len();
            }
            self.view.happened((index, occasion), Timestamp::now())?;
        }
        ControlFlow::Continue(())
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
