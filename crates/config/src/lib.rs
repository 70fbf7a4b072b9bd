//! A configuration file as text in, one checked [`Config`] out, with every problem of the file at once.
//!
//! Dialects, key names, defaults and diagnostics live here. What a source, a transformer or a sink does lives in
//! their own crates; compiling a VRL program is theirs too, and they add what they find to [`Diagnostics`]. Nothing
//! here reads the process environment: it comes in as an [`Env`]. Files are read: the configuration itself, and
//! what it names with `template_file`.

mod building;
mod checker;
mod diagnostics;
mod dotenv;
mod env;
mod file;
mod hcl;
mod inboxclaw;
mod keys;
mod loose;
mod mask;
mod model;
mod mycel;
mod native;
mod overlay;
mod print;
mod reference;
mod secret;
mod shapes;
mod span;
mod tree;
mod units;
mod yaml;

pub use diagnostics::{Diagnostic, Diagnostics, Severity};
pub use env::Env;
pub use model::{
    Admin, Amqp, AmqpExchange, AmqpQueue, AmqpUrl, ClientTls, Config, ConfigFile, Cors, DeliveryPath,
    Durability, Encoding, ExchangeKind, Extractor, HeaderRule, Http, HttpPullSink, Identity, Jwt, JwtKey,
    JwtKeyKind, Listener, Log, LogKind, Mock, OnLag, Operation, OutgoingHeader, OutgoingValue, Program,
    PublicKeyAlgorithm, Rest, Retention, Route, Rule, SignatureOn, Sink, SinkKind, Source, Sqlite, SseSink,
    SseSource, SseUrl, Tls, TlsFile, Transformer, TransformerKind, Ttl, Webhook, Window,
};
pub use reference::{inboxclaw_reference, mycel_reference, reference};
pub use secret::{Secret, Secrets};
pub use span::Span;

use std::ffi::OsStr;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;

use checker::Checker;
use file::{FileError, MAX_FILE, read_regular, read_text};
use mask::Dialect;
use tree::Table;

/// What came of reading a configuration.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What was read. Where something is wrong with a key, its default stands in; use it only if
    /// `!diagnostics.has_errors()`.
    pub config: Config,
    /// What is wrong with it, with the texts that it was read from (secrets masked).
    pub diagnostics: Diagnostics,
}

/// What runs without a file.
const BUILTIN: &str = "\
[http]
host = \"127.0.0.1\"
port = 8080

[sources.events.extractor]
type = \"webhook\"
id = \"events\"

[sinks.events]
type = \"sse\"
id = \"events\"
";

/// Reads the file at `path`, or all of Mycel's files in the folder at `path`, and checks it.
#[must_use]
pub fn load(path: &Path, env: &Env) -> Loaded {
    if path.is_dir() {
        return load_folder(path, env);
    }
    match read_text(path) {
        Ok(text) => parse(path, &text, env),
        Err(error) => unreadable(path, &error),
    }
}

/// All files of a folder are one configuration of Mycel's.
fn load_folder(folder: &Path, env: &Env) -> Loaded {
    let paths = match mycel::files::in_folder(folder) {
        Ok(paths) => paths,
        Err(error) => return refused(folder, &error),
    };
    let mut diagnostics = Diagnostics::default();
    let (mut texts, mut total, mut incomplete) = (Vec::new(), 0, false);
    for path in &paths {
        match read_regular(path) {
            Ok(text) => {
                total += text.len();
                texts.push((diagnostics.add_file(path.display().to_string()), text));
            }
            Err(error) => {
                add_unreadable(path, &error, &mut diagnostics);
                incomplete = true;
            }
        }
        if total > mycel::files::MAX_BYTES {
            return refused(folder, &"the files in this folder are larger than 16 MiB");
        }
    }
    let texts: Vec<_> = texts.iter().map(|(file, text)| (*file, text.as_str())).collect();
    read_mycel(&texts, folder, env, diagnostics, incomplete)
}

/// Checks a configuration that has been read already. `name` is what messages call it; its ending says which dialect
/// it is in (`.yaml` and `.yml` are Inboxclaw's, `.mycel` and `.hcl` Mycel's), and relative paths in it start from its
/// folder.
#[must_use]
pub fn parse(name: &Path, text: &str, env: &Env) -> Loaded {
    if text.len() as u64 > MAX_FILE {
        return unreadable(name, &FileError::TooLarge);
    }
    let mut diagnostics = Diagnostics::default();
    let file = diagnostics.add_file(name.display().to_string());
    let folder = name.parent().unwrap_or(Path::new(""));
    match dialect(name) {
        Dialect::Native => {
            let mut checker = checker(Dialect::Native, folder, env, diagnostics);
            let ending = name.extension().unwrap_or_default();
            let document = read_toml(text, file, ending, &mut checker);
            finish(document, file..=file, checker)
        }
        Dialect::Inboxclaw => {
            let env = dotenv::environment(folder, env, &mut diagnostics);
            let mut checker = checker(Dialect::Inboxclaw, folder, &env, diagnostics);
            let document = inboxclaw::read(text, file, &mut checker);
            finish(document, file..=file, checker)
        }
        Dialect::Mycel => read_mycel(&[(file, text)], folder, env, diagnostics, false),
    }
}

/// `folder` is where relative paths start.
fn read_mycel(
    texts: &[(u32, &str)],
    folder: &Path,
    env: &Env,
    mut diagnostics: Diagnostics,
    incomplete: bool,
) -> Loaded {
    let files = 0..=texts.last().map_or(0, |(file, _)| *file);
    let first = texts.first().map_or(0, |(file, _)| *file);
    let env = dotenv::environment(folder, env, &mut diagnostics);
    let mut checker = checker(Dialect::Mycel, folder, &env, diagnostics);
    checker.incomplete = incomplete;
    let document = mycel::read(texts, Span::new(first, 0..0), &mut checker);
    finish(document, files, checker)
}

fn checker<'e>(dialect: Dialect, folder: &Path, env: &'e Env, diagnostics: Diagnostics) -> Checker<'e> {
    Checker {
        diagnostics,
        env,
        dialect,
        concealed: Vec::new(),
        listeners: Vec::new(),
        folder: folder.to_owned(),
        switched_off: false,
        incomplete: false,
    }
}

fn dialect(name: &Path) -> Dialect {
    if is_inboxclaw(name) {
        Dialect::Inboxclaw
    } else if mycel::is_file(name) {
        Dialect::Mycel
    } else {
        Dialect::Native
    }
}

/// Whether what is at this path is read as Mycel's HCL, whose keys have other names than native ones.
#[must_use]
pub fn is_mycel(path: &Path) -> bool {
    mycel::is_file(path) || path.is_dir()
}

/// Whether a file of this name is read as Inboxclaw's YAML, whose keys have other names than native ones.
#[must_use]
pub fn is_inboxclaw(name: &Path) -> bool {
    let is_yaml = |ending: &OsStr| ending.eq_ignore_ascii_case("yaml") || ending.eq_ignore_ascii_case("yml");
    name.extension().is_some_and(is_yaml)
}

fn read_toml(text: &str, file: u32, ending: &OsStr, checker: &mut Checker<'_>) -> Table {
    let (mut document, errors) = tree::parse_document(text, file);
    let masked = if errors.is_empty() {
        mask::document(text, &document)
    } else {
        let masked = mask::broken(text, Dialect::Native);
        mask::take_out(&mut document, text, &masked);
        masked
    };
    checker.diagnostics.set_text(file, masked);
    for error in &errors {
        let message = format!("this is not TOML: {}", error.message);
        let problem = checker.diagnostics.error(Span::new(file, error.range.clone()), message);
        if !ending.eq_ignore_ascii_case("toml") {
            problem.help("Inboxclaw's YAML is read from files whose names end in `.yaml` or `.yml`");
            problem.help(
                "Mycel's HCL is read from files whose names end in `.mycel` or `.hcl`, and from folders",
            );
        }
    }
    checker.incomplete = !errors.is_empty();
    document
}

/// Lays the environment over a native document, and reads it. `files` are those that the document was made of.
fn finish(mut document: Table, files: RangeInclusive<u32>, mut checker: Checker<'_>) -> Loaded {
    let start = Span::new(*files.start(), 0..0);
    overlay::apply(&mut document, checker.env, &mut checker.diagnostics);
    match checker.dialect {
        Dialect::Native => {}
        Dialect::Inboxclaw => inboxclaw::settle(&mut document, *files.start()),
        Dialect::Mycel => mycel::settle(&document, files, &mut checker),
    }
    let config = native::read(&document, start, &mut checker);
    Loaded { config, diagnostics: checker.diagnostics }
}

/// The configuration that runs where no file is given: a webhook `events` and a stream `events` on
/// `127.0.0.1:8080`, with the overrides of the environment.
#[must_use]
pub fn builtin(env: &Env) -> Loaded {
    parse(Path::new("built-in configuration"), BUILTIN, env)
}

fn unreadable(path: &Path, error: &FileError) -> Loaded {
    let mut diagnostics = Diagnostics::default();
    add_unreadable(path, error, &mut diagnostics);
    Loaded { config: Config::default(), diagnostics }
}

fn add_unreadable(path: &Path, error: &FileError, diagnostics: &mut Diagnostics) {
    let file = diagnostics.add_file(path.display().to_string());
    let mut at = 0..0;
    if let FileError::NotUtf8(before) = error {
        let masked = mask::broken(before.expose(), dialect(path));
        at = masked.len()..masked.len();
        diagnostics.set_text(file, masked);
    }
    diagnostics.error(Span::new(file, at), format!("cannot read the configuration: {error}"));
}

/// What came of a folder that is no configuration.
fn refused(folder: &Path, why: &dyn Display) -> Loaded {
    let mut diagnostics = Diagnostics::default();
    let file = diagnostics.add_file(folder.display().to_string());
    diagnostics.error(Span::new(file, 0..0), format!("cannot read the configuration: {why}"));
    Loaded { config: Config::default(), diagnostics }
}

impl Default for Config {
    /// What an empty file means: all defaults, nothing that comes in or goes out.
    fn default() -> Self {
        parse(Path::new(""), "", &Env::default()).config
    }
}
