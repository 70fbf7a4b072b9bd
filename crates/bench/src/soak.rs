//! The soak: clients that behave, and clients that do not, for a long time on one server. Nobody who behaves may miss an
//! event, get one twice or out of order, and what the others took must come back. One thread does all of it.

mod fellow;
mod unruly;
mod warm_up;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng as _};

use crate::load::GIVE_UP;
use crate::poller::{Interest, Poller};
use crate::process::{self, Process, Split};
use crate::publisher::{Publisher, Series};
use crate::report;
use crate::subscriber::Tally;
use crate::target::{Site, Target};
use fellow::Fellow;
use unruly::{Manner, Next, Unruly};

/// Descriptors that the server may have more than in the beginning: a log opens files now and then.
const MOST_DESCRIPTORS: u64 = 2;

/// Private bytes that it may have more: what an allocator keeps of a crowd for the next one. In ten minutes some 12,000
/// unruly clients come and go, so that a leak of 700 bytes each would show.
const MOST_PRIVATE: u64 = 8 * 1024 * 1024;

/// How long it may take to give everything back: more than its time-outs, which are set to seconds here, and the
/// keep-alive by which it notices who has vanished.
const GIVE_BACK: Duration = Duration::from_secs(30);

/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(10);

/// Between two looks at what the server holds, and for how long that is the same before it counts.
const LOOK: Duration = Duration::from_millis(100);
const QUIET: Duration = Duration::from_secs(1);

/// The longest wait: those who act do so by the clock.
const TURN: Duration = Duration::from_millis(5);

/// The most events that are published at once.
const BURST: u32 = 10;

/// Settings that make a server notice within a soak what it would notice within minutes, and keep little.
const SETTINGS: [(&str, &str); 4] = [
    ("FANFARE__HTTP__HEADER_TIMEOUT", "5s"),
    ("FANFARE__HTTP__SEND_TIMEOUT", "5s"),
    ("FANFARE__SINKS__EVENTS__KEEP_ALIVE", "2s"),
    ("FANFARE__LOG__WINDOW__EVENTS", "1000"),
];

/// One event of so many is a large one, of so many bytes: small ones alone would hardly fill the buffers of who reads
/// nothing.
const ONE_IS_LARGE: u32 = 20;
const LARGE: usize = 32 * 1024;

/// Tokens of those who do not behave begin here, and one is the publisher's.
const UNRULY: usize = usize::MAX / 2;
const PUBLISHER: usize = usize::MAX;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to try; by default the `fanfare` beside this program, with events in memory.
    #[arg(long, value_name = "SERVER")]
    server: Option<Target>,
    /// For how long.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// What chance begins with; by default the time. A run is not repeated to the byte, but its choices are.
    #[arg(long)]
    seed: Option<u64>,
    /// Clients that behave; every second one leaves and comes back.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    clients: u32,
    /// Clients that do not, at any time; one that goes is followed by another.
    #[arg(long, default_value_t = 100)]
    unruly: u32,
    /// Events published in a second, in bursts of up to 10.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Bytes of an event's JSON.
    #[arg(long, default_value_t = 440)]
    bytes: usize,
}

/// What the server holds.
#[derive(Clone, Copy, Debug)]
struct Holds {
    descriptors: u64,
    private: u64,
}

struct Soak<'a> {
    args: &'a Args,
    site: Site,
    process: Process,
    rng: StdRng,
    poller: Poller,
    publisher: Publisher,
    /// The number of the next event, and when it is published.
    next: u32,
    due: Instant,
    fellows: Vec<Fellow>,
    unruly: Vec<Option<Unruly>>,
    tally: Tally,
    counts: Counts,
    ready: Vec<usize>,
    buffer: Box<[u8]>,
}

/// What happened.
#[derive(Default)]
struct Counts {
    returns: u64,
    /// How many went, by their manner.
    gone: BTreeMap<Manner, u64>,
    may_not_vanish: u64,
    /// Streams of those who behave that the server ended.
    ended: u64,
}

/// Runs, prints what happened, and says whether all is well.
pub(crate) fn run(args: &Args) -> io::Result<ExitCode> {
    process::allow_sockets((args.clients + args.unruly) as usize)?;
    let split = Split::of_this_machine()?;
    let server = args.server.clone().map_or_else(Target::beside, Ok)?;
    let server = SETTINGS.iter().fold(server, |server, (name, value)| server.with_setting(name, value));
    let started = server.start(split.as_ref(), None)?;
    let process =
        started.process.ok_or_else(|| io::Error::other("start the server here: its memory is needed"))?;
    let seed = args.seed.map_or_else(seed_of_now, Ok)?;
    writeln!(io::stderr(), "soak for {} s, --seed {seed}: {}", args.seconds, server.name())?;

    let bytes = args.bytes + LARGE / ONE_IS_LARGE as usize;
    warm_up::run(started.site, args.clients + args.unruly, args.rate * args.seconds, bytes)?;
    let mut soak = Soak::new(args, started.site, process, seed)?;
    let before = soak.wait_until_quiet()?;
    soak.begin()?;
    soak.go_on()?;
    soak.conclude()?;
    let after = soak.wait_until_given_back(before)?;
    writeln!(io::stdout(), "{}", soak.summary(before, after))?;
    let is_well = soak.is_flawless() && after.is_back_at(before);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn seed_of_now() -> io::Result<u64> {
    Ok(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(io::Error::other)?.as_secs())
}

impl Holds {
    fn is_back_at(self, before: Self) -> bool {
        self.descriptors <= before.descriptors + MOST_DESCRIPTORS
            && self.private <= before.private + MOST_PRIVATE
    }
}

impl<'a> Soak<'a> {
    fn new(args: &'a Args, site: Site, process: Process, seed: u64) -> io::Result<Self> {
        let poller = Poller::new()?;
        let publisher = Publisher::connect(site)?;
        poller.add(&publisher.stream, PUBLISHER, Interest::Read)?;
        Ok(Self {
            args,
            site,
            process,
            rng: StdRng::seed_from_u64(seed),
            poller,
            publisher,
            next: 0,
            due: Instant::now(),
            fellows: Vec::new(),
            unruly: Vec::new(),
            tally: Tally::untimed(Series::fresh()),
            counts: Counts::default(),
            ready: Vec::new(),
            buffer: vec![0; 64 * 1024].into(),
        })
    }

    /// Lets in those who behave.
    fn begin(&mut self) -> io::Result<()> {
        for token in 0..self.args.clients as usize {
            let leaves = token % 2 == 1;
            let (poller, rng) = (&self.poller, &mut self.rng);
            self.fellows.push(Fellow::connect(self.site, token, self.next, leaves, poller, rng)?);
        }
        let deadline = Instant::now() + GIVE_UP;
        while !self.fellows.iter().all(Fellow::is_open) {
            if Instant::now() >= deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "not all streams could be opened"));
            }
            self.turn(TURN)?;
        }
        self.unruly.resize_with(self.args.unruly as usize, || None);
        Ok(())
    }

    fn go_on(&mut self) -> io::Result<()> {
        let start = Instant::now();
        let end = start + Duration::from_secs(self.args.seconds.into());
        let mut said = start;
        while Instant::now() < end {
            self.publish_what_is_due()?;
            self.turn(TURN)?;
            self.act()?;
            if said.elapsed() >= PROGRESS {
                said = Instant::now();
                self.say_where_it_is(start.elapsed())?;
            }
        }
        Ok(())
    }

    /// Sends away who does not behave, lets the others see everything, and sends them away too.
    fn conclude(&mut self) -> io::Result<()> {
        self.unruly.clear();
        for fellow in &mut self.fellows {
            fellow.stay(self.site, &self.tally, &self.poller)?;
        }
        let deadline = Instant::now() + GIVE_UP;
        while Instant::now() < deadline && !self.fellows.iter().all(|fellow| fellow.has_seen(self.next)) {
            self.turn(TURN)?;
        }
        for fellow in self.fellows.drain(..) {
            self.tally.lost += fellow.misses(self.next);
        }
        Ok(())
    }

    fn publish_what_is_due(&mut self) -> io::Result<()> {
        if Instant::now() >= self.due && self.publisher.is_ready() {
            let count = self.rng.random_range(1..=BURST);
            self.publish(count)?;
            self.due += Duration::from_secs(1) * count / self.args.rate;
        }
        Ok(())
    }

    fn publish(&mut self, count: u32) -> io::Result<()> {
        let is_large = self.rng.random_ratio(1, ONE_IS_LARGE);
        let bytes = if is_large { LARGE } else { self.args.bytes };
        self.publisher.publish(&self.tally.series, self.next, count, bytes)?;
        self.next += count;
        Ok(())
    }

    /// Waits once, and reads from whatever has something.
    fn turn(&mut self, wait: Duration) -> io::Result<()> {
        self.poller.wait(Some(wait), &mut self.ready)?;
        for token in self.ready.drain(..) {
            if token == PUBLISHER {
                self.publisher.read(&mut self.buffer)?;
            } else if let Some(place) = token.checked_sub(UNRULY) {
                if let Some(place) = self.unruly.get_mut(place)
                    && let Some(client) = place
                    && client.read(&mut self.buffer) == Next::Goes
                {
                    self.counts.note(client.manner());
                    *place = None;
                }
            } else if let Some(fellow) = self.fellows.get_mut(token) {
                fellow.handle(&self.poller, &mut self.buffer, &mut self.tally)?;
            }
        }
        Ok(())
    }

    /// Everybody does what it is time for.
    fn act(&mut self) -> io::Result<()> {
        let now = Instant::now();
        for fellow in &mut self.fellows {
            if fellow.was_ended() {
                self.counts.ended += 1;
                fellow.come_back(self.site, &self.tally, &self.poller)?;
            }
            let came_back = fellow.come_and_go(now, self.site, &self.tally, &self.poller, &mut self.rng)?;
            self.counts.returns += u64::from(came_back);
        }
        for (number, place) in self.unruly.iter_mut().enumerate() {
            if let Some(client) = place {
                let next = client.act(now, &mut self.rng)?;
                if next == Next::Stays {
                    continue;
                }
                self.counts.may_not_vanish += u64::from(next == Next::MayNotVanish);
                self.counts.note(client.manner());
                // Its descriptor is free for the one that follows.
                *place = None;
            }
            *place = Some(Unruly::connect(self.site, &mut self.rng, &self.poller, UNRULY + number)?);
        }
        Ok(())
    }

    /// Waits until what the warm-up took has been given back, and says what is left.
    fn wait_until_quiet(&mut self) -> io::Result<Holds> {
        let (mut last, mut since) = (u64::MAX, Instant::now());
        self.wait_until(|holds| {
            if holds.descriptors != last {
                (last, since) = (holds.descriptors, Instant::now());
            }
            since.elapsed() >= QUIET
        })
    }

    fn wait_until_given_back(&mut self, before: Holds) -> io::Result<Holds> {
        self.wait_until(|holds| holds.is_back_at(before))
    }

    /// Publishes an event now and then, by which a server notices who has vanished, until this is so, or for as long as it
    /// may take.
    fn wait_until(&mut self, mut is_so: impl FnMut(Holds) -> bool) -> io::Result<Holds> {
        let deadline = Instant::now() + GIVE_BACK;
        loop {
            let holds =
                Holds { descriptors: self.process.descriptors()?, private: self.process.private_bytes()? };
            if is_so(holds) || Instant::now() >= deadline {
                return Ok(holds);
            }
            if self.publisher.is_ready() {
                self.publish(1)?;
            }
            let next = Instant::now() + LOOK;
            while Instant::now() < next {
                self.turn(LOOK)?;
            }
        }
    }

    fn say_where_it_is(&self, elapsed: Duration) -> io::Result<()> {
        writeln!(
            io::stderr(),
            "[{} of {} s] {} events, {} deliveries, {} lost, {} came back, {} unruly went; {} descriptors, {:.1} MiB private",
            elapsed.as_secs(),
            self.args.seconds,
            self.next,
            self.tally.delivered,
            self.tally.lost,
            self.counts.returns,
            self.counts.gone.values().sum::<u64>(),
            self.process.descriptors()?,
            report::mebibytes(self.process.private_bytes()?)
        )
    }

    fn is_flawless(&self) -> bool {
        (self.tally.lost, self.tally.repeated, self.tally.notices, self.counts.ended) == (0, 0, 0, 0)
    }

    fn summary(&self, before: Holds, after: Holds) -> String {
        let Tally { delivered, lost, repeated, notices, .. } = &self.tally;
        let Counts { returns, gone, may_not_vanish, ended } = &self.counts;
        let gone: Vec<_> = gone.iter().map(|(manner, count)| format!("{count} {manner}")).collect();
        let vanishing = if *may_not_vanish > 0 {
            format!("\nVanishing needs CAP_NET_ADMIN here: {may_not_vanish} ended with a reset instead.")
        } else {
            String::new()
        };
        format!(
            "{delivered} deliveries to {} clients: {lost} lost, {repeated} repeated, {notices} notices; {ended} streams \
             were ended; {returns} times one left and came back.\n\
             Beside them: {}.{vanishing}\n\
             Descriptors: {} before, {} after, {} at most. Private MiB: {:.1} before, {:.1} after, {:.1} at most.",
            self.args.clients,
            gone.join(", "),
            before.descriptors,
            after.descriptors,
            before.descriptors + MOST_DESCRIPTORS,
            report::mebibytes(before.private),
            report::mebibytes(after.private),
            report::mebibytes(before.private + MOST_PRIVATE),
        )
    }
}

impl Counts {
    fn note(&mut self, manner: Manner) {
        *self.gone.entry(manner).or_default() += 1;
    }
}
