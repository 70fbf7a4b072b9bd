//! Where `tail` writes: a thread of its own for both outputs, so that who reads slowly holds up the streams and not the signals.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::thread;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;
use tokio::sync::{mpsc, oneshot};

use crate::commands::terminal::Output;

/// Pieces that wait to be written. Whoever adds to them waits meanwhile.
const WAITING: usize = 4;

/// What is written.
#[derive(Debug)]
pub(super) enum Piece {
    /// Whole lines of events.
    Events(String),
    /// A line for whoever is beside it.
    Note(String),
    /// How much comes: on a terminal a line that stays the last one, else a note.
    Status(String),
}

/// The way to both outputs. What was given is written also behind its end.
pub(super) struct Screen(mpsc::Sender<Piece>);

/// Tells that everything is written, or that nobody reads any more; or why standard output cannot be written to.
pub(super) type Gone = oneshot::Receiver<io::Result<()>>;

impl Screen {
    /// Starts the thread.
    pub(super) fn start(output: Output) -> (Self, Gone) {
        let (pieces, waiting) = mpsc::channel(WAITING);
        let (done, gone) = oneshot::channel();
        thread::spawn(move || done.send(write(waiting, output)));
        (Self(pieces), gone)
    }

    /// Writes pieces behind those before them. They are lost where nobody reads any more; where this is dropped, what was not
    /// given away is still there.
    pub(super) async fn write(&self, pieces: &mut VecDeque<Piece>) {
        while !pieces.is_empty() {
            let place = self.0.reserve().await;
            if let (Some(piece), Ok(place)) = (pieces.pop_front(), place) {
                place.send(piece);
            }
        }
    }
}

fn write(mut waiting: mpsc::Receiver<Piece>, mut output: Output) -> io::Result<()> {
    let mut status: Option<ProgressBar> = None;
    while let Some(piece) = waiting.blocking_recv() {
        match piece {
            Piece::Events(lines) => aside(status.as_ref(), || output.write(&lines))?,
            Piece::Note(line) => aside(status.as_ref(), || note(&line)),
            Piece::Status(line) if io::stderr().is_terminal() => {
                let bar = status.get_or_insert_with(status_line);
                bar.set_message(line);
                bar.tick();
            }
            Piece::Status(line) => note(&line),
        }
        if output.is_closed() {
            break;
        }
    }
    if let Some(bar) = status {
        bar.finish_and_clear();
    }
    Ok(())
}

/// Writes without the line that stays the last one.
fn aside<T>(status: Option<&ProgressBar>, write: impl FnOnce() -> T) -> T {
    match status {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

fn note(line: &str) {
    // Nobody is left to tell if standard error is gone.
    let _ = writeln!(io::stderr(), "{line}");
}

fn status_line() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    // The template is well-formed, as a test holds.
    bar.set_style(ProgressStyle::with_template(STATUS).unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar
}

const STATUS: &str = "{wide_msg}";

/// Waits until the reader of standard output is gone, also where nothing is written to it; for ever where that cannot be
/// known, because it is a file.
pub(super) async fn reader_gone() {
    // Only its readiness is watched, so it need be neither a pipe nor one that does not block.
    let watched = io::stdout().as_fd().try_clone_to_owned().and_then(Sender::from_owned_fd_unchecked);
    match watched {
        Ok(out) if out.ready(Interest::ERROR).await.is_ok() => {}
        _ => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_well_formed() {
        assert!(ProgressStyle::with_template(STATUS).is_ok());
    }
}
