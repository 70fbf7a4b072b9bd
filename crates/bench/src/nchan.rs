//! nginx with nchan, as Debian packages them (`nginx`, `libnginx-mod-nchan`): one worker, messages in memory, no access
//! log. The worker is what is measured; the master only waits for it.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use tempfile::TempDir;

use crate::process::{self, Process};
use crate::target::{Paths, Site};

const BINARY: &str = "/usr/sbin/nginx";
const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// How long it may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks at whether it has.
const LOOK: Duration = Duration::from_millis(5);

const PATHS: Paths = Paths { publish: "/publish", stream: "/stream", quiet: "/quiet" };

/// A running server. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Nginx {
    master: Child,
    worker: u32,
    process: Process,
    addr: SocketAddr,
    _dir: TempDir,
}

impl Nginx {
    pub(crate) fn start() -> io::Result<Self> {
        for path in [BINARY, MODULE] {
            if !Path::new(path).exists() {
                let problem = format!("there is no {path}: apt-get install nginx libnginx-mod-nchan");
                return Err(io::Error::new(io::ErrorKind::NotFound, problem));
            }
        }
        let dir = TempDir::with_prefix("fanfare-bench-nginx-")?;
        // The port is free again when nginx takes it. Whoever takes it in between makes the start fail, not wrong.
        let addr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        fs::write(dir.path().join("nginx.conf"), config(dir.path(), addr, process::most_sockets()?))?;
        let log = dir.path().join("error.log");
        let mut master = Command::new(BINARY)
            .arg("-c")
            .arg(dir.path().join("nginx.conf"))
            .arg("-p")
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()?;
        match worker(&mut master, addr).and_then(|worker| Ok((worker, Process::new(worker)?))) {
            Ok((worker, process)) => Ok(Self { master, worker, process, addr, _dir: dir }),
            Err(error) => {
                end(&mut master, None);
                let log = fs::read_to_string(&log).unwrap_or_default();
                Err(io::Error::new(error.kind(), format!("{error}:\n{log}")))
            }
        }
    }

    pub(crate) fn site(&self) -> Site {
        Site { addr: self.addr, paths: &PATHS }
    }

    pub(crate) fn worker(&self) -> Process {
        self.process
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        end(&mut self.master, Some(self.worker));
    }
}

/// Waits until there is a worker and somebody listens.
fn worker(master: &mut Child, addr: SocketAddr) -> io::Result<u32> {
    let id = master.id();
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = master.try_wait()? {
            return Err(io::Error::other(format!("nginx ended with {status}")));
        }
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        if let Some(worker) = children.split_whitespace().next().and_then(|worker| worker.parse().ok())
            && TcpStream::connect(addr).is_ok()
        {
            return Ok(worker);
        }
        if Instant::now() >= deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "nginx did not start"));
        }
        thread::sleep(LOOK);
    }
}

/// Asks the master to end, which ends its worker first; kills both where it does not.
fn end(master: &mut Child, worker: Option<u32>) {
    let send = |id: u32, signal: Signal| i32::try_from(id).map(|id| kill(Pid::from_raw(id), signal));
    let deadline = Instant::now() + PATIENCE;
    let _ = send(master.id(), Signal::SIGTERM);
    while matches!(master.try_wait(), Ok(None)) {
        if Instant::now() >= deadline {
            // As long as the master has not been waited for, the worker's id is nobody else's.
            worker.map(|worker| send(worker, Signal::SIGKILL));
            let _ = master.kill();
            let _ = master.wait();
            return;
        }
        thread::sleep(LOOK);
    }
}

fn config(dir: &Path, addr: SocketAddr, sockets: u32) -> String {
    let dir = dir.display();
    // The worker needs its folder, which is this user's.
    let user = if Uid::effective().is_root() { "user root;" } else { "" };
    let connections = sockets.saturating_sub(64).max(512);
    format!(
        "load_module {MODULE};
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile {sockets};
pid {dir}/nginx.pid;
error_log stderr warn;
events {{ worker_connections {connections}; use epoll; multi_accept on; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    client_body_buffer_size 128k;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    nchan_shared_memory_size 256m;
    server {{
        listen {addr} backlog=4096;
        location = {} {{ nchan_publisher; nchan_channel_id events; nchan_message_buffer_length 1000; }}
        location = {} {{
            nchan_subscriber eventsource; nchan_channel_id events;
            nchan_subscriber_first_message newest; nchan_eventsource_ping_interval 30;
        }}
        location = {} {{
            nchan_subscriber eventsource; nchan_channel_id quiet;
            nchan_subscriber_first_message newest; nchan_eventsource_ping_interval 30;
        }}
    }}
}}
",
        PATHS.publish, PATHS.stream, PATHS.quiet
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_what_the_documentation_says() {
        let config = config(Path::new("/x"), ([127, 0, 0, 1], 81).into(), 20_000);
        for part in [
            "worker_processes 1;",
            "worker_connections 19936;",
            "access_log off;",
            "listen 127.0.0.1:81 backlog=4096;",
            "location = /stream {\n            nchan_subscriber eventsource;",
            "pid /x/nginx.pid;",
        ] {
            assert!(config.contains(part), "{part}\n{config}");
        }
    }
}
