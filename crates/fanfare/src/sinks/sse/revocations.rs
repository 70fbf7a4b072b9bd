//! Whose tokens are not taken any more: those of a user that were made before he was revoked. They are kept with the log,
//! until there are too many.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use fanfare_event::{SinkName, UserId};
use fanfare_log::{AppendError, EventLog, LogError, RecordChange};
use jiff::Timestamp;
use tokio::sync::Mutex;
use tracing::warn;

/// Users whose revocation is remembered. One takes about 100 bytes, and what its name takes; beyond so many the oldest
/// is forgotten, which a warning tells.
const MAX_REVOKED: usize = 10_000;

/// Tokens that are refused whatever else they say.
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    /// Tokens of these users that were not made later are refused.
    since: RwLock<HashMap<UserId, Timestamp>>,
    /// One at a time is written, so that what is here and what the log has are one.
    writing: Mutex<()>,
}

impl Revocations {
    /// What the log has. Of what cannot be read, the user is revoked `now`.
    pub(super) async fn load(log: &dyn EventLog, now: Timestamp) -> Result<Self, LogError> {
        let records = log.records(&place()).await?;
        let read = records.iter().filter_map(|(user, since)| {
            let user = UserId::new(user).ok()?;
            let since = std::str::from_utf8(since).ok().and_then(|since| since.parse().ok());
            if since.is_none() {
                warn!(
                    user = user.as_str(),
                    "when a user was revoked cannot be read; all older tokens are refused"
                );
            }
            Some((user, since.unwrap_or(now)))
        });
        Ok(Self { since: RwLock::new(read.collect()), writing: Mutex::default() })
    }

    /// Whether a token of this user is refused. One that does not say when it was made may be of any age.
    pub(super) fn refuse(&self, user: &UserId, issued: Option<Timestamp>) -> bool {
        let since = self.since.read().unwrap_or_else(PoisonError::into_inner);
        since.get(user).is_some_and(|since| issued.is_none_or(|issued| issued <= *since))
    }

    /// Refuses the tokens of a user that were made up to now, once the log has it.
    pub(crate) async fn revoke(
        &self,
        log: &dyn EventLog,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(), AppendError> {
        self.revoke_within(MAX_REVOKED, log, user, now).await
    }

    async fn revoke_within(
        &self,
        max: usize,
        log: &dyn EventLog,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(), AppendError> {
        let _turn = self.writing.lock().await;
        let (since, forgotten) = {
            let known = self.since.read().unwrap_or_else(PoisonError::into_inner);
            // A clock that was set back makes no token good again.
            let since = known.get(user).map_or(now, |before| now.max(*before));
            let is_full = known.len() >= max && !known.contains_key(user);
            let oldest = known.iter().min_by_key(|(_, since)| **since).filter(|_| is_full);
            (since, oldest.map(|(oldest, since)| (oldest.clone(), *since)))
        };
        let change = |user: &UserId, value: Option<String>| RecordChange {
            key: user.as_str().into(),
            value: value.map(|value| value.into_bytes().into()),
        };
        let mut changes = vec![change(user, Some(since.to_string()))];
        changes.extend(forgotten.iter().map(|(oldest, _)| change(oldest, None)));
        log.write_records(&place(), changes).await?;
        let mut known = self.since.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(user.clone(), since);
        if let Some((oldest, since)) = forgotten {
            known.remove(&oldest);
            warn!(user = oldest.as_str(), %since, max, "too many users are revoked; the oldest is forgotten");
        }
        Ok(())
    }
}

/// Where the log keeps them: with a sink that no configuration can name.
fn place() -> SinkName {
    SinkName::new("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faulty_log::{Fault, FaultyLog};

    fn user(id: &str) -> UserId {
        UserId::new(id).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    async fn load(log: &FaultyLog) -> Revocations {
        Revocations::load(log, at(1000)).await.unwrap()
    }

    #[tokio::test]
    async fn tokens_that_were_made_before_are_refused_also_after_a_restart() {
        let log = FaultyLog::new();
        let mut revocations = load(&log).await;
        revocations.revoke(&log, &user("a"), at(100)).await.unwrap();
        revocations.revoke(&log, &user("a"), at(90)).await.unwrap();
        for _ in 0..2 {
            let check = |id: &str, issued: Option<i64>, refused: bool| {
                assert_eq!(revocations.refuse(&user(id), issued.map(at)), refused, "{id} {issued:?}");
            };
            check("a", Some(99), true);
            check("a", Some(100), true);
            check("a", Some(101), false);
            check("a", None, true);
            check("b", None, false);
            revocations = load(&log).await;
        }
    }

    #[tokio::test]
    async fn nobody_is_revoked_whom_the_log_does_not_have() {
        let log = FaultyLog::new();
        let revocations = load(&log).await;
        log.fail_next(Fault::Unavailable);
        revocations.revoke(&log, &user("a"), at(100)).await.unwrap_err();
        assert!(!revocations.refuse(&user("a"), None));
        revocations.revoke(&log, &user("a"), at(100)).await.unwrap();
        assert!(revocations.refuse(&user("a"), None));
    }

    #[tokio::test]
    async fn the_oldest_goes_where_there_are_too_many() {
        let log = FaultyLog::new();
        let mut revocations = load(&log).await;
        for (id, second) in [("c", 30), ("a", 10), ("b", 20), ("a", 40), ("d", 50)] {
            revocations.revoke_within(3, &log, &user(id), at(second)).await.unwrap();
        }
        for _ in 0..2 {
            let refused = ["a", "b", "c", "d"].map(|id| revocations.refuse(&user(id), None));
            assert_eq!(refused, [true, false, true, true]);
            revocations = load(&log).await;
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_refuses_rather_than_lets_in() {
        let log = FaultyLog::new();
        let damaged = RecordChange { key: "a".into(), value: Some(b"\xff?".as_slice().into()) };
        log.write_records(&place(), vec![damaged]).await.unwrap();
        let revocations = load(&log).await;
        assert!(revocations.refuse(&user("a"), Some(at(1000))));
        assert!(!revocations.refuse(&user("a"), Some(at(1001))));
    }
}
