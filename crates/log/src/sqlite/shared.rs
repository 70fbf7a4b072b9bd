//! What the log's threads share.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use fanfare_event::Seq;

use super::keys::Pending;
use super::newest::Newest;
use super::row::Seal;
use super::trouble::Condition;

/// Where changes of condition are told.
pub(super) type Report = Arc<dyn Fn(&Condition) + Send + Sync>;

pub(super) struct Shared {
    pub(super) newest: Newest,
    pub(super) pending: Pending,
    pub(super) seal: Seal,
    pub(super) report: Report,
    /// Where damage ends that was reported.
    reported: Mutex<BTreeSet<Seq>>,
}

/// Damaged parts that are told apart. What is found behind so many is not reported any more: the operator knows.
const MAX_REPORTED: usize = 64;

impl Shared {
    pub(super) fn new(newest: Newest, pending: Pending, seal: Seal, report: Report) -> Self {
        Self { newest, pending, seal, report, reported: Mutex::default() }
    }

    /// Tells of a damaged part, once.
    pub(super) fn report_damage(&self, from: Seq, to: Seq) {
        let is_new = {
            let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
            reported.len() < MAX_REPORTED && reported.insert(to)
        };
        if is_new {
            (self.report)(&Condition::Damaged { from, to });
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("newest", &self.newest).finish_non_exhaustive()
    }
}
