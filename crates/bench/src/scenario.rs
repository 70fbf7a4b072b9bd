//! What is done with one server, from its start to its end, and what is measured on the way. Each run has a server of its
//! own, so that none inherits what another left behind.

use std::io;
use std::time::{Duration, Instant};

use crate::crowd::Crowd;
use crate::load::{Load, Pace};
use crate::process::{self, Process, Split};
use crate::publisher::Series;
use crate::report::{self, Account, Column, Run};
use crate::sockets;
use crate::target::{Site, Started, Target};

/// Clients and events of a warm-up: what a server sets up once is not what a client or an event costs.
const WARM_UP: (u32, u32) = (20, 20);

/// Events that make clients stall which read nothing: 6 MiB, more than the kernel's buffers hold of a connection
/// (`tcp_wmem` is 4 MiB by default).
const FILL_EVENTS: u32 = 96;
const FILL_BYTES: usize = 64 * 1024;

/// How many of them are delivered in a second, to all clients together: what a CPU can copy, with air.
const FILL_DELIVERIES: u32 = 20_000;

/// How long clients that arrive at once may take: well beyond any target, and beyond the kernel's first few attempts.
const ARRIVAL_LIMIT: Duration = Duration::from_mins(1);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    /// Streams that are held open, and how many of them are not read.
    pub(crate) clients: u32,
    pub(crate) stalled: u32,
    /// Whether so many bytes are sent beforehand that who reads nothing has stalled.
    pub(crate) fills: bool,
    /// One event at a time, for so many seconds.
    pub(crate) pace: Pace,
    pub(crate) seconds: u32,
    /// Events of a burst, for as long and at the same rate again; 0 leaves it out.
    pub(crate) burst: u32,
    /// Clients of the quiet stream that connect at once while the others go on; 0 leaves it out.
    pub(crate) arriving: u32,
    /// Seconds without an event; 0 leaves it out.
    pub(crate) idle: u32,
    /// Whether the same is published before, with no clients.
    pub(crate) publishes_alone: bool,
}

impl Scenario {
    /// So many clients, who all read.
    pub(crate) const fn new(clients: u32, pace: Pace, seconds: u32) -> Self {
        Self {
            clients,
            stalled: 0,
            fills: false,
            pace,
            seconds,
            burst: 0,
            arriving: 0,
            idle: 0,
            publishes_alone: false,
        }
    }

    /// About how long a run takes, for those who wait.
    pub(crate) fn about(&self) -> Duration {
        let phases = 1 + u32::from(self.burst > 0) + u32::from(self.publishes_alone);
        let opening = (self.clients + self.arriving) / 8000 + 1;
        let filling = if self.fills { FILL_EVENTS / self.fill().rate + 1 } else { 0 };
        Duration::from_secs((self.seconds * phases + opening + filling + self.idle).into())
    }

    /// Starts the server, does everything, and ends it.
    pub(crate) fn run(&self, target: &Target, split: Option<&Split>, pid: Option<u32>) -> io::Result<Run> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", target.name()));
        let Started { site, process, .. } = &target.start(split, pid).map_err(named)?;
        Measure { site: *site, process: *process, run: Run::default() }.all(self).map_err(named)
    }

    fn events(&self) -> u32 {
        self.pace.rate * self.seconds
    }

    fn fill(&self) -> Pace {
        let rate = (FILL_DELIVERIES / self.clients.max(1)).clamp(1, 500);
        Pace { rate, burst: 1, bytes: FILL_BYTES }
    }
}

/// A run that is under way.
struct Measure {
    site: Site,
    /// Without it, nothing is known of what the server spends.
    process: Option<Process>,
    run: Run,
}

/// What was spent from one moment on.
struct Since {
    time: Instant,
    load: Duration,
    server: Option<Duration>,
    machine: Duration,
}

impl Measure {
    fn all(mut self, scenario: &Scenario) -> io::Result<Run> {
        self.warm_up(scenario.pace.bytes)?;
        let publishing = if scenario.publishes_alone { self.publish_alone(scenario)? } else { None };
        let mut load = self.open(scenario)?;
        if scenario.idle > 0 {
            self.idle(&mut load, scenario.idle)?;
        }
        if scenario.fills {
            load.publish(scenario.fill(), |published| published < FILL_EVENTS)?;
            load.tally.latencies.clear();
        }
        self.fan_out(&mut load, scenario, publishing)?;
        if scenario.burst > 0 {
            self.fan_out_bursts(&mut load, scenario)?;
        }
        if scenario.arriving > 0 {
            self.arrive(&mut load, scenario)?;
        }
        if scenario.fills {
            self.note(Column::Private, self.private()?.map(report::mebibytes));
            self.note(Column::Kernel, Some(report::mebibytes(sockets::memory(self.site.addr)?)));
        }
        let tally = load.into_tally();
        self.run.account = Account {
            delivered: tally.delivered,
            lost: tally.lost,
            repeated: tally.repeated,
            notices: tally.notices,
        };
        Ok(self.run)
    }

    fn warm_up(&self, bytes: usize) -> io::Result<()> {
        let (clients, events) = WARM_UP;
        let mut load = Load::new(self.site, Series::fresh(), 0)?;
        load.open(clients)?;
        load.publish(Pace { rate: 50, burst: 1, bytes }, |published| published < events)?;
        Ok(())
    }

    /// The server's microseconds for an event that nobody listens to.
    fn publish_alone(&mut self, scenario: &Scenario) -> io::Result<Option<f64>> {
        let mut load = Load::new(self.site, Series::fresh(), 0)?;
        let since = self.now()?;
        load.publish(scenario.pace, |published| published < scenario.events())?;
        let spent = self.spent(&since)?.map(|spent| spent / f64::from(scenario.events().max(1)));
        self.note(Column::Publishing, spent);
        Ok(spent)
    }

    /// Opens the streams, and sends them one event, so that they have all that an idle stream keeps.
    fn open(&mut self, scenario: &Scenario) -> io::Result<Load> {
        let clients = f64::from(scenario.clients);
        let (private, kernel) = (self.private()?, sockets::memory(self.site.addr)?);
        let since = self.now()?;
        let mut load = Load::new(self.site, Series::fresh(), 0)?;
        load.open_some_stalled(scenario.clients, scenario.stalled)?;
        let opening = self.spent(&since)?;
        load.publish(scenario.pace, |published| published < 1)?;
        load.tally.latencies.clear();
        let added = |before: u64, after: u64| report::as_f64(after.saturating_sub(before)) / clients;
        self.note(Column::Opening, opening.map(|spent| spent / clients));
        let after = self.private()?;
        self.note(Column::Memory, private.zip(after).map(|(before, after)| added(before, after)));
        self.note(Column::Sockets, Some(added(kernel, sockets::memory(self.site.addr)?)));
        Ok(load)
    }

    fn idle(&mut self, load: &mut Load, seconds: u32) -> io::Result<()> {
        let since = self.now()?;
        load.listen(Duration::from_secs(seconds.into()))?;
        let spent = self.spent(&since)?;
        self.note(
            Column::Idle,
            spent.map(|spent| 100.0 * spent / report::microseconds(since.time.elapsed())),
        );
        Ok(())
    }

    fn fan_out(&mut self, load: &mut Load, scenario: &Scenario, publishing: Option<f64>) -> io::Result<()> {
        let (since, before) = (self.now()?, load.tally.delivered);
        let rate = load.publish(scenario.pace, |published| published < scenario.events())?;
        let spent = self.spent(&since)?;
        self.note_shares(&since)?;
        let deliveries = report::as_f64((load.tally.delivered - before).max(1));
        self.note(Column::Rate, Some(rate));
        self.note_latencies(load, Some(Column::P50), Column::P99);
        self.note(Column::Delivery, spent.map(|spent| spent / deliveries));
        if let Some(publishing) = publishing {
            let events = f64::from(scenario.events());
            self.note(Column::Apart, spent.map(|spent| (spent - publishing * events) / deliveries));
        }
        Ok(())
    }

    fn fan_out_bursts(&mut self, load: &mut Load, scenario: &Scenario) -> io::Result<()> {
        let pace = Pace { burst: scenario.burst, ..scenario.pace };
        let (since, before) = (self.now()?, load.tally.delivered);
        load.publish(pace, |published| published < scenario.events())?;
        let deliveries = report::as_f64((load.tally.delivered - before).max(1));
        let spent = self.spent(&since)?;
        self.note(Column::Burst, spent.map(|spent| spent / deliveries));
        self.note_latencies(load, None, Column::BurstP99);
        Ok(())
    }

    /// Publishes until the last one has arrived, or nothing moves any more.
    fn arrive(&mut self, load: &mut Load, scenario: &Scenario) -> io::Result<()> {
        let start = Instant::now();
        let mut arrived = Ok(None);
        let crowd = Crowd::send(self.site, scenario.arriving)?;
        load.publish(scenario.pace, |_| {
            arrived = crowd.has_arrived();
            matches!(arrived, Ok(None)) && start.elapsed() < ARRIVAL_LIMIT
        })?;
        let taken = arrived?.ok_or_else(|| {
            let problem = format!("{} clients were not let in within {ARRIVAL_LIMIT:?}", scenario.arriving);
            io::Error::new(io::ErrorKind::TimedOut, problem)
        })?;
        self.note(Column::Arrival, Some(taken.as_secs_f64()));
        self.note_latencies(load, None, Column::ArrivalP99);
        load.tally.notices += crowd.leave()?;
        Ok(())
    }

    /// Who else was busy since then.
    fn note_shares(&mut self, since: &Since) -> io::Result<()> {
        let now = self.now()?;
        let percent = |time: Duration| Some(100.0 * time.as_secs_f64() / since.time.elapsed().as_secs_f64());
        let load = now.load.saturating_sub(since.load);
        self.note(Column::Load, percent(load));
        if let Some((after, before)) = now.server.zip(since.server) {
            let all = now.machine.saturating_sub(since.machine);
            self.note(Column::Others, percent(all.saturating_sub(load + after.saturating_sub(before))));
        }
        Ok(())
    }

    fn note_latencies(&mut self, load: &mut Load, p50: Option<Column>, p99: Column) {
        let mut latencies = std::mem::take(&mut load.tally.latencies);
        let mut at = |percent| Some(report::milliseconds(report::percentile(&mut latencies, percent)));
        let (half, most) = (at(50), at(99));
        if let Some(p50) = p50 {
            self.note(p50, half);
        }
        self.note(p99, most);
    }

    fn note(&mut self, column: Column, value: Option<f64>) {
        self.run.values.extend(value.map(|value| (column, value)));
    }

    fn private(&self) -> io::Result<Option<u64>> {
        self.process.map(Process::private_bytes).transpose()
    }

    fn now(&self) -> io::Result<Since> {
        let server = self.process.map(Process::cpu_time).transpose()?;
        let (load, machine) = (process::thread_cpu_time()?, process::machine_cpu_time()?);
        Ok(Since { time: Instant::now(), load, server, machine })
    }

    /// The server's CPU time since then, in microseconds.
    fn spent(&self, since: &Since) -> io::Result<Option<f64>> {
        let server = self.now()?.server;
        Ok(server.zip(since.server).map(|(now, then)| report::microseconds(now.saturating_sub(then))))
    }
}
