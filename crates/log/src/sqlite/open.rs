//! Opening the file: what may be there, the lock, the schema, and where the log stands. Nothing here runs once the log
//! is open but [`connect`], [`collect`] and [`sources`], when the writer begins anew after a failure.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fanfare_event::{Epoch, SourceName, SourceNumber};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::keys::{self, Pending};
use super::meta::{Meta, Standing};
use super::read::Unread;
use super::reindex::REASON;
use super::row::Seal;
use super::trouble::{OpenError, describe, is_damage};
use super::{Durability, read};

/// "Ffan": says in the file's header whose it is.
const APPLICATION_ID: i64 = 0x4666_616e;

/// The newest format that is known here.
const FORMAT: i64 = 1;

/// Seqs that are promised ahead: a seq that was given to a commit that the disk lost afterwards stays below what was
/// promised long before, and is not given again. A restart leaves at most as many out.
pub(super) const PROMISE: u64 = 1 << 20;

/// How long a lock that another program holds on the file is waited for.
const BUSY: Duration = Duration::from_millis(250);

const SCHEMA: &str = "
    CREATE TABLE meta (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        epoch TEXT NOT NULL, promised INTEGER NOT NULL, indexed INTEGER NOT NULL, checksum INTEGER NOT NULL);
    CREATE TABLE events (seq INTEGER PRIMARY KEY, stored_at INTEGER NOT NULL, row BLOB NOT NULL);
    CREATE TABLE sources (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE positions (source TEXT PRIMARY KEY, position TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE records (
        sink TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (sink, key)) WITHOUT ROWID;
";

/// The table of keys, which is made anew where it is damaged.
pub(super) const KEYS: &str =
    "CREATE TABLE keys (word INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (word, seq)) WITHOUT ROWID";

/// A file that is open, and nobody else's.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) lock: File,
    pub(super) meta: Meta,
    pub(super) standing: Standing,
    pub(super) sources: HashMap<SourceName, SourceNumber>,
    pub(super) pending: Pending,
    /// From where on rows are to be read for their keys before anything is stored: more than fit memory were not merged.
    pub(super) unread: Option<i64>,
    /// The seq that the next event gets.
    pub(super) next: i64,
    /// Why nothing can be stored now.
    pub(super) trouble: Option<String>,
}

/// How a connection writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode {
    pub(super) durability: Durability,
    /// Pages at which the disk is taken for full. Only tests have a disk as small.
    pub(super) max_pages: Option<u32>,
}

/// What a log is opened with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) mode: Mode,
    pub(super) epoch: &'a Epoch,
    pub(super) first: i64,
    pub(super) sources: &'a [SourceName],
    /// Entries of keys that are read from the rows before the log is open.
    pub(super) read_first: usize,
}

/// Makes a folder, and those above it that are missing. SQLite brings the entries of its files to the disk; without the
/// entry of a folder above them, they and every event could be gone after a power cut all the same.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_folder(above)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !folder.is_dir() => return Err(error),
        _ => {}
    }
    // Elsewhere a folder cannot be opened as a file.
    if cfg!(unix) {
        File::open(above)?.sync_all()?;
    }
    Ok(())
}

pub(super) fn open(path: &Path, wanted: &Wanted<'_>) -> Result<Opened, OpenError> {
    if path.is_dir() {
        return Err(OpenError::IsFolder { path: path.to_owned() });
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_folder(folder).map_err(|error| OpenError::Folder { path: folder.to_owned(), error })?;
    }
    let lock = lock(path)?;
    let failed = |error: rusqlite::Error| {
        let reason = describe(&error, path);
        if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) {
            let what = "it is no SQLite database, or its beginning is damaged";
            OpenError::Foreign { path: path.to_owned(), what }
        } else if is_damage(&error) {
            OpenError::Damaged { path: path.to_owned(), reason }
        } else {
            OpenError::Unusable { path: path.to_owned(), reason }
        }
    };
    let connection = Connection::open_with_flags(path, flags()).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    if is_new(&connection, path).map_err(failed)?? {
        create(&connection, wanted.epoch).map_err(failed)?;
    }
    prepare(&connection, wanted.mode).map_err(failed)?;
    let damaged = |reason: &str| OpenError::Damaged { path: path.to_owned(), reason: reason.to_owned() };
    let mut meta = Meta::read(&connection).map_err(|error| match error {
        rusqlite::Error::QueryReturnedNoRows | rusqlite::Error::SqliteFailure(..) if !is_trouble(&error) => {
            damaged("the table `meta` is broken")
        }
        error => failed(error),
    })?;
    let seal = Seal::new(&meta.epoch);
    let standing = Standing::read(&connection, seal, meta.promised).map_err(failed)?;
    let newest = standing.last.map_or(0, |last| last.saturating_add(1));
    let next = newest.max(meta.promised).max(wanted.first);
    meta.promised = next.saturating_add_unsigned(PROMISE);
    let mut sources = sources(&connection).map_err(failed)?;
    let trouble = match promise(&connection, &meta, &mut sources, wanted.sources) {
        Ok(()) => None,
        Err(error) if matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull)) => {
            Some(describe(&error, path))
        }
        Err(error) => return Err(failed(error)),
    };
    // From here on the promise does not hang on the WAL.
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    let pending = Pending::default();
    let unread = collect(
        &connection,
        seal,
        &pending,
        meta.indexed.saturating_add(1),
        standing.last,
        wanted.read_first,
    )
    .map_err(failed)?;
    if unread.is_some() {
        pending.lacks();
    }
    let trouble = trouble.or_else(|| unread.map(|_| REASON.to_owned()));
    Ok(Opened { connection, lock, meta, standing, sources, pending, unread, next, trouble })
}

/// Trouble that has nothing to do with what is in the file.
fn is_trouble(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::DatabaseBusy
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory
        )
    )
}

fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// The file beside the log that is locked for as long as the process has it. A file of its own, so that tools that read
/// the log (a backup) are not in the way.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let beside = PathBuf::from(name);
    let unusable = |error: io::Error| OpenError::Unusable { path: beside.clone(), reason: error.to_string() };
    let file = File::options().create(true).truncate(false).write(true).open(&beside).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// Whether there is nothing in the file yet, and nothing in it is somebody else's.
fn is_new(connection: &Connection, path: &Path) -> rusqlite::Result<Result<bool, OpenError>> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (number("application_id")?, number("user_version")?) {
        (0, 0) if tables == 0 => Ok(true),
        (APPLICATION_ID, FORMAT) => Ok(false),
        (APPLICATION_ID, found) if found > FORMAT => {
            Err(OpenError::Newer { path: path.to_owned(), found, known: FORMAT })
        }
        (APPLICATION_ID, _) => {
            Err(OpenError::Damaged { path: path.to_owned(), reason: "its format has no number".to_owned() })
        }
        _ => {
            Err(OpenError::Foreign { path: path.to_owned(), what: "it is another program's SQLite database" })
        }
    })
}

fn create(connection: &Connection, epoch: &Epoch) -> rusqlite::Result<()> {
    let meta = Meta { epoch: epoch.clone(), promised: 1, indexed: 0 };
    connection.execute_batch("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; BEGIN IMMEDIATE")?;
    connection.execute_batch(SCHEMA)?;
    connection.execute_batch(KEYS)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", FORMAT)?;
    meta.write(connection)?;
    connection.execute_batch("COMMIT")
}

/// A connection that writes. The file must be a log already.
pub(super) fn connect(path: &Path, mode: Mode) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags() - OpenFlags::SQLITE_OPEN_CREATE)?;
    connection.busy_timeout(BUSY)?;
    prepare(&connection, mode)?;
    Ok(connection)
}

/// A connection that reads.
pub(super) fn connect_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    protect(&connection)?;
    Ok(connection)
}

fn prepare(connection: &Connection, mode: Mode) -> rusqlite::Result<()> {
    protect(connection)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", synchronous(mode.durability))?;
    if let Some(pages) = mode.max_pages {
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    // 16 MiB.
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.pragma_update(None, "foreign_keys", false)
}

/// What a file's content may not make SQLite do.
fn protect(connection: &Connection) -> rusqlite::Result<()> {
    // All there are: none is compiled twice.
    connection.set_prepared_statement_cache_capacity(64);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // Else a statement with a range is compiled again for each value that is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "cell_size_check", true)
}

/// <https://sqlite.org/pragma.html#pragma_synchronous>: in WAL mode FULL flushes with every commit, NORMAL only when
/// the WAL is folded in.
pub(super) fn synchronous(durability: Durability) -> &'static str {
    match durability {
        Durability::Full => "FULL",
        Durability::Relaxed => "NORMAL",
    }
}

/// Promises seqs and numbers the configured sources, durably.
fn promise(
    connection: &Connection,
    meta: &Meta,
    sources: &mut HashMap<SourceName, SourceNumber>,
    wanted: &[SourceName],
) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    meta.write(&transaction)?;
    for source in wanted {
        number(&transaction, sources, source)?;
    }
    transaction.commit()
}

/// The sources that have numbers.
pub(super) fn sources(connection: &Connection) -> rusqlite::Result<HashMap<SourceName, SourceNumber>> {
    let mut statement = connection.prepare("SELECT number, name FROM sources")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?)))?;
    let mut sources = HashMap::new();
    for row in rows {
        let (number, name) = row?;
        let number = SourceNumber::new(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, 0))?;
        sources.insert(SourceName::new(&name), number);
    }
    Ok(sources)
}

/// A source's number; a new one's is stored with the transaction that is under way.
pub(super) fn number(
    connection: &Connection,
    sources: &mut HashMap<SourceName, SourceNumber>,
    source: &SourceName,
) -> rusqlite::Result<SourceNumber> {
    if let Some(number) = sources.get(source) {
        return Ok(*number);
    }
    let highest = sources.values().map(|number| number.get()).max().unwrap_or(0);
    let number = SourceNumber::new(highest.saturating_add(1)).unwrap_or(SourceNumber::FIRST);
    connection
        .prepare_cached("INSERT INTO sources (number, name) VALUES (?1, ?2)")?
        .execute((number.get(), source.as_str()))?;
    sources.insert(source.clone(), number);
    Ok(number)
}

/// Remembers the keys of rows from `from` up to `last`, as far as they are whole, until these are `limit` entries. Tells
/// where to go on; `None` where all are read.
pub(super) fn collect(
    connection: &Connection,
    seal: Seal,
    pending: &Pending,
    mut from: i64,
    last: Option<i64>,
    limit: usize,
) -> rusqlite::Result<Option<i64>> {
    let mut left = limit;
    while let Some(last) = last.filter(|last| from <= *last) {
        let outcome = read::each(connection, seal, from, |row| {
            let seq = i64::try_from(row.place.seq).unwrap_or(i64::MAX);
            pending.add(keys::words(&row).map(|word| (word, seq)));
            from = seq.saturating_add(1);
            left = left.saturating_sub(row.keys.len() + 1);
            left > 0
        });
        match outcome {
            Ok(()) if left == 0 => return Ok(Some(from)),
            Ok(()) => return Ok(None),
            Err(Unread::Failed(error)) => return Err(error),
            Err(Unread::Damaged) => match read::next_whole(connection, seal, from, last) {
                Some(whole) => from = whole,
                None => return Ok(None),
            },
        }
    }
    Ok(None)
}
