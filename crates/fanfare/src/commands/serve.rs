//! `fanfare serve`: from a configuration to a running server.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use fanfare_config::{Config, Extractor, LogKind, SinkKind};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};

use super::{complain, environment, print, show};
use crate::cli::ServeArguments;
use crate::exit::Exit;
use crate::http::{Listener, SocketOptions, Transport, raise_descriptor_limit, report_backlog};
use crate::server::{Server, StartError};
use crate::topology::{ADMIN_PATH, ListenerName, Topology};
use crate::viewer;

/// For calls of the system that nobody can call off: the look-up of a name, a file on a server that is away. All that is to be
/// kept is kept by then.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

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
    raise_descriptor_limit(streams(config));
    report_backlog();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "the threads cannot be started");
            return Exit::Failed;
        }
    };
    let exit = runtime.block_on(async {
        if is_builtin {
            topology.add_pages(&viewer::PAGES);
        }
        let listeners = match listen(config, &topology).await {
            Ok(listeners) => listeners,
            Err(exit) => return exit,
        };
        let default = listeners.iter().find(|listener| listener.name().is_none());
        let bound = default.map_or(config.http.port, |listener| listener.address().port());
        if bound != config.http.port {
            // The port was open until now, and events that do not say where they come from name it.
            topology = Topology::build(config, &config.http.root_url(bound), &mut loaded.diagnostics);
            if is_builtin {
                topology.add_pages(&viewer::PAGES);
            }
        }
        let admin = match listen_admin(config).await {
            Ok(admin) => admin,
            Err(exit) => return exit,
        };
        let admin_address = admin.as_ref().map(Listener::url);
        let addresses: Addresses =
            listeners.iter().map(|listener| (listener.name().map(str::to_owned), listener.url())).collect();
        let server = match Server::new(listeners, admin, config, topology).await {
            Ok(server) => server,
            Err(StartError::Open(error)) => {
                let mut advice = error.advice();
                if advice.contains("log.path") {
                    advice.push_str(match arguments.config.as_deref() {
                        Some(path) if fanfare_config::is_inboxclaw(path) => {
                            "; in this file `log.path` is `database.db_path`"
                        }
                        Some(path) if fanfare_config::is_mycel(path) => {
                            "; here FANFARE__LOG__PATH in the environment is `log.path`"
                        }
                        _ => "",
                    });
                }
                complain(&format!("cannot open the log: {error}"), &advice);
                return Exit::Failed;
            }
            #[cfg(feature = "sink_sse")]
            Err(StartError::Hub(error)) => {
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
        print(&welcome(config, &addresses, admin_address.as_deref(), is_builtin));
        server.run(stop).await
    });
    runtime.shutdown_timeout(LEAVE_WITHIN);
    exit
}

/// How many streams the sinks let in together.
fn streams(config: &Config) -> usize {
    let streams = config.sinks.iter().map(|sink| match &sink.kind {
        SinkKind::Sse(sse) => sse.max_connections,
        SinkKind::HttpPull(_) => 0,
    });
    streams.fold(0, usize::saturating_add)
}

/// Listens wherever something is served.
async fn listen(config: &Config, topology: &Topology) -> Result<Vec<Listener>, Exit> {
    let mut listeners = Vec::new();
    for name in topology.listeners() {
        let settings = config.listeners.iter().find(|listener| Some(&listener.name) == name.as_ref());
        let (host, port) = settings.map_or((&config.http.host, config.http.port), |it| (&it.host, it.port));
        let table =
            name.as_ref().map_or("HTTP".to_owned(), |name| format!("LISTENERS__{}", name.to_uppercase()));
        let transport = topology.transport(name.as_deref());
        listeners.push(bind(name.clone(), (host, port), transport, &table, options(config)).await?);
    }
    Ok(listeners)
}

/// Listens for the operator.
async fn listen_admin(config: &Config) -> Result<Option<Listener>, Exit> {
    match &config.admin {
        Some(admin) => {
            bind(None, (&admin.host, admin.port), Transport::Tcp, "ADMIN", options(config)).await.map(Some)
        }
        None => Ok(None),
    }
}

fn options(config: &Config) -> SocketOptions {
    SocketOptions { send_timeout: config.http.send_timeout }
}

/// `table` is where the address is configured, as variables spell it.
async fn bind(
    name: Option<String>,
    (host, port): (&str, u16),
    transport: Transport,
    table: &str,
    options: SocketOptions,
) -> Result<Listener, Exit> {
    Listener::bind(name, host, port, transport, options).await.map_err(|error| {
        // RFC 3986, 3.2.2: an IPv6 address stands in brackets.
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        complain(&format!("cannot listen on {host}:{port}: {error}"), &advice(error.kind(), table));
        Exit::Address
    })
}

/// What to do about an address that cannot be listened on.
fn advice(kind: io::ErrorKind, table: &str) -> String {
    let what = match kind {
        io::ErrorKind::AddrInUse => "another program listens there",
        io::ErrorKind::PermissionDenied => "ports below 1024 are for root (or CAP_NET_BIND_SERVICE)",
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address",
        _ => "`host` must be an address of this machine, or a name for one",
    };
    format!("{what}; FANFARE__{table}__PORT and FANFARE__{table}__HOST set others")
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

/// Where each listener is, as a URL without a path.
type Addresses = BTreeMap<ListenerName, String>;

/// What a person at the terminal sees first: the addresses, where events are kept, and what to try.
fn welcome(config: &Config, addresses: &Addresses, admin: Option<&str>, is_builtin: bool) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for (name, address) in addresses {
        let _ = match name {
            None => writeln!(text, "listening on {address}"),
            Some(name) => writeln!(text, "listening on {address} as {name}"),
        };
    }
    let at = |listener: &ListenerName, path: &str| {
        let address = addresses.get(listener).map_or("", String::as_str);
        format!("{address}{path}")
    };
    let mut line = |what: &str, place: &str| {
        let _ = writeln!(text, "  {what:<8} {place}");
    };
    for source in &config.sources {
        match &source.extractor {
            Some(Extractor::Webhook(webhook)) => line("webhook", &at(&webhook.listener, &webhook.path)),
            Some(Extractor::Rest(rest)) => {
                for operation in &rest.operations {
                    line(&operation.method, &at(&rest.listener, &operation.path));
                }
            }
            Some(Extractor::Sse(sse)) => line("source", &sse.url.shown),
            _ => {}
        }
    }
    for sink in &config.sinks {
        match &sink.kind {
            SinkKind::Sse(sse) => line("stream", &at(&sse.listener, &sse.path)),
            SinkKind::HttpPull(pull) => {
                line("extract", &at(&pull.listener, &pull.extract_path));
                line("confirm", &at(&pull.listener, &pull.mark_processed_path));
            }
        }
    }
    if is_builtin {
        line("viewer", &at(&None, "/"));
    }
    if let Some(address) = admin {
        line("admin", &format!("{address}{ADMIN_PATH}"));
    }
    match &config.log.kind {
        LogKind::Sqlite(sqlite) => line("log", &sqlite.path.display().to_string()),
        LogKind::Memory => line("log", "in memory: events end with the process"),
    }
    if let Some(address) = addresses.get(&None).filter(|_| is_builtin) {
        // The certificate may be for a name that leads here, and is hardly for this address.
        let insecure = if address.starts_with("https") { "--insecure " } else { "" };
        let _ = write!(
            text,
            "\nTry it:\n  curl {insecure}-X POST {address}/webhook/events -H 'content-type: application/json' \
             -d '{{\"type\":\"hello\",\"message\":\"world\"}}'\n"
        );
    }
    text
}
