//! A batch of messages: through the transformers, into the log, and settled, in the order in which they came.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use fanfare_amqp::{Consumer, Message, Outcome, Receipt};
use fanfare_event::SourceName;
use fanfare_log::{AppendError, Appended, Batch, SourcePosition};
use fanfare_source::Delivery;
use fanfare_source::amqp::{self, Amqp, Fingerprint, Refusal, Unconfirmed};
use jiff::Timestamp;

use super::MAX_BATCH;
use crate::ids::fresh_event_id;
use crate::sources::Publisher;
use crate::sources::patience::{FIRST_PAUSE, Patience, is_in_flight};
use crate::sources::publish::Prepared;
use crate::sources::refusals::{Kind, Refusals};

/// What becomes of a message that is refused.
const CONSEQUENCE: &str =
    "it goes to the queue's dead-letter exchange; where the queue has none the broker drops it";

/// What does the work of a source.
pub(super) struct Worker<'p> {
    amqp: Arc<Amqp>,
    source: SourceName,
    concurrency: usize,
    publisher: &'p Publisher,
    unconfirmed: Unconfirmed,
    /// Whether the log has a position that names messages whose acknowledgements are known to be taken.
    is_position_stale: bool,
    refusals: Refusals,
}

/// A message that is not settled.
struct Pending {
    message: amqp::Message,
    receipt: Receipt,
    /// Of a message without an id.
    fingerprint: Option<Fingerprint>,
    /// Whether the log has it: the broker delivers it again.
    is_known: bool,
    /// Why nobody can know what it is.
    unreadable: Option<String>,
}

/// A message that has been looked at.
struct Taken {
    receipt: Receipt,
    fate: Fate,
}

enum Fate {
    /// The log has it, or need not have it.
    Done,
    /// It cannot be an event.
    Refused,
    /// It is to be stored.
    Store(Prepared, Option<Fingerprint>),
}

impl<'p> Worker<'p> {
    pub(super) fn new(
        amqp: Arc<Amqp>,
        concurrency: usize,
        unconfirmed: Unconfirmed,
        publisher: &'p Publisher,
    ) -> Self {
        Self {
            source: amqp.intake().name().clone(),
            amqp,
            concurrency,
            publisher,
            unconfirmed,
            is_position_stale: false,
            refusals: Refusals::new(CONSEQUENCE),
        }
    }

    /// What comes now comes on another connection.
    pub(super) fn reconnected(&mut self) {
        self.unconfirmed.reconnected();
    }

    /// Works messages off that came on one connection, in order, and settles each.
    pub(super) async fn work(&mut self, messages: Vec<Message>, consumer: &Consumer) {
        let mut waiting: VecDeque<_> = messages.into_iter().map(|message| self.look_at(message)).collect();
        while !waiting.is_empty() {
            let mut taken = self.take(&mut waiting, MAX_BATCH);
            if taken.is_empty() {
                // Alone nobody is before it.
                taken = self.take(&mut waiting, 1);
            }
            if taken.is_empty() {
                tokio::time::sleep(FIRST_PAUSE).await;
            }
            self.store(&mut taken).await;
            settle(taken).await;
        }
        if self.unconfirmed.is_waiting() && consumer.flush().await {
            self.unconfirmed.confirmed();
            self.is_position_stale = true;
        }
    }

    /// There is nothing to do just now: the log is told that nothing is to be recognized any more. A message that equals
    /// one of those and is new could otherwise be taken for it after a crash.
    pub(super) async fn rest(&mut self) {
        if self.is_position_stale && !self.unconfirmed.is_waiting() {
            let position = self.position_with(&[]);
            let stored =
                self.publisher.log().append(Batch { events: Vec::new(), position: Some(position) }).await;
            // It is tried again when there is nothing to do once more.
            self.is_position_stale = stored.iter().any(Result::is_err);
        }
    }

    fn look_at(&mut self, message: Message) -> Pending {
        let Message { body, exchange, routing_key, redelivered, headers, properties, unreadable, receipt } =
            message;
        let message = amqp::Message { body, exchange, routing_key, redelivered, headers, properties };
        let fingerprint = message.id().is_none().then(|| message.fingerprint());
        if !redelivered {
            self.unconfirmed.is_behind();
        }
        let is_known = redelivered && fingerprint.is_some_and(|message| self.unconfirmed.recognize(message));
        Pending { message, receipt, fingerprint, is_known, unreadable }
    }

    /// Takes messages from the front, as far as transformers can decide on them before the others are stored.
    fn take(&mut self, waiting: &mut VecDeque<Pending>, most: usize) -> Vec<Taken> {
        let mut taken = Vec::with_capacity(waiting.len());
        for accepted in self.accept(waiting, most) {
            // What a transformer remembers of one of those before decides on this one. Where it is the first, one behind it
            // was faster on another thread; it is forgotten with its answer.
            if matches!(&accepted, Some(Err(Refusal::Event(error))) if is_in_flight(error)) {
                break;
            }
            let Some(pending) = waiting.pop_front() else { break };
            let fate = match accepted {
                None if let Some(problem) = &pending.unreadable => self.refuse(Kind::Body, problem),
                None => Fate::Done,
                Some(Ok(delivery)) => self.prepare(&pending, delivery),
                Some(Err(refusal)) => {
                    let kind = if let Refusal::Event(_) = refusal { Kind::Event } else { Kind::Body };
                    self.refuse(kind, &refusal.to_string())
                }
            };
            taken.push(Taken { receipt: pending.receipt, fate });
        }
        taken
    }

    /// What transformers make of messages, in order; `None` for those that need not be asked about. As many threads as messages may be
    /// worked on at once do it, and others take over what else the runtime has to do.
    fn accept(&self, waiting: &mut VecDeque<Pending>, most: usize) -> Vec<Option<Result<Delivery, Refusal>>> {
        let accept = |pending: &Pending| {
            let amqp = &self.amqp;
            (!pending.is_known && pending.unreadable.is_none())
                .then(|| amqp.accept(&pending.message, Timestamp::now(), fresh_event_id))
        };
        let waiting = &*waiting.make_contiguous();
        let waiting = waiting.get(..most).unwrap_or(waiting);
        let share = waiting.len().div_ceil(self.concurrency.max(1)).max(1);
        tokio::task::block_in_place(|| {
            if share >= waiting.len() {
                return waiting.iter().map(accept).collect();
            }
            std::thread::scope(|scope| {
                let shares: Vec<_> = waiting
                    .chunks(share)
                    .map(|share| scope.spawn(move || share.iter().map(accept).collect::<Vec<_>>()))
                    .collect();
                // A thread that panicked has no answers, and nothing behind them is taken; it is told by the panic itself.
                shares.into_iter().map_while(|share| share.join().ok()).flatten().collect()
            })
        })
    }

    /// Decides where its events go, and what the log may call them.
    fn prepare(&mut self, pending: &Pending, delivery: Delivery) -> Fate {
        let is_named = delivery.events.iter().all(|finished| finished.named);
        // A name for this try alone: that the log did not say what became of it must not store it twice.
        let key = pending
            .message
            .id()
            .map_or_else(|| format!("try:{}", fresh_event_id()), |id| format!("amqp:{id}"));
        match self.publisher.prepare(delivery, Some(&key)) {
            Ok(prepared) if prepared.events.is_empty() => {
                prepared.delivery.commit();
                Fate::Done
            }
            Ok(prepared) => Fate::Store(prepared, pending.fingerprint.filter(|_| !is_named)),
            Err(error) => self.refuse(Kind::Route, &error.to_string()),
        }
    }

    fn refuse(&mut self, kind: Kind, problem: &str) -> Fate {
        self.refusals.refused(&self.source, kind, problem, Instant::now());
        Fate::Refused
    }

    /// Stores what is to be stored, however long the log takes nothing: messages wait, so that they keep their order.
    async fn store(&mut self, taken: &mut [Taken]) {
        let source = self.source.clone();
        let mut patience = Patience::new(&source);
        loop {
            let batch = self.batch(taken);
            if batch.events.is_empty() {
                break;
            }
            let mut appended = self.publisher.log().append(batch).await.into_iter();
            if let Some(error) = self.note(taken, &mut appended) {
                patience.wait(&error).await;
            }
        }
        patience.over();
    }

    /// What is not stored yet, as one record.
    fn batch(&self, taken: &[Taken]) -> Batch {
        let mut batch = Batch::default();
        let mut fingerprints = Vec::new();
        for Taken { fate, .. } in taken {
            if let Fate::Store(prepared, fingerprint) = fate {
                batch.events.extend(prepared.events.iter().cloned());
                fingerprints.extend(*fingerprint);
            }
        }
        // With a position the log stores all or nothing, so none is given where none is needed.
        batch.position = (!fingerprints.is_empty()).then(|| self.position_with(&fingerprints));
        batch
    }

    fn position_with(&self, fingerprints: &[Fingerprint]) -> (SourceName, SourcePosition) {
        (self.source.clone(), SourcePosition(self.unconfirmed.position_with(fingerprints).into()))
    }

    /// Notes what became of a record. The error is why the rest must wait; without one, what is left can be tried at once.
    fn note(
        &mut self,
        taken: &mut [Taken],
        appended: &mut impl Iterator<Item = Result<Appended, AppendError>>,
    ) -> Option<AppendError> {
        let mut waits = None;
        for Taken { fate, .. } in taken {
            let Fate::Store(prepared, fingerprint) = fate else { continue };
            let results = prepared.events.iter().map(|_| appended.next());
            let results = results
                .map(|result| result.unwrap_or_else(|| Err(AppendError::Unknown("no answer".to_owned()))));
            // To the end, so that the next message's answers are its own.
            let results: Vec<_> = results.collect();
            let Some(error) = results.into_iter().find_map(Result::err) else {
                self.unconfirmed.stored(*fingerprint);
                if let Fate::Store(prepared, _) = std::mem::replace(fate, Fate::Done) {
                    prepared.delivery.commit();
                }
                continue;
            };
            match error {
                AppendError::Rejected(_) => *fate = self.refuse(Kind::Log, &error.to_string()),
                AppendError::Unavailable(_) | AppendError::Unknown(_) => waits = waits.or(Some(error)),
            }
        }
        waits
    }
}

/// Settles messages in order. Those that are acknowledged one behind the other are told as one.
async fn settle(taken: Vec<Taken>) {
    let mut acknowledged = None;
    for Taken { receipt, fate } in taken {
        if let Fate::Refused = fate {
            if let Some(receipt) = acknowledged.take() {
                Receipt::ack_all(receipt).await;
            }
            receipt.settle(Outcome::Reject).await;
        } else {
            acknowledged = Some(receipt);
        }
    }
    if let Some(receipt) = acknowledged {
        receipt.ack_all().await;
    }
}
