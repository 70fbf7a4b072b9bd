//! The log of events that a configuration asks for. Where log lines go is in `logging`.

use std::sync::Arc;

use fanfare_config::{Config, LogKind};
use fanfare_event::Seq;
use fanfare_log::{EventLog, MemoryLog, Retention};
use jiff::Timestamp;

use crate::ids::{first_seq, fresh_epoch};

/// Opens it.
pub(crate) fn open(config: &Config) -> Arc<dyn EventLog> {
    let log = &config.log;
    let sources: Vec<_> = config.sources.iter().map(|source| source.name.clone()).collect();
    match &log.kind {
        LogKind::Memory | LogKind::Sqlite(_) => {
            let retention = Retention { events: log.window.events, bytes: log.window.bytes };
            let first = Seq::new(first_seq(Timestamp::now())).unwrap_or(Seq::FIRST);
            Arc::new(MemoryLog::new(fresh_epoch(), first, retention, &sources))
        }
    }
}
