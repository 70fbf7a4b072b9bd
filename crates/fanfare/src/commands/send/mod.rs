//! `fanfare send URL`: events to a webhook, one behind the other. Here, what the command line asks for and what is said of
//! it; how values are read, posted and answered is in the files beside.

mod answer;
mod cdevent;
mod post;
mod progress;
mod retry;
mod values;

use std::fs::File;
use std::io::{self, BufReader, IsTerminal as _, Read};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::thread;

use clap::{Args, ValueHint};
use fanfare_auth::{Encoding, Outgoing, OutgoingError, OutgoingHeaders, SignatureOn};
use fanfare_config::Secret;
use http::HeaderName;
use jiff::Timestamp;
use reqwest::tls::{Certificate, Identity};
use reqwest::{Client, ClientBuilder};
use tokio::sync::mpsc;

use super::request::{InvalidArgument, RequestArguments, url};
use super::terminal::{Escaped, Output};
use super::{complain, counted, runtime};
use crate::exit::Exit;
use crate::ids::fresh_event_id;
use answer::Look;
use cdevent::Parts;
use post::{IDEMPOTENCY_KEY, PostError, Poster};
use progress::Progress;
use values::{ReadError, Value, Values};

/// The variable that has the secret of signatures, unless another one is named.
const SIGNING_SECRET: &str = "FANFARE_SIGNING_SECRET";

#[derive(Args, Debug)]
pub(crate) struct SendArguments {
    /// The webhook: http or https.
    #[arg(value_name = "URL", value_hint = ValueHint::Url)]
    url: Secret,
    /// `-`: read events from standard input, as without any of --data, --file and --type.
    #[arg(value_name = "-", value_parser = ["-"], hide_possible_values = true, group = "events")]
    stdin: Option<String>,
    /// The event, or several one behind the other, as JSON.
    #[arg(short, long, value_name = "JSON", group = "events")]
    data: Option<String>,
    /// Read events from a file: JSON lines, or any JSON values one behind the other. They are sent as they are written.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "events")]
    file: Option<PathBuf>,
    /// Send a CDEvent of this type, dev.cdevents.build.started.0.1.0 say.
    #[arg(long = "type", value_name = "TYPE", group = "events", requires = "subject")]
    kind: Option<String>,
    /// The CDEvent's `subject.id`.
    #[arg(long, value_name = "ID", requires = "kind")]
    subject: Option<String>,
    /// The CDEvent's `subject.content`, a JSON object.
    #[arg(long, value_name = "JSON", requires = "kind")]
    content: Option<String>,
    /// The CDEvent's `context.source`; Fanfare fills it where it is missing.
    #[arg(long, value_name = "SOURCE", requires = "kind")]
    source: Option<String>,
    #[command(flatten)]
    request: RequestArguments,
    /// Sign each body (HMAC-SHA256, hexadecimal) in this header, X-Hub-Signature-256 say.
    #[arg(long, value_name = "HEADER")]
    sign: Option<String>,
    /// The environment variable that has the secret of the signatures.
    #[arg(long, value_name = "NAME", default_value = SIGNING_SECRET, requires = "sign")]
    sign_secret_env: String,
    /// What stands before the signature.
    #[arg(long, value_name = "PREFIX", default_value = "sha256=", requires = "sign")]
    sign_prefix: String,
    /// How often to try again where the server cannot be reached or says that it cannot now.
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    retries: u32,
}

/// Why nothing is sent. Who wrote the command line must act.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Argument(#[from] InvalidArgument),
    #[error(transparent)]
    Event(#[from] cdevent::InvalidPart),
    #[error("`--sign`: that header is sent already")]
    SignatureHeader,
    #[error("`--sign`: {0}")]
    Signature(#[from] OutgoingError),
    #[error("the environment variable `{0}`, which has the secret of signatures, is missing or empty")]
    SigningSecret(String),
    #[error("there is nothing to send")]
    Nothing,
    #[error("{} cannot be read: {problem}", .path.display())]
    File { path: PathBuf, problem: String },
    #[error("the certificates cannot be used: {0}")]
    Client(String),
}

/// Why sending has ended early.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("event {index} (line {line}): {problem}")]
    Post { index: u64, line: u64, problem: PostError },
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("standard output cannot be written to: {0}")]
    Output(io::Error),
}

/// Where events come from.
struct Input {
    reader: Box<dyn Read + Send>,
    /// Its bytes, where they are known.
    total: Option<u64>,
}

impl Input {
    fn text(text: String) -> Self {
        Self { total: Some(text.len() as u64), reader: Box::new(io::Cursor::new(text)) }
    }

    fn file(file: File) -> Self {
        let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file);
        Self { total: metadata.map(|metadata| metadata.len()), reader: Box::new(BufReader::new(file)) }
    }
}

pub(crate) fn run(arguments: &SendArguments, is_quiet: bool) -> Exit {
    let (poster, input) = match prepare(arguments) {
        Ok(prepared) => prepared,
        Err(unusable) => {
            complain(&unusable.to_string(), "`fanfare send --help` lists what can be said");
            return Exit::CommandLine;
        }
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let mut sending = Sending {
        output: Output::standard(),
        progress: Progress::new(input.total, is_quiet),
        is_quiet,
        taken: 0,
    };
    let sent = runtime.block_on(sending.run(&poster, read(input.reader)));
    sending.progress.finish();
    match sent {
        Ok(()) => Exit::Done,
        Err(stopped) => {
            let taken = counted(usize::try_from(sending.taken).unwrap_or(usize::MAX), "event");
            complain(&stopped.to_string(), &format!("taken before that: {taken}; what follows was not sent"));
            Exit::Failed
        }
    }
}

/// Checks everything that can be checked before anything is sent.
fn prepare(arguments: &SendArguments) -> Result<(Poster, Input), Unusable> {
    let url = url(&arguments.url)?;
    arguments.request.check_tls(url.scheme() == "https")?;
    let headers = arguments.request.headers(&[IDEMPOTENCY_KEY])?;
    let taken: Vec<_> = headers.iter().map(|(name, _)| name).collect();
    let signatures = signatures(arguments, &taken)?;
    let mut client = client(&arguments.request)?;
    if url.host_str().is_some_and(fanfare_client::is_local) {
        client = client.no_proxy();
    }
    let poster =
        Poster::new(client, url, headers, signatures, arguments.retries).map_err(Unusable::Client)?;
    Ok((poster, input(arguments)?))
}

fn signatures(arguments: &SendArguments, taken: &[&HeaderName]) -> Result<OutgoingHeaders, Unusable> {
    let Some(header) = &arguments.sign else { return Ok(OutgoingHeaders::default()) };
    let name = HeaderName::from_bytes(header.as_bytes());
    if name.is_ok_and(|name| taken.contains(&&name) || name == IDEMPOTENCY_KEY) {
        return Err(Unusable::SignatureHeader);
    }
    let variable = &arguments.sign_secret_env;
    let secret = std::env::var(variable).ok().filter(|secret| !secret.is_empty());
    let signature = Outgoing::Signature {
        token: secret.ok_or_else(|| Unusable::SigningSecret(variable.clone()))?.into(),
        token_encoding: None,
        signature_prefix: Some(arguments.sign_prefix.clone()),
        signature_on: SignatureOn::Body,
        signature_encoding: Encoding::Hex,
    };
    Ok(OutgoingHeaders::new([(header.clone(), signature)])?)
}

fn client(request: &RequestArguments) -> Result<ClientBuilder, Unusable> {
    let unusable =
        |path: &Path, problem: &str| Unusable::File { path: path.to_owned(), problem: problem.to_owned() };
    let read = |path: &Path| std::fs::read(path).map_err(|error| unusable(path, &error.to_string()));
    let mut client = Client::builder();
    if let Some(path) = &request.ca {
        let authorities = Certificate::from_pem_bundle(&read(path)?).unwrap_or_default();
        if authorities.is_empty() {
            return Err(unusable(path, "it has no certificate in PEM"));
        }
        client = client.tls_certs_only(authorities);
    }
    if let Some((certificate, key)) = request.identity() {
        let pem = [read(&certificate)?, read(&key)?].join(&b'\n');
        let identity = Identity::from_pem(&pem)
            .map_err(|_| unusable(&certificate, "with its key it is no certificate in PEM"))?;
        client = client.identity(identity);
    }
    Ok(client)
}

fn input(arguments: &SendArguments) -> Result<Input, Unusable> {
    if let Some(data) = &arguments.data {
        return Ok(Input::text(data.clone()));
    }
    if let Some(kind) = &arguments.kind {
        let content = arguments.content.as_ref().map(|content| serde_json::from_str(content));
        let parts = Parts {
            kind: kind.clone(),
            subject: arguments.subject.clone().unwrap_or_default(),
            content: content.transpose().map_err(|_| cdevent::InvalidPart::Content)?,
            source: arguments.source.clone(),
        };
        return Ok(Input::text(parts.event(&fresh_event_id(), Timestamp::now())?.to_string()));
    }
    if let Some(path) = arguments.file.as_ref().filter(|path| path.as_os_str() != "-") {
        return match File::open(path) {
            Ok(file) => Ok(Input::file(file)),
            Err(error) => Err(Unusable::File { path: path.clone(), problem: error.to_string() }),
        };
    }
    if arguments.stdin.is_none() && arguments.file.is_none() && io::stdin().is_terminal() {
        return Err(Unusable::Nothing);
    }
    // The same file, past the standard library's buffer, so that its size can be asked where it is one.
    match io::stdin().as_fd().try_clone_to_owned() {
        Ok(stdin) => Ok(Input::file(stdin.into())),
        Err(error) => Err(Unusable::File { path: "-".into(), problem: error.to_string() }),
    }
}

/// Reads in a thread of its own, one value ahead: reading standard input cannot be called off.
fn read(reader: Box<dyn Read + Send>) -> mpsc::Receiver<Result<Value, ReadError>> {
    let (sender, receiver) = mpsc::channel(1);
    thread::spawn(move || {
        let mut values = Values::new(reader);
        while let Some(value) = values.next().transpose() {
            let is_last = value.is_err();
            if sender.blocking_send(value).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

/// Events on their way.
struct Sending {
    output: Output,
    progress: Progress,
    is_quiet: bool,
    /// Events that the server has.
    taken: u64,
}

impl Sending {
    async fn run(
        &mut self,
        poster: &Poster,
        mut values: mpsc::Receiver<Result<Value, ReadError>>,
    ) -> Result<(), Stopped> {
        while let Some(value) = values.recv().await {
            self.send(poster, value?).await?;
        }
        if self.taken == 0 {
            self.progress.say("nothing was sent: the input has no event");
        }
        Ok(())
    }

    async fn send(&mut self, poster: &Poster, value: Value) -> Result<(), Stopped> {
        let Value { index, line, text, end } = value;
        let progress = &self.progress;
        let key = fresh_event_id();
        let answered = poster.post(text, &key, |failure| {
            let seconds = failure.wait.as_secs_f32();
            let problem = Escaped(failure.problem);
            progress.say(&format!("event {index} (line {line}): {problem}; trying again in {seconds:.1} s"));
        });
        let answer = answered.await.map_err(|problem| Stopped::Post { index, line, problem })?;
        self.taken += 1;
        if !self.is_quiet {
            let lines = answer.lines(self.look());
            let output = &mut self.output;
            self.progress.aside(|| output.write(&lines)).map_err(Stopped::Output)?;
        }
        self.progress.done(self.taken, end);
        Ok(())
    }

    fn look(&self) -> Look {
        if !self.output.is_terminal() {
            return Look::Json;
        }
        let [stored, duplicate] = Look::COLOURS.map(|style| self.output.style(style));
        Look::Human { stored, duplicate }
    }
}
