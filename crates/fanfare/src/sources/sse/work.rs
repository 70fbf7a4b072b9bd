//! A batch of what a stream brought: through the transformers and into the log, in its order, in one record with where the
//! stream resumes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use fanfare_client::Occasion;
use fanfare_event::SourceName;
use fanfare_log::{AppendError, Appended, Batch, SourcePosition};
use fanfare_source::sse::{Message, Missed, Position, Refusal, Sse};
use jiff::Timestamp;
use tracing::{debug, warn};

use crate::ids::fresh_event_id;
use crate::sources::Publisher;
use crate::sources::patience::{FIRST_PAUSE, Patience, is_in_flight};
use crate::sources::publish::Prepared;
use crate::sources::refusals::{Kind, Refusals};

/// What becomes of an event of a stream that is refused.
const CONSEQUENCE: &str = "it is left out, and the source goes on behind it";

/// What does the work of a source.
pub(super) struct Worker<'p> {
    sse: Sse,
    source: SourceName,
    publisher: &'p Publisher,
    max_event: usize,
    /// As the log has it, or will have it with the next record.
    position: Position,
    refusals: Refusals,
    /// How often something was missed, since the start.
    gaps: u64,
}

/// Something that a stream brought.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// An event that is taken, and what the stream resumes behind from there on.
    Event(Message, Option<Arc<str>>),
    /// What it resumes behind, without an event that is taken.
    Moved(Option<Arc<str>>),
    /// That something was missed.
    Missed(String),
}

/// An item that has been looked at.
struct Taken {
    item: Item,
    /// The source's position behind it.
    position: Position,
    /// What is to be stored of it, and to be committed once that is done.
    prepared: Option<Prepared>,
}

/// What the log made of a record.
enum Outcome {
    /// It has all of it; which of the events were new to it.
    Stored(Vec<bool>),
    /// It will never take the event at this place, and has taken none.
    Rejected(usize, AppendError),
    /// It may take it later, or has taken it.
    Waits(AppendError),
}

impl<'p> Worker<'p> {
    pub(super) fn new(sse: Sse, max_event: usize, position: Position, publisher: &'p Publisher) -> Self {
        let source = sse.intake().name().clone();
        let refusals = Refusals::new(CONSEQUENCE);
        Self { sse, source, publisher, max_event, position, refusals, gaps: 0 }
    }

    /// What an occasion means to the source; gives the bytes of it that are kept until they are worked off.
    pub(super) fn read(&mut self, occasion: Occasion, items: &mut VecDeque<Item>) -> usize {
        match occasion {
            Occasion::Message(message) => {
                let fanfare_client::Message { kind, data, last_event_id, position } = message;
                let message = Message { kind, data, last_event_id };
                if let Some(missed) = message.missed() {
                    items.push_back(self.missed(missed));
                }
                if !self.sse.takes(&message.kind) {
                    debug!(source = %self.source, kind = message.kind, "passed over");
                    items.push_back(Item::Moved(position));
                    return 0;
                }
                let id = message.last_event_id.as_ref().map_or(0, |id| id.len());
                let bytes = message.data.len() + message.kind.len() + id;
                items.push_back(Item::Event(message, position));
                bytes
            }
            Occasion::Moved(position) => {
                items.push_back(Item::Moved(position));
                0
            }
            Occasion::TooLarge => {
                let missed = format!("an event of more than {} bytes was left out", self.max_event);
                items.push_back(self.missed(missed));
                0
            }
            Occasion::Opened(_) | Occasion::Lost { .. } | Occasion::Ended(_) => 0,
        }
    }

    fn missed(&mut self, missed: String) -> Item {
        self.gaps += 1;
        warn!(
            source = %self.source, missed, total = self.gaps,
            "the stream has left something out; the next event's metadata says so (sse_missed)"
        );
        Item::Missed(missed)
    }

    /// Works items off, in order. However long the log takes nothing, they wait.
    pub(super) async fn work(&mut self, mut waiting: VecDeque<Item>) {
        while !waiting.is_empty() {
            let taken = tokio::task::block_in_place(|| self.take(&mut waiting));
            if taken.is_empty() {
                // What decides on the first one is on its way through somebody else.
                tokio::time::sleep(FIRST_PAUSE).await;
            }
            self.store(taken, &mut waiting).await;
        }
    }

    /// Takes items from the front, as far as transformers can decide on them before the others are stored.
    fn take(&mut self, waiting: &mut VecDeque<Item>) -> Vec<Taken> {
        let mut taken: Vec<Taken> = Vec::with_capacity(waiting.len());
        while let Some(item) = waiting.pop_front() {
            let before = taken.last().map_or(&self.position, |taken| &taken.position).clone();
            match self.look_at(item, before) {
                Ok(one) => taken.push(one),
                Err(item) => {
                    waiting.push_front(item);
                    break;
                }
            }
        }
        taken
    }

    /// What becomes of an item behind this position; itself where that cannot be decided yet.
    fn look_at(&mut self, item: Item, mut position: Position) -> Result<Taken, Item> {
        let (message, id) = match &item {
            Item::Event(message, id) => (message, id),
            Item::Moved(id) => {
                position.id.clone_from(id);
                return Ok(Taken { item, position, prepared: None });
            }
            Item::Missed(missed) => {
                position.missed.add(missed);
                return Ok(Taken { item, position, prepared: None });
            }
        };
        let accepted = self.sse.accept(message, &position.missed, Timestamp::now(), fresh_event_id);
        let prepared = match accepted {
            Err(Refusal::Event(error)) if is_in_flight(&error) => return Err(item),
            Err(refusal) => {
                let kind = if let Refusal::Event(_) = refusal { Kind::Event } else { Kind::Body };
                Err((kind, refusal.to_string()))
            }
            Ok(accepted) => {
                // A name for this try alone: that the log did not say what became of it must not store it twice.
                let key = accepted.key.unwrap_or_else(|| format!("try:{}", fresh_event_id()));
                let prepared = self.publisher.prepare(accepted.delivery, Some(&key));
                prepared.map_err(|error| (Kind::Route, error.to_string()))
            }
        };
        position.id.clone_from(id);
        match prepared {
            Ok(prepared) => {
                if !prepared.events.is_empty() {
                    position.missed = Missed::default();
                }
                Ok(Taken { item, position, prepared: Some(prepared) })
            }
            Err((kind, problem)) => {
                self.refusals.refused(&self.source, kind, &problem, Instant::now());
                Ok(Taken { item: Item::Moved(position.id.clone()), position, prepared: None })
            }
        }
    }

    /// Stores what was taken, all of it or, where the log will never have one of them, what is before that one; what is behind
    /// it waits again, because what it would have told is to be told by the next.
    async fn store(&mut self, mut taken: Vec<Taken>, waiting: &mut VecDeque<Item>) {
        let source = self.source.clone();
        let mut patience = Patience::new(&source);
        while let Some(batch) = self.batch(&taken) {
            let events = batch.events.len();
            match outcome(self.publisher.log().append(batch).await, events) {
                Outcome::Stored(are_new) => {
                    for missed in self.untold(&taken, &are_new).into_iter().rev() {
                        waiting.push_front(Item::Missed(missed));
                    }
                    break;
                }
                Outcome::Rejected(index, error) => self.leave_out(&mut taken, index, &error, waiting),
                Outcome::Waits(error) => patience.wait(&error).await,
            }
        }
        patience.over();
        for Taken { position, prepared, .. } in taken {
            self.position = position;
            if let Some(prepared) = prepared {
                prepared.delivery.commit();
            }
        }
    }

    /// All of it as one record; `None` where it has no events and moves nothing.
    fn batch(&self, taken: &[Taken]) -> Option<Batch> {
        let prepared = taken.iter().filter_map(|taken| taken.prepared.as_ref());
        let events: Vec<_> = prepared.flat_map(|prepared| &prepared.events).cloned().collect();
        let position = &taken.last()?.position;
        if events.is_empty() && *position == self.position {
            return None;
        }
        let position = SourcePosition(position.to_text().into());
        Some(Batch { events, position: Some((self.source.clone(), position)) })
    }

    /// What was missed and was to be told by events that the log had already, so that nobody hears it from them.
    fn untold(&self, taken: &[Taken], are_new: &[bool]) -> Vec<String> {
        let mut untold = Vec::new();
        let mut are_new = are_new.iter();
        let mut before = &self.position.missed;
        for Taken { position, prepared, .. } in taken {
            let count = prepared.as_ref().map_or(0, |prepared| prepared.events.len());
            let is_heard = are_new.by_ref().take(count).fold(false, |any, is_new| any | is_new);
            if count > 0 && !is_heard {
                untold.extend(before.texts());
            }
            before = &position.missed;
        }
        untold
    }

    /// Refuses what the event at this place came from.
    fn leave_out(
        &mut self,
        taken: &mut Vec<Taken>,
        event: usize,
        error: &AppendError,
        waiting: &mut VecDeque<Item>,
    ) {
        self.refusals.refused(&self.source, Kind::Log, &error.to_string(), Instant::now());
        let mut end = 0;
        let refused = taken.iter().position(|taken| {
            end += taken.prepared.as_ref().map_or(0, |prepared| prepared.events.len());
            event < end
        });
        let Some(refused) = refused else { return };
        for behind in taken.drain(refused + 1..).rev() {
            waiting.push_front(behind.item);
        }
        let before = refused.checked_sub(1).and_then(|before| taken.get(before));
        let missed = before.map_or(&self.position, |before| &before.position).missed.clone();
        if let Some(refused) = taken.last_mut() {
            refused.position.missed = missed;
            refused.prepared = None;
        }
    }
}

fn outcome(results: Vec<Result<Appended, AppendError>>, events: usize) -> Outcome {
    if results.len() < events {
        return Outcome::Waits(AppendError::Unknown("no answer".to_owned()));
    }
    let mut waits = None;
    let mut are_new = Vec::with_capacity(events);
    for (index, result) in results.into_iter().enumerate() {
        match result {
            Ok(appended) => are_new.push(matches!(appended, Appended::New(_))),
            Err(error @ AppendError::Rejected(_)) if index < events => {
                return Outcome::Rejected(index, error);
            }
            Err(error) => waits = waits.or(Some(error)),
        }
    }
    waits.map_or(Outcome::Stored(are_new), Outcome::Waits)
}

#[cfg(test)]
mod tests;
