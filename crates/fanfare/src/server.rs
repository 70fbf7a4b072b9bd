//! The running server: accepts connections, hands requests to the topology, and stops in order.

use std::convert::Infallible;
#[cfg(feature = "sink_sse")]
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use fanfare_config::Config;
use fanfare_log::EventLog;
#[cfg(feature = "sink_sse")]
use fanfare_stream::CloseReason;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::exit::Exit;
use crate::http::body::Body;
use crate::http::{Deadlines, Listener, Peer, Transport, redirect};
use crate::problem::Problem;
#[cfg(feature = "sink_sse")]
use crate::sinks::sse::Hub;
use crate::sources::Publisher;
use crate::topology::{Endpoint, Endpoints, Topology};
use crate::turns::Turns;

/// How long requests that are under way may take to finish once the server stops. Supervisors commonly kill after ten
/// seconds (Docker) to thirty (Kubernetes).
const STOP_WITHIN: Duration = Duration::from_secs(8);

/// Threads that write streams, where the configuration does not say how many: more than there are on most machines, and as
/// many as it may say.
#[cfg(feature = "sink_sse")]
const MAX_DELIVERY_THREADS: NonZeroUsize = NonZeroUsize::new(fanfare_reactor::MAX_THREADS).unwrap();

/// Connections that begin, and that are accepted, one after the other, for each processor: a fraction of a millisecond's worth.
const BEGIN_AT_ONCE: usize = 24;

/// How long no more begin then. When thousands come at once, a publisher and its event would otherwise wait behind all of
/// them, several times over. With this there is time for them, and on one processor six thousand clients a second begin;
/// those who have to wait are where they cost least, in the kernel's backlog.
const BEGIN_PAUSE: Duration = Duration::from_millis(1);

/// A server whose sockets listen, and which serves nobody yet.
pub(crate) struct Server {
    listeners: Vec<(Listener, Arc<Endpoints>)>,
    deadlines: Deadlines,
    service: Arc<Service>,
    #[cfg(feature = "identity_jwt")]
    published: Vec<Arc<crate::sinks::sse::Published>>,
    runners: Vec<crate::sources::Runner>,
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Open(#[from] fanfare_log::OpenError),
    #[cfg(feature = "sink_sse")]
    #[error(transparent)]
    Hub(#[from] crate::sinks::sse::StartError),
}

/// What requests are answered with.
struct Service {
    log: Arc<dyn EventLog>,
    publisher: Publisher,
    #[cfg(feature = "sink_sse")]
    hub: Arc<Hub>,
}

impl Server {
    /// `listeners` are those that the topology names, and `admin` is the operator's.
    pub(crate) async fn new(
        listeners: Vec<Listener>,
        admin: Option<Listener>,
        config: &Config,
        mut topology: Topology,
    ) -> Result<Self, StartError> {
        let log = crate::log::open(config)?;
        #[cfg(feature = "sink_sse")]
        let hub = {
            let limits = fanfare_stream::WindowLimits {
                events: config.log.window.events,
                bytes: config.log.window.bytes,
            };
            let profiles = topology.profiles.clone();
            Arc::new(
                Hub::new(Arc::clone(&log), limits, profiles, topology.has_tokens, reactor(config)).await?,
            )
        };
        #[cfg(feature = "identity_jwt")]
        let published = std::mem::take(&mut topology.published);
        let runners = std::mem::take(&mut topology.runners);
        let admin = admin.map(|listener| (listener, Arc::new(topology.take_admin())));
        let listeners = listeners.into_iter().map(|listener| {
            let endpoints = topology.take_endpoints(listener.name());
            (listener, Arc::new(endpoints))
        });
        let listeners = listeners.chain(admin).collect();
        let service = Service {
            publisher: Publisher::new(Arc::clone(&log), topology.routes),
            log,
            #[cfg(feature = "sink_sse")]
            hub,
        };
        let deadlines = Deadlines { header: config.http.header_timeout, send: config.http.send_timeout };
        Ok(Self {
            listeners,
            deadlines,
            service: Arc::new(service),
            #[cfg(feature = "identity_jwt")]
            published,
            runners,
        })
    }

    /// Serves until `stop` is done.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>) -> Exit {
        let Self {
            listeners,
            deadlines,
            service,
            #[cfg(feature = "identity_jwt")]
            published,
            runners,
        } = self;
        #[cfg(feature = "sink_sse")]
        let feeding = tokio::spawn(Arc::clone(&service.hub).follow());
        #[cfg(not(feature = "sink_sse"))]
        let feeding = std::future::pending::<()>();
        // Dropped with the tasks in it when the server stops.
        #[cfg(feature = "identity_jwt")]
        let _fetching: JoinSet<()> =
            published.into_iter().map(crate::sinks::sse::Published::keep_fresh).collect();
        // Dropped with the sources in it when the server stops.
        let running: JoinSet<()> = runners
            .into_iter()
            .map(|runner| {
                let service = Arc::clone(&service);
                async move { runner.run(&service.publisher).await }
            })
            .collect();
        // Dropped when the server stops.
        #[cfg(feature = "tls")]
        let _reading_anew: JoinSet<()> = listeners
            .iter()
            .filter_map(|(listener, _)| match listener.transport() {
                Transport::Tls(tls) => Some(Arc::clone(tls).keep_fresh()),
                Transport::Tcp => None,
            })
            .collect();
        let turns = Arc::new(Turns::new());
        // Dropped when the server stops; who waits for a turn then ends with the others.
        let mut giving = JoinSet::new();
        giving.spawn({
            let turns = Arc::clone(&turns);
            let processors = std::thread::available_parallelism().map_or(1, usize::from);
            async move { turns.keep_giving(BEGIN_AT_ONCE * processors, BEGIN_PAUSE).await }
        });
        let (stopping, stopped) = watch::channel(false);
        // Each connection holds one of these, so that `ended` says when there is none any more.
        let (open, mut ended) = mpsc::channel::<Infallible>(1);
        let mut accepting: JoinSet<()> = listeners
            .into_iter()
            .map(|(listener, endpoints)| {
                let (service, stopped) = (Arc::clone(&service), stopped.clone());
                accept(
                    listener,
                    deadlines,
                    Arc::clone(&turns),
                    stopped,
                    open.clone(),
                    move |peer, request| answer(Arc::clone(&service), Arc::clone(&endpoints), peer, request),
                )
            })
            .collect();
        let exit = tokio::select! {
            () = stop => Exit::Done,
            ended = feeding => {
                warn!(?ended, "delivery ended; stopping");
                Exit::Failed
            }
        };
        accepting.shutdown().await;
        drop(running);
        let connections = open.downgrade();
        drop(open);
        #[cfg(feature = "sink_sse")]
        let streams = || service.hub.streams();
        #[cfg(not(feature = "sink_sse"))]
        let streams = || 0;
        let under_way = connections.strong_count();
        info!(connections = under_way, streams = streams(), "stopping: finishing what is under way");
        stopping.send_replace(true);
        #[cfg(feature = "sink_sse")]
        service.hub.end(CloseReason::Shutdown);
        let finished = tokio::time::timeout(STOP_WITHIN, async {
            ended.recv().await;
            // Those that left their connections.
            #[cfg(feature = "sink_sse")]
            service.hub.all_over().await;
        });
        if finished.await.is_err() {
            let under_way = connections.strong_count();
            warn!(connections = under_way, streams = streams(), "stopped before these had finished");
        }
        exit
    }
}

/// Who writes streams of plain HTTP/1.1: `None` where the HTTP library does, as it does all others. The reactor is for
/// Linux: elsewhere nobody has tried it.
#[cfg(feature = "sink_sse")]
fn reactor(config: &Config) -> Option<fanfare_reactor::Options> {
    let fanfare_config::Http { delivery, delivery_threads, send_timeout, .. } = config.http;
    let is_wanted = cfg!(target_os = "linux") && delivery == fanfare_config::DeliveryPath::Reactor;
    is_wanted.then(|| fanfare_reactor::Options {
        threads: delivery_threads
            .and_then(NonZeroUsize::new)
            .or_else(|| std::thread::available_parallelism().ok())
            .unwrap_or(NonZeroUsize::MIN)
            .min(MAX_DELIVERY_THREADS),
        send_timeout,
    })
}

/// Accepts the connections of a listener, for ever, and serves each in a task of its own, which holds `open` while it runs.
/// One that accepts is enough: 10,000 clients that connect at once are all subscribed after half a second of one processor.
async fn accept<S, F>(
    mut listener: Listener,
    deadlines: Deadlines,
    turns: Arc<Turns>,
    stopped: watch::Receiver<bool>,
    open: mpsc::Sender<Infallible>,
    service: S,
) where
    S: Fn(Peer, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    for number in 1_usize.. {
        let (stream, address) = listener.accept().await;
        let (stopped, service, open, turn) =
            (stopped.clone(), service.clone(), open.clone(), Arc::clone(&turns));
        match listener.transport() {
            Transport::Tcp => tokio::spawn(async move {
                crate::http::serve(stream, address, deadlines, &turn, stopped, service).await;
                drop(open);
            }),
            #[cfg(feature = "tls")]
            Transport::Tls(tls) => {
                let tls = Arc::clone(tls);
                tokio::spawn(async move {
                    tls.serve(stream, address, deadlines, &turn, stopped, service).await;
                    drop(open);
                })
            }
        };
        if number.is_multiple_of(BEGIN_AT_ONCE) {
            turns.take().await;
        }
    }
}

#[cfg_attr(
    not(any(
        feature = "sink_http_pull",
        feature = "sink_sse",
        feature = "source_rest",
        feature = "source_webhook"
    )),
    expect(unused_variables, reason = "a page needs nothing of the service")
)]
/// What endpoints need while they answer is on the heap: a connection keeps the room for this future for as long as it
/// lives, which is long for a stream.
async fn answer(
    service: Arc<Service>,
    endpoints: Arc<Endpoints>,
    peer: Peer,
    request: Request<Incoming>,
) -> Response<Body> {
    let path = request.uri().path();
    match endpoints.at(path) {
        None => {
            #[cfg(feature = "source_rest")]
            if let Some((operations, values)) = endpoints.operations(path) {
                return Box::pin(operations.handle(&service.publisher, &peer, &values, request)).await;
            }
            if let Some((beside, cors)) = endpoints.beside(path) {
                debug!(peer = %peer.address, path, to = beside, "redirected");
                return redirect(&beside, cors, &request);
            }
            debug!(peer = %peer.address, path, "nothing is served here");
            Problem::not_found().into_response()
        }
        #[cfg(feature = "source_webhook")]
        Some(Endpoint::Webhook(webhook)) => {
            Box::pin(webhook.handle(&service.publisher, &peer, request)).await
        }
        #[cfg(feature = "sink_sse")]
        Some(Endpoint::Stream(stream)) => Box::pin(stream.handle(&service.hub, &peer, &request)).await,
        #[cfg(feature = "sink_http_pull")]
        Some(Endpoint::Pull(pull)) => Box::pin(pull.handle(&service.log, &peer, &request)).await,
        #[cfg(feature = "sink_sse")]
        Some(Endpoint::Admin(admin)) => Box::pin(admin.handle(&service.hub, &peer, &request)).await,
        Some(Endpoint::Page(page)) => page.answer(request.method()),
    }
}
