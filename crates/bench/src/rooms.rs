//! The rooms benchmark: what an event for one room, or for one user, costs a server that many others are connected to,
//! beside the same event on a server that has only those it is for.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use fanfare_testkit::Server;

use crate::load::{Load, Pace};
use crate::process::{self, Process, Split};
use crate::publisher::Series;
use crate::report;
use crate::target::Site;

/// Clients where the machine lets a process have so many sockets.
const CLIENTS: u32 = 10_000;

/// Connections of those who publish, on both servers.
const OTHERS: u32 = 4;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The binary; by default the `fanfare` beside this program.
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// Clients that hold a stream open; by default 10,000, or what a process here may have.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    clients: Option<u32>,
    /// Rooms that they are in, as many in each.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    rooms: u32,
    /// Events of a round, all for the same room or user.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    events: u32,
    /// Rounds, first on one server and then on the other.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Events published in a second, one at a time.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Bytes of an event's JSON.
    #[arg(long, default_value_t = 440)]
    bytes: usize,
    /// Leave servers and load on all CPUs, instead of the servers on one and the load on the others.
    #[arg(long)]
    no_pin: bool,
}

/// Whom the events are for.
#[derive(Clone, Copy, Debug)]
enum Audience {
    /// One room of so many.
    Room(u32),
    /// One of the clients, each of whom is a user of its own.
    User,
}

/// A server, and the clients on it that the events are for.
struct Members {
    process: Process,
    load: Load,
    cpu: Duration,
    _server: Server,
}

/// What one audience gave.
struct Figures {
    audience: Audience,
    clients: u32,
    members: u32,
    /// CPU time of an event, with all clients and with the members alone.
    crowded: Duration,
    alone: Duration,
    /// Private bytes of the server that a client adds.
    memory: f64,
    lost: u64,
    repeated: u64,
    /// Also what came to those that it was not for.
    strange: u64,
}

const HEAD: &str = "\
| an event for one | clients | in it | CPU µs | CPU µs with only those | ratio | B a client | lost | repeated | strange |
|---|---|---|---|---|---|---|---|---|---|
";

/// Runs, prints the table, and says whether everybody got what was for them and nothing else.
pub(crate) fn run(args: &Args) -> io::Result<ExitCode> {
    let clients =
        args.clients.map_or_else(|| Ok(CLIENTS.min(most_clients(args.rooms)?)), Ok::<_, io::Error>)?;
    process::allow_sockets((clients + clients.div_ceil(args.rooms) + OTHERS) as usize)?;
    let split = if args.no_pin { None } else { Split::of_this_machine()? };
    let all = [Audience::Room(args.rooms.min(clients)), Audience::User]
        .into_iter()
        .map(|audience| measure(args, clients, audience, split.as_ref()))
        .collect::<io::Result<Vec<_>>>()?;
    let Args { events, rounds, rate, bytes, .. } = args;
    writeln!(
        io::stdout(),
        "{rounds} rounds of {events} events of {bytes} bytes, {rate} events/s, log in memory, loopback, servers on {}\n\n{}",
        if split.is_some() { "one CPU and load on the others" } else { "the same CPUs as the load" },
        table(&all)
    )?;
    let is_right = all.iter().all(|run| (run.lost, run.repeated, run.strange) == (0, 0, 0));
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How many clients this machine allows. Those in the room are there twice.
fn most_clients(rooms: u32) -> io::Result<u32> {
    let most = u64::from(process::most_sockets()?.saturating_sub(OTHERS + 1));
    let clients = most * u64::from(rooms) / (u64::from(rooms) + 1);
    Ok(u32::try_from(clients).unwrap_or(u32::MAX).max(1))
}

fn measure(args: &Args, clients: u32, audience: Audience, split: Option<&Split>) -> io::Result<Figures> {
    let binary = match &args.server {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("fanfare"),
    };
    let (members, others): (Vec<_>, Vec<_>) = (0..clients).partition(|client| audience.includes(*client));
    let paths = |clients: &[u32]| clients.iter().map(|client| audience.path(*client)).collect::<Vec<_>>();

    let mut alone = Members::start(&binary, audience, &paths(&members), args, split)?;
    let mut crowded = Members::start(&binary, audience, &paths(&members), args, split)?;
    let before = crowded.process.private_bytes()?;
    let mut crowd = Load::new(crowded.load.site(), Series::fresh(), 0)?;
    crowd.open_at(&paths(&others))?;
    let memory = crowded.process.private_bytes()?.saturating_sub(before);

    for round in 0..args.rounds {
        let mut pair = [&mut crowded, &mut alone];
        // What changes on the machine meanwhile is not always to the same one's cost.
        pair.rotate_left(round as usize % 2);
        for server in pair {
            server.round(args)?;
        }
    }
    crowd.read_what_came()?;

    let events = args.rounds * args.events;
    let per_event = |server: &Members| server.cpu / events.max(1);
    let (crowded_cpu, alone_cpu) = (per_event(&crowded), per_event(&alone));
    let tallies = [crowded, alone].map(|server| server.load.into_tally());
    let to_others = &crowd.tally;
    Ok(Figures {
        audience,
        clients,
        members: u32::try_from(members.len()).unwrap_or(u32::MAX),
        crowded: crowded_cpu,
        alone: alone_cpu,
        memory: report::as_f64(memory) / report::as_f64(others.len().max(1) as u64),
        lost: tallies.iter().map(|tally| tally.lost).sum(),
        repeated: tallies.iter().map(|tally| tally.repeated).sum(),
        strange: tallies.iter().map(|tally| tally.notices).sum::<u64>()
            + to_others.notices
            + to_others.delivered
            + to_others.repeated,
    })
}

impl Members {
    /// Starts a server with these clients, and lets it do everything once.
    fn start(
        binary: &Path,
        audience: Audience,
        paths: &[String],
        args: &Args,
        split: Option<&Split>,
    ) -> io::Result<Self> {
        let start = || Server::builder(binary).config(audience.config()).start();
        let server = match split {
            Some(split) => split.start(start),
            None => start(),
        }?;
        let process = Process::new(server.pid())?;
        let mut load = Load::new(Site::of_fanfare(server.addr()), Series::fresh(), 0)?;
        load.open_at(paths)?;
        let mut members = Self { process, load, cpu: Duration::ZERO, _server: server };
        members.round(args)?;
        members.cpu = Duration::ZERO;
        Ok(members)
    }

    fn round(&mut self, args: &Args) -> io::Result<()> {
        let before = self.process.cpu_time()?;
        let pace = Pace { rate: args.rate, burst: 1, bytes: args.bytes };
        self.load.publish(pace, |published| published < args.events)?;
        self.cpu += self.process.cpu_time()?.saturating_sub(before);
        Ok(())
    }
}

impl Audience {
    /// Whether the events are for this client, by its number.
    fn includes(self, client: u32) -> bool {
        match self {
            Self::Room(rooms) => client.is_multiple_of(rooms),
            Self::User => client == 0,
        }
    }

    fn path(self, client: u32) -> String {
        match self {
            Self::Room(rooms) => format!("/sse/events?room={}", client % rooms),
            Self::User => format!("/sse/events?user_id={client}"),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Room(_) => "room",
            Self::User => "user",
        }
    }

    fn config(self) -> String {
        // Who publishes is silent while the others come and while the other server has its round.
        format!(
            "log.type = \"memory\"\nhttp.header_timeout = \"1h\"\n\
             [sources.events.extractor]\ntype = \"webhook\"\nid = \"events\"\n\
             [sinks.events]\ntype = \"sse\"\nid = \"events\"\nidentity = \"query\"\nkeep_alive = \"1h\"\n\
             [[routes]]\nfrom = \"events\"\nto = \"events\"\naudience = {{ {} = \"0\" }}\n",
            self.name()
        )
    }
}

fn table(all: &[Figures]) -> String {
    let mut text = HEAD.to_owned();
    for Figures { audience, clients, members, crowded, alone, memory, lost, repeated, strange } in all {
        let (crowded, alone) = (crowded.as_secs_f64() * 1e6, alone.as_secs_f64() * 1e6);
        let _ = writeln!(
            text,
            "| {} | {clients} | {members} | {crowded:.0} | {alone:.0} | {:.2} | {memory:.0} | {lost} | {repeated} | {strange} |",
            audience.name(),
            crowded / alone
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_in_one_room_or_is_one_user() {
        let check = |audience: Audience, client: u32, path: &str, is_member: bool| {
            assert_eq!((audience.path(client).as_str(), audience.includes(client)), (path, is_member));
        };
        check(Audience::Room(10), 0, "/sse/events?room=0", true);
        check(Audience::Room(10), 23, "/sse/events?room=3", false);
        check(Audience::Room(10), 30, "/sse/events?room=0", true);
        check(Audience::User, 0, "/sse/events?user_id=0", true);
        check(Audience::User, 30, "/sse/events?user_id=30", false);
    }

    #[test]
    fn the_table_has_a_line_for_each_audience() {
        let figures = Figures {
            audience: Audience::Room(10),
            clients: 100,
            members: 10,
            crowded: Duration::from_micros(330),
            alone: Duration::from_micros(300),
            memory: 12_000.4,
            lost: 0,
            repeated: 1,
            strange: 2,
        };
        let line = "| room | 100 | 10 | 330 | 300 | 1.10 | 12000 | 0 | 1 | 2 |\n";
        assert_eq!(table(&[figures]), HEAD.to_owned() + line);
    }
}
