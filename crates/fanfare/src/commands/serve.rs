//! `fanfare serve`: from a configuration to a running server.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use fanfare_config::{Config, Extractor, LogKind, SinkKind};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};

use super::{complain, environment, print, show};
use crate::cli::ServeArguments;
use crate::exit::Exit;
use crate::http::{Listener, raise_descriptor_limit};
use crate::server::{Server, StartError};
use crate::topology::Topology;
use crate::viewer;

pub(crate) fn run(arguments: &ServeArguments) -> Exit {
    let env = environment();
    let mut loaded = match &arguments.config {
        Some(path) => fanfare_config::load(path, &env),
        None => fanfare_config::builtin(&env),
    };
    let config = &loaded.config;
    let mut topology =
        Topology::build(config, &config.http.root_url(config.http.port), &mut loaded.diagnostics);
    show(&loaded.diagnostics);
    if loaded.diagnostics.has_errors() {
        return Exit::Configuration;
    }
    let is_builtin = arguments.config.is_none();
    raise_descriptor_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "the threads cannot be started");
            return Exit::Failed;
        }
    };
    runtime.block_on(async {
        let (host, port) = (&config.http.host, config.http.port);
        let listener = match Listener::bind(host, port).await {
            Ok(listener) => listener,
            Err(error) => {
                // RFC 3986, 3.2.2: an IPv6 address stands in brackets.
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                complain(&format!("cannot listen on {host}:{port}: {error}"), &advice(error.kind()));
                return Exit::Address;
            }
        };
        let bound = listener.address().port();
        if bound != port {
            // The port was open until now, and events that do not say where they come from name it.
            topology = Topology::build(config, &config.http.root_url(bound), &mut loaded.diagnostics);
        }
        if is_builtin {
            topology.add_pages(&viewer::PAGES);
        }
        let server = match Server::new(listener, config, topology).await {
            Ok(server) => server,
            Err(StartError::Open(error)) => {
                let mut advice = error.advice();
                let is_inboxclaw = arguments.config.as_deref().is_some_and(fanfare_config::is_inboxclaw);
                if is_inboxclaw && advice.contains("log.path") {
                    advice.push_str("; in this file `log.path` is `database.db_path`");
                }
                complain(&format!("cannot open the log: {error}"), &advice);
                return Exit::Failed;
            }
            Err(StartError::Log(error)) => {
                error!(%error, "cannot start");
                return Exit::Failed;
            }
        };
        let stop = match stop_signal() {
            Ok(stop) => stop,
            Err(error) => {
                error!(%error, "signals cannot be received");
                return Exit::Failed;
            }
        };
        print(&welcome(config, &format!("http://{}", server.address()), is_builtin));
        server.run(stop).await
    })
}

/// What to do about an address that cannot be listened on.
fn advice(kind: io::ErrorKind) -> String {
    let what = match kind {
        io::ErrorKind::AddrInUse => "another program listens there",
        io::ErrorKind::PermissionDenied => "ports below 1024 are for root (or CAP_NET_BIND_SERVICE)",
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address",
        _ => "`host` must be an address of this machine, or a name for one",
    };
    format!("{what}; FANFARE__HTTP__PORT and FANFARE__HTTP__HOST set others")
}

/// SIGTERM and Ctrl-C. A second one ends the process at once.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!(signal = name, "asked to stop");
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            let _ = writeln!(io::stderr(), "asked again: stopping at once");
            std::process::exit(130);
        });
    })
}

/// What a person at the terminal sees first: the addresses, where events are kept, and what to try.
fn welcome(config: &Config, address: &str, is_builtin: bool) -> String {
    let mut text = format!("listening on {address}\n");
    // Writing to a string cannot fail.
    let mut line = |what: &str, path: &str| {
        let _ = writeln!(text, "  {what:<8} {address}{path}");
    };
    for source in &config.sources {
        if let Some(Extractor::Webhook(webhook)) = &source.extractor {
            line("webhook", &webhook.path);
        }
    }
    for sink in &config.sinks {
        match &sink.kind {
            SinkKind::Sse(sse) => line("stream", &sse.path),
            SinkKind::HttpPull(pull) => {
                line("extract", &pull.extract_path);
                line("confirm", &pull.mark_processed_path);
            }
        }
    }
    if is_builtin {
        line("viewer", "/");
    }
    let _ = match &config.log.kind {
        LogKind::Sqlite(sqlite) => writeln!(text, "  log      {}", sqlite.path.display()),
        LogKind::Memory => writeln!(text, "  log      in memory: events end with the process"),
    };
    if is_builtin {
        let _ = write!(
            text,
            "\nTry it:\n  curl -X POST {address}/webhook/events -H 'content-type: application/json' \
             -d '{{\"type\":\"hello\",\"message\":\"world\"}}'\n"
        );
    }
    text
}
