//! What a group's news costs: one look at the window, and for each member one comparison and one write.

use fanfare_stream::{CloseReason, GroupId, Moment};

use crate::Owner;
use crate::connection::Connection;
use crate::group::Group;
use crate::slab::Slab;
use crate::worker::{Worker, cost};

/// Why a run over the members of a group stops.
enum Pause {
    /// All were served.
    Served,
    /// The budget of this turn is spent.
    Spent,
    /// Something was left in the inbox: more news, perhaps.
    Mail,
    /// This one is not where the others are.
    Apart(u32),
    /// This one's socket is full.
    Full(u32),
    /// This one was given all that a write may have, and there is more.
    More(u32),
    Gone(u32, CloseReason),
}

impl<O: Owner> Worker<O> {
    /// The group has seen events.
    pub(crate) fn begin(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.begin();
        if !std::mem::replace(&mut group.is_queued, true) {
            self.news.push_back(id);
        }
    }

    /// Serves members of a group that has news, as many as the budget allows. The others come in a later turn.
    ///
    /// Before each of them the inbox is asked, so that those who have yet to be served get all that was published
    /// meanwhile in one write. Those who were served come again behind them.
    pub(crate) fn pass(&mut self, id: GroupId) {
        loop {
            if self.inbox.has_mail() {
                self.take_mail();
            }
            let Some(group) = self.groups.get_mut(&id) else { return };
            let pause =
                run(group, &mut self.connections, &mut self.budget, self.now, || self.inbox.has_mail());
            match pause {
                Pause::Mail => {}
                Pause::Apart(index) => {
                    let batch = self.attend(index);
                    // The group may have gone with the connection.
                    let Some(group) = self.groups.get_mut(&id) else { return };
                    group.batch = batch.or(group.batch.take());
                }
                Pause::Full(index) => self.wait_for_client(index),
                Pause::More(index) => self.queue(index),
                Pause::Gone(index, reason) => self.end(index, reason),
                Pause::Served => {
                    group.batch = None;
                    group.is_queued = false;
                    return;
                }
                Pause::Spent => {
                    self.news.push_back(id);
                    return;
                }
            }
        }
    }
}

/// Serves one member after the other, for as long as nothing has to be decided.
fn run<O: Owner>(
    group: &mut Group,
    connections: &mut Slab<Connection<O>>,
    budget: &mut usize,
    now: Moment,
    has_mail: impl Fn() -> bool,
) -> Pause {
    loop {
        if group.is_served() {
            return Pause::Served;
        }
        if *budget == 0 {
            return Pause::Spent;
        }
        if has_mail() {
            return Pause::Mail;
        }
        let Some(index) = group.pop() else { return Pause::Served };
        let Some(connection) = connections.at(index) else { continue };
        if connection.is_busy() {
            continue;
        }
        let Some(batch) = group.batch.as_ref().filter(|batch| connection.session.follows(batch, now)) else {
            return Pause::Apart(index);
        };
        match connection.send(Vec::new(), batch, now) {
            Ok(written) => *budget = budget.saturating_sub(cost(written)),
            Err(reason) => return Pause::Gone(index, reason),
        }
        connection.owner.has_come_to(connection.session.after());
        if connection.pending.is_some() {
            return Pause::Full(index);
        }
        if !batch.is_all() {
            return Pause::More(index);
        }
    }
}
