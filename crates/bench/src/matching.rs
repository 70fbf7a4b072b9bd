//! What it costs to find who sees an event, without a server: a loop over the window alone.

use std::hint::black_box;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use fanfare_event::{
    Audience, Delivery, EventType, NamePatterns, Profile, RoomName, Seq, SinkName, Target, UserId,
};
use fanfare_stream::{Entry, Fanout, Frames, Subscription, WindowLimits};
use nix::time::{ClockId, clock_gettime};

/// Events that the window holds; before the measurement it is full.
const WINDOW: u32 = 10_000;

/// Groups that are founded at last, behind all that the window holds.
const LATE: u32 = 100;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Events of each measurement.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..))]
    events: u32,
}

const HEAD: &str = "\
| groups | an event is for | groups that see it | ns an event | ns to join | ns to join behind the whole window |
|---|---|---|---|---|---|
";

/// Groups, and whom the events are for.
struct Case {
    name: &'static str,
    audience: Audience,
    groups: u32,
    /// The room and the user of each group, by its number.
    joins: fn(u32) -> (Option<u32>, Option<u32>),
}

/// Prints the table.
pub(crate) fn run(args: &Args) -> io::Result<ExitCode> {
    let (in_room, as_user) =
        (Audience::only([Target::Room(room(0)?)]), Audience::only([Target::User(user(0)?)]));
    let mut text = HEAD.to_owned();
    let mut check = |name, audience: &Audience, groups, joins| {
        let case = Case { name, audience: audience.clone(), groups, joins };
        measure(args, &case).map(|line| text.push_str(&line))
    };
    for groups in [1, 10_000] {
        check("everyone", &Audience::Everyone, groups, |group| (None, Some(group)))?;
    }
    for groups in [1, 1000] {
        check("one room", &in_room, groups, |group| (Some(group), None))?;
    }
    for groups in [1, 10_000, 100_000] {
        check("one user", &as_user, groups, |group| (None, Some(group)))?;
    }
    for groups in [10, 10_000] {
        check("one room of ten users", &in_room, groups, |group| (Some(group / 10), Some(group)))?;
    }
    writeln!(io::stdout(), "{} events each, window of {WINDOW}\n\n{text}", args.events)?;
    Ok(ExitCode::SUCCESS)
}

/// Gives a line of the table.
fn measure(args: &Args, case: &Case) -> io::Result<String> {
    let sink = SinkName::new("events");
    let kind = EventType::new("dev.cdevents.build.queued.0.2.0").map_err(io::Error::other)?;
    let deliveries = [Delivery { sink: sink.clone(), audience: case.audience.clone() }].into();
    let mut frames = Frames::default();
    frames.set(Profile::Cdevent, "x".repeat(500).into());
    let mut entry = Entry { seq: Seq::FIRST, kind, deliveries, frames };

    let mut fanout = Fanout::new(WindowLimits { events: WINDOW as usize, bytes: usize::MAX }, None);
    let mut push = |fanout: &mut Fanout, events: u32| {
        let mut saw = 0;
        for _ in 0..events {
            fanout.push(entry.clone(), |group| {
                black_box(group);
                saw += 1;
            });
            entry.seq = entry.seq.next();
        }
        saw / events
    };
    push(&mut fanout, WINDOW);
    let types = NamePatterns::any();
    let subscription = |group| {
        let (in_room, as_user) = (case.joins)(group);
        Ok(Subscription {
            sink: sink.clone(),
            types: types.clone(),
            profile: Profile::Cdevent,
            rooms: in_room.map(room).transpose()?.into_iter().collect(),
            user: as_user.map(user).transpose()?,
        })
    };
    let subscriptions = (0..case.groups).map(subscription).collect::<io::Result<Vec<_>>>()?;
    let newest = fanout.newest();
    let join = cpu_time(|| {
        for subscription in subscriptions {
            fanout.join(subscription, newest);
        }
    })?;
    // What grows once has grown.
    push(&mut fanout, WINDOW);
    let mut saw = 0;
    let pushed = cpu_time(|| saw = push(&mut fanout, args.events))?;
    let late = (case.groups..case.groups + LATE).map(subscription).collect::<io::Result<Vec<_>>>()?;
    let come_back = cpu_time(|| {
        for subscription in late {
            fanout.join(subscription, None);
        }
    })?;
    let each = |time: Duration, count: u32| time.as_nanos() / u128::from(count);
    let (push, join, late) = (each(pushed, args.events), each(join, case.groups), each(come_back, LATE));
    Ok(format!("| {} | {} | {saw} | {push} | {join} | {late} |\n", case.groups, case.name))
}

fn room(number: u32) -> io::Result<RoomName> {
    RoomName::new(&number.to_string()).map_err(io::Error::other)
}

fn user(number: u32) -> io::Result<UserId> {
    UserId::new(&number.to_string()).map_err(io::Error::other)
}

/// Of this thread, so that what else runs on the machine counts less.
fn cpu_time(work: impl FnOnce()) -> io::Result<Duration> {
    let before = Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?);
    work();
    let after = Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?);
    Ok(after.saturating_sub(before))
}
