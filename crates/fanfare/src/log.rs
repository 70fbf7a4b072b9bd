//! The log of events that a configuration asks for. Where log lines go is in `logging`.

use std::sync::Arc;

use fanfare_config::{Config, LogKind};
use fanfare_event::Seq;
use fanfare_log::{
    Condition, Durability, EventLog, FileRetention, MemoryLog, OpenError, Retention, SqliteLog, SqliteOptions,
};
use jiff::Timestamp;
use tracing::{error, info, warn};

use crate::ids::{first_seq, fresh_epoch};

/// Opens it. One in a file is closed when the last who holds it lets it go.
pub(crate) fn open(config: &Config) -> Result<Arc<dyn EventLog>, OpenError> {
    let log = &config.log;
    let sources: Vec<_> = config.sources.iter().map(|source| source.name.clone()).collect();
    let first = Seq::new(first_seq(Timestamp::now())).unwrap_or(Seq::FIRST);
    Ok(match &log.kind {
        LogKind::Memory => {
            let retention = Retention { events: log.window.events, bytes: log.window.bytes };
            Arc::new(MemoryLog::new(fresh_epoch(), first, retention, &sources))
        }
        LogKind::Sqlite(sqlite) => {
            let fanfare_config::Retention { max_age, max_events, max_bytes } = sqlite.retention;
            Arc::new(SqliteLog::open(SqliteOptions {
                path: sqlite.path.clone(),
                durability: match sqlite.durability {
                    fanfare_config::Durability::Full => Durability::Full,
                    fanfare_config::Durability::Relaxed => Durability::Relaxed,
                },
                retention: FileRetention { max_age, max_events, max_bytes },
                epoch: fresh_epoch(),
                first,
                sources,
                clock: Arc::new(Timestamp::now),
                report: Arc::new(report),
            })?)
        }
    })
}

/// Says once what an operator should know, however many events it concerns.
fn report(condition: &Condition) {
    match condition {
        Condition::Recovered => info!("{condition}"),
        Condition::Unavailable { .. } | Condition::Unpruned { .. } => warn!("{condition}"),
        Condition::Damaged { .. } => error!("{condition}"),
    }
}
