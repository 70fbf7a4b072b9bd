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
mod inboxclaw;
mod keys;
mod loose;
mod mask;
mod model;
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
    Admin, Amqp, AmqpExchange, AmqpQueue, AmqpTls, AmqpUrl, Config, ConfigFile, Cors, Durability, Encoding,
    ExchangeKind, Extractor, HeaderRule, Http, HttpPullSink, Identity, Listener, Log, LogKind, Mock, OnLag,
    Operation, Program, Rest, Retention, Route, Rule, SignatureOn, Sink, SinkKind, Source, Sqlite, SseSink,
    Transformer, TransformerKind, Ttl, Webhook, Window,
};
pub use reference::{inboxclaw_reference, reference};
pub use secret::{Secret, Secrets};
pub use span::Span;

use std::ffi::OsStr;
use std::path::Path;

use checker::Checker;
use file::{FileError, MAX_FILE, read_text};
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

/// Reads the file at `path` and checks it.
#[must_use]
pub fn load(path: &Path, env: &Env) -> Loaded {
    match read_text(path) {
        Ok(text) => parse(path, &text, env),
        Err(error) => unreadable(path, &error),
    }
}

/// Checks a configuration that has been read already. `name` is what messages call it; its ending says which dialect
/// it is in (`.yaml` and `.yml` are Inboxclaw's), and relative paths in it start from its folder.
#[must_use]
pub fn parse(name: &Path, text: &str, env: &Env) -> Loaded {
    if text.len() as u64 > MAX_FILE {
        return unreadable(name, &FileError::TooLarge);
    }
    let mut diagnostics = Diagnostics::default();
    let file = diagnostics.add_file(name.display().to_string());
    let folder = name.parent().unwrap_or(Path::new("")).to_owned();
    let dialect = dialect(name);
    let checker = |diagnostics, env| Checker {
        diagnostics,
        env,
        dialect,
        concealed: Vec::new(),
        listeners: Vec::new(),
        folder: folder.clone(),
        switched_off: false,
        incomplete: false,
    };
    match dialect {
        Dialect::Native => {
            let mut checker = checker(diagnostics, env);
            let ending = name.extension().unwrap_or_default();
            let document = read_toml(text, file, ending, &mut checker);
            finish(document, file, checker)
        }
        Dialect::Inboxclaw => {
            let env = dotenv::environment(&folder, env, &mut diagnostics);
            let mut checker = checker(diagnostics, &env);
            let document = inboxclaw::read(text, file, &mut checker);
            finish(document, file, checker)
        }
    }
}

fn dialect(name: &Path) -> Dialect {
    if is_inboxclaw(name) { Dialect::Inboxclaw } else { Dialect::Native }
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
        }
    }
    checker.incomplete = !errors.is_empty();
    document
}

/// Lays the environment over a native document, and reads it.
fn finish(mut document: Table, file: u32, mut checker: Checker<'_>) -> Loaded {
    overlay::apply(&mut document, checker.env, &mut checker.diagnostics);
    if checker.dialect == Dialect::Inboxclaw {
        inboxclaw::settle(&mut document, file);
    }
    let config = native::read(&document, Span::new(file, 0..0), &mut checker);
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
    let file = diagnostics.add_file(path.display().to_string());
    let mut at = 0..0;
    if let FileError::NotUtf8(before) = error {
        let masked = mask::broken(before.expose(), dialect(path));
        at = masked.len()..masked.len();
        diagnostics.set_text(file, masked);
    }
    diagnostics.error(Span::new(file, at), format!("cannot read the configuration: {error}"));
    Loaded { config: Config::default(), diagnostics }
}

impl Default for Config {
    /// What an empty file means: all defaults, nothing that comes in or goes out.
    fn default() -> Self {
        parse(Path::new(""), "", &Env::default()).config
    }
}
