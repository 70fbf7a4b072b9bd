//! Diagnostics as text, the way rustc writes them.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use super::{Diagnostic, Diagnostics, File, Severity};
use crate::Span;

/// Bytes of the lines that one diagnostic shows; of longer ones only the place is named, since drawing takes time
/// and memory in proportion to the text.
const MAX_SHOWN: usize = 16 * 1024;

pub(super) fn render(diagnostics: &Diagnostics, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut sorted: Vec<&Diagnostic> = diagnostics.entries.iter().collect();
    sorted.sort_by_key(|entry| (entry.span.file(), entry.span.range().start));
    let mut out = String::new();
    for entry in sorted {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&renderer.render(&[group(diagnostics, entry)]));
        out.push('\n');
    }
    let more = diagnostics.errors + diagnostics.warnings - diagnostics.entries.len();
    if more > 0 {
        let title = Level::ERROR.primary_title(format!("there are {more} problems more"));
        out.push('\n');
        out.push_str(&renderer.render(&[Group::with_title(title)]));
        out.push('\n');
    }
    out
}

fn group<'d>(diagnostics: &'d Diagnostics, entry: &'d Diagnostic) -> Group<'d> {
    let level = match entry.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(entry.message.as_str()));
    let file = |span: Span| diagnostics.files.get(span.file() as usize);
    if let Some(main) = file(entry.span) {
        let beside = entry.others.iter().filter(|(span, _)| span.file() == entry.span.file());
        group =
            group.element(place(main, entry, beside.map(|(span, text)| (*span, text.as_str())).collect()));
    }
    for (span, text) in entry.others.iter().filter(|(span, _)| span.file() != entry.span.file()) {
        if let Some(other) = file(*span) {
            group = group.element(Level::NOTE.message(format!("{text}: {}", named(other, *span))));
        }
    }
    group.elements(entry.help.iter().map(|help| Level::HELP.message(help.as_str())))
}

/// The lines from the first to the last that something is said about.
fn place<'d>(file: &'d File, entry: &'d Diagnostic, beside: Vec<(Span, &'d str)>) -> Element<'d> {
    let main = on_one_line(&file.text, entry.span);
    if file.text.is_empty() {
        return Origin::path(file.name.as_str()).into();
    }
    let beside: Vec<_> =
        beside.into_iter().map(|(span, text)| (on_one_line(&file.text, span), text)).collect();
    let first = beside.iter().map(|(range, _)| range.start).fold(main.start, usize::min);
    let last = beside.iter().map(|(range, _)| range.end).fold(main.end, usize::max);
    let (start, end) = (line_start(&file.text, first), line_end(&file.text, last));
    let (line, column) = line_and_column(&file.text, main.start);
    let Some(source) = file.text.get(start..end).filter(|source| source.len() <= MAX_SHOWN) else {
        return Origin::path(file.name.as_str()).line(line).char_column(column).into();
    };
    let within = |range: Range<usize>| range.start - start..range.end - start;
    let mut primary = AnnotationKind::Primary.span(within(main));
    if let Some(label) = &entry.label {
        primary = primary.label(label.as_str());
    }
    let context =
        beside.into_iter().map(|(range, text)| AnnotationKind::Context.span(within(range)).label(text));
    Snippet::source(source)
        .path(file.name.as_str())
        .line_start(line_and_column(&file.text, start).0)
        .annotation(primary)
        .annotations(context)
        .into()
}

fn named(file: &File, span: Span) -> String {
    if file.text.is_empty() {
        return file.name.clone();
    }
    let (line, column) = line_and_column(&file.text, on_one_line(&file.text, span).start);
    format!("{}:{line}:{column}", file.name)
}

/// The range cut to the text, to whole characters, and to the line that it starts on.
fn on_one_line(text: &str, span: Span) -> Range<usize> {
    let start = text.floor_char_boundary(span.range().start);
    let end = text.ceil_char_boundary(span.range().end.max(start));
    let line_end = line_end(text, start);
    let line = text.get(..line_end).unwrap_or(text).trim_end_matches('\r');
    start..end.min(line.len()).max(start)
}

fn line_start(text: &str, offset: usize) -> usize {
    text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

fn line_end(text: &str, offset: usize) -> usize {
    text.get(offset..).and_then(|rest| rest.find('\n')).map_or(text.len(), |length| offset + length)
}

/// Both counted from 1, columns in characters.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.get(line_start(before, before.len())..).unwrap_or_default().chars().count() + 1;
    (line, column)
}
