//! What the kernel says about a process: CPU time, memory, and the limits of this one.

use std::fs;
use std::io;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// Descriptors that this process has open beside its clients' sockets: standard streams, pipes, epoll.
const OTHER_DESCRIPTORS: u64 = 64;

/// A process that is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(Pid);

impl Process {
    pub(crate) fn new(pid: u32) -> io::Result<Self> {
        Ok(Self(Pid::from_raw(i32::try_from(pid).map_err(io::Error::other)?)))
    }

    /// User and system time of all its threads, those that have ended too.
    pub(crate) fn cpu_time(self) -> io::Result<Duration> {
        Ok(clock_getcpuclockid(self.0)?.now()?.into())
    }

    /// Bytes of memory that only it has and that it has written.
    pub(crate) fn private_bytes(self) -> io::Result<u64> {
        let path = format!("/proc/{}/smaps_rollup", self.0);
        let rollup = fs::read_to_string(&path)?;
        private_dirty(&rollup).ok_or_else(|| io::Error::other(format!("{path} names no Private_Dirty")))
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(self) -> io::Result<u64> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.0))?.count() as u64)
    }
}

/// A tick of `/proc/stat`, on every architecture that this runs on (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// Time that all CPUs of this machine were busy, since it was started; with what its host took of them.
pub(crate) fn machine_cpu_time() -> io::Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    busy_ticks(&stat)
        .and_then(|ticks| Some(TICK * u32::try_from(ticks).ok()?))
        .ok_or_else(|| io::Error::other("/proc/stat does not begin with the time of all CPUs"))
}

/// Of `cpu user nice system idle iowait irq softirq steal …`, all but the idle ones.
fn busy_ticks(stat: &str) -> Option<u64> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().take(8);
    let fields = fields.map(|field| field.parse().ok()).collect::<Option<Vec<u64>>>()?;
    let [user, nice, system, _, _, irq, softirq, steal] = *fields.as_slice() else { return None };
    Some(user + nice + system + irq + softirq + steal)
}

/// User and system time of this thread.
pub(crate) fn thread_cpu_time() -> io::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

fn private_dirty(rollup: &str) -> Option<u64> {
    let rest = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:"))?;
    let kibibytes: u64 = rest.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Lets this process, and those that it starts, have so many clients' sockets open.
pub(crate) fn allow_sockets(clients: usize) -> io::Result<()> {
    let needed = clients as u64 + OTHER_DESCRIPTORS;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= needed {
        return Ok(());
    }
    if hard < needed {
        return Err(io::Error::other(format!(
            "{clients} clients need {needed} file descriptors, and a process here may have {hard} at most: \
             raise the limit (`ulimit -Hn`), or use fewer --clients"
        )));
    }
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

/// How many clients' sockets a process here may have, at most.
pub(crate) fn most_sockets() -> io::Result<u32> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(u32::try_from(hard.saturating_sub(OTHER_DESCRIPTORS)).unwrap_or(u32::MAX))
}

/// Two halves of the CPUs that this process may use: the first one for a server, the others for its load.
#[derive(Debug)]
pub(crate) struct Split {
    server: CpuSet,
    load: CpuSet,
}

impl Split {
    /// `None` where there is one CPU only.
    pub(crate) fn of_this_machine() -> io::Result<Option<Self>> {
        let all = sched_getaffinity(Pid::from_raw(0))?;
        let mut allowed = (0..CpuSet::count()).filter(|cpu| all.is_set(*cpu) == Ok(true));
        let (mut server, mut load) = (CpuSet::new(), CpuSet::new());
        let Some(first) = allowed.next() else { return Ok(None) };
        server.set(first)?;
        let rest: Vec<_> = allowed.collect();
        rest.iter().try_for_each(|cpu| load.set(*cpu))?;
        Ok((!rest.is_empty()).then_some(Self { server, load }))
    }

    /// Moves this thread to the server's CPU while `start` starts it, and to the load's behind that.
    pub(crate) fn start<T>(&self, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        sched_setaffinity(Pid::from_raw(0), &self.server)?;
        let started = start();
        sched_setaffinity(Pid::from_raw(0), &self.load)?;
        started
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_can_be_measured() {
        let this = Process::new(std::process::id()).unwrap();
        let before = this.cpu_time().unwrap();
        let written = std::hint::black_box(vec![1u8; 1 << 20]);
        assert!(this.private_bytes().unwrap() >= written.len() as u64);
        assert!(this.cpu_time().unwrap() > before);
        assert!(this.descriptors().unwrap() >= 3);
        assert!(thread_cpu_time().unwrap() <= this.cpu_time().unwrap());
    }

    #[test]
    fn memory_is_read_in_kibibytes() {
        assert_eq!(
            private_dirty("x [rollup]\nPrivate_Clean: 4 kB\nPrivate_Dirty:       112 kB\n"),
            Some(114_688)
        );
        assert_eq!(private_dirty("Private_Dirty: many\n"), None);
        assert_eq!(private_dirty(""), None);
    }

    #[test]
    fn a_machine_is_busy_where_it_is_not_idle() {
        let check = |stat: &str, expected: Option<u64>| assert_eq!(busy_ticks(stat), expected, "{stat}");
        check("cpu  1 2 4 1000 1000 8 16 32 1000 1000\ncpu0 1 2\n", Some(63));
        check("cpu  1 2 4 1000 1000 8 16\n", None);
        check("intr 1\n", None);
        assert!(machine_cpu_time().unwrap() >= Process::new(std::process::id()).unwrap().cpu_time().unwrap());
    }

    #[test]
    fn too_many_clients_are_refused_with_the_numbers() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let clients = usize::try_from(hard).unwrap();
        assert!(
            allow_sockets(clients).unwrap_err().to_string().contains(&format!("may have {hard} at most"))
        );
        assert!(allow_sockets(1).is_ok());
    }
}
