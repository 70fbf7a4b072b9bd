//! What can be wrong with the file, in words for the operator.

use std::path::{Path, PathBuf};

use fanfare_event::Seq;
use rusqlite::{Error, ErrorCode};

/// A change that the operator should hear of. Each is reported once, not with every event that it concerns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Condition {
    /// Nothing can be stored; publishers are refused and what is there is served. It is tried again by itself.
    #[error("events cannot be stored: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
    /// Events are stored again.
    #[error("events are stored again")]
    Recovered,
    /// A part of the file is not what was written. Readers are told that events are missing, and get the others.
    #[error("the log is damaged: events from {from} up to {to} are lost; what comes behind them is served")]
    Damaged {
        /// The first seq that is concerned.
        from: Seq,
        /// The next that is whole.
        to: Seq,
    },
    /// Old events cannot be removed, because the file is damaged where they are. It grows until it is replaced.
    #[error("old events cannot be removed: {reason}")]
    Unpruned {
        /// Why.
        reason: String,
    },
}

/// Why a log was not opened. [`OpenError::advice`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder is not there and cannot be made.
    #[error("the folder {} cannot be made: {error}", path.display())]
    Folder {
        /// It.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// There is a folder where the file should be.
    #[error("{} is a folder", path.display())]
    IsFolder {
        /// It.
        path: PathBuf,
    },
    /// Another process has it.
    #[error("{} is in use by another Fanfare", path.display())]
    InUse {
        /// The log's file.
        path: PathBuf,
    },
    /// The disk or its permissions do not allow it.
    #[error("{} cannot be used: {reason}", path.display())]
    Unusable {
        /// The log's file, or one beside it.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file is something else.
    #[error("{} is not a log of Fanfare: {what}", path.display())]
    Foreign {
        /// It.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A later version wrote it.
    #[error("{} was written by a newer Fanfare: its format is {found}, this one knows {known}", path.display())]
    Newer {
        /// The log's file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// What every part of it hangs on is broken.
    #[error("{} is damaged and cannot be used: {reason}", path.display())]
    Damaged {
        /// The log's file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
}

impl OpenError {
    /// What the operator can do.
    pub fn advice(&self) -> String {
        match self {
            Self::Folder { .. } | Self::Unusable { .. } => {
                "the file, those beside it and their folder must be readable and writable, with room on the disk; \
                 `log.path` names another place"
                    .to_owned()
            }
            Self::IsFolder { path } => {
                format!("`log.path` names a file: {}, say", path.join("events.db").display())
            }
            Self::InUse { .. } => "stop that one, or set another `log.path` for this one".to_owned(),
            Self::Foreign { .. } => "set another `log.path`, or move the file away".to_owned(),
            Self::Newer { .. } => "start that version, or set another `log.path`".to_owned(),
            Self::Damaged { path, .. } => format!(
                "move {path}, {path}-wal and {path}-shm away together and put a copy in their place; without one, \
                 start with an empty log",
                path = path.display()
            ),
        }
    }
}

/// `SQLITE_IOERR_WRITE`, <https://sqlite.org/rescode.html>.
const IOERR_WRITE: i32 = 778;
/// `SQLITE_IOERR_SHMSIZE`.
const IOERR_SHMSIZE: i32 = 4874;

/// What went wrong, in words that name the file.
pub(super) fn describe(error: &Error, path: &Path) -> String {
    let extended = match error {
        Error::SqliteFailure(failure, _) => failure.extended_code,
        _ => 0,
    };
    let what = match error.sqlite_error_code() {
        // The shared memory beside the file could not be made as large as it must be.
        Some(ErrorCode::SystemIoFailure) if extended == IOERR_SHMSIZE => "the disk is full",
        Some(ErrorCode::DiskFull) => "the disk is full",
        Some(ErrorCode::ReadOnly) => "the file or its disk is read-only",
        Some(ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => "the file cannot be opened",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program holds a lock on the file"
        }
        Some(ErrorCode::SystemIoFailure) => "the disk fails",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => "the file is damaged",
        Some(ErrorCode::OutOfMemory) => "there is no memory left",
        _ => return format!("{error} ({})", path.display()),
    };
    let detail = match error.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure) => format!(", SQLite error {extended}"),
        _ => String::new(),
    };
    format!("{what} ({}{detail})", path.display())
}

/// Whether the file's content is at fault, and not what it lies on.
pub(super) fn is_damage(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || matches!(
            error,
            Error::InvalidColumnType(..)
                | Error::FromSqlConversionFailure(..)
                | Error::IntegralValueOutOfRange(..)
        )
}

/// Whether a commit that failed so has certainly stored nothing. A commit's frames are written in order, the one that
/// makes it valid last; where writing failed, that one is not there. Where flushing failed, it may be.
pub(super) fn is_certain(error: &Error) -> bool {
    match error {
        Error::SqliteFailure(failure, _) => {
            failure.code != ErrorCode::SystemIoFailure || failure.extended_code == IOERR_WRITE
        }
        _ => true,
    }
}
