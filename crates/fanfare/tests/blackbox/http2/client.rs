//! A client of HTTP/2 that takes of each stream what the test says.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;
use fanfare_testkit::sse::{Event, Item, Parser};
use h2::client::{Builder, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::kit::LONG;

/// Bytes of one stream that the client takes before it is told that they were read; the least that a server meets.
pub(crate) const WINDOW: u32 = 64 * 1024;

/// The same of all streams together.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// A connection.
pub(crate) struct Connection {
    requests: SendRequest<Bytes>,
    /// Done when it is over.
    driver: tokio::task::JoinHandle<()>,
}

impl Connection {
    /// Without TLS, by prior knowledge (RFC 9113, 3.3).
    pub(crate) async fn tcp(addr: SocketAddr) -> Self {
        Self::with_window(addr, WINDOW).await
    }

    /// The same, with another window for each stream.
    pub(crate) async fn with_window(addr: SocketAddr, window: u32) -> Self {
        Self::over(TcpStream::connect(addr).await.unwrap(), window).await
    }

    #[cfg(feature = "tls")]
    pub(crate) async fn tls(addr: SocketAddr, client: &fanfare_testkit::tls::TlsClient) -> Self {
        let connector = tokio_rustls::TlsConnector::from(client.config());
        let tcp = TcpStream::connect(addr).await.unwrap();
        Self::over(connector.connect(addr.ip().into(), tcp).await.unwrap(), WINDOW).await
    }

    async fn over<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static>(io: IO, window: u32) -> Self {
        let mut builder = Builder::new();
        builder
            .initial_window_size(window)
            .initial_connection_window_size(CONNECTION_WINDOW.max(window * 4))
            .enable_push(false);
        let (requests, connection) = builder.handshake(io).await.unwrap();
        let driver = tokio::spawn(async move {
            // How it ends is seen at its streams.
            let _ = connection.await;
        });
        Self { requests, driver }
    }

    /// Sends a request whose body may follow.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        has_body: bool,
    ) -> (SendStream<Bytes>, impl Future<Output = Response<RecvStream>> + use<>) {
        let mut request = Request::builder().method(method).uri(format!("http://localhost{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut ready = self.requests.clone().ready().await.unwrap();
        let (answer, body) = ready.send_request(request.body(()).unwrap(), !has_body).unwrap();
        (body, async move { timeout(LONG, answer).await.unwrap().unwrap() })
    }

    /// Opens a stream of events.
    pub(crate) async fn stream(&self, path: &str, headers: &[(&str, &str)]) -> Stream {
        let (_, answer) = self.request("GET", path, headers, false).await;
        let (head, body) = answer.await.into_parts();
        assert_eq!(head.status, 200);
        Stream { headers: head.headers, body, parser: Parser::new(), ready: VecDeque::new() }
    }

    /// Publishes an event, which must be stored.
    pub(crate) async fn publish(&self, path: &str, event: &serde_json::Value) {
        let (mut body, answer) = self.request("POST", path, &[], true).await;
        body.send_data(event.to_string().into(), true).unwrap();
        assert_eq!(answer.await.status(), 201);
    }

    /// Waits until the server ends it.
    pub(crate) async fn closed(&mut self) {
        timeout(LONG, &mut self.driver).await.unwrap().unwrap();
    }

    /// Lets it go, and waits until it is over.
    pub(crate) async fn ended(self) {
        drop(self.requests);
        timeout(LONG, self.driver).await.unwrap().unwrap();
    }
}

/// A stream of events.
pub(crate) struct Stream {
    pub(crate) headers: HeaderMap,
    body: RecvStream,
    parser: Parser,
    ready: VecDeque<Item>,
}

impl Stream {
    /// The next event; comments and blocks without data are skipped.
    pub(crate) async fn next_event(&mut self) -> Event {
        loop {
            match self.next().await {
                Ok(Item::Event(event)) => return event,
                Ok(_) => {}
                Err(reason) => panic!("the stream ended ({reason:?}) before the next event"),
            }
        }
    }

    /// What comes next, or why there is nothing more.
    pub(crate) async fn next(&mut self) -> Result<Item, Option<Reason>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(item);
            }
            match timeout(LONG, self.body.data()).await.unwrap() {
                Some(Ok(data)) => {
                    self.body.flow_control().release_capacity(data.len()).unwrap();
                    self.ready.extend(self.parser.push(&data));
                }
                Some(Err(error)) => return Err(error.reason()),
                None => return Err(None),
            }
        }
    }

    /// What comes until the end, and why it ends; `None` for an end in order.
    pub(crate) async fn read_to_end(&mut self) -> (Vec<Item>, Option<Reason>) {
        let mut items = Vec::new();
        loop {
            match self.next().await {
                Ok(item) => items.push(item),
                Err(reason) => return (items, reason),
            }
        }
    }
}
