//! One stream that the harness has started: a client of ours, and what it tells, posted to the harness in order.

use fanfare_client::{Client, Ended, Occasion};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::spawn_blocking;

use crate::callback::CallbackUrl;
use crate::parameters::Parameters;

/// A stream; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Stream {
    restart: UnboundedSender<()>,
}

impl Stream {
    /// Connects, and goes on by itself.
    pub(crate) fn start(runtime: &Runtime, parameters: Parameters) -> Self {
        let (restart, restarts) = mpsc::unbounded_channel();
        let callbacks = Callbacks { url: parameters.callback, sent: 0 };
        let settings = parameters.settings;
        // The client needs the runtime from its beginning.
        runtime.spawn(async move { run(Client::new(settings), callbacks, restarts).await });
        Self { restart }
    }

    /// Has the client leave the connection and come back.
    pub(crate) fn restart(&self) {
        // A stream that has ended for good stays ended.
        let _ = self.restart.send(());
    }
}

async fn run(mut client: Client, mut callbacks: Callbacks, mut restarts: UnboundedReceiver<()>) {
    loop {
        tokio::select! {
            // `None`: the stream was dropped.
            restart = restarts.recv() => match restart {
                Some(()) => client.restart(),
                None => return,
            },
            occasion = client.next() => {
                if let Some(message) = message(&occasion) {
                    callbacks.send(message).await;
                }
                if matches!(occasion, Occasion::Ended(_)) {
                    return;
                }
            }
        }
    }
}

/// What the harness is told of an occasion.
fn message(occasion: &Occasion) -> Option<Value> {
    let error = |text: String| Some(json!({ "kind": "error", "error": text }));
    match occasion {
        Occasion::Message(message) => {
            let id = message.last_event_id.as_deref().unwrap_or_default();
            let event = json!({ "type": message.kind, "data": message.data, "id": id });
            Some(json!({ "kind": "event", "event": event }))
        }
        Occasion::TooLarge => error("an event was too large".to_owned()),
        Occasion::Lost { error: lost, .. } => error(lost.to_string()),
        Occasion::Ended(Ended::NoContent) => error("the server has nothing more (204)".to_owned()),
        Occasion::Ended(Ended::GivenUp(last)) => error(format!("given up: {last}")),
        Occasion::Opened(_) | Occasion::Moved(_) => None,
    }
}

/// Where messages go. They are numbered from 1.
#[derive(Debug)]
struct Callbacks {
    url: CallbackUrl,
    sent: u64,
}

impl Callbacks {
    async fn send(&mut self, message: Value) {
        self.sent += 1;
        let (url, number) = (self.url.clone(), self.sent);
        // A harness that has stopped to listen is done with this stream, and will say so.
        let _ = spawn_blocking(move || url.post(number, &message)).await;
    }
}
