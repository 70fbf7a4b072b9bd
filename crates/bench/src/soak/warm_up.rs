//! Brings a server to what it keeps anyway, so that what it has after a soak can be compared with what it had before: its
//! window is full, its pages for those who come back are cached, and its allocator has seen the crowd.

use std::io;
use std::time::Duration;

use crate::load::{Load, Pace};
use crate::poller::Poller;
use crate::publisher::Series;
use crate::subscriber::{Subscriber, Tally, Wish};
use crate::target::Site;

/// Bytes of events that are enough for the cache of pages, which is bounded: 32 MiB, with room.
const CACHED: usize = 40 * 1024 * 1024;

/// Events that one client catches up with: all but a few of the window, which has 1,000 in a soak.
const BEHIND: u32 = 900;

/// Fewer would not fill the window.
const LEAST: u32 = 2 * BEHIND;

/// Without any progress for so long, a client that comes back has got all that it will get: to judge that is not for a
/// warm-up.
const GIVE_UP: Duration = Duration::from_secs(1);

/// As many events as the soak will have, of this size on average, but no more than can be cached; read by clients that
/// come back. Then a crowd of this size comes, and goes.
pub(super) fn run(site: Site, crowd: u32, events: u32, bytes: usize) -> io::Result<()> {
    let most = u32::try_from(CACHED / bytes.max(1)).unwrap_or(u32::MAX).max(LEAST);
    let events = events.clamp(LEAST, most);
    let series = Series::fresh();
    let mut load = Load::new(site, series.clone(), 0)?;
    let pace = Pace { rate: 50_000, burst: 10, bytes };
    load.publish(pace, |published| published < 10)?;
    let mut end = load.tally.end();
    while end < events {
        let last = end - 1;
        load.publish(pace, |published| published < BEHIND)?;
        end = load.tally.end();
        catch_up(site, &series, last, end)?;
    }
    load.open(crowd)?;
    load.publish(Pace { rate: 50, burst: 1, bytes }, |published| published < 20)?;
    Ok(())
}

/// One client comes back that saw this event last, and reads all before `end`.
fn catch_up(site: Site, series: &Series, last: u32, end: u32) -> io::Result<()> {
    let mut poller = Poller::new()?;
    let mut tally = Tally::untimed(series.clone());
    let id = series.id(last);
    let wish = Wish { path: site.paths.stream, last_event_id: Some(&id), expected: last + 1, stalls: false };
    let mut client = Subscriber::connect(site, wish, &poller, 0)?;
    let (mut ready, mut buffer) = (Vec::new(), vec![0; 256 * 1024]);
    while !client.is_done(end) {
        poller.wait(Some(GIVE_UP), &mut ready)?;
        if ready.is_empty() {
            break;
        }
        for token in ready.drain(..) {
            client.handle(&poller, token, &mut buffer, &mut tally)?;
        }
    }
    Ok(())
}
